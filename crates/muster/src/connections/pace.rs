//! A connection whose client must take what it asked for.
//!
//! Why: an answer waits in memory, and its file stays open, for as long as the client does not read it. hyper has
//! no limit for that.
//!
//! Invariants: the time runs only while something waits to be written, and begins again with each piece that has
//! been taken, so the limit is one of speed, however long an answer is.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What must be taken within the limit, in bytes, or all that waits if that is less.
pub const PIECE_BYTES: usize = 128 * 1024;

/// A stream that fails when its other end does not take in time what is written.
pub struct Paced<S> {
    stream: S,
    limit: Duration,
    /// Ends when what waits has waited too long.
    end: Pin<Box<Sleep>>,
    waiting: bool,
    /// Bytes taken since it began to wait.
    taken: usize,
}

impl<S> Paced<S> {
    /// What is written to `stream` must be taken within `limit`.
    pub fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, end: Box::pin(sleep(limit)), waiting: false, taken: 0 }
    }

    /// Passes on what came of a write; fails where it has to wait and has waited too long.
    fn paced(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(wrote) = wrote {
            self.taken += *wrote.as_ref().unwrap_or(&0);
            if self.taken >= PIECE_BYTES {
                self.waiting = false;
            }
            return Poll::Ready(wrote);
        }
        if !self.waiting {
            self.waiting = true;
            self.taken = 0;
            self.end.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client takes its answer too slowly")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when all that waited is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = false;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
