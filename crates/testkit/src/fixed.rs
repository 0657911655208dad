//! A clock that moves only when told, and ids that count.

use crate::build;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::ports::{Clock, Ids, QueryLanguage};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that shows the same time until it is moved.
#[derive(Debug)]
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// A clock that shows `at`.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves the clock forward (or back, for a negative step) and returns the new time.
    pub fn advance(&self, by: TimeDelta) -> DateTime<Utc> {
        let mut now = self.0.lock().expect("no holder of the clock panics");
        *now += by;
        *now
    }

    /// Sets the clock to `at`.
    pub fn set(&self, at: DateTime<Utc>) {
        *self.0.lock().expect("no holder of the clock panics") = at;
    }
}

impl Default for TestClock {
    /// A clock that shows [`build::start_of_time`].
    fn default() -> Self {
        Self::new(build::start_of_time())
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("no holder of the clock panics")
    }
}

/// Ids that count from one: `00000000000000000000000000000001` and so on.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn fresh(&self) -> String {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{number:032x}")
    }
}

/// A search language in which every text is a valid query, except a single opening parenthesis.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyQuery;

#[async_trait]
impl QueryLanguage for AnyQuery {
    async fn check(&self, query: &str) -> Result<()> {
        match query {
            "(" => Err(Error::invalid("column 2: found the end of the query, expected a clause")),
            _ => Ok(()),
        }
    }
}
