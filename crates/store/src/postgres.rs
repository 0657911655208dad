//! The store in a PostgreSQL database that any number of processes share: opening, reading, closing.
//!
//! Invariants:
//! - what a commit acknowledged is durable: a database that answers before it has written is refused;
//! - every call ends: the waits for connections, statements and locks are as long as the settings say;
//! - the URL's password is in no error and no log line.

pub(crate) mod escaping;
mod listen;
mod pauses;
mod transact;
mod url;

pub use url::PostgresUrl;

use crate::failure::{failed, is_broken, is_undone, too_slow};
use crate::migrations;
use crate::postgres::listen::Announcements;
use crate::postgres::pauses::Pauses;
use crate::session::{Read, Row, Session, Statement, Value};
use crate::settings::{Deciding, Settings};
use crate::signals::Signals;
use muster_reports::error::{Error, Result};
use muster_reports::ids::TaskId;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, Postgres as Database, Row as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The steps that bring the tables up to date.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// The oldest server that has everything we ask: `pg_current_xact_id` and `gen_random_uuid`.
const VERSION_MIN: i32 = 130_000;
/// One PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
    deciding: Deciding,
    busy_wait: Duration,
    statement_wait: Duration,
    /// Transactions under way; each is owned here, not by its caller.
    writing: TaskTracker,
    runtime: Handle,
    announcements: Announcements,
    announcing: AbortOnDropHandle<()>,
    listening: AbortOnDropHandle<()>,
}

impl Postgres {
    /// Opens the database, as [`crate::Store::open`] says.
    pub(crate) async fn open(
        url: &PostgresUrl,
        settings: &Settings,
        signals: Arc<Signals>,
    ) -> Result<Arc<Self>> {
        let options = connect_options(url, settings);
        let mut connection = connect(url, &options, settings).await?;
        check_server(url, &mut connection).await?;
        migrations::run(&MIGRATIONS, &mut connection, &url.to_string()).await?;
        let names = listen::Names::of(&mut connection)
            .await
            .map_err(|error| failed(&format!("open {url}"), error))?;
        // Ends the lock of the migrations with it.
        let _ = connection.close().await;

        let pool = pool(settings.connections, settings.busy_wait).connect_lazy_with(options.clone());
        let listening = pool_of_one(settings.busy_wait).connect_lazy_with(options);
        let (announcements, announcing) = listen::announce(pool.clone(), &names);
        let listening = tokio::spawn(listen::listen(listening, names, signals));
        Ok(Arc::new(Self {
            pool,
            deciding: settings.deciding.clone(),
            busy_wait: settings.busy_wait,
            statement_wait: settings.statement_wait,
            writing: TaskTracker::new(),
            runtime: Handle::current(),
            announcements,
            announcing: AbortOnDropHandle::new(tokio::spawn(announcing)),
            listening: AbortOnDropHandle::new(listening),
        }))
    }

    /// Opens the database to read it as of this moment: over one connection, in one transaction. If the connection breaks,
    /// its moment is gone, and nothing more is read.
    pub(crate) async fn pinned(url: &PostgresUrl, settings: &Settings) -> Result<Arc<Self>> {
        let wrong = |error| failed(&format!("open {url}"), error);
        let options = connect_options(url, settings)
            // A dump takes as long as it takes, and the transaction waits for it.
            .options([("idle_in_transaction_session_timeout", "0"), ("statement_timeout", "0")]);
        let is_open = Arc::new(AtomicBool::new(false));
        let pool = pool_of_one(settings.busy_wait).after_connect(move |connection, _| {
            let is_open = is_open.clone();
            Box::pin(async move {
                if is_open.swap(true, Ordering::SeqCst) {
                    return Err(sqlx::Error::Protocol("the connection broke, and its moment is gone".into()));
                }
                let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
                sqlx::raw_sql(begin).execute(connection).await.map(drop)
            })
        });
        let pool = pool.connect_with(options).await.map_err(wrong)?;
        let mut connection = pool.acquire().await.map_err(wrong)?;
        let names = listen::Names::of(&mut connection).await.map_err(wrong)?;
        drop(connection);
        // Nobody is told anything: nothing is changed.
        let (announcements, _) = listen::announce(pool.clone(), &names);
        Ok(Arc::new(Self {
            pool,
            deciding: settings.deciding.clone(),
            busy_wait: settings.busy_wait,
            statement_wait: settings.statement_wait,
            writing: TaskTracker::new(),
            runtime: Handle::current(),
            announcements,
            announcing: AbortOnDropHandle::new(tokio::spawn(async {})),
            listening: AbortOnDropHandle::new(tokio::spawn(async {})),
        }))
    }

    /// Finishes the transactions under way and closes the connections.
    pub(crate) async fn close(&self) {
        self.writing.close();
        self.writing.wait().await;
        self.listening.abort();
        self.announcing.abort();
        self.pool.close().await;
    }

    /// Tells all other processes that a task may be due.
    pub(crate) fn announce_work(&self) {
        self.announcements.work();
    }

    /// Tells all other processes that a task has been cancelled.
    pub(crate) fn announce_cancel(&self, id: &TaskId) {
        self.announcements.cancelled(id);
    }

    /// The rows of a statement that only reads. If the connection breaks, the statement is repeated over a new one.
    pub(crate) async fn read(&self, sql: Statement<'_>, values: &[Value<'_>]) -> Read<Vec<Row>> {
        let mut pauses = Pauses::until(Instant::now() + self.busy_wait);
        loop {
            let error = match self.read_once(sql, values).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let over = matches!(error, sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut);
            if over || !(is_broken(&error) || is_undone(&error)) || !pauses.pause().await {
                return Err(error);
            }
        }
    }

    async fn read_once(&self, sql: Statement<'_>, values: &[Value<'_>]) -> Read<Vec<Row>> {
        let mut connection = self.pool.acquire().await?;
        let end = Instant::now() + self.statement_wait;
        let read = timeout_at(end, Session::Postgres(&mut connection).all(sql, values)).await;
        let read = read.unwrap_or_else(|_| Err(too_slow()));
        if read.as_ref().is_err_and(is_broken) {
            connection.close_on_drop();
        }
        read
    }
}

fn pool(connections: u32, wait: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections.max(2))
        .acquire_timeout(wait)
        // A broken connection is noticed at its first statement, which is then repeated over another one.
        .test_before_acquire(false)
        .idle_timeout(Duration::from_secs(600))
}

fn pool_of_one(wait: Duration) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(1).acquire_timeout(wait).max_lifetime(None).idle_timeout(None)
}

fn connect_options(url: &PostgresUrl, settings: &Settings) -> PgConnectOptions {
    let statement_ms = settings.statement_wait.as_millis().to_string();
    let lock_ms = settings.busy_wait.as_millis().to_string();
    url.options().clone().application_name("muster").options([
        ("statement_timeout", statement_ms.as_str()),
        ("lock_timeout", lock_ms.as_str()),
        ("idle_in_transaction_session_timeout", statement_ms.as_str()),
        ("timezone", "UTC"),
    ])
}

/// Connects, and waits while the server starts or restarts.
async fn connect(url: &PostgresUrl, options: &PgConnectOptions, settings: &Settings) -> Result<PgConnection> {
    let mut pauses = Pauses::until(Instant::now() + settings.busy_wait);
    loop {
        let connected = timeout(settings.statement_wait, PgConnection::connect_with(options)).await;
        match connected.unwrap_or_else(|_| Err(too_slow())) {
            Ok(connection) => return Ok(connection),
            Err(error) if is_broken(&error) && pauses.pause().await => {}
            Err(error) => return Err(failed(&format!("open {url}"), error)),
        }
    }
}

/// Refuses a server that is too old or that acknowledges what it may lose.
async fn check_server(url: &PostgresUrl, connection: &mut PgConnection) -> Result<()> {
    let asked = sqlx::query::<Database>(
        "SELECT current_setting('server_version_num')::int AS version,
                current_setting('synchronous_commit') AS synchronous,
                current_setting('server_encoding') AS encoding",
    )
    .fetch_one(connection)
    .await;
    let wrong = |error| failed(&format!("open {url}"), error);
    let row = asked.map_err(wrong)?;
    let version: i32 = row.try_get("version").map_err(wrong)?;
    let synchronous: String = row.try_get("synchronous").map_err(wrong)?;
    let encoding: String = row.try_get("encoding").map_err(wrong)?;
    let refuse = |found: String, expected: &str| {
        Err(Error::internal(format!("{url} cannot hold the store: {found}: expected {expected}"), "refused"))
    };
    if version < VERSION_MIN {
        return refuse(format!("its version is {}", version / 10_000), "PostgreSQL 13 or newer");
    }
    if synchronous == "off" {
        let expected = "on, so that what is accepted outlives a crash";
        return refuse("synchronous_commit is off".into(), expected);
    }
    if encoding != "UTF8" {
        return refuse(format!("its encoding is {encoding}"), "UTF8");
    }
    Ok(())
}
