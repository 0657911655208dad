//! The life of a result's files: kept for a time, held, or expired.
//!
//! Why here: the rules are the product's, and every store keeps them. The record of a result is kept for ever, with the
//! digests of its files and the cover; only the files expire.
//!
//! Invariants:
//! - without a number of days, nothing expires;
//! - a result that is held does not expire, and one that has expired cannot be held.

use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::Caller;
use crate::ids::{ClientId, TaskId, TenantId, stable_id};
use crate::retention::Pin;
use crate::task::{PublishedFile, Task};
use chrono::{DateTime, TimeDelta, Utc};

/// How long the files of results are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResultPolicy {
    /// Files of results that ended less than this many days ago are kept; `None` keeps all of them.
    pub keep_days: Option<u32>,
    /// Of each report with the same arguments and the same rows (a task definition), so many of the newest results are
    /// kept, whatever their age.
    pub keep_last: u32,
}

/// What is known of a result's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFacts {
    /// When the run ended.
    pub completed: DateTime<Utc>,
    /// Later results of the same task definition; counted up to [`ResultPolicy::keep_last`].
    pub newer: u32,
    /// Why it is kept whatever the policy says.
    pub hold: Option<Pin>,
    /// When it expired.
    pub expired: Option<DateTime<Utc>>,
}

/// The life of a result, as its readers see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultLife {
    /// When its files expire; absent if they are held, are among the newest, or are kept for ever.
    pub expires: Option<DateTime<Utc>>,
    /// When its files expired.
    pub expired: Option<DateTime<Utc>>,
    /// Why it is kept whatever the policy says.
    pub hold: Option<Pin>,
}

impl ResultPolicy {
    /// When a result that ended at `completed` expires by its age.
    fn by_age(&self, completed: DateTime<Utc>) -> Option<DateTime<Utc>> {
        completed.checked_add_signed(TimeDelta::days(i64::from(self.keep_days?)))
    }

    /// A result that ended later than this does not expire at `now`; `None` if none expires.
    pub fn cut_off(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.keep_days?)))
    }

    /// The life of a result of which this is known.
    pub fn life(&self, facts: ResultFacts) -> ResultLife {
        let ResultFacts { completed, newer, hold, expired } = facts;
        let is_kept = expired.is_some() || hold.is_some() || newer < self.keep_last;
        let expires = if is_kept { None } else { self.by_age(completed) };
        ResultLife { expires, expired, hold }
    }
}

impl ResultLife {
    /// Whether its files are to expire at `now`.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A result whose files have expired and are still to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredResult {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its task.
    pub task: TaskId,
    /// Its files.
    pub files: Vec<PublishedFile>,
}

/// What the audit trail says when the files of a task's result expire. Its id is that of no other event: a result
/// expires once.
pub fn expiry_event(task: &Task, at: DateTime<Utc>) -> AuditEvent {
    let mut details = "the files are removed".to_owned();
    for file in task.result.iter().flat_map(|result| &result.files) {
        details.push_str(&format!("; {} sha-256 {}", file.format, file.sha256));
    }
    AuditEvent {
        id: stable_id(["expired", task.id.as_str()]),
        at,
        operation: AuditOperation::ResultExpired,
        caller: Caller {
            tenant: task.tenant.clone(),
            client: ClientId::new("service"),
            user: None,
            scopes: Vec::new(),
            data_scope: task.requester.data_scope.clone(),
            trace: None,
        },
        task: task.id.clone(),
        report: task.name.clone(),
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    fn facts(newer: u32) -> ResultFacts {
        ResultFacts { completed: day(10), newer, hold: None, expired: None }
    }

    #[test]
    fn age_count_and_hold_each_keep_a_result() {
        let policy = ResultPolicy { keep_days: Some(30), keep_last: 2 };
        let expires = |facts| policy.life(facts).expires;
        assert_eq!(expires(facts(0)), None, "it is the newest");
        assert_eq!(expires(facts(1)), None, "it is one of the two newest");
        assert_eq!(expires(facts(2)), Some(day(40)));
        let hold = Pin { by: "ada".into(), reason: "case 7".into(), at: day(11) };
        assert_eq!(expires(ResultFacts { hold: Some(hold), ..facts(9) }), None);
        assert_eq!(expires(ResultFacts { expired: Some(day(41)), ..facts(9) }), None);
        assert_eq!(ResultPolicy { keep_days: None, keep_last: 0 }.life(facts(9)).expires, None);
        assert_eq!(ResultPolicy { keep_days: Some(u32::MAX), keep_last: 0 }.life(facts(9)).expires, None);

        let life = policy.life(facts(2));
        assert!(!life.is_due(day(40) - TimeDelta::microseconds(1)) && life.is_due(day(40)));
        assert_eq!(policy.cut_off(day(40)), Some(day(10)));
        assert_eq!(ResultPolicy::default().cut_off(day(40)), None);
    }
}
