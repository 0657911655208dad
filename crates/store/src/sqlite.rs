//! The store in one SQLite file: opening and closing.

mod writer;

pub(crate) use writer::{Kept, WeakWriter, Writer};

use crate::failure::failed;
use crate::migrations;
use crate::settings::Settings;
use muster_reports::error::{Error, Result};
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

/// The steps that bring the tables up to date.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// One SQLite file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: Writer,
    /// The write-ahead log.
    log: PathBuf,
    closing: Arc<Notify>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    /// Opens the file at `path`, as [`crate::Store::open`] says.
    pub(crate) async fn open(path: &Path, settings: &Settings) -> Result<Self> {
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
        let mut connection = writers.acquire().await.map_err(|error| failed(&what, error))?.detach();
        migrations::run(&MIGRATIONS, &mut connection, &path.display().to_string()).await?;
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
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (writer, writing) = Writer::start(connection, log.clone(), closing.clone());
        Ok(Self { readers, writer, log, closing, writing: Mutex::new(Some(writing)) })
    }

    /// Waits until everything is durable that readers see now.
    pub(crate) async fn sync(&self) -> std::io::Result<()> {
        let log = self.log.clone();
        let synced = tokio::task::spawn_blocking(move || writer::sync(&log));
        synced.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }

    /// Finishes the writes that have been accepted and closes the file.
    pub(crate) async fn close(&self) {
        // The last connection empties the log into the file, and readers may not write.
        self.readers.close().await;
        self.closing.notify_one();
        if let Some(writing) = self.writing.lock().await.take() {
            // The task ends by itself: nothing aborts it, and a panic in it must not cause another.
            let _ = writing.await;
        }
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
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
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
