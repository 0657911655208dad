//! Result files in a folder: written under a temporary name, synced, then renamed to the name that a record may commit. Or in
//! a bucket: written to a folder of this machine, then sent under that name.
//!
//! A name is `<task>.<epoch>.<file name>`, with `.tmp` after it until the file is published. The epoch keeps a worker
//! that lost its lease from touching the files of its successor. The service alone chooses names: a user chooses no
//! part of them, and anything but letters, digits, `-`, `_` and single dots is refused. The committed record decides
//! whether a file is a result; the file alone does not. A file that no record names is moved away and not removed,
//! because the record may be in another database.
//!
//! A file that is in the folder is read there, also where there is a bucket: so results that were made before there was one
//! stay, and those that a restore brings back.

mod attempt;
mod in_bucket;
mod pending;

pub use in_bucket::BucketCheck;
pub use pending::PendingFile;
pub(crate) use pending::publish_together;

use crate::bucket::{BucketPlace, Unfinished};
use crate::digest::read_whole;
use async_trait::async_trait;
use attempt::{Attempt, TEMPORARY};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use in_bucket::{LeftInBucket, Listed, ResultBucket};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::TaskId;
use muster_reports::ports::{DiscardFiles, FileOpener, OpenedFile};
use muster_reports::task::PublishedFile;
use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::future::Future;
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUFFER: usize = 64 * 1_024;

/// The folder of result files, or their bucket.
#[derive(Debug, Clone)]
pub struct ResultFiles {
    dir: PathBuf,
    bucket: Option<ResultBucket>,
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
        Ok(Self { dir, bucket: None })
    }

    /// Opens a bucket, in which new files are. `dir` is the folder that had them before; files are written to `drafts`, a folder
    /// of this process that is emptied at each start. `mark` tells the installations apart that have buckets.
    ///
    /// # Errors
    /// As [`Self::open`]; `Invalid` if the properties of the place do not say how to reach it.
    pub fn in_bucket(
        dir: impl Into<PathBuf>,
        drafts: PathBuf,
        place: &BucketPlace,
        mark: String,
    ) -> Result<Self> {
        let bucket = ResultBucket::open(place, drafts, mark)?;
        Ok(Self { bucket: Some(bucket), ..Self::open(dir)? })
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
        let dir = self.bucket.as_ref().map_or(&self.dir, |bucket| &bucket.drafts).clone();
        let path = dir.join(format!("{stored_name}{TEMPORARY}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| wrong("begin", &path, error))?;
        reached(Failpoint::ResultBegun);
        let file = BufWriter::with_capacity(BUFFER, file);
        let bucket = self.bucket.clone();
        Ok(PendingFile { dir, bucket, stored_name, path, file: Some(file), is_synced: false })
    }

    /// Opens a published file for reading: the bytes of the range, or all of them. To be called where blocking is allowed, and
    /// so is reading.
    ///
    /// # Errors
    /// `Internal` if there is no such file: a committed record named it, so it must exist. `Unavailable` or `Broken` if the
    /// bucket fails.
    pub fn open_published(&self, stored_name: &str, range: Option<Range<u64>>) -> Result<OpenedFile> {
        let found = self.find_published(stored_name, range)?;
        found.ok_or_else(|| {
            Error::internal(format!("could not open {}", self.shown(stored_name)), "there is no such file")
        })
    }

    /// As [`Self::open_published`]; `None` if there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find_published(&self, stored_name: &str, range: Option<Range<u64>>) -> Result<Option<OpenedFile>> {
        let path = self.path(stored_name)?;
        let opened = || -> std::io::Result<OpenedFile> {
            let mut file = File::open(&path)?;
            let bytes = file.metadata()?.len();
            let range = range.clone().unwrap_or(0..bytes);
            file.seek(SeekFrom::Start(range.start))?;
            let content = file.take(range.end.saturating_sub(range.start));
            Ok(OpenedFile { bytes, content: Box::new(content) })
        };
        match (opened(), &self.bucket) {
            (Ok(file), _) => Ok(Some(file)),
            (Err(error), None) if error.kind() == ErrorKind::NotFound => Ok(None),
            (Err(error), Some(bucket)) if error.kind() == ErrorKind::NotFound => {
                let bucket = bucket.bucket();
                let found = bucket.wait(bucket.read(stored_name, range))?;
                Ok(found.map(|(bytes, content)| OpenedFile { bytes, content: Box::new(content) }))
            }
            (Err(error), _) => Err(wrong("open", &path, error)),
        }
    }

    /// Where a new file is, as people name it.
    pub fn shown(&self, stored_name: &str) -> String {
        match &self.bucket {
            None => self.dir.join(stored_name).display().to_string(),
            Some(bucket) => bucket.bucket().shown(stored_name),
        }
    }

    /// Whether a published file has the bytes and the SHA-256 of its record. Reads the whole file.
    ///
    /// # Errors `Internal` if it differs or cannot be read.
    pub fn check_published(&self, published: &PublishedFile) -> Result<()> {
        self.copy_published(published, std::io::sink())
    }

    /// A published file that is in the folder; `None` if it is not there.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn open_in_folder(&self, stored_name: &str) -> Result<Option<File>> {
        let path = self.path(stored_name)?;
        match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(|error| wrong("open", &path, error)),
        }
    }

    /// Copies a published file, and compares it with its record on the way.
    ///
    /// # Errors `Internal` if it differs or cannot be copied. What was copied is of no use then.
    pub fn copy_published(&self, published: &PublishedFile, mut to: impl Write) -> Result<()> {
        let shown = self.shown(&published.stored_name);
        let file = self.open_published(&published.stored_name, None)?;
        let (sha256, bytes) = read_whole(file.content, Path::new(&shown), |part| {
            to.write_all(part).map_err(|error| Error::internal("a result file cannot be copied", error))
        })?;
        if (bytes, sha256.as_str()) == (published.bytes, published.sha256.as_str()) {
            return Ok(());
        }
        Err(Error::internal(
            "a result file is not what was published",
            format!(
                "{shown} has {bytes} bytes with the SHA-256 {sha256}: expected {} bytes with {}",
                published.bytes, published.sha256
            ),
        ))
    }

    /// Removes a published file; a missing file is not an error.
    ///
    /// # Errors
    /// `Internal` with the path; `Broken` if the bucket keeps the file.
    pub async fn remove(&self, stored_name: &str) -> Result<()> {
        self.remove_from_folder(stored_name)?;
        if let Some(bucket) = &self.bucket {
            bucket.remove(stored_name).await?;
        }
        reached(Failpoint::ResultDiscarded);
        Ok(())
    }

    fn remove_from_folder(&self, stored_name: &str) -> Result<()> {
        let path = self.path(stored_name)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(wrong("remove", &path, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes a file that will not be published. Nobody waits for a bucket.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn give_up(&self, stored_name: &str) -> Result<()> {
        self.remove_from_folder(stored_name)?;
        if let Some(bucket) = &self.bucket {
            bucket.begin_to_remove(stored_name);
        }
        reached(Failpoint::ResultDiscarded);
        Ok(())
    }

    /// An address at which whoever has it can read the file for some time; `None` where files are in a folder, or this one is.
    ///
    /// # Errors
    /// When the bucket's credential cannot sign it.
    async fn address(&self, stored_name: &str, lifetime: Duration) -> Result<Option<String>> {
        match &self.bucket {
            Some(bucket) if !self.path(stored_name)?.exists() => {
                bucket.bucket().signed_address(stored_name, lifetime).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Tries what the service needs of its bucket: to write, to read, to refuse to write over a file, and to remove; `None` where
    /// files are in a folder. `id` is of this check alone.
    ///
    /// # Errors
    /// With what the bucket does not do.
    pub async fn check_bucket(&self, id: &str) -> Result<Option<BucketCheck>> {
        match &self.bucket {
            None => Ok(None),
            Some(bucket) => bucket.check(id).await.map(Some),
        }
    }

    /// Whether the bucket answers, within a few seconds. A folder always does.
    ///
    /// # Errors
    /// `Unavailable` or `Broken` with the place.
    pub(crate) async fn bucket_answers(&self) -> Result<()> {
        match &self.bucket {
            None => Ok(()),
            Some(bucket) => bucket.answers().await,
        }
    }

    /// Lists the files there are now, for sweeping. See [`Survey::left_over`] for the order of steps.
    ///
    /// # Errors
    /// `Internal` with the path; `Unavailable` or `Broken` if the bucket fails.
    pub fn survey(&self) -> BoxFuture<'_, Result<Survey>> {
        Box::pin(async move {
            let names = self.names_in_folder().map_err(|error| wrong("list", &self.dir, error))?;
            let listed = match &self.bucket {
                None => Listed::default(),
                Some(bucket) => bucket.list().await?,
            };
            Ok(Survey { files: self.clone(), names, listed })
        })
    }

    fn names_in_folder(&self) -> std::io::Result<Vec<String>> {
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
    }

    /// Gives up the uploads to the bucket that had begun before this was called and are of no live attempt. `live` is asked
    /// after they have been listed.
    ///
    /// # Errors
    /// When the bucket fails, and those of `live`.
    pub async fn give_up_uploads<L>(&self, live: impl Future<Output = Result<L>> + Send) -> Result<usize>
    where
        L: Fn(&TaskId, u64) -> bool + Send,
    {
        let Some(bucket) = &self.bucket else { return Ok(0) };
        let mut uploads = bucket.uploads().await?;
        if uploads.is_empty() {
            return Ok(0);
        }
        let live = live.await?;
        let is_dead = |upload: &Unfinished| {
            Attempt::of(&upload.name).is_some_and(|attempt| !live(&attempt.task, attempt.epoch))
        };
        uploads.retain(is_dead);
        bucket.give_up(&uploads).await?;
        Ok(uploads.len())
    }

    fn path(&self, stored_name: &str) -> Result<PathBuf> {
        match Attempt::of(stored_name) {
            Some(attempt) if !attempt.temporary => Ok(self.dir.join(stored_name)),
            Some(_) | None => Err(refused(stored_name)),
        }
    }
}

#[async_trait]
impl FileOpener for ResultFiles {
    fn open(&self, stored_name: &str, range: Option<Range<u64>>) -> Result<OpenedFile> {
        self.open_published(stored_name, range)
    }

    async fn signed_address(&self, stored_name: &str, lifetime: Duration) -> Result<Option<String>> {
        self.address(stored_name, lifetime).await
    }
}

#[async_trait]
impl DiscardFiles for ResultFiles {
    async fn discard(&self, files: &[PublishedFile]) -> Result<()> {
        for file in files {
            self.remove(&file.stored_name).await?;
        }
        Ok(())
    }
}

/// The files that were there at one moment.
#[derive(Debug)]
pub struct Survey {
    files: ResultFiles,
    names: Vec<String>,
    listed: Listed,
}

impl Survey {
    /// The files that no committed record names and no live attempt writes.
    ///
    /// The order matters: survey first, then ask which attempts are `live`, then which names are `named`. An attempt
    /// that ends between the last two steps is then in one of them. An attempt that begins after the survey has no file
    /// in it.
    pub fn left_over(self, named: &HashSet<String>, live: impl Fn(&TaskId, u64) -> bool) -> LeftOver {
        let Self { files, names, listed } = self;
        let of = listed.names.len();
        let in_bucket = listed.left_over(named, &live);
        let mut left_over = LeftOver { files, unfinished: Vec::new(), published: Vec::new(), in_bucket, of };
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
    /// Whole files of the folder that no record names.
    pub published: Vec<String>,
    in_bucket: LeftInBucket,
    /// Whole files, named ones included.
    pub of: usize,
}

impl LeftOver {
    /// Whole files that no record names.
    pub fn unnamed(&self) -> impl Iterator<Item = &str> {
        self.published.iter().chain(&self.in_bucket.unnamed).map(String::as_str)
    }

    /// Where files go that no record names, as people name it; `trash` is the folder of this moment.
    pub fn trash(&self, trash: &Path) -> String {
        let folder = || trash.display().to_string();
        match &self.files.bucket {
            None => folder(),
            Some(bucket) if self.published.is_empty() => bucket.trash(),
            Some(bucket) => format!("{} and {}", folder(), bucket.trash()),
        }
    }

    /// Removes unfinished files, and moves the others to the folder `trash`, which is created if it is needed. In a bucket,
    /// nothing is moved: a note says since when no record names a file, and it is removed `days` later.
    ///
    /// # Errors
    /// `Internal` with the path of the first file that could not be moved; `Unavailable` or `Broken` if the bucket fails.
    pub fn discard(self, trash: &Path, now: DateTime<Utc>, days: u32) -> Result<()> {
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
        match &self.files.bucket {
            None => Ok(()),
            Some(bucket) => bucket.bucket().wait(bucket.discard(&self.in_bucket, now, days)),
        }
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
mod bucket_tests;
#[cfg(test)]
mod tests;
