//! The audit trail as a chain, one for each tenant: what is hashed, and what a walk along it finds.
//!
//! An event's hash covers all that is kept of it, its number and the hash of the event before. So a change
//! shows at its event, and whoever changes one would have to rewrite all that follow; the chain's head (the
//! last number and hash) is kept apart and sealed with a key that the database does not hold.
//!
//! A chain whose sealed head does not hold is never extended: a forged end would be sealed with it (the store's
//! `append` holds this, in the transaction that extends the chain).
//!
//! A chain that was broken goes on behind a reseal: an event whose hash before is not that of one event but a digest of
//! everything that lay before it. So the break stays visible, and nothing before it can be changed unnoticed either.
//!
//! Limits, to be known: an older whole state of the database, head and seal included, is consistent in
//! itself. Only heads that were noted elsewhere show that it is older; a walk takes them.
//!
//! The canonical form is that of [`crate::ids::sha256_hex`] over the parts in [`AuditRecord::content_hash`]. It
//! never changes; another one gets another first part.

mod operation;

pub use operation::{AuditOperation, PublishedOperation};

use crate::caller::Caller;
use crate::ids::{TaskId, TenantId, sha256_hex};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the first event of a chain names as the hash before it.
pub const FIRST_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The first part of the canonical form.
const FORM: &str = "muster audit event 1";
/// The first part of what a reseal's digest of what lies before it is made of.
const BEFORE_FORM: &str = "muster audit before 1";
/// Findings that one walk lists; more are only counted.
const FINDINGS_MAX: usize = 1_000;

/// An act that the audit trail records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Unique id.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    pub operation: AuditOperation,
    /// By whom.
    pub caller: Caller,
    /// To which task; empty where it was to none.
    pub task: TaskId,
    /// Which report, credential or source it was.
    pub report: String,
    /// Details: format, file digest.
    pub details: String,
}

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
    pub fn after(head: &AuditHead, event: &AuditEvent, caller: String) -> Self {
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
    /// A reseal: an earlier one than the last, or one of which a walk cannot see all that it covers.
    Resealed {
        /// Its number.
        sequence: u64,
    },
    /// The events before a reseal are not those that were there when it was made, or the event does not reseal this chain.
    ChangedBeforeReseal {
        /// The reseal's number.
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
            Self::Resealed { sequence } => {
                write!(
                    f,
                    "the trail was resealed at event {sequence}: what lies before it is not known to be as recorded"
                )
            }
            Self::ChangedBeforeReseal { sequence } => {
                write!(f, "what lies before the reseal at event {sequence} is not what lay there then")
            }
            Self::Unchained { count } => write!(f, "{count} events are in no chain"),
            Self::Unrecorded { what, count, first } => {
                write!(f, "{count} {what} have no event of their beginning, the first of them {first}")
            }
        }
    }
}

/// What was found, at most a thousand; more are only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Those that are told.
    pub told: Vec<Finding>,
    /// How many there are beyond those.
    pub more: u64,
}

impl Findings {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.told.len() as u64 + self.more
    }

    fn add(&mut self, finding: Finding) {
        if self.told.len() < FINDINGS_MAX {
            self.told.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn add_all(&mut self, others: Self) {
        others.told.into_iter().for_each(|finding| self.add(finding));
        self.more += others.more;
    }
}

/// What a walk along a whole chain showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Events seen.
    pub events: u64,
    /// Where the chain ends, to be noted elsewhere.
    pub head: AuditHead,
    /// What was found; where the chain was resealed, from there on.
    pub findings: Findings,
    /// The last reseal, if there was one.
    pub resealed: Option<Resealed>,
}

impl Verification {
    /// Whether nothing was found, since the last reseal if there was one. What lies before that is for people to judge.
    pub fn is_sound(&self) -> bool {
        self.findings.count() == 0
    }
}

/// Where a chain goes on behind a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The event that says so.
    pub record: AuditRecord,
    /// Its place in the order of recording.
    pub place: i64,
    /// Events from it on, itself included.
    pub events: u64,
    /// What is wrong before it and still to be seen, earlier reseals among it. What was wrong with the trail's end is to be
    /// seen no more: the event has it ([`ResealDetails`]).
    pub before: Findings,
}

/// What the event of a reseal has as its details, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResealDetails {
    /// Why the trail goes on, in the words of who had it go on.
    pub reason: String,
    /// What was wrong, in words: the first faults.
    pub faults: Vec<String>,
    /// How many faults there were beyond those.
    pub more_faults: u64,
    /// What was there already, and may for ever lack the event of its beginning.
    pub known: KnownThings,
}

/// Things up to a moment, by the last of each kind as the store counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownThings {
    /// Tasks.
    pub tasks: i64,
    /// Snapshots.
    pub snapshots: i64,
    /// Credentials.
    pub credentials: i64,
}

/// A walk along one tenant's chain, from its first event to its last.
#[derive(Debug)]
pub struct Walk {
    events: u64,
    at: AuditHead,
    place: Option<i64>,
    noted: Vec<AuditHead>,
    findings: Findings,
    /// A digest of all events that were seen, of each with the hash that it has and the one that it should have; nothing
    /// for a walk that did not begin at the first event.
    seen: Option<String>,
    resealed: Option<Resealed>,
}

impl Walk {
    /// Begins a walk that also looks for heads that were noted elsewhere.
    pub fn new(noted: Vec<AuditHead>) -> Self {
        Self {
            events: 0,
            at: AuditHead::empty(),
            place: None,
            noted,
            findings: Findings::default(),
            seen: Some(FIRST_PREVIOUS.into()),
            resealed: None,
        }
    }

    /// Begins a walk in the middle of a chain, after this event.
    pub fn after(head: AuditHead) -> Self {
        Self { at: head, seen: None, ..Self::new(Vec::new()) }
    }

    /// The next event, by number. `place` grows with the order in which events were recorded.
    pub fn see(&mut self, place: i64, record: &AuditRecord) {
        let sequence = record.sequence;
        let content_hash = record.content_hash();
        if content_hash != record.hash {
            self.find(Finding::Changed { sequence });
        }
        if sequence <= self.at.sequence || self.place.is_some_and(|before| before >= place) {
            self.find(Finding::OutOfOrder { sequence });
        } else if sequence > self.at.sequence + 1 {
            self.find(Finding::Gap { after: self.at.sequence, before: sequence });
        }
        if record.operation == AuditOperation::Resealed.name() {
            match &self.seen {
                None => self.find(Finding::Resealed { sequence }),
                Some(seen) if *seen == record.previous && content_hash == record.hash => {
                    self.go_on(place, record)
                }
                Some(_) => self.find(Finding::ChangedBeforeReseal { sequence }),
            }
        } else if record.previous != self.at.hash {
            self.find(Finding::Detached { sequence });
        }
        if let Some(seen) = &mut self.seen {
            *seen = sha256_hex([BEFORE_FORM, seen, &content_hash, &record.hash]);
        }
        if let Some(resealed) = &mut self.resealed {
            resealed.events += 1;
        }
        self.noted.retain(|noted| noted.sequence != sequence || noted.hash != record.hash);
        self.events += 1;
        self.place = Some(place);
        self.at = AuditHead { sequence, hash: record.hash.clone() };
    }

    /// Everything that was found lies before this event from now on, which covers all of it.
    fn go_on(&mut self, place: i64, record: &AuditRecord) {
        let mut before = Findings::default();
        if let Some(earlier) = self.resealed.take() {
            before = earlier.before;
            before.add(Finding::Resealed { sequence: earlier.record.sequence });
        }
        before.add_all(std::mem::take(&mut self.findings));
        let (missing, noted) = self.noted.drain(..).partition(|noted| noted.sequence < record.sequence);
        self.noted = noted;
        missing_heads(missing).for_each(|finding| before.add(finding));
        self.resealed = Some(Resealed { record: record.clone(), place, events: 0, before });
    }

    /// Something wrong before the last reseal that does not show in the chain.
    pub fn note_before(&mut self, finding: Finding) {
        match &mut self.resealed {
            Some(resealed) => resealed.before.add(finding),
            None => self.find(finding),
        }
    }

    /// The last reseal that was seen.
    pub fn resealed(&self) -> Option<&Resealed> {
        self.resealed.as_ref()
    }

    /// Behind what a reseal of all that was seen has its place: its number is that of no event and of no head there ever was,
    /// and the hash before it covers all events. `None` for a walk that did not begin at the first event.
    pub fn to_reseal(&self, kept: Option<&AuditHead>) -> Option<AuditHead> {
        let sequence = kept.map_or(0, |kept| kept.sequence).max(self.at.sequence);
        self.seen.clone().map(|hash| AuditHead { sequence, hash })
    }

    /// Something outside the chain that does not agree with it.
    pub fn note(&mut self, finding: Finding) {
        self.find(finding);
    }

    /// How many events were seen.
    pub fn events(&self) -> u64 {
        self.events
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
        let missing = std::mem::take(&mut self.noted);
        missing_heads(missing).for_each(|finding| self.find(finding));
        if unchained > 0 {
            self.find(Finding::Unchained { count: unchained });
        }
        Verification { events: self.events, head: self.at, findings: self.findings, resealed: self.resealed }
    }

    fn find(&mut self, finding: Finding) {
        self.findings.add(finding);
    }
}

/// Noted heads that are not in the chain. An empty trail is the beginning of every other.
fn missing_heads(noted: Vec<AuditHead>) -> impl Iterator<Item = Finding> {
    let noted = noted.into_iter().filter(|noted| *noted != AuditHead::empty());
    noted.map(|noted| Finding::NotedHeadMissing { sequence: noted.sequence })
}

#[cfg(test)]
mod tests;
