//! Step 3: identities out of authoritative accounts, in the priority order of the profiles.
//!
//! Accounts that are linked already keep their identity, whatever the priorities are now. The others are
//! matched by their source's rules to the identities there are, else become identities. Of several records of one
//! person in a read the one with the lowest native identity becomes the identity, and the others wait for it, so that
//! a read gives what its records would give one after another. A pass over a profile can decide an account that a pass
//! before it left open, so passes are repeated until none does: what is then left open stays open in the next refresh
//! too, which is why refreshing twice changes nothing.

use super::SourceInput;
use super::correlate::{Rule, candidates, waiting};
use super::extent::within;
use super::work::{Work, literal};
use crate::error::{EngineError, Result};
use crate::functions::{MAPPED_FIELDS, MappingFunction};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::logical_expr::ScalarUDF;
use muster_sources::{
    LifecycleDefinition, ManagerDefinition, ManagerMatch, PreferDefinition, ProfileDefinition,
};
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
    /// What managers are compared with, as `managers` names it.
    pub(super) fn manager_kind(&self) -> String {
        match &self.definition.manager.matched {
            ManagerMatch::Attribute(name) => format!("attribute {name}"),
            ManagerMatch::NativeIdentity => format!("account of {}", self.source_id),
        }
    }
}

/// The profiles, the one with the highest priority first.
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

/// Leaves `mapped` (authoritative accounts with their mapped attributes), `owned` (which identity each belongs
/// to), `open_N` and `decisions_N` (the undecided ones of each profile, and what its rules found), `best` (the
/// account that decides each identity) and `known` (every identity with its attributes).
pub(super) async fn make_identities(work: &Work, profiles: &[Profile]) -> Result<()> {
    map_attributes(work, profiles).await?;
    work.step(
        "owned",
        "SELECT m.account_id, m.prev_identity AS identity_id, m.prev_rule AS matched_rule \
         FROM mapped m JOIN (SELECT id FROM prev_identities) p ON p.id = m.prev_identity",
    )
    .await?;
    let mut known = Known { current: false };
    loop {
        let mut decided = 0;
        for (rank, profile) in profiles.iter().enumerate() {
            decided += decide(work, rank, profile, &mut known).await?;
        }
        if decided == 0 {
            break;
        }
    }
    known.find(work).await
}

/// Leaves `known` as the last snapshot has it: no authoritative account changed.
pub(super) async fn keep_identities(work: &Work) -> Result<()> {
    work.view("known", "SELECT id, name AS uid, attributes FROM prev_identities").await
}

/// Whether `best` and `known` say what `owned` says.
struct Known {
    current: bool,
}

impl Known {
    async fn find(&mut self, work: &Work) -> Result<()> {
        if !self.current {
            find_known(work).await?;
            self.current = true;
        }
        Ok(())
    }
}

/// `profiles`: the table's rows, with the rank of each.
pub(super) fn register_profiles(work: &Work, profiles: &[Profile]) -> Result<()> {
    let column = |text: &dyn Fn(&Profile) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(profiles.iter().map(text)))
    };
    let batch = RecordBatch::try_from_iter([
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
    .map_err(|e| EngineError::data("describing the profiles", e))?;
    work.memory("profiles", batch)
}

async fn map_attributes(work: &Work, profiles: &[Profile]) -> Result<()> {
    let mut parts = Vec::new();
    for (rank, profile) in profiles.iter().enumerate() {
        let name = format!("map_profile_{rank}");
        let function =
            MappingFunction::new(name.clone(), profile.definition.clone(), profile.lifecycle.clone());
        work.context.register_udf(ScalarUDF::from(function));
        let protected = within("native_identity", profile.definition.protected.iter().map(String::as_str));
        let means = match &profile.definition.manager.matched {
            ManagerMatch::Attribute(name) => name.as_str(),
            ManagerMatch::NativeIdentity => "native identity",
        };
        parts.push(format!(
            "SELECT *, attribute_first(get_field(m, 'attributes'), {manager}) AS manager, {manager} AS manager_attribute, \
               {kind} AS manager_kind, {means} AS manager_means FROM ( \
               SELECT id AS account_id, source_id, {rank} AS rank, native_identity, prev_identity, prev_rule, \
                 attributes AS account_attributes, {protected} AS protected, {name}(attributes) AS m \
               FROM accounts_now WHERE source_id = {source} AND dead_since IS NULL)",
            manager = literal(&profile.definition.manager.attribute),
            kind = literal(&profile.manager_kind()),
            means = literal(means),
            source = literal(&profile.source_id)
        ));
    }
    if parts.is_empty() {
        // No profile: the same columns, no rows.
        let name = "map_profile_none";
        let nothing = ProfileDefinition {
            name: name.into(),
            priority: 0,
            attributes: Vec::new(),
            protected: Vec::new(),
            prefer: PreferDefinition::default(),
            manager: ManagerDefinition::default(),
        };
        work.context.register_udf(ScalarUDF::from(MappingFunction::new(name.into(), nothing, None)));
        parts.push(format!(
            "SELECT id AS account_id, source_id, 0 AS rank, native_identity, prev_identity, prev_rule, \
             attributes AS account_attributes, false AS protected, {name}(attributes) AS m, '' AS manager, \
             '' AS manager_attribute, '' AS manager_kind, '' AS manager_means FROM accounts_now WHERE false"
        ));
    }
    let fields = MAPPED_FIELDS.map(|field| format!("get_field(m, '{field}') AS {field}")).join(", ");
    work.step(
        "mapped",
        &format!(
            "SELECT account_id, source_id, rank, native_identity, prev_identity, prev_rule, account_attributes, protected, \
             manager, manager_attribute, manager_kind, manager_means, {fields}, \
             attribute_first(get_field(m, 'attributes'), 'uid') AS uid FROM ({})",
            parts.join(" UNION ALL ")
        ),
    )
    .await
}

/// Leaves `best`: for each identity the account of the highest-priority profile, then the one that the profile prefers,
/// then the lowest native identity.
async fn find_best(work: &Work) -> Result<()> {
    work.step(
        "best",
        "SELECT identity_id, account_id FROM ( \
           SELECT o.identity_id, o.account_id, \
             row_number() OVER (PARTITION BY o.identity_id \
               ORDER BY m.rank, m.place, m.newest DESC NULLS LAST, m.native_identity, m.account_id) AS k \
           FROM owned o JOIN (SELECT account_id, rank, place, newest, native_identity FROM mapped) m \
             ON m.account_id = o.account_id) \
         WHERE k = 1",
    )
    .await
}

/// Leaves `best` as above, and `known`: every identity with the attributes it has now.
async fn find_known(work: &Work) -> Result<()> {
    find_best(work).await?;
    work.step(
        "known",
        "SELECT b.identity_id AS id, m.uid, m.attributes FROM mapped m JOIN best b ON b.account_id = m.account_id \
         UNION ALL \
         SELECT p.id, p.name AS uid, p.attributes FROM prev_identities p \
         WHERE NOT EXISTS (SELECT 1 FROM best b WHERE b.identity_id = p.id)",
    )
    .await
}

/// Decides what can be decided of a profile's undecided accounts; returns how many that were.
async fn decide(work: &Work, rank: usize, profile: &Profile, known: &mut Known) -> Result<u64> {
    let mut decided = 0;
    loop {
        let passed = pass(work, rank, profile, known, true).await?;
        decided += passed.decided;
        if passed.waiting == 0 {
            return Ok(decided);
        }
        if passed.decided == 0 {
            // Each of them waits for another: none is the first.
            return Ok(decided + pass(work, rank, profile, known, false).await?.decided);
        }
    }
}

/// What became of a profile's undecided accounts.
struct Passed {
    decided: u64,
    /// Accounts that another undecided one goes before.
    waiting: u64,
}

/// One pass over one profile's undecided accounts; with `wait` those are left that another one goes before.
async fn pass(work: &Work, rank: usize, profile: &Profile, known: &mut Known, wait: bool) -> Result<Passed> {
    let open = format!("open_{rank}");
    work.step(
        &open,
        &format!(
            "SELECT account_id, source_id, native_identity, uid, account_attributes AS attributes, \
               attributes AS mapped_attributes FROM mapped m \
             WHERE rank = {rank} AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.account_id = m.account_id)"
        ),
    )
    .await?;
    let decisions = format!("decisions_{rank}");
    if work.count("undecided accounts", &format!("SELECT count(*) FROM {open} WHERE uid IS NOT NULL")).await?
        == 0
    {
        candidates(work, &decisions, &open, &[]).await?;
        return Ok(Passed { decided: 0, waiting: 0 });
    }
    if !profile.rules.is_empty() {
        known.find(work).await?;
    }
    // An account without a uid cannot be told from others: it is left open for the error report.
    work.step("matchable", &format!("SELECT * FROM {open} WHERE uid IS NOT NULL")).await?;
    candidates(work, &decisions, "matchable", &profile.rules).await?;
    work.view(
        "unmatched",
        &format!("SELECT m.* FROM matchable m LEFT ANTI JOIN {decisions} d ON d.account_id = m.account_id"),
    )
    .await?;
    let rules = if wait { &profile.rules[..] } else { &[] };
    waiting(work, "unmatched", rules).await?;
    work.step(
        "decided",
        &format!(
            "SELECT m.account_id, \
               CASE WHEN d.n = 1 THEN d.identity_id ELSE stable_id('identity', m.source_id, m.native_identity) END \
                 AS identity_id, d.rule AS matched_rule \
             FROM matchable m LEFT JOIN {decisions} d ON d.account_id = m.account_id \
             LEFT JOIN waiting w ON w.account_id = m.account_id \
             WHERE d.n = 1 OR (d.n IS NULL AND w.account_id IS NULL)"
        ),
    )
    .await?;
    work.step(
        "owned_now",
        "SELECT account_id, identity_id, matched_rule FROM owned UNION ALL SELECT * FROM decided",
    )
    .await?;
    work.alias("owned", "owned_now").await?;
    let decided = work.count("decided accounts", "SELECT count(*) FROM decided").await?;
    known.current &= decided == 0;
    Ok(Passed { decided, waiting: work.count("waiting accounts", "SELECT count(*) FROM waiting").await? })
}
