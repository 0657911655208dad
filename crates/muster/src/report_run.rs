//! One run of a report: plan, rows to a file, the independent count, the cover.
//!
//! Why here: it joins the engine (plans), the renderer (files) and the store (result files), none of which
//! knows the others. It knows the engine only as a [`Planner`], so that it is tested without one.
//!
//! Invariants:
//! - a result whose rows do not equal the independent count is never published;
//! - rows are rendered away from the request runtime, with a bounded number of batches on the way;
//! - dropping the run stops the plan and leaves no file.

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_render::{ColumnFormat, CsvWriter, Header, Written};
use muster_reports::cover::{
    Cover, CoverColumn, CoverFile, CoverReport, CoverRequester, CoverSnapshot, Reconciliation,
};
use muster_reports::error::{Error, Result};
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, ProgressCell, ReportRunner, RunOutcome, SnapshotCatalogue};
use muster_reports::task::{Claim, Message, PublishedFile, Task, TaskResult};
use muster_reports::{Arguments, Catalogue, DataScope, FileFormat, ReportDefinition, SnapshotManifest};
use muster_store::{PendingFile, ResultFiles};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches between the plan and the file; the plan pauses when they are not taken.
const BATCHES_WAITING_MAX: usize = 2;
/// Version of the cover's shape.
const COVER_VERSION: u32 = 1;
/// Last part of a CSV file's stored name.
const CSV_NAME: &str = "report.csv";

/// Plans reports.
#[async_trait]
pub trait Planner: Send + Sync {
    /// Plans `definition` with `arguments` over the snapshot.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; anything else ends the task.
    async fn prepare(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        arguments: &Arguments,
    ) -> Result<Box<dyn Plan>>;
}

/// A report ready to run.
#[async_trait]
pub trait Plan: Send + Sync {
    /// The columns, in file order.
    fn columns(&self) -> Vec<CoverColumn>;

    /// The query text with its order, for the cover.
    fn effective_query(&self) -> String;

    /// Starts the plan.
    ///
    /// # Errors
    /// When the engine has stopped.
    fn start(&self) -> Result<Box<dyn Rows>>;

    /// Counts the population and what is left out, by plans that share nothing with the report's own.
    ///
    /// # Errors
    /// As [`Planner::prepare`].
    async fn reconcile(&self) -> Result<Reconciliation>;
}

/// The rows of a running report, in order. Dropping it stops the plan.
#[async_trait]
pub trait Rows: Send {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When the plan failed.
    async fn next(&mut self) -> Result<Option<RecordBatch>>;
}

/// Runs reports through a [`Planner`].
pub struct Runner {
    /// Plans them.
    pub planner: Arc<dyn Planner>,
    /// The reports there are.
    pub catalogue: Catalogue,
    /// Where the snapshot of a task is found.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// Where files go.
    pub files: ResultFiles,
    /// What the first line of a CSV file holds.
    pub header: Header,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl ReportRunner for Runner {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        let (task, started) = (&claim.task, self.clock.now());
        let definition = self.catalogue.get(&task.report).ok_or_else(|| {
            Error::not_found(format!(
                "the definition of report {:?} is not there any more",
                task.report.as_str()
            ))
        })?;
        let manifest =
            self.snapshots.snapshot(&task.tenant, &task.snapshot).await?.ok_or_else(|| {
                Error::not_found(format!("snapshot {} is not there any more", task.snapshot))
            })?;
        check_scope(definition, &task.requester.data_scope)?;
        let messages = check_formats(definition, &task.arguments)?;
        let plan = self.planner.prepare(&manifest, definition, &task.arguments).await?;
        let columns = plan.columns();
        let count = async {
            let counted = plan.reconcile().await?;
            progress.expect(counted.expected);
            Ok::<_, Error>(counted)
        };
        let (written, mut counted) =
            tokio::try_join!(self.write_rows(claim, plan.start()?, &columns, progress), count)?;
        counted.reported = written.csv.rows;
        if counted.reported != counted.expected {
            written.discard(&self.files);
            return Err(Error::internal(
                format!(
                    "the report has {} rows, but {} were counted: nothing is published",
                    counted.reported, counted.expected
                ),
                format!("population {}, excluded {:?}", counted.population, counted.excluded),
            ));
        }
        let file = written.published();
        let cover = Cover {
            cover_version: COVER_VERSION,
            task_id: task.id.clone(),
            report: cover_report(definition),
            tenant: task.tenant.to_string(),
            requester: cover_requester(task),
            submitted: task.created,
            started,
            completed: self.clock.now(),
            product_version: env!("CARGO_PKG_VERSION").into(),
            arguments: serde_json::from_str(&task.arguments.canonical()).unwrap_or_default(),
            effective_query: plan.effective_query(),
            snapshot: cover_snapshot(definition, task, &manifest),
            reconciliation: counted,
            columns,
            messages: task.messages.iter().chain(&messages).cloned().collect(),
            files: vec![cover_file(task, &file)],
            how_to_verify: HOW_TO_VERIFY.into(),
        };
        let cover = serde_json::to_value(&cover)
            .map(|value| String::from_utf8_lossy(&muster_render::cover::to_json(&value)).into_owned());
        match cover {
            Ok(cover) => {
                let result = TaskResult { rows: file.rows, files: vec![file], cover };
                Ok(RunOutcome { result, messages })
            }
            Err(error) => {
                written.discard(&self.files);
                Err(Error::internal("the cover could not be written", error))
            }
        }
    }
}

const HOW_TO_VERIFY: &str = "Compute the SHA-256 of a file (sha256sum FILE) and compare it with the digest that this \
    cover gives. Count the file's records without its header: they equal reconciliation.reported, which equals \
    reconciliation.population less everything in reconciliation.excluded.";

/// A file that is written, synced and named, and that no record names yet.
struct WrittenFile {
    stored_name: String,
    csv: Written,
}

impl WrittenFile {
    fn published(&self) -> PublishedFile {
        PublishedFile {
            format: FileFormat::Csv,
            stored_name: self.stored_name.clone(),
            media_type: "application/csv".into(),
            extension: "csv".into(),
            bytes: self.csv.bytes,
            rows: self.csv.rows,
            sha256: self.csv.sha256.clone(),
        }
    }

    fn discard(&self, files: &ResultFiles) {
        if let Err(error) = files.remove(&self.stored_name) {
            tracing::warn!(%error, "an unpublished file is left for the next sweep");
        }
    }
}

/// What the writing thread says to nobody: its run was dropped.
const STOPPED: &str = "the run was stopped";

/// What the writing thread is sent. Without `End` nothing is published: the run was dropped.
enum ToFile {
    Rows(RecordBatch),
    End,
}

impl Runner {
    async fn write_rows(
        &self,
        claim: &Claim,
        mut rows: Box<dyn Rows>,
        columns: &[CoverColumn],
        progress: &ProgressCell,
    ) -> Result<WrittenFile> {
        let formats: Vec<_> = columns
            .iter()
            .map(|column| ColumnFormat { name: column.name.clone(), label: column.label.clone() })
            .collect();
        let (files, header) = (self.files.clone(), self.header);
        let (task, epoch) = (claim.task.id.clone(), claim.lease.epoch);
        let (sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let file = tokio::task::spawn_blocking(move || write(&files, &task, epoch, formats, header, batches));
        // When the writer has ended early its own error says why.
        while let Some(batch) = rows.next().await? {
            let count = batch.num_rows() as u64;
            if sender.send(ToFile::Rows(batch)).await.is_err() {
                break;
            }
            progress.add(count);
        }
        let _ = sender.send(ToFile::End).await;
        file.await.map_err(|error| Error::internal("the result file could not be written", error))?
    }
}

fn write(
    files: &ResultFiles,
    task: &TaskId,
    epoch: u64,
    columns: Vec<ColumnFormat>,
    header: Header,
    mut batches: mpsc::Receiver<ToFile>,
) -> Result<WrittenFile> {
    let failed = |error| Error::internal("the result file could not be written", error);
    let mut pending: PendingFile = files.create(task, epoch, CSV_NAME)?;
    let mut csv = CsvWriter::with_header(&mut pending, columns, header);
    loop {
        match batches.blocking_recv() {
            Some(ToFile::Rows(batch)) => csv.write(&batch).map_err(failed)?,
            Some(ToFile::End) => break,
            None => return Err(Error::unavailable(STOPPED)),
        }
    }
    let csv = csv.finish().map_err(failed)?;
    // The sender is dropped with the run. Then nobody is there to remove a file that has its name.
    if batches.is_closed() {
        return Err(Error::unavailable(STOPPED));
    }
    let written = WrittenFile { stored_name: pending.publish()?, csv };
    if batches.is_closed() {
        written.discard(files);
        return Err(Error::unavailable(STOPPED));
    }
    Ok(written)
}

/// Warnings about formats that are asked for and that this version does not write.
fn check_formats(definition: &ReportDefinition, arguments: &Arguments) -> Result<Vec<Message>> {
    let selected = arguments.texts("selectedFormats");
    let wanted: Vec<_> = definition
        .formats
        .iter()
        .filter(|format| selected.is_none_or(|texts| texts.iter().any(|text| text == format.as_str())))
        .collect();
    if !wanted.contains(&&FileFormat::Csv) {
        return Err(Error::invalid(
            "this version writes CSV only, and it is not among the formats asked for",
        ));
    }
    Ok(wanted
        .into_iter()
        .filter(|format| **format != FileFormat::Csv)
        .map(|format| {
            Message::warn("format_left_out", format!("{format} was left out: this version writes CSV only"))
        })
        .collect())
}

/// Plans are not limited to sources yet, so a data scope of some sources is kept only by the built-in reports
/// on one source: `start` has seen to it that this source is within the scope.
fn check_scope(definition: &ReportDefinition, scope: &DataScope) -> Result<()> {
    match scope {
        DataScope::Everything => Ok(()),
        DataScope::Sources(_) if definition.kind.is_some() && definition.source_argument().is_some() => {
            Ok(())
        }
        DataScope::Sources(_) => Err(Error::invalid(format!(
            "report {:?} cannot be limited to the rows of some sources in this version: expected a report on one \
             source, or a caller who may see everything",
            definition.id.as_str()
        ))),
    }
}

fn cover_report(definition: &ReportDefinition) -> CoverReport {
    CoverReport {
        id: definition.id.to_string(),
        name: definition.name.clone(),
        version: definition.version,
        digest: definition.digest.clone(),
        built_in: definition.kind.is_some(),
    }
}

fn cover_requester(task: &Task) -> CoverRequester {
    let requester = &task.requester;
    CoverRequester {
        name: requester.launcher().into(),
        identity_id: requester.user.as_ref().map(|user| user.id.clone()),
        credential: requester.kind(),
        client_id: requester.client.to_string(),
        data_scope: requester.data_scope.to_string(),
    }
}

fn cover_snapshot(definition: &ReportDefinition, task: &Task, manifest: &SnapshotManifest) -> CoverSnapshot {
    let only = definition.source_argument().and_then(|spec| task.arguments.text(&spec.name));
    CoverSnapshot {
        id: manifest.id.to_string(),
        created: manifest.created,
        age_seconds: (task.created - manifest.created).num_seconds(),
        sources: manifest
            .sources
            .iter()
            .filter(|source| only.is_none_or(|id| source.id.as_str() == id))
            .filter(|source| task.requester.data_scope.has_source(source.id.as_str()))
            .cloned()
            .collect(),
    }
}

fn cover_file(task: &Task, file: &PublishedFile) -> CoverFile {
    CoverFile {
        name: format!("{}.{}", task.name, file.extension),
        format: file.format.to_string(),
        bytes: file.bytes,
        rows: file.rows,
        sha256: file.sha256.clone(),
    }
}

#[cfg(test)]
mod tests;
