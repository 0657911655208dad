//! Step 2: what was read meets what was known. Step 8: accounts with their owners.
//!
//! Rows of the source win; an account that was not read again lives on unless a complete run of its source
//! may mark it missing (`guards`). A run of changes is complete, too: it says of every account that did not change that
//! it is there. Which account a record is, `identify` says.

use super::extent::{Extent, within};
use super::guards::{self, Missing};
use super::stage::StagedSource;
use super::work::{self, Work, literal, texts};
use super::{RefreshRequest, SourceInput, identify};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{BooleanArray, RecordBatch, StringArray};
use muster_reports::snapshot::AggregationMode;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const CONTENT: &str =
    "name, display_name, uuid, disabled, locked, system, privileged, attributes, entitlements";

/// The native identity that the manual link of an account of the last snapshot names: another than the account's, where
/// the account was moved since.
const LINKED_AS: &str =
    "coalesce(p.linked_as, CASE WHEN p.manual_link IS NOT NULL THEN p.native_identity END)";

/// Leaves `staged_one`, the usable records with the ids of their accounts, `kept_ids`, the accounts that are there though
/// their records cannot be used or did not change, and `rejected`; fails the sources whose read is worth nothing.
pub(super) async fn take_records(
    work: &Work,
    request: &RefreshRequest,
    staged: &mut [StagedSource],
) -> Result<()> {
    register_flags(work, staged, &BTreeMap::new())?;
    let carried = staged.iter().filter(|s| s.outcome.carried).map(|s| s.outcome.run.id.as_str());
    let carried = within("source_id", carried);
    work.view("prev_read", &format!("SELECT * FROM prev_accounts WHERE NOT ({carried})")).await?;
    identify::unite_repeated_rows(work).await?;
    count_conflicts(work, staged).await?;
    identify::name_accounts(work).await?;
    guards::check_reads(work, request, staged).await?;
    let failed = staged.iter().filter(|s| s.outcome.failure.is_some()).map(|s| s.outcome.run.id.as_str());
    let failed = within("source_id", failed);
    work.view("staged_one", &format!("SELECT * FROM staged_known WHERE NOT ({failed})")).await?;
    work.step(
        "kept_ids",
        "SELECT p.id, bool_or(n.present) AS present FROM ( \
           SELECT source_id, native_identity, false AS present FROM rejected WHERE native_identity IS NOT NULL \
           UNION ALL SELECT source_id, native_identity, true AS present FROM present_raw) n \
         JOIN (SELECT id, source_id, native_identity FROM prev_read) p \
           ON p.source_id = n.source_id AND p.native_identity = n.native_identity GROUP BY p.id",
    )
    .await?;
    distrust_changes(work, staged).await
}

/// Leaves `accounts_now` (the accounts to be made anew, with what the last snapshot knew of them), fills in the counts of
/// each run, and finds out whether identities have to be made anew.
pub(super) async fn merge_into_previous(
    work: &Work,
    request: &RefreshRequest,
    extent: &mut Extent,
    staged: &mut [StagedSource],
) -> Result<()> {
    let missing = guards::missing(work, request, staged).await?;
    register_flags(work, staged, &missing)?;
    if extent.everything {
        work.step("accounts_now", &accounts_now()).await?;
        work.view("account_changes", "SELECT id, source_id, authoritative, change FROM accounts_now").await?;
        work.view("carried_accounts", "SELECT * FROM prev_accounts WHERE false").await?;
        return count_changes(work, staged).await;
    }
    choose(work, extent).await?;
    count_changes(work, staged).await?;
    let authoritative = format!(
        "SELECT count(*) FROM account_changes WHERE authoritative AND (change NOT IN ({AS_BEFORE}) OR held_otherwise)"
    );
    let last = |id: &str| request.previous.as_ref().and_then(|last| last.source(id));
    let decides = |input: &SourceInput| {
        input.definition.is_authoritative() || last(&input.definition.id).is_some_and(|run| run.authoritative)
    };
    // Refused records of an authoritative source are errors of its profile.
    let refused = |source: &StagedSource| {
        let run = &source.outcome.run;
        let before = last(run.id.as_str()).is_some_and(|run| run.rejected > 0);
        run.authoritative && !source.outcome.carried && (run.rejected > 0 || before)
    };
    extent.identities = work.count("changed authoritative accounts", &authoritative).await? > 0
        || request.sources.iter().any(|s| extent.redefined.contains(&s.definition.id) && decides(s))
        || staged.iter().any(refused);
    // A manual link that came, went or waits for its identity.
    let mut again = "SELECT id FROM prev_accounts WHERE manual_link IS NOT NULL OR linked_as IS NOT NULL UNION ALL \
         SELECT p.id FROM prev_accounts p JOIN manual_links l ON l.source_id = p.source_id AND l.native_identity = p.native_identity"
        .to_owned();
    if extent.identities {
        again += " UNION ALL SELECT p.id FROM prev_accounts p JOIN source_flags f ON f.source_id = p.source_id WHERE f.authoritative";
    }
    recall(work, extent, 1, &again).await
}

/// What became of accounts that are as they were, as texts of SQL.
const AS_BEFORE: &str = "'unchanged', 'present', 'kept', 'dead'";

/// Leaves `account_changes`, what became of every account of the sources that were read, and `accounts_now`, those of
/// them that changed or whose source is defined otherwise.
async fn choose(work: &Work, extent: &Extent) -> Result<()> {
    let all = accounts_now();
    work.step(
        "account_changes",
        &format!("SELECT id, source_id, authoritative, change, held_otherwise FROM ({all})"),
    )
    .await?;
    work.step(
        "accounts_now",
        &format!(
            "SELECT n.* FROM ({all}) n LEFT SEMI JOIN ( \
               SELECT id FROM account_changes WHERE change NOT IN ({AS_BEFORE}) OR held_otherwise OR {}) c ON c.id = n.id",
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
               p.created, p.modified, p.dead_since, p.held_since, p.identity_id AS prev_identity, \
               p.matched_rule AS prev_rule, p.manual_link AS prev_link, {LINKED_AS} AS prev_linked_as, \
               p.situation AS prev_situation, 'kept' AS change, false AS held_otherwise \
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
fn register_flags(work: &Work, staged: &[StagedSource], missing: &BTreeMap<String, Missing>) -> Result<()> {
    let runs: Vec<_> = staged.iter().map(|s| &s.outcome.run).collect();
    let flags =
        |f: &dyn Fn(&StagedSource) -> bool| -> BooleanArray { staged.iter().map(|s| Some(f(s))).collect() };
    let of = |s: &StagedSource| missing.get(s.outcome.run.id.as_str()).copied().unwrap_or_default();
    let batch = RecordBatch::try_from_iter([
        ("source_id", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.id.as_str()))) as _),
        ("source_name", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.name.as_str()))) as _),
        ("authoritative", Arc::new(flags(&|s| s.outcome.run.authoritative)) as _),
        ("merge_rows", Arc::new(flags(&|s| s.merge_rows)) as _),
        ("mark_missing", Arc::new(flags(&|s| of(s).mark)) as _),
        ("hold_missing", Arc::new(flags(&|s| of(s).hold)) as _),
        ("mark_held", Arc::new(flags(&|s| of(s).accept)) as _),
    ])
    .map_err(|e| EngineError::data("describing the sources", e))?;
    work.memory("source_flags", batch)
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
                    literal(source.outcome.run.id.as_str()),
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
            "SELECT n.source_id, count(*) FROM (SELECT DISTINCT source_id, native_identity FROM present_raw) n \
             LEFT ANTI JOIN (SELECT source_id, native_identity FROM staged_one) s \
               ON s.source_id = n.source_id AND s.native_identity = n.native_identity \
             LEFT ANTI JOIN (SELECT source_id, native_identity FROM prev_accounts WHERE dead_since IS NULL) p \
               ON p.source_id = n.source_id AND p.native_identity = n.native_identity \
             GROUP BY n.source_id",
        )
        .await?;
    for (id, n) in texts(&unknown, 0).zip(texts(&unknown, 1)) {
        let Some(source) = staged.iter_mut().find(|s| s.outcome.run.id.as_str() == id) else { continue };
        let run = &mut source.outcome.run;
        (run.complete, run.cursor) = (false, None);
        source.remark(format!(
            "{n} accounts are said to be unchanged and were not known before: the next run reads everything"
        ));
    }
    Ok(())
}

/// Every account of the sources that were read, as it is now, with what the last snapshot knew of it.
fn accounts_now() -> String {
    format!(
        "
SELECT s.id, s.source_id, f.source_name, f.authoritative, s.native_identity, s.name, s.display_name, s.uuid,
  s.disabled, s.locked, s.system, s.privileged, s.attributes, s.entitlements, s.digest,
  coalesce(p.created, refresh_time()) AS created,
  CASE WHEN {AS_IT_WAS} THEN p.modified ELSE refresh_time() END AS modified,
  no_time() AS dead_since, no_time() AS held_since,
  p.identity_id AS prev_identity, p.matched_rule AS prev_rule, p.manual_link AS prev_link,
  {LINKED_AS} AS prev_linked_as, p.situation AS prev_situation,
  CASE WHEN p.id IS NULL THEN 'created' WHEN {AS_IT_WAS} THEN 'unchanged' ELSE 'updated' END AS change,
  p.held_since IS NOT NULL AS held_otherwise
FROM staged_one s
JOIN source_flags f ON f.source_id = s.source_id
LEFT JOIN prev_read p ON p.id = s.id
UNION ALL
SELECT id, source_id, source_name, authoritative, native_identity, name, display_name, uuid, disabled, locked, system,
  privileged, attributes, entitlements, digest, created, modified,
  CASE WHEN dead_since IS NULL AND is_missing THEN refresh_time() ELSE dead_since END,
  CASE WHEN dead_since IS NOT NULL OR is_missing OR is_there THEN NULL
       WHEN is_held THEN coalesce(was_held_since, refresh_time()) ELSE was_held_since END,
  prev_identity, prev_rule, prev_link, prev_linked_as, prev_situation,
  CASE WHEN dead_since IS NOT NULL THEN 'dead' WHEN is_missing THEN 'missing' WHEN present THEN 'present' ELSE 'kept' END,
  dead_since IS NULL AND NOT is_missing
    AND ((is_there AND was_held_since IS NOT NULL) OR (NOT is_there AND is_held AND was_held_since IS NULL))
FROM (
  SELECT p.id, p.source_id, coalesce(f.source_name, p.source_name) AS source_name,
    coalesce(f.authoritative, false) AS authoritative, p.native_identity, p.name, p.display_name, p.uuid, p.disabled,
    p.locked, p.system, p.privileged, p.attributes, p.entitlements, p.digest, p.created, p.modified, p.dead_since,
    p.held_since AS was_held_since, p.identity_id AS prev_identity, p.matched_rule AS prev_rule,
    p.manual_link AS prev_link, {LINKED_AS} AS prev_linked_as, p.situation AS prev_situation,
    k.id IS NOT NULL AS is_there, coalesce(k.present, false) AS present, coalesce(f.hold_missing, false) AS is_held,
    f.source_id IS NULL OR (k.id IS NULL AND f.mark_missing AND (p.held_since IS NULL OR f.mark_held)) AS is_missing
  FROM (SELECT p.* FROM prev_read p LEFT ANTI JOIN (SELECT id FROM staged_one) s ON s.id = p.id) p
  LEFT JOIN source_flags f ON f.source_id = p.source_id
  LEFT JOIN kept_ids k ON k.id = p.id)"
    )
}

/// That a record says what the account's last one said, under the same name.
const AS_IT_WAS: &str =
    "(p.digest = s.digest AND p.native_identity = s.native_identity AND p.dead_since IS NULL)";

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
            "present" if run.complete => run.unchanged += n,
            "present" | "kept" => run.stale += n,
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
           CASE WHEN a.dead_since IS NULL THEN l.linked_as ELSE a.prev_linked_as END AS linked_as, \
           CASE WHEN a.dead_since IS NULL THEN l.matched_rule ELSE a.prev_rule END AS matched_rule, \
           CASE WHEN a.dead_since IS NOT NULL THEN a.prev_situation \
                WHEN l.identity_id IS NULL THEN l.situation \
                WHEN i.correlated THEN 'LINKED' ELSE 'PLACEHOLDER_OWNER' END AS situation, \
           NOT coalesce(i.correlated, false) AS uncorrelated, l.candidates, \
           a.created, a.modified, a.dead_since, a.held_since \
         FROM accounts_now a LEFT JOIN links l ON l.account_id = a.id \
         LEFT JOIN (SELECT id, correlated FROM identities_next) i ON i.id = l.identity_id",
    )
    .await
}
