//! Refused access in the audit trail, without letting a flood of requests fill it.
//!
//! For each client and operation, the first refusal in a minute becomes an event. The event says how many refusals
//! there were since the previous event. Refusals of unknown callers (401) belong to no tenant and are only in the log.

use chrono::{DateTime, Utc};
use muster_reports::error::error_chain;
use muster_reports::ids::ClientId;
use muster_reports::{Caller, Operation, Reports};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Bytes kept of a reason, which may quote the request.
const REASON_MAX: usize = 1_000;
const MINUTE_MS: i64 = 60_000;

/// Recent refusals.
pub(crate) struct RefusalEvents {
    clients_max: usize,
    /// The minute of the last event, and refusals since.
    seen: Mutex<HashMap<(ClientId, Operation), (i64, u64)>>,
}

impl RefusalEvents {
    pub(crate) fn new(clients_max: usize) -> Self {
        Self { clients_max, seen: Mutex::default() }
    }

    /// How many earlier refusals an event now would report; `None` if there is to be no event.
    fn count(&self, client: &ClientId, operation: Operation, now: DateTime<Utc>) -> Option<u64> {
        let minute = now.timestamp_millis().div_euclid(MINUTE_MS);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client.clone(), operation);
        match seen.get_mut(&key) {
            Some((last, since)) if *last == minute => {
                *since += 1;
                None
            }
            Some((last, since)) => {
                *last = minute;
                Some(std::mem::take(since))
            }
            None => {
                // Entries from before this minute are removed. If all are from this minute, there are enough events.
                if seen.len() >= self.clients_max {
                    seen.retain(|_, (last, _)| *last == minute);
                }
                (seen.len() < self.clients_max)
                    .then(|| seen.insert(key, (minute, 0)).map_or(0, |(_, since)| since))
            }
        }
    }

    /// Records that `caller` was refused, unless there is an event of this minute already. If this fails, the answer
    /// does not change, because the caller got nothing.
    pub(crate) async fn note(
        &self,
        reports: &Reports,
        now: DateTime<Utc>,
        caller: &Caller,
        operation: Operation,
        reason: &str,
    ) {
        let Some(since) = self.count(&caller.client, operation, now) else { return };
        let mut details = format!("{}: {reason}", operation.name());
        let end = (0..=REASON_MAX).rev().find(|at| details.is_char_boundary(*at)).unwrap_or(0);
        details.truncate(end);
        if since > 0 {
            details.push_str(&format!("; {since} more since the last event"));
        }
        if let Err(error) = reports.record_refusal(caller, details).await {
            tracing::error!(error = error_chain(&error), "a refusal could not be recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_flood_is_one_event_a_minute_with_its_count() {
        let refusals = RefusalEvents::new(2);
        let (ada, bob, cy) = (ClientId::new("ada"), ClientId::new("bob"), ClientId::new("cy"));
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let count = |client, seconds| refusals.count(client, Operation::Start, at(seconds));
        assert_eq!(count(&ada, 0), Some(0));
        for second in 1..60 {
            assert_eq!(count(&ada, second), None);
        }
        assert_eq!(refusals.count(&ada, Operation::Cancel, at(59)), Some(0), "operations count apart");
        assert_eq!(count(&ada, 60), Some(59));
        assert_eq!(count(&ada, 61), None);
        assert_eq!(count(&bob, 200), Some(0), "old ones make room");
        assert_eq!(count(&cy, 200), Some(0));
        assert_eq!(count(&bob, 201), None);
        assert_eq!(count(&ada, 202), None, "there is no room in this minute");
        assert_eq!(count(&ada, 240), Some(0));
    }
}
