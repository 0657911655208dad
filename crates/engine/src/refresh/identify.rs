//! Which account a record is: the one that had its native identity, or, where the source gives an id that survives
//! renames and that is unique in the read, the one that had that id. So an entry of a directory that was moved stays the
//! account that it was, with its links and its history.
//!
//! An account's own id is made of its first native identity and never changes; a record that takes over the native
//! identity of an account which was moved becomes an account with another id.

use super::extent::Extent;
use super::steps;
use super::work::Work;
use crate::error::Result;

/// Leaves `staged_single` and `rejected`. Several rows with one native identity are united where the source says so,
/// collapsed where they are equal, otherwise all of them rejected, since picking one would depend on the order of rows.
pub(super) async fn unite_repeated_rows(work: &Work, extent: &Extent) -> Result<()> {
    work.run(extent, &[&steps::STAGED, &steps::REPEATED]).await?;
    if work.count("repeated").await? == 0 {
        return work.run(extent, &[&steps::STAGED_SINGLE_AS_READ, &steps::REJECTED_AS_READ]).await;
    }
    work.run(extent, &[&steps::UNITED, &steps::STAGED_SINGLE, &steps::REJECTED]).await
}

/// Leaves `staged_known`: the records with `id`, that of the account that each of them is.
pub(super) async fn name_accounts(work: &Work, extent: &Extent) -> Result<()> {
    work.run(extent, &[&steps::RENAMED, &steps::BY_NAME, &steps::MOVED_ACCOUNTS, &steps::STAGED_KNOWN]).await
}
