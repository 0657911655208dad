//! An exact sliding window: at most so many admitted requests in any window of that length.
//!
//! Refused requests are not counted, so a client that waits as `Retry-After` says gets in. The number of keys counted
//! at one time is bounded; at the limit, the key without requests for the longest time is forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// How many requests in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests admitted in one window; at least 1.
    pub requests: usize,
    /// Length of the window.
    pub window: TimeDelta,
}

/// Counts requests by `K`: a client and a version of the API, or a tenant.
pub(crate) struct RateLimiter<K> {
    limit: RateLimit,
    keys_max: usize,
    admitted: Mutex<HashMap<K, VecDeque<DateTime<Utc>>>>,
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    pub(crate) fn new(limit: RateLimit, keys_max: usize) -> Self {
        Self { limit, keys_max: keys_max.max(1), admitted: Mutex::default() }
    }

    /// Admits a request, or says in how many seconds (at least 1) one will be.
    pub(crate) fn admit(&self, key: K, now: DateTime<Utc>) -> Result<(), u64> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if !admitted.contains_key(&key) && admitted.len() >= self.keys_max {
            self.forget(&mut admitted, now);
        }
        let times = admitted.entry(key).or_default();
        while times.front().is_some_and(|at| !self.counts(*at, now)) {
            times.pop_front();
        }
        match times.front() {
            Some(oldest) if times.len() >= self.limit.requests => {
                let wait = (*oldest + self.limit.window - now).num_milliseconds();
                Err(u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1))
            }
            Some(_) | None => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// Whether a request that was admitted at `at` is in the window that ends now. A request from the future is not:
    /// the clock was set back, and nobody should wait for it to catch up.
    fn counts(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        at <= now && now - at < self.limit.window
    }

    fn forget(&self, admitted: &mut HashMap<K, VecDeque<DateTime<Utc>>>, now: DateTime<Utc>) {
        admitted.retain(|_, times| times.back().is_some_and(|at| self.counts(*at, now)));
        if admitted.len() >= self.keys_max {
            let quiet = admitted.iter().min_by_key(|(_, times)| times.back()).map(|(key, _)| key.clone());
            quiet.map(|key| admitted.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_version::ApiVersion;
    use muster_reports::ids::ClientId;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(milliseconds)
    }

    fn limiter(requests: usize, clients_max: usize) -> RateLimiter<(ClientId, ApiVersion)> {
        RateLimiter::new(RateLimit { requests, window: TimeDelta::seconds(10) }, clients_max)
    }

    #[test]
    fn any_window_holds_at_most_the_limit() {
        let limiter = limiter(2, 10);
        let client = ClientId::new("a");
        let cases = [
            (0, Ok(())),
            (6_000, Ok(())),
            (6_001, Err(4)),
            (9_999, Err(1)),
            (10_000, Ok(())),
            (10_001, Err(6)),
            (15_999, Err(1)),
            (16_000, Ok(())),
        ];
        for (time, expected) in cases {
            assert_eq!(limiter.admit((client.clone(), ApiVersion::V1), at(time)), expected, "at {time} ms");
        }
    }

    #[test]
    fn clients_and_versions_are_counted_apart() {
        let limiter = limiter(1, 10);
        let (a, b) = (ClientId::new("a"), ClientId::new("b"));
        assert!(limiter.admit((a.clone(), ApiVersion::V1), at(0)).is_ok());
        assert!(limiter.admit((a.clone(), ApiVersion::V3), at(0)).is_ok());
        assert!(limiter.admit((b.clone(), ApiVersion::V1), at(0)).is_ok());
        assert!(limiter.admit((a.clone(), ApiVersion::V1), at(1)).is_err());
    }

    #[test]
    fn a_full_table_forgets_the_client_quiet_for_longest() {
        let limiter = limiter(1, 2);
        let clients = ["a", "b", "c"].map(ClientId::new);
        for (time, client) in (0..).zip(&clients) {
            assert!(limiter.admit((client.clone(), ApiVersion::V1), at(time)).is_ok());
        }
        assert!(limiter.admit((clients[1].clone(), ApiVersion::V1), at(5)).is_err(), "b is still counted");
        assert!(limiter.admit((clients[0].clone(), ApiVersion::V1), at(5)).is_ok(), "a was forgotten");
        assert!(limiter.admitted.lock().is_ok_and(|table| table.len() == 2));
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out() {
        let limiter = limiter(1, 2);
        let client = ClientId::new("a");
        assert!(limiter.admit((client.clone(), ApiVersion::V1), at(3_600_000)).is_ok());
        assert!(limiter.admit((client.clone(), ApiVersion::V1), at(0)).is_ok());
    }
}
