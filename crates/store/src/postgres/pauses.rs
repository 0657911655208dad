//! Pauses between tries.

use std::time::Duration;
use tokio::time::Instant;

/// Pause before the first repetition. It is doubled for each later one, up to [`PAUSE_MOST`].
const PAUSE_FIRST: Duration = Duration::from_millis(5);
/// Longest pause between two tries.
const PAUSE_MOST: Duration = Duration::from_millis(250);

/// Pauses that grow, until a deadline.
pub(super) struct Pauses {
    next: Duration,
    deadline: Instant,
}

impl Pauses {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { next: PAUSE_FIRST, deadline }
    }

    /// Waits twice as long as the last time. Returns `false` at once if the deadline is earlier.
    pub(super) async fn pause(&mut self) -> bool {
        let end = Instant::now() + self.next;
        if end >= self.deadline {
            return false;
        }
        self.next = (self.next * 2).min(PAUSE_MOST);
        tokio::time::sleep_until(end).await;
        true
    }
}
