//! Totals after a refresh and before it. They show a person at once whether something is wrong.

use super::steps::{self, Step};
use super::work::{self, Work};
use crate::error::Result;
use serde::Serialize;

/// A number of the whole tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// What is counted.
    pub counted: &'static str,
    /// The number now.
    pub now: u64,
    /// The number in the last snapshot; `None` before the first.
    pub before: Option<u64>,
}

/// The totals, and the steps that count them. Each step reads one table and returns its numbers in this order.
const TOTALS: [(&Step, &[&str]); 4] = [
    (&steps::TOTALS_OF_ACCOUNTS, &["linked accounts", "uncorrelated accounts", "disputed accounts"]),
    (&steps::TOTALS_OF_IDENTITIES, &["orphan identities"]),
    (&steps::TOTALS_OF_ERRORS, &["identity errors"]),
    (&steps::TOTALS_OF_REJECTED, &["refused records"]),
];

/// The totals of the written tables, and of the last snapshot if there is one.
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
