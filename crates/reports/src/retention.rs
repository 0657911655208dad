//! The life of a published snapshot: pinned, expired, or asked for as of a moment.
//!
//! Why here: the rules are the product's, and every store keeps them. A snapshot's manifest is kept for
//! ever, also when its data is gone: covers and evidence packages name it.

use crate::error::{Error, Result};
use crate::ids::SnapshotId;
use crate::snapshot::SnapshotManifest;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a snapshot, or the files of a result, are kept whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Who pinned or holds it.
    pub by: String,
    /// Why: a quarter's end, a legal hold.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A snapshot as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CataloguedSnapshot {
    /// What was published.
    pub manifest: Arc<SnapshotManifest>,
    /// Its pin, if it has one.
    pub pin: Option<Pin>,
    /// When it expired: its data is gone, or may be at any moment.
    pub expired: Option<DateTime<Utc>>,
}

impl CataloguedSnapshot {
    /// The manifest, if its data is still there.
    ///
    /// # Errors
    /// `NotFound` that says when it expired.
    pub fn readable(&self) -> Result<Arc<SnapshotManifest>> {
        match self.expired {
            None => Ok(self.manifest.clone()),
            Some(at) => Err(Error::not_found(format!(
                "snapshot {} of {} expired at {}: its data is not kept any more",
                self.manifest.id,
                self.manifest.created.to_rfc3339(),
                at.to_rfc3339()
            ))),
        }
    }
}

/// Which snapshots are kept. One that either number keeps is kept, and so are the newest one, pinned ones,
/// and those that a waiting or running report reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// So many of the newest.
    pub keep_last: u32,
    /// Those younger than this many days.
    pub keep_days: u32,
}

/// What a policy must know of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionFacts {
    /// Which one.
    pub id: SnapshotId,
    /// When its refresh ended.
    pub created: DateTime<Utc>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Whether a waiting or running report reads it.
    pub needed: bool,
}

impl RetentionPolicy {
    /// Which of the snapshots that have not expired would expire now, in the order given.
    ///
    /// `snapshots` come with the last published first.
    pub fn expiring(&self, snapshots: &[RetentionFacts], now: DateTime<Utc>) -> Vec<SnapshotId> {
        // Without a newest snapshot there would be nothing to report on.
        let keep_last = usize::try_from(self.keep_last.max(1)).unwrap_or(usize::MAX);
        let young_since = now.checked_sub_signed(TimeDelta::days(i64::from(self.keep_days)));
        let is_young = |created| young_since.is_none_or(|since| created > since);
        snapshots
            .iter()
            .skip(keep_last)
            .filter(|snapshot| !snapshot.pinned && !snapshot.needed && !is_young(snapshot.created))
            .map(|snapshot| snapshot.id.clone())
            .collect()
    }
}

/// Which snapshot a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsOf {
    /// This one.
    Snapshot(SnapshotId),
    /// The last one that was made at or before this moment.
    Moment(DateTime<Utc>),
}

impl std::str::FromStr for AsOf {
    type Err = Error;

    /// A snapshot id of 32 hex digits, a time in RFC 3339, or a date, which means the end of that day in UTC.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Snapshot(SnapshotId::new(text.to_ascii_lowercase())));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Moment(time.with_timezone(&Utc)));
        }
        let end_of = |date: NaiveDate| date.and_hms_micro_opt(23, 59, 59, 999_999);
        match NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(end_of) {
            Some(end) => Ok(Self::Moment(end.and_utc())),
            None => Err(Error::invalid(format!(
                "as of {text:?}: expected a snapshot id of 32 hex digits, a date such as 2026-03-31, or a time \
                 such as 2026-03-31T12:00:00Z"
            ))),
        }
    }
}

impl std::fmt::Display for AsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "{id}"),
            Self::Moment(time) => f.write_str(&time.to_rfc3339()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    #[test]
    fn either_number_keeps_and_the_newest_stays() {
        let facts = |number: i64, pinned, needed| RetentionFacts {
            id: SnapshotId::new(format!("s{number}")),
            created: day(number),
            pinned,
            needed,
        };
        // The last published first: s6 to s1, of which s4 is pinned and s2 is being read.
        let all: Vec<_> = (1..=6).rev().map(|number| facts(number, number == 4, number == 2)).collect();
        let gone = |keep_last, keep_days| {
            let expired = RetentionPolicy { keep_last, keep_days }.expiring(&all, day(7));
            expired.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(gone(1, 0), "s5 s3 s1");
        assert_eq!(gone(0, 0), "s5 s3 s1", "the newest is always kept");
        assert_eq!(gone(2, 0), "s3 s1");
        assert_eq!(gone(1, 3), "s3 s1", "s5 is two days old, s4 three");
        assert_eq!(gone(1, 5), "s1");
        assert_eq!(gone(9, 0), "");
        assert_eq!(gone(1, u32::MAX), "");
    }

    #[test]
    fn moments_are_dates_times_or_snapshots() {
        let read = |text: &str| text.parse::<AsOf>().unwrap();
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(read(id), AsOf::Snapshot(SnapshotId::new(id)));
        assert_eq!(read(&id.to_uppercase()), AsOf::Snapshot(SnapshotId::new(id)));
        let time = |text: &str| AsOf::Moment(text.parse().unwrap());
        assert_eq!(read("2026-03-31"), time("2026-03-31T23:59:59.999999Z"));
        assert_eq!(read("2026-03-31T02:00:00+02:00"), time("2026-03-31T00:00:00Z"));
        for text in ["", "yesterday", "2026-02-30", "31.03.2026", "0123"] {
            assert!(text.parse::<AsOf>().is_err(), "{text}");
        }
    }
}
