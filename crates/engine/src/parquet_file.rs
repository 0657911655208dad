//! Writes a Parquet file.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ParquetMetaData, SortingColumn};
use datafusion::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use datafusion::parquet::schema::types::SchemaDescriptor;
use std::fs::File;
use std::path::PathBuf;

/// One open file. It can be read only after [`ParquetFile::close`].
pub(crate) struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl ParquetFile {
    /// Creates a file with row groups of `group_rows` rows. The writer holds one row group in memory.
    pub(crate) fn create(path: PathBuf, schema: SchemaRef, group_rows: usize) -> Result<Self> {
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
        Self::create_with(path, schema, properties)
    }

    /// Creates a file with these properties.
    pub(crate) fn create_with(
        path: PathBuf,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self> {
        let file =
            File::create(&path).map_err(|e| EngineError::io(format!("creating {}", path.display()), e))?;
        match ArrowWriter::try_new(file, schema, Some(properties)) {
            Ok(writer) => Ok(Self { path, writer }),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Writes the rows of a batch.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.writer.write(batch).map_err(|e| failed(&self.path, e))
    }

    /// Completes the file and returns its path.
    pub(crate) fn close(self) -> Result<PathBuf> {
        match self.writer.close() {
            Ok(_) => Ok(self.path),
            Err(error) => Err(failed(&self.path, error)),
        }
    }
}

/// Properties of the files of tables, with row groups of `group_rows` rows.
pub(crate) fn of_tables(group_rows: usize) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(group_rows))
}

/// How a file says that its rows are sorted by these columns, ascending, nulls last.
pub(crate) fn sorting_columns(
    schema: &SchemaRef,
    order: &[&str],
) -> std::result::Result<Vec<SortingColumn>, ParquetError> {
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    let sorted = |name: &&str| {
        let at = (0..columns.num_columns()).find(|at| is_column(&columns, *at, name));
        let at = at.and_then(|at| i32::try_from(at).ok()).ok_or_else(|| {
            ParquetError::General(format!("{name} is not a column with one value for each row"))
        })?;
        Ok(SortingColumn { column_idx: at, descending: false, nulls_first: false })
    };
    order.iter().map(sorted).collect()
}

/// Whether a file says that its rows are sorted by these columns, ascending, nulls last.
pub(crate) fn is_sorted(file: &ParquetMetaData, order: &[&str]) -> bool {
    let columns = file.file_metadata().schema_descr();
    file.row_groups().iter().all(|group| {
        let sorted = group.sorting_columns().map_or(&[][..], |sorted| sorted);
        let is_key = |(key, name): (&SortingColumn, &&str)| {
            let at = usize::try_from(key.column_idx).ok();
            let known = at.filter(|at| *at < columns.num_columns());
            !key.descending && !key.nulls_first && known.is_some_and(|at| is_column(columns, at, name))
        };
        sorted.len() >= order.len() && sorted.iter().zip(order).all(is_key)
    })
}

/// Whether the values of the column at this position are those of the table's column `name`.
fn is_column(columns: &SchemaDescriptor, at: usize, name: &str) -> bool {
    let parts = columns.column(at);
    let parts = parts.path().parts();
    parts.len() == 1 && parts.first().is_some_and(|part| part == name)
}

fn failed(path: &std::path::Path, error: ParquetError) -> EngineError {
    EngineError::data(format!("writing {}", path.display()), error)
}
