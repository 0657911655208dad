//! Writes a Parquet file.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
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
        let file =
            File::create(&path).map_err(|e| EngineError::io(format!("creating {}", path.display()), e))?;
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
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

fn failed(path: &std::path::Path, error: ParquetError) -> EngineError {
    EngineError::data(format!("writing {}", path.display()), error)
}
