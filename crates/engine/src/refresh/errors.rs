//! Step 6: finds identities that could not be processed, with the reason (docs/messages.md has the error codes).
//!
//! An error belongs to the account that decides an identity, to an account that is too incomplete to become an
//! identity, or to a refused record.

use super::authoritative::Profile;
use super::incremental::Recompute;
use super::steps;
use super::work::Work;
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use crate::query::Value;
use std::collections::BTreeSet;

/// Attributes that every identity must have (docs/identity-model.md).
const REQUIRED: [&str; 3] = ["uid", "lastname", "email"];

/// Leaves `identity_errors_next`, the table's rows.
pub(super) async fn find(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    work.run(recompute, &[&steps::SUBJECTS]).await?;
    let mut required = Vec::new();
    for (rank, profile) in (0..).zip(profiles) {
        let own = profile.definition.attributes.iter().filter(|a| a.required).map(|a| a.name.as_str());
        let names: BTreeSet<&str> = REQUIRED.into_iter().chain(own).collect();
        required.extend(
            names
                .into_iter()
                .map(|name| vec![("rank", Value::Number(rank)), ("attribute", Value::text(name))]),
        );
    }
    work.run_each(&steps::MISSING_ATTRIBUTES, &required).await?;
    work.run(recompute, &[&steps::SHARED_UIDS, &steps::SHARED_UIDS_OF_SUBJECTS]).await?;
    work.run_with(&steps::ERRORS_FOUND, &[("lifecycle", Value::text(lifecycle_attribute()))]).await?;
    work.run(recompute, &[&steps::IDENTITY_ERRORS_NEXT, &steps::IDENTITY_ERRORS_FEW]).await
}
