//! Large tables are divided into partitions. Each file holds the rows of one partition. The partition of a row depends
//! only on the row's id, so a refresh that changes few rows writes few files and keeps the others.
//!
//! Accounts are divided by source first: the rows of one source are a *group*. The number of partitions of a group
//! changes only when the whole group is written. The name of a file contains group, partition, number of partitions and
//! the attempt at a snapshot that wrote it. Other programs do not need these names: the table's log lists the files.
//!
//! If the declaration of the table gives an order, each file is sorted by it and says so in its footer
//! (`sorting_columns`). A report in this order then merges the files and sorts nothing (`in_order`). The rows of a
//! partition are gathered until the last one has come, in memory as far as there is room, and sorted when the file is
//! written.
//!
//! Invariants: the rows of a group and partition are in files of that name and nowhere else; memory is bounded,
//! whatever the number of partitions.

mod sequence;

pub(crate) use sequence::FilesInSequence;

use crate::declared::{Table, Writing};
use crate::error::{EngineError, Result};
use crate::file_name::{FileName, group_name, partition_of};
use crate::parquet_file;
use crate::tables::{DataFile, ROW_GROUP_ROWS};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{SortOptions, interleave_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::dataframe::DataFrame;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::{SpillFile, SpillWriter};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How a table is divided.
pub(crate) struct Partitioning {
    /// Name of the table.
    pub(crate) table: &'static str,
    /// The column by which the table is divided first. Each value is a group.
    pub(crate) group: Option<&'static str>,
    /// The relation of the refresh that has the ids of the rows that were added, changed or removed.
    pub(crate) touched: &'static str,
    /// The columns by which the rows of a file are sorted. Not empty, its last column is a key; empty if the rows have
    /// no order.
    order: &'static [&'static str],
    /// Target number of rows of a partition.
    rows: u64,
}

/// Most partitions of a group. This many files may be open at a time.
const PARTITIONS_MAX: u32 = 128;
/// A group is divided into more partitions when it has more than this many times the target number of rows.
const GROWTH_MAX: u64 = 4;
/// Rows that are collected before they are distributed, as a multiple of the target size of a partition. Distributing
/// small batches would be slow.
const PARTITIONS_AT_ONCE: u64 = 4;
/// Most bytes that open files may hold in memory together.
const OPEN_BYTES_MAX: usize = 256 << 20;
/// Rows of a row group of a sorted file. A merge holds one row group of each file.
const SORTED_GROUP_ROWS: usize = 8 * 1024;

/// A group and the number of a partition in it.
pub(crate) type PartitionKey = (String, u32);

impl Partitioning {
    /// The partitioning of a table; `None` if the table is not partitioned.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        match table.writing {
            Writing::Partitioned { group, rows, touched, order } => {
                Some(Self { table: table.name, group, touched, order, rows })
            }
            Writing::Whole | Writing::Grows => None,
        }
    }

    /// The number of partitions for a number of rows.
    pub(crate) fn partitions(&self, rows: u64) -> u32 {
        u32::try_from(rows.div_ceil(self.rows)).unwrap_or(u32::MAX).clamp(1, PARTITIONS_MAX)
    }

    /// Files in `dir` of so many partitions of a table without groups, for rows that come in the order of their ids.
    pub(crate) fn in_sequence(
        &self,
        dir: PathBuf,
        snapshot: &str,
        partitions: u32,
        schema: SchemaRef,
    ) -> Result<FilesInSequence> {
        let properties = properties(self, &schema)?;
        Ok(FilesInSequence::new(dir, snapshot, partitions, schema, properties))
    }

    /// Whether a group has too many rows for its number of partitions.
    fn outgrown(&self, rows: u64, partitions: u32) -> bool {
        partitions < PARTITIONS_MAX && rows > GROWTH_MAX * self.rows * u64::from(partitions)
    }
}

/// Which files of a version are kept and which are written again.
pub(crate) struct RewritePlan {
    /// Files that are kept.
    pub(crate) kept: Vec<DataFile>,
    /// Files to write again: their rows without the touched ones are copied.
    pub(crate) rewritten: Vec<DataFile>,
    /// Number of partitions of each group.
    partitions: BTreeMap<String, u32>,
}

impl RewritePlan {
    /// Writes the whole table. `groups` has the number of rows of each group.
    pub(crate) fn whole(
        partitioning: &Partitioning,
        groups: impl IntoIterator<Item = (Option<String>, u64)>,
    ) -> Self {
        let partitions = groups
            .into_iter()
            .map(|(group, rows)| (group_name(group.as_deref()), partitioning.partitions(rows)))
            .collect();
        Self { kept: Vec::new(), rewritten: Vec::new(), partitions }
    }

    /// Writes only the partitions with rows in `touched`, which has their group and id. `None` if the existing files
    /// are not partitioned.
    pub(crate) async fn of_touched(
        partitioning: &Partitioning,
        files: Vec<DataFile>,
        touched: DataFrame,
    ) -> Result<Option<Self>> {
        let mut known: BTreeMap<String, (u32, u64)> = BTreeMap::new();
        for file in &files {
            let Some(name) = FileName::parse(&file.name) else { return Ok(None) };
            let group = known.entry(name.group).or_insert((name.partitions, 0));
            if group.0 != name.partitions {
                return Ok(None);
            }
            group.1 += file.rows;
        }
        let ids = TouchedIds::read(partitioning, touched, &known).await?;
        let mut partitions = BTreeMap::new();
        let mut repartitioned = BTreeSet::new();
        for (group, (count, rows)) in &known {
            let rows = rows + ids.rows.get(group).copied().unwrap_or(0);
            if partitioning.outgrown(rows, *count) {
                repartitioned.insert(group.clone());
            }
            partitions.insert(
                group.clone(),
                if repartitioned.contains(group) { partitioning.partitions(rows) } else { *count },
            );
        }
        for (group, rows) in &ids.rows {
            partitions.entry(group.clone()).or_insert_with(|| partitioning.partitions(*rows));
        }
        let (rewritten, kept) = files.into_iter().partition(|file| {
            FileName::parse(&file.name).is_some_and(|name| {
                repartitioned.contains(&name.group) || ids.partitions.contains(&(name.group, name.partition))
            })
        });
        Ok(Some(Self { kept, rewritten, partitions }))
    }
}

/// The partitions that contain touched rows.
struct TouchedIds {
    /// Number of touched rows in each group.
    rows: BTreeMap<String, u64>,
    /// Partitions to write, of groups that exist already.
    partitions: BTreeSet<PartitionKey>,
}

impl TouchedIds {
    async fn read(
        partitioning: &Partitioning,
        touched: DataFrame,
        known: &BTreeMap<String, (u32, u64)>,
    ) -> Result<Self> {
        let failed = |e| EngineError::plan(partitioning.table, e);
        let mut found = Self { rows: BTreeMap::new(), partitions: BTreeSet::new() };
        let mut batches = touched.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed)?;
            let keys = RowKeys::of(partitioning, &batch)?;
            for row in 0..batch.num_rows() {
                let (group, id) = keys.of_row(row);
                let group = &keys.groups[group];
                if let Some((count, _)) = known.get(group) {
                    found.partitions.insert((group.clone(), partition_of(id, *count)));
                }
                *found.rows.entry(group.clone()).or_default() += 1;
            }
        }
        Ok(found)
    }
}

/// Groups and ids of the rows of a batch.
struct RowKeys<'a> {
    ids: &'a StringArray,
    /// The names of the groups of the batch.
    groups: Vec<String>,
    /// Which of them each row is in; empty if there is only one.
    group_of: Vec<usize>,
}

impl<'a> RowKeys<'a> {
    fn of(partitioning: &Partitioning, batch: &'a RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(|| {
                EngineError::data("dividing a table", format!("{name} is not a column of texts"))
            })
        };
        let ids = column("id")?;
        let Some(group) = partitioning.group else {
            return Ok(Self { ids, groups: vec![group_name(None)], group_of: Vec::new() });
        };
        let values = column(group)?;
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut groups = Vec::new();
        let group_of = (0..values.len()).map(|row| {
            // The name of a group is a hash: to make it for each row would take longer than to write the row.
            *known.entry(values.value(row)).or_insert_with_key(|value| {
                groups.push(group_name(Some(*value)));
                groups.len() - 1
            })
        });
        let group_of = group_of.collect();
        Ok(Self { ids, groups, group_of })
    }

    /// The number of a row's group, and the row's id.
    fn of_row(&self, row: usize) -> (usize, &'a str) {
        (self.group_of.get(row).copied().unwrap_or_default(), self.ids.value(row))
    }
}

/// Writes the rows of a frame into the files of their partitions. Returns the files.
pub(crate) async fn write(
    partitioning: &Partitioning,
    dir: &Path,
    attempt: &str,
    plan: &RewritePlan,
    rows: DataFrame,
) -> Result<Vec<DataFile>> {
    let failed = |e| EngineError::plan(partitioning.table, e);
    let context = rows.task_ctx();
    let mut batches = rows.execute_stream().await.map_err(failed)?;
    let mut writer = PartitionWriter {
        partitioning,
        properties: properties(partitioning, &batches.schema())?,
        schema: batches.schema(),
        dir: dir.join(partitioning.table),
        attempt,
        plan,
        threads: context.session_config().target_partitions(),
        disk: Arc::clone(&context.runtime_env().disk_manager),
        open: BTreeMap::new(),
        unfinished: Vec::new(),
        waiting: Vec::new(),
        waiting_rows: 0,
    };
    let rows_at_once = usize::try_from(PARTITIONS_AT_ONCE * partitioning.rows).unwrap_or(usize::MAX);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        writer.waiting_rows += batch.num_rows();
        writer.waiting.push(batch);
        if writer.waiting_rows >= rows_at_once {
            writer.divide()?;
        }
    }
    drop(batches);
    writer.divide()?;
    writer.close()
}

/// Properties of the files of a table.
fn properties(partitioning: &Partitioning, schema: &SchemaRef) -> Result<WriterProperties> {
    if partitioning.order.is_empty() {
        return Ok(parquet_file::of_tables(ROW_GROUP_ROWS).build());
    }
    let sorted = parquet_file::sorting_columns(schema, partitioning.order)
        .map_err(|e| EngineError::data(format!("ordering table {:?}", partitioning.table), e))?;
    Ok(parquet_file::of_tables(SORTED_GROUP_ROWS).set_sorting_columns(Some(sorted)).build())
}

struct PartitionWriter<'a> {
    partitioning: &'a Partitioning,
    schema: SchemaRef,
    properties: WriterProperties,
    dir: PathBuf,
    attempt: &'a str,
    plan: &'a RewritePlan,
    threads: usize,
    disk: Arc<DiskManager>,
    open: BTreeMap<PartitionKey, Part>,
    /// The files that were made. Dropping the writer removes them: they are incomplete.
    unfinished: Vec<PathBuf>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

impl Drop for PartitionWriter<'_> {
    fn drop(&mut self) {
        for path in &self.unfinished {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(file = %path.display(), %error, "an unfinished file could not be removed");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}

impl PartitionWriter<'_> {
    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
        EngineError::data(format!("writing the files of table {:?}", self.partitioning.table), error)
    }

    /// Distributes the collected rows to their partitions.
    fn divide(&mut self) -> Result<()> {
        let batches = std::mem::take(&mut self.waiting);
        self.waiting_rows = 0;
        let mut of_partitions: BTreeMap<PartitionKey, Places> = BTreeMap::new();
        for (at, batch) in batches.iter().enumerate() {
            let keys = RowKeys::of(self.partitioning, batch)?;
            let partitions =
                keys.groups.iter().map(|group| self.plan.partitions.get(group).copied().unwrap_or(1));
            let partitions: Vec<u32> = partitions.collect();
            let mut of_groups: Vec<BTreeMap<u32, Places>> = vec![BTreeMap::new(); partitions.len()];
            for row in 0..batch.num_rows() {
                let (group, id) = keys.of_row(row);
                let partition = partition_of(id, partitions[group]);
                of_groups[group].entry(partition).or_default().push((at, row));
            }
            for (group, parts) in keys.groups.iter().zip(of_groups) {
                for (part, places) in parts {
                    of_partitions.entry((group.clone(), part)).or_default().extend(places);
                }
            }
        }
        for key in of_partitions.keys() {
            if !self.open.contains_key(key) {
                let opened = self.create(key)?;
                self.open.insert(key.clone(), opened);
            }
        }
        let parts = self.open.iter_mut();
        let parts = parts.filter_map(|(key, part)| Some((part, of_partitions.remove(key)?))).collect();
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let add = |(part, places): (&mut Part, Places)| part.add(interleave_record_batch(&batches, &places)?);
        let added = on_threads(self.threads, parts, &add);
        added.map_err(|e| self.failed(e))?;
        self.release()
    }

    fn create(&mut self, (group, partition): &PartitionKey) -> Result<Part> {
        let partitions = self.plan.partitions.get(group).copied().unwrap_or(1);
        let name = FileName { group: group.clone(), partition: *partition, partitions }.text(self.attempt);
        let path = self.dir.join(&name);
        let file = File::create_new(&path)
            .map_err(|e| EngineError::io(format!("creating {}", path.display()), e))?;
        self.unfinished.push(path);
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(self.properties.clone()));
        let gathered = (!self.partitioning.order.is_empty()).then(Gathered::default);
        Ok(Part { name, rows: 0, writer: writer.map_err(|e| self.failed(e))?, gathered })
    }

    /// Moves rows of open files out of memory, the largest first, until their memory is within the limit.
    fn release(&mut self) -> Result<()> {
        let mut held: usize = self.open.values().map(Part::held).sum();
        while held > OPEN_BYTES_MAX {
            let Some(largest) = self.open.values_mut().max_by_key(|part| part.held()) else { break };
            let before = largest.held();
            let outcome = largest.release(&self.schema, &self.disk);
            let after = largest.held();
            outcome.map_err(|e| self.failed(e))?;
            if after >= before {
                break;
            }
            held -= before - after;
        }
        Ok(())
    }

    fn close(mut self) -> Result<Vec<DataFile>> {
        let parts = std::mem::take(&mut self.open).into_values().collect();
        let close = |part: Part| part.close(&self.schema, self.partitioning.order);
        let written = on_threads(self.threads, parts, &close).map_err(|e| self.failed(e))?;
        self.unfinished.clear();
        Ok(written)
    }
}

/// Places of rows: a batch and a row in it.
type Places = Vec<(usize, usize)>;

/// A file that is being written.
struct Part {
    name: String,
    /// Its rows so far.
    rows: u64,
    writer: ArrowWriter<File>,
    /// The rows that will be sorted; `None` if rows are written as they come.
    gathered: Option<Gathered>,
}

impl Part {
    fn add(&mut self, rows: RecordBatch) -> std::result::Result<(), ParquetError> {
        self.rows += rows.num_rows() as u64;
        match &mut self.gathered {
            None => self.writer.write(&rows)?,
            Some(gathered) => {
                gathered.bytes += rows.get_array_memory_size();
                gathered.batches.push(rows);
            }
        }
        Ok(())
    }

    /// Bytes that it holds in memory.
    fn held(&self) -> usize {
        self.gathered.as_ref().map_or_else(|| self.writer.memory_size(), |gathered| gathered.bytes)
    }

    fn release(&mut self, schema: &SchemaRef, disk: &Arc<DiskManager>) -> datafusion::error::Result<()> {
        match &mut self.gathered {
            None => Ok(self.writer.flush()?),
            Some(gathered) => gathered.release(schema, disk),
        }
    }

    fn close(mut self, schema: &SchemaRef, order: &[&str]) -> datafusion::error::Result<DataFile> {
        if let Some(gathered) = self.gathered.take() {
            self.writer.write(&sorted(schema, &gathered.all()?, order)?)?;
        }
        let file = self.writer.into_inner()?;
        Ok(DataFile { name: self.name, bytes: file.metadata()?.len(), rows: self.rows })
    }
}

/// A spill file, and what writes rows to it.
type Spilled = (Arc<dyn SpillFile>, StreamWriter<Box<dyn SpillWriter>>);

/// The rows of a partition that are not sorted yet.
#[derive(Default)]
struct Gathered {
    batches: Vec<RecordBatch>,
    /// Bytes of the batches.
    bytes: usize,
    /// Rows that had no room in memory, in a file that is removed when it is dropped.
    released: Option<Spilled>,
}

impl Gathered {
    /// Moves the batches to a file.
    fn release(&mut self, schema: &SchemaRef, disk: &Arc<DiskManager>) -> datafusion::error::Result<()> {
        let (_, writer) = match &mut self.released {
            Some(released) => released,
            None => {
                let file = disk.create_tmp_file("sorting the rows of a table")?;
                let writer = StreamWriter::try_new(file.open_writer()?, schema)?;
                self.released.insert((file, writer))
            }
        };
        for batch in self.batches.drain(..) {
            writer.write(&batch)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// All rows, in any order.
    fn all(self) -> datafusion::error::Result<Vec<RecordBatch>> {
        let mut batches = self.batches;
        if let Some((file, mut writer)) = self.released {
            writer.finish()?;
            writer.get_mut().finish()?;
            let path = file.path().ok_or_else(|| {
                ArrowError::IoError(
                    "a file of the work folder has no path".into(),
                    std::io::ErrorKind::Unsupported.into(),
                )
            })?;
            for batch in StreamReader::try_new_buffered(File::open(path)?, None)? {
                batches.push(batch?);
            }
        }
        Ok(batches)
    }
}

/// The rows of batches sorted by these columns, ascending, nulls last. Each row is copied once, to its place.
fn sorted(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    order: &[&str],
) -> std::result::Result<RecordBatch, ArrowError> {
    let columns = order.iter().map(|name| schema.index_of(name));
    let columns = columns.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
    let ascending = SortOptions { descending: false, nulls_first: false };
    let field = |at: &usize| SortField::new_with_options(schema.field(*at).data_type().clone(), ascending);
    let converter = RowConverter::new(columns.iter().map(field).collect())?;
    let keys = batches.iter().map(|batch| {
        let keys: Vec<_> = columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        converter.convert_columns(&keys)
    });
    let keys = keys.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
    let places = batches.iter().enumerate();
    let mut places: Places =
        places.flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row))).collect();
    places.sort_unstable_by_key(|(at, row)| keys[*at].row(*row));
    match places.is_empty() {
        true => Ok(RecordBatch::new_empty(Arc::clone(schema))),
        false => interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places),
    }
}

/// Does the work for each item on so many threads. One thread does all of the work for an item, so the rows of a file
/// keep their order.
fn on_threads<I: Send, T: Send, E: From<ParquetError> + Send>(
    threads: usize,
    items: Vec<I>,
    work: &(impl Fn(I) -> std::result::Result<T, E> + Sync),
) -> std::result::Result<Vec<T>, E> {
    let threads = threads.min(items.len());
    let items = Mutex::new(items.into_iter());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut done = Vec::new();
        while let Some(item) = next() {
            done.push(work(item)?);
        }
        Ok(done)
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            let stopped =
                |_| Err(ParquetError::General("a thread that writes a file panicked".into()).into());
            let more = other.join().unwrap_or_else(stopped);
            done = done.and_then(|mut done| {
                done.extend(more?);
                Ok(done)
            });
        }
        done
    })
}

/// Whether a file has rows of a group, by its name.
pub(crate) fn is_of_group(file: &str, group: &str) -> bool {
    FileName::parse(file).is_some_and(|name| name.group == group_name(Some(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_gets_more_partitions_only_when_it_has_grown_manifold() {
        let partitioning =
            Partitioning { table: "identities", group: None, touched: "", order: &[], rows: 1_000 };
        assert_eq!([0, 1_000, 1_001, 10_000_000].map(|rows| partitioning.partitions(rows)), [1, 1, 2, 128]);
        assert!(
            !partitioning.outgrown(8_000, 2)
                && partitioning.outgrown(8_001, 2)
                && !partitioning.outgrown(1 << 40, 128)
        );
    }
}
