//! Correlation: finds candidates by rules. Step 4: links the accounts on the other sources.
//!
//! The first rule with a match decides. One identity links the account; two or more dispute it. Muster never picks one
//! of several.

use super::incremental::{Needed, Recompute};
use super::work::{self, Work, texts};
use super::{RefreshRequest, accounts, steps};
use crate::error::{EngineError, Result};
use crate::query::Value;
use datafusion::arrow::array::{RecordBatch, StringArray};
use muster_reports::ports::ManualLink;
use muster_sources::SourceDefinition;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A correlation rule in its source's order.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    source: String,
    order: u64,
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
            .zip(0..)
            .map(|(rule, order)| Self {
                source: definition.id.clone(),
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

    /// Values for the queries over a rule.
    pub(super) fn values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("source", Value::text(&self.source)),
            ("order", Value::Number(self.order)),
            ("label", Value::Text(self.label())),
            ("account_attribute", Value::text(&self.account_attribute)),
            ("identity_attribute", Value::text(&self.identity_attribute)),
            ("ignore_case", Value::Flag(self.ignore_case)),
        ]
    }
}

/// Leaves `pairs`: the pairs of `asking` and `asked` that these rules match.
pub(super) async fn match_by<'a>(work: &Work, rules: impl IntoIterator<Item = &'a Rule>) -> Result<()> {
    let rules: Vec<&Rule> = rules.into_iter().collect();
    let compared: BTreeSet<_> =
        rules.iter().map(|rule| (&rule.identity_attribute, rule.ignore_case)).collect();
    let asked = match compared.len() < rules.len() {
        true => &steps::ASKED_VALUES,
        false => &steps::ASKED_VALUES_PLANNED,
    };
    let compared = compared.into_iter().map(|(attribute, ignore_case)| {
        vec![("identity_attribute", Value::text(attribute)), ("ignore_case", Value::Flag(ignore_case))]
    });
    work.run_each(asked, &compared.collect::<Vec<_>>()).await?;
    let values: Vec<_> = rules.into_iter().map(Rule::values).collect();
    work.run_each(&steps::PAIRS, &values).await
}

/// Adds accounts to recompute: those whose links may change because identities changed. These are accounts that such an
/// identity matched before or matches now, and accounts of an identity that gained or lost its authoritative account.
pub(super) async fn recall_others(
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
) -> Result<()> {
    if recompute.everything {
        return Ok(());
    }
    if recompute.needs(Needed::AllIdentitiesAgain) {
        work.run_of(&steps::MOVED, &steps::words_of_identities(false), &[]).await?;
    }
    work.run(recompute, &[&steps::IDENTITIES_MOVED]).await?;
    let others = request.sources.iter().filter(|input| !input.definition.is_authoritative());
    let mut rules = Vec::new();
    for rule in others.flat_map(|input| Rule::of(&input.definition)) {
        let attribute = [("identity_attribute", Value::text(&rule.identity_attribute))];
        let moved = work.rows(&steps::ATTRIBUTES_MOVED, &attribute).await?;
        // Otherwise the rule matches the accounts that it matched before.
        if work::counts("attributes_moved", &moved, 0)?.into_iter().any(|n| n > 0) {
            rules.push(rule.values());
        }
    }
    work.run_each(&steps::PAIRS_MOVED, &rules).await?;
    work.run(recompute, &[&steps::WANTED_BY_IDENTITIES]).await?;
    accounts::recall(work, recompute).await
}

/// Leaves `links`: identity, situation, rule, manual link and candidates of every live account that is recomputed.
pub(super) async fn link_others(work: &Work, request: &RefreshRequest, recompute: &Recompute) -> Result<()> {
    work.run(recompute, &[&steps::OTHER, &steps::MANUAL, &steps::ASKING_OTHER, &steps::ASKED_KNOWN]).await?;
    let with_accounts = work.rows(&steps::SOURCES_TO_CORRELATE, &[]).await?;
    let with_accounts: BTreeSet<String> = texts(&with_accounts, 0).collect();
    let sources = request.sources.iter().filter(|input| with_accounts.contains(&input.definition.id));
    let rules: Vec<_> = sources.flat_map(|input| Rule::of(&input.definition)).collect();
    match_by(work, &rules).await?;
    let links =
        [&steps::OTHER_DECISIONS, &steps::LINKS_OF_OTHERS, &steps::LINKS_OF_OTHERS_ONLY, &steps::LINKS];
    work.run(recompute, &links).await
}

/// `manual_links`: all manual links.
pub(super) fn manual_links_batch(links: &[ManualLink]) -> Result<RecordBatch> {
    RecordBatch::try_from_iter([
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
    .map_err(|e| EngineError::data("listing manual links", e))
}
