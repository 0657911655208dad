//! Record batches to CSV: RFC 4180, UTF-8 without a byte order mark, `\r\n`.
//!
//! How a cell is written:
//!
//! | value | cell |
//! |---|---|
//! | null | nothing; so is an empty text, for CSV cannot tell the two |
//! | text | as it is |
//! | list of text | `a; b; c`, a `;` inside a value doubled, null items left out |
//! | boolean | `true`, `false` |
//! | number | decimal; a floating-point number with the fewest digits that read back the same |
//! | timestamp | RFC 3339, UTC, with milliseconds and `Z`; one without a zone is taken as UTC |
//! | date | `YYYY-MM-DD` |
//! | struct, map, other list | JSON, members in stored order |
//!
//! A cell is quoted only where RFC 4180 needs it, and where a row of one empty cell would be a blank line.
//! Values are never changed for the sake of spreadsheets that run what looks like a formula: the file is
//! evidence.

pub(crate) mod cells;

use std::io::Write;

use arrow::array::Array;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

use cells::Cells;

/// Bytes gathered before they go to the sink.
const BUFFER_BYTES: usize = 256 << 10;

/// A column of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFormat {
    /// Technical name; the batch's column must have it too.
    pub name: String,
    /// Name for people.
    pub label: String,
}

/// What the header holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// Technical names.
    #[default]
    Names,
    /// Names for people.
    Labels,
}

/// What a finished file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows, the header not counted.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The sink refused.
    #[error("cannot write the file")]
    Sink(#[from] std::io::Error),
    /// A batch does not have the file's columns.
    #[error("column {position} of the batch is {found:?}: expected {expected:?}")]
    Columns {
        /// Place of the first column that differs, counted from 1.
        position: usize,
        /// Its name in the batch, `None` where the batch has fewer columns.
        found: Option<String>,
        /// Its name in the file, `None` where the file has fewer columns.
        expected: Option<String>,
    },
    /// A column has a type that has no form in CSV.
    #[error(
        "column {column:?} has type {data_type}: expected text, numbers, booleans, times, or lists, maps and structs of them"
    )]
    Unsupported {
        /// The column's name.
        column: String,
        /// Its type.
        data_type: DataType,
    },
    /// A dictionary could not be unpacked.
    #[error("column {column:?} could not be unpacked")]
    Unpack {
        /// The column's name.
        column: String,
        /// What Arrow answered.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// An earlier write failed, so what reached the sink is not the file.
    #[error("an earlier write failed: expected no further use")]
    Broken,
}

/// Writes one CSV file to a sink, in pieces, hashing them on the way.
///
/// The sink need not buffer. To keep it for syncing, lend it: `CsvWriter::new(&mut file, ..)`.
#[derive(Debug)]
pub struct CsvWriter<W: Write> {
    sink: W,
    columns: Vec<ColumnFormat>,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    hash: Sha256,
    rows: u64,
    bytes: u64,
    broken: bool,
}

impl<W: Write> CsvWriter<W> {
    /// Begins a file whose header holds technical names.
    #[must_use]
    pub fn new(sink: W, columns: Vec<ColumnFormat>) -> Self {
        Self::with_header(sink, columns, Header::Names)
    }

    /// Begins a file.
    #[must_use]
    pub fn with_header(sink: W, columns: Vec<ColumnFormat>, header: Header) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4);
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            let text = match header {
                Header::Names => &column.name,
                Header::Labels => &column.label,
            };
            cells::push_text(&mut buffer, text.as_bytes());
        }
        buffer.extend_from_slice(b"\r\n");
        Self {
            sink,
            columns,
            buffer,
            scratch: Vec::new(),
            hash: Sha256::new(),
            rows: 0,
            bytes: 0,
            broken: false,
        }
    }

    /// Rows written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
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
        self.check_columns(batch)?;
        let unpacked = self.unpack(batch)?;
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
                column.push(&mut self.buffer, &mut self.scratch, row);
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
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            sha256.push_str(&format!("{byte:02x}"));
        }
        Ok(Written { rows: self.rows, bytes: self.bytes, sha256 })
    }

    fn drain(&mut self) -> Result<(), RenderError> {
        self.sink.write_all(&self.buffer)?;
        self.hash.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn check_columns(&self, batch: &RecordBatch) -> Result<(), RenderError> {
        let schema = batch.schema_ref();
        for index in 0..self.columns.len().max(schema.fields().len()) {
            let found = schema.fields().get(index).map(|field| field.name());
            let expected = self.columns.get(index).map(|column| &column.name);
            if found != expected {
                let (found, expected) = (found.cloned(), expected.cloned());
                return Err(RenderError::Columns { position: index + 1, found, expected });
            }
        }
        Ok(())
    }

    /// The columns with dictionaries resolved.
    fn unpack(&self, batch: &RecordBatch) -> Result<Vec<arrow::array::ArrayRef>, RenderError> {
        let unpack = |(format, array): (&ColumnFormat, &arrow::array::ArrayRef)| {
            let DataType::Dictionary(_, values) = array.data_type() else { return Ok(array.clone()) };
            cast(array, values).map_err(|source| RenderError::Unpack { column: format.name.clone(), source })
        };
        self.columns.iter().zip(batch.columns()).map(unpack).collect()
    }
}
