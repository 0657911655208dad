//! The service's keys: files of the data directory that only its owner can read.
//!
//! A key is made once, by whichever process needs it first, and appears under its name whole or not at
//! all. Losing `secrets.key` makes every client secret useless; losing `tokens.key` only ends the
//! tokens of the last hour; losing `webhooks.key` changes the secrets of all receivers of webhooks. Packages that `evidence.key` has signed are checked with its public half, so keep that:
//! a new key checks only what it signs itself.

use super::folder;
use crate::failure::{Context, Failure, Result};
use crate::ids::{SystemIds, random_bytes};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::hex;
use muster_reports::ports::Ids;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A key of 32 bytes.
pub type Key = [u8; 32];

/// The key under this name in `dir`; made if it is not there.
pub fn key(dir: &Path, name: &str) -> Result<Key> {
    let path = dir.join(name);
    match read(&path)? {
        Some(key) => Ok(key),
        None => {
            put_once(dir, name, &hex(fresh()))?;
            read(&path)?.ok_or_else(|| Failure::new(format!("key {} has gone away", path.display())))
        }
    }
}

/// The key of a file; `None` if there is no file.
pub fn read(path: &Path) -> Result<Option<Key>> {
    let Some(text) = folder::secret(path)? else { return Ok(None) };
    let refuse = || Failure::new(format!("key {} is damaged: expected 64 hex digits", path.display()));
    parse(text.trim_end()).map(Some).ok_or_else(refuse)
}

/// The key that 64 hex digits say.
pub fn parse(digits: &str) -> Option<Key> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = Key::default();
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

/// A key that nobody knows.
pub fn fresh() -> Key {
    random_bytes::<32>()
}

/// Puts a file with this line in place of the one of this name: whole or not at all.
pub fn replace(dir: &Path, name: &str, line: &str) -> Result {
    let draft = dir.join(format!("draft-{}", SystemIds.fresh()));
    let written = (|| {
        write_draft(&draft, line)?;
        reached(Failpoint::KeyDrafted);
        std::fs::rename(&draft, dir.join(name))?;
        reached(Failpoint::KeyNamed);
        File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        // What is left of it names no key.
        let _ = std::fs::remove_file(&draft);
    }
    written.context(|| format!("key {} cannot be written", dir.join(name).display()))
}

/// Names of a key that is exchanged, and of the one before it.
pub type Exchanged = (&'static str, &'static str);

/// The key before the one that is in use, and until when it counts: `64 hex digits, a space, the time`.
pub fn previous(path: &Path) -> Result<Option<(Key, DateTime<Utc>)>> {
    let Some(text) = folder::secret(path)? else { return Ok(None) };
    let parsed = text.trim_end().split_once(' ').and_then(|(digits, until)| {
        Some((parse(digits)?, DateTime::parse_from_rfc3339(until).ok()?.to_utc()))
    });
    parsed.map(Some).ok_or_else(|| {
        Failure::new(format!("key {} is damaged: expected 64 hex digits, a space and a time", path.display()))
    })
}

/// Puts a fresh key in place. The one that was in use counts for `overlap` more; without it not at all. It is in place as
/// the previous one before the new one appears, so a process that sees the new one finds both.
///
/// # Errors
/// When a file cannot be written; the keys are then as they were.
pub fn exchange(
    dir: &Path,
    (current, previous): Exchanged,
    now: DateTime<Utc>,
    overlap: Option<TimeDelta>,
) -> Result {
    let in_use = key(dir, current)?;
    let until = now + overlap.unwrap_or(TimeDelta::zero());
    let line = format!("{} {}", hex(in_use), until.to_rfc3339_opts(SecondsFormat::Secs, true));
    replace(dir, previous, &line)?;
    replace(dir, current, &hex(fresh()))
}

fn write_draft(draft: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// Puts a file with this line in the folder unless it has one of the name: the line is written under a name of its own and
/// linked; of two processes the first wins.
pub fn put_once(dir: &Path, name: &str, line: &str) -> Result {
    let path = dir.join(name);
    let draft = dir.join(format!("draft-{}", SystemIds.fresh()));
    let written = (|| {
        write_draft(&draft, line)?;
        reached(Failpoint::KeyDrafted);
        match std::fs::hard_link(&draft, &path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => {
                reached(Failpoint::KeyNamed);
                File::open(dir)?.sync_all()
            }
        }
    })();
    // It may not have been made; what stands under `path` is what counts.
    let _ = std::fs::remove_file(&draft);
    written.context(|| format!("{} cannot be made", path.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        folder::private_dir(&keys).unwrap();
        let first = key(&keys, "a.key").unwrap();
        assert_eq!(key(&keys, "a.key").unwrap(), first);
        assert_ne!(key(&keys, "b.key").unwrap(), first);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&keys), 0o700);
        assert_eq!(mode(&keys.join("a.key")), 0o600);
        assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn a_damaged_key_is_refused_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        write_draft(&dir.path().join("a.key"), "0123").unwrap();
        let error = key(dir.path(), "a.key").unwrap_err().to_string();
        assert!(error.ends_with("a.key is damaged: expected 64 hex digits"), "{error}");
        assert_eq!(std::fs::read_to_string(dir.path().join("a.key")).unwrap(), "0123\n");
    }
}
