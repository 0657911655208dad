//! The keys of access tokens as files: `tokens.key` signs, `tokens.previous.key` still checks for a while.
//!
//! Running services see the exchange by the file's number, which a rename changes.

use super::keys;
use crate::failure::Result;
use chrono::{DateTime, TimeDelta, Utc};
use muster_http::{KeyRing, TokenKeys};
use muster_reports::error::Error;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const CURRENT: &str = "tokens.key";
const PREVIOUS: &str = "tokens.previous.key";

/// The keys in a folder.
pub struct TokenKeyFiles {
    dir: PathBuf,
    /// What the file of the current key was when it was last read.
    seen: Mutex<Option<(u64, i64, i64)>>,
}

impl TokenKeyFiles {
    /// The folder's keys; the first one is made if there is none.
    ///
    /// # Errors
    /// When the key cannot be made or is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        keys::key(dir, CURRENT)?;
        Ok(Self { dir: dir.to_owned(), seen: Mutex::new(None) })
    }

    fn read(&self) -> Result<TokenKeys> {
        let current = keys::key(&self.dir, CURRENT)?;
        Ok(TokenKeys { current, previous: keys::previous(&self.dir.join(PREVIOUS))? })
    }
}

impl KeyRing for TokenKeyFiles {
    fn changed_keys(&self) -> Result<Option<TokenKeys>, Error> {
        let path = self.dir.join(CURRENT);
        let mark = |file: Metadata| (file.ino(), file.mtime(), file.mtime_nsec());
        let now = std::fs::metadata(&path)
            .map(mark)
            .map_err(|error| Error::internal(format!("key {} cannot be read", path.display()), error))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(now) {
            return Ok(None);
        }
        let keys =
            self.read().map_err(|error| Error::internal("the keys of tokens cannot be read", error))?;
        *seen = Some(now);
        Ok(Some(keys))
    }
}

/// Puts a fresh key in place, as [`keys::exchange`].
///
/// # Errors
/// When a file cannot be written; the keys are then as they were.
pub fn rotate(dir: &Path, now: DateTime<Utc>, overlap: Option<TimeDelta>) -> Result {
    keys::exchange(dir, (CURRENT, PREVIOUS), now, overlap)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_rotation_is_reported_once() {
        let dir = tempfile::tempdir().unwrap();
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let ring = TokenKeyFiles::open(dir.path()).unwrap();
        let first = ring.changed_keys().unwrap().unwrap();
        assert!(first.previous.is_none() && ring.changed_keys().unwrap().is_none());
        rotate(dir.path(), now, Some(TimeDelta::hours(1))).unwrap();
        let second = ring.changed_keys().unwrap().unwrap();
        assert!(second.current != first.current && ring.changed_keys().unwrap().is_none());
        assert!(second.previous == Some((first.current, now + TimeDelta::hours(1))));
        // A process that starts later finds the same.
        assert!(TokenKeyFiles::open(dir.path()).unwrap().changed_keys().unwrap() == Some(second.clone()));
        rotate(dir.path(), now, None).unwrap();
        assert!(
            ring.changed_keys().unwrap().unwrap().previous == Some((second.current, now)),
            "it checks nothing from now on"
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn a_damaged_previous_key_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let ring = TokenKeyFiles::open(dir.path()).unwrap();
        keys::replace(dir.path(), PREVIOUS, "abc").unwrap();
        let error = muster_reports::error::error_chain(&ring.changed_keys().err().unwrap());
        assert!(error.contains("tokens.previous.key is damaged"), "{error}");
    }
}
