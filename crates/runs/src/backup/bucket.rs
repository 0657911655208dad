//! Backups in a bucket of S3, or of a service with the same protocol.
//!
//! A file appears in a bucket as a whole or not at all, so there are no drafts and no renames: a large file is sent in parts,
//! and the request that makes a file of them is the last one.
//!
//! Invariant: the file of a digest appears only after all bytes that were sent have that digest.

use super::objects::{compared, copy_out_of, differs, digest_of, missing, open};
use super::{BackupFile, Wanted};
use crate::digest::read_whole;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use tokio::runtime::Handle;

/// Bytes of a part of a large file, at least. What is smaller is sent at once.
const PART: u64 = 16 << 20;
/// Parts of a file at most; S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// Parts that are on their way at the same time.
const PARTS_SENT: usize = 2;
/// How long a request may take, with its content.
const REQUEST: &str = "5 minutes";
/// The property with that time.
const REQUEST_KEY: &str = "aws_timeout";

/// A bucket, and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// Its name.
    pub(super) bucket: String,
    /// The folders in it, without a slash at either end; may be empty.
    pub(super) prefix: String,
    /// Names and values of properties, such as `aws_region`. Some are secrets.
    pub(super) properties: Vec<(String, String)>,
}

impl fmt::Debug for BucketPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix, properties: _ } = self;
        formatter.debug_struct("BucketPlace").field("bucket", bucket).field("prefix", prefix).finish()
    }
}

/// An opened bucket.
pub(super) struct Bucket {
    store: AmazonS3,
    name: String,
    prefix: String,
    runtime: Handle,
}

impl Bucket {
    /// Opens a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Invalid` if the properties do not say how to reach it; `Internal` outside of a runtime.
    pub(super) fn open(place: &BucketPlace) -> Result<Self> {
        let BucketPlace { bucket, prefix, properties } = place;
        let runtime = Handle::try_current()
            .map_err(|error| Error::internal("a bucket is opened outside of a runtime", error))?;
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        let first = [(REQUEST_KEY, REQUEST)];
        let given = properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in first.into_iter().chain(given) {
            // What is not a property of a bucket is one of another program.
            if let Ok(key) = name.parse::<AmazonS3ConfigKey>()
                && key != AmazonS3ConfigKey::Bucket
            {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().map_err(|error| {
            Error::invalid(format!(
                "the bucket {bucket:?} cannot be opened: {error}; expected variables as S3's own programs read them \
                 (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL)"
            ))
        })?;
        Ok(Self { store, name: bucket.clone(), prefix: prefix.clone(), runtime })
    }

    /// The place of a file, as people name it.
    pub(super) fn shown(&self, name: &str) -> String {
        let parts = [self.name.as_str(), &self.prefix, name];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("s3://{}", parts.join("/"))
    }

    fn key(&self, name: &str) -> Key {
        match self.prefix.as_str() {
            "" => Key::from(name),
            prefix => Key::from(format!("{prefix}/{name}")),
        }
    }

    fn wrong(&self, act: &str, name: &str) -> impl Fn(object_store::Error) -> Error {
        let message = format!("cannot {act} {}", self.shown(name));
        move |error| Error::internal(message.clone(), error)
    }

    /// The size of a file; `None` where there is none.
    pub(super) fn size(&self, name: &str) -> Result<Option<u64>> {
        match self.runtime.block_on(self.store.head(&self.key(name))) {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.wrong("look at", name)(error)),
        }
    }

    /// Whether there is any file.
    pub(super) fn has_any(&self) -> Result<bool> {
        let prefix = (!self.prefix.is_empty()).then(|| Key::from(self.prefix.as_str()));
        let mut found = self.store.list(prefix.as_ref());
        let first = self.runtime.block_on(found.try_next()).map_err(self.wrong("list", ""))?;
        Ok(first.is_some())
    }

    /// The names of the files in a folder.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>> {
        let key = self.key(folder);
        let found = self.store.list(Some(&key)).try_collect::<Vec<_>>();
        let found = self.runtime.block_on(found).map_err(self.wrong("list", folder))?;
        Ok(found.iter().filter_map(|file| file.location.filename().map(str::to_owned)).collect())
    }

    /// Writes a small file.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        let key = self.key(name);
        let put = self.store.put(&key, content.to_vec().into());
        self.runtime.block_on(put).map(drop).map_err(self.wrong("write", name))
    }

    /// The content of a small file.
    pub(super) fn read_small(&self, name: &str) -> Result<Vec<u8>> {
        let read = async { self.store.get(&self.key(name)).await?.bytes().await };
        Ok(self.runtime.block_on(read).map_err(self.wrong("read", name))?.to_vec())
    }

    /// As [`super::place::Opened::keep`].
    pub(super) fn keep(&self, wanted: &Wanted) -> Result<Option<(BackupFile, bool)>> {
        let (sha256, bytes) = match &wanted.known {
            Some(known) => known.clone(),
            None => {
                let Some(mut source) = open(&wanted.from)? else { return Ok(None) };
                digest_of(&mut source, &wanted.from)?
            }
        };
        let file = BackupFile { path: wanted.path.clone(), sha256, bytes };
        let name = object(&file.sha256);
        if self.size(&name)? == Some(bytes) {
            return Ok(Some((file, false)));
        }
        let Some(mut source) = open(&wanted.from)? else { return Ok(None) };
        if bytes <= PART {
            let mut content = Vec::new();
            let found = read_whole(&mut source, &wanted.from, |part| {
                content.extend_from_slice(part);
                Ok(())
            })?;
            compared(found, (&file.sha256, bytes), &wanted.from)?;
            reached(Failpoint::BackupFileDrafted);
            self.put(&name, &content)?;
        } else {
            self.send_parts(&mut source, &wanted.from, &file, &name)?;
        }
        Ok(Some((file, true)))
    }

    /// Sends a large file in parts.
    fn send_parts(&self, source: &mut File, from: &Path, file: &BackupFile, name: &str) -> Result<()> {
        let wrong = self.wrong("write", name);
        let size = usize::try_from(PART.max(file.bytes / PARTS_MAX + 1)).unwrap_or(usize::MAX);
        let begun = self.runtime.block_on(self.store.put_multipart(&self.key(name))).map_err(&wrong)?;
        // The parts are sent by tasks of the runtime.
        let guard = self.runtime.enter();
        let mut sending = WriteMultipart::new_with_chunk_size(begun, size);
        let read = read_whole(source, from, |part| {
            sending.write(part);
            self.runtime.block_on(sending.wait_for_capacity(PARTS_SENT)).map_err(&wrong)
        });
        let compared = read.and_then(|found| compared(found, (&file.sha256, file.bytes), from));
        let ended = match compared {
            Ok(()) => {
                reached(Failpoint::BackupFileDrafted);
                self.runtime.block_on(sending.finish()).map(drop).map_err(&wrong)
            }
            Err(error) => {
                // The parts would be kept, and paid for. What ended the copy says more than a failure of this.
                let _ = self.runtime.block_on(sending.abort());
                Err(error)
            }
        };
        drop(guard);
        ended
    }

    /// What is wrong with a content.
    pub(super) fn fault(&self, file: &BackupFile) -> Result<Option<String>> {
        let name = object(&file.sha256);
        let shown = self.shown(&name);
        match self.read(&name)? {
            None => Ok(Some(missing(file, &shown))),
            Some(source) => differs(file, source, Path::new(&shown)),
        }
    }

    /// Copies a content to a new file.
    pub(super) fn copy_out(&self, file: &BackupFile, to: &Path) -> Result<()> {
        let name = object(&file.sha256);
        let shown = self.shown(&name);
        let source = self.read(&name)?.ok_or_else(|| Error::not_found(missing(file, &shown)))?;
        copy_out_of(source, Path::new(&shown), file, to)
    }

    /// A file to be read from its beginning; `None` where there is none.
    fn read(&self, name: &str) -> Result<Option<Incoming>> {
        match self.runtime.block_on(self.store.get(&self.key(name))) {
            Ok(found) => {
                let parts = found.into_stream().map_ok(|part| part.to_vec()).boxed();
                Ok(Some(Incoming { runtime: self.runtime.clone(), parts, part: Cursor::default() }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.wrong("read", name)(error)),
        }
    }
}

/// The file of a content.
fn object(sha256: &str) -> String {
    format!("objects/{}/{sha256}", &sha256[..2])
}

/// A file that is read as it arrives.
struct Incoming {
    runtime: Handle,
    parts: BoxStream<'static, object_store::Result<Vec<u8>>>,
    part: Cursor<Vec<u8>>,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.part.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.runtime.block_on(self.parts.try_next()) {
                Ok(Some(part)) => self.part = Cursor::new(part),
                Ok(None) => return Ok(0),
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
    }
}
