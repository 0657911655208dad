//! Files that are named by their content.
//!
//! Invariant: a name appears after the content is durable, by a rename from `drafts`.

use super::{BackupFile, Wanted};
use crate::digest::read_whole;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of contents.
const OBJECTS: &str = "objects";
/// The folder of files that are not complete.
pub(super) const DRAFTS: &str = "drafts";
/// The name of the draft of a content; only one process writes.
const DRAFT: &str = "draft";

/// Makes a folder that only its owner can enter; one that exists stays as it is.
pub(super) fn make_folder(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| wrong("make", dir, error))
}

/// Removes what a killed process left.
pub(super) fn clear_drafts(dir: &Path) -> Result<()> {
    let drafts = dir.join(DRAFTS);
    match std::fs::remove_dir_all(&drafts) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(wrong("remove", &drafts, error)),
        Ok(()) | Err(_) => {}
    }
    make_folder(&drafts)
}

/// The place of a draft of this name in the folder of drafts; nothing is there.
pub(super) fn draft(drafts: &Path, name: &str) -> Result<PathBuf> {
    let draft = drafts.join(name);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(wrong("remove", &draft, error)),
        Ok(()) | Err(_) => Ok(draft),
    }
}

/// Writes a small new file, durably.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = private(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|error| wrong("write", path, error))?;
    sync_folder(path)
}

/// Gives a small file its name as a whole.
pub(super) fn name(dir: &Path, content: &[u8], path: &Path) -> Result<()> {
    let draft = draft(&dir.join(DRAFTS), DRAFT)?;
    write(&draft, content)?;
    rename(&draft, path)
}

/// The names of the files in a folder.
pub(super) fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|error| wrong("list", dir, error))?;
    let names = entries.map(|entry| {
        let entry = entry.map_err(|error| wrong("list", dir, error))?;
        Ok(entry.file_name().into_string().ok())
    });
    Ok(names.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Keeps the content of a file. Returns the file, and whether its content is new; `None` if the file does not exist.
///
/// # Errors
/// If the file differs from what is recorded of it, or cannot be copied.
pub(super) fn keep(dir: &Path, wanted: &Wanted) -> Result<Option<(BackupFile, bool)>> {
    let listed = |sha256: String, bytes| BackupFile { path: wanted.path.clone(), sha256, bytes };
    // A content of another size is damaged, and is written again.
    let is_kept = |object: &Path, bytes| object.metadata().is_ok_and(|metadata| metadata.len() == bytes);
    if let Some((sha256, bytes)) = &wanted.known
        && is_kept(&place(dir, sha256), *bytes)
    {
        return Ok(Some((listed(sha256.clone(), *bytes), false)));
    }
    let Some(mut source) = wanted.from.open()? else { return Ok(None) };
    let (draft, shown) = (draft(&dir.join(DRAFTS), DRAFT)?, wanted.from.shown());
    let (sha256, bytes) = copy(&mut source, &shown, &draft)?;
    reached(Failpoint::BackupFileDrafted);
    if let Some((expected, size)) = &wanted.known {
        compared((sha256.clone(), bytes), (expected, *size), &shown)?;
    }
    let object = place(dir, &sha256);
    let is_new = !is_kept(&object, bytes);
    if is_new {
        make_folder(object.parent().unwrap_or(dir))?;
        rename(&draft, &object)?;
        sync_folder(object.parent().unwrap_or(dir))?;
    }
    Ok(Some((listed(sha256, bytes), is_new)))
}

/// Opens a file that is to be copied; `None` if it does not exist.
pub(super) fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some).map_err(|error| wrong("open", path, error)),
    }
}

/// The SHA-256 and the size of what is read to its end.
pub(super) fn digest_of(source: impl Read, path: &Path) -> Result<(String, u64)> {
    read_whole(source, path, |_| Ok(()))
}

/// Refuses a file that is not what is recorded of it.
pub(super) fn compared(
    (sha256, bytes): (String, u64),
    (expected, size): (&str, u64),
    path: &Path,
) -> Result<()> {
    if (sha256.as_str(), bytes) == (expected, size) {
        return Ok(());
    }
    Err(Error::internal(
        "a file is not what was recorded, and the backup is not complete: `muster check` lists all damaged files",
        format!(
            "{} has {bytes} bytes with the SHA-256 {sha256}: expected {size} bytes with {expected}",
            path.display()
        ),
    ))
}

/// What is wrong with a content.
pub(super) fn fault(dir: &Path, file: &BackupFile) -> Result<Option<String>> {
    let object = place(dir, &file.sha256);
    match open(&object)? {
        None => Ok(Some(missing(file, &object.display().to_string()))),
        Some(source) => differs(file, source, &object),
    }
}

/// What is said of a content that is not there.
pub(super) fn missing(file: &BackupFile, object: &str) -> String {
    format!("{}: its content {object} is missing", file.path)
}

/// What is wrong with a content that is there.
pub(super) fn differs(file: &BackupFile, source: impl Read, object: &Path) -> Result<Option<String>> {
    let (sha256, bytes) = digest_of(source, object)?;
    if (&sha256, bytes) == (&file.sha256, file.bytes) {
        return Ok(None);
    }
    Ok(Some(format!(
        "{}: its content {} has {bytes} bytes with the SHA-256 {sha256}: expected {} bytes with the one in its name",
        file.path,
        object.display(),
        file.bytes
    )))
}

/// Copies a content to a new file.
pub(super) fn copy_out(dir: &Path, file: &BackupFile, to: &Path) -> Result<()> {
    let object = place(dir, &file.sha256);
    let source = File::open(&object).map_err(|error| wrong("open", &object, error))?;
    copy_out_of(source, &object, file, to)
}

/// Copies a content that is read from `object` to a new file.
pub(super) fn copy_out_of(mut source: impl Read, object: &Path, file: &BackupFile, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    let (sha256, bytes) = copy(&mut source, object, to)?;
    if (&sha256, bytes) != (&file.sha256, file.bytes) {
        // What differs must not be taken for what was saved.
        let _ = std::fs::remove_file(to);
        return Err(Error::internal(
            "the backup is damaged: `muster backup verify` lists all damaged files",
            format!(
                "{} has {bytes} bytes with the SHA-256 {sha256}: expected {}",
                object.display(),
                file.bytes
            ),
        ));
    }
    sync_folder(to)
}

/// Copies a file to a new one, durably. Returns the SHA-256 and the size.
fn copy(source: &mut impl Read, from: &Path, to: &Path) -> Result<(String, u64)> {
    let mut target = private(to)?;
    let copied =
        read_whole(source, from, |bytes| target.write_all(bytes).map_err(|error| wrong("write", to, error)))?;
    target.sync_all().map_err(|error| wrong("write", to, error))?;
    Ok(copied)
}

fn place(dir: &Path, sha256: &str) -> PathBuf {
    dir.join(OBJECTS).join(&sha256[..2]).join(sha256)
}

fn private(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| wrong("make", path, error))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| wrong("name", to, error))?;
    sync_folder(to)
}

/// Makes the name of a file durable.
fn sync_folder(of: &Path) -> Result<()> {
    let Some(folder) = of.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| wrong("sync", folder, error))
}

pub(super) fn wrong(act: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("cannot {act} {}", path.display()), error)
}
