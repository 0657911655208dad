//! Writes the next snapshot: each changed table gets one new version, and one manifest names the versions of all
//! tables.
//!
//! The manifest describes complete tables. A table that did not change keeps its version. The new version of a
//! partitioned table shares the files of unchanged partitions.

use super::authoritative::Profile;
use super::consistency::Written;
use super::documents::{Made, MadeFile};
use super::incremental::{self, Needed, Recompute};
use super::stage::StagedSource;
use super::steps;
use super::totals::{self, Files};
use super::work::{self, Work};
use super::{RefreshOutcome, RefreshRequest, SourceOutcome, TableOutcome};
use crate::declared::{ACCOUNTS, COUNTS, IDENTITIES, IDENTITY_DOCUMENTS, Table, Writing};
use crate::digests::{self, sums};
use crate::error::{EngineError, Result};
use crate::functions::lifecycle_attribute;
use crate::partitions::{self, Partitioning, RewritePlan};
use crate::query::Value;
use crate::session::{Engine, within_memory};
use crate::tables::{self, DataFile};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, cast, ident, lit};
use muster_reports::SnapshotManifest;
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::snapshot::SourceRun;
use muster_sources::DocumentType;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Most files of a table that only grows. When there are more, they are merged into one.
const GROWN_FILES_MAX: usize = 16;

/// Registers the last snapshot's tables; before the first snapshot, they are empty. Returns whether a table lacks
/// columns because an older version of the program wrote it. The missing columns are null, and the refresh must be a
/// full one.
pub(super) async fn register_previous(
    engine: &Engine,
    work: &Work,
    previous: Option<&SnapshotManifest>,
) -> Result<bool> {
    let mut lacks = false;
    for table in Table::all().filter(|table| table.read_again) {
        let alias = format!("prev_{}", table.name);
        let Some(version) = previous.and_then(|manifest| manifest.versions.get(table.name)) else {
            work.memory(&alias, RecordBatch::new_empty(table.schema()))?;
            continue;
        };
        tables::register(&work.context, engine.tables_dir(), table.name, *version, &alias).await?;
        lacks |= work.complete_columns(&alias, &table.schema()).await?;
    }
    Ok(lacks)
}

/// Writes the changed tables and describes all tables. Readers see nothing before the manifest is published.
pub(super) async fn write_tables(
    engine: &Engine,
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
    staged: Vec<StagedSource>,
    profiles: &[Profile],
    made: &Made,
) -> Result<RefreshOutcome> {
    let outcomes: Vec<_> = staged.into_iter().map(|s| s.outcome).collect();
    let runs: Vec<SourceRun> = outcomes.iter().map(|o| o.run.clone()).collect();
    work.memory("sources_next", sources_batch(request)?)?;
    work.memory("runs_next", runs_batch(request, &outcomes)?)?;
    let last = request.previous.as_deref().filter(|_| !recompute.everything);
    let mut written = Vec::new();
    let mut versions = BTreeMap::new();
    let mut files = Files::new();
    for declared in Table::all() {
        let table = declared.name;
        let previous = last.and_then(|last| last.versions.get(table).copied());
        if table == COUNTS {
            let errors = work.rows(&steps::ERRORS_BY_SOURCE, &[]).await?;
            work.memory("numbers_next", numbers_batch(&numbers(request, &files, &errors)?)?)?;
            let snapshot = Value::text(request.snapshot.as_str());
            work.run_with(&steps::COUNTS_NEXT, &[("snapshot", snapshot)]).await?;
        }
        let began = Instant::now();
        let few = table == IDENTITIES && recompute.needs(Needed::FewIdentities);
        let rows = if few { "identities_changed" } else { declared.rows };
        let rows = in_schema(work.relation(rows).await?, &declared.schema(), table)?;
        let (version, mut outcome) = match (last, previous, declared.writing) {
            (Some(last), Some(version), _) if is_unchanged(table, recompute, &outcomes, last) => {
                let files_kept = tables::data_files(engine.tables_dir(), table, version).await?.len() as u64;
                (version, TableOutcome { files_kept, ..TableOutcome::of(table) })
            }
            (_, Some(version), Writing::Grows) => {
                match add_rows(engine, request, declared, rows.clone(), version).await? {
                    Some(added) => added,
                    None => {
                        write_table(engine, work, request, declared, grown(work, table, rows).await?, None)
                            .await?
                    }
                }
            }
            // Facts that only this table has are kept, even in a full refresh.
            (_, None, Writing::Grows) if declared.only_here.is_some() => {
                write_table(engine, work, request, declared, grown(work, table, rows).await?, None).await?
            }
            _ if table == IDENTITY_DOCUMENTS && !made.identities.is_empty() => {
                take_files(engine, declared, &made.identities).await?
            }
            _ => write_table(engine, work, request, declared, rows, previous).await?,
        };
        let alias = format!("written_{table}");
        tables::register(&work.context, engine.tables_dir(), table, version, &alias).await?;
        let described = digests::describe(engine, table, version, request.previous.as_deref()).await?;
        outcome.rows = match last.and_then(|last| last.rows.get(table)) {
            _ if sums::is_counted(table) => sums::total(described.values(), sums::ROWS),
            Some(rows) if previous == Some(version) => *rows,
            Some(_) | None => work.count(&alias).await?,
        };
        files.insert(table.to_owned(), described);
        work::took(&alias, began);
        versions.insert(table.to_owned(), version);
        written.push(outcome);
    }
    let rows: BTreeMap<_, _> =
        written.iter().map(|outcome| (outcome.table.to_owned(), outcome.rows)).collect();
    Written { work, request, recompute, last, outcomes: &outcomes, rows: &rows, files: &files }
        .check()
        .await?;
    let totals = totals::count(engine, &files, &rows, request.previous.as_deref()).await?;
    reached(Failpoint::TablesWritten);
    let manifest = SnapshotManifest {
        id: request.snapshot.clone(),
        created: request.clock.now(),
        versions,
        identity_attributes: identity_attributes(profiles),
        sources: runs,
        rows,
        last_event: Some(made.last_event),
        files,
    };
    Ok(RefreshOutcome {
        manifest: Some(manifest),
        sources: outcomes,
        tables: written,
        totals,
        exceeded: Vec::new(),
    })
}

/// A number of the snapshot: what is counted, of which source if it is not of the whole tenant, and the number.
type Number = (&'static str, Option<String>, u64);

/// The numbers of this snapshot, as the reports count. A source without any rows has a count of 0, so that a trend falls
/// to zero.
fn numbers(request: &RefreshRequest, files: &Files, errors: &[RecordBatch]) -> Result<Vec<Number>> {
    let sum = |table, number| totals::sum(files, table, number);
    let mut numbers: Vec<Number> = vec![
        ("identities", None, sum(IDENTITIES, sums::ROWS)),
        ("orphan identities", None, sum(IDENTITIES, sums::ORPHANS)),
        ("accounts", None, sum(ACCOUNTS, sums::OF_PEOPLE)),
        ("uncorrelated accounts", None, sum(ACCOUNTS, sums::UNCORRELATED)),
    ];
    let errors: BTreeMap<String, u64> =
        work::texts(errors, 0).zip(work::counts("errors by source", errors, 1)?).collect();
    for definition in request.sources.iter().map(|input| &input.definition) {
        let of_source = files.get(ACCOUNTS).into_iter().flatten();
        let of_source = of_source.filter(|(name, _)| partitions::is_of_group(name, &definition.id));
        let live = sums::total(of_source.map(|(_, file)| file), sums::LIVE);
        numbers.push(("accounts", Some(definition.id.clone()), live));
        if definition.is_authoritative() {
            let errors = errors.get(&definition.id).copied().unwrap_or(0);
            numbers.push(("identity errors", Some(definition.id.clone()), errors));
        }
    }
    Ok(numbers)
}

/// `numbers_next`: these numbers.
pub(super) fn numbers_batch(numbers: &[Number]) -> Result<RecordBatch> {
    let count = |(_, _, number): &Number| i64::try_from(*number).ok();
    RecordBatch::try_from_iter([
        ("counted", texts(numbers.iter().map(|(counted, _, _)| Some(*counted)))),
        ("source_id", texts(numbers.iter().map(|(_, source, _)| source.as_deref()))),
        ("number", Arc::new(numbers.iter().map(count).collect::<Int64Array>()) as ArrayRef),
    ])
    .map_err(|e| EngineError::data("listing the numbers of the snapshot", e))
}

/// Whether a table that is written whole is unchanged.
fn is_unchanged(
    table: &str,
    recompute: &Recompute,
    outcomes: &[SourceOutcome],
    last: &SnapshotManifest,
) -> bool {
    let runs = || outcomes.iter().map(|outcome| &outcome.run);
    let was_rejected = |run: &SourceRun| last.source(run.id.as_str()).map_or(0, |run| run.rejected);
    let nobody_gives = |of: DocumentType| runs().chain(&last.sources).all(|run| !incremental::gave(run, of));
    let had = |rows: usize| last.rows.get(table) == Some(&(rows as u64));
    match table {
        "sources" => recompute.redefined.is_empty() && had(outcomes.len()),
        "identity_profiles" => {
            recompute.redefined.is_empty() && had(runs().filter(|run| run.authoritative).count())
        }
        "identity_errors" => recompute.needs(Needed::IdentitiesCopied),
        "rejected_records" => {
            outcomes.iter().all(|o| o.carried || (o.run.rejected == 0 && was_rejected(&o.run) == 0))
        }
        // These documents exist only in sources.
        "access_profile_documents" => nobody_gives(DocumentType::AccessProfiles),
        "account_activity_documents" => nobody_gives(DocumentType::AccountActivities),
        "role_documents" => nobody_gives(DocumentType::Roles),
        _ => false,
    }
}

/// The rows of a table that only grows: the rows of the last version and the new rows.
async fn grown(work: &Work, table: &str, came: DataFrame) -> Result<DataFrame> {
    let schema = Table::of(table).schema();
    let before = in_schema(work.relation(&format!("prev_{table}")).await?, &schema, table)?;
    before.union(came).map_err(|e| EngineError::plan(table, e))
}

/// A new version of a table that only grows: the files of the last version, and one file with the new rows. `None` if
/// there are so many files that the whole table should be written.
async fn add_rows(
    engine: &Engine,
    request: &RefreshRequest,
    declared: &'static Table,
    rows: DataFrame,
    version: u64,
) -> Result<Option<(u64, TableOutcome)>> {
    let (dir, table) = (engine.tables_dir(), declared.name);
    let mut files = tables::data_files(dir, table, version).await?;
    if files.len() >= GROWN_FILES_MAX {
        return Ok(None);
    }
    let name = format!("added-{}.parquet", request.attempt);
    let added = within_memory(rows, |frame| tables::add_file(dir, table, &name, frame)).await?;
    let outcome = TableOutcome::written(table, files.len() as u64, added.as_slice());
    let Some(added) = added else { return Ok(Some((version, outcome))) };
    files.push(added.clone());
    let version = tables::commit(dir, table, &files).await?;
    tables::sync(dir, table, version, &[added])?;
    reached(Failpoint::TableWritten);
    Ok(Some((version, outcome)))
}

/// A new version of a table of these files, which a step has made as they are to be.
async fn take_files(
    engine: &Engine,
    declared: &'static Table,
    made: &[MadeFile],
) -> Result<(u64, TableOutcome)> {
    let (dir, table) = (engine.tables_dir(), declared.name);
    tables::create(dir, table, &declared.schema()).await?;
    let mut taken = TakenFiles::default();
    for MadeFile { path, file } in made {
        taken.take(path, dir.join(table).join(&file.name))?;
    }
    let files: Vec<_> = made.iter().map(|made| made.file.clone()).collect();
    let version = tables::commit(dir, table, &files).await?;
    taken.0.clear();
    tables::sync(dir, table, version, &files)?;
    reached(Failpoint::TableWritten);
    Ok((version, TableOutcome::written(table, 0, &files)))
}

/// Files in the folder of a table that no version names yet. Dropping this removes them.
#[derive(Default)]
struct TakenFiles(Vec<PathBuf>);

impl TakenFiles {
    /// Takes a file of the work folder. It stays there, too.
    fn take(&mut self, from: &Path, to: PathBuf) -> Result<()> {
        let failed = |e| EngineError::io(format!("taking file {}", to.display()), e);
        match std::fs::hard_link(from, &to) {
            Ok(()) => self.0.push(to),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(failed(error)),
            // The work folder can be on another file system.
            Err(_) => {
                self.0.push(to.clone());
                std::fs::copy(from, &to).map_err(failed)?;
            }
        }
        Ok(())
    }
}

impl Drop for TakenFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(file = %path.display(), %error, "an unfinished file could not be removed");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}

/// A new version of a table. If the table is partitioned, untouched partitions of `previous` are kept.
async fn write_table(
    engine: &Engine,
    work: &Work,
    request: &RefreshRequest,
    declared: &'static Table,
    rows: DataFrame,
    previous: Option<u64>,
) -> Result<(u64, TableOutcome)> {
    let (dir, table, schema) = (engine.tables_dir(), declared.name, declared.schema());
    let Some(partitioning) = &Partitioning::of(declared) else {
        tables::create(dir, table, &schema).await?;
        let name = format!("whole-{}.parquet", request.attempt);
        let written = within_memory(rows, |frame| tables::add_file(dir, table, &name, frame)).await?;
        let files: Vec<_> = written.into_iter().collect();
        let version = tables::commit(dir, table, &files).await?;
        tables::sync(dir, table, version, &files)?;
        reached(Failpoint::TableWritten);
        return Ok((version, TableOutcome::written(table, 0, &files)));
    };
    let rewrite = match previous {
        Some(version) => {
            let files = tables::data_files(dir, table, version).await?;
            let touched = work.relation(partitioning.touched).await?;
            RewritePlan::of_touched(partitioning, files, touched).await?
        }
        None => None,
    };
    let (rewrite, frame) = match rewrite {
        Some(rewrite) => {
            let frame = revised(work, partitioning, &schema, dir, &rewrite, rows).await?;
            (rewrite, frame)
        }
        None if previous.is_some() => {
            let what = format!("reading the files of table {table:?}");
            return Err(EngineError::data(
                what,
                "they are not partitioned: expected those that a refresh wrote",
            ));
        }
        None => {
            tables::create(dir, table, &schema).await?;
            let groups = groups_of(partitioning, rows.clone()).await?;
            (RewritePlan::whole(partitioning, groups), rows)
        }
    };
    let attempt = request.attempt.as_str();
    let written =
        within_memory(frame, |frame| partitions::write(partitioning, dir, attempt, &rewrite, frame)).await?;
    let outcome = TableOutcome::written(table, rewrite.kept.len() as u64, &written);
    if let Some(version) = previous
        && written.is_empty()
        && rewrite.rewritten.is_empty()
    {
        return Ok((version, outcome));
    }
    let files: Vec<_> = rewrite.kept.into_iter().chain(written.iter().cloned()).collect();
    let version = tables::commit(dir, table, &files).await?;
    tables::sync(dir, table, version, &written)?;
    reached(Failpoint::TableWritten);
    Ok((version, outcome))
}

/// The rows of the partitions to write: untouched rows are copied, touched rows are recomputed.
async fn revised(
    work: &Work,
    partitioning: &Partitioning,
    schema: &SchemaRef,
    dir: &Path,
    rewrite: &RewritePlan,
    rows: DataFrame,
) -> Result<DataFrame> {
    let table = partitioning.table;
    let failed = |e| EngineError::plan(table, e);
    let touched = work.relation(partitioning.touched).await?.select_columns(&["id"]).map_err(failed)?;
    let touched = touched.alias("touched").map_err(failed)?;
    let of_touched =
        |frame: DataFrame, kind| frame.join(touched.clone(), kind, &["id"], &["id"], None).map_err(failed);
    let now = of_touched(rows, JoinType::LeftSemi)?;
    if rewrite.rewritten.is_empty() {
        return Ok(now);
    }
    let files = rewrite.rewritten.iter().map(|file| dir.join(table).join(&file.name));
    let before = format!("before_{table}");
    work.parquet_files(&before, files, schema).await?;
    let before = in_schema(work.relation(&before).await?, schema, table)?;
    of_touched(before, JoinType::LeftAnti)?.union(now).map_err(failed)
}

/// The number of rows in each group of a table.
async fn groups_of(partitioning: &Partitioning, rows: DataFrame) -> Result<Vec<(Option<String>, u64)>> {
    let failed = |e| EngineError::plan(partitioning.table, e);
    let Some(group) = partitioning.group else {
        return Ok(vec![(None, rows.count().await.map_err(failed)? as u64)]);
    };
    let counted = rows.aggregate(vec![ident(group)], vec![count(lit(1))]).map_err(failed)?;
    let counted = counted.collect().await.map_err(failed)?;
    Ok(work::texts(&counted, 0).map(Some).zip(work::counts(partitioning.table, &counted, 1)?).collect())
}

impl TableOutcome {
    fn of(table: &'static str) -> Self {
        Self { table, rows: 0, files_kept: 0, files_written: 0, rows_written: 0, bytes_written: 0 }
    }

    fn written(table: &'static str, files_kept: u64, files: &[DataFile]) -> Self {
        Self {
            files_kept,
            files_written: files.len() as u64,
            rows_written: files.iter().map(|file| file.rows).sum(),
            bytes_written: files.iter().map(|file| file.bytes).sum(),
            ..Self::of(table)
        }
    }
}

/// The frame's columns by name, in the order and with the types of the schema.
fn in_schema(frame: DataFrame, schema: &SchemaRef, table: &str) -> Result<DataFrame> {
    let columns: Vec<Expr> = schema
        .fields()
        .iter()
        .map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name()))
        .collect();
    frame.select(columns).map_err(|e| EngineError::plan(table, e))
}

/// Identity attributes in schema order: by profile priority, then as mapped.
fn identity_attributes(profiles: &[Profile]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    for profile in profiles {
        for attribute in &profile.definition.attributes {
            add(&attribute.name);
        }
        add("displayName");
        if profile.lifecycle.is_some() {
            add(lifecycle_attribute());
        }
    }
    names
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn sources_batch(request: &RefreshRequest) -> Result<RecordBatch> {
    let definitions: Vec<_> = request.sources.iter().map(|s| &s.definition).collect();
    let json: Vec<String> = definitions
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()
        .map_err(|e| EngineError::data("describing the sources", e))?;
    let columns: Vec<ArrayRef> = vec![
        texts(definitions.iter().map(|d| Some(d.id.as_str()))),
        texts(definitions.iter().map(|d| Some(d.name.as_str()))),
        texts(definitions.iter().map(|d| Some(d.reader.kind()))),
        Arc::new(definitions.iter().map(|d| Some(d.is_authoritative())).collect::<BooleanArray>()),
        texts(json.iter().map(|j| Some(j.as_str()))),
    ];
    RecordBatch::try_new(Table::of("sources").schema(), columns)
        .map_err(|e| EngineError::data("describing the sources", e))
}

fn runs_batch(request: &RefreshRequest, outcomes: &[SourceOutcome]) -> Result<RecordBatch> {
    let runs: Vec<_> = outcomes.iter().map(|o| (&o.run, o.failure.is_some())).collect();
    let text = |f: &dyn Fn(&SourceRun) -> Option<String>| -> ArrayRef {
        Arc::new(runs.iter().map(|(run, _)| f(run)).collect::<StringArray>())
    };
    let number = |f: &dyn Fn(&SourceRun) -> Option<u64>| -> ArrayRef {
        Arc::new(
            runs.iter().map(|(run, _)| f(run).and_then(|n| i64::try_from(n).ok())).collect::<Int64Array>(),
        )
    };
    let time = |f: &dyn Fn(&SourceRun) -> i64| -> ArrayRef {
        let times = runs.iter().map(|(run, _)| Some(f(run))).collect::<TimestampMicrosecondArray>();
        Arc::new(times.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_| Some(request.snapshot.as_str().to_owned())),
        text(&|run| Some(run.id.as_str().to_owned())),
        text(&|run| Some(run.name.clone())),
        text(&|run| Some(run.mode.as_str().to_owned())),
        time(&|run| run.started.timestamp_micros()),
        time(&|run| run.ended.timestamp_micros()),
        texts(runs.iter().map(|(run, failed)| {
            Some(match (failed, run.complete) {
                (true, _) => "failed",
                (false, true) => "complete",
                (false, false) => "incomplete",
            })
        })),
        Arc::new(runs.iter().map(|(run, _)| Some(run.complete)).collect::<BooleanArray>()),
        text(&|run| run.remark.clone()),
        number(&|run| run.reported_total),
        number(&|run| Some(run.read)),
        number(&|run| Some(run.rejected)),
        number(&|run| Some(run.created)),
        number(&|run| Some(run.updated)),
        number(&|run| Some(run.unchanged)),
        number(&|run| Some(run.missing)),
        number(&|run| Some(run.loaded)),
        text(&|run| run.input_digest.clone()),
        text(&|run| run.sum.as_ref().map(|sum| sum.column.clone())),
        text(&|run| run.sum.as_ref()?.stated.clone()),
        text(&|run| run.sum.as_ref().map(|sum| sum.read.clone())),
        text(&|run| run.sum.as_ref().map(|sum| sum.refused.clone())),
        text(&|run| run.sum.as_ref()?.loaded.clone()),
    ];
    RecordBatch::try_new(Table::of("aggregations").schema(), columns)
        .map_err(|e| EngineError::data("describing the aggregations", e))
}
