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

    /// The pairs that this rule matches, over `accounts` and `identities`.
    pub(super) fn pairs(&self, accounts: &str, identities: &str) -> String {
        let fold = |value: &str| if self.ignore_case { format!("lower({value})") } else { value.to_owned() };
        let values = |table: &str, id: &str, attribute: &str| {
            format!(
                "(SELECT {id} AS id, {value} AS v FROM (SELECT {id}, unnest(attribute(attributes, {name})) AS raw FROM {table}) \
                 WHERE trim(raw) <> '')",
                value = fold("trim(raw)"),
                name = literal(attribute)
            )
        };
        format!(
            "SELECT DISTINCT {order} AS rule_order, {label} AS rule, a.id AS account_id, i.id AS identity_id FROM {left} a JOIN {right} i ON a.v = i.v",
            order = self.order,
            label = literal(&self.label()),
            left = values(accounts, "account_id", &self.account_attribute),
            right = values(identities, "id", &self.identity_attribute),
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
    work.step(
        "other",
        "SELECT a.id AS account_id, a.source_id, a.attributes, a.prev_identity, a.prev_link, m.identity_name \
         FROM accounts_now a LEFT JOIN manual_links m ON m.source_id = a.source_id AND m.native_identity = a.native_identity \
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
           CASE WHEN m.identity_id IS NULL THEN d.rule END AS matched_rule, m.identity_name AS manual_link, \
           CASE WHEN m.identity_id IS NULL AND d.n > 1 THEN d.candidates END AS candidates \
         FROM other o LEFT JOIN manual m ON m.account_id = o.account_id \
         LEFT JOIN other_decisions d ON d.account_id = o.account_id"
            .to_owned(),
    ];
    let mut ranks = 0;
    if extent.identities {
        parts.push(
            "SELECT account_id, identity_id, 'LINKED' AS situation, matched_rule, CAST(NULL AS VARCHAR) AS manual_link, \
               make_array('') AS candidates FROM owned"
                .to_owned(),
        );
        ranks = request.sources.iter().filter(|input| input.definition.is_authoritative()).count();
    }
    for rank in 0..ranks {
        parts.push(format!(
            "SELECT o.account_id, CAST(NULL AS VARCHAR) AS identity_id, \
               CASE WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END AS situation, d.rule AS matched_rule, \
               CAST(NULL AS VARCHAR) AS manual_link, d.candidates \
             FROM open_{rank} o LEFT JOIN decisions_{rank} d ON d.account_id = o.account_id \
             WHERE NOT EXISTS (SELECT 1 FROM owned w WHERE w.account_id = o.account_id)"
        ));
    }
    let union = parts
        .iter()
        .map(|part| {
            format!(
                "SELECT account_id, identity_id, situation, matched_rule, manual_link, \
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
