//! The store: one set of ports over either database.
//!
//! Invariants:
//! - what a write returned is durable in either database, except that over SQLite a claim may be lost with the machine,
//!   and the run that held it with it; a write that returned an error changed nothing, unless the error says that the
//!   outcome is not known;
//! - over SQLite, a start is seen before it is durable, so that its run need not wait for the disk. What follows it in the
//!   log is durable only with it. Its caller, and whoever reads the audit trail, waits for the disk;
//! - work that has begun runs to its end even if its caller has gone; work whose caller has gone before it begins is
//!   skipped.

use crate::manifests::Manifests;
use crate::postgres::{Postgres, PostgresUrl};
use crate::session::{Moment, Read, Row, Session, Sql, Statement, Value, Work};
use crate::settings::{Deciding, Settings};
use crate::signals::Signals;
use crate::sqlite::{Kept, Sqlite, WeakWriter};
use chrono::{DateTime, Utc};
use muster_reports::error::Result;
use muster_reports::ids::TaskId;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file, which is created if it is missing.
    Sqlite(PathBuf),
    /// An existing database, which any number of processes may share.
    Postgres(PostgresUrl),
}

/// All store ports over one SQLite file or one PostgreSQL database.
///
/// Several processes may have it open. Over SQLite, signals (`work_or`, `cancelled`) stay inside one process; over
/// PostgreSQL, they reach all processes.
#[derive(Debug)]
pub struct Store {
    pub(crate) backend: Backend,
    pub(crate) signals: Arc<Signals>,
    pub(crate) settings: Settings,
    pub(crate) manifests: Manifests,
}

#[derive(Debug)]
pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Arc<Postgres>),
}

impl Store {
    /// Opens the store and brings its tables up to date. Needs a Tokio runtime, on which tasks of the store
    /// run until it is closed or dropped.
    ///
    /// Only its owner can read a new SQLite file, and its folder must exist. In a PostgreSQL database, the tables are
    /// created in the first schema of the connection's search path.
    ///
    /// # Errors
    /// `Internal` with the place when it cannot be opened, is not a store, does not keep what it commits, or was
    /// written by a newer version; `Unavailable` when another process keeps it busy or it cannot be reached.
    pub async fn open(place: &Place, settings: Settings) -> Result<Self> {
        let signals = Arc::new(Signals::new());
        let backend = match place {
            Place::Sqlite(path) => Backend::Sqlite(Sqlite::open(path, &settings).await?),
            Place::Postgres(url) => Backend::Postgres(Postgres::open(url, &settings, signals.clone()).await?),
        };
        Ok(Self { backend, signals, settings, manifests: Manifests::default() })
    }

    /// Finishes the writes that have been accepted and closes the database. Later calls fail.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Runs `work` in a transaction, possibly several times, of which one counts. The result is durable; an error
    /// undoes the work.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(Session<'c>) -> Work<'c, T> + Send + Sync + 'static,
    {
        self.write_then(DateTime::UNIX_EPOCH, move |session, _| work(session), |_| ()).await
    }

    /// As [`Store::write`], for work that depends on the time. Calls `committed` when the work is durable, even if the
    /// caller has gone.
    pub(crate) async fn write_then<T, F, C>(
        &self,
        caller_now: DateTime<Utc>,
        work: F,
        committed: C,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, T> + Send + Sync + 'static,
        C: FnOnce(&mut T) + Send + 'static,
    {
        self.write_kept(Kept::Now, caller_now, work, committed).await
    }

    /// As [`Store::write_then`], for work that over SQLite is kept as `kept` says.
    pub(crate) async fn write_kept<T, F, C>(
        &self,
        kept: Kept,
        caller_now: DateTime<Utc>,
        work: F,
        committed: C,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, T> + Send + Sync + 'static,
        C: FnOnce(&mut T) + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let deciding = self.settings.deciding.clone();
                sqlite
                    .writer
                    .write_then(
                        kept,
                        move |connection| {
                            let moment = deciding.on_sqlite(caller_now);
                            work(Session::Sqlite(connection), moment)
                        },
                        committed,
                    )
                    .await
            }
            Backend::Postgres(postgres) => postgres.write_then(caller_now, work, committed).await,
        }
    }

    /// The rows of a statement that only reads.
    pub(crate) async fn read(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Read<Vec<Row>> {
        self.read_statement(Statement::Fixed(sql.into()), values).await
    }

    /// As [`Store::read`], with a text that is built from our own parts, never from values.
    pub(crate) async fn read_built(&self, sql: String, values: &[Value<'_>]) -> Read<Vec<Row>> {
        self.read_statement(Statement::Built(&sql), values).await
    }

    async fn read_statement(&self, sql: Statement<'_>, values: &[Value<'_>]) -> Read<Vec<Row>> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let mut connection = sqlite.readers.acquire().await?;
                Session::Sqlite(&mut connection).all(sql, values).await
            }
            Backend::Postgres(postgres) => postgres.read(sql, values).await,
        }
    }

    /// As [`Store::read`]. What it returns is durable: over SQLite, others may read a change before it is.
    pub(crate) async fn read_durable(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Read<Vec<Row>> {
        let rows = self.read(sql, values).await?;
        self.sync().await?;
        Ok(rows)
    }

    /// Waits until everything is durable that was read before.
    pub(crate) async fn sync(&self) -> Read<()> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.sync().await.map_err(sqlx::Error::Io),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// The first row of a statement that only reads.
    pub(crate) async fn read_first(&self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Read<Option<Row>> {
        Ok(self.read(sql, values).await?.into_iter().next())
    }

    /// What tells all processes of a committed change.
    pub(crate) fn announcer(&self) -> Announcer {
        let everywhere = match &self.backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(postgres) => Some(Arc::downgrade(postgres)),
        };
        Announcer { signals: self.signals.clone(), everywhere }
    }

    /// What writes without keeping the store open.
    pub(crate) fn unattended(&self) -> Unattended {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                Unattended::Sqlite(sqlite.writer.downgrade(), self.settings.deciding.clone())
            }
            Backend::Postgres(postgres) => Unattended::Postgres(Arc::downgrade(postgres)),
        }
    }
}

/// Tells of committed changes: here at once, and other processes through the database.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    signals: Arc<Signals>,
    everywhere: Option<Weak<Postgres>>,
}

impl Announcer {
    /// A task may be due.
    pub(crate) fn work(&self) {
        self.signals.work();
        if let Some(postgres) = self.everywhere.as_ref().and_then(Weak::upgrade) {
            postgres.announce_work();
        }
    }

    /// There may be more to do for another worker of this process.
    pub(crate) fn work_here(&self) {
        self.signals.work();
    }

    /// A task has been cancelled.
    pub(crate) fn cancelled(&self, id: &TaskId) {
        self.signals.cancelled(id);
        if let Some(postgres) = self.everywhere.as_ref().and_then(Weak::upgrade) {
            postgres.announce_cancel(id);
        }
    }
}

/// Writes that nobody waits for; they do not keep the store open.
pub(crate) enum Unattended {
    Sqlite(WeakWriter, Deciding),
    Postgres(Weak<Postgres>),
}

impl Unattended {
    /// Runs `work` unless the store is closed or too busy.
    pub(crate) fn write<F, C>(&self, caller_now: DateTime<Utc>, work: F, committed: C)
    where
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, ()> + Send + Sync + 'static,
        C: FnOnce() + Send + 'static,
    {
        match self {
            Self::Sqlite(writer, deciding) => {
                let deciding = deciding.clone();
                writer.write_unattended(
                    move |connection| {
                        let moment = deciding.on_sqlite(caller_now);
                        work(Session::Sqlite(connection), moment)
                    },
                    committed,
                );
            }
            Self::Postgres(postgres) => {
                if let Some(postgres) = postgres.upgrade() {
                    postgres.write_unattended(caller_now, work, committed);
                }
            }
        }
    }
}
