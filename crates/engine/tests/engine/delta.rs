//! Reads and writes versions of Delta tables without the engine's own readers and writers.

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add, MetadataExt, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn open(table: &Path, version: u64) -> Result<DeltaTable, Failed> {
    let url = deltalake::ensure_table_uri(table.to_string_lossy())?;
    Ok(deltalake::open_table_with_version(url, version).await?)
}

/// The rows of the files that the log names at `version`, with the columns of the log.
pub async fn rows(context: &SessionContext, table: &Path, version: u64) -> Result<DataFrame, Failed> {
    let opened = open(table, version).await?;
    let state = opened.snapshot()?;
    let schema = state.snapshot().arrow_schema();
    let files: Vec<_> = state
        .log_data()
        .into_iter()
        .map(|file| table.join(file.object_store_path().as_ref()).to_string_lossy().into_owned())
        .collect();
    if files.is_empty() {
        return Ok(context.read_batch(RecordBatch::new_empty(schema))?);
    }
    Ok(context.read_parquet(files, ParquetReadOptions::default().schema(&schema)).await?)
}

/// Commits a version after `version` that has these rows and their columns, in one file. Returns the version.
pub async fn overwrite(table: &Path, version: u64, rows: &[RecordBatch]) -> Result<u64, Failed> {
    let schema = rows.first().ok_or("there are no rows")?.schema();
    let name = format!("rewritten-{version}.parquet");
    let mut file = ArrowWriter::try_new(File::create(table.join(&name))?, Arc::clone(&schema), None)?;
    for batch in rows {
        file.write(batch)?;
    }
    file.close()?;
    let opened = open(table, version).await?;
    let state = opened.snapshot()?;
    let columns: StructType = schema.as_ref().try_into_kernel()?;
    let mut actions = vec![Action::Metadata(state.metadata().clone().with_schema(&columns)?)];
    for file in state.log_data() {
        actions.push(Action::Remove(file.remove_action(true)));
    }
    let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
    actions.push(Action::Add(Add {
        size: i64::try_from(table.join(&name).metadata()?.len())?,
        path: name,
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{count}}}")),
        ..Add::default()
    }));
    let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    let committed = CommitBuilder::default()
        .with_actions(actions)
        .build(Some(state), opened.log_store(), operation)
        .await?;
    Ok(committed.version())
}
