//! What people look at beside reports. No published shape: our service's answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An identity that a rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkCandidate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// An identity that a rule misses by what people do not see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkNear {
    /// The identity.
    pub identity: LinkCandidate,
    /// The account's value.
    pub account_value: String,
    /// The identity's value.
    pub identity_value: String,
    /// What they differ in.
    #[schema(example = "case")]
    pub differ_in: String,
}

/// What a rule makes of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkRule {
    /// Identity attribute and account attribute.
    #[schema(example = "employeeNumber = employeeID")]
    pub rule: String,
    /// The account's values that are compared.
    pub values: Vec<String>,
    /// The identities that it finds, by id; the first 20.
    pub candidates: Vec<LinkCandidate>,
    /// How many identities it finds.
    pub found: u64,
    /// If it finds none: identities that it would find with a less strict comparison.
    pub near: Vec<LinkNear>,
    /// Whether it decides: it is the first that finds an identity.
    pub decides: bool,
}

/// Whose an account is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkVerdict {
    /// LINKED, PLACEHOLDER_OWNER, UNMATCHED or DISPUTED.
    pub situation: String,
    /// The identity's id, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity: Option<String>,
    /// The rule that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub rule: Option<String>,
}

/// Why an account belongs to its identity, or to none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkExplanation {
    /// The snapshot whose data and rules these are.
    pub snapshot: String,
    /// The source's name.
    pub source: String,
    /// The account.
    pub native_identity: String,
    /// Whether the source's accounts make identities.
    pub authoritative: bool,
    /// When a refresh found the account missing; since then it is not correlated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub missing_since: Option<String>,
    /// The identity's name in the account's manual link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub manual_link: Option<String>,
    /// The rules of the source, in order.
    pub rules: Vec<LinkRule>,
    /// What the manual link and the rules give now.
    pub verdict: LinkVerdict,
    /// The reason, for people.
    pub reason: String,
    /// What the refresh wrote.
    pub recorded: LinkVerdict,
    /// The name of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_name: Option<String>,
    /// Whether both verdicts are equal.
    pub agrees: bool,
}

/// A record that the last read of its source refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRecordDescription {
    /// Its line or number in the source; 0 if it has none.
    #[schema(example = 42)]
    pub line: u64,
    /// The account or the document that it names; absent if that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub native_identity: Option<String>,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

/// The fields of an index that a query can name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchFieldsDescription {
    /// The name of the index.
    #[schema(example = "identities")]
    pub index: String,
    /// The full names of its fields. A map whose keys are not known ends in `*`.
    pub fields: Vec<String>,
}

/// How often something differs between two snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotDifference {
    /// The kind of object.
    #[schema(example = "account")]
    pub object: String,
    /// What happened to it.
    #[schema(example = "changed")]
    pub change: String,
    /// The attribute; absent for whole objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub attribute: Option<String>,
    /// How often.
    pub count: u64,
}

/// What differs between two snapshots, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotComparison {
    /// The id of the earlier one.
    pub old: String,
    /// The id of the later one.
    pub new: String,
    /// Whole objects first, then attributes.
    pub differences: Vec<SnapshotDifference>,
}

/// Why a snapshot is pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinDetails {
    /// Why: a quarter's end, a legal hold.
    #[schema(example = "year end 2025")]
    pub reason: String,
}

/// A client of the token endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientDescription {
    /// Its id.
    pub id: String,
    /// The user's name; empty for an application.
    pub name: String,
    /// Whether it is a user.
    pub user: bool,
    /// What the user is in the organisation.
    pub levels: Vec<String>,
    /// What it grants.
    pub scopes: Vec<String>,
    /// The rows that it may see.
    #[schema(example = "everything")]
    pub rows: String,
    /// The limits of an auditor: period, reports and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub limits: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created: String,
    /// What it is for.
    pub description: String,
}

/// An event of the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEventDescription {
    /// Its number in the trail.
    pub sequence: u64,
    /// When, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
    /// What happened.
    #[schema(example = "download")]
    pub operation: String,
    /// The user's name, or the client.
    pub who: String,
    /// The client.
    pub client: String,
    /// The task that it is about; empty for none.
    pub task: String,
    /// The report, or what else it is about.
    pub about: String,
    /// What else is known.
    pub details: String,
    /// Its hash, which has that of the event before in it.
    pub hash: String,
}

/// A page of the audit trail, and its state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTrailDescription {
    /// The number of the last event; 0 before the first.
    pub last: u64,
    /// Why no further event can be recorded; absent where the trail holds at its end. `muster audit verify` checks all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub broken: Option<String>,
    /// How many events wait to be passed on, where they are.
    pub backlog: u64,
    /// The events, the last first.
    pub events: Vec<AuditEventDescription>,
}

/// A folder of the installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskDescription {
    /// What it is for: `data`, `work` or `shared`.
    pub folder: String,
    /// Bytes that are free on its disk.
    pub free_bytes: u64,
}

/// A key of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyDescription {
    /// What it is for.
    #[schema(example = "access tokens")]
    pub purpose: String,
    /// Since when it is in use, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub since: String,
    /// Until when the key before it still checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub previous_until: Option<String>,
}

/// A limit that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitDescription {
    /// The setting.
    #[schema(example = "rate_limit.requests")]
    pub setting: String,
    /// Its value.
    pub value: u64,
    /// The unit of the value.
    #[schema(example = "requests")]
    pub unit: String,
}

/// An outside issuer whose tokens are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerDescription {
    /// Its name.
    pub name: String,
    /// Whether people sign in to the console there.
    pub sign_in: bool,
}

/// How an installation is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallationDescription {
    /// The version of the program.
    pub version: String,
    /// `SQLite` or `PostgreSQL`.
    pub database: String,
    /// Its folders.
    pub disks: Vec<DiskDescription>,
    /// Its keys.
    pub keys: Vec<KeyDescription>,
    /// Its limits.
    pub limits: Vec<LimitDescription>,
    /// The outside issuers.
    pub issuers: Vec<IssuerDescription>,
}
