//! A temporary installation of the engine: sources as files, refreshes, and reports as CSV text.

use chrono::{DateTime, TimeDelta, Utc};
use muster_engine::refresh::{LossLimits, RefreshOutcome, RefreshRequest, SourceInput};
use muster_engine::search::SearchRequest;
use muster_engine::{Engine, EngineSettings, OutputColumn, ReportRows};
use muster_render::{ColumnFormat, CsvWriter};
use muster_reports::arguments::{RawArguments, RawValue};
use muster_reports::cover::Reconciliation;
use muster_reports::error::error_chain;
use muster_reports::ids::{ReportId, SnapshotId, SourceId};
use muster_reports::ports::{AuditTrail, Clock, ManualLink};
use muster_reports::series::Series;
use muster_reports::{Arguments, Catalogue, DataScope, SnapshotManifest};
use muster_sources::SourceDefinition;
use muster_testkit::{MemoryStore, build};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

/// A clock that shows the same time until it is moved.
pub struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        start + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// One runtime for all tests. Each engine also has threads of its own.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
        })
        .block_on(work)
}

pub struct Installation {
    pub dir: Arc<TempDir>,
    pub engine: Arc<Engine>,
    pub clock: Arc<StillClock>,
    pub sources: Vec<SourceInput>,
    pub links: Vec<ManualLink>,
    pub audit: Arc<MemoryStore>,
    pub manifest: Option<Arc<SnapshotManifest>>,
    pub publish_incomplete: bool,
    /// Whether refreshes recompute everything.
    pub full: bool,
    /// The requested time of the next refresh.
    pub as_of: Option<DateTime<Utc>>,
    threads: usize,
    memory: usize,
    /// Names of the sources whose losses the next refresh accepts.
    pub accept: Vec<&'static str>,
    /// How much a refresh may lose; everything, unless a test says otherwise.
    pub limits: LossLimits,
    /// Whether refreshes lose more than that.
    pub ignore_limits: bool,
    refreshes: u32,
}

/// A report's file and its reconciliation.
pub struct Ran {
    pub csv: String,
    pub rows: Vec<Vec<String>>,
    pub header: Vec<String>,
    pub reconciliation: Reconciliation,
}

impl Ran {
    /// The cells of a column.
    pub fn column(&self, name: &str) -> Vec<&str> {
        let at = self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }
}

/// An authoritative source, `HR`, of people in the columns `id`, `name` and `mail` of `hr.csv`.
pub const HR: &str = r#"
name = "HR"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
"#;

/// A small limit, so that plans must spill.
const MEMORY: usize = 256 << 20;
/// The smallest default limit of the service.
const MEMORY_OF_SERVICE: usize = 1 << 30;

fn opened(dir: &Path, threads: usize, memory: usize) -> Arc<Engine> {
    let settings = EngineSettings {
        tables_dir: dir.join("tables"),
        work_dir: dir.join("work"),
        memory_limit_bytes: memory,
        threads,
    };
    Arc::new(Engine::open(settings).unwrap())
}

impl Installation {
    pub fn new() -> Self {
        Self::with(2, MEMORY)
    }

    /// Needed for many rows, because each thread has memory for its sort.
    pub fn with_threads(threads: usize) -> Self {
        Self::with(threads, MEMORY_OF_SERVICE)
    }

    fn with(threads: usize, memory: usize) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let engine = opened(dir.path(), threads, memory);
        Self {
            dir,
            engine,
            clock: Arc::new(StillClock(AtomicI64::new(0))),
            sources: Vec::new(),
            links: Vec::new(),
            audit: Arc::default(),
            manifest: None,
            publish_incomplete: false,
            full: false,
            as_of: None,
            threads,
            memory,
            accept: Vec::new(),
            limits: LossLimits::default(),
            ignore_limits: false,
            refreshes: 0,
        }
    }

    /// The same installation with an engine that has no open tables.
    pub fn reopened(&self) -> Self {
        Self {
            dir: Arc::clone(&self.dir),
            engine: opened(self.dir.path(), self.threads, self.memory),
            clock: Arc::clone(&self.clock),
            sources: self.sources.clone(),
            links: self.links.clone(),
            audit: Arc::clone(&self.audit),
            manifest: self.manifest.clone(),
            accept: self.accept.clone(),
            ..*self
        }
    }

    /// Writes a source's file and registers its definition. A definition with the same name is replaced.
    pub fn source(&mut self, definition: &str, file: &str, content: &str) {
        std::fs::write(self.dir.path().join(file), content).unwrap();
        let dir = self.dir.path().to_owned();
        self.source_at(definition, &dir);
    }

    pub fn source_at(&mut self, definition: &str, base_dir: &Path) {
        let definition = SourceDefinition::from_toml(definition, Path::new("source.toml")).unwrap();
        self.sources.retain(|s| s.definition.name != definition.name);
        self.sources.push(SourceInput { definition, base_dir: base_dir.to_owned() });
    }

    pub fn link(&mut self, source: &str, native_identity: &str, identity_name: &str) {
        self.links.push(ManualLink {
            source: SourceId::new(SourceDefinition::derived_id(source)),
            native_identity: native_identity.into(),
            identity_name: identity_name.into(),
        });
    }

    /// Records an event of this id in the audit trail.
    pub fn record(&self, event: &str) {
        block_on(self.audit.record(&build::audit_event(event, self.clock.now()))).unwrap();
    }

    /// Moves the clock an hour, refreshes, and publishes the snapshot.
    pub fn refresh(&mut self) -> RefreshOutcome {
        self.try_refresh().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same; returns an error of the refresh as text.
    pub fn try_refresh(&mut self) -> Result<RefreshOutcome, String> {
        self.clock.0.fetch_add(3600, Ordering::SeqCst);
        self.refreshes += 1;
        let request = RefreshRequest {
            sources: self.sources.clone(),
            links: self.links.clone(),
            previous: self.manifest.clone(),
            tenant: build::tenant(),
            audit: Arc::clone(&self.audit) as Arc<dyn AuditTrail>,
            environment: Arc::new(|_| None),
            snapshot: SnapshotId::new(format!("{:032x}", self.refreshes)),
            // The clock moves with each attempt.
            attempt: format!("{:032x}", self.clock.0.load(Ordering::SeqCst)),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            as_of: self.as_of.take(),
            publish_incomplete: self.publish_incomplete,
            full: self.full,
            accept_missing: self.accept.drain(..).map(SourceDefinition::derived_id).collect(),
            limits: self.limits,
            ignore_limits: self.ignore_limits,
            progress: Arc::default(),
        };
        let outcome = block_on(self.engine.refresh(request)).map_err(|error| error_chain(&error))?;
        if let Some(manifest) = &outcome.manifest {
            self.manifest = Some(Arc::new(manifest.clone()));
        }
        Ok(outcome)
    }

    /// Refreshes, but the snapshot is not published: the next refresh is another attempt at it.
    pub fn refresh_in_vain(&mut self) {
        let published = self.manifest.clone();
        self.refresh();
        self.manifest = published;
        self.refreshes -= 1;
    }

    pub fn manifest(&self) -> &SnapshotManifest {
        self.manifest.as_ref().unwrap()
    }

    pub fn report(&self, kind: &str, arguments: &[(&str, RawValue)]) -> Ran {
        self.report_of(self.manifest(), kind, arguments)
    }

    pub fn report_of(&self, manifest: &SnapshotManifest, kind: &str, arguments: &[(&str, RawValue)]) -> Ran {
        self.scoped_report(manifest, kind, arguments, &DataScope::Everything)
    }

    /// A report for a caller with this data scope.
    pub fn scoped_report(
        &self,
        manifest: &SnapshotManifest,
        kind: &str,
        arguments: &[(&str, RawValue)],
        scope: &DataScope,
    ) -> Ran {
        self.report_over(manifest, &[], kind, arguments, scope)
    }

    /// The same over a period: `earlier` are the snapshots before the reported one, the first made first.
    pub fn report_over(
        &self,
        manifest: &SnapshotManifest,
        earlier: &[Arc<SnapshotManifest>],
        kind: &str,
        arguments: &[(&str, RawValue)],
        scope: &DataScope,
    ) -> Ran {
        let series = Series { earlier: earlier.to_vec(), ..Series::default() };
        self.report_series(manifest, &series, kind, arguments, scope)
    }

    /// The same over the period and the access review of a series.
    pub fn report_series(
        &self,
        manifest: &SnapshotManifest,
        series: &Series,
        kind: &str,
        arguments: &[(&str, RawValue)],
        scope: &DataScope,
    ) -> Ran {
        let catalogue = Catalogue::built_in();
        let definition = catalogue.get(&ReportId::new(kind)).unwrap();
        let raw: RawArguments = arguments.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let arguments = Arguments::check(&definition.arguments, &raw).unwrap();
        block_on(async {
            let plan = self
                .engine
                .prepare_over(manifest, series, &definition, &arguments, scope)
                .await
                .unwrap_or_else(|e| panic!("{}", error_chain(&e)));
            let reconciliation = plan.reconcile().await.unwrap_or_else(|e| panic!("{}", error_chain(&e)));
            written(plan.columns(), plan.start().unwrap(), reconciliation).await
        })
    }

    /// The types of a report's columns, by name.
    pub fn types(&self, kind: &str) -> BTreeMap<String, String> {
        let catalogue = Catalogue::built_in();
        let definition = catalogue.get(&ReportId::new(kind)).unwrap();
        let arguments = Arguments::check(&definition.arguments, &RawArguments::new()).unwrap();
        block_on(async {
            let plan =
                self.engine.prepare(self.manifest(), &definition, &arguments, &DataScope::Everything).await;
            let rows = plan.unwrap().start().unwrap();
            let fields = rows.schema().fields().iter();
            fields.map(|field| (field.name().clone(), field.data_type().to_string())).collect()
        })
    }

    /// A search's files by index name, and its warnings.
    pub fn search(&self, query: &str, more: impl FnOnce(&mut SearchRequest)) -> Found {
        self.scoped_search(query, &DataScope::Everything, more)
    }

    /// A search for a caller with this data scope.
    pub fn scoped_search(
        &self,
        query: &str,
        scope: &DataScope,
        more: impl FnOnce(&mut SearchRequest),
    ) -> Found {
        let mut request = SearchRequest {
            query: query.to_owned(),
            indices: Vec::new(),
            columns: vec!["id".into()],
            sort: Vec::new(),
            fields: Vec::new(),
            now: self.clock.now(),
        };
        more(&mut request);
        block_on(async {
            let plan = self
                .engine
                .prepare_search(self.manifest(), &request, scope)
                .await
                .unwrap_or_else(|e| panic!("{query}: {}", error_chain(&e)));
            let mut files = BTreeMap::new();
            for part in &plan.parts {
                let counted =
                    part.reconcile().await.unwrap_or_else(|e| panic!("{query}: {}", error_chain(&e)));
                let ran = written(part.columns(), part.start().unwrap(), counted).await;
                let reconciliation = &ran.reconciliation;
                assert_eq!(reconciliation.reported, reconciliation.expected, "{query} {reconciliation:?}");
                files.insert(part.name(), ran);
            }
            Found { files, warnings: plan.warnings }
        })
    }

    pub fn source_id(&self, name: &str) -> RawValue {
        let source = self.sources.iter().find(|s| s.definition.name == name).unwrap();
        RawValue::Text(source.definition.id.clone())
    }

    pub fn accounts(&self, source: &str) -> Ran {
        self.report(
            "ACCOUNTS",
            &[("application", self.source_id(source)), ("sourceName", RawValue::Text(source.into()))],
        )
    }

    pub fn errors(&self, source: &str) -> Ran {
        self.report("IDENTITY_PROFILE_IDENTITY_ERROR", &[("authoritativeSource", self.source_id(source))])
    }
}

/// The result of a search.
pub struct Found {
    pub files: BTreeMap<&'static str, Ran>,
    pub warnings: Vec<String>,
}

/// The rows as a CSV file.
async fn written(columns: &[OutputColumn], mut rows: ReportRows, counted: Reconciliation) -> Ran {
    let columns =
        columns.iter().map(|c| ColumnFormat { name: c.name.clone(), label: c.label.clone() }).collect();
    let mut sink = Vec::new();
    let mut writer = CsvWriter::new(&mut sink, columns);
    while let Some(batch) = rows.next().await.unwrap_or_else(|e| panic!("{}", error_chain(&e))) {
        writer.write(&batch).unwrap();
    }
    let reconciliation = Reconciliation { reported: writer.finish().unwrap().rows, ..counted };
    let csv = String::from_utf8(sink).unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let mut records: Vec<Vec<String>> =
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
    let header = records.remove(0);
    Ran { csv, rows: records, header, reconciliation }
}

/// The folder of the shared real data, or `None` with a printed line that says that it is missing.
pub fn shared_data() -> Option<PathBuf> {
    let data = std::env::current_dir().unwrap().join("../../../shared/data");
    if data.join("hris/people.csv").exists() {
        return Some(data);
    }
    println!("SKIPPED: the shared data was not found");
    None
}
