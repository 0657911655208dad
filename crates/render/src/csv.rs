//! Record batches to CSV: RFC 4180, UTF-8, `\r\n`, without a byte order mark unless one is wanted.
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
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;

use crate::file::{ColumnFormat, FileWriter, RenderError, Written, check_columns, unpack};
use crate::guard::FormulaGuard;
use crate::json::is_writable;
use crate::rows::RowTexts;
use cells::{Cells, Scratch};

/// The byte order mark, U+FEFF, in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

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
    /// Whether the file begins with a byte order mark, by which some spreadsheets know UTF-8.
    pub bom: bool,
}

/// Writes one CSV file to a sink, in pieces, hashing them on the way.
///
/// The sink need not buffer. To keep it for syncing, lend it: `CsvWriter::new(&mut file, ..)`.
#[derive(Debug)]
pub struct CsvWriter<W: Write> {
    columns: Vec<ColumnFormat>,
    formula_guard: FormulaGuard,
    texts: RowTexts<W>,
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
        let mut header = if options.bom { BOM.to_vec() } else { Vec::new() };
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                header.push(b',');
            }
            let text = match options.header {
                Header::Names => &column.name,
                Header::Labels => &column.label,
            };
            cells::push_text(&mut header, text, options.formula_guard);
        }
        header.extend_from_slice(b"\r\n");
        Self {
            columns,
            formula_guard: options.formula_guard,
            texts: RowTexts::new(sink, &header),
            broken: false,
        }
    }

    /// Encodes rows on this many threads. The bytes are the same for any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { texts: self.texts.on_threads(threads), ..self }
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
        let arrays = unpack(batch)?;
        for (format, array) in self.columns.iter().zip(&arrays) {
            if !is_writable(array.data_type()) {
                let (column, data_type) = (format.name.clone(), array.data_type().clone());
                return Err(RenderError::Unsupported { column, data_type });
            }
        }
        let formula_guard = self.formula_guard;
        self.texts.write(arrays, batch.num_rows(), move |arrays, rows, out| {
            push_rows(arrays, rows, formula_guard, out);
        })?;
        self.broken = false;
        Ok(())
    }

    /// Writes what is left and flushes the sink.
    ///
    /// # Errors
    /// [`RenderError`]; there is no file then.
    pub fn finish(self) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.texts.finish()
    }
}

/// Appends the lines of some rows, whose columns have types that CSV has a form for.
fn push_rows(arrays: &[ArrayRef], rows: Range<usize>, formula_guard: FormulaGuard, out: &mut Vec<u8>) {
    // Only these rows are looked at, so that what is true of a column's texts is found among them.
    let arrays: Vec<ArrayRef> = arrays.iter().map(|array| array.slice(rows.start, rows.len())).collect();
    let cells: Vec<Cells<'_>> = arrays.iter().filter_map(|array| Cells::new(array.as_ref())).collect();
    let mut scratch = Scratch::default();
    let alone = cells.len() == 1;
    for row in 0..rows.len() {
        let row_start = out.len();
        for (index, column) in cells.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            column.push(out, &mut scratch, row, formula_guard);
        }
        if alone && out.len() == row_start {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(b"\r\n");
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
