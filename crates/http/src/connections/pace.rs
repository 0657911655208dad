//! A connection whose client must take what it asked for.
//!
//! Why: while the client does not read an answer, the answer waits in memory and its file stays open. hyper has no
//! limit for this.
//!
//! Invariants: the time runs only while something waits to be written, and starts again with each piece that was taken.
//! So this is a limit of speed, however long an answer is. Bytes count as taken when the system has them, so the
//! system's buffer must be small (`connections::listen`).

use super::head::Begun;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that the client must take within the time limit, or all waiting bytes if these are fewer. The system accepts
/// more only when a third of its buffer is free, which is somewhat more than this; on one machine, both ends together
/// made it 134 KB.
pub const PIECE_BYTES: usize = 32 * 1024;

/// A stream that fails if the other end does not take the written bytes in time.
pub struct Paced<S> {
    stream: S,
    /// Set by every byte that arrives.
    begun: Begun,
    limit: Duration,
    /// Ends when bytes have waited too long.
    end: Pin<Box<Sleep>>,
    waiting: bool,
    /// Bytes taken since the wait began.
    taken: usize,
}

impl<S> Paced<S> {
    /// Bytes that are written to `stream` must be taken within `limit`. `begun` is set when bytes arrive from it.
    pub fn new(stream: S, begun: Begun, limit: Duration) -> Self {
        Self { stream, begun, limit, end: Box::pin(sleep(limit)), waiting: false, taken: 0 }
    }

    /// Returns the result of a write. Fails if the write must wait and has waited too long.
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
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.begun.note();
        }
        read
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Writes until it must wait, then waits on.
    fn wait(paced: &mut Paced<()>) -> Poll<io::Result<usize>> {
        paced.paced(&mut Context::from_waker(Waker::noop()), Poll::Pending)
    }

    fn take(paced: &mut Paced<()>, bytes: usize) {
        let taken = paced.paced(&mut Context::from_waker(Waker::noop()), Poll::Ready(Ok(bytes)));
        assert!(matches!(taken, Poll::Ready(Ok(count)) if count == bytes));
    }

    #[tokio::test]
    async fn the_time_begins_again_with_each_piece_and_not_with_less() {
        let mut paced = Paced::new((), Begun::default(), HOUR);
        assert!(wait(&mut paced).is_pending());
        let first = paced.end.deadline();
        take(&mut paced, PIECE_BYTES - 1);
        assert!(wait(&mut paced).is_pending());
        assert_eq!(paced.end.deadline(), first, "less than a piece does not extend the wait");
        take(&mut paced, 1);
        let now = Instant::now();
        assert!(wait(&mut paced).is_pending());
        assert!(paced.end.deadline() >= now + HOUR);
    }

    #[tokio::test]
    async fn what_waits_too_long_fails() {
        let mut paced = Paced::new((), Begun::default(), Duration::ZERO);
        let ended = std::future::poll_fn(|context| paced.paced(context, Poll::Pending)).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }
}
