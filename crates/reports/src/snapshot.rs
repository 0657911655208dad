//! What a report needs to know of the data it reads: one published state, and the runs that it was made from.

use crate::ids::{SnapshotId, SourceId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a source was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregationMode {
    /// Everything the source holds.
    Full,
    /// What changed since the last run.
    Partial,
}

impl AggregationMode {
    /// The name that tables and covers show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
        }
    }
}

/// The sum of a column over the records of a source, beside the owner's. Numbers are texts with a point before the decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSum {
    /// The column.
    pub column: String,
    /// The owner's sum; `None` where it could not be had.
    pub stated: Option<String>,
    /// Over all records that were read, refused ones included.
    pub read: String,
    /// Of it, that of refused records.
    pub refused: String,
    /// Of it, that of the records that accounts were made of. Snapshots of old, and sums that are too great, have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<String>,
    /// Values and records that the sum lacks, because they have no number that could be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u64,
}

/// The last aggregation of one source that this snapshot rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRun {
    /// The source.
    pub id: SourceId,
    /// Its name at that time.
    pub name: String,
    /// `delimited` and so on.
    pub kind: String,
    /// Whether an identity profile rests on it.
    pub authoritative: bool,
    /// The identity profile's name, for an authoritative source.
    pub profile: Option<String>,
    /// How it was read.
    pub mode: AggregationMode,
    /// When reading began.
    pub started: DateTime<Utc>,
    /// When reading ended.
    pub ended: DateTime<Utc>,
    /// Whether everything the source holds was read.
    pub complete: bool,
    /// Why not, where it was not, or why missing accounts were kept.
    pub remark: Option<String>,
    /// The total the source itself reported, where it reports one.
    pub reported_total: Option<u64>,
    /// The sum of a column that its owner states, beside what was read, where its definition wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<SourceSum>,
    /// Records read.
    pub read: u64,
    /// Records refused, each listed with line and reason.
    pub rejected: u64,
    /// Live accounts after the run.
    pub loaded: u64,
    /// Accounts seen for the first time.
    pub created: u64,
    /// Accounts whose content changed.
    pub updated: u64,
    /// Accounts seen unchanged.
    pub unchanged: u64,
    /// Accounts no longer there.
    pub missing: u64,
    /// Live accounts that are as of an earlier read: this one refused their records, did not come to them, or lacks them
    /// and may not mark them missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale: u64,
    /// The time that the data itself says it is of, where the source's definition says where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// SHA-256 of the input, where it is one.
    pub input_digest: Option<String>,
    /// The source's account attributes, in schema order.
    pub attributes: Vec<String>,
    /// What the source's next read can continue from, in the reader's own form; it is kept with the accounts that it is
    /// about, and so is never newer than they are. Holds no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What a reader must know though nothing failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Which values of typed columns of its records could not be read, one text for each column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_values: Vec<String>,
    /// The types of search documents that it gave, by the names of their indices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// SHA-256 of the source's definition and of the program's version, by which the next refresh sees that they are
    /// the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_digest: Option<String>,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
    /// What was counted in it when it was written, by name: a refresh that keeps the file counts it by these numbers.
    /// Empty for files that nothing is counted in, and for those of old snapshots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A published snapshot: one version of every table, and what it was made from. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotManifest {
    /// Its id.
    pub id: SnapshotId,
    /// When its refresh ended.
    pub created: DateTime<Utc>,
    /// The version of each table.
    pub versions: BTreeMap<String, u64>,
    /// The identity attributes of the tenant, in schema order.
    pub identity_attributes: Vec<String>,
    /// Every source, by name, with its last aggregation.
    pub sources: Vec<SourceRun>,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Number of the last event of the audit trail that is among its search documents; the next refresh reads on from
    /// there. Snapshots of old have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<u64>,
    /// The files of each table, by their names. Snapshots of old have none, and cannot be checked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, BTreeMap<String, TableFile>>,
}

impl SnapshotManifest {
    /// The source with this id.
    pub fn source(&self, id: &str) -> Option<&SourceRun> {
        self.sources.iter().find(|source| source.id.as_str() == id)
    }
}
