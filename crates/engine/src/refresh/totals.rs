//! What there is after a refresh, beside what there was before it: the numbers by which a person sees at once whether
//! something is wrong.

use super::work::{self, Work};
use crate::error::Result;

/// A number of the whole tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// What is counted.
    pub counted: &'static str,
    /// How many there are.
    pub now: u64,
    /// How many the last snapshot had; `None` before the first.
    pub before: Option<u64>,
}

/// What is counted, and how in tables whose names begin with `{of}`.
const TOTALS: [(&str, &str); 6] = [
    ("linked accounts", "{of}_accounts WHERE dead_since IS NULL AND identity_id IS NOT NULL"),
    ("uncorrelated accounts", "{of}_accounts WHERE dead_since IS NULL AND NOT system AND uncorrelated"),
    ("disputed accounts", "{of}_accounts WHERE dead_since IS NULL AND situation = 'DISPUTED'"),
    ("orphan identities", "{of}_identities WHERE NOT correlated AND NOT protected"),
    ("identity errors", "{of}_identity_errors"),
    ("refused records", "{of}_rejected_records"),
];

/// The totals of the tables that were written, and of those before where there are any.
pub(super) async fn count(work: &Work, has_previous: bool) -> Result<Vec<Total>> {
    let now = counts(work, "written").await?;
    let before = if has_previous { Some(counts(work, "prev").await?) } else { None };
    let before = |at: usize| before.as_ref().and_then(|counts| counts.get(at)).copied();
    let totals = TOTALS.iter().zip(now).enumerate();
    Ok(totals.map(|(at, ((counted, _), now))| Total { counted, now, before: before(at) }).collect())
}

async fn counts(work: &Work, of: &str) -> Result<Vec<u64>> {
    let parts = TOTALS.iter().enumerate().map(|(at, (_, rows))| {
        format!("SELECT {at} AS place, count(*) AS n FROM {}", rows.replace("{of}", of))
    });
    let sql = format!("SELECT n FROM ({}) ORDER BY place", parts.collect::<Vec<_>>().join(" UNION ALL "));
    work::counts("totals", &work.rows("totals", &sql).await?, 0)
}
