//! A Parquet file while it is written.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::PathBuf;

/// One file; without [`ParquetFile::close`] it is no file that can be read.
pub(crate) struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl ParquetFile {
    /// Begins a file whose pieces have `group_rows` rows: what the writer holds before it is written.
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

    /// Ends the file; where it is.
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
