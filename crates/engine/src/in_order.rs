//! Reads the files of a table in their order, where a plan sorts by it.
//!
//! A sort of all rows needs time, and memory or disk. If each file is sorted already, merging the files is enough. For
//! that, each file must be a partition of its own, so that no plan reads them like this unless it gains by it.
//!
//! This rule looks below each sort for the scan of a table whose files are sorted, as far as the operators between keep
//! the order: filters, projections, and hash joins in which the table is not the side that is held in memory. If the sort
//! then has nothing to do, or only has to sort the rows of one row of the table among each other, the plan is changed.
//! The optimizer's own rules remove the sort and put a merge in its place.
//!
//! A join that held the table itself has its sides exchanged for that. This has a price: the side that is now held is
//! read whole, while before only those of its rows were read that match a row of the table. So it is done only if that
//! side is read from files as it is, and does not have many more rows than the table.
//!
//! The order of a file is what its footer says. A wrong footer gives rows out of order, which `order` refuses.

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::partial_sort::PartialSortExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use std::sync::Arc;

/// Most files that are merged. A few batches of each are in memory.
const MERGED_FILES_MAX: usize = 256;
/// Rows in the batches of all merged files together.
const MERGED_ROWS: usize = 128 * 1024;
/// Fewest rows of a batch. Smaller ones take longer to handle than their rows.
const BATCH_ROWS_MIN: usize = 512;
/// For the sake of the order, a side of a join is held that has at most so many times the rows of the other side.
const HELD_TIMES_MAX: usize = 8;
/// Assumed bytes of a text.
const TEXT_BYTES: usize = 32;
/// Assumed bytes of a list, an object or the attributes of a row.
const NESTED_BYTES: usize = 128;

/// The rule.
#[derive(Debug)]
pub(crate) struct InOrder {
    /// Most bytes that a side of a join may have that is held in memory for the sake of the order.
    pub(crate) held_bytes_max: usize,
}

impl PhysicalOptimizerRule for InOrder {
    fn name(&self) -> &str {
        "in_order"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let search = Search {
            held_bytes_max: self.held_bytes_max,
            batch_rows_max: config.execution.batch_size.into(),
            partitions: config.execution.target_partitions,
        };
        let changed = plan.transform_up(|node| {
            let merged = node.downcast_ref::<SortExec>().map(|sort| search.merged(sort)).transpose()?;
            Ok(merged.flatten().map_or_else(|| Transformed::no(node), Transformed::yes))
        })?;
        Ok(changed.data)
    }
}

/// A plan that keeps the order of the files that it reads.
struct Ordered {
    plan: Arc<dyn ExecutionPlan>,
    /// How many columns the order of the files has.
    columns: usize,
}

/// Looks for tables below a sort.
struct Search {
    held_bytes_max: usize,
    batch_rows_max: usize,
    partitions: usize,
}

impl Search {
    /// What does the same as the sort; `None` if that takes a sort of all rows.
    fn merged(&self, sort: &SortExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        for Ordered { plan, columns } in self.ordered(sort.input())? {
            let known = known_keys(&plan, sort.expr())?;
            if known == sort.expr().len() {
                let sort = SortExec::new(sort.expr().clone(), plan)
                    .with_fetch(sort.fetch())
                    .with_preserve_partitioning(sort.preserve_partitioning());
                return Ok(Some(Arc::new(sort)));
            }
            // The last column of the order is a key, so few rows are equal in all of them. This operator does not tell the
            // optimizer that it needs the order, so there must be no reason to distribute the rows to more partitions.
            let has_enough = plan.output_partitioning().partition_count() >= self.partitions;
            if known >= columns && has_enough && !sort.preserve_partitioning() {
                let rest =
                    PartialSortExec::new(sort.expr().clone(), plan, known).with_preserve_partitioning(true);
                let merge = SortPreservingMergeExec::new(sort.expr().clone(), Arc::new(rest));
                return Ok(Some(Arc::new(merge.with_fetch(sort.fetch()))));
            }
        }
        Ok(None)
    }

    /// The ways to run a plan so that it keeps the order of the files of one of its tables.
    fn ordered(&self, node: &Arc<dyn ExecutionPlan>) -> Result<Vec<Ordered>> {
        if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
            return Ok(file_by_file(scan, self.batch_rows_max).into_iter().collect());
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            return self.joined(join);
        }
        if node.is::<FilterExec>() || node.is::<ProjectionExec>() {
            let inputs = node.children().into_iter().map(|input| self.ordered(input));
            let inputs: Vec<_> = inputs.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            let over = |Ordered { plan, columns }| {
                let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                Ok(Ordered { plan: Arc::clone(node).replace_children(vec![plan], options)?, columns })
            };
            return inputs.into_iter().map(over).collect();
        }
        Ok(Vec::new())
    }

    /// A join keeps the order of the side that it looks up in the other one, its right side.
    fn joined(&self, join: &HashJoinExec) -> Result<Vec<Ordered>> {
        let mut ways = Vec::new();
        if join.null_aware {
            return Ok(ways);
        }
        let (left, right) = (join.left(), join.right());
        let left_rows = rows(left)?;
        if self.may_be_held(left, left_rows) {
            for Ordered { plan, columns } in self.ordered(right)? {
                let join = join.builder().with_new_children(vec![Arc::clone(left), plan])?;
                let join = join.with_partition_mode(PartitionMode::CollectLeft).build()?;
                ways.push(Ordered { plan: Arc::new(join), columns });
            }
        }
        let right_rows = rows(right)?;
        let is_small = |(held, table): (usize, usize)| held <= table.saturating_mul(HELD_TIMES_MAX);
        let may_be_exchanged = join.join_type().supports_swap()
            && is_read_from_files(right)
            && right_rows.zip(left_rows).is_some_and(is_small);
        if may_be_exchanged && self.may_be_held(right, right_rows) {
            for Ordered { plan, columns } in self.ordered(left)? {
                let join = join.builder().with_new_children(vec![plan, Arc::clone(right)])?.build()?;
                ways.push(Ordered { plan: join.swap_inputs(PartitionMode::CollectLeft)?, columns });
            }
        }
        Ok(ways)
    }

    /// Whether there is room in memory for all rows of a plan.
    fn may_be_held(&self, plan: &Arc<dyn ExecutionPlan>, rows: Option<usize>) -> bool {
        rows.is_some_and(|rows| rows.saturating_mul(row_bytes(&plan.schema())) <= self.held_bytes_max)
    }
}

/// About how many rows a plan has; `None` if that is unknown.
fn rows(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<usize>> {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
    Ok(statistics.num_rows.get_value().copied())
}

/// Whether the rows of a plan are rows of files, filtered at most.
fn is_read_from_files(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let passes_on = plan.is::<FilterExec>() || plan.is::<ProjectionExec>();
    plan.is::<DataSourceExec>() || (passes_on && plan.children().into_iter().all(is_read_from_files))
}

/// The same scan with a partition for each file; `None` if the files are not all sorted in one way.
fn file_by_file(scan: &DataSourceExec, batch_rows_max: usize) -> Option<Ordered> {
    let scan = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let files: Vec<&PartitionedFile> = scan.file_groups.iter().flat_map(FileGroup::iter).collect();
    let order: LexOrdering = files.first()?.ordering.clone()?;
    let is_alike = |file: &&PartitionedFile| file.ordering.as_ref() == Some(&order) && file.range.is_none();
    if files.len() > MERGED_FILES_MAX || !files.iter().all(is_alike) {
        return None;
    }
    let columns = order.len();
    let batch_rows = (MERGED_ROWS / files.len()).max(BATCH_ROWS_MIN).min(batch_rows_max);
    let groups = files.into_iter().map(|file| FileGroup::new(vec![file.clone()])).collect();
    let scan = FileScanConfigBuilder::from(scan.clone())
        .with_file_groups(groups)
        .with_output_ordering(vec![order])
        .with_batch_size(Some(batch_rows))
        .build();
    Some(Ordered { plan: DataSourceExec::from_data_source(scan), columns })
}

/// By how many of these keys, from the first on, the rows of each partition are sorted.
fn known_keys(plan: &Arc<dyn ExecutionPlan>, keys: &LexOrdering) -> Result<usize> {
    let mut known = 0;
    while known < keys.len()
        && plan.equivalence_properties().ordering_satisfy(keys.iter().take(known + 1).cloned())?
    {
        known += 1;
    }
    Ok(known)
}

/// About how many bytes a row has in memory.
fn row_bytes(schema: &Schema) -> usize {
    let bytes = |data_type: &DataType| {
        if data_type.is_nested() { NESTED_BYTES } else { data_type.primitive_width().unwrap_or(TEXT_BYTES) }
    };
    schema.fields().iter().map(|field| bytes(field.data_type())).sum()
}

#[cfg(test)]
mod tests;
