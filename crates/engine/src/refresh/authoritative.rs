//! Step 3: makes identities from authoritative accounts, by the priority of the profiles.
//!
//! An account that is already linked keeps its identity, even if priorities change. For other accounts, their source's
//! rules look for an existing identity. An account without a match becomes an identity. If a read has several records
//! of one person, the record with the lowest native identity becomes the identity, and the others wait for it. So the
//! result is the same as if the records were read one after another. A pass over a profile can decide an account that
//! an earlier pass left open, so passes are repeated until nothing more is decided. Accounts that are then open stay
//! open in the next refresh too, so a second refresh changes nothing.

use super::accounts::{is_much, recall};
use super::correlate::{Rule, match_by};
use super::incremental::{IdentitiesToRecompute, Recompute};
use super::steps;
use super::work::Work;
use super::{RefreshRequest, SourceInput};
use crate::error::{EngineError, Result};
use crate::functions::MappingFunction;
use crate::query::Value;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use muster_sources::{LifecycleDefinition, ManagerMatch, ProfileDefinition};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An identity profile with its source.
pub(super) struct Profile {
    pub(super) source_id: String,
    pub(super) source_name: String,
    pub(super) definition: ProfileDefinition,
    pub(super) lifecycle: Option<LifecycleDefinition>,
    rules: Vec<Rule>,
}

impl Profile {
    /// The source, and the attribute that names the manager.
    pub(super) fn manager_values(&self) -> Vec<(&'static str, Value)> {
        let manager = &self.definition.manager.attribute;
        vec![("source", Value::text(&self.source_id)), ("manager", Value::text(manager))]
    }

    /// What managers are compared with: the `kind` in `managers`.
    pub(super) fn manager_kind(&self) -> String {
        match &self.definition.manager.matched {
            ManagerMatch::Attribute(name) => format!("attribute {name}"),
            ManagerMatch::NativeIdentity => format!("account of {}", self.source_id),
        }
    }
}

/// The profiles, by descending priority.
pub(super) fn profiles_in_order(sources: &[SourceInput]) -> Vec<Profile> {
    let mut profiles: Vec<Profile> = sources
        .iter()
        .filter_map(|input| {
            let definition = input.definition.profile.clone()?;
            Some(Profile {
                source_id: input.definition.id.clone(),
                source_name: input.definition.name.clone(),
                definition,
                lifecycle: input.definition.lifecycle.clone(),
                rules: Rule::of(&input.definition),
            })
        })
        .collect();
    profiles
        .sort_by(|a, b| (a.definition.priority, &a.source_id).cmp(&(b.definition.priority, &b.source_id)));
    profiles
}

/// The identities that are recomputed are closed: every live authoritative account of each of them is recomputed. Most
/// refreshes find all of them at once. After so many attempts, all identities are recomputed.
const CLOSING_ATTEMPTS_MAX: u32 = 4;

/// The same as [`make_identities`], for the identities that a changed authoritative account can affect: its own, those
/// that a rule matches it to, those that share a uid with one of them, and those whose manager they are or may become. All
/// other identities stay as they are. Recomputes all identities if these are many.
///
/// Also leaves `affected` (their ids), `affected_identities` (them in the last snapshot), `known_affected`, and
/// `names_moved` (texts by which managers are found and which an identity gained or lost).
pub(super) async fn make_some_identities(
    work: &Work,
    request: &RefreshRequest,
    recompute: &mut Recompute,
    profiles: &[Profile],
) -> Result<()> {
    let sources = Value::texts(profiles.iter().map(|profile| profile.source_id.as_str()));
    work.run_with(&steps::PREV_AUTHORITATIVE, &[("authoritative", sources)]).await?;
    work.run(recompute, &[&steps::WANTED_BY_PEOPLE]).await?;
    for _ in 0..CLOSING_ATTEMPTS_MAX {
        if is_much(request, work.count("wanted").await?) {
            break;
        }
        recall(work, recompute).await?;
        make_identities(work, recompute, profiles).await?;
        find_affected(work, recompute, profiles).await?;
        work.run_with(&steps::WANTED_BY_AFFECTED, &[]).await?;
        if work.count("wanted").await? == 0 {
            return Ok(());
        }
    }
    recompute.identities = IdentitiesToRecompute::All;
    work.run(recompute, &[&steps::WANTED_BY_LINKS_AND_SOURCES]).await?;
    recall(work, recompute).await?;
    make_identities(work, recompute, profiles).await
}

/// Leaves `affected` and what it follows from.
async fn find_affected(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    let few = steps::words_of_identities(true);
    let known = [&steps::AFFECTED_BY_ACCOUNTS, &steps::AFFECTED_IDENTITIES_FIRST, &steps::KNOWN_AFFECTED];
    work.run(recompute, &known).await?;
    work.run_of(&steps::MOVED, &few, &[]).await?;
    work.run(recompute, &[&steps::UIDS_MOVED, &steps::DEPENDENTS]).await?;
    let (mut by_attribute, mut by_account) = (BTreeSet::new(), BTreeSet::new());
    for profile in profiles {
        match &profile.definition.manager.matched {
            ManagerMatch::Attribute(name) => by_attribute.insert(name.as_str()),
            ManagerMatch::NativeIdentity => by_account.insert(profile.source_id.as_str()),
        };
    }
    let each = |name: &'static str, texts: BTreeSet<&str>| -> Vec<_> {
        texts.into_iter().map(|text| vec![(name, Value::text(text))]).collect()
    };
    work.run_each(&steps::NAMES_MOVED_BY_ATTRIBUTE, &each("attribute", by_attribute)).await?;
    work.run_each(&steps::NAMES_MOVED_BY_ACCOUNT, &each("source", by_account)).await?;
    work.run(recompute, &[&steps::NAMES_MOVED]).await?;
    // Without such a text, no record need be read for it.
    let asked = if work.count("names_moved").await? > 0 { profiles } else { &[] };
    let managers: Vec<_> = asked.iter().map(Profile::manager_values).collect();
    work.run_each(&steps::REPORTS_OF_MOVED, &managers).await?;
    work.run(recompute, &[&steps::AFFECTED, &steps::AFFECTED_IDENTITIES]).await
}

/// Leaves `mapped` (authoritative accounts with their mapped attributes), `owned` (the identity of each account),
/// `best` (the account that decides each identity), `known` (every identity with its attributes), and `open` and
/// `open_decisions` (the accounts without an identity, and what rules found for them).
pub(super) async fn make_identities(work: &Work, recompute: &Recompute, profiles: &[Profile]) -> Result<()> {
    map_attributes(work, profiles).await?;
    work.run(recompute, &[&steps::OWNED_BEFORE]).await?;
    let mut known = KnownIdentities { current: false };
    loop {
        let mut decided = 0;
        for (rank, profile) in (0..).zip(profiles) {
            decided += decide_all(work, recompute, rank, profile, &mut known).await?;
        }
        if decided == 0 {
            break;
        }
    }
    known.find(work, recompute).await?;
    work.run(recompute, &[&steps::OPEN, &steps::ASKING_OPEN, &steps::ASKED_KNOWN]).await?;
    let rules = if work.count("asking").await? > 0 { profiles } else { &[] };
    match_by(work, rules.iter().flat_map(|profile| &profile.rules)).await?;
    work.run(recompute, &[&steps::OPEN_DECISIONS]).await
}

/// Whether `best` and `known` are up to date with `owned`.
struct KnownIdentities {
    current: bool,
}

impl KnownIdentities {
    async fn find(&mut self, work: &Work, recompute: &Recompute) -> Result<()> {
        if !self.current {
            work.run(recompute, &[&steps::BEST, &steps::KNOWN, &steps::KNOWN_PLANNED]).await?;
            self.current = true;
        }
        Ok(())
    }
}

/// `profiles`: the rows of the table, with the rank of each profile.
pub(super) fn profiles_batch(profiles: &[Profile]) -> Result<RecordBatch> {
    let column = |text: &dyn Fn(&Profile) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(profiles.iter().map(text)))
    };
    RecordBatch::try_from_iter([
        ("source_id", column(&|p| &p.source_id)),
        ("source_name", column(&|p| &p.source_name)),
        ("profile", column(&|p| &p.definition.name)),
        ("rank", Arc::new((0i64..).take(profiles.len()).map(Some).collect::<Int64Array>()) as ArrayRef),
        (
            "priority",
            Arc::new(profiles.iter().map(|p| Some(p.definition.priority)).collect::<UInt32Array>())
                as ArrayRef,
        ),
    ])
    .map_err(|e| EngineError::data("describing the profiles", e))
}

/// Registers `map_profile`, which maps accounts by the profiles.
pub(super) fn register_mappings(context: &SessionContext, profiles: &[Profile]) {
    let mappings = profiles
        .iter()
        .map(|profile| (profile.source_id.as_str(), profile.definition.clone(), profile.lifecycle.clone()));
    context.register_udf(ScalarUDF::from(MappingFunction::new(mappings)));
}

async fn map_attributes(work: &Work, profiles: &[Profile]) -> Result<()> {
    register_mappings(&work.context, profiles);
    let values = (0..).zip(profiles).map(|(rank, profile)| {
        let definition = &profile.definition;
        let means = match &definition.manager.matched {
            ManagerMatch::Attribute(name) => name.as_str(),
            ManagerMatch::NativeIdentity => "native identity",
        };
        vec![
            ("source", Value::text(&profile.source_id)),
            ("rank", Value::Number(rank)),
            ("manager", Value::text(&definition.manager.attribute)),
            ("manager_kind", Value::Text(profile.manager_kind())),
            ("manager_means", Value::text(means)),
            ("protected", Value::texts(definition.protected.iter().map(String::as_str))),
        ]
    });
    work.run_each(&steps::MAPPED, &values.collect::<Vec<_>>()).await
}

/// Decides as many undecided accounts of a profile as possible. Returns their number.
async fn decide_all(
    work: &Work,
    recompute: &Recompute,
    rank: u64,
    profile: &Profile,
    known: &mut KnownIdentities,
) -> Result<u64> {
    let mut decided = 0;
    loop {
        let passed = pass(work, recompute, rank, profile, known, true).await?;
        decided += passed.decided;
        if passed.waiting == 0 {
            return Ok(decided);
        }
        if passed.decided == 0 {
            // Each of them waits for another, so none can be first.
            return Ok(decided + pass(work, recompute, rank, profile, known, false).await?.decided);
        }
    }
}

/// The result of a pass over a profile's undecided accounts.
struct PassResult {
    decided: u64,
    /// Number of accounts that wait for another undecided account.
    waiting: u64,
}

/// One pass over one profile's undecided accounts. With `wait`, accounts that wait for another one are skipped.
async fn pass(
    work: &Work,
    recompute: &Recompute,
    rank: u64,
    profile: &Profile,
    known: &mut KnownIdentities,
    wait: bool,
) -> Result<PassResult> {
    work.run_with(&steps::UNDECIDED, &[("rank", Value::Number(rank))]).await?;
    // An account without a uid cannot be distinguished from others. It stays open, for the error report.
    work.run(recompute, &[&steps::MATCHABLE]).await?;
    if work.count("matchable").await? == 0 {
        return Ok(PassResult { decided: 0, waiting: 0 });
    }
    if !profile.rules.is_empty() {
        known.find(work, recompute).await?;
    }
    work.run(recompute, &[&steps::ASKING_MATCHABLE, &steps::ASKED_KNOWN]).await?;
    match_by(work, &profile.rules).await?;
    work.run(recompute, &[&steps::DECISIONS, &steps::UNMATCHED]).await?;
    let rules = if wait { &profile.rules[..] } else { &[] };
    let values: Vec<_> = rules.iter().map(Rule::values).collect();
    work.run_each(&steps::PARTNERS, &values).await?;
    work.run(recompute, &[&steps::WAITING, &steps::DECIDED, &steps::OWNED]).await?;
    let decided = work.count("decided").await?;
    known.current &= decided == 0;
    Ok(PassResult { decided, waiting: work.count("waiting").await? })
}
