//! The one place of the binary that names the engine.

mod tables;

pub use muster_engine::compare::COLUMNS as COMPARED;
pub use muster_engine::digests::{Checked, Damage};
pub use muster_engine::explain::{CorrelationExplanation, is_unseen};
pub use muster_engine::retention::{Removal, Removed};

use crate::config::{self, CsvHeader, PdfPaper};
use crate::refresh::{
    RefreshReport, RefreshRequest, Refresher, RejectedRecord, SourceOutcome, TableOutcome, Total,
};
use crate::report_run::{Part, Planner, Prepared, Rows, Runner};
use crate::snapshots::SnapshotTables;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_engine::search::{SearchPart, SearchRequest};
use muster_engine::{
    ChartNumber, Engine, EngineSettings, OutputColumn, ReportPlan, ReportRows, memory, refresh as engine,
};
use muster_render::chart::{Chart, ChartKind, Series};
use muster_render::pdf::{FontSet, Paper, PdfSettings};
use muster_render::{CsvOptions, FormulaGuard, Header};
use muster_reports::cover::{CoverColumn, Reconciliation};
use muster_reports::definition::{ChartForm, ChartSpec};
use muster_reports::error::{Error, Result};
use muster_reports::ids::SnapshotId;
use muster_reports::nearest::hint;
use muster_reports::ports::{
    AuditEvent, AuditTrail, Clock, Ids, RegisteredSource, ReportRunner, SnapshotCatalogue,
};
use muster_reports::task::{Message, Task};
use muster_reports::{Catalogue, ReportDefinition, SnapshotManifest};
use muster_store::ResultFiles;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What the engine is made from.
pub struct Parts {
    /// Folder of the identity tables.
    pub tables_dir: PathBuf,
    /// Folder for spill files and refresh work.
    pub work_dir: PathBuf,
    /// Folder of the result files.
    pub results_dir: PathBuf,
    /// `[engine]`
    pub engine: config::Engine,
    /// `[csv]`
    pub csv: config::Csv,
    /// `[pdf]`
    pub pdf: config::Pdf,
    /// The reports there are.
    pub catalogue: Catalogue,
    /// Where snapshots are published and found.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// Where the events are that become documents.
    pub audit: Arc<dyn AuditTrail>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids of snapshots.
    pub ids: Arc<dyn Ids>,
}

/// What the engine does for the rest of the binary.
#[derive(Clone)]
pub struct EnginePorts {
    /// Runs reports.
    pub runner: Arc<dyn ReportRunner>,
    /// Refreshes.
    pub refresher: Arc<dyn Refresher>,
    /// The tables behind snapshots.
    pub tables: Arc<dyn SnapshotTables>,
}

/// Opens the engine.
///
/// # Errors
/// When its folders cannot be made or its threads not started.
pub fn open(parts: Parts) -> Result<EnginePorts> {
    let threads = match parts.engine.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let memory_limit = match parts.engine.memory_limit.0 {
        0 => memory::for_plans(),
        bytes => bytes,
    };
    let settings = EngineSettings {
        tables_dir: parts.tables_dir,
        work_dir: parts.work_dir.clone(),
        memory_limit_bytes: usize::try_from(memory_limit).unwrap_or(usize::MAX),
        threads,
    };
    let engine = Arc::new(Engine::open(settings)?);
    let header = match parts.csv.header {
        CsvHeader::Name => Header::Names,
        CsvHeader::Label => Header::Labels,
    };
    let runner = Runner {
        planner: Arc::new(EnginePlanner(engine.clone())),
        catalogue: parts.catalogue,
        snapshots: parts.snapshots.clone(),
        files: ResultFiles::open(parts.results_dir)?,
        pdf: PdfSettings {
            paper: match parts.pdf.paper {
                PdfPaper::A4 => Paper::A4,
                PdfPaper::Letter => Paper::Letter,
            },
            pages_max: parts.pdf.pages_max,
            fonts: match parts.pdf.fonts {
                None => FontSet::with_folders(FontSet::usual_folders()),
                Some(folders) => FontSet::with_folders(folders),
            },
            ..PdfSettings::new("")
        },
        csv: CsvOptions {
            header,
            formula_guard: if parts.csv.formula_guard { FormulaGuard::On } else { FormulaGuard::Off },
        },
        work_dir: parts.work_dir,
        clock: parts.clock.clone(),
    };
    let tables = tables::EngineTables(engine.clone());
    let refresher = EngineRefresher {
        engine,
        snapshots: parts.snapshots,
        audit: parts.audit,
        clock: parts.clock,
        ids: parts.ids,
    };
    Ok(EnginePorts { runner: Arc::new(runner), refresher: Arc::new(refresher), tables: Arc::new(tables) })
}

/// Refuses a definition whose texts do more than read.
///
/// # Errors
/// `Invalid` with the place in the definition.
pub fn check_definition(definition: &ReportDefinition) -> Result<()> {
    muster_engine::reading::check(definition)?;
    Ok(())
}

#[derive(Clone)]
struct EnginePlanner(Arc<Engine>);

#[async_trait]
impl Planner for EnginePlanner {
    async fn prepare(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        task: &Task,
    ) -> Result<Prepared> {
        let (planner, manifest) = (self.clone(), manifest.clone());
        let (definition, task) = (definition.clone(), task.clone());
        // Planning computes: on the engine's threads it holds up no request.
        let planned = async move { Ok(planner.plan(&manifest, &definition, &task).await) };
        self.0.run(planned).await?
    }
}

impl EnginePlanner {
    async fn plan(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        task: &Task,
    ) -> Result<Prepared> {
        if definition.search {
            return self.plan_search(manifest, definition, task).await;
        }
        let plan = self.0.prepare(manifest, definition, &task.arguments, &task.requester.data_scope).await?;
        Ok(Prepared {
            effective_query: plan.effective_query(),
            parts: vec![Box::new(TablePart {
                name: definition.id.to_string(),
                plan,
                charts: definition.charts.clone(),
            })],
            messages: Vec::new(),
        })
    }

    async fn plan_search(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        task: &Task,
    ) -> Result<Prepared> {
        let arguments = &task.arguments;
        let query = definition.query_argument().and_then(|spec| arguments.text(&spec.name));
        let texts = |name: &str| arguments.texts(name).unwrap_or_default().to_vec();
        let columns = arguments.text("columns").map(|names| names.split(',').map(str::to_owned).collect());
        let request = SearchRequest {
            query: query.unwrap_or_default().to_owned(),
            indices: texts("indices"),
            columns: columns.unwrap_or_default(),
            sort: texts("sort"),
            // A second attempt finds what the first one found.
            now: task.created,
        };
        let plan = self.0.prepare_search(manifest, &request, &task.requester.data_scope).await?;
        let names: Vec<_> = plan.parts.iter().map(SearchPart::name).collect();
        let order: Vec<_> = request.sort.iter().map(String::as_str).chain(["id"]).collect();
        Ok(Prepared {
            effective_query: format!(
                "{}\nIN {}\nORDER BY {}",
                request.query,
                names.join(", "),
                order.join(", ")
            ),
            messages: plan
                .warnings
                .into_iter()
                .map(|text| Message::warn("search_field_unknown", text))
                .collect(),
            parts: plan.parts.into_iter().map(|part| Box::new(part) as Box<dyn Part>).collect(),
        })
    }
}

fn cover_columns(columns: &[OutputColumn]) -> Vec<CoverColumn> {
    let column = |column: &OutputColumn| CoverColumn {
        name: column.name.clone(),
        label: column.label.clone(),
        meaning: column.meaning.clone(),
        origin: column.origin.into(),
    };
    columns.iter().map(column).collect()
}

/// The table of a report.
struct TablePart {
    name: String,
    plan: ReportPlan,
    charts: Vec<ChartSpec>,
}

#[async_trait]
impl Part for TablePart {
    fn name(&self) -> &str {
        &self.name
    }

    fn columns(&self) -> Vec<CoverColumn> {
        cover_columns(self.plan.columns())
    }

    fn start(&self) -> Result<Box<dyn Rows>> {
        Ok(Box::new(self.plan.start()?))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(self.plan.reconcile().await?)
    }

    async fn charts(&self) -> Result<Vec<Chart>> {
        let numbers = self.plan.charts().await?;
        let charts = self.charts.iter().zip(&numbers).map(|(spec, numbers)| chart(spec, numbers));
        // One moment is no trend.
        Ok(charts.filter(|chart| chart.kind != ChartKind::Line || chart.categories.len() > 1).collect())
    }
}

/// Numbers in the order of the query, as a chart: a number that is not among them is zero.
fn chart(spec: &ChartSpec, numbers: &[ChartNumber]) -> Chart {
    let mut categories: Vec<String> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    for number in numbers {
        if !categories.contains(&number.category) {
            categories.push(number.category.clone());
        }
        if !series.iter().any(|known| known.name == number.series) {
            series.push(Series { name: number.series.clone(), values: Vec::new() });
        }
    }
    for known in &mut series {
        known.values = vec![0.0; categories.len()];
    }
    for number in numbers {
        let at = categories.iter().position(|category| *category == number.category);
        let known = series.iter_mut().find(|known| known.name == number.series);
        if let (Some(at), Some(known)) = (at, known) {
            // Counts of rows are far below 2^53.
            known.values[at] = number.number as f64;
        }
    }
    Chart {
        title: spec.title.clone(),
        description: spec.description.clone(),
        unit: spec.unit.clone(),
        kind: match spec.form {
            ChartForm::Bars => ChartKind::Bars,
            ChartForm::Stacked => ChartKind::StackedBars,
            ChartForm::Share => ChartKind::Share,
            ChartForm::Line => ChartKind::Line,
        },
        categories,
        series,
    }
}

#[async_trait]
impl Part for SearchPart {
    fn name(&self) -> &str {
        SearchPart::name(self)
    }

    fn columns(&self) -> Vec<CoverColumn> {
        cover_columns(SearchPart::columns(self))
    }

    fn start(&self) -> Result<Box<dyn Rows>> {
        Ok(Box::new(SearchPart::start(self)?))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(SearchPart::reconcile(self).await?)
    }
}

#[async_trait]
impl Rows for ReportRows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(ReportRows::next(self).await?)
    }
}

struct EngineRefresher {
    engine: Arc<Engine>,
    snapshots: Arc<dyn SnapshotCatalogue>,
    audit: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

#[async_trait]
impl Refresher for EngineRefresher {
    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshReport> {
        let (previous, notes) = match self.snapshots.newest(&request.tenant).await? {
            Some(last) => {
                let (last, notes) = self.engine.without_damage(last, request.rebuild).await?;
                (Some(last), notes)
            }
            None => (None, Vec::new()),
        };
        let accept_missing = accepted(&request)?;
        let clock: Arc<dyn Clock> = match request.as_of {
            None => self.clock.clone(),
            Some(moment) => Arc::new(history(moment, self.clock.now(), previous.as_deref())?),
        };
        let outcome = self
            .engine
            .refresh(engine::RefreshRequest {
                sources: request.sources.iter().map(input).collect::<Result<_>>()?,
                links: request.links,
                previous,
                tenant: request.tenant.clone(),
                audit: self.audit.clone(),
                environment: Arc::new(|name| std::env::var(name).ok()),
                snapshot: SnapshotId::new(self.ids.fresh()),
                clock,
                publish_incomplete: request.publish_incomplete,
                // What is made again is read again, also from sources that can say what changed.
                full: request.full || !notes.is_empty(),
                accept_missing,
            })
            .await?;
        if let Some(manifest) = &outcome.manifest {
            let rows = |table: &str| manifest.rows.get(table).copied().unwrap_or(0);
            let event = AuditEvent {
                at: self.clock.now(),
                report: manifest.id.to_string(),
                details: format!("{} identities, {} accounts", rows("identities"), rows("accounts")),
                ..request.published
            };
            self.snapshots.publish_recorded(&event, manifest).await?;
        }
        let sources =
            outcome.sources.into_iter().map(|source| reported(source, request.rejected_max)).collect();
        let tables = outcome.tables.into_iter().map(written).collect();
        let totals = outcome.totals.into_iter();
        let totals =
            totals.map(|total| Total { counted: total.counted, now: total.now, before: total.before });
        Ok(RefreshReport { sources, snapshot: outcome.manifest, tables, totals: totals.collect(), notes })
    }
}

/// The one moment that a refresh of history is at.
struct Moment(DateTime<Utc>);

impl Clock for Moment {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Snapshots follow one another in time, and none is of the future.
fn history(moment: DateTime<Utc>, now: DateTime<Utc>, last: Option<&SnapshotManifest>) -> Result<Moment> {
    let text = moment.to_rfc3339();
    match last {
        Some(last) if last.created >= moment => Err(Error::invalid(format!(
            "as of {text}: expected a time behind the last snapshot's, {}",
            last.created.to_rfc3339()
        ))),
        Some(_) | None if moment > now => {
            Err(Error::invalid(format!("as of {text}: expected no time to come")))
        }
        Some(_) | None => Ok(Moment(moment)),
    }
}

/// The ids of the sources whose losses are accepted, which people name as they like.
fn accepted(request: &RefreshRequest) -> Result<BTreeSet<String>> {
    let id = |named: &String| {
        let found = request.sources.iter().find(|s| s.id.as_str() == *named || s.name == *named);
        found.map(|source| source.id.as_str().to_owned()).ok_or_else(|| {
            let hint = hint(named, request.sources.iter().map(|source| source.name.as_str()));
            Error::invalid(format!("no source is named {named:?} or has that id{hint}"))
        })
    };
    request.accept_missing.iter().map(id).collect()
}

fn input(source: &RegisteredSource) -> Result<engine::SourceInput> {
    let definition = serde_json::from_str(&source.definition).map_err(|error| {
        Error::internal(format!("the kept definition of source {:?} cannot be read", source.name), error)
    })?;
    Ok(engine::SourceInput { definition, base_dir: PathBuf::from(&source.base_dir) })
}

fn written(table: engine::TableOutcome) -> TableOutcome {
    TableOutcome {
        table: table.table.to_owned(),
        rows: table.rows,
        rows_written: table.rows_written,
        files_written: table.files_written,
        bytes_written: table.bytes_written,
        files_kept: table.files_kept,
    }
}

fn reported(source: engine::SourceOutcome, rejected_max: usize) -> SourceOutcome {
    let run = source.run;
    // Why a read failed is said once.
    let remark = run.remark.filter(|remark| source.failure.as_ref() != Some(remark));
    let remarks: Vec<_> = remark.into_iter().chain(run.warnings).collect();
    SourceOutcome {
        name: run.name,
        read: run.read,
        rejected: run.rejected,
        rejections: source
            .rejections
            .into_iter()
            .take(rejected_max)
            .map(|rejection| RejectedRecord {
                line: rejection.line,
                native_identity: rejection.native_identity,
                reason: rejection.reason,
            })
            .collect(),
        created: run.created,
        updated: run.updated,
        unchanged: run.unchanged,
        missing: run.missing,
        stale: run.stale,
        complete: run.complete,
        remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
        error: source.failure,
        as_before: source.carried,
    }
}
