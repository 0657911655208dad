//! The folder for files that are removed with their run.

use crate::lock::lock_refresh;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use std::path::Path;

/// What a file system keeps in its first folder.
const LOST_AND_FOUND: &str = "lost+found";

/// Removes files that runs of a killed process left in the folder `work`. Does nothing while a refresh uses the folder:
/// it holds the lock of refreshing on the folders `shared` and `tables`.
///
/// # Errors
/// When something cannot be removed.
pub fn clear_work(shared: &Path, tables: &Path, work: &Path) -> Result<()> {
    let Ok(_lock) = lock_refresh(shared, tables) else { return Ok(()) };
    clear(work)
        .map_err(|error| Error::internal(format!("folder {} cannot be cleared", work.display()), error))?;
    reached(Failpoint::WorkCleared);
    Ok(())
}

/// Removes the content of a folder. The folder stays, because it may be the target of a link or a mount point.
fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == LOST_AND_FOUND {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
