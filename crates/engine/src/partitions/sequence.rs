//! Writes rows that come in the order of their ids: the files of their partitions, one after another. Nothing is divided
//! or sorted, and only one file is open.

use crate::error::{EngineError, Result};
use crate::file_name::{FileName, group_name, partition_of};
use crate::tables::DataFile;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::PathBuf;

/// The files, in one folder. They are of a table without groups that is sorted by id or has no order.
pub(crate) struct FilesInSequence {
    dir: PathBuf,
    snapshot: String,
    partitions: u32,
    schema: SchemaRef,
    properties: WriterProperties,
    open: Option<OpenFile>,
    written: Vec<DataFile>,
}

struct OpenFile {
    partition: u32,
    name: String,
    rows: u64,
    writer: ArrowWriter<File>,
}

impl FilesInSequence {
    /// Files in `dir` of a table with so many partitions.
    pub(super) fn new(
        dir: PathBuf,
        snapshot: &str,
        partitions: u32,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Self {
        let snapshot = snapshot.to_owned();
        Self { dir, snapshot, partitions, schema, properties, open: None, written: Vec::new() }
    }

    /// Writes rows. None of their ids is before one that was written.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let ids = rows.column_by_name("id").and_then(|ids| ids.as_string_opt::<i32>());
        let ids = ids.ok_or_else(|| self.failed("id is not a column of texts"))?;
        let partition = |row: usize| partition_of(ids.value(row), self.partitions);
        let parts: Vec<u32> = (0..rows.num_rows()).map(partition).collect();
        let mut from = 0;
        for part in parts.chunk_by(|one, next| one == next) {
            self.write_to(part[0], &rows.slice(from, part.len()))?;
            from += part.len();
        }
        Ok(())
    }

    fn write_to(&mut self, partition: u32, rows: &RecordBatch) -> Result<()> {
        let last = self.open.as_ref().map(|open| open.partition);
        if last != Some(partition) {
            if last.is_some_and(|last| last > partition) {
                return Err(self.failed("a row is of an earlier partition than the row before it"));
            }
            self.end()?;
            self.open = Some(self.begin(partition)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.rows += rows.num_rows() as u64;
        let written = open.writer.write(rows);
        written.map_err(|e| self.failed(e))
    }

    fn begin(&self, partition: u32) -> Result<OpenFile> {
        let name = FileName { group: group_name(None), partition, partitions: self.partitions };
        let name = name.text(&self.snapshot);
        let path = self.dir.join(&name);
        let file = File::create_new(&path)
            .map_err(|e| EngineError::io(format!("creating {}", path.display()), e))?;
        let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(self.properties.clone()));
        Ok(OpenFile { partition, name, rows: 0, writer: writer.map_err(|e| self.failed(e))? })
    }

    fn end(&mut self) -> Result<()> {
        let Some(OpenFile { name, rows, writer, .. }) = self.open.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(|e| self.failed(e))?;
        let metadata = file.metadata().map_err(|e| EngineError::io(format!("looking at file {name}"), e))?;
        self.written.push(DataFile { name, bytes: metadata.len(), rows });
        Ok(())
    }

    /// Completes the files and returns them.
    pub(crate) fn close(mut self) -> Result<Vec<DataFile>> {
        self.end()?;
        Ok(self.written)
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
        EngineError::data(format!("writing files into {}", self.dir.display()), error)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::{ArrayRef, StringArray};
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::sync::Arc;

    fn rows(ids: &[&str]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(ids));
        RecordBatch::try_from_iter([("id", ids)]).unwrap()
    }

    fn files(dir: &std::path::Path, batches: &[RecordBatch]) -> Result<Vec<DataFile>> {
        let (schema, properties) = (rows(&["a"]).schema(), WriterProperties::default());
        let mut files = FilesInSequence::new(dir.to_owned(), "5a5a", 4, schema, properties);
        batches.iter().try_for_each(|batch| files.write(batch))?;
        files.close()
    }

    #[test]
    fn each_file_has_the_rows_of_its_partition() {
        let dir = tempfile::tempdir().unwrap();
        // A partition in two batches, several in one, and one without rows.
        let batches = [rows(&["00", "01"]), rows(&["02", "3f", "c0"]), rows(&[]), rows(&["c1", "ff"])];
        let written = files(dir.path(), &batches).unwrap();
        let read = |file: &DataFile| {
            let path = dir.path().join(&file.name);
            assert_eq!(path.metadata().unwrap().len(), file.bytes);
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
            let ids: Vec<String> = reader
                .flat_map(|batch| {
                    let batch = batch.unwrap();
                    let ids = batch.column(0).as_string::<i32>();
                    ids.iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(ids.len() as u64, file.rows);
            (file.name.clone(), ids.join(" "))
        };
        let read: Vec<_> = written.iter().map(read).collect();
        let name = |part: u32| format!("all-00{part}-of004-5a5a.parquet");
        assert_eq!(read, [(name(0), "00 01 02 3f".to_owned()), (name(3), "c0 c1 ff".to_owned())]);
        let empty = tempfile::tempdir().unwrap();
        assert!(files(empty.path(), &[rows(&[])]).unwrap().is_empty());
    }

    #[test]
    fn a_row_that_comes_too_late_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = files(dir.path(), &[rows(&["c0"]), rows(&["00"])]).unwrap_err();
        assert!(muster_reports::error::error_chain(&refused).contains("earlier partition"), "{refused}");
    }
}
