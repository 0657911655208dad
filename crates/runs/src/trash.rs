//! The trash: a folder for files that nothing names any more. It is in the folder that had them, and keeps them for a
//! time.
//!
//! Why: if the database is not the one that names the files, a sweep moves files that somebody needs. They can be moved
//! back.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the trash, in the folder that had the files.
pub const FOLDER: &str = "trash";

/// The folder in the trash of `dir` for files that are moved there now.
pub fn place(dir: &Path, now: DateTime<Utc>) -> PathBuf {
    dir.join(FOLDER).join(stamp(now))
}

/// Removes the files that have been in the trash of `dir` for `days`.
///
/// # Errors
/// With the folder that cannot be read or removed.
pub fn empty(dir: &Path, now: DateTime<Utc>, days: u32) -> Result<()> {
    let trash = dir.join(FOLDER);
    let last = now.checked_sub_signed(TimeDelta::days(i64::from(days))).map(stamp).unwrap_or_default();
    let unreadable = |error| Error::internal(format!("folder {} cannot be listed", trash.display()), error);
    let entries = match std::fs::read_dir(&trash) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        // Stamps sort as their times do.
        let is_due = entry.file_name().to_str().is_some_and(|name| is_stamp(name) && name <= last.as_str());
        if is_due {
            let path = entry.path();
            std::fs::remove_dir_all(&path)
                .map_err(|error| Error::internal(format!("{} cannot be removed", path.display()), error))?;
        }
    }
    Ok(())
}

/// `20261129T061500Z`
fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y%m%dT%H%M%SZ").to_string()
}

fn is_stamp(name: &str) -> bool {
    name.len() == 16 && name.ends_with('Z') && name.as_bytes()[8] == b'T'
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_young_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let day = |number| DateTime::UNIX_EPOCH + TimeDelta::days(number);
        empty(dir.path(), day(9), 0).unwrap();
        for number in [1, 2, 3] {
            let place = place(dir.path(), day(number));
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("a.1.report.csv"), "id\n").unwrap();
        }
        std::fs::create_dir(dir.path().join("trash/mine")).unwrap();
        let left = || {
            let entries = std::fs::read_dir(dir.path().join("trash")).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        empty(dir.path(), day(9), 7).unwrap();
        assert_eq!(left(), ["19700104T000000Z", "mine"]);
        empty(dir.path(), day(4), 0).unwrap();
        assert_eq!(left(), ["mine"]);
    }
}
