//! The real clock: with [`crate::ids`] the only place that reads the world's time or randomness.
//!
//! Everything else takes a [`Clock`], so that a test can say what time it is.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use muster_reports::ports::Clock;

/// The machine's time, in whole milliseconds.
///
/// The published API shows milliseconds; a finer time would not survive being stored and read again.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that the others stand for")]
    fn now(&self) -> DateTime<Utc> {
        let now = DateTime::<Utc>::from(std::time::SystemTime::now());
        now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_gives_whole_milliseconds() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000_000, 0);
    }
}
