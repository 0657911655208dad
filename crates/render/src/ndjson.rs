//! Record batches to NDJSON: one JSON object a line, members in column order under their technical names, LF after
//! each, no white space.
//!
//! A null is `null`, so that every line has every column; a list is an array, a struct or map an object, a time RFC
//! 3339 in UTC with milliseconds, a date `YYYY-MM-DD`; a number that JSON cannot express (NaN, infinity) is null. Text
//! is as it is: no formula guard, because nothing runs JSON.

use std::io::Write;

use arrow::record_batch::RecordBatch;

use crate::file::{ColumnFormat, Digested, FileWriter, RenderError, Written, check_columns, unpack};
use crate::json::{is_writable, push_json};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes one NDJSON file to a sink.
#[derive(Debug)]
pub struct NdjsonWriter<W: Write> {
    sink: Digested<W>,
    columns: Vec<ColumnFormat>,
    /// The text before the value of each column.
    leads: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    rows: u64,
    broken: bool,
}

impl<W: Write> NdjsonWriter<W> {
    /// Begins a file.
    #[must_use]
    pub fn new(sink: W, columns: Vec<ColumnFormat>) -> Self {
        let lead = |(index, column): (usize, &ColumnFormat)| {
            let before = if index == 0 { '{' } else { ',' };
            let name = serde_json::to_string(&column.name).expect("a text is always JSON");
            format!("{before}{name}:").into_bytes()
        };
        Self {
            sink: Digested::new(sink),
            leads: columns.iter().enumerate().map(lead).collect(),
            columns,
            buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4),
            rows: 0,
            broken: false,
        }
    }

    fn drain(&mut self) -> Result<(), RenderError> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> FileWriter for NdjsonWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.broken = true;
        check_columns(&self.columns, batch)?;
        let arrays = unpack(batch)?;
        for (column, array) in self.columns.iter().zip(&arrays) {
            if !is_writable(array.data_type()) {
                let (column, data_type) = (column.name.clone(), array.data_type().clone());
                return Err(RenderError::Unsupported { column, data_type });
            }
        }
        for row in 0..batch.num_rows() {
            for (lead, array) in self.leads.iter().zip(&arrays) {
                self.buffer.extend_from_slice(lead);
                push_json(&mut self.buffer, array.as_ref(), row);
            }
            if self.leads.is_empty() {
                self.buffer.push(b'{');
            }
            self.buffer.extend_from_slice(b"}\n");
            if self.buffer.len() >= BUFFER_BYTES {
                self.drain()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        self.broken = false;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.drain()?;
        self.sink.flush()?;
        Ok(self.sink.written(self.rows))
    }
}
