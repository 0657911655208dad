//! A published file as a response body that never ends cleanly when it is incomplete.

use crate::failure::Failure;
use crate::state::AppState;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use muster_reports::task::PublishedFile;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::task::JoinError;

/// Read at once, in bytes.
const CHUNK_BYTES: usize = 128 * 1024;

/// The bytes `range` of `published`.
///
/// # Errors
/// When the file cannot be opened or has not the size that its record says: no byte has been sent then.
pub(crate) async fn open(
    state: &AppState,
    published: &PublishedFile,
    range: Range<u64>,
) -> Result<Body, Failure> {
    let files = state.inner().wiring.files.clone();
    let (stored_name, bytes) = (published.stored_name.clone(), published.bytes);
    let opened = tokio::task::spawn_blocking(move || {
        let file = files.open(&stored_name)?;
        check_size(&file, &stored_name, bytes)?;
        at(file, range)
    });
    body(opened.await)
}

/// The whole of a file that is open already.
///
/// # Errors
/// When it has not this size: no byte has been sent then.
pub(crate) async fn of_file(file: std::fs::File, name: &'static str, bytes: u64) -> Result<Body, Failure> {
    let opened = tokio::task::spawn_blocking(move || {
        check_size(&file, name, bytes)?;
        at(file, 0..bytes)
    });
    body(opened.await)
}

fn check_size(file: &std::fs::File, name: &str, bytes: u64) -> io::Result<()> {
    let found = file.metadata()?.len();
    if found != bytes {
        return Err(io::Error::other(format!(
            "{name} has {found} bytes: expected {bytes}, as its record says"
        )));
    }
    Ok(())
}

/// A file at the first byte to send, and how many to send.
fn at(mut file: std::fs::File, range: Range<u64>) -> io::Result<(File, u64)> {
    file.seek(SeekFrom::Start(range.start))?;
    Ok((File::from_std(file), range.end - range.start))
}

fn body(opened: Result<io::Result<(File, u64)>, JoinError>) -> Result<Body, Failure> {
    let begun = match opened {
        Ok(Ok(begun)) => begun,
        Ok(Err(error)) => return Err(Failure::internal("a published file cannot be read", error)),
        Err(error) => return Err(Failure::internal("opening a published file panicked", error)),
    };
    let span = tracing::Span::current();
    let chunks = try_unfold(begun, move |state| {
        let span = span.clone();
        async move {
            chunk(state).await.inspect_err(|error| {
                span.in_scope(|| tracing::error!(%error, "a download broke off"));
            })
        }
    });
    Ok(Body::from_stream(chunks))
}

/// The next bytes and what is left; an error where the file ends too early.
async fn chunk((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let room = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut buffer = BytesMut::with_capacity(room);
    let read = (&mut file).take(left).read_buf(&mut buffer).await? as u64;
    if read == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file ends {left} bytes too early"),
        ));
    }
    Ok(Some((buffer.freeze(), (file, left - read))))
}
