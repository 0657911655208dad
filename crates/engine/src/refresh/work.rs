//! The work folder of one refresh: each step's rows as Parquet, known to one session under the step's name.

use crate::error::{EngineError, Result};
use crate::file::ParquetFile;
use crate::functions::MomentFunction;
use crate::order::Ordered;
use crate::session::{BATCH_ROWS, Engine, within_memory};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::dataframe::{DataFrame, DataFrameWriteOptions};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::ListingOptions;
use datafusion::logical_expr::ScalarUDF;
use datafusion::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{Expr, ParquetReadOptions, SessionContext, lit};
use muster_reports::SnapshotManifest;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows in one piece of a file that is read in order: several are open at a time.
const ROW_GROUP_IN_ORDER: usize = 32 * 1024;

/// Removed with all it holds when dropped.
pub(super) struct Work {
    pub(super) context: SessionContext,
    dir: PathBuf,
    /// Steps kept so far: a step may be run again, and its new rows must not meet the old ones.
    kept: AtomicU64,
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(folder = %self.dir.display(), %error, "the work folder could not be removed");
        }
    }
}

impl Work {
    pub(super) fn open(engine: &Engine, name: &str, now: DateTime<Utc>) -> Result<Self> {
        let dir = engine.work_dir().join(format!("refresh-{name}"));
        std::fs::create_dir_all(&dir)
            .map_err(|e| EngineError::io(format!("making folder {}", dir.display()), e))?;
        let context = engine.session();
        context.register_udf(ScalarUDF::from(MomentFunction::new("no_time", None)));
        let work = Self { context, dir, kept: AtomicU64::new(0) };
        work.set_time(now);
        Ok(work)
    }

    /// Makes `refresh_time()` this time in what is planned from now on.
    pub(super) fn set_time(&self, time: DateTime<Utc>) {
        let function = MomentFunction::new("refresh_time", Some(time.timestamp_micros()));
        self.context.register_udf(ScalarUDF::from(function));
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Plans a query; `refresh_time()` in it is the refresh's time, `no_time()` a null time. Texts of sources and
    /// definitions stand in a query as [`literal`]s and nowhere else, and a query that is made is not edited.
    pub(super) async fn query(&self, step: &str, sql: &str) -> Result<DataFrame> {
        self.context.sql(sql).await.map_err(|e| EngineError::plan(step, e))
    }

    /// Runs a query and keeps its rows under `step`.
    pub(super) async fn step(&self, step: &str, sql: &str) -> Result<()> {
        let frame = self.query(step, sql).await?;
        self.keep(step, frame).await
    }

    /// Keeps the rows of a frame under `step`.
    pub(super) async fn keep(&self, step: &str, frame: DataFrame) -> Result<()> {
        within_memory(frame, |frame| self.keep_once(step, frame)).await
    }

    async fn keep_once(&self, step: &str, frame: DataFrame) -> Result<()> {
        let failed = |e| EngineError::plan(step, e);
        let schema: SchemaRef = Arc::clone(frame.schema().inner());
        let path = self.place(step);
        std::fs::create_dir_all(&path)
            .map_err(|e| EngineError::io(format!("making folder {}", path.display()), e))?;
        let url = format!("{}/", path.display());
        frame.write_parquet(&url, DataFrameWriteOptions::new(), None).await.map_err(failed)?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        self.context.deregister_table(step).map_err(failed)?;
        self.context.register_listing_table(step, &url, options, Some(schema), None).await.map_err(failed)
    }

    /// Rows in their order, from a file of the work folder: what is sorted needs memory while it is sorted and not
    /// while it is read, so several can be read side by side.
    pub(super) async fn in_order(&self, step: &str, rows: Ordered) -> Result<RowsInOrder> {
        within_memory(rows.frame().clone(), |frame| self.in_order_once(step, rows.with_frame(frame))).await
    }

    async fn in_order_once(&self, step: &str, rows: Ordered) -> Result<RowsInOrder> {
        let mut rows = rows.start(step).await?;
        let mut file = ParquetFile::create(self.place(step), Arc::clone(rows.schema()), ROW_GROUP_IN_ORDER)?;
        while let Some(batch) = rows.next().await? {
            file.write(&batch)?;
        }
        RowsInOrder::open(file.close()?)
    }

    /// An expression over rows that are read in order.
    pub(super) fn over(&self, rows: &RowsInOrder, expression: Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let schema = DFSchema::try_from(Arc::clone(rows.schema()));
        schema
            .and_then(|schema| self.context.create_physical_expr(expression, &schema))
            .map_err(|e| EngineError::plan("rows in order", e))
    }

    /// A place in the work folder that nothing had before.
    fn place(&self, step: &str) -> PathBuf {
        self.dir.join(format!("{step}-{}", self.kept.fetch_add(1, Ordering::Relaxed)))
    }

    /// Makes `name` stand for the rows of `step` too.
    pub(super) async fn alias(&self, name: &str, step: &str) -> Result<()> {
        let failed = |e| EngineError::plan(name, e);
        let table = self.context.table_provider(step).await.map_err(failed)?;
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, table).map_err(failed)?;
        Ok(())
    }

    /// Makes `name` stand for a query, which is planned now and run wherever `name` is read.
    pub(super) async fn view(&self, name: &str, sql: &str) -> Result<()> {
        let view = self.query(name, sql).await?.into_view();
        let failed = |e| EngineError::plan(name, e);
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, view).map_err(failed)?;
        Ok(())
    }

    /// Gives the table `name` the columns of `schema` that it lacks, all of them null; says whether it lacked any.
    pub(super) async fn complete_columns(&self, name: &str, schema: &SchemaRef) -> Result<bool> {
        let failed = |e| EngineError::plan(name, e);
        let mut frame = self.context.table(name).await.map_err(failed)?;
        let known = Arc::clone(frame.schema().inner());
        let mut lacks = false;
        for field in schema.fields().iter().filter(|field| known.field_with_name(field.name()).is_err()) {
            let null = lit(ScalarValue::try_new_null(field.data_type()).map_err(failed)?);
            frame = frame.with_column(field.name(), null).map_err(failed)?;
            lacks = true;
        }
        if lacks {
            self.context.deregister_table(name).map_err(failed)?;
            self.context.register_table(name, frame.into_view()).map_err(failed)?;
        }
        Ok(lacks)
    }

    /// Makes `name` stand for the rows of Parquet files of this schema.
    pub(super) async fn parquet_files(
        &self,
        name: &str,
        files: impl Iterator<Item = PathBuf>,
        schema: &SchemaRef,
    ) -> Result<()> {
        let failed = |e| EngineError::plan(name, e);
        let paths: Vec<String> = files.map(|path| path.display().to_string()).collect();
        let options = ParquetReadOptions::default().schema(schema);
        let frame = self.context.read_parquet(paths, options).await.map_err(failed)?;
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, frame.into_view()).map_err(failed)?;
        Ok(())
    }

    /// A small table from memory.
    pub(super) fn memory(&self, name: &str, batch: RecordBatch) -> Result<()> {
        let failed = |e| EngineError::plan(name, e);
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(failed)?;
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, Arc::new(table)).map_err(failed)?;
        Ok(())
    }

    /// All rows of a small query.
    pub(super) async fn rows(&self, step: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        rows_of(&self.context, step, sql).await
    }

    /// The one integer of a query of one row.
    pub(super) async fn count(&self, step: &str, sql: &str) -> Result<u64> {
        let batches = self.rows(step, sql).await?;
        crate::report::single_count(step, &batches)
    }
}

/// Rows of one file of the work folder, from its beginning to its end.
pub(super) struct RowsInOrder {
    path: PathBuf,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
}

impl RowsInOrder {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file =
            File::open(&path).map_err(|e| EngineError::io(format!("opening {}", path.display()), e))?;
        let failed = |e| EngineError::data(format!("reading {}", path.display()), e);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let schema = Arc::clone(builder.schema());
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        Ok(Self { path, schema, reader })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let failed = |e| EngineError::data(format!("reading {}", self.path.display()), e);
        self.reader.next().transpose().map_err(failed)
    }
}

/// Makes tables of a snapshot known to a session.
pub(super) async fn register_tables(
    engine: &Engine,
    context: &SessionContext,
    manifest: &SnapshotManifest,
    tables: &[&'static str],
) -> Result<()> {
    for table in tables {
        let provider = engine.table_of(manifest, table).await?;
        context.register_table(*table, provider).map_err(|e| EngineError::plan(table, e))?;
    }
    Ok(())
}

/// All rows of a small query in a session.
pub(super) async fn rows_of(context: &SessionContext, step: &str, sql: &str) -> Result<Vec<RecordBatch>> {
    let failed = |e| EngineError::plan(step, e);
    context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}

/// What an expression makes of a batch.
pub(super) fn made(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    let made = expression.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
    made.map_err(|e| EngineError::plan("rows in order", e))
}

/// A text literal of SQL: the one way in which a text that is not ours gets into a query. Nothing but a quote ends it,
/// and a quote inside is doubled.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The numbers of a column of counts of small batches.
pub(super) fn counts(step: &str, batches: &[RecordBatch], column: usize) -> Result<Vec<u64>> {
    let numbers = batches.iter().map(|batch| crate::report::whole_numbers(step, batch.column(column)));
    Ok(numbers.collect::<Result<Vec<_>>>()?.concat())
}

/// The texts of a column of small batches.
pub(super) fn texts(batches: &[RecordBatch], column: usize) -> impl Iterator<Item = String> + '_ {
    use datafusion::arrow::array::AsArray;
    batches.iter().flat_map(move |batch| {
        let array = datafusion::arrow::compute::cast(
            batch.column(column),
            &datafusion::arrow::datatypes::DataType::Utf8,
        )
        .expect("every simple type has a text form");
        let array = array.as_string::<i32>().clone();
        (0..array.len())
            .map(move |row| if array.is_null(row) { String::new() } else { array.value(row).to_owned() })
            .collect::<Vec<_>>()
    })
}
