//! Step 5: computes identities with attributes, counts and managers. Step 7: adds errors and dates.
//!
//! `status` depends on the lifecycle state only; errors and warnings are in `processing_state`. An identity that lost
//! its authoritative account keeps its last status and manager.

use super::authoritative::Profile;
use super::incremental::Recompute;
use super::steps;
use super::work::Work;
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use crate::query::Value;
use muster_sources::ManagerMatch;
use std::collections::BTreeSet;

/// Leaves `identities_gathered`: every identity, without processing state, digest and modification time.
pub(super) async fn gather(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    work.run(recompute, &[&steps::ACCOUNT_COUNTS]).await?;
    find_managers(work, recompute, profiles).await?;
    work.run_with(&steps::IDENTITIES_GATHERED, &[("lifecycle", Value::text(lifecycle_attribute()))]).await
}

/// Leaves `managers`: for each kind of comparison (`kind`) and text, the only identity that has the text. If no native
/// identity is written exactly so, one in another case is accepted.
async fn find_managers(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    let mut kinds = BTreeSet::new();
    let (mut by_attribute, mut by_account) = (Vec::new(), Vec::new());
    for (rank, profile) in (0..).zip(profiles) {
        let kind = profile.manager_kind();
        if !kinds.insert(kind.clone()) {
            continue;
        }
        let kind = ("manager_kind", Value::Text(kind));
        match &profile.definition.manager.matched {
            ManagerMatch::Attribute(name) => by_attribute.push(vec![kind, ("attribute", Value::text(name))]),
            ManagerMatch::NativeIdentity => by_account.push(vec![kind, ("rank", Value::Number(rank))]),
        }
    }
    work.run_each(&steps::MANAGERS_BY_ATTRIBUTE, &by_attribute).await?;
    work.run_each(&steps::MANAGERS_BY_ACCOUNT, &by_account).await?;
    work.run(recompute, &[&steps::MANAGERS]).await
}

/// Leaves `identities_next` and `identity_errors_next` as in the last snapshot, with new counts of accounts.
pub(super) async fn keep(work: &Work, recompute: &Recompute) -> Result<()> {
    work.run(recompute, &[&steps::ACCOUNT_COUNTS, &steps::IDENTITIES_KEPT, &steps::IDENTITY_ERRORS_KEPT])
        .await
}
