//! How two runs of one report differ. No published shape: our service's answer, which the SDK reads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How two runs of one report differ, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportComparison {
    /// The task result id of the earlier run.
    pub old: String,
    /// The task result id of the later run.
    pub new: String,
    /// The columns that rows were told apart by.
    pub keys: Vec<String>,
    /// Rows that only the new one has.
    pub added: u64,
    /// Rows that only the old one has.
    pub removed: u64,
    /// Rows that both have, with other cells.
    pub changed: u64,
    /// Rows that both have as they are.
    pub unchanged: u64,
    /// Columns that only the new one has; they are not compared.
    pub columns_added: Vec<String>,
    /// Columns that only the old one has; they are not compared.
    pub columns_removed: Vec<String>,
}
