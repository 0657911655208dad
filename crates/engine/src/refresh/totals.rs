//! Totals after a refresh and before it. They show a person at once whether something is wrong.

use crate::declared::{ACCOUNTS, IDENTITIES};
use crate::digests::{self, sums};
use crate::error::Result;
use crate::session::Engine;
use muster_reports::SnapshotManifest;
use muster_reports::snapshot::TableFile;
use serde::Serialize;
use std::collections::BTreeMap;

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

/// The files of each table, with their numbers.
pub(super) type Files = BTreeMap<String, BTreeMap<String, TableFile>>;

/// The totals that are sums over the files of a table.
const SUMS: [(&str, &str, &str); 4] = [
    ("linked accounts", ACCOUNTS, sums::LINKED),
    ("uncorrelated accounts", ACCOUNTS, sums::UNCORRELATED),
    ("disputed accounts", ACCOUNTS, sums::DISPUTED),
    ("orphan identities", IDENTITIES, sums::ORPHANS),
];

/// The totals that are the numbers of rows of tables.
const ROWS: [(&str, &str); 2] =
    [("identity errors", "identity_errors"), ("refused records", "rejected_records")];

/// The sum of a number over the files of a table.
pub(super) fn sum(files: &Files, table: &str, number: &str) -> u64 {
    sums::total(files.get(table).into_iter().flat_map(BTreeMap::values), number)
}

/// The totals of the written tables, and of the last snapshot if there is one.
pub(super) async fn count(
    engine: &Engine,
    files: &Files,
    rows: &BTreeMap<String, u64>,
    last: Option<&SnapshotManifest>,
) -> Result<Vec<Total>> {
    let now = numbers(files, rows);
    let before = match last {
        Some(last) => Some(numbers(&counted(engine, last).await?, &last.rows)),
        None => None,
    };
    let before = |at: usize| before.as_ref().and_then(|numbers| numbers.get(at)).copied();
    let counted = SUMS.iter().map(|(counted, _, _)| *counted).chain(ROWS.iter().map(|(counted, _)| *counted));
    let totals = counted.zip(now).enumerate();
    Ok(totals.map(|(at, (counted, now))| Total { counted, now, before: before(at) }).collect())
}

fn numbers(files: &Files, rows: &BTreeMap<String, u64>) -> Vec<u64> {
    let sums = SUMS.iter().map(|(_, table, number)| sum(files, table, number));
    let rows = ROWS.iter().map(|(_, table)| rows.get(*table).copied().unwrap_or(0));
    sums.chain(rows).collect()
}

/// The files of the tables of a snapshot that are counted. Files of old snapshots are counted now.
pub(super) async fn counted(engine: &Engine, snapshot: &SnapshotManifest) -> Result<Files> {
    let mut files = Files::new();
    for table in [ACCOUNTS, IDENTITIES] {
        if let Some(version) = snapshot.versions.get(table) {
            let described = digests::describe(engine, table, *version, Some(snapshot)).await?;
            files.insert(table.to_owned(), described);
        }
    }
    Ok(files)
}
