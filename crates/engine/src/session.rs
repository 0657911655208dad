//! The engine's runtime, memory pool and sessions.
//!
//! Plans are CPU work. They run on a runtime of their own, so they never delay a request. They share one memory pool
//! and spill to the work folder when it is full.

use crate::cancellation::CancelSignal;
use crate::digests::files::KnownFiles;
use crate::early_ends::EarlyEnds;
use crate::error::{EngineError, Result};
use crate::in_order::InOrder;
use crate::kept_plans::KeptPlans;
use crate::memory_pool::RoomyPool;
use crate::opaque::Opaque;
use crate::plan_limits::PlanLimits;
use crate::plan_steps;
use crate::stored_table::StoredTable;
use crate::{functions, tables};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use muster_reports::{SnapshotManifest, metric};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::Instrument;

/// A join may hold this part of the memory of all plans, so that its rows keep their order and need no sort.
const HELD_FRACTION: usize = 8;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Folder of the identity tables.
    pub tables_dir: PathBuf,
    /// Folder for spill files and refresh work. Its contents are removed when a run ends.
    pub work_dir: PathBuf,
    /// Bytes that all plans together may hold before they spill.
    pub memory_limit_bytes: usize,
    /// Threads of the engine's runtime; also the number of partitions of a plan, of sources that are read and of files
    /// that are hashed at a time.
    pub threads: usize,
}

/// The same plan with joins that sort and spill instead of holding one side in memory. It is slower, and its memory is
/// bounded.
pub(crate) fn with_spilling_joins(frame: DataFrame) -> DataFrame {
    let (mut state, plan) = frame.into_parts();
    state.config_mut().options_mut().optimizer.prefer_hash_join = false;
    DataFrame::new(state, plan)
}

/// Counts that a plan begins again because the memory of all plans was not enough.
pub(crate) fn memory_reached() {
    metrics::counter!(metric::LIMITS.name, "limit" => "plan_memory").increment(1);
}

/// Runs `attempt` on the frame. If the memory limit is too low, runs it again on the same plan with joins that spill.
///
/// # Errors
/// The error of the last attempt.
pub(crate) async fn within_memory<T, F>(frame: DataFrame, attempt: impl Fn(DataFrame) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    match attempt(frame.clone()).await {
        Err(EngineError::OutOfMemory { .. }) => {
            memory_reached();
            attempt(with_spilling_joins(frame)).await
        }
        outcome => outcome,
    }
}

/// Makes a folder in `folder` that no other engine has. Folders that killed processes left are cleared with the work folder.
fn own_spill_folder(folder: &Path) -> Result<PathBuf> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let failed = |e| EngineError::io(format!("making a folder in {}", folder.display()), e);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    loop {
        let own = folder.join(format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)));
        match std::fs::DirBuilder::new().mode(0o700).create(&own) {
            Ok(()) => return Ok(own),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn with_functions(state: SessionStateBuilder) -> SessionContext {
    let context = SessionContext::new_with_state(state.build());
    functions::register(&context);
    context
}

/// The engine: its runtime, its settings and its open tables.
pub struct Engine {
    settings: EngineSettings,
    environment: Arc<RuntimeEnv>,
    /// The folder that plans spill to. It is of this engine alone.
    spill: PathBuf,
    runtime: Option<tokio::runtime::Runtime>,
    /// Open table versions. A version never changes, so a report need not read the table's log again.
    providers: Mutex<Providers>,
    /// Known state of the files of tables.
    known: Arc<KnownFiles>,
    /// Plans of earlier runs.
    plans: Opaque<KeptPlans>,
    /// Makes spans of the operators of plans, if somebody wants them.
    steps: Option<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
}

/// Opened tables by name and version.
type Providers = HashMap<(&'static str, u64), OpenTable>;

/// An open version of a table.
#[derive(Clone)]
struct OpenTable {
    table: Arc<StoredTable>,
    /// Whether all of its files are what was written.
    is_checked: bool,
}

/// Most open table versions. When there are more, all are closed and opened again as needed.
const PROVIDERS_KEPT_MAX: usize = 128;

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting here would block the caller's runtime.
            runtime.shutdown_background();
        }
        // A plan that failed or was cancelled may still hold its files, and the process may end before it lets them go.
        if let Err(error) = std::fs::remove_dir_all(&self.spill)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(folder = %self.spill.display(), %error, "the folder that plans spill to could not be removed");
        }
    }
}

impl Engine {
    /// Makes the folders, the pool and the runtime.
    ///
    /// # Errors
    /// `Io` when a folder cannot be made or a thread cannot be started.
    pub fn open(settings: EngineSettings) -> Result<Self> {
        for dir in [&settings.tables_dir, &settings.work_dir] {
            std::fs::create_dir_all(dir)
                .map_err(|e| EngineError::io(format!("making folder {}", dir.display()), e))?;
        }
        let spill = own_spill_folder(&settings.work_dir.join("spill"))?;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(RoomyPool::new(settings.memory_limit_bytes)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill.clone()])),
            )
            .build_arc()
            .map_err(|e| EngineError::plan("runtime environment", e))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads.max(1))
            .thread_name("muster-engine")
            .enable_all()
            .build()
            .map_err(|e| EngineError::io("starting the engine's threads", e))?;
        Ok(Self {
            settings,
            environment,
            spill,
            runtime: Some(runtime),
            providers: Mutex::default(),
            known: Arc::default(),
            plans: Opaque::new(KeptPlans::default()),
            steps: plan_steps::rule(),
        })
    }

    /// Memory that plans have reserved now, and the most that they may, in bytes.
    pub fn plan_memory(&self) -> (usize, usize) {
        (self.environment.memory_pool.reserved(), self.settings.memory_limit_bytes)
    }

    /// A session for a refresh. Dropping it ends the refresh's plans.
    pub(crate) fn session(&self) -> SessionContext {
        let state = self.state().with_physical_optimizer_rule(Arc::new(EarlyEnds));
        with_functions(match &self.steps {
            Some(steps) => state.with_physical_optimizer_rule(Arc::clone(steps)),
            None => state,
        })
    }

    /// A session for one run of a report. Its plans end when the run is over, whatever their queries say.
    pub(crate) fn session_until(&self, signal: CancelSignal) -> SessionContext {
        with_functions(self.state().with_physical_optimizer_rules(self.rules_until(signal)))
    }

    /// As [`Engine::session_until`], for plans that are optimized already. It plans no queries: it has no functions, no
    /// tables and no rules for them.
    pub(crate) fn state_until(&self, signal: CancelSignal) -> SessionState {
        SessionStateBuilder::new()
            .with_config(self.config().with_create_default_catalog_and_schema(false))
            .with_runtime_env(Arc::clone(&self.environment))
            .with_analyzer_rules(Vec::new())
            .with_optimizer_rules(Vec::new())
            .with_physical_optimizer_rules(self.rules_until(signal))
            .build()
    }

    fn rules_until(&self, signal: CancelSignal) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
        let mut rules = PhysicalOptimizer::new().rules;
        let in_order = InOrder { held_bytes_max: self.settings.memory_limit_bytes / HELD_FRACTION };
        // Filters are in the scans by now, and partitions and sorts are not yet distributed.
        let at = rules.iter().position(|rule| rule.name() == "EnsureRequirements").unwrap_or(rules.len());
        rules.insert(at, Arc::new(in_order));
        rules.push(Arc::new(EarlyEnds));
        rules.push(Arc::new(PlanLimits(signal)));
        rules.extend(self.steps.clone());
        rules
    }

    fn config(&self) -> SessionConfig {
        SessionConfig::new()
            .with_target_partitions(self.threads())
            .with_batch_size(BATCH_ROWS)
            // One string type everywhere, so tables, functions and writers never convert texts.
            .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
            .set_bool("datafusion.execution.parquet.pushdown_filters", true)
            // Of files of the work folder, which are read once or twice: a stronger one takes longer than the disk.
            .set_str("datafusion.execution.parquet.compression", "snappy")
            .set_usize("datafusion.execution.parquet.max_row_group_size", tables::ROW_GROUP_ROWS)
    }

    fn state(&self) -> SessionStateBuilder {
        SessionStateBuilder::new()
            .with_default_features()
            .with_config(self.config())
            .with_runtime_env(Arc::clone(&self.environment))
    }

    /// Opens a table at its version in a snapshot, after checking that it is what was written.
    pub(crate) async fn provider(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
        version: u64,
    ) -> Result<Arc<dyn TableProvider>> {
        let open = self.kept_providers().get(&(table, version)).cloned();
        if let Some(OpenTable { table, is_checked: true }) = &open {
            let table: Arc<StoredTable> = Arc::clone(table);
            return Ok(table);
        }
        self.check_table(manifest, table).await?;
        let opened = match open {
            Some(open) => open.table,
            None => tables::open(self.tables_dir(), table, version).await?,
        };
        self.keep_open(table, version, OpenTable { table: Arc::clone(&opened), is_checked: true });
        Ok(opened)
    }

    /// Opens a table at its version in a snapshot for reading rows of one id, after checking the files that may have such
    /// rows. Rows of other ids may be damaged: the caller must ask for `id` only.
    pub(crate) async fn provider_of_id(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
        version: u64,
        id: &str,
    ) -> Result<Arc<dyn TableProvider>> {
        let open = self.kept_providers().get(&(table, version)).cloned();
        if let Some(OpenTable { table, is_checked: true }) = &open {
            let table: Arc<StoredTable> = Arc::clone(table);
            return Ok(table);
        }
        let opened = match open {
            Some(open) => open.table,
            None => {
                let opened = tables::open(self.tables_dir(), table, version).await?;
                self.keep_open(table, version, OpenTable { table: Arc::clone(&opened), is_checked: false });
                opened
            }
        };
        self.check_files_of_id(manifest, table, id, opened.file_names()).await?;
        Ok(opened)
    }

    fn keep_open(&self, table: &'static str, version: u64, open: OpenTable) {
        let mut kept = self.kept_providers();
        if kept.len() >= PROVIDERS_KEPT_MAX {
            kept.clear();
        }
        kept.insert((table, version), open);
    }

    /// A table of a snapshot, for reading.
    ///
    /// # Errors
    /// `Invalid` when the snapshot does not have the table; snapshots of older versions of the program may lack some.
    pub(crate) async fn table_of(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
    ) -> Result<Arc<dyn TableProvider>> {
        let version = manifest.versions.get(table).copied().ok_or_else(|| {
            EngineError::Invalid(format!("snapshot {} has no table {table:?}", manifest.id))
        })?;
        self.provider(manifest, table, version).await
    }

    pub(crate) fn known(&self) -> &Arc<KnownFiles> {
        &self.known
    }

    pub(crate) fn plans(&self) -> &KeptPlans {
        &self.plans
    }

    fn kept_providers(&self) -> MutexGuard<'_, Providers> {
        // A panic cannot leave this map half changed.
        self.providers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the engine's runtime. Dropping the returned future stops the work.
    ///
    /// # Errors
    /// The error of `work`, or `Stopped` if it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.runtime.as_ref().ok_or(EngineError::Stopped)?;
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn_on(work.in_current_span(), runtime.handle());
        match tasks.join_next().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) | None => Err(EngineError::Stopped),
        }
    }

    /// The runtime's handle, for tasks that their owner stops.
    pub(crate) fn handle(&self) -> Result<tokio::runtime::Handle> {
        Ok(self.runtime.as_ref().ok_or(EngineError::Stopped)?.handle().clone())
    }

    /// How many threads work may use, at least one.
    pub(crate) fn threads(&self) -> usize {
        self.settings.threads.max(1)
    }

    /// Folder of the identity tables.
    pub(crate) fn tables_dir(&self) -> &Path {
        &self.settings.tables_dir
    }

    /// Folder for work that does not outlive a run.
    pub(crate) fn work_dir(&self) -> &Path {
        &self.settings.work_dir
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::error::DataFusionError;
    use datafusion::physical_plan::displayable;
    use std::cell::RefCell;

    /// The physical plan of a frame, as text.
    async fn physical(frame: DataFrame) -> Result<String> {
        let plan = frame.create_physical_plan().await.map_err(|e| EngineError::plan("test", e))?;
        Ok(displayable(plan.as_ref()).indent(false).to_string())
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    async fn joined() -> DataFrame {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
        for table in ["a", "b"] {
            context.sql(&format!("CREATE TABLE {table} AS VALUES (1), (2), (3)")).await.unwrap();
        }
        context.sql("SELECT * FROM a JOIN b ON a.column1 = b.column1").await.unwrap()
    }

    #[test]
    fn a_plan_that_does_not_fit_is_tried_again_with_joins_that_spill() {
        let plans = RefCell::new(Vec::new());
        let exhausted = || DataFusionError::ResourcesExhausted("no more".into());
        let attempt = async |frame: DataFrame| {
            let plan = physical(frame).await?;
            plans.borrow_mut().push(plan);
            if plans.borrow().len() == 1 { Err(EngineError::plan("test", exhausted())) } else { Ok(()) }
        };
        runtime().block_on(async { within_memory(joined().await, attempt).await.unwrap() });
        let plans = plans.into_inner();
        let has = |at: usize| (plans[at].contains("HashJoinExec"), plans[at].contains("SortMergeJoinExec"));
        assert_eq!((plans.len(), has(0), has(1)), (2, (true, false), (false, true)), "{plans:?}");
    }

    #[test]
    fn other_failures_are_not_tried_again() {
        let attempts = RefCell::new(0);
        let attempt = async |_: DataFrame| {
            *attempts.borrow_mut() += 1;
            Err::<(), _>(EngineError::Invalid("wrong".into()))
        };
        let outcome = runtime().block_on(async { within_memory(joined().await, attempt).await });
        assert!(matches!(outcome, Err(EngineError::Invalid(_))) && *attempts.borrow() == 1);
    }
}
