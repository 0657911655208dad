//! A file of a bucket that is read as it arrives.

use bytes::{Buf, Bytes};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore};
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use tokio::runtime::Handle;

/// How often reading begins again at the place where it ended, without a byte in between.
const TRIES_MAX: u32 = 4;

/// The bytes of a range. They are read where blocking is allowed; only those that have just arrived are in memory. A
/// connection that ends before its time is followed by another, for what is missing of the same file.
pub(crate) struct Incoming {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    key: Key,
    shown: String,
    /// What the store calls this content.
    tag: Option<String>,
    /// What has not arrived.
    left: Range<u64>,
    arriving: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    arrived: Bytes,
    failures: u32,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Incoming").field("file", &self.shown).field("left", &self.left).finish()
    }
}

impl Incoming {
    /// Of the file with this key, which people know as `shown` and the store as `tag`.
    pub(super) fn new(
        (store, runtime): (Arc<dyn ObjectStore>, Handle),
        (key, shown, tag): (Key, String, Option<String>),
        range: Range<u64>,
    ) -> Self {
        Self {
            store,
            runtime,
            key,
            shown,
            tag,
            left: range,
            arriving: None,
            arrived: Bytes::new(),
            failures: 0,
        }
    }

    /// The next bytes; none at the end of the range.
    fn next(&mut self) -> io::Result<Bytes> {
        while !self.left.is_empty() {
            match self.arrive() {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(mut bytes)) => {
                    self.failures = 0;
                    let left = self.left.end - self.left.start;
                    bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    self.left.start += bytes.len() as u64;
                    return Ok(bytes);
                }
                Ok(None) => self.failed(io::ErrorKind::UnexpectedEof.into())?,
                Err(error) => self.failed(io::Error::other(error))?,
            }
        }
        Ok(Bytes::new())
    }

    fn arrive(&mut self) -> object_store::Result<Option<Bytes>> {
        let mut arriving = match self.arriving.take() {
            Some(arriving) => arriving,
            None => {
                let range = Some(GetRange::Bounded(self.left.clone()));
                let options = GetOptions { range, if_match: self.tag.clone(), ..GetOptions::default() };
                self.runtime.block_on(self.store.get_opts(&self.key, options))?.into_stream()
            }
        };
        let bytes = self.runtime.block_on(arriving.try_next())?;
        self.arriving = Some(arriving);
        Ok(bytes)
    }

    /// Counts a failure; an error if there were too many.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        self.arriving = None;
        self.failures += 1;
        if self.failures < TRIES_MAX {
            tracing::warn!(file = self.shown, at = self.left.start, %error, "reading begins again");
            return Ok(());
        }
        Err(io::Error::new(error.kind(), format!("cannot read {}: {error}", self.shown)))
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() && !buffer.is_empty() {
            self.arrived = self.next()?;
        }
        let read = self.arrived.len().min(buffer.len());
        self.arrived.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
