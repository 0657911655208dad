//! Result files in a folder: written under a temporary name, synced, then renamed to the name that a record may commit.
//!
//! A name is `<task>.<epoch>.<file name>`, with `.tmp` after it until the file is published. The epoch keeps a worker
//! that lost its lease from touching the files of its successor. The service alone chooses names: a user chooses no
//! part of them, and anything but letters, digits, `-`, `_` and single dots is refused. The committed record decides
//! whether a file is a result; the file alone does not. A file that no record names is moved away and not removed,
//! because the record may be in another database.

use crate::digest::read_whole;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::TaskId;
use muster_reports::ports::{DiscardFiles, FileOpener};
use muster_reports::task::PublishedFile;
use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const TEMPORARY: &str = ".tmp";
/// Longest name of a file, in bytes.
const NAME_MAX: usize = 200;
const BUFFER: usize = 64 * 1_024;

/// The folder of result files.
#[derive(Debug, Clone)]
pub struct ResultFiles {
    dir: PathBuf,
}

impl ResultFiles {
    /// Opens the folder, readable by its owner only; makes it where it is missing.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.and_then(|()| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)))
            .map_err(|error| wrong("use the result folder", &dir, error))?;
        Ok(Self { dir })
    }

    /// Begins a file of one attempt at a task. `file_name` is the last part of its stored name.
    ///
    /// # Errors `Internal`, also if the attempt has a file of this name already.
    pub fn create(&self, task: &TaskId, epoch: u64, file_name: &str) -> Result<PendingFile> {
        let stored_name = format!("{task}.{epoch}.{file_name}");
        let target = self.path(&stored_name)?;
        if Attempt::of(&stored_name).is_none_or(|attempt| attempt.task != *task || attempt.temporary) {
            return Err(refused(&stored_name));
        }
        if target.exists() {
            return Err(wrong("begin", &target, ErrorKind::AlreadyExists.into()));
        }
        let path = self.dir.join(format!("{stored_name}{TEMPORARY}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| wrong("begin", &path, error))?;
        reached(Failpoint::ResultBegun);
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(PendingFile { dir: self.dir.clone(), stored_name, path, file: Some(file), is_synced: false })
    }

    /// Opens a published file for reading.
    ///
    /// # Errors `Internal`: a committed record named the file, so it must exist.
    pub fn open_published(&self, stored_name: &str) -> Result<File> {
        let path = self.path(stored_name)?;
        File::open(&path).map_err(|error| wrong("open", &path, error))
    }

    /// Whether a published file has the bytes and the SHA-256 of its record. Reads the whole file.
    ///
    /// # Errors `Internal` if it differs or cannot be read.
    pub fn check_published(&self, published: &PublishedFile) -> Result<()> {
        let path = self.path(&published.stored_name)?;
        let file = self.open_published(&published.stored_name)?;
        let (sha256, bytes) = read_whole(file, &path, |_| Ok(()))?;
        if (bytes, sha256.as_str()) == (published.bytes, published.sha256.as_str()) {
            return Ok(());
        }
        Err(Error::internal(
            "a result file is not what was published",
            format!(
                "{} has {bytes} bytes with the SHA-256 {sha256}: expected {} bytes with {}",
                path.display(),
                published.bytes,
                published.sha256
            ),
        ))
    }

    /// Removes a published file; a missing file is not an error.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn remove(&self, stored_name: &str) -> Result<()> {
        let path = self.path(stored_name)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(wrong("remove", &path, error)),
            Ok(()) | Err(_) => {
                reached(Failpoint::ResultDiscarded);
                Ok(())
            }
        }
    }

    /// Lists the files there are now, for sweeping. See [`Survey::left_over`] for the order of steps.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn survey(&self) -> Result<Survey> {
        let list = || {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&self.dir)? {
                // The service does not remove files with names that it would not give.
                if let Ok(name) = entry?.file_name().into_string()
                    && Attempt::of(&name).is_some()
                {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        let names = list().map_err(|error| wrong("list", &self.dir, error))?;
        Ok(Survey { files: self.clone(), names })
    }

    fn path(&self, stored_name: &str) -> Result<PathBuf> {
        match Attempt::of(stored_name) {
            Some(attempt) if !attempt.temporary => Ok(self.dir.join(stored_name)),
            Some(_) | None => Err(refused(stored_name)),
        }
    }
}

impl FileOpener for ResultFiles {
    fn open(&self, stored_name: &str) -> std::io::Result<File> {
        self.open_published(stored_name).map_err(std::io::Error::other)
    }
}

#[async_trait]
impl DiscardFiles for ResultFiles {
    async fn discard(&self, files: &[PublishedFile]) -> Result<()> {
        for file in files {
            self.remove(&file.stored_name)?;
        }
        Ok(())
    }
}

/// The files that were there at one moment.
#[derive(Debug)]
pub struct Survey {
    files: ResultFiles,
    names: Vec<String>,
}

impl Survey {
    /// The files that no committed record names and no live attempt writes.
    ///
    /// The order matters: survey first, then ask which attempts are `live`, then which names are `named`. An attempt
    /// that ends between the last two steps is then in one of them. An attempt that begins after the survey has no file
    /// in it.
    pub fn left_over(self, named: &HashSet<String>, live: impl Fn(&TaskId, u64) -> bool) -> LeftOver {
        let Self { files, names } = self;
        let mut left_over = LeftOver { files, unfinished: Vec::new(), published: Vec::new(), of: 0 };
        for name in names {
            let Some(attempt) = Attempt::of(&name) else { continue };
            left_over.of += usize::from(!attempt.temporary);
            if named.contains(&name) || live(&attempt.task, attempt.epoch) {
                continue;
            }
            let kind = if attempt.temporary { &mut left_over.unfinished } else { &mut left_over.published };
            kind.push(name);
        }
        left_over
    }
}

/// Files that are left over, as far as one database knows.
#[derive(Debug)]
pub struct LeftOver {
    files: ResultFiles,
    /// Files that were never finished.
    pub unfinished: Vec<String>,
    /// Whole files that no record names.
    pub published: Vec<String>,
    /// Whole files, named ones included.
    pub of: usize,
}

impl LeftOver {
    /// Removes unfinished files, and moves the others to the folder `trash`, which is created if it is needed.
    ///
    /// # Errors
    /// `Internal` with the path of the first file that could not be moved.
    pub fn discard(self, trash: &Path) -> Result<()> {
        let gone = |act: &str, path: &Path, done: std::io::Result<()>| match done {
            // Its writer or the sweep of another process has done it already.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(wrong(act, path, error)),
            Ok(()) => {
                reached(Failpoint::FileSwept);
                Ok(())
            }
        };
        for name in self.unfinished {
            let path = self.files.dir.join(name);
            gone("remove", &path, std::fs::remove_file(&path))?;
        }
        if !self.published.is_empty() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(trash);
            made.map_err(|error| wrong("make", trash, error))?;
        }
        for name in self.published {
            let path = self.files.dir.join(&name);
            gone("move to the trash", &path, std::fs::rename(&path, trash.join(name)))?;
        }
        Ok(())
    }
}

/// A file being written. It is gone when dropped before [`PendingFile::publish`].
#[derive(Debug)]
pub struct PendingFile {
    dir: PathBuf,
    stored_name: String,
    path: PathBuf,
    /// `None` once it is published or given up.
    file: Option<BufWriter<File>>,
    /// Whether all that was written is on the disk.
    is_synced: bool,
}

impl PendingFile {
    /// As [`publish_together`], of this file alone.
    ///
    /// # Errors
    /// `Internal` with the path; the file is gone then.
    pub fn publish(self) -> Result<String> {
        let stored_name = self.stored_name.clone();
        publish_together(vec![self])?;
        Ok(stored_name)
    }

    /// What the file will be called.
    pub fn stored_name(&self) -> &str {
        &self.stored_name
    }

    fn target(&self) -> PathBuf {
        self.dir.join(&self.stored_name)
    }

    /// Waits until all that was written is on the disk. Publishing does it, too; a file that is complete before others can
    /// be synced while they are still written.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn sync(&mut self) -> Result<()> {
        if self.is_synced {
            return Ok(());
        }
        let mut sync = || {
            let writer = self.file.as_mut().expect("only publishing and dropping take the file");
            writer.flush()?;
            reached(Failpoint::ResultWritten);
            writer.get_ref().sync_all()
        };
        let synced = sync();
        synced.map_err(|error| wrong("publish", &self.target(), error))?;
        self.is_synced = true;
        reached(Failpoint::ResultSynced);
        Ok(())
    }

    fn rename(&self) -> Result<()> {
        let target = self.target();
        std::fs::rename(&self.path, &target).map_err(|error| wrong("publish", &target, error))?;
        reached(Failpoint::ResultRenamed);
        Ok(())
    }
}

/// Syncs the files of one folder side by side, gives them their stored names, and syncs the folder once. They are results
/// only once a record that names them is committed.
///
/// # Errors
/// `Internal` with the path; all the files are gone then.
pub fn publish_together(mut files: Vec<PendingFile>) -> Result<()> {
    // A disk syncs several files in about the time of one.
    let synced = std::thread::scope(|scope| {
        let mut each = files.iter_mut();
        let first = each.next();
        let others: Vec<_> = each.map(|file| scope.spawn(move || file.sync())).collect();
        let mut synced = first.map_or(Ok(()), PendingFile::sync);
        for other in others {
            let stopped =
                |_| Err(Error::internal("a result file could not be synced", "its thread panicked"));
            synced = synced.and(other.join().unwrap_or_else(stopped));
        }
        synced
    });
    synced?;
    let named = files.iter().try_for_each(PendingFile::rename).and_then(|()| match files.first() {
        Some(PendingFile { dir, .. }) => File::open(dir)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| wrong("sync the folder of", dir, error)),
        None => Ok(()),
    });
    if let Err(error) = named {
        for file in &files {
            // It may have its new name already; dropping removes the old one.
            let _ = std::fs::remove_file(file.target());
        }
        return Err(error);
    }
    for file in &mut files {
        file.file = None;
        reached(Failpoint::ResultNamed);
    }
    Ok(())
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.is_synced = false;
        self.file.as_mut().expect("only publishing and dropping take the file").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().expect("only publishing and dropping take the file").flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(writer) = self.file.take() {
            // Without writing what is still buffered.
            let _ = writer.into_parts();
            // A file that cannot be removed now is swept later.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What a stored name says.
struct Attempt {
    task: TaskId,
    epoch: u64,
    temporary: bool,
}

impl Attempt {
    /// Reads a name; `None` for one that this module would not give.
    fn of(name: &str) -> Option<Self> {
        let (stored, temporary) = match name.strip_suffix(TEMPORARY) {
            Some(stored) => (stored, true),
            None => (name, false),
        };
        let mut parts = stored.split('.');
        let task = parts.next()?;
        let epoch = parts.next()?;
        let is_plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let fits = name.len() <= NAME_MAX
            && is_plain(task)
            && epoch.bytes().all(|b| b.is_ascii_digit())
            && parts.clone().next().is_some()
            && parts.all(is_plain);
        let epoch = epoch.parse().ok()?;
        fits.then(|| Self { task: TaskId::new(task), epoch, temporary })
    }
}

fn refused(stored_name: &str) -> Error {
    let expected = "expected <task>.<epoch>.<name> of letters, digits, - and _";
    Error::internal(format!("{stored_name:?} is not a name of a result file"), expected)
}

fn wrong(act: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("could not {act} {}", path.display()), error)
}

#[cfg(test)]
mod tests;
