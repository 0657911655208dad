//! The audit trail as a chain, one for each tenant: what is hashed, and what a walk along it finds.
//!
//! An event's hash covers all that is kept of it, its number and the hash of the event before. So a change
//! shows at its event, and whoever changes one would have to rewrite all that follow; the chain's head (the
//! last number and hash) is kept apart and sealed with a key that the database does not hold.
//!
//! A chain whose sealed head does not hold is never extended: a forged end would be sealed with it (the store's
//! `append` holds this, in the transaction that extends the chain).
//!
//! Limits, to be known: an older whole state of the database, head and seal included, is consistent in
//! itself. Only heads that were noted elsewhere show that it is older; a walk takes them.
//!
//! The canonical form is that of [`crate::ids::sha256_hex`] over the parts in [`AuditRecord::content_hash`]. It
//! never changes; another one gets another first part.

mod operation;

pub use operation::{AuditOperation, PublishedOperation};

use crate::ids::{TenantId, sha256_hex};
use crate::ports::AuditEvent;
use std::fmt;

/// What the first event of a chain names as the hash before it.
pub const FIRST_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The first part of the canonical form.
const FORM: &str = "muster audit event 1";
/// Findings that one walk lists; more are only counted.
const FINDINGS_MAX: usize = 1_000;

/// An event as it is kept: every column in its plain form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Number in the tenant's chain; the first is 1.
    pub sequence: u64,
    /// Hash of the event before, 64 hex digits; [`FIRST_PREVIOUS`] for the first.
    pub previous: String,
    /// Hash of this event, 64 hex digits.
    pub hash: String,
    /// Unique id.
    pub id: String,
    /// Microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// Name of the operation, see [`AuditOperation::name`].
    pub operation: String,
    /// Whose event it is.
    pub tenant: String,
    /// The caller, as the JSON text that is kept.
    pub caller: String,
    /// The task's id.
    pub task: String,
    /// The report.
    pub report: String,
    /// Details.
    pub details: String,
}

impl AuditRecord {
    /// The record of `event` after `head`. `caller` is the event's caller as JSON text.
    pub fn behind(head: &AuditHead, event: &AuditEvent, caller: String) -> Self {
        let mut record = Self {
            sequence: head.sequence + 1,
            previous: head.hash.clone(),
            hash: String::new(),
            id: event.id.clone(),
            at_micros: event.at.timestamp_micros(),
            operation: event.operation.name().into(),
            tenant: event.caller.tenant.as_str().into(),
            caller,
            task: event.task.as_str().into(),
            report: event.report.clone(),
            details: event.details.clone(),
        };
        record.hash = record.content_hash();
        record
    }

    /// The hash that the content asks for.
    pub fn content_hash(&self) -> String {
        sha256_hex([
            FORM,
            &self.sequence.to_string(),
            &self.previous,
            &self.id,
            &self.at_micros.to_string(),
            &self.operation,
            &self.tenant,
            &self.caller,
            &self.task,
            &self.report,
            &self.details,
        ])
    }
}

/// An event with its place in the tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainedEvent {
    /// Number in the chain; the first is 1, and no number is missing.
    pub sequence: u64,
    /// Hash of this event, 64 hex digits.
    pub hash: String,
    /// The event.
    pub event: AuditEvent,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the last event; 0 for an empty chain.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

impl AuditHead {
    /// The head of an empty chain.
    pub fn empty() -> Self {
        Self { sequence: 0, hash: FIRST_PREVIOUS.into() }
    }

    /// What a seal of this head is made over.
    pub fn sealed_text(&self, tenant: &TenantId) -> String {
        sha256_hex(["muster audit head 1", tenant.as_str(), &self.sequence.to_string(), &self.hash])
    }
}

/// What the seal of a head that is kept shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Made with the key, over this head.
    Good,
    /// Not made over this head, or not with the key.
    Wrong,
    /// There is none.
    Missing,
    /// Nobody has a key to check it with.
    NotChecked,
}

/// Something in a chain that nobody may have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The event's content does not fit its hash.
    Changed {
        /// Its number.
        sequence: u64,
    },
    /// The event does not name the hash of the one before it.
    Detached {
        /// Its number.
        sequence: u64,
    },
    /// Numbers are missing.
    Gap {
        /// The number before the gap; 0 at the beginning.
        after: u64,
        /// The number after it.
        before: u64,
    },
    /// The event was recorded before the one that its number follows, or a number occurs twice.
    OutOfOrder {
        /// Its number.
        sequence: u64,
    },
    /// The head that is kept is not where the events end: some were removed, or the head was changed.
    HeadDiffers {
        /// The number in the head; 0 where there is no head.
        kept: u64,
        /// The number of the last event.
        found: u64,
    },
    /// The head's seal is missing or was not made over it.
    SealWrong,
    /// A head that was noted elsewhere is not in the chain: it was rewritten or is an older state.
    NotedHeadMissing {
        /// The number that was noted.
        sequence: u64,
    },
    /// Events that are in no chain although the chain had begun.
    Unchained {
        /// How many.
        count: u64,
    },
    /// Things that are there although the trail has no event of their beginning: it was wiped, or cut back to an
    /// earlier head.
    Unrecorded {
        /// Which things: `tasks`.
        what: &'static str,
        /// How many.
        count: u64,
        /// The id of the first.
        first: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { sequence } => write!(f, "event {sequence} was changed: its hash does not fit it"),
            Self::Detached { sequence } => {
                write!(f, "event {sequence} does not follow the one before it: it names another hash")
            }
            Self::Gap { after, before } if before - after == 2 => {
                write!(f, "event {} is missing", after + 1)
            }
            Self::Gap { after, before } => write!(f, "events {} to {} are missing", after + 1, before - 1),
            Self::OutOfOrder { sequence } => write!(f, "event {sequence} is out of order"),
            Self::HeadDiffers { kept, found } => {
                write!(f, "the trail's head is event {kept}, and the last event found is {found}")
            }
            Self::SealWrong => write!(f, "the trail's head is not sealed with this service's key"),
            Self::NotedHeadMissing { sequence } => {
                write!(
                    f,
                    "event {sequence} is not the one that was noted: the trail was rewritten or put back"
                )
            }
            Self::Unchained { count } => write!(f, "{count} events are in no chain"),
            Self::Unrecorded { what, count, first } => {
                write!(f, "{count} {what} have no event of their beginning, the first of them {first}")
            }
        }
    }
}

/// What a walk along a whole chain showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Events seen.
    pub events: u64,
    /// Where the chain ends, to be noted elsewhere.
    pub head: AuditHead,
    /// What was found, at most a thousand.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
}

impl Verification {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A walk along one tenant's chain, from its first event to its last.
#[derive(Debug)]
pub struct Walk {
    events: u64,
    at: AuditHead,
    place: Option<i64>,
    noted: Vec<AuditHead>,
    findings: Vec<Finding>,
    more_findings: u64,
}

impl Walk {
    /// Begins a walk that also looks for heads that were noted elsewhere.
    pub fn new(noted: Vec<AuditHead>) -> Self {
        Self { events: 0, at: AuditHead::empty(), place: None, noted, findings: Vec::new(), more_findings: 0 }
    }

    /// Begins a walk in the middle of a chain, after this event.
    pub fn behind(head: AuditHead) -> Self {
        Self { at: head, ..Self::new(Vec::new()) }
    }

    /// The next event, by number. `place` grows with the order in which events were recorded.
    pub fn see(&mut self, place: i64, record: &AuditRecord) {
        let sequence = record.sequence;
        if record.content_hash() != record.hash {
            self.find(Finding::Changed { sequence });
        }
        if sequence <= self.at.sequence || self.place.is_some_and(|before| before >= place) {
            self.find(Finding::OutOfOrder { sequence });
        } else if sequence > self.at.sequence + 1 {
            self.find(Finding::Gap { after: self.at.sequence, before: sequence });
        }
        if record.previous != self.at.hash {
            self.find(Finding::Detached { sequence });
        }
        self.noted.retain(|noted| noted.sequence != sequence || noted.hash != record.hash);
        self.events += 1;
        self.place = Some(place);
        self.at = AuditHead { sequence, hash: record.hash.clone() };
    }

    /// Something outside the chain that does not agree with it.
    pub fn note(&mut self, finding: Finding) {
        self.find(finding);
    }

    /// The last event seen.
    pub fn head(&self) -> &AuditHead {
        &self.at
    }

    /// The chain is at its end; `head` is the one that is kept.
    pub fn finish(mut self, head: Option<AuditHead>, seal: Seal, unchained: u64) -> Verification {
        let kept = head.unwrap_or_else(AuditHead::empty);
        if kept != self.at {
            self.find(Finding::HeadDiffers { kept: kept.sequence, found: self.at.sequence });
        }
        match seal {
            Seal::Wrong | Seal::Missing if kept.sequence > 0 => self.find(Finding::SealWrong),
            Seal::Wrong | Seal::Missing | Seal::Good | Seal::NotChecked => {}
        }
        for noted in std::mem::take(&mut self.noted) {
            // An empty trail is the beginning of every other.
            if noted != AuditHead::empty() {
                self.find(Finding::NotedHeadMissing { sequence: noted.sequence });
            }
        }
        if unchained > 0 {
            self.find(Finding::Unchained { count: unchained });
        }
        Verification {
            events: self.events,
            head: self.at,
            findings: self.findings,
            more_findings: self.more_findings,
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, previous: &str) -> AuditRecord {
        AuditRecord {
            sequence,
            previous: previous.into(),
            hash: String::new(),
            id: format!("event-{sequence}"),
            at_micros: 1_772_442_000_000_000,
            operation: "download".into(),
            tenant: "acme".into(),
            caller: "{\"a\":1}".into(),
            task: "task-1".into(),
            report: "Account Report".into(),
            details: "naïve\n".into(),
        }
    }

    /// Computed with Python's hashlib: each part preceded by its length in bytes, eight of them, big-endian.
    #[test]
    fn the_canonical_form_is_fixed() {
        let first = record(1, FIRST_PREVIOUS);
        assert_eq!(first.content_hash(), "8976656052a816feaac4604ad4c7e2496ded1cd6f3c59726e7a6cea936008553");
        let second = AuditRecord {
            at_micros: 1_772_442_000_000_001,
            operation: "start".into(),
            caller: "{}".into(),
            task: "task-2".into(),
            report: String::new(),
            details: String::new(),
            ..record(2, &first.content_hash())
        };
        assert_eq!(second.content_hash(), "f0aff3633f21cac9a72f698812473b252e9cc707579dc12b0ca0849ad8864d08");
    }

    #[test]
    fn findings_are_told_in_words() {
        let gap = |after, before| Finding::Gap { after, before }.to_string();
        assert_eq!(gap(4, 6), "event 5 is missing");
        assert_eq!(gap(0, 4), "events 1 to 3 are missing");
    }
}
