//! Transactions on PostgreSQL that end in a known way.
//!
//! Each transaction leaves a marker. When it begins, it reads its own number and the database's time. A transaction
//! that breaks before its commit is sent has changed nothing and is tried again. If the connection breaks during the
//! commit, the store asks the database: the number shows when the transaction is over (`pg_xact_status`), and the
//! marker shows whether it was committed. The number alone would mislead: after a crash, PostgreSQL gives numbers that
//! left no trace to other transactions, which may be committed. A transaction that was committed counts; any other is
//! tried again. So nothing is done twice, whatever the work is. The outcome is not known only if the database does not
//! come back in time, and the error says so.

use super::Postgres;
use super::pauses::Pauses;
use crate::failure::{failed, is_broken, is_undone, too_slow, unavailable};
use crate::session::{Moment, Session, Work};
use crate::settings::Deciding;
use chrono::{DateTime, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres as Database, Row as _};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Begins, leaves a marker, and returns marker, number and the time in microseconds, in one exchange. Every hundredth
/// transaction removes markers that are older than an hour, because nobody asks for them so late.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    DELETE FROM commit_markers WHERE pg_current_xact_id()::text LIKE '%00'
        AND at < floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 3600000000;
    INSERT INTO commit_markers (token, at)
        VALUES (gen_random_uuid()::text, floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        RETURNING token, pg_current_xact_id()::text AS number, at AS now";

/// What names a transaction.
#[derive(Debug, Clone)]
struct Marker {
    /// Its number, which shows whether it is over.
    number: String,
    /// Its row, which shows whether it was committed.
    token: String,
}

/// How one try ended.
enum Try<T> {
    /// The transaction is over: committed, or undone by its own error.
    Over(Result<T>),
    /// The transaction was undone, and the work was not the cause.
    Undone(sqlx::Error),
    /// The commit was sent and its answer did not come.
    Unknown { marker: Marker, value: T, error: sqlx::Error },
}

/// What the database says of a transaction.
enum Fate {
    Kept,
    Undone,
    Unknown,
}

impl Postgres {
    /// Runs `work` in a transaction, as [`crate::store::Store::write_then`] says.
    pub(crate) async fn write_then<T, F, C>(
        self: &Arc<Self>,
        caller_now: DateTime<Utc>,
        work: F,
        committed: C,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, T> + Send + Sync + 'static,
        C: FnOnce(&mut T) + Send + 'static,
    {
        let closed = || Error::unavailable("the store is closed");
        if self.writing.is_closed() {
            return Err(closed());
        }
        let (reply, answer) = oneshot::channel();
        let postgres = self.clone();
        let transaction = async move {
            let mut outcome = postgres.transact(caller_now, &work, &reply).await;
            if let Ok(value) = &mut outcome {
                committed(value);
            }
            // The caller may be gone; what was committed stays.
            let _ = reply.send(outcome);
        };
        self.writing.spawn_on(transaction, &self.runtime);
        answer.await.map_err(|_| closed())?
    }

    /// Runs `work` without anybody waiting for it.
    pub(crate) fn write_unattended<F, C>(self: &Arc<Self>, caller_now: DateTime<Utc>, work: F, committed: C)
    where
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, ()> + Send + Sync + 'static,
        C: FnOnce() + Send + 'static,
    {
        let postgres = self.clone();
        let transaction = async move {
            // Both ends of the channel are kept here, so that the work does not look abandoned.
            let (reply, _answer) = oneshot::channel();
            if postgres.transact(caller_now, &work, &reply).await.is_ok() {
                committed();
            }
        };
        self.writing.spawn_on(transaction, &self.runtime);
    }

    async fn transact<T, F>(
        &self,
        caller_now: DateTime<Utc>,
        work: &F,
        reply: &oneshot::Sender<Result<T>>,
    ) -> Result<T>
    where
        T: Send,
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, T> + Send + Sync,
    {
        const WHAT: &str = "begin a transaction";
        let deadline = Instant::now() + self.busy_wait;
        let mut pauses = Pauses::until(deadline);
        loop {
            let connection = match self.pool.acquire().await {
                Ok(connection) => connection,
                Err(error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)) => {
                    return Err(failed(WHAT, error));
                }
                Err(error) if is_broken(&error) && pauses.pause().await => continue,
                Err(error) => return Err(failed(WHAT, error)),
            };
            if reply.is_closed() {
                return Err(Error::unavailable("nobody waits for this any more"));
            }
            let undone = match self.attempt(connection, caller_now, work).await {
                Try::Over(outcome) => return outcome,
                Try::Undone(error) => error,
                Try::Unknown { marker, value, error } => match self.fate(&marker).await {
                    Fate::Kept => return Ok(value),
                    Fate::Undone => error,
                    Fate::Unknown => {
                        let text = "the connection to the store broke while it saved a change: whether the change is saved is not known";
                        return Err(unavailable(text.into(), error));
                    }
                },
            };
            if !pauses.pause().await {
                return Err(failed("keep a change", undone));
            }
        }
    }

    async fn attempt<T, F>(
        &self,
        mut connection: PoolConnection<Database>,
        caller_now: DateTime<Utc>,
        work: &F,
    ) -> Try<T>
    where
        T: Send,
        F: for<'c> Fn(Session<'c>, Moment) -> Work<'c, T> + Send + Sync,
    {
        // Each statement has its own limit in the database; this one is for a database that is silent.
        let end = Instant::now() + self.statement_wait + self.busy_wait;
        let begun = timeout_at(end, begin(&mut connection)).await.unwrap_or_else(|_| Err(too_slow()));
        let (marker, now) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                connection.close_on_drop();
                let fatal = !is_broken(&error) && !is_undone(&error);
                return if fatal {
                    Try::Over(Err(failed("begin a transaction", error)))
                } else {
                    Try::Undone(error)
                };
            }
        };
        let moment = match &self.deciding {
            Deciding::DatabaseOr(_) | Deciding::Database => Moment::of_database(now, caller_now),
            Deciding::Caller => Moment::of_caller(caller_now),
        };
        let worked = timeout_at(end, work(Session::Postgres(&mut connection), moment)).await;
        match worked {
            Err(_) => {
                connection.close_on_drop();
                Try::Undone(too_slow())
            }
            Ok(Err(error)) => {
                let rolled_back = timeout_at(end, execute(&mut connection, "ROLLBACK")).await;
                if !matches!(rolled_back, Ok(Ok(()))) {
                    connection.close_on_drop();
                }
                undone_or_over(error)
            }
            Ok(Ok(value)) => {
                reached(Failpoint::CommitDue);
                let committed = timeout_at(end, execute(&mut connection, "COMMIT")).await;
                match committed.unwrap_or_else(|_| Err(too_slow())) {
                    Ok(()) => {
                        reached(Failpoint::Committed);
                        Try::Over(Ok(value))
                    }
                    Err(error) => {
                        connection.close_on_drop();
                        if is_broken(&error) {
                            Try::Unknown { marker, value, error }
                        } else {
                            Try::Undone(error)
                        }
                    }
                }
            }
        }
    }

    /// Asks whether a transaction was committed.
    async fn fate(&self, marker: &Marker) -> Fate {
        let mut pauses = Pauses::until(Instant::now() + self.busy_wait.max(self.statement_wait));
        loop {
            match self.status(marker).await {
                Ok(Status { kept: true, .. }) => return Fate::Kept,
                Ok(Status { over: true, kept: false }) => return Fate::Undone,
                // Its process has not noticed yet that the connection broke, or the database is unreachable.
                Ok(Status { over: false, .. }) | Err(_) => {}
            }
            if !pauses.pause().await {
                return Fate::Unknown;
            }
        }
    }

    async fn status(&self, marker: &Marker) -> std::result::Result<Status, sqlx::Error> {
        // In this order: a transaction that is over at the first question has its marker at the second, or never gets
        // one.
        const OVER: &str = "SELECT coalesce(pg_xact_status($1::text::xid8) <> 'in progress', true)";
        const KEPT: &str = "SELECT EXISTS (SELECT 1 FROM commit_markers WHERE token = $1)";
        let mut connection = self.pool.acquire().await?;
        let end = Instant::now() + self.busy_wait;
        let asked = async {
            let over = sqlx::query_scalar(OVER).bind(&marker.number).fetch_one(&mut *connection).await?;
            let kept = sqlx::query_scalar(KEPT).bind(&marker.token).fetch_one(&mut *connection).await?;
            Ok(Status { over, kept })
        };
        let status = timeout_at(end, asked).await.unwrap_or_else(|_| Err(too_slow()));
        if status.is_err() {
            connection.close_on_drop();
        }
        status
    }
}

/// What is known of a transaction.
struct Status {
    /// It is over.
    over: bool,
    /// Its marker is there.
    kept: bool,
}

/// What the error of the work means: undone in favour of another transaction, or for good.
fn undone_or_over<T>(mut error: Error) -> Try<T> {
    match error.source.take().map(|source| source.downcast::<sqlx::Error>()) {
        Some(Ok(cause)) if is_broken(&cause) || is_undone(&cause) => return Try::Undone(*cause),
        Some(Ok(cause)) => error.source = Some(cause),
        Some(Err(other)) => error.source = Some(other),
        None => {}
    }
    Try::Over(Err(error))
}

async fn begin(connection: &mut PgConnection) -> std::result::Result<(Marker, DateTime<Utc>), sqlx::Error> {
    let row = sqlx::raw_sql(BEGIN).fetch_one(connection).await?;
    let now = DateTime::from_timestamp_micros(row.try_get("now")?)
        .ok_or_else(|| sqlx::Error::Protocol("the database's time is out of range".into()))?;
    Ok((Marker { number: row.try_get("number")?, token: row.try_get("token")? }, now))
}

async fn execute(
    connection: &mut PgConnection,
    statement: &'static str,
) -> std::result::Result<(), sqlx::Error> {
    sqlx::raw_sql(statement).execute(connection).await.map(drop)
}
