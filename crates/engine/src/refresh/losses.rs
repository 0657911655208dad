//! Compares the next snapshot with the last one before it is written, and stops the refresh that would lose too much: a
//! file that was cut off must not make leavers of everybody.
//!
//! `guards` judges each read by its source's definition and keeps what a read lost. These limits are those of the
//! installation, and hold for all that a refresh publishes:
//! - *identities lost*: identities that have no authoritative account any more, or are not ACTIVE any more;
//! - *orphans gained*: identities that become orphans;
//! - *accounts missing*: known accounts of a source that its complete read does not contain, whether they would be kept or
//!   marked missing. It does not hold for sources of which everything may go (`delete_threshold_percent = 100`), nor for
//!   those whose losses are accepted.
//!
//! Nothing is lost before the first snapshot.

use super::incremental::{Needed, Recompute};
use super::stage::StagedSource;
use super::totals;
use super::work::{self, Work, texts};
use super::{RefreshRequest, steps};
use crate::declared::IDENTITIES;
use crate::digests::sums;
use crate::error::Result;
use crate::query::Value;
use crate::session::Engine;
use muster_reports::SnapshotManifest;
use muster_sources::Limit;
use serde::Serialize;
use std::fmt;

/// Ids that are named where a guard is exceeded.
const EXAMPLES: u64 = 5;

/// How much a refresh may lose. By default, everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LossLimits {
    /// Identities that are lost, of those that are no orphans.
    pub identities_lost: Limit,
    /// Identities that become orphans, of those that are none.
    pub orphans_gained: Limit,
    /// Known accounts of a source that its read does not contain, unless the source's definition has a limit of its own.
    pub accounts_missing: Limit,
    /// So many are within every share.
    pub always_allowed: u64,
}

/// What a guard counts. The names are those of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Identities that are lost.
    IdentitiesLost,
    /// Identities that become orphans.
    OrphansGained,
    /// Accounts of one source that are missing.
    AccountsMissing,
}

impl Guard {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentitiesLost => "identities_lost",
            Self::OrphansGained => "orphans_gained",
            Self::AccountsMissing => "accounts_missing",
        }
    }
}

/// A guard that a refresh exceeds. `Display` is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExceededGuard {
    /// What is counted.
    pub guard: Guard,
    /// The name of the source, of a guard that holds for each source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many there are.
    pub number: u64,
    /// How many there were that could be lost.
    pub of: u64,
    /// The limit as it is set.
    pub limit: Limit,
    /// How many of them it allows.
    pub allowed: u64,
    /// The ids of the first of them, of identities or of accounts.
    pub examples: Vec<String>,
}

impl fmt::Display for ExceededGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guard, source, number, of, limit, allowed, examples } = self;
        write!(f, "{}: {number} of {of} ", guard.as_str())?;
        match (guard, source) {
            (Guard::IdentitiesLost, _) => f.write_str("identities would be lost")?,
            (Guard::OrphansGained, _) => f.write_str("identities would become orphans")?,
            (Guard::AccountsMissing, None) => f.write_str("accounts are missing")?,
            (Guard::AccountsMissing, Some(name)) => write!(f, "accounts are missing from source {name:?}")?,
        }
        match limit {
            Limit::Share(_) => write!(f, ", the limit is {limit} or {allowed}")?,
            Limit::Number(_) | Limit::None => write!(f, ", the limit is {limit}")?,
        }
        let shown = examples.join(", ");
        match examples.len() as u64 {
            0 => Ok(()),
            few if few == *number => write!(f, " ({shown})"),
            _ => write!(f, " ({shown} and others)"),
        }
    }
}

/// The guards that this refresh exceeds.
pub(super) async fn exceeded(
    engine: &Engine,
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
    staged: &[StagedSource],
) -> Result<Vec<ExceededGuard>> {
    let Some(last) = request.previous.as_deref() else { return Ok(Vec::new()) };
    let limits = request.limits;
    let mut found = Vec::new();
    let mut add = |guard, source, [number, of]: [u64; 2], limit: Limit| {
        if let Some(allowed) = limit.allowed(of, limits.always_allowed).filter(|allowed| number > *allowed) {
            found.push(ExceededGuard { guard, source, number, of, limit, allowed, examples: Vec::new() });
        }
    };
    if [limits.identities_lost, limits.orphans_gained].iter().any(|limit| *limit != Limit::None) {
        let of = identities_that_are_no_orphans(engine, last).await?;
        let [lost, orphans] = identities_going(work, recompute).await?;
        add(Guard::IdentitiesLost, None, [lost, of], limits.identities_lost);
        add(Guard::OrphansGained, None, [orphans, of], limits.orphans_gained);
    }
    for (source, input) in staged.iter().zip(&request.sources) {
        let definition = &input.definition;
        let anything_may_go = definition.delete_threshold_percent == 100;
        let limit = match definition.accounts_missing_max {
            Some(own) => own,
            None if anything_may_go => Limit::None,
            None => limits.accounts_missing,
        };
        if !request.accept_missing.contains(&definition.id) {
            add(Guard::AccountsMissing, Some(definition.name.clone()), source.missing, limit);
        }
    }
    for exceeded in &mut found {
        exceeded.examples = examples(work, request, exceeded).await?;
    }
    Ok(found)
}

async fn identities_that_are_no_orphans(engine: &Engine, last: &SnapshotManifest) -> Result<u64> {
    let files = totals::counted(engine, last).await?;
    let sum = |number| totals::sum(&files, IDENTITIES, number);
    Ok(sum(sums::ROWS).saturating_sub(sum(sums::ORPHANS)))
}

/// How many identities are lost, and how many become orphans.
async fn identities_going(work: &Work, recompute: &Recompute) -> Result<[u64; 2]> {
    let (identities, before) = match recompute.needs(Needed::FewIdentities) {
        true => ("identities_changed", "prev_of_changed"),
        false => ("identities_next", "prev_identities"),
    };
    let words = vec![("identities", identities.to_owned()), ("before", before.to_owned())];
    work.run_of(&steps::IDENTITIES_GOING, &words, &[]).await?;
    let counted = work.rows(&steps::IDENTITIES_GOING_COUNTED, &[]).await?;
    let number = |column| Ok(work::counts("identities_going_counted", &counted, column)?.into_iter().sum());
    Ok([number(0)?, number(1)?])
}

async fn examples(work: &Work, request: &RefreshRequest, of: &ExceededGuard) -> Result<Vec<String>> {
    let shown = ("shown", Value::Number(EXAMPLES));
    let named = |name: &String| request.sources.iter().find(|input| input.definition.name == *name);
    let rows = match (of.guard, of.source.as_ref().and_then(named)) {
        (Guard::AccountsMissing, Some(input)) => {
            let source = ("source", Value::text(&input.definition.id));
            work.rows(&steps::FIRST_MISSING, &[source, shown]).await?
        }
        (guard, _) => {
            let orphans = ("orphans", Value::Flag(guard == Guard::OrphansGained));
            work.rows(&steps::FIRST_GOING, &[orphans, shown]).await?
        }
    };
    Ok(texts(&rows, 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exceeded_is_said_with_its_limit_and_examples() {
        let identities = ExceededGuard {
            guard: Guard::IdentitiesLost,
            source: None,
            number: 600,
            of: 1_000,
            limit: Limit::percent(20),
            allowed: 200,
            examples: vec!["0a".into(), "1b".into()],
        };
        assert_eq!(
            identities.to_string(),
            "identities_lost: 600 of 1000 identities would be lost, the limit is 20 % or 200 (0a, 1b and others)"
        );
        let accounts = ExceededGuard {
            guard: Guard::AccountsMissing,
            source: Some("HR".into()),
            number: 2,
            of: 9,
            limit: Limit::Number(1),
            allowed: 1,
            ..identities
        };
        assert_eq!(
            accounts.to_string(),
            "accounts_missing: 2 of 9 accounts are missing from source \"HR\", the limit is 1 (0a, 1b)"
        );
    }
}
