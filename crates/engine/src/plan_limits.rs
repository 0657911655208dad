//! Limits that hold while the plan of a report runs, whatever its query says.
//!
//! Why: anybody may write the SQL of a custom report. DataFusion yields only where a plan reads. A cross join, a
//! recursive query or a join that finds nothing can compute for hours between two reads. Without limits, a cancel would
//! have no effect for that time and other reports would wait.
//!
//! - Every operator with an input yields after a bounded number of batches, and ends when the run is over.
//! - The filter of a join without keys checks before each batch whether the run is over.
//! - A large batch counts in the memory pool until its operator returns the next one.
//! - A recursive query has a bounded number of rounds.

use crate::cancellation::CancelSignal;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    ReplaceChildrenOptions,
};
use futures_util::{Stream, StreamExt};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

/// Most rounds of a recursive query, such as levels of a hierarchy.
const ROUNDS_MAX: usize = 1_000;

/// Largest batch, in bytes, that is not counted in the memory pool. Most batches are far smaller.
const UNCOUNTED_BYTES: usize = 16 << 20;

/// Adds the limits to a plan. This rule runs after all other rules, so that they see the operators without wrappers.
#[derive(Debug)]
pub(crate) struct PlanLimits(pub(crate) CancelSignal);

impl PhysicalOptimizerRule for PlanLimits {
    fn name(&self) -> &str {
        "plan_limits"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let limited = plan.transform_up(|node| {
            // A leaf yields by itself.
            if node.children().is_empty() || node.is::<CooperativeExec>() {
                return Ok(Transformed::no(node));
            }
            let node = self.with_limited_filter(node)?;
            let node = with_bounded_rounds(node, &self.0)?;
            Ok(Transformed::yes(Arc::new(LimitedExec::new(node, self.0.clone()))))
        })?;
        Ok(limited.data)
    }
}

impl PlanLimits {
    fn with_limited_filter(&self, node: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else { return Ok(node) };
        let Some(filter) = join.filter() else { return Ok(node) };
        let expression =
            Arc::new(LimitedExpr { inner: Arc::clone(filter.expression()), signal: self.0.clone() });
        let filter =
            JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()));
        Ok(Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?))
    }
}

fn with_bounded_rounds(
    node: Arc<dyn ExecutionPlan>,
    signal: &CancelSignal,
) -> Result<Arc<dyn ExecutionPlan>> {
    if node.downcast_ref::<RecursiveQueryExec>().is_none() {
        return Ok(node);
    }
    let mut children: Vec<_> = node.children().into_iter().cloned().collect();
    let Some(recursive) = children.last_mut() else { return Ok(node) };
    let limited = recursive.downcast_ref::<LimitedExec>();
    let inner = Arc::clone(limited.map_or(&*recursive, |limited| &limited.inner));
    *recursive = Arc::new(LimitedExec { inner, signal: signal.clone(), rounds: Some(Arc::default()) });
    node.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// An operator with the limits.
#[derive(Debug, Clone)]
struct LimitedExec {
    inner: Arc<dyn ExecutionPlan>,
    signal: CancelSignal,
    /// How often the operator was started, if it is the recursive part of a query.
    rounds: Option<Arc<AtomicUsize>>,
}

impl LimitedExec {
    fn new(inner: Arc<dyn ExecutionPlan>, signal: CancelSignal) -> Self {
        Self { inner, signal, rounds: None }
    }
}

impl DisplayAs for LimitedExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LimitedExec")
    }
}

impl ExecutionPlan for LimitedExec {
    fn name(&self) -> &str {
        "LimitedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.inner]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(inner) if children.is_empty() => {
                Ok(Arc::new(Self { inner, signal: self.signal.clone(), rounds: self.rounds.clone() }))
            }
            Some(_) | None => internal_err!("a limited operator got no child or several: expected one"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.signal.check()?;
        if let Some(rounds) = &self.rounds
            && rounds.fetch_add(1, Ordering::Relaxed) >= ROUNDS_MAX
        {
            // A plan error is shown to the query's author.
            return plan_err!(
                "the recursive query has more than {ROUNDS_MAX} rounds: expected it to end before"
            );
        }
        let counted = MemoryConsumer::new("large batches").register(context.memory_pool());
        let inner = self.inner.execute(partition, context)?;
        Ok(Box::pin(LimitedStream { inner, signal: self.signal.clone(), counted }))
    }
}

struct LimitedStream {
    inner: SendableRecordBatchStream,
    signal: CancelSignal,
    /// Bytes of the last batch if it is large, else 0.
    counted: MemoryReservation,
}

impl Stream for LimitedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.signal.check()?;
        let turn = ready!(tokio::task::coop::poll_proceed(context));
        let polled = self.inner.poll_next_unpin(context);
        if polled.is_ready() {
            turn.made_progress();
        }
        if let Poll::Ready(Some(Ok(batch))) = &polled {
            let bytes = bytes(batch)?;
            let bytes = if bytes > UNCOUNTED_BYTES { bytes } else { 0 };
            if bytes != self.counted.size() {
                self.counted.try_resize(bytes)?;
            }
        }
        polled
    }
}

impl RecordBatchStream for LimitedStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

/// Bytes of the rows of a batch. Other rows in the same buffers are not counted.
fn bytes(batch: &RecordBatch) -> Result<usize> {
    batch.columns().iter().try_fold(0, |sum, column| Ok(sum + column.to_data().get_slice_memory_size()?))
}

/// An expression that checks whether the run is over before it is evaluated.
#[derive(Debug)]
struct LimitedExpr {
    inner: Arc<dyn PhysicalExpr>,
    signal: CancelSignal,
}

impl PartialEq for LimitedExpr {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for LimitedExpr {}

impl Hash for LimitedExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for LimitedExpr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.inner)
    }
}

impl PhysicalExpr for LimitedExpr {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.signal.check()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(inner) if children.is_empty() => Ok(Arc::new(Self { inner, signal: self.signal.clone() })),
            Some(_) | None => internal_err!("a limited expression got no child or several: expected one"),
        }
    }

    fn fmt_sql(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(out)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cancellation::RunGuard;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    fn session(signal: CancelSignal) -> SessionContext {
        let pool = Arc::new(GreedyMemoryPool::new(100 << 20));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap())
            .with_physical_optimizer_rule(Arc::new(PlanLimits(signal)));
        SessionContext::new_with_state(state.build())
    }

    async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
        context.sql(sql).await?.collect().await
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    const ENDLESS: &str =
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t";

    #[test]
    fn a_recursive_query_has_a_bounded_number_of_rounds() {
        let running = RunGuard::default();
        runtime().block_on(async {
            let context = session(running.signal());
            let error = run(&context, ENDLESS).await.unwrap_err();
            assert!(error.to_string().contains("more than 1000 rounds"), "{error}");
            let levels = ENDLESS.replace("FROM t)", "FROM t WHERE n < 500)");
            // Rounds are counted for each run, not for all runs together.
            for _ in 0..3 {
                let batches = run(&context, &levels).await.unwrap();
                let shown =
                    datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
                assert!(shown.contains("| 500 "), "{shown}");
            }
        });
    }

    #[test]
    fn a_join_that_would_take_years_ends_with_its_run() {
        // One thread: this task can end the other only if the other yields.
        runtime().block_on(async {
            for sql in [
                "SELECT count(*) FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)",
                "SELECT max(x + y) FROM generate_series(1, 1000000) a(x) JOIN generate_series(1, 1000000) b(y) ON x + y > 0",
            ] {
                let running = RunGuard::default();
                let context = session(running.signal());
                let task = tokio::spawn(async move { run(&context, sql).await });
                // Wait until the query is running.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                drop(running);
                let error = task.await.unwrap().unwrap_err();
                assert!(error.to_string().contains("the run is over"), "{sql}: {error}");
            }
        });
    }

    #[test]
    fn the_filter_of_a_join_without_keys_ends_with_the_run() {
        runtime().block_on(async {
            let running = RunGuard::default();
            let context = session(running.signal());
            let sql = "SELECT count(*) FROM generate_series(1, 10) a(x) JOIN generate_series(1, 10) b(y) ON x + y < 0";
            let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
            let mut filters = Vec::new();
            plan.apply(|node| {
                let join = node.downcast_ref::<NestedLoopJoinExec>();
                filters.extend(join.and_then(NestedLoopJoinExec::filter).cloned());
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
            let [filter] = &filters[..] else { panic!("one join: {plan:?}") };
            let none = RecordBatch::new_empty(Arc::clone(filter.schema()));
            assert!(filter.expression().evaluate(&none).is_ok());
            drop(running);
            let error = filter.expression().evaluate(&none).unwrap_err();
            assert!(error.to_string().contains("the run is over"), "{error}");
        });
    }

    #[test]
    fn a_large_batch_counts_in_the_memory_pool() {
        runtime().block_on(async {
            let context = session(CancelSignal::default());
            // Two million numbers take 16 MB in each of eight columns.
            let series = |from: u32| format!("range({from}, {}) AS c{from}", from + 2_000_000);
            let columns: Vec<_> = (0..8).map(series).collect();
            let sql = format!(
                "SELECT * FROM (SELECT {} FROM (VALUES (1), (2)) v(k) WHERE k > 1) LIMIT 5",
                columns.join(", ")
            );
            let error = run(&context, &sql).await.unwrap_err();
            assert!(
                matches!(error.find_root(), datafusion::error::DataFusionError::ResourcesExhausted(_)),
                "{error}"
            );
        });
    }
}
