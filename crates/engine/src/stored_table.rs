//! A version of a table as plans see it: its Parquet files, and what is known of them without opening them.
//!
//! A plan over it consists of DataFusion's own operators only, so it can be sent to another process, and it knows in which
//! order the rows of a file are.

use crate::declared::{Table, Writing};
use crate::file_name::{FileName, group_name};
use crate::parquet_file::is_sorted;
use crate::table_files::TableFiles;
use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::object_store::ObjectMeta;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The column that says in which partition a row is.
const KEY: &str = "id";

/// How many footers are read at a time.
const FOOTERS_AT_ONCE: usize = 8;

/// A file of a version.
#[derive(Debug)]
pub(crate) struct StoredFile {
    /// Where it is.
    pub(crate) place: ObjectMeta,
    /// How many rows it has.
    pub(crate) rows: usize,
}

/// A version of a table.
#[derive(Debug)]
pub(crate) struct StoredTable {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    /// Whether the rows of a file have ids of one partition only.
    is_partitioned: bool,
    /// The column of which each file has one value only, if there is one.
    group: Option<&'static str>,
    /// The columns by which the files of this program are sorted.
    order: &'static [&'static str],
}

impl StoredTable {
    /// The version of `table` that has these columns and files.
    pub(crate) fn new(table: &Table, schema: SchemaRef, files: Vec<StoredFile>) -> Self {
        let (is_partitioned, group, order) = match table.writing {
            Writing::Partitioned { group, order, .. } => (true, group, order),
            Writing::Whole | Writing::Grows => (false, None, &[][..]),
        };
        let describe = |StoredFile { place, rows }| {
            let size = usize::try_from(place.size).unwrap_or(usize::MAX);
            let statistics = statistics(&schema, Precision::Exact(rows), size);
            PartitionedFile::new_from_meta(place).with_statistics(Arc::new(statistics))
        };
        let files = files.into_iter().map(describe).collect();
        Self { schema, files, is_partitioned, group, order }
    }

    /// The names of the files.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| file.path().filename())
    }

    /// The files that may have rows for which these filters are true.
    fn wanted(&self, filters: &[Expr]) -> Vec<PartitionedFile> {
        let values = |column: &str| -> Vec<BTreeSet<String>> {
            filters.iter().filter_map(|filter| values_of(filter, column)).collect()
        };
        let groups: Vec<BTreeSet<_>> = self
            .group
            .map(values)
            .unwrap_or_default()
            .into_iter()
            .map(|values| values.iter().map(|value| group_name(Some(value))).collect())
            .collect();
        let ids = if self.is_partitioned { values(KEY) } else { Vec::new() };
        let may_match = |file: &&PartitionedFile| {
            let Some(name) = file.path().filename().and_then(FileName::parse) else { return true };
            groups.iter().all(|groups| groups.contains(&name.group))
                && ids.iter().all(|ids| ids.iter().any(|id| name.may_have(id)))
        };
        self.files.iter().filter(may_match).cloned().collect()
    }

    /// The files, each with its order if its footer says that it has the order of this table.
    async fn with_order(
        &self,
        state: &dyn Session,
        files: Vec<PartitionedFile>,
    ) -> Result<Vec<PartitionedFile>> {
        let Some(order) = self.ordering() else { return Ok(files) };
        let store = state.runtime_env().object_store(ObjectStoreUrl::local_filesystem())?;
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let with_order = |file: PartitionedFile| async {
            let footer = DFParquetMetadata::new(&store, &file.object_meta)
                .with_file_metadata_cache(Some(Arc::clone(&cache)))
                .fetch_metadata()
                .await?;
            let order = is_sorted(&footer, self.order).then(|| order.clone());
            Ok(file.with_ordering(order))
        };
        let files = futures_util::stream::iter(files).map(with_order);
        files.buffered(FOOTERS_AT_ONCE).try_collect().await
    }

    /// The order of a sorted file; `None` if the table has no order, or this version lacks a column of it.
    fn ordering(&self) -> Option<LexOrdering> {
        let ascending = SortOptions { descending: false, nulls_first: false };
        let key = |name: &&str| {
            let at = self.schema.index_of(name).ok()?;
            Some(PhysicalSortExpr::new(Arc::new(Column::new(name, at)), ascending))
        };
        LexOrdering::new(self.order.iter().map(key).collect::<Option<Vec<_>>>()?)
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The filter stays in the plan until the physical optimizer has moved it into the scan.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut files = self.wanted(filters);
        // A count of all rows opens no file.
        if projection.is_none_or(|columns| !columns.is_empty()) {
            files = self.with_order(state, files).await?;
        }
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let number_of =
            |file: &PartitionedFile| file.statistics.as_ref().map_or(Precision::Absent, |s| s.num_rows);
        let rows = files.iter().map(number_of).fold(Precision::Exact(0), |sum, rows| sum.add(&rows));
        let bytes = files.iter().map(|file| file.object_meta.size).sum::<u64>();
        let statistics = statistics(&self.schema, rows, usize::try_from(bytes).unwrap_or(usize::MAX));
        let store = state.runtime_env().object_store(ObjectStoreUrl::local_filesystem())?;
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(TableFiles::new(store, cache)));
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

fn statistics(schema: &SchemaRef, rows: Precision<usize>, bytes: usize) -> Statistics {
    Statistics::new_unknown(schema).with_num_rows(rows).with_total_byte_size(Precision::Inexact(bytes))
}

/// The values of a column for which a filter may be true; `None` if the filter does not say.
fn values_of(filter: &Expr, column: &str) -> Option<BTreeSet<String>> {
    let is_column = |side: &Expr| matches!(side, Expr::Column(side) if side.name == column);
    #[expect(clippy::wildcard_enum_match_arm, reason = "other filters say nothing about the values")]
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq if is_column(left) => Some([text_of(right)?].into()),
            Operator::Eq if is_column(right) => Some([text_of(left)?].into()),
            Operator::Or => Some(&values_of(left, column)? | &values_of(right, column)?),
            Operator::And => values_of(left, column).or_else(|| values_of(right, column)),
            _ => None,
        },
        Expr::InList(list) if is_column(&list.expr) && !list.negated => {
            list.list.iter().map(text_of).collect()
        }
        _ => None,
    }
}

fn text_of(value: &Expr) -> Option<String> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) = value else {
        return None;
    };
    Some(text.clone())
}
