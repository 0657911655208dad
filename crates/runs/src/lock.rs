//! Locks of a data directory: what only one process may do. The system frees them with the process, however it ends.
//!
//! A lock is taken on a file and on a folder, because a file that somebody removes is locked by nobody.

use muster_reports::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A lock of a data directory; freed when dropped.
#[must_use]
pub struct Lock {
    _file: File,
    /// `None` on file systems that cannot lock folders.
    _folder: Option<File>,
}

/// Takes the lock of refreshing: of the folder that all processes share, and of that of the tables.
///
/// # Errors
/// `Unavailable` when another process refreshes; `Internal` when it cannot be taken.
pub fn lock_refresh(shared: &Path, tables: &Path) -> Result<Lock> {
    lock(shared, "refresh.lock", tables, "another process refreshes this data directory")
}

/// Takes the lock of this name in `dir`, and that of `folder`. `taken` is the message if another process has it.
///
/// # Errors
/// `Unavailable` when another process has it; `Internal` when it cannot be taken.
pub fn lock(dir: &Path, name: &str, folder: &Path, taken: &str) -> Result<Lock> {
    let path = dir.join(name);
    let failed = |path: &Path, what: &str, error: std::io::Error| {
        Error::internal(format!("{} cannot be {what}", path.display()), error)
    };
    let refused = || Error::unavailable(format!("{taken}: {}", dir.display()));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| failed(&path, "opened", error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(refused()),
        Err(TryLockError::Error(error)) => return Err(failed(&path, "locked", error)),
    }
    let opened = File::open(folder).map_err(|error| failed(folder, "opened", error))?;
    match opened.try_lock() {
        Ok(()) => Ok(Lock { _file: file, _folder: Some(opened) }),
        Err(TryLockError::WouldBlock) => Err(refused()),
        // Some network file systems cannot lock folders.
        Err(TryLockError::Error(_)) => Ok(Lock { _file: file, _folder: None }),
    }
}
