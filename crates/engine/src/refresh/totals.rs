//! What there is after a refresh, beside what there was before it: the numbers by which a person sees at once whether
//! something is wrong.

use super::steps::{self, Step};
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

/// What is counted, by the steps that count it: each reads one table, and leaves its numbers in this order.
const TOTALS: [(&Step, &[&str]); 4] = [
    (&steps::TOTALS_OF_ACCOUNTS, &["linked accounts", "uncorrelated accounts", "disputed accounts"]),
    (&steps::TOTALS_OF_IDENTITIES, &["orphan identities"]),
    (&steps::TOTALS_OF_ERRORS, &["identity errors"]),
    (&steps::TOTALS_OF_REJECTED, &["refused records"]),
];

/// The totals of the tables that were written, and of those before where there are any.
pub(super) async fn count(work: &Work, has_previous: bool) -> Result<Vec<Total>> {
    let now = counts(work, "written").await?;
    let before = if has_previous { Some(counts(work, "prev").await?) } else { None };
    let before = |at: usize| before.as_ref().and_then(|counts| counts.get(at)).copied();
    let counted = TOTALS.iter().flat_map(|(_, counted)| counted.iter().copied());
    let totals = counted.zip(now).enumerate();
    Ok(totals.map(|(at, (counted, now))| Total { counted, now, before: before(at) }).collect())
}

async fn counts(work: &Work, version: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for (step, counted) in TOTALS {
        let rows = work.rows_of(step, &vec![("version", version.to_owned())], &[]).await?;
        for column in 0..counted.len() {
            found.extend(work::counts("totals", &rows, column)?);
        }
    }
    Ok(found)
}
