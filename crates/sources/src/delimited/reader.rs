//! Reads a delimited file.

use std::path::Path;

use crate::delimited::DelimitedSettings;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};

/// A read in progress.
pub struct DelimitedReader {}

impl DelimitedReader {
    /// Opens the file and reads its header.
    ///
    /// # Errors
    /// [`ReadError`], naming path, line and column and what was expected.
    pub fn open(settings: &DelimitedSettings, base_dir: &Path) -> Result<Self, ReadError> {
        let path = base_dir.join(&settings.path).display().to_string();
        Err(ReadError::Settings { path, reason: "delimited files cannot be read yet".to_owned() })
    }
}

impl RecordReader for DelimitedReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        Ok(None)
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        Err(ReadError::Settings {
            path: String::new(),
            reason: "delimited files cannot be read yet".to_owned(),
        })
    }
}
