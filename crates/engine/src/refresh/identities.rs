//! Step 5: computes identities with attributes, counts and managers. Step 7: adds errors and dates.
//!
//! `status` depends on the lifecycle state only; errors and warnings are in `processing_state`. An identity that lost
//! its authoritative account keeps its last status and manager.

use super::authoritative::Profile;
use super::incremental::{Needed, Recompute};
use super::steps;
use super::work::Work;
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use crate::query::Value;
use muster_sources::ManagerMatch;
use std::collections::BTreeSet;

/// Leaves `identities_gathered`: every identity, without processing state, digest and modification time.
pub(super) async fn gather(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    count_accounts(work, recompute).await?;
    find_managers(work, recompute, profiles).await?;
    let words = steps::words_of_identities(recompute.needs(Needed::SomeIdentities));
    let lifecycle = ("lifecycle", Value::text(lifecycle_attribute()));
    work.run_of(&steps::IDENTITIES_GATHERED, &words, &[lifecycle]).await
}

/// Leaves `account_counts`: the number of live accounts of each identity that is recomputed. An incremental refresh adds
/// to the last numbers what changed.
async fn count_accounts(work: &Work, recompute: &Recompute) -> Result<()> {
    let counts = [&steps::ACCOUNT_COUNTS, &steps::ACCOUNT_COUNTS_AGAIN, &steps::ACCOUNT_COUNTS_AFFECTED];
    work.run(recompute, &[&steps::PREV_OF_NOW, &steps::ACCOUNT_DELTAS]).await?;
    work.run(recompute, &counts).await
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
            ManagerMatch::NativeIdentity => by_account.push(vec![
                kind,
                ("rank", Value::Number(rank)),
                ("source", Value::text(&profile.source_id)),
            ]),
        }
    }
    let by_accounts = match recompute.needs(Needed::SomeIdentities) {
        true => {
            let asked: Vec<_> = profiles.iter().map(Profile::manager_values).collect();
            work.run_each(&steps::MANAGERS_ASKED, &asked).await?;
            // Without a manager to find, no identity need be read.
            if work.count("managers_asked").await? == 0 {
                (by_attribute, by_account) = (Vec::new(), Vec::new());
            }
            &steps::MANAGERS_BY_ACCOUNT_KNOWN
        }
        false => &steps::MANAGERS_BY_ACCOUNT,
    };
    work.run_each(&steps::MANAGERS_BY_ATTRIBUTE, &by_attribute).await?;
    work.run_each(by_accounts, &by_account).await?;
    work.run(recompute, &[&steps::MANAGERS, &steps::MANAGERS_KEPT, &steps::MANAGERS_FEW]).await
}

/// Leaves `identity_errors_next` as in the last snapshot, and what is needed to count accounts again.
pub(super) async fn keep(work: &Work, recompute: &Recompute) -> Result<()> {
    work.run(recompute, &[&steps::PREV_OF_NOW, &steps::ACCOUNT_DELTAS, &steps::IDENTITY_ERRORS_KEPT]).await
}

/// Leaves `identities_next`, with processing states, digests and dates; if not all identities were recomputed, also
/// `identities_changed`, those that can differ from the last snapshot.
pub(super) async fn combine(work: &Work, recompute: &Recompute) -> Result<()> {
    let recomputed = [&steps::IDENTITIES_NEXT, &steps::IDENTITIES_RECOMPUTED, &steps::IDENTITIES_RECOUNTED];
    work.run(recompute, &recomputed).await?;
    work.run(recompute, &[&steps::IDENTITIES_CHANGED_FEW, &steps::IDENTITIES_CHANGED_COUNTED]).await?;
    work.run(recompute, &[&steps::IDENTITIES_COMBINED, &steps::PREV_OF_CHANGED]).await
}

/// Leaves `accounts_touched`, `identities_touched` and `documents_touched`: the rows that differ from the last snapshot,
/// and the identities whose documents show them.
pub(super) async fn find_touched(work: &Work, recompute: &Recompute) -> Result<()> {
    work.run(recompute, &[&steps::ACCOUNTS_TOUCHED]).await?;
    if recompute.needs(Needed::Incremental) {
        let (identities, before) = match recompute.needs(Needed::FewIdentities) {
            true => ("identities_changed", "prev_of_changed"),
            false => ("identities_next", "prev_identities"),
        };
        let words = vec![("identities", identities.to_owned()), ("before", before.to_owned())];
        work.run_of(&steps::IDENTITIES_TOUCHED, &words, &[]).await?;
    }
    work.run(recompute, &[&steps::DOCUMENTS_TOUCHED, &steps::DOCUMENTS_TOUCHED_ALL]).await
}
