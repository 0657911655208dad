//! Where backups are kept: a folder, or a bucket of an object store.

use super::bucket::BackupBucket;
use super::{BackupFile, Wanted, objects};
use crate::bucket::BucketPlace;
use crate::lock::{Lock, lock};
use muster_reports::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Where backups are kept, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupPlace {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of an object store.
    Bucket(BucketPlace),
}

impl BackupPlace {
    /// Reads the place that a person names: a folder, or a bucket as [`BucketPlace::read`] takes it, with these properties.
    ///
    /// # Errors
    /// `Invalid` for another kind of place, or the name of a bucket or folder that none can have.
    pub fn read(place: &Path, properties: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let Some(text) = place.to_str().filter(|text| text.contains("://")) else {
            return Ok(Self::Folder(place.to_owned()));
        };
        BucketPlace::read(text, properties).map(Self::Bucket).map_err(|error| {
            let expected = BucketPlace::EXPECTED;
            Error::invalid(format!(
                "the place of backups {text:?} {}: expected a folder or {expected}",
                error.message
            ))
        })
    }
}

/// An opened place.
pub(super) enum Opened {
    Folder(PathBuf),
    Bucket(BackupBucket),
}

impl Opened {
    pub(super) fn open(place: &BackupPlace) -> Result<Self> {
        Ok(match place {
            BackupPlace::Folder(dir) => Self::Folder(dir.clone()),
            BackupPlace::Bucket(place) => Self::Bucket(BackupBucket::open(place)?),
        })
    }

    /// As people name it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder(dir) => dir.display().to_string(),
            Self::Bucket(bucket) => bucket.shown(""),
        }
    }

    pub(super) fn is_marked(&self, mark: &str) -> Result<bool> {
        match self {
            Self::Folder(dir) => Ok(dir.join(mark).is_file()),
            Self::Bucket(bucket) => Ok(bucket.size(mark)?.is_some()),
        }
    }

    /// Makes the place if it has nothing, marks it with the text, and takes the lock of a folder. A bucket has none: what
    /// processes write there at the same time has different names or the same content.
    ///
    /// # Errors
    /// `Invalid` if it has other files; `Unavailable` if another process writes to the folder; `Internal` with the place.
    pub(super) fn own(&self, (mark, text): (&str, &[u8]), lists: &str) -> Result<Option<Lock>> {
        let other_files = || {
            let shown = self.shown();
            Error::invalid(format!(
                "{shown} has files and is not a folder of backups: expected an empty or a new folder"
            ))
        };
        match self {
            Self::Folder(dir) => {
                objects::make_folder(dir)?;
                if !dir.join(mark).is_file() {
                    let mut entries =
                        std::fs::read_dir(dir).map_err(|error| objects::wrong("list", dir, error))?;
                    if entries.next().is_some() {
                        return Err(other_files());
                    }
                    objects::write(&dir.join(mark), text)?;
                }
                let lock = lock(dir, "backup.lock", dir, "another process writes backups to this folder")?;
                objects::clear_drafts(dir)?;
                objects::make_folder(&dir.join(lists))?;
                Ok(Some(lock))
            }
            Self::Bucket(bucket) => {
                if bucket.size(mark)?.is_none() {
                    if bucket.has_any()? {
                        return Err(other_files());
                    }
                    bucket.put(mark, text)?;
                }
                Ok(None)
            }
        }
    }

    /// The names of the files in a folder of the place.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>> {
        match self {
            Self::Folder(dir) => objects::names(&dir.join(folder)),
            Self::Bucket(bucket) => bucket.names(folder),
        }
    }

    /// The content of a small file, and its place for people.
    pub(super) fn read(&self, name: &str) -> Result<(Vec<u8>, String)> {
        match self {
            Self::Folder(dir) => {
                let path = dir.join(name);
                let text = std::fs::read(&path).map_err(|error| objects::wrong("read", &path, error))?;
                Ok((text, path.display().to_string()))
            }
            Self::Bucket(bucket) => Ok((bucket.read_small(name)?, bucket.shown(name))),
        }
    }

    /// Gives a small file its name as a whole.
    pub(super) fn name(&self, name: &str, content: &[u8]) -> Result<()> {
        match self {
            Self::Folder(dir) => objects::name(dir, content, &dir.join(name)),
            Self::Bucket(bucket) => bucket.put(name, content),
        }
    }

    /// Keeps the content of a file. Returns the file, and whether its content is new; `None` if the file does not exist.
    ///
    /// # Errors
    /// If the file differs from what is recorded of it, or cannot be copied.
    pub(super) fn keep(&self, wanted: &Wanted) -> Result<Option<(BackupFile, bool)>> {
        match self {
            Self::Folder(dir) => objects::keep(dir, wanted),
            Self::Bucket(bucket) => bucket.keep(wanted),
        }
    }

    /// What is wrong with a content.
    pub(super) fn fault(&self, file: &BackupFile) -> Result<Option<String>> {
        match self {
            Self::Folder(dir) => objects::fault(dir, file),
            Self::Bucket(bucket) => bucket.fault(file),
        }
    }

    /// Copies a content to a new file.
    pub(super) fn copy_out(&self, file: &BackupFile, to: &Path) -> Result<()> {
        match self {
            Self::Folder(dir) => objects::copy_out(dir, file, to),
            Self::Bucket(bucket) => bucket.copy_out(file, to),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> Result<BackupPlace> {
        BackupPlace::read(Path::new(text), [("aws_secret_access_key".to_owned(), "not told".to_owned())])
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        assert_eq!(read("/a/b").unwrap(), BackupPlace::Folder("/a/b".into()));
        assert_eq!(read("s3").unwrap(), BackupPlace::Folder("s3".into()));
        for (text, bucket, prefix) in [
            ("s3://backups", "backups", ""),
            ("s3://backups/", "backups", ""),
            ("s3://my.bucket-1/muster/prod/", "my.bucket-1", "muster/prod"),
            ("az://backups/muster", "backups", "muster"),
            ("gs://backups/muster", "backups", "muster"),
        ] {
            let BackupPlace::Bucket(place) = read(text).unwrap() else { panic!("{text} is a bucket") };
            assert_eq!((place.bucket.as_str(), place.prefix.as_str()), (bucket, prefix));
            assert!(!format!("{place:?}").contains("not told"));
        }
    }

    #[test]
    fn other_places_are_refused() {
        for (text, reason) in [
            ("ftp://backups/muster", "is of an unknown kind"),
            ("https://s3.example.com/backups", "is of an unknown kind"),
            ("S3://backups", "is of an unknown kind"),
            ("s3://", "an invalid name of a bucket"),
            ("s3://ab", "an invalid name of a bucket"),
            ("s3://Backups/a", "an invalid name of a bucket"),
            ("s3://backups/../a", "an invalid name of a folder"),
            ("s3://backups//a", "an invalid name of a folder"),
            ("s3://backups/a b", "an invalid name of a folder"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("s3://BUCKET/FOLDER"), "{text}: {error}");
        }
    }
}
