//! The one place of the binary that names the engine.

use crate::config::{self, CsvHeader};
use crate::refresh::{RefreshReport, RefreshRequest, Refresher, RejectedRecord, SourceOutcome};
use crate::report_run::{Plan, Planner, Rows, Runner};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_engine::{Engine, EngineSettings, ReportPlan, ReportRows, refresh as engine};
use muster_render::Header;
use muster_reports::cover::{CoverColumn, Reconciliation};
use muster_reports::error::{Error, Result};
use muster_reports::ids::SnapshotId;
use muster_reports::ports::{Clock, Ids, RegisteredSource, ReportRunner, SnapshotCatalogue};
use muster_reports::{Arguments, Catalogue, ReportDefinition, SnapshotManifest};
use muster_store::ResultFiles;
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
    /// The reports there are.
    pub catalogue: Catalogue,
    /// Where snapshots are published and found.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
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
    let settings = EngineSettings {
        tables_dir: parts.tables_dir,
        work_dir: parts.work_dir,
        memory_limit_bytes: usize::try_from(parts.engine.memory_limit.0).unwrap_or(usize::MAX),
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
        header,
        clock: parts.clock.clone(),
    };
    let refresher =
        EngineRefresher { engine, snapshots: parts.snapshots, clock: parts.clock, ids: parts.ids };
    Ok(EnginePorts { runner: Arc::new(runner), refresher: Arc::new(refresher) })
}

struct EnginePlanner(Arc<Engine>);

#[async_trait]
impl Planner for EnginePlanner {
    async fn prepare(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        arguments: &Arguments,
    ) -> Result<Box<dyn Plan>> {
        Ok(Box::new(self.0.prepare(manifest, definition, arguments).await?))
    }
}

#[async_trait]
impl Plan for ReportPlan {
    fn columns(&self) -> Vec<CoverColumn> {
        ReportPlan::columns(self)
            .iter()
            .map(|column| CoverColumn {
                name: column.name.clone(),
                label: column.label.clone(),
                meaning: column.meaning.clone(),
                origin: column.origin.into(),
            })
            .collect()
    }

    fn effective_query(&self) -> String {
        ReportPlan::effective_query(self)
    }

    fn start(&self) -> Result<Box<dyn Rows>> {
        Ok(Box::new(ReportPlan::start(self)?))
    }

    async fn reconcile(&self) -> Result<Reconciliation> {
        Ok(ReportPlan::reconcile(self).await?)
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
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

#[async_trait]
impl Refresher for EngineRefresher {
    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshReport> {
        let outcome = self
            .engine
            .refresh(engine::RefreshRequest {
                sources: request.sources.iter().map(input).collect::<Result<_>>()?,
                links: request.links,
                previous: self.snapshots.newest(&request.tenant).await?,
                snapshot: SnapshotId::new(self.ids.fresh()),
                clock: self.clock.clone(),
                publish_incomplete: request.publish_incomplete,
            })
            .await?;
        if let Some(manifest) = &outcome.manifest {
            self.snapshots.publish(&request.tenant, manifest).await?;
        }
        let sources =
            outcome.sources.into_iter().map(|source| reported(source, request.rejected_max)).collect();
        Ok(RefreshReport { sources, snapshot: outcome.manifest })
    }
}

fn input(source: &RegisteredSource) -> Result<engine::SourceInput> {
    let definition = serde_json::from_str(&source.definition).map_err(|error| {
        Error::internal(format!("the kept definition of source {:?} cannot be read", source.name), error)
    })?;
    Ok(engine::SourceInput { definition, base_dir: PathBuf::from(&source.base_dir) })
}

fn reported(source: engine::SourceOutcome, rejected_max: usize) -> SourceOutcome {
    let run = source.run;
    let remarks: Vec<_> = run.remark.into_iter().chain(source.warnings).collect();
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
        complete: run.complete,
        remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
        error: source.failure,
    }
}
