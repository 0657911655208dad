//! Step 2: what was read meets what was known. Step 8: accounts with their owners.
//!
//! Rows of the source win; an account that was not read again lives on unless a complete run of its source
//! may mark it missing. A run of changes is complete, too: it says of every account that did not change that it is
//! there.

use super::extent::{Extent, within};
use super::stage::StagedSource;
use super::work::{self, Work, texts};
use super::{RefreshRequest, SourceInput};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{BooleanArray, RecordBatch, StringArray};
use muster_reports::snapshot::AggregationMode;
use std::collections::BTreeMap;
use std::sync::Arc;

const CONTENT: &str =
    "name, display_name, uuid, disabled, locked, system, privileged, attributes, entitlements";

/// Leaves `accounts_now` (the accounts to be made anew, with what the last snapshot knew of them) and `rejected`, fills in
/// the counts of each run, and finds out whether identities have to be made anew.
pub(super) async fn merge_into_previous(
    work: &Work,
    request: &RefreshRequest,
    extent: &mut Extent,
    staged: &mut [StagedSource],
) -> Result<()> {
    register_flags(work, staged, &BTreeMap::new())?;
    let carried = staged.iter().filter(|s| s.outcome.carried).map(|s| s.outcome.run.id.as_str());
    let carried = within("source_id", carried);
    work.view("prev_read", &format!("SELECT * FROM prev_accounts WHERE NOT ({carried})")).await?;
    unite_repeated_rows(work).await?;
    count_conflicts(work, staged).await?;
    work.step(
        "kept_ids",
        "SELECT DISTINCT stable_id('account', source_id, native_identity) AS id FROM ( \
           SELECT source_id, native_identity FROM rejected WHERE native_identity IS NOT NULL \
           UNION ALL SELECT source_id, native_identity FROM present_raw)",
    )
    .await?;
    distrust_changes(work, staged).await?;
    let may_mark = who_may_mark_missing(work, request, staged).await?;
    register_flags(work, staged, &may_mark)?;
    if extent.everything {
        work.step("accounts_now", ACCOUNTS_NOW).await?;
        work.view("account_changes", "SELECT id, source_id, authoritative, change FROM accounts_now").await?;
        work.view("carried_accounts", "SELECT * FROM prev_accounts WHERE false").await?;
        return count_changes(work, staged).await;
    }
    choose(work, extent).await?;
    count_changes(work, staged).await?;
    let authoritative = "SELECT count(*) FROM account_changes WHERE authoritative AND change NOT IN ('unchanged', 'kept', 'dead')";
    let decides = |input: &SourceInput| {
        let last = request.previous.as_ref().and_then(|last| last.source(&input.definition.id));
        input.definition.is_authoritative() || last.is_some_and(|run| run.authoritative)
    };
    extent.identities = work.count("changed authoritative accounts", authoritative).await? > 0
        || request.sources.iter().any(|s| extent.redefined.contains(&s.definition.id) && decides(s));
    // A manual link that came, went or waits for its identity.
    let mut again = "SELECT id FROM prev_accounts WHERE manual_link IS NOT NULL UNION ALL \
         SELECT stable_id('account', source_id, native_identity) AS id FROM manual_links"
        .to_owned();
    if extent.identities {
        again += " UNION ALL SELECT p.id FROM prev_accounts p JOIN source_flags f ON f.source_id = p.source_id WHERE f.authoritative";
    }
    recall(work, extent, 1, &again).await
}

/// Leaves `account_changes`, what became of every account of the sources that were read, and `accounts_now`, those of
/// them that changed or whose source is defined otherwise.
async fn choose(work: &Work, extent: &Extent) -> Result<()> {
    work.step(
        "account_changes",
        &format!("SELECT id, source_id, authoritative, change FROM ({ACCOUNTS_NOW})"),
    )
    .await?;
    work.step(
        "accounts_now",
        &format!(
            "SELECT n.* FROM ({ACCOUNTS_NOW}) n LEFT SEMI JOIN ( \
               SELECT id FROM account_changes WHERE change NOT IN ('unchanged', 'kept', 'dead') OR {}) c ON c.id = n.id",
            extent.is_redefined("source_id")
        ),
    )
    .await
}

/// Adds to `accounts_now` live accounts of the last snapshot whose `id` is among the rows of `ids`, and leaves
/// `carried_accounts`: those that remain as they were. `round` tells several calls apart.
pub(super) async fn recall(work: &Work, extent: &Extent, round: u8, ids: &str) -> Result<()> {
    let [wanted, before, recalled] = ["wanted", "chosen", "recalled"].map(|name| format!("{name}_{round}"));
    work.step(&wanted, &format!("SELECT DISTINCT id FROM ({ids})")).await?;
    work.alias(&before, "accounts_now").await?;
    work.step(
        &recalled,
        &format!(
            "SELECT p.id, p.source_id, p.source_name, f.authoritative, p.native_identity, {content}, p.digest, \
               p.created, p.modified, p.dead_since, p.identity_id AS prev_identity, p.matched_rule AS prev_rule, \
               p.manual_link AS prev_link, p.situation AS prev_situation, 'kept' AS change \
             FROM prev_accounts p JOIN source_flags f ON f.source_id = p.source_id \
             LEFT SEMI JOIN {wanted} r ON r.id = p.id LEFT ANTI JOIN (SELECT id FROM {before}) n ON n.id = p.id \
             WHERE p.dead_since IS NULL AND (NOT f.authoritative OR {identities})",
            content = CONTENT.split(", ").map(|name| format!("p.{name}")).collect::<Vec<_>>().join(", "),
            identities = extent.identities,
        ),
    )
    .await?;
    work.view("accounts_now", &format!("SELECT * FROM {before} UNION ALL SELECT * FROM {recalled}")).await?;
    work.view(
        "carried_accounts",
        "SELECT p.* FROM prev_accounts p LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id",
    )
    .await
}

/// `source_flags`: what the plans need to know of each source.
fn register_flags(work: &Work, staged: &[StagedSource], may_mark: &BTreeMap<String, bool>) -> Result<()> {
    let runs: Vec<_> = staged.iter().map(|s| &s.outcome.run).collect();
    let flags =
        |f: &dyn Fn(&StagedSource) -> bool| -> BooleanArray { staged.iter().map(|s| Some(f(s))).collect() };
    let batch = RecordBatch::try_from_iter([
        ("source_id", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.id.as_str()))) as _),
        ("source_name", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.name.as_str()))) as _),
        ("authoritative", Arc::new(flags(&|s| s.outcome.run.authoritative)) as _),
        ("merge_rows", Arc::new(flags(&|s| s.merge_rows)) as _),
        (
            "mark_missing",
            Arc::new(flags(&|s| may_mark.get(s.outcome.run.id.as_str()).copied().unwrap_or(false))) as _,
        ),
    ])
    .map_err(|e| EngineError::data("describing the sources", e))?;
    work.memory("source_flags", batch)
}

/// Several rows with one native identity: united where the source says so, collapsed where they are equal,
/// otherwise all of them rejected, since picking one would depend on the order of rows.
async fn unite_repeated_rows(work: &Work) -> Result<()> {
    work.step(
        "staged",
        &format!(
            "SELECT stable_id('account', source_id, native_identity) AS id, source_id, native_identity, line, {CONTENT}, \
             content_digest({CONTENT}) AS digest FROM staged_raw"
        ),
    )
    .await?;
    work.step(
        "repeated",
        "SELECT s.id, bool_or(f.merge_rows) AS merge_rows, count(*) AS n, count(DISTINCT s.digest) AS kinds \
         FROM staged s JOIN source_flags f ON f.source_id = s.source_id GROUP BY s.id HAVING count(*) > 1",
    )
    .await?;
    if work.count("repeated rows", "SELECT count(*) FROM repeated").await? == 0 {
        work.alias("staged_one", "staged").await?;
        let view = work.query("rejected", "SELECT * FROM rejected_raw").await?;
        return work.keep("rejected", view).await;
    }
    work.step(
        "united",
        "SELECT s.id, min(s.source_id) AS source_id, min(s.native_identity) AS native_identity, min(s.line) AS line, \
           min(s.name) AS name, min(s.display_name) AS display_name, min(s.uuid) AS uuid, \
           bool_or(s.disabled) AS disabled, bool_or(s.locked) AS locked, bool_or(s.system) AS system, \
           bool_or(s.privileged) AS privileged, merge_attributes(array_agg(s.attributes)) AS attributes, \
           merge_texts(array_agg(s.entitlements)) AS entitlements \
         FROM staged s JOIN repeated r ON r.id = s.id WHERE r.merge_rows GROUP BY s.id",
    )
    .await?;
    let columns = format!("id, source_id, native_identity, line, {CONTENT}");
    work.step(
        "staged_one",
        &format!(
            "SELECT {columns}, digest FROM staged s WHERE NOT EXISTS (SELECT 1 FROM repeated r WHERE r.id = s.id) \
             UNION ALL SELECT {columns}, content_digest({CONTENT}) AS digest FROM united \
             UNION ALL SELECT {columns}, digest FROM ( \
               SELECT s.*, row_number() OVER (PARTITION BY s.id ORDER BY s.line) AS k \
               FROM staged s JOIN repeated r ON r.id = s.id WHERE NOT r.merge_rows AND r.kinds = 1) WHERE k = 1"
        ),
    )
    .await?;
    work.step(
        "rejected",
        "SELECT * FROM rejected_raw UNION ALL \
         SELECT s.source_id, f.source_name, s.line, s.native_identity, \
           concat('native identity stands in ', CAST(r.n AS VARCHAR), ' records whose content differs: expected one record for each account') AS reason \
         FROM staged s JOIN repeated r ON r.id = s.id JOIN source_flags f ON f.source_id = s.source_id \
         WHERE NOT r.merge_rows AND r.kinds > 1",
    )
    .await
}

/// Conflicting rows count as rejected, and the first of them are shown.
async fn count_conflicts(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    let counts = work
        .rows("rejected by source", "SELECT source_id, count(*) FROM rejected GROUP BY source_id")
        .await?;
    let by_source: BTreeMap<String, u64> =
        texts(&counts, 0).zip(work::counts("rejected by source", &counts, 1)?).collect();
    for source in staged.iter_mut() {
        let Some(rejected) = by_source.get(source.outcome.run.id.as_str()) else { continue };
        if *rejected == source.outcome.run.rejected && !source.outcome.carried {
            continue;
        }
        source.outcome.run.rejected = *rejected;
        let shown = work
            .rows(
                "rejected of a source",
                &format!(
                    "SELECT line, native_identity, reason FROM rejected WHERE source_id = {} ORDER BY line, reason LIMIT {}",
                    super::work::literal(source.outcome.run.id.as_str()),
                    super::REJECTIONS_SHOWN_MAX
                ),
            )
            .await?;
        source.outcome.rejections = work::counts("rejected of a source", &shown, 0)?
            .into_iter()
            .zip(texts(&shown, 1))
            .zip(texts(&shown, 2))
            .map(|((line, native), reason)| muster_sources::Rejection {
                line,
                native_identity: (!native.is_empty()).then_some(native),
                reason,
            })
            .collect();
    }
    Ok(())
}

/// A run of changes that counts on an account which is not known, or gave a record that cannot be used, is not taken
/// at its word: the next run reads everything.
async fn distrust_changes(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    for source in staged.iter_mut() {
        if source.outcome.run.rejected > 0 {
            source.outcome.run.cursor = None;
        }
    }
    if staged.iter().all(|source| source.outcome.run.mode == AggregationMode::Full) {
        return Ok(());
    }
    let unknown = work
        .rows(
            "unknown accounts",
            "SELECT n.source_id, count(*) FROM ( \
               SELECT DISTINCT source_id, stable_id('account', source_id, native_identity) AS id FROM present_raw) n \
             LEFT ANTI JOIN (SELECT id FROM staged_one) s ON s.id = n.id \
             LEFT ANTI JOIN (SELECT id FROM prev_accounts WHERE dead_since IS NULL) p ON p.id = n.id \
             GROUP BY n.source_id",
        )
        .await?;
    for (id, n) in texts(&unknown, 0).zip(texts(&unknown, 1)) {
        let Some(source) = staged.iter_mut().find(|s| s.outcome.run.id.as_str() == id) else { continue };
        let run = &mut source.outcome.run;
        (run.complete, run.cursor) = (false, None);
        run.remark = Some(format!(
            "{n} accounts are said to be unchanged and were not known before: the next run reads everything"
        ));
    }
    Ok(())
}

/// Only a complete run within the source's delete threshold may mark accounts missing.
async fn who_may_mark_missing(
    work: &Work,
    request: &RefreshRequest,
    staged: &mut [StagedSource],
) -> Result<BTreeMap<String, bool>> {
    let rows = work
        .rows(
            "missing accounts",
            "SELECT p.source_id, count(*), sum(CASE WHEN s.id IS NULL AND k.id IS NULL THEN 1 ELSE 0 END) \
             FROM (SELECT id, source_id FROM prev_read WHERE dead_since IS NULL) p \
             LEFT JOIN (SELECT id FROM staged_one) s ON s.id = p.id LEFT JOIN kept_ids k ON k.id = p.id \
             GROUP BY p.source_id",
        )
        .await?;
    let missing: BTreeMap<String, (u64, u64)> = texts(&rows, 0)
        .zip(work::counts("missing accounts", &rows, 1)?)
        .zip(work::counts("missing accounts", &rows, 2)?)
        .map(|((id, live), gone)| (id, (live, gone)))
        .collect();
    let mut may_mark = BTreeMap::new();
    for (source, input) in staged.iter_mut().zip(&request.sources) {
        let run = &mut source.outcome.run;
        let (live, gone) = missing.get(run.id.as_str()).copied().unwrap_or((0, 0));
        let threshold = u64::from(input.definition.delete_threshold_percent);
        let within = gone * 100 <= threshold * live;
        if run.complete && !within {
            run.remark = Some(format!(
                "{gone} of {live} accounts are missing, more than the delete threshold of {threshold} percent: they were kept"
            ));
        }
        may_mark.insert(run.id.as_str().to_owned(), run.complete && within);
    }
    Ok(may_mark)
}

const ACCOUNTS_NOW: &str = "
SELECT s.id, s.source_id, f.source_name, f.authoritative, s.native_identity, s.name, s.display_name, s.uuid,
  s.disabled, s.locked, s.system, s.privileged, s.attributes, s.entitlements, s.digest,
  coalesce(p.created, $now) AS created,
  CASE WHEN p.digest = s.digest AND p.dead_since IS NULL THEN p.modified ELSE $now END AS modified,
  $never AS dead_since,
  p.identity_id AS prev_identity, p.matched_rule AS prev_rule, p.manual_link AS prev_link, p.situation AS prev_situation,
  CASE WHEN p.id IS NULL THEN 'created'
       WHEN p.digest = s.digest AND p.dead_since IS NULL THEN 'unchanged' ELSE 'updated' END AS change
FROM staged_one s
JOIN source_flags f ON f.source_id = s.source_id
LEFT JOIN (SELECT id, digest, created, modified, dead_since, identity_id, matched_rule, manual_link, situation
           FROM prev_read) p ON p.id = s.id
UNION ALL
SELECT p.id, p.source_id, coalesce(f.source_name, p.source_name), coalesce(f.authoritative, false), p.native_identity,
  p.name, p.display_name, p.uuid, p.disabled, p.locked, p.system, p.privileged, p.attributes, p.entitlements, p.digest,
  p.created, p.modified,
  CASE WHEN p.dead_since IS NOT NULL THEN p.dead_since
       WHEN f.source_id IS NULL OR (f.mark_missing AND k.id IS NULL) THEN $now ELSE NULL END,
  p.identity_id, p.matched_rule, p.manual_link, p.situation,
  CASE WHEN p.dead_since IS NOT NULL THEN 'dead'
       WHEN f.source_id IS NULL OR (f.mark_missing AND k.id IS NULL) THEN 'missing' ELSE 'kept' END
FROM (SELECT p.* FROM prev_read p LEFT ANTI JOIN (SELECT id FROM staged_one) s ON s.id = p.id) p
LEFT JOIN source_flags f ON f.source_id = p.source_id
LEFT JOIN kept_ids k ON k.id = p.id";

async fn count_changes(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    let rows = work
        .rows("changes", "SELECT source_id, change, count(*) FROM account_changes GROUP BY source_id, change")
        .await?;
    for ((id, change), n) in texts(&rows, 0).zip(texts(&rows, 1)).zip(work::counts("changes", &rows, 2)?) {
        let Some(source) = staged.iter_mut().find(|s| s.outcome.run.id.as_str() == id) else { continue };
        let run = &mut source.outcome.run;
        match change.as_str() {
            "created" => run.created = n,
            "updated" => run.updated = n,
            "unchanged" => run.unchanged += n,
            "missing" => run.missing = n,
            // A run of changes has seen these, too.
            "kept" if run.mode == AggregationMode::Partial && run.complete => run.unchanged += n,
            _ => {}
        }
        if change != "dead" && change != "missing" {
            run.loaded += n;
        }
    }
    Ok(())
}

/// Leaves `accounts_next`, the table's rows.
pub(super) async fn finish(work: &Work) -> Result<()> {
    work.step(
        "accounts_next",
        "SELECT a.id, a.source_id, a.source_name, a.native_identity, a.name, a.display_name, a.uuid, \
           a.disabled, a.locked, a.system, a.privileged, a.attributes, a.entitlements, \
           CAST(coalesce(array_length(a.entitlements), 0) AS INT) AS entitlement_count, a.digest, \
           CASE WHEN a.dead_since IS NULL THEN l.identity_id ELSE a.prev_identity END AS identity_id, \
           CASE WHEN a.dead_since IS NULL THEN l.manual_link ELSE a.prev_link END AS manual_link, \
           CASE WHEN a.dead_since IS NULL THEN l.manual_link ELSE a.prev_link END IS NOT NULL AS manually_correlated, \
           CASE WHEN a.dead_since IS NULL THEN l.matched_rule ELSE a.prev_rule END AS matched_rule, \
           CASE WHEN a.dead_since IS NOT NULL THEN a.prev_situation \
                WHEN l.identity_id IS NULL THEN l.situation \
                WHEN i.correlated THEN 'LINKED' ELSE 'PLACEHOLDER_OWNER' END AS situation, \
           NOT coalesce(i.correlated, false) AS uncorrelated, l.candidates, \
           a.created, a.modified, a.dead_since \
         FROM accounts_now a LEFT JOIN links l ON l.account_id = a.id \
         LEFT JOIN (SELECT id, correlated FROM identities_next) i ON i.id = l.identity_id",
    )
    .await
}
