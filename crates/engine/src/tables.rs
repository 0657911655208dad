//! The identity tables: Delta tables in one folder, opened at a version. A new version replaces the whole content, or
//! only some partitions (`partitions`).
//!
//! This module removes neither files nor logs. An old version stays readable until `retention` finds that no kept
//! snapshot names it.

use crate::declared::Table;
use crate::error::{EngineError, Result};
use crate::parquet_file::{self, ParquetFile};
use crate::stored_table::{StoredFile, StoredTable};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::prelude::SessionContext;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, LogicalFileView, MetadataExt, StructType};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError, ensure_table_uri};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Rows in one row group of a file. The writer holds one row group, and a reader reads one at a time.
pub(crate) const ROW_GROUP_ROWS: usize = 128 * 1024;

/// A file of a version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Its name in the table's folder.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: u64,
    /// Its rows.
    pub(crate) rows: u64,
}

/// Opens `table` at `version` for reading. The log is read now, and never again.
pub(crate) async fn open(dir: &Path, table: &str, version: u64) -> Result<Arc<StoredTable>> {
    let opened = load(dir, table, Some(version)).await?;
    let state = opened.snapshot().map_err(|source| EngineError::table(table, "opened", source))?;
    let failed = |e: &dyn std::fmt::Display| {
        EngineError::data(format!("reading the log of table {table:?}"), e.to_string())
    };
    let folder = std::path::absolute(dir.join(table))
        .map_err(|e| EngineError::io(format!("looking for the folder of table {table:?}"), e))?;
    let mut files = Vec::new();
    for file in state.log_data() {
        let described = data_file(table, &file)?;
        let place = ObjectMeta {
            location: ObjectPath::from_absolute_path(folder.join(&described.name)).map_err(|e| failed(&e))?,
            last_modified: file.modification_datetime().map_err(|e| failed(&e))?,
            size: described.bytes,
            e_tag: None,
            version: None,
        };
        files.push(StoredFile { place, rows: usize::try_from(described.rows).unwrap_or(usize::MAX) });
    }
    let schema = state.snapshot().arrow_schema();
    Ok(Arc::new(StoredTable::new(Table::of(table), schema, files)))
}

/// The files of `table` at a version.
pub(crate) async fn data_files(dir: &Path, table: &str, version: u64) -> Result<Vec<DataFile>> {
    let opened = load(dir, table, Some(version)).await?;
    let state = opened.snapshot().map_err(|source| EngineError::table(table, "opened", source))?;
    state.log_data().into_iter().map(|file| data_file(table, &file)).collect()
}

fn data_file(table: &str, file: &LogicalFileView) -> Result<DataFile> {
    let name = file.object_store_path().to_string();
    match (u64::try_from(file.size()), file.num_records()) {
        (Ok(bytes), Some(rows)) => Ok(DataFile { name, bytes, rows: rows as u64 }),
        (Err(_), _) | (_, None) => Err(EngineError::data(
            format!("reading the log of table {table:?}"),
            format!("file {name} has no size or no number of rows: expected both"),
        )),
    }
}

/// The names of the files of `table` at a version; of its newest version if `version` is `None`.
pub(crate) async fn files(dir: &Path, table: &str, version: Option<u64>) -> Result<BTreeSet<String>> {
    let opened = load(dir, table, version).await?;
    let state = opened.snapshot().map_err(|source| EngineError::table(table, "opened", source))?;
    Ok(state.log_data().into_iter().map(|file| file.object_store_path().to_string()).collect())
}

async fn load(dir: &Path, table: &str, version: Option<u64>) -> Result<DeltaTable> {
    let failed = |source| EngineError::table(table, "opened", source);
    let url = ensure_table_uri(dir.join(table).to_string_lossy()).map_err(failed)?;
    let mut builder = DeltaTableBuilder::from_url(url).map_err(failed)?;
    if let Some(version) = version {
        builder = builder.with_version(version);
    }
    builder.load().await.map_err(failed)
}

/// Registers `table` at `version` in `context` under the name `alias`.
pub(crate) async fn register(
    context: &SessionContext,
    dir: &Path,
    table: &str,
    version: u64,
    alias: &str,
) -> Result<()> {
    let provider = open(dir, table, version).await?;
    context.register_table(alias, provider).map_err(|e| EngineError::plan(alias, e))?;
    Ok(())
}

/// Writes rows into a new file of `table`. No version names the file yet. Returns `None`, and makes no file, if there
/// are no rows.
pub(crate) async fn add_file(
    dir: &Path,
    table: &str,
    name: &str,
    rows: DataFrame,
) -> Result<Option<DataFile>> {
    let mut batches = rows.execute_stream().await.map_err(|e| EngineError::plan(table, e))?;
    let mut file = None;
    let mut written = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|e| EngineError::plan(table, e))?;
        if batch.num_rows() == 0 {
            continue;
        }
        written += batch.num_rows() as u64;
        let file = match &mut file {
            Some(file) => file,
            None => {
                let properties = parquet_file::of_tables(ROW_GROUP_ROWS).build();
                let path = dir.join(table).join(name);
                file.insert(ParquetFile::create_with(path, batch.schema(), properties)?)
            }
        };
        file.write(&batch)?;
    }
    let Some(file) = file else { return Ok(None) };
    let path = file.close()?;
    let metadata =
        path.metadata().map_err(|e| EngineError::io(format!("looking at {}", path.display()), e))?;
    Ok(Some(DataFile { name: name.to_owned(), bytes: metadata.len(), rows: written }))
}

/// Commits a version of `table` that consists of these files, which are in its folder. Returns the version. The
/// previous version stays readable.
///
/// The newest version may differ from the one that the files were chosen from: a refresh may have written a version
/// that was never published.
pub(crate) async fn commit(dir: &Path, table: &str, files: &[DataFile]) -> Result<u64> {
    let failed = |source| EngineError::table(table, "written", source);
    let newest = load(dir, table, None).await?;
    let state = newest.snapshot().map_err(failed)?;
    let mut wanted: BTreeMap<&str, &DataFile> = files.iter().map(|file| (file.name.as_str(), file)).collect();
    let mut actions = Vec::new();
    for file in state.log_data() {
        if wanted.remove(file.object_store_path().as_ref()).is_none() {
            actions.push(Action::Remove(file.remove_action(true)));
        }
    }
    for (name, file) in wanted {
        let metadata = std::fs::metadata(dir.join(table).join(name))
            .and_then(|metadata| metadata.modified())
            .map_err(|e| EngineError::io(format!("looking at file {name} of table {table:?}"), e))?;
        let modified = metadata.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        actions.push(Action::Add(Add {
            path: name.to_owned(),
            size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
            modification_time: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
            data_change: true,
            stats: Some(format!("{{\"numRecords\":{}}}", file.rows)),
            ..Add::default()
        }));
    }
    commit_actions(&newest, table, actions).await
}

async fn commit_actions(newest: &DeltaTable, table: &str, actions: Vec<Action>) -> Result<u64> {
    let failed = |source| EngineError::table(table, "written", source);
    let state = newest.snapshot().map_err(failed)?;
    let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    let committed = CommitBuilder::from(commit_properties())
        .with_actions(actions)
        .build(Some(state), newest.log_store(), operation)
        .await
        .map_err(failed)?;
    Ok(committed.version())
}

/// Makes a version durable: the files that it added, its log entry, and their folders. It also restricts the files to
/// their owner, whatever the process's umask is.
pub(crate) fn sync(dir: &Path, table: &str, version: u64, added: &[DataFile]) -> Result<()> {
    let folder = dir.join(table);
    let log = folder.join("_delta_log");
    let entry = log.join(format!("{version:020}.json"));
    let files = added.iter().map(|file| folder.join(&file.name));
    for path in files.chain([entry, log, folder.clone(), dir.to_owned()]) {
        let synced = std::fs::File::open(&path).and_then(|file| {
            let mode = if file.metadata()?.is_dir() { 0o700 } else { 0o600 };
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            file.sync_all()
        });
        synced.map_err(|e| EngineError::io(format!("syncing {}", path.display()), e))?;
    }
    Ok(())
}

/// By default, Delta deletes the logs of versions older than a month. Then a pinned snapshot could not be opened.
fn commit_properties() -> CommitProperties {
    CommitProperties::default().with_cleanup_expired_logs(Some(false))
}

/// Creates `table` without rows, with these columns. A table that exists with them stays as it is; one that exists with
/// other columns gets an empty version with these.
pub(crate) async fn create(dir: &Path, table: &str, schema: &SchemaRef) -> Result<()> {
    let failed = |source| EngineError::table(table, "written", source);
    let path = dir.join(table);
    let columns: StructType =
        schema.as_ref().try_into_kernel().map_err(|e| failed(DeltaTableError::from(e)))?;
    if !path.join("_delta_log").exists() {
        std::fs::create_dir_all(&path)
            .map_err(|e| EngineError::io(format!("making folder {}", path.display()), e))?;
        // Loading a missing table makes the Delta crates log an error. So the table is only built here.
        let url = ensure_table_uri(path.to_string_lossy()).map_err(failed)?;
        let missing = DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).map_err(failed)?;
        let created = missing
            .create()
            .with_table_name(table)
            .with_columns(columns.fields().cloned())
            .with_commit_properties(commit_properties())
            .await
            .map_err(failed)?;
        return sync(dir, table, created.version().unwrap_or_default(), &[]);
    }
    let newest = load(dir, table, None).await?;
    let state = newest.snapshot().map_err(|source| EngineError::table(table, "opened", source))?;
    let named = |schema: &SchemaRef| -> Vec<_> {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    if named(&state.snapshot().arrow_schema()) == named(schema) {
        return Ok(());
    }
    let metadata = state.metadata().clone().with_schema(&columns);
    let metadata = metadata.map_err(|e| failed(DeltaTableError::from(e)))?;
    let removed = state.log_data().into_iter().map(|file| Action::Remove(file.remove_action(true)));
    let actions = removed.chain([Action::Metadata(metadata)]).collect();
    let version = commit_actions(&newest, table, actions).await?;
    sync(dir, table, version, &[])
}
