//! Plans and runs the queries of one run of a report.

use crate::cancellation::CancelSignal;
use crate::error::{EngineError, Result};
use crate::kept_plans::{PlanKey, Shape, is_the_same_later};
use crate::order::Planned;
use crate::policies::PolicyTables;
use crate::read_only_sql;
use crate::scope::ShownTables;
use crate::series::SeriesTables;
use crate::session::{Engine, within_memory};
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The queries of a run: the same tables, arguments and end.
pub(super) struct Queries {
    engine: Arc<Engine>,
    signal: CancelSignal,
    shown: ShownTables,
    /// The tables of a period, if the report is of one.
    series: SeriesTables,
    /// What searches of policies find, if the report is about policies.
    policies: PolicyTables,
    /// The versions of the tables, if the caller sees them whole, so that plans may be kept.
    whole: Option<BTreeMap<&'static str, u64>>,
    parameters: Vec<(String, ScalarValue)>,
    /// Plans queries. It is made for the first query whose plan is not kept.
    planning: OnceCell<SessionContext>,
    /// Runs plans.
    running: SessionState,
}

impl Queries {
    pub(super) fn new(
        engine: &Arc<Engine>,
        signal: CancelSignal,
        (shown, series, policies): (ShownTables, SeriesTables, PolicyTables),
        whole: Option<BTreeMap<&'static str, u64>>,
        parameters: Vec<(String, ScalarValue)>,
    ) -> Self {
        let running = engine.state_until(signal.clone());
        let engine = Arc::clone(engine);
        Self {
            engine,
            signal,
            shown,
            series,
            policies,
            whole,
            parameters,
            planning: OnceCell::new(),
            running,
        }
    }

    /// Where plans are run.
    pub(super) fn running(&self) -> &SessionState {
        &self.running
    }

    /// The optimized plan of a query: a kept one, or what `optimize` makes of the query. `failed` makes the error of a
    /// query that cannot be planned.
    pub(super) async fn planned(
        &self,
        sql: &str,
        shape: Shape,
        failed: impl Fn(DataFusionError) -> EngineError,
        optimize: impl FnOnce(&SessionContext, DataFrame) -> Result<Planned>,
    ) -> Result<Arc<Planned>> {
        self.planned_as(self.key(sql, shape).as_ref(), sql, failed, optimize).await
    }

    /// The same, with what decides the plan, if it may be kept.
    async fn planned_as(
        &self,
        key: Option<&PlanKey>,
        sql: &str,
        failed: impl Fn(DataFusionError) -> EngineError,
        optimize: impl FnOnce(&SessionContext, DataFrame) -> Result<Planned>,
    ) -> Result<Arc<Planned>> {
        if let Some(kept) = key.and_then(|key| self.engine.plans().get(key)) {
            return Ok(kept);
        }
        let context = self.planning.get_or_try_init(|| async { self.planning_session() }).await?;
        let query = self.with_arguments(context, sql).await.map_err(&failed)?;
        let is_kept = is_the_same_later(query.logical_plan()).map_err(failed)?;
        let planned = Arc::new(optimize(context, query)?);
        if let (Some(key), true) = (key, is_kept) {
            self.engine.plans().keep(key.clone(), &planned);
        }
        Ok(planned)
    }

    /// What decides the plan of a query and its rows, if the caller sees the tables whole.
    fn key(&self, sql: &str, shape: Shape) -> Option<PlanKey> {
        self.whole.as_ref().map(|tables| PlanKey {
            tables: tables.clone(),
            query: sql.to_owned(),
            parameters: self.parameters.clone(),
            shape,
        })
    }

    /// The rows of a query, in its own order: those that an earlier run kept, or what is read now.
    pub(super) async fn collect(&self, step: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let key = self.key(sql, Shape::AsItIs);
        if let Some(rows) = key.as_ref().and_then(|key| self.engine.plans().result(key)) {
            return Ok(rows);
        }
        let rows = self.read(step, sql, key.as_ref()).await?;
        if let Some(key) = key {
            self.engine.plans().keep_result(key, &rows);
        }
        Ok(rows)
    }

    async fn read(&self, step: &str, sql: &str, key: Option<&PlanKey>) -> Result<Vec<RecordBatch>> {
        let failed = |e: DataFusionError| EngineError::plan(step, e);
        let optimize = |_: &SessionContext, query: DataFrame| Planned::declared(query).map_err(failed);
        let planned = self.planned_as(key, sql, failed, optimize).await?;
        within_memory(planned.frame(&self.running), |frame| planned.collect(step, frame)).await
    }

    fn planning_session(&self) -> Result<SessionContext> {
        let context = self.engine.session_until(self.signal.clone());
        read_only_sql::limit(&context);
        self.shown.register(&context)?;
        self.series.register(&context)?;
        self.policies.register(&context)?;
        Ok(context)
    }

    async fn with_arguments(
        &self,
        context: &SessionContext,
        sql: &str,
    ) -> datafusion::error::Result<DataFrame> {
        let query = read_only_sql::plan(context, sql).await?;
        match self.parameters.is_empty() {
            true => Ok(query),
            false => query.with_param_values(self.parameters.clone()),
        }
    }
}
