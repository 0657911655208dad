//! Snapshots, and sources as their last reads left them. No published shape: our service's answers.

use crate::report::Hold;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The sum of a column over the records of a source. Numbers are texts with a point before the decimals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSum {
    /// The column.
    #[schema(example = "amount")]
    pub column: String,
    /// The owner's sum; absent if it could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "1250.75")]
    pub stated: Option<String>,
    /// Over all records that were read, refused ones included.
    #[schema(example = "1250.75")]
    pub read: String,
    /// Of it, that of refused records.
    #[schema(example = "0")]
    pub refused: String,
    /// Of it, that of the records that accounts were made of; absent in snapshots of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "1250.75")]
    pub loaded: Option<String>,
    /// Values and records that the sum lacks, because they have no number that could be read.
    pub unreadable: u64,
}

/// A source as the newest snapshot has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceDescription {
    /// Its id: what arguments of reports take.
    #[schema(example = "2c9180897e7742b2017e781782f705b9")]
    pub id: String,
    /// Its name.
    #[schema(example = "Active Directory")]
    pub name: String,
    /// Its kind: `delimited`, `ldap` and so on.
    #[schema(example = "delimited")]
    pub kind: String,
    /// Whether its accounts make identities.
    pub authoritative: bool,
    /// The identity profile of an authoritative source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub profile: Option<String>,
    /// When the last read began, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub started: String,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub ended: String,
    /// The date of the data, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub as_of: Option<String>,
    /// Whether everything was read.
    pub complete: bool,
    /// Why not, or what else a reader must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub remark: Option<String>,
    /// What the reader noticed.
    pub warnings: Vec<String>,
    /// How many records the source says that it has, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reported_total: Option<u64>,
    /// The sum of a column that the owner of the source states, beside what was read, if the definition wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub sum: Option<SourceSum>,
    /// Records that were read.
    pub read: u64,
    /// Of these, refused ones.
    pub rejected: u64,
    /// Accounts that were loaded.
    pub loaded: u64,
    /// Accounts that are new.
    pub created: u64,
    /// Accounts that changed.
    pub updated: u64,
    /// Accounts that did not change.
    pub unchanged: u64,
    /// Accounts that were not found any more.
    pub missing: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotDescription {
    /// Its id.
    pub id: String,
    /// When it was made, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created: String,
    /// How many rows each of its tables has; absent for a caller who sees rows of some sources only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub rows: Option<BTreeMap<String, u64>>,
    /// The size of its files, in bytes; snapshots share files. Absent as `rows` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub bytes: Option<u64>,
    /// Why it is kept whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub pin: Option<Hold>,
    /// When it expired: its data is gone, or may be at any moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub expired: Option<String>,
}
