//! Lets joins end that would wait for each other.
//!
//! A join whose small side is collected once can pass the values of that side on to what it reads, as a filter. It does so
//! only after each of its partitions has asked for rows, and until then all of them wait. A join above it that is divided by its
//! keys ends a partition as soon as it finds that its own side has no rows there, and never asks for that partition of the
//! other side. So with few rows, or few values, the partitions that have rows wait for the ones that nobody asks for, and the
//! query never ends.
//!
//! This rule takes such a filter away from a join whose partitions the join above may leave out. The filter only saves
//! work; the rows are the same without it. A repartition or a merge between the two asks for all partitions, so nothing
//! changes there.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;

/// The rule. It runs after those that make filters.
#[derive(Debug)]
pub(crate) struct EarlyEnds;

impl PhysicalOptimizerRule for EarlyEnds {
    fn name(&self) -> &str {
        "early_ends"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|node| {
            let divided = node.downcast_ref::<HashJoinExec>();
            let divided = divided.filter(|join| *join.partition_mode() == PartitionMode::Partitioned);
            let Some(join) = divided else { return Ok(Transformed::no(node)) };
            let asked = without_waits(join.right())?;
            if !asked.transformed {
                return Ok(Transformed::no(node));
            }
            let sides = vec![Arc::clone(join.left()), asked.data];
            Ok(Transformed::yes(join.builder().with_new_children(sides)?.build_exec()?))
        })?;
        Ok(changed.data)
    }
}

/// The same plan, in which no partition waits for another one.
fn without_waits(plan: &Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    Arc::clone(plan).transform_down(|node| {
        let asks_for_all = node.is::<RepartitionExec>()
            || node.is::<CoalescePartitionsExec>()
            || node.is::<SortPreservingMergeExec>();
        if asks_for_all || node.output_partitioning().partition_count() == 1 {
            return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
        }
        let join = node.downcast_ref::<HashJoinExec>().filter(|join| {
            *join.partition_mode() == PartitionMode::CollectLeft
                && !join.dynamic_expressions_produced().is_empty()
        });
        match join {
            Some(join) => Ok(Transformed::yes(join.builder().reset_state().build_exec()?)),
            None => Ok(Transformed::no(node)),
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::{Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
    use datafusion::common::{JoinType, NullEquality};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::TaskContext;
    use datafusion::physical_plan::expressions::{Column, DynamicFilterPhysicalExpr, lit};
    use datafusion::physical_plan::filter::FilterExec;
    use datafusion::physical_plan::{PhysicalExpr, collect};
    use std::time::Duration;

    /// A table with one column of numbers, in these partitions.
    fn table(name: &str, partitions: &[&[i64]]) -> Arc<dyn ExecutionPlan> {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, false)]));
        let batches = partitions.iter().map(|numbers| {
            let column = Arc::new(Int64Array::from(numbers.to_vec()));
            vec![RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()]
        });
        MemorySourceConfig::try_new_exec(&batches.collect::<Vec<_>>(), Arc::clone(&schema), None).unwrap()
    }

    fn column(name: &str, at: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(name, at))
    }

    fn join(
        (left, right): (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>),
        on: (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>),
        mode: PartitionMode,
    ) -> HashJoinExec {
        let nulls = NullEquality::NullEqualsNothing;
        HashJoinExec::try_new(left, right, vec![on], None, &JoinType::Inner, None, mode, nulls, false)
            .unwrap()
    }

    /// A join that is divided by its keys, over one that is not. Its own side has rows in one of two partitions.
    fn plan(between: impl Fn(Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![column("large", 0)], lit(true)));
        let large = table("large", &[&[1], &[2, 3]]);
        let large = FilterExec::try_new(Arc::clone(&filter) as Arc<dyn PhysicalExpr>, large).unwrap();
        let sides: (_, Arc<dyn ExecutionPlan>) = (table("small", &[&[1, 2, 3]]), Arc::new(large));
        let below = join(sides, (column("small", 0), column("large", 0)), PartitionMode::CollectLeft);
        let below: Arc<dyn ExecutionPlan> = Arc::new(below.with_dynamic_filter_expr(filter).unwrap());
        let sides = (table("own", &[&[], &[3, 4]]), between(below));
        Arc::new(join(sides, (column("own", 0), column("large", 1)), PartitionMode::Partitioned))
    }

    /// The number of rows; `None` if it is not known in this time.
    fn rows(plan: Arc<dyn ExecutionPlan>, within: Duration) -> Option<usize> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let found = runtime.block_on(async {
            let all = collect(plan, Arc::new(TaskContext::default()));
            tokio::time::timeout(within, all).await
        });
        // The tasks of a query that never ends.
        runtime.shutdown_background();
        found.ok().map(|batches| batches.unwrap().iter().map(RecordBatch::num_rows).sum())
    }

    #[test]
    fn no_partition_waits_for_one_that_nobody_asks_for() {
        let unchanged = plan(|below| below);
        let changed = EarlyEnds.optimize(Arc::clone(&unchanged), &ConfigOptions::default()).unwrap();
        assert_eq!(rows(changed, Duration::from_secs(60)), Some(1));
        // If this ends, the rule is not needed any more.
        assert_eq!(rows(unchanged, Duration::from_millis(300)), None);
    }

    #[test]
    fn a_filter_stays_where_all_partitions_are_asked_for() {
        let has_filter = |plan: &Arc<dyn ExecutionPlan>| {
            let mut found = false;
            plan.apply(|node| {
                let join = node.downcast_ref::<HashJoinExec>();
                found |= join.is_some_and(|join| !join.dynamic_expressions_produced().is_empty());
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
            found
        };
        let optimized = |plan| EarlyEnds.optimize(plan, &ConfigOptions::default()).unwrap();
        assert!(!has_filter(&optimized(plan(|below| below))));
        let divided = plan(|below| {
            let by = datafusion::physical_plan::Partitioning::Hash(vec![column("large", 1)], 2);
            Arc::new(RepartitionExec::try_new(below, by).unwrap())
        });
        assert!(has_filter(&optimized(divided)));
    }
}
