//! One run of a report: plan, rows to files, the independent counts, the cover.
//!
//! Why here: it joins the engine (plans) and the renderer (files), neither of which knows the other.
//!
//! Invariants:
//! - a result whose rows do not equal the independent counts, or its subtotals, is never published;
//! - rows are rendered outside the request runtime, with a bounded number of batches in between;
//! - dropping the run stops the plan and leaves no file.

mod cover;
mod lent;
mod plan;
mod split;
mod writing;

use crate::kept_definitions::KeptDefinitions;
use crate::result_files::ResultFiles;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use muster_engine::Engine;
use muster_render::chart::Chart;
use muster_render::pdf::PdfSettings;
use muster_render::{ColumnFormat, CsvOptions, FormulaGuard};
use muster_reports::cover::{Cover, CoverColumn, Reconciliation};
use muster_reports::definition::{CSV_BOM, EXTRA_FORMATS, FORMULA_GUARD, PDF_COLUMNS};
use muster_reports::error::{Error, Result};
use muster_reports::message::Message;
use muster_reports::ports::{Clock, ProgressCell, ReportRunner, ReviewStore, RunOutcome, SnapshotCatalogue};
use muster_reports::retention::AsOf;
use muster_reports::series::{self, Series};
use muster_reports::task::{Claim, TaskResult};
use muster_reports::trace::TARGET;
use muster_reports::{Arguments, FileFormat, ReportDefinition, SnapshotManifest};
use plan::Prepared;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tracing::field::Empty;
use tracing::{Instrument, Span};
use writing::{Table, ToFile, WritingJob, WrittenFiles, WrittenTable, WrittenTables};

/// Batches that may wait for the writer. The plan pauses when the queue is full.
const BATCHES_WAITING_MAX: usize = 2;

/// Runs reports.
pub struct ReportRuns {
    /// Plans them.
    pub engine: Arc<Engine>,
    /// The reports there are.
    pub definitions: KeptDefinitions,
    /// Where the snapshot of a task is found.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// Where the access review of a report is found.
    pub reviews: Arc<dyn ReviewStore>,
    /// How their results are written.
    pub writing: ResultWriting,
}

/// Where and how results are written.
pub struct ResultWriting {
    /// Where files go.
    pub files: ResultFiles,
    /// How PDF is written; title and the like come from the report.
    pub pdf: PdfSettings,
    /// How CSV is written, unless a request says otherwise.
    pub csv: CsvOptions,
    /// For files that do not outlive a run.
    pub work_dir: PathBuf,
    /// On how many threads a format is encoded or compressed, at least one.
    pub threads: usize,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What is run.
struct ReportRun<'a> {
    claim: &'a Claim,
    definition: &'a ReportDefinition,
    manifest: &'a SnapshotManifest,
    /// The other snapshots that are read.
    series: &'a Series,
    started: DateTime<Utc>,
}

#[async_trait]
impl ReportRunner for ReportRuns {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        let (task, started) = (&claim.task, self.writing.clock.now());
        let definition = self.definitions.definition(&task.report).await?.ok_or_else(|| {
            Error::not_found(format!(
                "the definition of report {:?} is not there any more",
                task.report.as_str()
            ))
        })?;
        let manifest = self
            .snapshots
            .as_of(&task.tenant, &AsOf::Snapshot(task.snapshot.clone()))
            .await?
            .ok_or_else(|| Error::not_found(format!("snapshot {} is not there any more", task.snapshot)))?
            .readable()?;
        let (snapshots, reviews, tenant) = (&*self.snapshots, &*self.reviews, &task.tenant);
        let series =
            series::read(snapshots, reviews, tenant, &definition, &task.arguments, &manifest).await?;
        let prepared = plan::prepare(&self.engine, &manifest, &series, &definition, task)
            .instrument(tracing::info_span!(target: TARGET, "plan"))
            .await?;
        let run = ReportRun { claim, definition: &definition, manifest: &manifest, series: &series, started };
        self.writing.publish(&run, prepared, progress).await
    }
}

impl ResultWriting {
    /// Writes the rows, counts them another way, and gives the files their names if the counts agree.
    async fn publish(
        &self,
        run: &ReportRun<'_>,
        mut prepared: Prepared,
        progress: &ProgressCell,
    ) -> Result<RunOutcome> {
        let ReportRun { claim, definition, manifest, series, started } = *run;
        let task = &claim.task;
        let mut messages = check_formats(definition, &task.arguments);
        messages.extend(check_pdf_columns(definition, &task.arguments, &prepared));
        messages.append(&mut prepared.messages);
        let mut files = self.begin(run, &prepared);
        let formats = definition.formats_wanted(&task.arguments);
        let has_charts = formats.contains(&FileFormat::Pdf) || formats.contains(&FileFormat::Xlsx);
        let made = async {
            let (rows_step, count_step, charts_step) = (
                tracing::info_span!(target: TARGET, "rows", rows = Empty),
                tracing::info_span!(target: TARGET, "count", rows = Empty),
                tracing::info_span!(target: TARGET, "charts"),
            );
            let (tables, mut counted, charts) = tokio::try_join!(
                files.send_rows(&prepared, progress).instrument(rows_step),
                count(&prepared, progress).instrument(count_step),
                charts(&prepared, has_charts).instrument(charts_step)
            )?;
            check_counts(&prepared, &tables.tables, &mut counted)?;
            Ok::<_, Error>((tables, counted, charts))
        };
        let (tables, counted, charts) = match made.await {
            Ok(made) => made,
            Err(error) => {
                files.abandon().await;
                return Err(error);
            }
        };
        messages.extend(tables.messages);
        let tables = tables.tables;
        let facts = cover::Facts {
            task,
            definition,
            manifest,
            series,
            prepared: &prepared,
            started,
            messages: &messages,
            formula_guard: self.formula_guard(definition, &task.arguments),
        };
        let mut cover = cover::make(&facts, &counted, self.clock.now());
        let mut unfinished = cover.clone();
        unfinished.files = tables.iter().map(|table| cover::member(&table.name, &table.written)).collect();
        let finish_step = tracing::info_span!(target: TARGET, "files", files = Empty);
        let mut written = files.finish(unfinished, charts).instrument(finish_step).await?;
        let late = std::mem::take(&mut written.messages);
        cover.messages.extend(late.iter().cloned());
        messages.extend(late);
        cover.files = written.published.iter().map(|file| cover::file(task, file)).collect();
        cover.completed = self.clock.now();
        let rows = cover.reconciliation.reported;
        let cover = cover::to_json(&cover)?;
        Ok(RunOutcome { result: TaskResult { rows, files: written.keep(), cover }, messages })
    }
}

/// Counts every part.
async fn count(prepared: &Prepared, progress: &ProgressCell) -> Result<Vec<Reconciliation>> {
    let counted = try_join_all(prepared.parts.iter().map(|part| part.reconcile())).await?;
    let expected = counted.iter().map(|part| part.expected).sum();
    Span::current().record("rows", expected);
    progress.expect(expected);
    Ok(counted)
}

/// The charts of every part, if a document is written that shows them.
async fn charts(prepared: &Prepared, are_shown: bool) -> Result<Vec<Chart>> {
    let parts = prepared.parts.iter().filter(|_| are_shown);
    Ok(try_join_all(parts.map(|part| part.charts())).await?.concat())
}

/// Every file of every part must have as many rows as were counted another way, and each breakdown must add up to them.
fn check_counts(prepared: &Prepared, tables: &[WrittenTable], counted: &mut [Reconciliation]) -> Result<()> {
    for (part, counted) in prepared.parts.iter().zip(counted) {
        for table in tables.iter().filter(|table| table.part == part.name()) {
            counted.reported = table.written.rows;
            if counted.reported == counted.expected {
                check_subtotals(counted)?;
                continue;
            }
            return Err(Error::internal(
                format!(
                    "the report has {} rows, but {} were counted: nothing is published",
                    counted.reported, counted.expected
                ),
                format!(
                    "{}: population {}, excluded {:?}, added {:?}",
                    table.name, counted.population, counted.excluded, counted.added
                ),
            ));
        }
    }
    Ok(())
}

fn check_subtotals(counted: &Reconciliation) -> Result<()> {
    for subtotal in &counted.subtotals {
        let sum = subtotal.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.rows));
        if sum != Some(counted.reported) {
            let sum = sum.map_or_else(|| "more than can be counted".to_owned(), |sum| sum.to_string());
            return Err(Error::internal(
                format!(
                    "the subtotals by {} add up to {sum}, but the report has {} rows: nothing is published",
                    subtotal.by, counted.reported
                ),
                "subtotals that do not add up",
            ));
        }
    }
    Ok(())
}

/// Files that a thread is writing. Dropping this removes them.
struct Files {
    sender: mpsc::Sender<ToFile>,
    tables: Option<oneshot::Receiver<WrittenTables>>,
    thread: tokio::task::JoinHandle<Result<WrittenFiles>>,
}

impl ResultWriting {
    /// Whether the CSV of a request is guarded; `None` where it has none.
    fn formula_guard(&self, definition: &ReportDefinition, arguments: &Arguments) -> Option<bool> {
        let has_csv = definition.search || definition.formats_wanted(arguments).contains(&FileFormat::Csv);
        has_csv.then(|| csv_options(self.csv, arguments).formula_guard == FormulaGuard::On)
    }

    fn begin(&self, run: &ReportRun<'_>, prepared: &Prepared) -> Files {
        let ReportRun { claim, definition, .. } = *run;
        let format = |column: CoverColumn| ColumnFormat { name: column.name, label: column.label };
        let tables = prepared.parts.iter().map(|part| Table {
            name: part.name().to_owned(),
            columns: part.columns().into_iter().map(format).collect(),
        });
        let job = WritingJob {
            files: self.files.clone(),
            task: claim.task.id.clone(),
            epoch: claim.lease.epoch,
            title: definition.name.clone(),
            heading: heading(run),
            layout: definition.pdf_layout(&claim.task.arguments),
            tenant: claim.task.tenant.to_string(),
            pdf: self.pdf.clone(),
            csv: csv_options(self.csv, &claim.task.arguments),
            formats: definition.formats_wanted(&claim.task.arguments),
            folder: self.work_dir.clone(),
            threads: self.threads,
            tables: tables.collect(),
            archive: definition.search,
            files_by: definition.files_by.clone(),
        };
        let (sender, sent) = mpsc::channel(BATCHES_WAITING_MAX);
        let (written, tables) = oneshot::channel();
        let span = Span::current();
        let thread =
            tokio::task::spawn_blocking(move || span.in_scope(|| writing::write(job, sent, written)));
        Files { sender, tables: Some(tables), thread }
    }
}

impl Files {
    /// Sends every part's rows; returns what was written of each.
    async fn send_rows(&mut self, prepared: &Prepared, progress: &ProgressCell) -> Result<WrittenTables> {
        let mut sent = 0;
        for part in &prepared.parts {
            let mut rows = part.start()?;
            while let Some(batch) = rows.try_next().await? {
                let count = batch.num_rows() as u64;
                if self.sender.send(ToFile::Rows(batch)).await.is_err() {
                    return Err(self.error().await);
                }
                progress.add(count);
                sent += count;
            }
            if self.sender.send(ToFile::EndOfPart).await.is_err() {
                return Err(self.error().await);
            }
        }
        Span::current().record("rows", sent);
        match self.tables.take() {
            Some(tables) => match tables.await {
                Ok(tables) => Ok(tables),
                Err(_) => Err(self.error().await),
            },
            None => Err(Error::internal("the result file could not be written", "rows were sent twice")),
        }
    }

    /// Hands over the cover and waits for the files.
    async fn finish(self, cover: Cover, charts: Vec<Chart>) -> Result<WrittenFiles> {
        // If the thread has ended early, its own error says why.
        let _ = self.sender.send(ToFile::Cover(Box::new(cover), charts)).await;
        let written = self.thread.await;
        drop(self.sender);
        let written =
            written.map_err(|error| Error::internal("the result file could not be written", error))?;
        Span::current().record("files", written.as_ref().map_or(0, |written| written.published.len()));
        written
    }

    /// Abandons the files and waits until they are removed.
    async fn abandon(self) {
        drop(self.sender);
        // The run has failed already, and the thread's error is a consequence.
        let _ = self.thread.await;
    }

    /// Why the thread has ended before its time.
    async fn error(&mut self) -> Error {
        let ended = (&mut self.thread).await;
        // A thread can be waited for only once.
        self.thread = tokio::spawn(async { Err(Error::unavailable("the files were given up")) });
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => Error::internal("the result file could not be written", "the thread ended early"),
            Err(error) => Error::internal("the result file could not be written", error),
        }
    }
}

/// The title of documents: the report's name, and the source that it is about, if there is one.
fn heading(run: &ReportRun<'_>) -> String {
    let ReportRun { claim, definition, manifest, .. } = *run;
    let (arguments, scope) = (&claim.task.arguments, &claim.task.requester.data_scope);
    let source = definition
        .source_argument()
        .and_then(|spec| arguments.text(&spec.name))
        .filter(|id| scope.has_source(id))
        .and_then(|id| manifest.source(id));
    match source {
        Some(source) => format!("{}: {}", definition.name, source.name),
        None => definition.name.clone(),
    }
}

/// How CSV is written for a request.
fn csv_options(configured: CsvOptions, arguments: &Arguments) -> CsvOptions {
    let formula_guard = match arguments.text(FORMULA_GUARD) {
        Some("off") => FormulaGuard::Off,
        Some("on") => FormulaGuard::On,
        Some(_) | None => configured.formula_guard,
    };
    let bom = arguments.text(CSV_BOM).map_or(configured.bom, |switch| switch == "on");
    CsvOptions { formula_guard, bom, ..configured }
}

/// What a reader must know of the formats that are asked for. A start refuses them now; an earlier version took them.
fn check_formats(definition: &ReportDefinition, arguments: &Arguments) -> Vec<Message> {
    if definition.search && arguments.texts(EXTRA_FORMATS).is_some_and(|formats| !formats.is_empty()) {
        let text = "a search is written as an archive of CSV files: the further formats were left out";
        return vec![Message::warn("format_left_out", text)];
    }
    Vec::new()
}

/// What a reader must know of the columns that a request wants in the PDF.
fn check_pdf_columns(
    definition: &ReportDefinition,
    arguments: &Arguments,
    prepared: &Prepared,
) -> Option<Message> {
    // A definition's own names were checked when it was read.
    arguments.text(PDF_COLUMNS)?;
    let layout = definition.pdf_layout(arguments);
    let columns = prepared.parts.first().map(|part| part.columns()).unwrap_or_default();
    let known = |name: &String| columns.iter().any(|column| column.name == *name);
    let unknown: Vec<&str> = layout.columns.iter().filter(|name| !known(name)).map(String::as_str).collect();
    if definition.search || unknown.is_empty() {
        return None;
    }
    let text = format!("the report has no column {}: the PDF does not show it", unknown.join(", "));
    Some(Message::warn("pdf_column_unknown", text))
}

#[cfg(test)]
mod tests;
