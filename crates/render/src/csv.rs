//! Record batches to CSV: RFC 4180, UTF-8 without a byte order mark, `\r\n`.
//!
//! How a cell is written:
//!
//! | value | cell |
//! |---|---|
//! | null | nothing; so is an empty text, because CSV cannot tell the two apart |
//! | text | as it is |
//! | list of text | `a; b; c`, a `;` inside a value doubled, null items left out; a single value as it is |
//! | boolean | `true`, `false` |
//! | number | decimal; a floating-point number with the fewest digits that read back the same |
//! | timestamp | RFC 3339, UTC, with milliseconds and `Z`; one without a zone is taken as UTC |
//! | date | `YYYY-MM-DD` |
//! | struct, map, other list | JSON, members in stored order |
//!
//! A cell is quoted only where RFC 4180 needs it, and where a row of one empty cell would be a blank line.
//! Text that a spreadsheet would run as a formula gets a leading apostrophe, unless the guard is off: see
//! [`FormulaGuard`] and [`unguard`](crate::unguard).

pub(crate) mod cells;

use std::io::Write;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;

use crate::file::{ColumnFormat, Digested, FileWriter, RenderError, Written, check_columns, unpack};
use crate::guard::FormulaGuard;
use cells::{Cells, Scratch};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// What the header holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// Technical names.
    #[default]
    Names,
    /// Names for people.
    Labels,
}

/// What can be chosen of a CSV file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// What the header holds.
    pub header: Header,
    /// Whether text that a spreadsheet would run is made plain.
    pub formula_guard: FormulaGuard,
}

/// Writes one CSV file to a sink, in pieces, hashing them on the way.
///
/// The sink need not buffer. To keep it for syncing, lend it: `CsvWriter::new(&mut file, ..)`.
#[derive(Debug)]
pub struct CsvWriter<W: Write> {
    sink: Digested<W>,
    columns: Vec<ColumnFormat>,
    buffer: Vec<u8>,
    scratch: Scratch,
    formula_guard: FormulaGuard,
    rows: u64,
    broken: bool,
}

impl<W: Write> CsvWriter<W> {
    /// Begins a file whose header holds technical names, with the formula guard on.
    #[must_use]
    pub fn new(sink: W, columns: Vec<ColumnFormat>) -> Self {
        Self::with_options(sink, columns, CsvOptions::default())
    }

    /// Begins a file.
    #[must_use]
    pub fn with_options(sink: W, columns: Vec<ColumnFormat>, options: CsvOptions) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4);
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            let text = match options.header {
                Header::Names => &column.name,
                Header::Labels => &column.label,
            };
            cells::push_text(&mut buffer, text, options.formula_guard);
        }
        buffer.extend_from_slice(b"\r\n");
        Self {
            sink: Digested::new(sink),
            columns,
            buffer,
            scratch: Scratch::default(),
            formula_guard: options.formula_guard,
            rows: 0,
            broken: false,
        }
    }

    /// Writes the rows of a batch, whose columns must be the file's by name and order.
    ///
    /// # Errors
    /// [`RenderError`]; the file is then broken, and no further call succeeds.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.broken = true;
        check_columns(&self.columns, batch)?;
        let unpacked = unpack(batch)?;
        let mut cells = Vec::with_capacity(unpacked.len());
        for (format, array) in self.columns.iter().zip(&unpacked) {
            let unsupported = || RenderError::Unsupported {
                column: format.name.clone(),
                data_type: array.data_type().clone(),
            };
            cells.push(Cells::new(array.as_ref()).ok_or_else(unsupported)?);
        }
        let alone = cells.len() == 1;
        for row in 0..batch.num_rows() {
            let row_start = self.buffer.len();
            for (index, column) in cells.iter().enumerate() {
                if index > 0 {
                    self.buffer.push(b',');
                }
                column.push(&mut self.buffer, &mut self.scratch, row, self.formula_guard);
            }
            if alone && self.buffer.len() == row_start {
                self.buffer.extend_from_slice(b"\"\"");
            }
            self.buffer.extend_from_slice(b"\r\n");
            if self.buffer.len() >= BUFFER_BYTES {
                self.drain()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        self.broken = false;
        Ok(())
    }

    /// Writes what is left and flushes the sink.
    ///
    /// # Errors
    /// [`RenderError`]; there is no file then.
    pub fn finish(mut self) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.drain()?;
        self.sink.flush()?;
        Ok(self.sink.written(self.rows))
    }

    fn drain(&mut self) -> Result<(), RenderError> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> FileWriter for CsvWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        CsvWriter::write(self, batch)
    }

    fn finish(self: Box<Self>) -> Result<Written, RenderError> {
        CsvWriter::finish(*self)
    }
}
