//! Decides which account a record is. It is the account with the same native identity, or the account with the same
//! permanent id if the source provides such an id and the read has it only once. So a directory entry that was moved
//! remains the same account, with its links and its history.
//!
//! The id of an account is derived from its first native identity and never changes. If a record takes over the native
//! identity of an account that was moved, it becomes an account with another id.

use super::incremental::Recompute;
use super::stage::StagedSource;
use super::steps;
use super::work::Work;
use crate::error::Result;
use crate::query::Value;

/// Leaves `staged_single` and `rejected`. Several rows with one native identity are merged if the source says so, and
/// reduced to one if they are equal. Otherwise all of them are rejected, because picking one would depend on the order
/// of rows.
pub(super) async fn unite_repeated_rows(
    work: &Work,
    recompute: &Recompute,
    staged: &[StagedSource],
) -> Result<()> {
    work.run(recompute, &[&steps::STAGED]).await?;
    let may_repeat = staged.iter().filter(|source| source.may_repeat);
    let sources = Value::texts(may_repeat.map(|source| source.outcome.run.id.as_str()));
    work.run_with(&steps::REPEATED, &[("sources", sources)]).await?;
    if work.count("repeated").await? == 0 {
        return work.run(recompute, &[&steps::STAGED_SINGLE_AS_READ, &steps::REJECTED_AS_READ]).await;
    }
    let single = [&steps::UNITED, &steps::EQUAL_RECORDS, &steps::STAGED_SINGLE, &steps::REJECTED];
    work.run(recompute, &single).await
}

/// Leaves `staged_known`: the records with `id`, the id of their account.
pub(super) async fn name_accounts(work: &Work, recompute: &Recompute) -> Result<()> {
    let names = [&steps::RENAMED, &steps::BY_NAME, &steps::UUIDS_READ_ALL, &steps::UUIDS_READ];
    work.run(recompute, &names).await?;
    work.run(recompute, &[&steps::MOVED_ACCOUNTS, &steps::STAGED_IDS, &steps::STAGED_KNOWN]).await
}
