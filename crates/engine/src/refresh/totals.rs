//! What there is after a refresh, beside what there was before it: the numbers by which a person sees at once whether
//! something is wrong.

use super::work::{self, Work};
use crate::error::Result;
use serde::Serialize;

/// A number of the whole tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// What is counted.
    pub counted: &'static str,
    /// How many there are.
    pub now: u64,
    /// How many the last snapshot had; `None` before the first.
    pub before: Option<u64>,
}

/// What is counted, in which table, and which of its rows. A table is read once for its neighbours.
const TOTALS: [(&str, &str, &str); 6] = [
    ("linked accounts", "accounts", "dead_since IS NULL AND identity_id IS NOT NULL"),
    ("uncorrelated accounts", "accounts", "dead_since IS NULL AND NOT system AND uncorrelated"),
    ("disputed accounts", "accounts", "dead_since IS NULL AND situation = 'DISPUTED'"),
    ("orphan identities", "identities", "NOT correlated AND NOT protected"),
    ("identity errors", "identity_errors", "true"),
    ("refused records", "rejected_records", "true"),
];

/// The totals of the tables that were written, and of those before where there are any.
pub(super) async fn count(work: &Work, has_previous: bool) -> Result<Vec<Total>> {
    let now = counts(work, "written").await?;
    let before = if has_previous { Some(counts(work, "prev").await?) } else { None };
    let before = |at: usize| before.as_ref().and_then(|counts| counts.get(at)).copied();
    let totals = TOTALS.iter().zip(now).enumerate();
    Ok(totals.map(|(at, ((counted, ..), now))| Total { counted, now, before: before(at) }).collect())
}

async fn counts(work: &Work, of: &str) -> Result<Vec<u64>> {
    let mut found = Vec::with_capacity(TOTALS.len());
    for of_table in TOTALS.chunk_by(|(_, one, _), (_, next, _)| one == next) {
        let numbers: Vec<_> =
            of_table.iter().map(|(.., rows)| format!("count(CASE WHEN {rows} THEN 1 END)")).collect();
        let sql = format!("SELECT {} FROM {of}_{}", numbers.join(", "), of_table[0].1);
        let rows = work.rows("totals", &sql).await?;
        for column in 0..of_table.len() {
            found.extend(work::counts("totals", &rows, column)?);
        }
    }
    Ok(found)
}
