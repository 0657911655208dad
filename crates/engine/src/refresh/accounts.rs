//! Step 2: joins the records that were read with the known accounts. Step 8: adds owners to accounts.
//!
//! The record of the source decides. An account that was not read again is kept, unless a complete read of its source
//! may mark it missing (`guards`). A read of changes is complete, too: it also lists every account that did not change.
//! `identify` decides which account a record is.

use super::guards::{self, MissingAction};
use super::incremental::{IdentitiesToRecompute, Recompute};
use super::stage::StagedSource;
use super::work::{self, Work, texts};
use super::{RefreshRequest, SourceInput, identify, steps};
use crate::declared::IDENTITIES;
use crate::error::{EngineError, Result};
use crate::query::Value;
use datafusion::arrow::array::{BooleanArray, RecordBatch, StringArray};
use muster_reports::snapshot::{AggregationMode, SourceRun};
use muster_sources::exact_sum;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most accounts of the last snapshot that are copied to the work folder. To copy more takes longer than to read them
/// several times.
const ROWS_KEPT_MAX: u64 = 64 * 1024;
/// So many identities are few, however many there are.
const FEW_IDENTITIES: u64 = 100;

/// Leaves `staged_one`, the usable records with the ids of their accounts; `kept_ids`, the accounts that still exist
/// although their records cannot be used or did not change; and `rejected`. Fails the sources whose read cannot be
/// used.
pub(super) async fn take_records(
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
    staged: &mut [StagedSource],
) -> Result<()> {
    work.memory("source_flags", flags_batch(staged, &BTreeMap::new())?)?;
    let read = staged.iter().filter(|s| !s.outcome.carried).map(|s| s.outcome.run.id.as_str());
    match recompute.everything {
        true => work.run(recompute, &[&steps::PREV_READ_ALL]).await?,
        false => work.run_with(&steps::PREV_READ, &[("read", Value::texts(read))]).await?,
    }
    identify::unite_repeated_rows(work, recompute, staged).await?;
    count_conflicts(work, staged).await?;
    divide_sums(work, staged).await?;
    if !recompute.everything {
        leave_out_equal(work, recompute, staged).await?;
    }
    identify::name_accounts(work, recompute).await?;
    guards::check_reads(work, request, staged).await?;
    work.run_with(&steps::STAGED_ONE, &[("failed", failed(staged))]).await?;
    work.run(recompute, &[&steps::KEPT_IDS]).await?;
    distrust_changes(work, staged).await
}

fn failed(staged: &[StagedSource]) -> Value {
    let failed = staged.iter().filter(|source| source.outcome.failure.is_some());
    Value::texts(failed.map(|source| source.outcome.run.id.as_str()))
}

/// Leaves in `staged_single` and `prev_read` only records and accounts that differ from each other, so that the steps
/// that follow work in proportion to what changed. Records that are equal to their accounts are counted.
async fn leave_out_equal(work: &Work, recompute: &Recompute, staged: &mut [StagedSource]) -> Result<()> {
    let [redefined, _] = recompute.values();
    let failed = ("failed", failed(staged));
    work.run_with(&steps::DIFFERENCES, &[failed.clone(), redefined]).await?;
    let equal = work.rows(&steps::EQUAL_BY_SOURCE, &[failed]).await?;
    for (id, n) in texts(&equal, 0).zip(work::counts("equal records", &equal, 1)?) {
        if let Some(source) = staged.iter_mut().find(|source| source.outcome.run.id.as_str() == id) {
            source.equal = n;
        }
    }
    let left = [&steps::STAGED_UUIDS, &steps::STAGED_DIFFERENT, &steps::PREV_CONCERNED];
    work.run(recompute, &left).await?;
    let few = work.count("prev_concerned").await? <= ROWS_KEPT_MAX;
    work.run(recompute, &[if few { &steps::PREV_DIFFERENT } else { &steps::PREV_DIFFERENT_PLANNED }]).await
}

/// Leaves `accounts_now` (the accounts to recompute, with their state in the last snapshot), sets the counts of each
/// run, and decides whether to recompute identities.
pub(super) async fn merge_into_previous(
    work: &Work,
    request: &RefreshRequest,
    recompute: &mut Recompute,
    staged: &mut [StagedSource],
) -> Result<()> {
    let missing = guards::missing(work, request, staged).await?;
    work.memory("source_flags", flags_batch(staged, &missing)?)?;
    let merged = [
        &steps::LAST_READS,
        &steps::WITHOUT_RECORD,
        &steps::CHANGED_CONTENT,
        &steps::ENTITLEMENTS_BEFORE,
        &steps::ACCOUNTS_MERGED,
    ];
    work.run(recompute, &merged).await?;
    work.run(recompute, &[&steps::ACCOUNTS_NOW_ALL, &steps::ACCOUNT_CHANGES_ALL]).await?;
    work.run(recompute, &[&steps::ACCOUNT_CHANGES, &steps::ACCOUNTS_NOW]).await?;
    count_changes(work, staged).await?;
    if recompute.everything {
        return Ok(());
    }
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
    let changed = work.rows(&steps::AUTHORITATIVE_CHANGES, &[]).await?;
    let changed: u64 = work::counts("authoritative_changes", &changed, 0)?.into_iter().sum();
    let redefined =
        request.sources.iter().any(|s| recompute.redefined.contains(&s.definition.id) && decides(s));
    recompute.identities = if redefined || is_much(request, changed) {
        IdentitiesToRecompute::All
    } else if changed > 0 || staged.iter().any(refused) {
        IdentitiesToRecompute::Some
    } else {
        IdentitiesToRecompute::Copied
    };
    work.run(recompute, &[&steps::WANTED_BY_LINKS, &steps::WANTED_BY_LINKS_AND_SOURCES]).await?;
    recall(work, recompute).await
}

/// Whether so many identities are to be recomputed that it is faster to recompute all of them.
pub(super) fn is_much(request: &RefreshRequest, identities: u64) -> bool {
    let known = request.previous.as_ref().and_then(|last| last.rows.get(IDENTITIES)).copied().unwrap_or(0);
    identities > FEW_IDENTITIES.max(known / 10)
}

/// Adds to `accounts_now` live accounts of the last snapshot whose `id` is in `wanted`.
pub(super) async fn recall(work: &Work, recompute: &Recompute) -> Result<()> {
    work.run(recompute, &[&steps::RECALLED, &steps::ACCOUNTS_NOW_RECALLED]).await
}

/// `source_flags`: the properties of each source that the plans need.
pub(super) fn flags_batch(
    staged: &[StagedSource],
    missing: &BTreeMap<String, MissingAction>,
) -> Result<RecordBatch> {
    let runs: Vec<_> = staged.iter().map(|s| &s.outcome.run).collect();
    let flags =
        |f: &dyn Fn(&StagedSource) -> bool| -> BooleanArray { staged.iter().map(|s| Some(f(s))).collect() };
    let of = |s: &StagedSource| missing.get(s.outcome.run.id.as_str()).copied().unwrap_or_default();
    RecordBatch::try_from_iter([
        ("source_id", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.id.as_str()))) as _),
        ("source_name", Arc::new(StringArray::from_iter_values(runs.iter().map(|r| r.name.as_str()))) as _),
        ("authoritative", Arc::new(flags(&|s| s.outcome.run.authoritative)) as _),
        ("merge_rows", Arc::new(flags(&|s| s.merge_rows)) as _),
        ("mark_missing", Arc::new(flags(&|s| of(s).mark)) as _),
        ("hold_missing", Arc::new(flags(&|s| of(s).hold)) as _),
        ("mark_held", Arc::new(flags(&|s| of(s).accept)) as _),
    ])
    .map_err(|e| EngineError::data("describing the sources", e))
}

/// Counts conflicting rows as rejected, and adds the first of them to the outcome.
async fn count_conflicts(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    let counts = work.rows(&steps::REJECTED_BY_SOURCE, &[]).await?;
    let by_source: BTreeMap<String, u64> =
        texts(&counts, 0).zip(work::counts("rejected by source", &counts, 1)?).collect();
    for source in staged.iter_mut() {
        let Some(rejected) = by_source.get(source.outcome.run.id.as_str()) else { continue };
        if *rejected == source.outcome.run.rejected && !source.outcome.carried {
            continue;
        }
        source.outcome.run.rejected = *rejected;
        let values = [
            ("source", Value::text(source.outcome.run.id.as_str())),
            ("shown", Value::Number(super::REJECTIONS_SHOWN_MAX as u64)),
        ];
        let shown = work.rows(&steps::REJECTED_OF_SOURCE, &values).await?;
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

/// Divides the sums that owners state by what became of the records. The sum of all was made while they were read; it must be
/// that of the refused ones and of those that accounts are made of.
async fn divide_sums(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    let is_summed = |source: &StagedSource| !source.outcome.carried && source.outcome.run.sum.is_some();
    if !staged.iter().any(is_summed) {
        return Ok(());
    }
    let rows = work.rows(&steps::SUMS_OF_RECORDS, &[]).await?;
    let parts: BTreeMap<_, _> = texts(&rows, 0).zip(texts(&rows, 1)).zip(texts(&rows, 2)).collect();
    for source in staged.iter_mut().filter(|source| is_summed(source)) {
        let SourceRun { id, name, sum, .. } = &mut source.outcome.run;
        let Some(sum) = sum else { continue };
        let of = |part: &str| {
            let found = parts.get(&(id.as_str().to_owned(), part.to_owned()));
            exact_sum(found.map_or("0", String::as_str), "0")
        };
        let refused = of("refused").and_then(|more| exact_sum(&sum.refused, &more));
        let (Some(refused), Some(loaded)) = (refused, of("loaded")) else { continue };
        // A sum that is too great to be counted is no number.
        match (exact_sum(&refused, &loaded), exact_sum(&sum.read, "0")) {
            (Some(parts), Some(read)) if parts != read => {
                return Err(EngineError::data(
                    format!("adding up {:?} of source {name:?}", sum.column),
                    format!("{refused} was refused and {loaded} loaded: expected {read} together"),
                ));
            }
            _ => (sum.refused, sum.loaded) = (refused, Some(loaded)),
        }
    }
    Ok(())
}

/// A read of changes cannot be trusted if it counts on an unknown account or contains an unusable record. Then the next
/// run reads everything.
async fn distrust_changes(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    for source in staged.iter_mut() {
        if source.outcome.run.rejected > 0 {
            source.outcome.run.cursor = None;
        }
    }
    if staged.iter().all(|source| source.outcome.run.mode == AggregationMode::Full) {
        return Ok(());
    }
    let unknown = work.rows(&steps::UNKNOWN_ACCOUNTS, &[]).await?;
    for (id, n) in texts(&unknown, 0).zip(texts(&unknown, 1)) {
        let Some(source) = staged.iter_mut().find(|s| s.outcome.run.id.as_str() == id) else { continue };
        let run = &mut source.outcome.run;
        (run.complete, run.cursor) = (false, None);
        source.remark(format!(
            "the source says that {n} accounts are unchanged, but they are not known: the next run reads everything"
        ));
    }
    Ok(())
}

async fn count_changes(work: &Work, staged: &mut [StagedSource]) -> Result<()> {
    for source in staged.iter_mut() {
        source.outcome.run.unchanged += source.equal;
        source.outcome.run.loaded += source.equal;
    }
    let rows = work.rows(&steps::CHANGES_BY_SOURCE, &[]).await?;
    for ((id, change), n) in texts(&rows, 0).zip(texts(&rows, 1)).zip(work::counts("changes", &rows, 2)?) {
        let Some(source) = staged.iter_mut().find(|s| s.outcome.run.id.as_str() == id) else { continue };
        let run = &mut source.outcome.run;
        match change.as_str() {
            "created" => run.created = n,
            "updated" => run.updated = n,
            "unchanged" => run.unchanged += n,
            "missing" => run.missing = n,
            // A read of changes has seen these accounts, too.
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
