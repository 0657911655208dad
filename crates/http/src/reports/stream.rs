//! A published file as a response body. The body ends cleanly only if the file is complete and equals its record.
//!
//! Invariants:
//! - the last bytes of a whole file are sent only if the digest of all bytes is that of the record; if the disk or the bucket
//!   gives other bytes, the connection is broken;
//! - a part is sent only from a file whose digest this process has verified once, because a part alone proves nothing.

use crate::failure::Failure;
use crate::state::AppState;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use muster_reports::error::{Category, Error};
use muster_reports::ids::hex;
use muster_reports::made::MadeFile;
use muster_reports::task::PublishedFile;
use sha2::{Digest, Sha256};
use std::any::Any;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::task::{JoinError, JoinHandle};

/// Bytes that are read at once. While they are sent, the next ones are read.
const CHUNK_BYTES: usize = 256 * 1024;

/// What the caller is told of any failure.
const UNREADABLE: &str = "a published file cannot be read";

/// The bytes `range` of `published`.
///
/// # Errors When the file cannot be opened or differs from its record. No byte has been sent then.
pub(crate) async fn open(
    state: &AppState,
    published: &PublishedFile,
    range: Range<u64>,
) -> Result<Body, Failure> {
    let (state, published) = (state.clone(), published.clone());
    let is_whole = range == (0..published.bytes);
    let turn = match is_whole {
        true => None,
        false => state.inner().verified.turn(&published.stored_name).await,
    };
    let opened = tokio::task::spawn_blocking(move || {
        // The reader gives it back, even if nobody waits for the answer any more.
        let _turn = turn;
        let (files, name) = (&state.inner().wiring.files, published.stored_name.clone());
        let verified = &state.inner().verified;
        if is_whole || !verified.has(&name) {
            let file = files.open(&name, None)?;
            let whole =
                Sending::whole(file.content, file.bytes, name.clone(), published.bytes, published.sha256)
                    .map_err(unreadable)?;
            if is_whole {
                return Ok(whole);
            }
            let mut rest = Some(whole);
            while let Some(sending) = rest {
                rest = sending.read().map_err(unreadable)?.map(|(_, rest)| rest);
            }
            verified.add(&name);
        }
        let file = files.open(&name, Some(range.clone()))?;
        Ok(Sending::part(file.content, name, range))
    });
    body(opened.await)
}

/// The whole of a file that was made for this answer.
///
/// # Errors When its size is wrong. No byte has been sent then.
pub(crate) async fn of_made(made: MadeFile, name: &'static str) -> Result<Body, Failure> {
    let opened = tokio::task::spawn_blocking(move || {
        let MadeFile { file, bytes, sha256, held } = made;
        let found = file.metadata().map_err(unreadable)?.len();
        // Several requests may read the file, each at its own place.
        let content = Box::new(SharedFile { file, at: 0 });
        let sending = Sending::whole(content, found, name.to_owned(), bytes, sha256).map_err(unreadable)?;
        Ok(Sending { held, ..sending })
    });
    body(opened.await)
}

/// What is sent of a file.
struct Sending {
    content: Box<dyn Read + Send>,
    name: String,
    left: Range<u64>,
    /// The digest so far, and the expected one.
    check: Option<(Sha256, String)>,
    /// Given back when nothing more is sent.
    #[expect(dead_code, reason = "it is held as long as something is sent")]
    held: Option<Arc<dyn Any + Send + Sync>>,
}

impl Sending {
    fn whole(
        content: Box<dyn Read + Send>,
        found: u64,
        name: String,
        bytes: u64,
        sha256: String,
    ) -> io::Result<Self> {
        if found != bytes {
            return Err(io::Error::other(format!(
                "{name} has {found} bytes: expected {bytes}, as its record says"
            )));
        }
        Ok(Self { content, name, left: 0..bytes, check: Some((Sha256::new(), sha256)), held: None })
    }

    fn part(content: Box<dyn Read + Send>, name: String, range: Range<u64>) -> Self {
        Self { content, name, left: range, check: None, held: None }
    }

    /// The next bytes and what is left. An error if the file ends too early or was changed.
    fn read(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let left = self.left.end - self.left.start;
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES)];
        let read = loop {
            match self.content.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            let fault = format!("{} ends {left} bytes too early", self.name);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, fault));
        }
        buffer.truncate(read);
        self.left.start += read as u64;
        if let Some((hash, _)) = &mut self.check {
            hash.update(&buffer);
        }
        if self.left.is_empty()
            && let Some((hash, expected)) = self.check.take()
        {
            let found = hex(hash.finalize());
            if found != expected {
                let fault = format!(
                    "{} was changed after it was written: its SHA-256 is {found}, but its record says {expected}",
                    self.name
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
            }
        }
        Ok(Some((buffer.into(), self)))
    }
}

/// A file that others read at the same time.
struct SharedFile {
    file: Arc<File>,
    at: u64,
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::internal(UNREADABLE, error)
}

fn body(opened: Result<Result<Sending, Error>, JoinError>) -> Result<Body, Failure> {
    let begun = match opened {
        Ok(Ok(begun)) => begun,
        // Which file it is, is for the log.
        Ok(Err(error)) if error.category == Category::Internal => {
            return Err(Failure::internal(UNREADABLE, error));
        }
        Ok(Err(error)) => {
            return Err(Error {
                message: UNREADABLE.into(),
                source: Some(Box::new(error)),
                category: Category::Unavailable,
            }
            .into());
        }
        Err(error) => return Err(Failure::internal("opening a published file panicked", error)),
    };
    let span = tracing::Span::current();
    let chunks = try_unfold(read_on(begun), move |reading| {
        let span = span.clone();
        async move {
            let read = reading.await.map_err(io::Error::other).flatten().inspect_err(|error| {
                span.in_scope(|| tracing::error!(%error, "a download was cut short"));
            });
            read.map(|read| read.map(|(bytes, rest)| (bytes, read_on(rest))))
        }
    });
    Ok(Body::from_stream(chunks))
}

/// Begins to read what is sent next, on a thread that may wait for the disk.
fn read_on(sending: Sending) -> JoinHandle<io::Result<Option<(Bytes, Sending)>>> {
    tokio::task::spawn_blocking(move || sending.read())
}
