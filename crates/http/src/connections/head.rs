//! How long a connection waits for the head of a request: the idle time before the first byte, and a short time from
//! then on.
//!
//! Why: hyper has one limit for both. If it is short, it breaks clients that ask every few seconds. If it is long, it
//! lets anybody hold a connection with one byte a minute.
//!
//! Invariants: the first head of a connection has the short time from the start, because the client has not been told
//! of an idle time yet.

use hyper::rt::{Sleep, Timer};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Whether bytes have arrived since the connection began to wait for the head of a request.
#[derive(Debug, Clone, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    /// Bytes have arrived.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The timer of one connection. hyper asks it for a wait whenever it begins to wait for a head.
#[derive(Debug)]
pub struct HeadTimer {
    begun: Begun,
    idle: Duration,
    head: Duration,
    answered: AtomicBool,
}

impl HeadTimer {
    /// Waits `idle` for the first byte of a head, and `head` for the rest. The reader of the connection sets `begun`.
    pub fn new(begun: Begun, idle: Duration, head: Duration) -> Self {
        Self { begun, idle, head, answered: AtomicBool::new(false) }
    }

    fn wait(&self) -> HeadWait {
        let first = !self.answered.swap(true, Ordering::Relaxed);
        self.begun.0.store(false, Ordering::Relaxed);
        HeadWait {
            begun: self.begun.clone(),
            head: (!first).then_some(self.head),
            end: Box::pin(sleep(if first { self.head } else { self.idle })),
        }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.wait())
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.wait())
    }
}

/// Ends when the wait for a head has been too long. hyper polls it after each read that does not complete a head.
struct HeadWait {
    begun: Begun,
    /// The time for the rest of the head; `None` when it is running.
    head: Option<Duration>,
    end: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadWait {}

impl Future for HeadWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.begun.0.load(Ordering::Relaxed)
            && let Some(head) = self.head.take()
        {
            self.end.as_mut().reset(tokio::time::Instant::now() + head);
        }
        self.end.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::time::Instant;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// When it ends, as things are now.
    fn end(wait: &mut HeadWait) -> Instant {
        assert!(Pin::new(&mut *wait).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        wait.end.deadline()
    }

    #[tokio::test]
    async fn the_first_head_has_the_short_time_from_the_start() {
        let timer = HeadTimer::new(Begun::default(), DAY, HOUR);
        let begun = Instant::now();
        let end = end(&mut timer.wait());
        assert!(begun + HOUR <= end && end <= Instant::now() + HOUR);
    }

    #[tokio::test]
    async fn a_later_head_has_the_idle_time_until_its_first_byte() {
        let begun = Begun::default();
        let timer = HeadTimer::new(begun.clone(), DAY, HOUR);
        drop(timer.wait());
        // What came with the request before, a body for one, is not the beginning of this head.
        begun.note();
        let start = Instant::now();
        let mut wait = timer.wait();
        assert!(end(&mut wait) >= start + DAY);
        begun.note();
        let first_byte = Instant::now();
        let limit = end(&mut wait);
        assert!(first_byte + HOUR <= limit && limit <= Instant::now() + HOUR);
        begun.note();
        assert_eq!(end(&mut wait), limit, "further bytes do not lengthen it");
    }

    #[tokio::test]
    async fn a_wait_comes_to_its_end() {
        let timer = HeadTimer::new(Begun::default(), DAY, Duration::ZERO);
        timer.wait().await;
    }
}
