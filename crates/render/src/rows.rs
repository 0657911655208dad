//! Rows as text, encoded on several threads and appended in order: what CSV and NDJSON have in common.
//!
//! The thread that calls hashes and writes; the others encode.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::file::{Digested, RenderError, Written};
use crate::workers::{InOrder, Spares, Workers};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// Rows that are encoded at once: what they become stays in a processor's cache until it is hashed and written.
const JOB_ROWS: usize = 1_024;

/// The rows of one file.
#[derive(Debug)]
pub(crate) struct RowTexts<W: Write> {
    sink: Digested<W>,
    buffer: Vec<u8>,
    workers: Workers,
    encoded: InOrder<Vec<u8>>,
    spares: Spares<Vec<u8>>,
    rows: u64,
}

impl<W: Write> RowTexts<W> {
    /// Begins with a text before the first row.
    pub(crate) fn new(sink: W, header: &[u8]) -> Self {
        Self {
            sink: Digested::new(sink),
            buffer: header.to_vec(),
            workers: Workers::new(1),
            encoded: InOrder::new(),
            spares: Spares::new(),
            rows: 0,
        }
    }

    pub(crate) fn on_threads(self, threads: usize) -> Self {
        Self { workers: Workers::new(threads), ..self }
    }

    /// Encodes rows with `push_rows`, which appends the texts of a range of rows.
    pub(crate) fn write(
        &mut self,
        arrays: Vec<ArrayRef>,
        rows: usize,
        push_rows: impl Fn(&[ArrayRef], Range<usize>, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Result<(), RenderError> {
        let (arrays, push_rows) = (Arc::new(arrays), Arc::new(push_rows));
        for start in (0..rows).step_by(JOB_ROWS) {
            let range = start..rows.min(start + JOB_ROWS);
            let (arrays, push_rows, spares) = (arrays.clone(), push_rows.clone(), self.spares.clone());
            self.encoded.give(&mut self.workers, move || {
                let mut out = spares.take().unwrap_or_default();
                push_rows(&arrays, range, &mut out);
                out
            });
            self.append(self.workers.in_flight_max())?;
        }
        self.rows += rows as u64;
        Ok(())
    }

    /// Writes what is left and flushes the sink.
    pub(crate) fn finish(mut self) -> Result<Written, RenderError> {
        self.append(0)?;
        self.sink.write_all(&self.buffer)?;
        self.sink.flush()?;
        Ok(self.sink.written(self.rows))
    }

    fn append(&mut self, waiting_max: usize) -> Result<(), RenderError> {
        while let Some(mut text) = self.encoded.take(waiting_max) {
            self.buffer.append(&mut text);
            self.spares.give_back(text);
            if self.buffer.len() >= BUFFER_BYTES {
                self.sink.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        Ok(())
    }
}
