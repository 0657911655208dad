//! Correlation: candidates by rules, and step 4, the links of accounts on the other sources.
//!
//! The first rule that matches anything decides: one identity links, two or more dispute the account, and
//! never is one of several picked.

use super::RefreshRequest;
use super::accounts;
use super::extent::Extent;
use super::work::{Work, literal, texts};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{RecordBatch, StringArray};
use muster_sources::SourceDefinition;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A correlation rule in its source's order.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    order: usize,
    identity_attribute: String,
    account_attribute: String,
    ignore_case: bool,
}

impl Rule {
    /// The rules of a source.
    pub(super) fn of(definition: &SourceDefinition) -> Vec<Self> {
        definition
            .correlation
            .iter()
            .enumerate()
            .map(|(order, rule)| Self {
                order,
                identity_attribute: rule.identity_attribute.clone(),
                account_attribute: rule.account_attribute.clone(),
                ignore_case: rule.ignore_case,
            })
            .collect()
    }

    /// `identity attribute = account attribute`, for people.
    pub(super) fn label(&self) -> String {
        let folded = if self.ignore_case { " (case ignored)" } else { "" };
        format!("{} = {}{folded}", self.identity_attribute, self.account_attribute)
    }

    /// The account's values that are compared, as they stand in `accounts`; one a row, in the account's order.
    pub(super) fn values(&self, accounts: &str) -> String {
        format!(
            "SELECT raw FROM (SELECT unnest(attribute(attributes, {name})) AS raw FROM {accounts} a) WHERE trim(raw) <> ''",
            name = literal(&self.account_attribute)
        )
    }

    /// The values of an attribute as they are compared: `id`, one of `ids`, and `v`.
    fn compared(&self, table: &str, ids: &str, attributes: &str, name: &str) -> String {
        format!(
            "(SELECT {ids} AS id, {value} AS v FROM \
               (SELECT {ids}, unnest(attribute({attributes}, {name})) AS raw FROM {table}) WHERE trim(raw) <> '')",
            value = if self.ignore_case { "lower(trim(raw))" } else { "trim(raw)" },
            name = literal(name)
        )
    }

    /// The pairs that this rule matches, over `accounts` and `identities`.
    pub(super) fn pairs(&self, accounts: &str, identities: &str) -> String {
        format!(
            "SELECT DISTINCT {order} AS rule_order, {label} AS rule, a.id AS account_id, i.id AS identity_id FROM {left} a JOIN {right} i ON a.v = i.v",
            order = self.order,
            label = literal(&self.label()),
            left = self.compared(accounts, "account_id", "attributes", &self.account_attribute),
            right = self.compared(identities, "id", "attributes", &self.identity_attribute),
        )
    }

    /// Of `identities` those that this rule would match to `accounts` without regard to case, white space and characters
    /// that nobody sees: `id`, `name`, the account's value and theirs.
    pub(super) fn near(&self, accounts: &str, identities: &str) -> String {
        let loose = |table: &str, columns: &str, name: &str| {
            format!(
                "(SELECT *, lower(regexp_replace(raw, '[\\s\\p{{C}}]+', '', 'g')) AS v FROM \
                   (SELECT {columns}, unnest(attribute(attributes, {})) AS raw FROM {table}))",
                literal(name)
            )
        };
        format!(
            "SELECT i.id, i.name, a.raw AS account_value, i.raw AS identity_value FROM {} a JOIN {} i ON i.v = a.v WHERE a.v <> ''",
            loose(accounts, "account_id", &self.account_attribute),
            loose(identities, "id, name", &self.identity_attribute),
        )
    }

    /// Which of `accounts` would match the identity that another of them would become, and whether it goes behind that
    /// one: each value is *sought* by an account and *held* by the identity it would become. Of those that do both the
    /// lowest goes first, but behind one that only holds the value; one that only seeks it goes behind all that hold it.
    fn partners(&self, accounts: &str) -> String {
        let role = |name: &str, attributes: &str, seeks: bool| {
            let values = self.compared(accounts, "account_id", attributes, name);
            format!("SELECT id, v, {seeks} AS seeks, {holds} AS holds FROM {values}", holds = !seeks)
        };
        let roles = format!(
            "SELECT r.v, r.id, a.native_identity, bool_or(r.seeks) AS seeks, bool_or(r.holds) AS holds \
             FROM ({} UNION ALL {}) r JOIN {accounts} a ON a.account_id = r.id GROUP BY r.v, r.id, a.native_identity",
            role(&self.account_attribute, "attributes", true),
            role(&self.identity_attribute, "mapped_attributes", false),
        );
        format!(
            "SELECT r.id AS account_id, {order} AS rule_order, \
               bool_or(NOT r.holds OR t.only_held > 0 OR t.lowest <> r.native_identity) AS waits \
             FROM ({roles}) r JOIN ( \
               SELECT v, sum(CASE WHEN holds THEN 1 ELSE 0 END) AS held, \
                 sum(CASE WHEN holds AND NOT seeks THEN 1 ELSE 0 END) AS only_held, \
                 min(CASE WHEN holds AND seeks THEN native_identity END) AS lowest \
               FROM ({roles}) GROUP BY v) t ON t.v = r.v \
             WHERE r.seeks AND t.held > CASE WHEN r.holds THEN 1 ELSE 0 END GROUP BY r.id",
            order = self.order,
        )
    }
}

const NO_PAIRS: &str =
    "SELECT CAST(0 AS BIGINT) AS rule_order, '' AS rule, '' AS account_id, '' AS identity_id WHERE false";

/// Leaves under `step`, for each account that a rule matches: `account_id`, `identity_id` (the only one, or one
/// of several), `n`, `rule` and the sorted `candidates`.
pub(super) async fn candidates(work: &Work, step: &str, accounts: &str, rules: &[Rule]) -> Result<()> {
    let pairs: Vec<_> = std::iter::once(NO_PAIRS.to_owned())
        .chain(rules.iter().map(|rule| rule.pairs(accounts, "known")))
        .collect();
    decide(work, step, &pairs).await
}

/// Leaves `waiting`: those of `accounts` (of one source, which no rule matches to an identity) that the first rule which
/// matches them with each other puts behind another.
pub(super) async fn waiting(work: &Work, accounts: &str, rules: &[Rule]) -> Result<()> {
    let none =
        "SELECT '' AS account_id, CAST(0 AS BIGINT) AS rule_order, false AS waits WHERE false".to_owned();
    let partners: Vec<_> =
        std::iter::once(none).chain(rules.iter().map(|rule| rule.partners(accounts))).collect();
    work.step("partners", &partners.join(" UNION ALL ")).await?;
    work.step(
        "waiting",
        "SELECT p.account_id FROM partners p \
         JOIN (SELECT account_id, min(rule_order) AS rule_order FROM partners GROUP BY account_id) f \
           ON f.account_id = p.account_id AND f.rule_order = p.rule_order WHERE p.waits",
    )
    .await
}

async fn decide(work: &Work, step: &str, pairs: &[String]) -> Result<()> {
    let all = format!("{step}_pairs");
    work.step(&all, &pairs.join(" UNION ALL ")).await?;
    work.step(
        step,
        &format!(
            "SELECT p.account_id, min(p.identity_id) AS identity_id, count(*) AS n, min(p.rule) AS rule, \
               array_sort(array_agg(p.identity_id)) AS candidates \
             FROM {all} p JOIN (SELECT account_id, min(rule_order) AS rule_order FROM {all} GROUP BY account_id) f \
               ON f.account_id = p.account_id AND f.rule_order = p.rule_order \
             GROUP BY p.account_id"
        ),
    )
    .await
}

/// Adds to the accounts to be made anew those whose links the identities that changed may change: what such an identity
/// was matched by or is matched by now, and what belongs to one that found or lost its authoritative account.
pub(super) async fn recall_others(work: &Work, request: &RefreshRequest, extent: &Extent) -> Result<()> {
    if extent.everything {
        return Ok(());
    }
    work.step(
        "moved",
        "SELECT k.id, k.attributes AS now, p.attributes AS before, \
           p.id IS NULL OR content_digest(k.attributes) <> content_digest(p.attributes) AS differs, \
           coalesce(p.correlated, false) <> (b.identity_id IS NOT NULL) AS changed_hands \
         FROM known k LEFT JOIN prev_identities p ON p.id = k.id \
         LEFT JOIN (SELECT identity_id FROM best) b ON b.identity_id = k.id \
         WHERE p.id IS NULL OR content_digest(k.attributes) <> content_digest(p.attributes) \
           OR p.correlated <> (b.identity_id IS NOT NULL)",
    )
    .await?;
    work.view(
        "identities_moved",
        "SELECT id, now AS attributes FROM moved WHERE differs UNION ALL \
         SELECT id, before AS attributes FROM moved WHERE differs AND before IS NOT NULL",
    )
    .await?;
    let mut again = vec![
        "SELECT p.id FROM prev_accounts p JOIN moved m ON m.id = p.identity_id WHERE m.changed_hands"
            .to_owned(),
    ];
    if work.count("identities that moved", "SELECT count(*) FROM identities_moved").await? > 0 {
        for input in request.sources.iter().filter(|input| !input.definition.is_authoritative()) {
            let accounts = format!(
                "(SELECT id AS account_id, attributes FROM prev_accounts WHERE source_id = {} AND dead_since IS NULL)",
                literal(&input.definition.id)
            );
            again.extend(Rule::of(&input.definition).iter().map(|rule| {
                format!("SELECT account_id AS id FROM ({})", rule.pairs(&accounts, "identities_moved"))
            }));
        }
    }
    accounts::recall(work, extent, 2, &again.join(" UNION ALL ")).await
}

/// Leaves `links`: for every live account that is made anew its identity, situation, rule, manual link and candidates.
pub(super) async fn link_others(work: &Work, request: &RefreshRequest, extent: &Extent) -> Result<()> {
    // A link goes with its account when that is moved: it names the account as it was called then, and no account that
    // is called so now.
    work.step(
        "other",
        "SELECT a.id AS account_id, a.source_id, a.attributes, a.prev_identity, a.prev_link, \
           coalesce(m.identity_name, e.identity_name) AS identity_name, \
           CASE WHEN m.identity_name IS NOT NULL THEN m.native_identity ELSE e.native_identity END AS linked_as \
         FROM accounts_now a \
         LEFT JOIN (SELECT l.* FROM manual_links l LEFT ANTI JOIN ( \
             SELECT source_id, prev_linked_as FROM accounts_now \
             WHERE dead_since IS NULL AND prev_linked_as <> native_identity) c \
             ON c.source_id = l.source_id AND c.prev_linked_as = l.native_identity) m \
           ON m.source_id = a.source_id AND m.native_identity = a.native_identity \
         LEFT JOIN manual_links e ON e.source_id = a.source_id AND e.native_identity = a.prev_linked_as \
         WHERE a.dead_since IS NULL AND NOT a.authoritative",
    )
    .await?;
    // A link that was resolved once stays with its identity, whatever that identity is called now.
    work.step(
        "manual",
        "SELECT o.account_id, coalesce(k.id, u.id) AS identity_id, o.identity_name FROM other o \
         LEFT JOIN (SELECT id FROM known) k ON k.id = o.prev_identity AND o.prev_link = o.identity_name \
         LEFT JOIN (SELECT uid, min(id) AS id FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) = 1) u \
           ON u.uid = o.identity_name \
         WHERE o.identity_name IS NOT NULL AND coalesce(k.id, u.id) IS NOT NULL",
    )
    .await?;
    let mut pairs = vec![NO_PAIRS.to_owned()];
    let asked = work.rows("sources to correlate", "SELECT DISTINCT source_id FROM other").await?;
    let asked: BTreeSet<String> = texts(&asked, 0).collect();
    for input in request.sources.iter().filter(|input| asked.contains(&input.definition.id)) {
        let accounts = format!("(SELECT * FROM other WHERE source_id = {})", literal(&input.definition.id));
        pairs.extend(Rule::of(&input.definition).iter().map(|rule| rule.pairs(&accounts, "known")));
    }
    decide(work, "other_decisions", &pairs).await?;
    let mut parts = vec![
        "SELECT o.account_id, coalesce(m.identity_id, CASE WHEN d.n = 1 THEN d.identity_id END) AS identity_id, \
           CASE WHEN m.identity_id IS NOT NULL OR d.n = 1 THEN 'LINKED' WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END AS situation, \
           CASE WHEN m.identity_id IS NULL THEN d.rule END AS matched_rule, m.identity_name AS manual_link, o.linked_as, \
           CASE WHEN m.identity_id IS NULL AND d.n > 1 THEN d.candidates END AS candidates \
         FROM other o LEFT JOIN manual m ON m.account_id = o.account_id \
         LEFT JOIN other_decisions d ON d.account_id = o.account_id"
            .to_owned(),
    ];
    let mut ranks = 0;
    if extent.identities {
        parts.push(
            "SELECT account_id, identity_id, 'LINKED' AS situation, matched_rule, CAST(NULL AS VARCHAR) AS manual_link, \
               CAST(NULL AS VARCHAR) AS linked_as, make_array('') AS candidates FROM owned"
                .to_owned(),
        );
        ranks = request.sources.iter().filter(|input| input.definition.is_authoritative()).count();
    }
    for rank in 0..ranks {
        parts.push(format!(
            "SELECT o.account_id, CAST(NULL AS VARCHAR) AS identity_id, \
               CASE WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END AS situation, d.rule AS matched_rule, \
               CAST(NULL AS VARCHAR) AS manual_link, CAST(NULL AS VARCHAR) AS linked_as, d.candidates \
             FROM open_{rank} o LEFT JOIN decisions_{rank} d ON d.account_id = o.account_id \
             WHERE NOT EXISTS (SELECT 1 FROM owned w WHERE w.account_id = o.account_id)"
        ));
    }
    let union = parts
        .iter()
        .map(|part| {
            format!(
                "SELECT account_id, identity_id, situation, matched_rule, manual_link, linked_as, \
                 CASE WHEN situation = 'DISPUTED' THEN candidates END AS candidates FROM ({part})"
            )
        })
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    work.step("links", &union).await
}

/// `manual_links`: every one there is.
pub(super) fn register_manual_links(work: &Work, request: &RefreshRequest) -> Result<()> {
    let links = &request.links;
    let batch = RecordBatch::try_from_iter([
        ("source_id", Arc::new(StringArray::from_iter_values(links.iter().map(|l| l.source.as_str()))) as _),
        (
            "native_identity",
            Arc::new(StringArray::from_iter_values(links.iter().map(|l| &l.native_identity))) as _,
        ),
        (
            "identity_name",
            Arc::new(StringArray::from_iter_values(links.iter().map(|l| &l.identity_name))) as _,
        ),
    ])
    .map_err(|e| EngineError::data("listing manual links", e))?;
    work.memory("manual_links", batch)
}
