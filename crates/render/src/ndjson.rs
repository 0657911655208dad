//! Record batches to NDJSON: one JSON object a line, members in column order under their technical names, LF after
//! each, no white space.
//!
//! A null is `null`, so that every line has every column; a list is an array, a struct or map an object, a time RFC
//! 3339 in UTC with milliseconds, a date `YYYY-MM-DD`; a number that JSON cannot express (NaN, infinity) is null. Text
//! is as it is: no formula guard, because nothing runs JSON.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;

use crate::file::{ColumnFormat, FileWriter, RenderError, Written, check_columns, unpack};
use crate::json::{is_writable, push_json};
use crate::rows::RowTexts;

/// Writes one NDJSON file to a sink.
#[derive(Debug)]
pub struct NdjsonWriter<W: Write> {
    columns: Vec<ColumnFormat>,
    /// The text before the value of each column.
    leads: Arc<Vec<Vec<u8>>>,
    texts: RowTexts<W>,
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
        let leads = Arc::new(columns.iter().enumerate().map(lead).collect());
        Self { columns, leads, texts: RowTexts::new(sink, &[]), broken: false }
    }

    /// Encodes rows on this many threads. The bytes are the same for any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { texts: self.texts.on_threads(threads), ..self }
    }
}

/// Appends the lines of some rows.
fn push_rows(leads: &[Vec<u8>], arrays: &[ArrayRef], rows: Range<usize>, out: &mut Vec<u8>) {
    for row in rows {
        for (lead, array) in leads.iter().zip(arrays) {
            out.extend_from_slice(lead);
            push_json(out, array.as_ref(), row);
        }
        if leads.is_empty() {
            out.push(b'{');
        }
        out.extend_from_slice(b"}\n");
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
        let leads = self.leads.clone();
        self.texts.write(arrays, batch.num_rows(), move |arrays, rows, out| {
            push_rows(&leads, arrays, rows, out);
        })?;
        self.broken = false;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.texts.finish()
    }
}
