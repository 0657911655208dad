//! Opening and closing the store.

use crate::failure::failed;
use crate::signals::Signals;
use crate::snapshots::NewestSnapshots;
use crate::writer::Writer;
use muster_reports::error::{Error, Result};
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Limits of a store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Attempts after which a task fails; at least one.
    pub attempts_max: u32,
    /// Pending and running tasks of all tenants; a start beyond is refused as `Unavailable`.
    pub live_max: u32,
    /// Connections that read.
    pub readers: u32,
    /// How long a call waits for another process that is writing, or for a free reader.
    pub busy_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { attempts_max: 3, live_max: 10_000, readers: 4, busy_wait: Duration::from_secs(5) }
    }
}

/// All store ports over one SQLite file.
///
/// Several processes may have the file open. Signals (`work_or`, `cancelled`) stay inside one.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: Writer,
    pub(crate) signals: Arc<Signals>,
    pub(crate) settings: Settings,
    pub(crate) newest: NewestSnapshots,
    closing: Arc<Notify>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the store at `path` with default settings. See [`SqliteStore::open_with`].
    ///
    /// # Errors
    /// As [`SqliteStore::open_with`].
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Settings::default()).await
    }

    /// Opens the store at `path` and brings its tables up to date. A new file is made readable by
    /// its owner only; its folder must exist. Needs a Tokio runtime, on which a writing task runs
    /// until the store is closed or dropped.
    ///
    /// # Errors
    /// `Internal` with the path when the file cannot be made or opened, is no store, or was
    /// written by a newer version; `Unavailable` when another process keeps it busy.
    pub async fn open_with(path: &Path, settings: Settings) -> Result<Self> {
        let what = format!("open {}", path.display());
        let lock = lock_for_opening(path).await?;
        create_private(path)
            .map_err(|error| Error::internal(format!("{} could not be made", path.display()), error))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(settings.busy_wait)
            .foreign_keys(true);
        let writers = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.busy_wait)
            .connect_with(
                options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full),
            )
            .await
            .map_err(|error| failed(&what, error))?;
        MIGRATIONS.run(&writers).await.map_err(|error| {
            Error::internal(format!("the tables of {} are not usable", path.display()), error)
        })?;
        let connection = writers.acquire().await.map_err(|error| failed(&what, error))?.detach();
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(settings.busy_wait)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.read_only(true))
            .await
            .map_err(|error| failed(&what, error))?;
        drop(lock);
        let closing = Arc::new(Notify::new());
        let (writer, writing) = Writer::start(connection, closing.clone());
        Ok(Self {
            readers,
            writer,
            signals: Arc::new(Signals::new()),
            settings,
            newest: NewestSnapshots::default(),
            closing,
            writing: Mutex::new(Some(writing)),
        })
    }

    /// Finishes the writes that have been accepted and closes the file. Later calls fail.
    pub async fn close(&self) {
        self.closing.notify_one();
        if let Some(writing) = self.writing.lock().await.take() {
            // The task ends by itself; it cannot have been aborted, and a panic in it is no reason for another.
            let _ = writing.await;
        }
        self.readers.close().await;
    }
}

/// Keeps other processes from bringing the tables up to date at the same time.
///
/// A file of its own: closing a second handle on the database itself would release SQLite's locks.
async fn lock_for_opening(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let place = name.display().to_string();
    let locked = tokio::task::spawn_blocking(move || {
        let file = private().create(true).truncate(false).open(name)?;
        file.lock()?;
        Ok(file)
    });
    locked
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| Error::internal(format!("{place} could not be locked"), error))
}

/// Makes an empty file that only its owner may read, unless there is one.
fn create_private(path: &Path) -> std::io::Result<()> {
    match private().create_new(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(|_| ()),
    }
}

fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
