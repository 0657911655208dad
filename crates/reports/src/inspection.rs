//! What people look at beside reports: why an account belongs to its identity, what differs between two snapshots, and how
//! the service is.
//!
//! Why here: commands and routes tell the same, and neither the engine nor the routes know each other.

use crate::ids::SnapshotId;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// An identity that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// An identity that a rule does not match because of a difference that people do not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Near {
    /// The identity.
    pub identity: Candidate,
    /// The account's value.
    pub account_value: String,
    /// The identity's value.
    pub identity_value: String,
    /// The kind of the difference, for people.
    pub differ_in: &'static str,
}

/// The result of one rule for the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutcome {
    /// `identity attribute = account attribute`.
    pub rule: String,
    /// The account's values that were compared, unchanged.
    pub values: Vec<String>,
    /// The identities that the rule found, by id. Only the first are listed.
    pub candidates: Vec<Candidate>,
    /// Number of identities that the rule found.
    pub found: u64,
    /// If the rule found none: the first identities that it would find with a less strict comparison.
    pub near: Vec<Near>,
    /// Whether this rule decides: it is the first that found an identity. Later rules are not evaluated.
    pub decides: bool,
}

/// The identity of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// LINKED, PLACEHOLDER_OWNER, UNMATCHED or DISPUTED.
    pub situation: String,
    /// The identity's id, where there is one.
    pub identity: Option<String>,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
}

/// An account's correlation, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CorrelationExplanation {
    /// The snapshot whose data and rules these are.
    pub snapshot: SnapshotId,
    /// The source's name.
    pub source: String,
    /// The account.
    pub native_identity: String,
    /// Whether an identity profile rests on the source.
    pub authoritative: bool,
    /// When a refresh found the account missing. Since then, it is not correlated.
    pub missing_since: Option<String>,
    /// The identity's name in the manual link of the account.
    pub manual_link: Option<String>,
    /// Each rule of the source, in order.
    pub rules: Vec<RuleOutcome>,
    /// The result of the manual link and the rules.
    pub verdict: Verdict,
    /// The reason, for people.
    pub reason: String,
    /// The result that the refresh wrote.
    pub recorded: Verdict,
    /// The name of the recorded identity.
    pub identity_name: Option<String>,
    /// Whether the verdict is equal to the recorded one.
    pub agrees: bool,
}

/// A record that the last read of its source refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Its line or number; 0 if it has none.
    pub line: u64,
    /// The account or the document that it names; `None` if that cannot be read.
    pub native_identity: Option<String>,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

/// How often something differs between two snapshots: whole objects, or one attribute of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountedDifference {
    /// The kind of object.
    pub object: String,
    /// What happened to it.
    pub change: String,
    /// The attribute; absent for whole objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// How often.
    pub count: u64,
}

/// A folder, and how much room its disk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskRoom {
    /// What the folder is for: `data`, `work`, `shared`.
    pub folder: &'static str,
    /// Bytes that are free on its disk.
    pub free_bytes: u64,
}

/// A key of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAge {
    /// What it is for.
    pub purpose: &'static str,
    /// When its file was written.
    pub since: DateTime<Utc>,
    /// Until when the key before it still checks.
    pub previous_until: Option<DateTime<Utc>>,
}

/// A limit that is set, with its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetLimit {
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub value: u64,
    /// The unit of the value.
    pub unit: &'static str,
}

/// How an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The version of the program.
    pub version: &'static str,
    /// `SQLite` or `PostgreSQL`.
    pub database: &'static str,
    /// Its folders.
    pub disks: Vec<DiskRoom>,
    /// Its keys.
    pub keys: Vec<KeyAge>,
    /// Its limits.
    pub limits: Vec<SetLimit>,
    /// The names of the outside issuers whose tokens are accepted, each with whether people sign in there.
    pub issuers: Vec<(String, bool)>,
}
