//! Backups in a bucket.

use super::objects::{compared, copy_out_of, differs, digest_of, missing};
use super::{BackupFile, Wanted};
use crate::bucket::{self, Bucket, BucketPlace, Naming, Watched};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use std::path::Path;

/// A bucket that has backups, or will have them. Its functions wait for the network.
pub(super) struct BackupBucket(Bucket);

impl BackupBucket {
    /// Opens a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Invalid` if the properties do not say how to reach it; `Internal` outside of a runtime.
    pub(super) fn open(place: &BucketPlace) -> Result<Self> {
        // A content of the wrong size is written again.
        Ok(Self(Bucket::open(place, Naming::Again)?))
    }

    /// The place of a file, as people name it.
    pub(super) fn shown(&self, name: &str) -> String {
        self.0.shown(name)
    }

    /// The size of a file; `None` where there is none.
    pub(super) fn size(&self, name: &str) -> Result<Option<u64>> {
        self.0.wait(self.0.size(name))
    }

    /// Whether there is any file.
    pub(super) fn has_any(&self) -> Result<bool> {
        self.0.wait(self.0.has_any())
    }

    /// The names of the files in a folder.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>> {
        self.0.wait(self.0.names(folder))
    }

    /// Writes a small file.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        self.0.wait(self.0.put(name, content))
    }

    /// The content of a small file.
    pub(super) fn read_small(&self, name: &str) -> Result<Vec<u8>> {
        let content = self.0.wait(self.0.small(name))?;
        content.ok_or_else(|| Error::not_found(format!("there is no file {}", self.shown(name))))
    }

    /// As [`super::place::Opened::keep`].
    pub(super) fn keep(&self, wanted: &Wanted) -> Result<Option<(BackupFile, bool)>> {
        let shown = wanted.from.shown();
        let (sha256, bytes) = match &wanted.known {
            Some(known) => known.clone(),
            None => {
                let Some(source) = wanted.from.open()? else { return Ok(None) };
                digest_of(source, &shown)?
            }
        };
        let file = BackupFile { path: wanted.path.clone(), sha256, bytes };
        let name = object(&file.sha256);
        if self.size(&name)? == Some(bytes) {
            return Ok(Some((file, false)));
        }
        let Some(source) = wanted.from.open()? else { return Ok(None) };
        let sent = bucket::Wanted {
            name: &name,
            from: &shown,
            known: (&file.sha256, bytes),
            attributes: Default::default(),
        };
        let watched = Watched {
            stopped: std::future::pending(),
            read: &|found| {
                compared(found, (&file.sha256, bytes), &shown)?;
                reached(Failpoint::BackupFileDrafted);
                Ok(())
            },
            begun: &|| (),
        };
        self.0.wait(self.0.send(&sent, source, watched))?;
        Ok(Some((file, true)))
    }

    /// What is wrong with a content.
    pub(super) fn fault(&self, file: &BackupFile) -> Result<Option<String>> {
        let name = object(&file.sha256);
        let shown = self.shown(&name);
        match self.0.wait(self.0.read(&name, None))? {
            None => Ok(Some(missing(file, &shown))),
            Some((_, source)) => differs(file, source, Path::new(&shown)),
        }
    }

    /// Copies a content to a new file.
    pub(super) fn copy_out(&self, file: &BackupFile, to: &Path) -> Result<()> {
        let name = object(&file.sha256);
        let shown = self.shown(&name);
        let source = self.0.wait(self.0.read(&name, None))?;
        let (_, source) = source.ok_or_else(|| Error::not_found(missing(file, &shown)))?;
        copy_out_of(source, Path::new(&shown), file, to)
    }
}

/// The file of a content.
fn object(sha256: &str) -> String {
    format!("objects/{}/{sha256}", &sha256[..2])
}
