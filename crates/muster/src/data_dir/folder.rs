//! A folder of the service's own: named so that every part of the program reads the name alike, its owner's, and closed
//! to everybody else.
//!
//! Why refuse: what is written under a name that means something else is not found again, what another user may read is
//! not kept, and what root writes into another's folder locks its owner out.

use crate::failure::{Context, Failure, Result};
use crate::person;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Characters that table paths read as patterns, escapes, or the end of a path.
const REFUSED: &[char] = &['*', '?', '[', ']', '{', '}', '%', '\\', '#', '|', '^'];
/// Mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;
/// The bit of folders that everybody uses, `/tmp` among them.
const STICKY: u32 = 0o1000;

/// Makes the folder unless it is there, follows its links, and sees to it that it is the owner's alone. To be called on a
/// runtime, which knows who calls ([`person::uid`]).
///
/// # Errors
/// When its name, its owner or its mode cannot be used; the text says what to do.
pub fn own(dir: &Path) -> Result<PathBuf> {
    let place = std::path::absolute(dir).context(|| format!("folder {} cannot be found", dir.display()))?;
    check_name(&place)?;
    private_dir(dir)?;
    let dir = dir.canonicalize().context(|| format!("folder {} cannot be found", dir.display()))?;
    check_name(&dir)?;
    let metadata = dir.metadata().context(|| format!("folder {} cannot be looked at", dir.display()))?;
    check_owner(&dir, &metadata)?;
    close(&dir, &metadata)?;
    Ok(dir)
}

/// The same of a folder in one that is closed already: a file system that is mounted there may have any mode. A link that
/// leads out is looked at as [`own`] does.
///
/// # Errors
/// As [`own`].
pub fn own_inside(dir: &Path) -> Result<PathBuf> {
    if dir.is_symlink() {
        return own(dir);
    }
    private_dir(dir)?;
    let dir = dir.canonicalize().context(|| format!("folder {} cannot be found", dir.display()))?;
    let metadata = dir.metadata().context(|| format!("folder {} cannot be looked at", dir.display()))?;
    check_owner(&dir, &metadata)?;
    if metadata.permissions().mode() & OTHERS != 0 {
        // Nobody else gets here; where it cannot be changed, that is enough.
        let _ = std::fs::set_permissions(&dir, Permissions::from_mode(0o700));
    }
    Ok(dir)
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
pub fn private_dir(dir: &Path) -> Result {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .context(|| format!("folder {} cannot be made", dir.display()))
}

/// Refuses a path that parts of the program would read as another.
fn check_name(path: &Path) -> Result {
    let refuse = |what: String| {
        Err(Failure::usage(format!(
            "the folder {} has {what} in its path: expected a path without control characters and {}",
            path.display(),
            REFUSED.iter().map(char::to_string).collect::<Vec<_>>().join(" ")
        )))
    };
    let Some(text) = path.to_str() else { return refuse("bytes that are not UTF-8".into()) };
    match text.chars().find(|character| character.is_control() || REFUSED.contains(character)) {
        Some(character) => refuse(format!("{character:?}")),
        None => Ok(()),
    }
}

/// Root may write anywhere, and its files could not be read by the user that serves.
fn check_owner(dir: &Path, metadata: &Metadata) -> Result {
    let Some(uid) = person::uid() else { return Ok(()) };
    if uid != 0 || metadata.uid() == 0 {
        return Ok(());
    }
    let owner = person::name_of(metadata.uid()).unwrap_or_else(|| format!("#{}", metadata.uid()));
    Err(Failure::new(format!(
        "the folder {} belongs to {owner}, and what root writes there {owner} could not read: expected to be called by \
         its owner, as `sudo -u {owner} muster ...` does",
        dir.display()
    )))
}

/// Takes the rights of others away, with words.
fn close(dir: &Path, metadata: &Metadata) -> Result {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    if mode & STICKY != 0 {
        return Err(Failure::new(format!(
            "the folder {} is shared by all users (mode {mode:o}): expected a folder of the service's own",
            dir.display()
        )));
    }
    std::fs::set_permissions(dir, Permissions::from_mode(mode & 0o700)).context(|| {
        format!(
            "others may use the folder {} (mode {mode:o}), and its rights cannot be changed: expected mode 700 and the \
             calling user as its owner",
            dir.display()
        )
    })?;
    tracing::warn!(folder = %dir.display(), "others could use this folder (mode {mode:o}): now only its owner can (700)");
    Ok(())
}

/// The text of a file that only its owner may read; nothing where there is no file.
///
/// # Errors
/// When it cannot be read, or others may read it.
pub fn secret(path: &Path) -> Result<Option<String>> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(|| format!("key {} cannot be read", path.display())),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(Failure::new(format!(
            "others may read the key {} (mode {mode:o}): expected mode 600; if others can have read it, it is not secret \
             any more, otherwise `chmod 600` it",
            path.display()
        )));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("key {} cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn what_others_may_use_is_closed_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        for wide in [0o755, 0o777, 0o750, 0o701] {
            set_mode(&open, wide);
            own(&open).unwrap();
            assert_eq!(mode(&open), 0o700, "{wide:o}");
        }
        let made = own(&dir.path().join("made/deep")).unwrap();
        assert_eq!((mode(&made), mode(&dir.path().join("made"))), (0o700, 0o700));
        set_mode(&open, 0o1777);
        let refused = own(&open).unwrap_err().to_string();
        assert!(refused.contains("is shared by all users (mode 1777)"), "{refused}");
        assert_eq!(mode(&open), 0o1777, "it is as it was");
        // As a file system that is mounted in a closed folder comes, and as a link that leads out of it.
        assert_eq!(own_inside(&open).unwrap(), open.canonicalize().unwrap());
        assert_eq!(mode(&open), 0o700);
        set_mode(&open, 0o1777);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&open, &link).unwrap();
        assert!(own_inside(&link).is_err());
    }

    #[tokio::test]
    async fn names_that_mean_something_else_are_refused_before_anything_is_made() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["[x]", "a*b", "a?b", "100%41", "a\\b", "%2e%2e", "a{b}", "a#b", "a|b", "a^b", "a\nb"] {
            let folder = dir.path().join(name);
            let refused = own(&folder).unwrap_err().to_string();
            assert!(refused.contains("in its path: expected a path without"), "{refused}");
            assert!(!folder.exists(), "{name}");
            // Nor by a link that leads there.
            std::fs::create_dir(&folder).unwrap();
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&folder, &link).unwrap();
            assert!(own(&link).is_err(), "{name}");
            std::fs::remove_file(link).unwrap();
        }
        for name in ["a b", "\u{e9}t\u{e9}", "a+b", "a'b", "a:b", "a~", "..a"] {
            own(&dir.path().join(name)).unwrap();
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        assert_eq!(secret(&path).unwrap(), None);
        std::fs::write(&path, "0123").unwrap();
        for wide in [0o644, 0o640, 0o604] {
            set_mode(&path, wide);
            let refused = secret(&path).unwrap_err().to_string();
            assert!(refused.contains(&format!("(mode {wide:o}): expected mode 600")), "{refused}");
        }
        set_mode(&path, 0o600);
        assert_eq!(secret(&path).unwrap().as_deref(), Some("0123"));
    }
}
