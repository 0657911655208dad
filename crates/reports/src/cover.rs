//! The cover of a result: what an auditor asks of information that a system produced.
//!
//! Source, logic, parameters, completeness and accuracy (docs/files.md). It is kept as
//! JSON, apart from the files.

use crate::caller::CallerKind;
use crate::ids::TaskId;
use crate::message::Message;
use crate::snapshot::SourceRun;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The report that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverReport {
    /// Definition id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Definition version.
    pub version: u32,
    /// SHA-256 of the definition file.
    pub digest: String,
    /// Whether it is one of the built-in reports.
    pub built_in: bool,
    /// The rules that it serves; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub norms: Vec<String>,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverRequester {
    /// User name, or client id of an application.
    pub name: String,
    /// Identity id, for a user.
    pub identity_id: Option<String>,
    /// Kind of credential.
    pub credential: CallerKind,
    /// Client id.
    pub client_id: String,
    /// The rows this requester may see.
    pub data_scope: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverSnapshot {
    /// Snapshot id.
    pub id: String,
    /// When it was published.
    pub created: DateTime<Utc>,
    /// Its age when the task was submitted.
    pub age_seconds: i64,
    /// The sources the report read.
    pub sources: Vec<SourceRun>,
}

/// A snapshot of a period, other than the one that is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverEarlier {
    /// Snapshot id.
    pub id: String,
    /// When it was published.
    pub created: DateTime<Utc>,
    /// Whether it was read. If not, its data was not kept any more.
    pub read: bool,
}

/// One named number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What is counted.
    pub label: String,
    /// How many.
    pub rows: u64,
}

/// A breakdown of the reported rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// What the rows are broken down by.
    pub by: String,
    /// The parts; they add up to the reported rows.
    pub parts: Vec<Count>,
}

/// Population, what was left out and why, and what was reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Everything that could have been reported.
    pub population: u64,
    /// What was left out, by reason.
    pub excluded: Vec<Count>,
    /// Rows beyond one for each of the rest, by reason: elements of lists that are spread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Count>,
    /// Population less exclusions, with what was added: what must have been written.
    pub expected: u64,
    /// Rows written.
    pub reported: u64,
    /// Breakdowns of the reported rows.
    pub subtotals: Vec<Breakdown>,
}

/// A column of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverColumn {
    /// Technical name.
    pub name: String,
    /// Label.
    pub label: String,
    /// What a cell says.
    pub meaning: String,
    /// Where the column comes from: `definition`, `identity attribute`, `account attribute`.
    pub origin: String,
}

/// A file inside the result's archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverPart {
    /// Name without extension: a type of document.
    pub name: String,
    /// Columns, in file order.
    pub columns: Vec<CoverColumn>,
    /// Completeness of this part.
    pub reconciliation: Reconciliation,
}

/// One published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverFile {
    /// Name.
    pub name: String,
    /// Format.
    pub format: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Data rows, the header not counted.
    pub rows: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

/// A query by which rows were counted, apart from the one that gave them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountingQuery {
    /// What it counts: `population`, an exclusion's reason, `rows by` something.
    pub what: String,
    /// Its text.
    pub query: String,
}

/// The whole cover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cover {
    /// Version of this document's shape.
    pub cover_version: u32,
    /// The task.
    pub task_id: TaskId,
    /// Which report.
    pub report: CoverReport,
    /// Tenant.
    pub tenant: String,
    /// Who asked.
    pub requester: CoverRequester,
    /// When it was asked for.
    pub submitted: DateTime<Utc>,
    /// When the attempt that succeeded began.
    pub started: DateTime<Utc>,
    /// When the files were complete.
    pub completed: DateTime<Utc>,
    /// Version of the program.
    pub product_version: String,
    /// The checked arguments.
    pub arguments: serde_json::Value,
    /// The query text that was planned, with its order.
    pub effective_query: String,
    /// What was read.
    pub snapshot: CoverSnapshot,
    /// The snapshots with which it was compared, the first made first, for a report over a period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<CoverEarlier>,
    /// Completeness.
    pub reconciliation: Reconciliation,
    /// The queries by which that was counted. Covers of old have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted_by: Vec<CountingQuery>,
    /// Columns, in file order.
    pub columns: Vec<CoverColumn>,
    /// What the archive holds, for a result that is one; `columns` is empty then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<CoverPart>,
    /// What a reader must know.
    pub messages: Vec<Message>,
    /// The files.
    pub files: Vec<CoverFile>,
    /// Whether cells of the CSV files have the guard against formulas; absent where there is no CSV file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv_formula_guard: Option<bool>,
    /// How to check the files without this program.
    pub how_to_verify: String,
}
