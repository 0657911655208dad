//! Explains the correlation of an account: each rule, what it compared, which identities it found, and the verdict.
//!
//! Rules and data are those of a snapshot. The pairs come from the query that refresh uses. The verdict is computed
//! again here and compared with the one that the refresh wrote.

use super::correlate::Rule;
use super::steps::{ASKED_VALUES, PAIRS, Words};
use super::work::{self, texts};
use crate::error::{EngineError, Result};
use crate::query::{self, Value, Values};
use crate::session::Engine;
use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::ids::stable_id;
pub use muster_reports::inspection::{Candidate, CorrelationExplanation, Near, RuleOutcome, Verdict};
use muster_reports::nearest;
use muster_sources::SourceDefinition;
use std::sync::Arc;

/// Most candidates of a rule that are named. All of them are counted.
const CANDIDATES_NAMED_MAX: usize = 20;

/// An identity that a rule misses by what people do not see.
fn missed(identity: Candidate, account_value: &str, identity_value: &str) -> Near {
    let folded = |text: &str| text.trim().to_lowercase();
    let bare = |text: &str| text.chars().filter(|c| !is_unseen(*c)).collect::<String>();
    let differ_in = if folded(account_value) == folded(identity_value) {
        "case"
    } else if bare(account_value) == bare(identity_value) {
        "white space or invisible characters"
    } else {
        "case, and in white space or invisible characters"
    };
    Near {
        identity,
        account_value: account_value.to_owned(),
        identity_value: identity_value.to_owned(),
        differ_in,
    }
}

/// Whether a character is invisible: white space, or a character that a debug form escapes, except quotes and the
/// backslash.
pub fn is_unseen(character: char) -> bool {
    let is_sign = matches!(character, '"' | '\'' | '\\');
    character.is_whitespace() || (!is_sign && character.escape_debug().len() > 1)
}

/// The account's row.
struct Account {
    id: String,
    dead_since: Option<String>,
    manual_link: Option<String>,
    recorded: Verdict,
}

impl Engine {
    /// Explains the correlation of one account. The source is given by name or id.
    ///
    /// # Errors
    /// `Invalid` when the snapshot has no such source or the source no such account.
    pub fn explain_correlation<'a>(
        self: &'a Arc<Self>,
        manifest: Arc<SnapshotManifest>,
        source: &'a str,
        native_identity: &'a str,
    ) -> BoxFuture<'a, Result<CorrelationExplanation>> {
        Box::pin(async move {
            let (engine, source, native) = (Arc::clone(self), source.to_owned(), native_identity.to_owned());
            self.run(async move { explain(&engine, &manifest, &source, &native).await }).await
        })
    }
}

async fn explain(
    engine: &Engine,
    manifest: &SnapshotManifest,
    source: &str,
    native_identity: &str,
) -> Result<CorrelationExplanation> {
    let context = engine.session();
    work::register_tables(engine, &context, manifest, &["sources", "accounts", "identities"]).await?;
    let named = nearest::source(source, &manifest.sources, |run| (run.id.as_str(), &run.name));
    let definition = definition(&context, named.map_err(EngineError::Invalid)?.id.as_str()).await?;
    let account = account(&context, &definition, native_identity).await?;
    ask(&context, &account.id).await?;
    let mut rules = Vec::new();
    for rule in Rule::of(&definition) {
        let decided = rules.iter().any(|earlier: &RuleOutcome| earlier.decides);
        rules.push(outcome(&context, &rule, decided).await?);
    }
    let authoritative = definition.is_authoritative();
    let (verdict, reason) = if authoritative {
        let own = stable_id(["identity", &definition.id, native_identity]);
        authoritative_verdict(&account, &rules, &own)
    } else {
        other_verdict(&account, &rules)
    };
    let owner = owner(&context, verdict.identity.as_deref()).await?;
    let verdict = match &owner {
        Some((_, false)) => Verdict { situation: "PLACEHOLDER_OWNER".into(), ..verdict },
        Some((_, true)) | None => verdict,
    };
    let agrees = account.dead_since.is_some()
        || (verdict == account.recorded && (verdict.identity.is_none() || owner.is_some()));
    Ok(CorrelationExplanation {
        snapshot: manifest.id.clone(),
        source: definition.name.clone(),
        native_identity: native_identity.to_owned(),
        authoritative,
        missing_since: account.dead_since,
        manual_link: account.manual_link,
        rules,
        verdict,
        reason,
        recorded: account.recorded,
        identity_name: owner.map(|(name, _)| name),
        agrees,
    })
}

/// The verdict by a manual link, else by the first rule that finds an identity.
fn other_verdict(account: &Account, rules: &[RuleOutcome]) -> (Verdict, String) {
    if let Some(link) = &account.manual_link {
        let verdict =
            Verdict { situation: "LINKED".into(), identity: account.recorded.identity.clone(), rule: None };
        return (verdict, format!("a manual link to {link:?} holds, so no rule is evaluated"));
    }
    by_rules(rules)
}

/// An authoritative account keeps its first identity. Rules are evaluated only when it has none.
fn authoritative_verdict(account: &Account, rules: &[RuleOutcome], own: &str) -> (Verdict, String) {
    let Some(identity) = &account.recorded.identity else {
        let (verdict, reason) = by_rules(rules);
        if verdict.situation == "DISPUTED" {
            return (verdict, reason);
        }
        let verdict = Verdict { situation: "UNMATCHED".into(), identity: None, rule: None };
        return (verdict, "it does not become an identity: its mapped uid is missing".into());
    };
    let kept = Verdict {
        situation: "LINKED".into(),
        identity: Some(identity.clone()),
        rule: account.recorded.rule.clone(),
    };
    let reason = match &kept.rule {
        Some(rule) => {
            format!("the rule {rule:?} found its identity when it was first read, and it keeps this identity")
        }
        None if identity == own => "its identity was made from it".to_owned(),
        None => "it keeps its first identity".to_owned(),
    };
    (kept, reason)
}

fn by_rules(rules: &[RuleOutcome]) -> (Verdict, String) {
    let Some(decisive) = rules.iter().find(|rule| rule.decides) else {
        let verdict = Verdict { situation: "UNMATCHED".into(), identity: None, rule: None };
        let reason = match rules.len() {
            0 => "the source has no correlation rule",
            _ => "no rule finds an identity",
        };
        return (verdict, reason.into());
    };
    let rule = Some(decisive.rule.clone());
    match (&decisive.candidates[..], decisive.found) {
        ([only], 1) => (
            Verdict { situation: "LINKED".into(), identity: Some(only.id.clone()), rule },
            format!("the rule {:?} finds one identity", decisive.rule),
        ),
        (_, found) => (
            Verdict { situation: "DISPUTED".into(), identity: None, rule },
            format!(
                "the rule {:?} finds {found} identities, and Muster never picks one of several",
                decisive.rule
            ),
        ),
    }
}

const STEP: &str = "explain";

async fn rows(context: &SessionContext, sql: &str, values: Values<'_>) -> Result<Vec<RecordBatch>> {
    work::rows_of(context, STEP, sql, values).await
}

async fn definition(context: &SessionContext, id: &str) -> Result<SourceDefinition> {
    let sql = "SELECT definition FROM sources WHERE id = $id";
    let json = texts(&rows(context, sql, &[("id", Value::text(id))]).await?, 0).next();
    let json =
        json.ok_or_else(|| EngineError::Invalid(format!("the snapshot has no definition of source {id}")))?;
    serde_json::from_str(&json).map_err(|e| EngineError::data("reading a source's definition", e))
}

async fn account(context: &SessionContext, source: &SourceDefinition, native: &str) -> Result<Account> {
    let sql = "SELECT id, dead_since, manual_link, situation, identity_id, matched_rule FROM accounts \
         WHERE source_id = $source AND native_identity = $native";
    let values = [("source", Value::text(&source.id)), ("native", Value::text(native))];
    let found = rows(context, sql, &values).await?;
    let cell = |column| texts(&found, column).next();
    let known = |column| cell(column).filter(|text| !text.is_empty());
    let id = cell(0).ok_or_else(|| {
        EngineError::Invalid(format!(
            "source {:?} has no account {native:?}: expected a native identity exactly as in the source",
            source.name
        ))
    })?;
    Ok(Account {
        id,
        dead_since: known(1),
        manual_link: known(2),
        recorded: Verdict { situation: cell(3).unwrap_or_default(), identity: known(4), rule: known(5) },
    })
}

/// Leaves the input of rules: `asking`, which is one account here, and `asked`.
async fn ask(context: &SessionContext, account: &str) -> Result<()> {
    let one = "SELECT id AS account_id, source_id, attributes FROM accounts WHERE id = $account";
    let all = "SELECT id, attributes FROM identities";
    for (name, sql) in [("asking", one), ("asked", all)] {
        let failed = |e| EngineError::plan(STEP, e);
        let plan = query::plan(context, sql, &[("account", Value::text(account))]).await.map_err(failed)?;
        context.register_table(name, plan.into_view()).map_err(failed)?;
    }
    Ok(())
}

async fn outcome(context: &SessionContext, rule: &Rule, decided: bool) -> Result<RuleOutcome> {
    let sql = format!(
        "WITH asked_values AS ({}) \
         SELECT i.id, i.name FROM ({}) p JOIN identities i ON i.id = p.identity_id ORDER BY i.id",
        ASKED_VALUES.sql(&Words::new()),
        PAIRS.sql(&Words::new()),
    );
    let found = rows(context, &sql, &rule.values()).await?;
    let count = found.iter().map(|batch| batch.num_rows() as u64).sum();
    let candidates = texts(&found, 0).zip(texts(&found, 1)).map(|(id, name)| Candidate { id, name });
    let values: Vec<String> = texts(&rows(context, VALUES, &rule.values()).await?, 0).collect();
    let near = if count == 0 && !values.is_empty() { near(context, rule).await? } else { Vec::new() };
    Ok(RuleOutcome {
        rule: rule.label(),
        values,
        near,
        candidates: candidates.take(CANDIDATES_NAMED_MAX).collect(),
        found: count,
        decides: count > 0 && !decided,
    })
}

/// The account's values that are compared, unchanged, one in each row, in the account's order.
const VALUES: &str = "SELECT raw FROM (SELECT unnest(attribute(attributes, $account_attribute)) AS raw FROM asking) WHERE trim(raw) <> ''";

/// Identities that a rule would match if case, white space and invisible characters were ignored: `id`, `name`, the
/// value of the account and of the identity.
const NEAR: &str = r"
SELECT i.id, i.name, a.raw AS account_value, i.raw AS identity_value
FROM (SELECT *, lower(regexp_replace(raw, '[\s\p{C}]+', '', 'g')) AS v FROM
        (SELECT account_id, unnest(attribute(attributes, $account_attribute)) AS raw FROM asking)) a
JOIN (SELECT *, lower(regexp_replace(raw, '[\s\p{C}]+', '', 'g')) AS v FROM
        (SELECT id, name, unnest(attribute(attributes, $identity_attribute)) AS raw FROM identities)) i
  ON i.v = a.v
WHERE a.v <> '' ORDER BY 1, 4 LIMIT $shown";

async fn near(context: &SessionContext, rule: &Rule) -> Result<Vec<Near>> {
    let values = [rule.values(), vec![("shown", Value::Number(CANDIDATES_NAMED_MAX as u64))]].concat();
    let found = rows(context, NEAR, &values).await?;
    let candidates = texts(&found, 0).zip(texts(&found, 1)).map(|(id, name)| Candidate { id, name });
    let values = texts(&found, 2).zip(texts(&found, 3));
    Ok(candidates
        .zip(values)
        .map(|(candidate, (account, other))| missed(candidate, &account, &other))
        .collect())
}

/// The name of an identity, and whether the identity is correlated.
async fn owner(context: &SessionContext, id: Option<&str>) -> Result<Option<(String, bool)>> {
    let Some(id) = id else { return Ok(None) };
    let sql = "SELECT name, correlated FROM identities WHERE id = $identity";
    let found = rows(context, sql, &[("identity", Value::text(id))]).await?;
    let owner = texts(&found, 0).zip(texts(&found, 1)).next();
    Ok(owner.map(|(name, correlated)| (name, correlated == "true")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_not_see_is_said() {
        let differ_in = |account: &str, identity: &str| {
            let identity_itself = Candidate { id: "1".into(), name: "ada".into() };
            missed(identity_itself, account, identity).differ_in
        };
        assert_eq!(differ_in("E1", " e1 "), "case");
        assert_eq!(differ_in("E 1", "E1"), "white space or invisible characters");
        assert_eq!(differ_in("E1\u{200b}", "E1"), "white space or invisible characters");
        assert_eq!(differ_in("e1\u{a0}x", "E1X"), "case, and in white space or invisible characters");
        assert!(is_unseen('\u{feff}') && is_unseen('\u{a0}') && is_unseen('\t'));
        assert!(!is_unseen('"') && !is_unseen('\\') && !is_unseen('ß') && !is_unseen('大'));
    }
}
