//! Runs the steps of one refresh in one session. The rows of a step are kept as Parquet in a work folder, or computed
//! wherever they are read. Their relation has the step's name.
//!
//! In a query, `refresh_time()` is the time of the refresh and `no_time()` is null.

use super::SourceInput;
use super::incremental::Recompute;
use super::steps::{Step, StepKind, Words};
use crate::error::{EngineError, Result};
use crate::functions::{AccountColumnsFunction, MomentFunction};
use crate::order::Ordered;
use crate::query::{self, Value, Values};
use crate::session::{Engine, within_memory};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::dataframe::{DataFrame, DataFrameWriteOptions};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::ListingOptions;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{Expr, ParquetReadOptions, SessionContext, lit};
use muster_reports::SnapshotManifest;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Logs how long a part of the refresh took.
pub(super) fn took(part: &str, began: Instant) {
    tracing::debug!(part, milliseconds = began.elapsed().as_millis(), "a part of the refresh is complete");
}

/// The work folder and its session. Dropping it removes the folder.
pub(super) struct Work {
    pub(super) context: SessionContext,
    dir: PathBuf,
    threads: usize,
    memory_limit: usize,
    /// Number of steps so far. A step may run again, and its new files must not have the names of the old ones.
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
        let (_, memory_limit) = engine.plan_memory();
        let work = Self { context, dir, threads: engine.threads(), memory_limit, kept: AtomicU64::new(0) };
        work.set_time(now);
        Ok(work)
    }

    /// Sets the time that `refresh_time()` returns in plans from now on.
    pub(super) fn set_time(&self, time: DateTime<Utc>) {
        let function = MomentFunction::new("refresh_time", Some(time.timestamp_micros()));
        self.context.register_udf(ScalarUDF::from(function));
    }

    /// Registers `account_columns`, which reads attributes as these sources define it.
    pub(super) fn set_columns(&self, sources: &[SourceInput]) {
        let columns =
            sources.iter().map(|input| (input.definition.id.clone(), input.definition.account_columns()));
        self.context.register_udf(ScalarUDF::from(AccountColumnsFunction::new(columns)));
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many threads work may use, at least one.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes that all plans together may hold.
    pub(super) fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    /// Runs those of the steps that are needed, in their order.
    pub(super) async fn run(&self, recompute: &Recompute, steps: &[&Step]) -> Result<()> {
        for step in steps.iter().filter(|step| recompute.needs(step.needed)) {
            self.run_with(step, &recompute.values()).await?;
        }
        Ok(())
    }

    /// Runs a step with these values.
    pub(super) async fn run_with(&self, step: &Step, values: Values<'_>) -> Result<()> {
        self.run_of(step, &Words::new(), values).await
    }

    /// Runs a step for one type of document, table or version.
    pub(super) async fn run_of(&self, step: &Step, words: &Words, values: Values<'_>) -> Result<()> {
        let frame = self.frame_of(step, words, values).await?;
        self.leave(step, &step.relation(words), frame).await
    }

    /// Runs a step once for each set of values, and leaves the rows of all runs together.
    pub(super) async fn run_each(&self, step: &Step, sets: &[Vec<(&str, Value)>]) -> Result<()> {
        let failed = |e| EngineError::plan(step.name, e);
        let mut all: Option<DataFrame> = None;
        for values in sets {
            let frame = self.frame(step, values).await?;
            all = Some(match all {
                Some(before) => before.union(frame).map_err(failed)?,
                None => frame,
            });
        }
        let all = match all {
            Some(all) => all,
            None => self.frame(step, &step.any_values()).await?.filter(lit(false)).map_err(failed)?,
        };
        self.leave(step, step.name, all).await
    }

    /// The rows of a step for the program, as a plan that is not yet run.
    pub(super) async fn frame(&self, step: &Step, values: Values<'_>) -> Result<DataFrame> {
        self.frame_of(step, &Words::new(), values).await
    }

    async fn frame_of(&self, step: &Step, words: &Words, values: Values<'_>) -> Result<DataFrame> {
        let name = step.relation(words);
        let planned = query::plan(&self.context, &step.sql(words), values).await;
        planned.map_err(|e| EngineError::plan(&name, e))
    }

    /// All rows of a step for the program. There are few.
    pub(super) async fn rows(&self, step: &Step, values: Values<'_>) -> Result<Vec<RecordBatch>> {
        self.rows_of(step, &Words::new(), values).await
    }

    /// All rows of a step for one type of document, table or version.
    pub(super) async fn rows_of(
        &self,
        step: &Step,
        words: &Words,
        values: Values<'_>,
    ) -> Result<Vec<RecordBatch>> {
        let began = Instant::now();
        let frame = self.frame_of(step, words, values).await?;
        let rows = frame.collect().await.map_err(|e| EngineError::plan(step.name, e))?;
        took(&step.relation(words), began);
        Ok(rows)
    }

    async fn leave(&self, step: &Step, relation: &str, frame: DataFrame) -> Result<()> {
        match step.kind {
            StepKind::Kept => self.keep(relation, frame).await,
            StepKind::View | StepKind::Read => self.view(relation, frame),
        }
    }

    /// The rows of a relation.
    pub(super) async fn relation(&self, name: &str) -> Result<DataFrame> {
        self.context.table(name).await.map_err(|e| EngineError::plan(name, e))
    }

    /// How many rows a relation has.
    pub(super) async fn count(&self, relation: &str) -> Result<u64> {
        let counted = self.relation(relation).await?.count().await;
        Ok(counted.map_err(|e| EngineError::plan(relation, e))? as u64)
    }

    /// Keeps the rows of a frame under `step`.
    pub(super) async fn keep(&self, step: &str, frame: DataFrame) -> Result<()> {
        let began = Instant::now();
        within_memory(frame, |frame| self.keep_once(step, frame)).await?;
        took(step, began);
        Ok(())
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

    /// Sorted rows, in a file of the work folder. Sorting needs memory; reading the file later does not, so several
    /// files can be read at the same time.
    pub(super) async fn in_order(&self, step: &str, rows: Ordered) -> Result<RowsInOrder> {
        let began = Instant::now();
        let sorted =
            within_memory(rows.frame().clone(), |frame| self.in_order_once(step, rows.with_frame(frame)));
        let sorted = sorted.await?;
        took(step, began);
        Ok(sorted)
    }

    async fn in_order_once(&self, step: &str, rows: Ordered) -> Result<RowsInOrder> {
        let mut rows = rows.start(step).await?;
        let mut file = RowsFile::create(self.place(step), rows.schema())?;
        while let Some(batch) = rows.next().await? {
            file.write(&batch)?;
        }
        file.close()
    }

    /// An expression over sorted rows.
    pub(super) fn over(&self, rows: &RowsInOrder, expression: Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let schema = DFSchema::try_from(Arc::clone(rows.schema()));
        schema
            .and_then(|schema| self.context.create_physical_expr(expression, &schema))
            .map_err(|e| EngineError::plan("rows in order", e))
    }

    /// A new path in the work folder.
    fn place(&self, step: &str) -> PathBuf {
        self.dir.join(format!("{step}-{}", self.kept.fetch_add(1, Ordering::Relaxed)))
    }

    /// Registers a plan as `name`. The plan runs wherever `name` is read.
    pub(super) fn view(&self, name: &str, frame: DataFrame) -> Result<()> {
        let failed = |e| EngineError::plan(name, e);
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, frame.into_view()).map_err(failed)?;
        Ok(())
    }

    /// Adds to the table `name` the columns of `schema` that it lacks, as nulls. Returns whether it lacked any.
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
            self.view(name, frame)?;
        }
        Ok(lacks)
    }

    /// Registers Parquet files of this schema as `name`. There may be no files.
    pub(super) async fn parquet_files(
        &self,
        name: &str,
        files: impl Iterator<Item = PathBuf>,
        schema: &SchemaRef,
    ) -> Result<()> {
        let paths: Vec<String> = files.map(|path| path.display().to_string()).collect();
        if paths.is_empty() {
            return self.memory(name, RecordBatch::new_empty(Arc::clone(schema)));
        }
        let options = ParquetReadOptions::default().schema(schema);
        let read = self.context.read_parquet(paths, options).await;
        self.view(name, read.map_err(|e| EngineError::plan(name, e))?)
    }

    /// Registers a small table from memory.
    pub(super) fn memory(&self, name: &str, batch: RecordBatch) -> Result<()> {
        let failed = |e| EngineError::plan(name, e);
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(failed)?;
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, Arc::new(table)).map_err(failed)?;
        Ok(())
    }
}

/// A file of the work folder that is read once, from its beginning to its end. Batches lie in it as they do in memory,
/// which takes less time to write and to read than Parquet.
pub(super) struct RowsFile {
    path: PathBuf,
    writer: StreamWriter<BufWriter<File>>,
}

impl RowsFile {
    /// Creates a file for rows of this schema.
    pub(super) fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self> {
        let file =
            File::create(&path).map_err(|e| EngineError::io(format!("creating {}", path.display()), e))?;
        let writer = StreamWriter::try_new_buffered(file, schema);
        let writer = writer.map_err(|e| EngineError::data(format!("creating {}", path.display()), e))?;
        Ok(Self { path, writer })
    }

    /// Writes the rows of a batch.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch);
        written.map_err(|e| EngineError::data(format!("writing {}", self.path.display()), e))
    }

    /// Completes the file and opens it for reading.
    pub(super) fn close(self) -> Result<RowsInOrder> {
        let Self { path, mut writer } = self;
        writer.finish().map_err(|e| EngineError::data(format!("writing {}", path.display()), e))?;
        drop(writer);
        RowsInOrder::open(path)
    }
}

/// The rows of a [`RowsFile`].
pub(super) struct RowsInOrder {
    path: PathBuf,
    schema: SchemaRef,
    reader: StreamReader<BufReader<File>>,
}

impl RowsInOrder {
    fn open(path: PathBuf) -> Result<Self> {
        let file =
            File::open(&path).map_err(|e| EngineError::io(format!("opening {}", path.display()), e))?;
        let reader = StreamReader::try_new_buffered(file, None);
        let reader = reader.map_err(|e| EngineError::data(format!("reading {}", path.display()), e))?;
        Ok(Self { path, schema: reader.schema(), reader })
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

/// Registers tables of a snapshot in a session.
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
pub(super) async fn rows_of(
    context: &SessionContext,
    step: &str,
    sql: &str,
    values: Values<'_>,
) -> Result<Vec<RecordBatch>> {
    let failed = |e| EngineError::plan(step, e);
    query::plan(context, sql, values).await.map_err(failed)?.collect().await.map_err(failed)
}

/// Evaluates an expression over a batch.
pub(super) fn made(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    let made = expression.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
    made.map_err(|e| EngineError::plan("rows in order", e))
}

/// The numbers in a column of small batches of counts.
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
