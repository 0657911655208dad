//! What all formats have in common: columns, batches, results and errors.

use std::io::{self, Write};

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use muster_reports::ids::hex;
use sha2::{Digest, Sha256};

/// One file of a result, written from the report's batches in one pass.
///
/// A writer is made with its sink and its columns. After a failed call it is broken: no further call succeeds. The
/// writer of a PDF does not implement this, because a PDF cannot end before the cover and the charts are known. It
/// takes the same batches and has its own `finish`.
pub trait FileWriter {
    /// Writes the rows of a batch, whose columns must be the file's by name and order.
    ///
    /// # Errors
    /// [`RenderError`]; the file is then broken.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError>;

    /// Writes what is left and flushes the sink.
    ///
    /// # Errors
    /// [`RenderError`]; there is no file then.
    fn finish(self: Box<Self>) -> Result<Written, RenderError>;
}

/// A column of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFormat {
    /// Technical name; the batch's column must have it too.
    pub name: String,
    /// Name for people.
    pub label: String,
}

/// What a finished file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows, headers not counted.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// What a reader of the file must know, in words for people: values cut, rows spread over sheets.
    pub warnings: Vec<String>,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The sink refused.
    #[error("cannot write the file")]
    Sink(#[from] io::Error),
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
    /// A column has a type that has no form in the file.
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
    /// The file's format cannot hold what it was given.
    #[error("the file could not be encoded")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file is not the one that was to be packed.
    #[error("the file {name:?} has SHA-256 {found}: expected {expected}, with which it was published")]
    OtherContent {
        /// Its name.
        name: String,
        /// What it was published with.
        expected: String,
        /// What it has.
        found: String,
    },
    /// Whoever holds the key did not sign.
    #[error("the evidence package could not be signed")]
    Unsigned {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A member of an archive cannot have this name.
    #[error("an archive cannot have a member named {name:?}: {reason}")]
    MemberName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An earlier write failed, so what reached the sink is not the file.
    #[error("an earlier write failed: expected no further use")]
    Broken,
}

/// A sink that counts and hashes what it hands on.
#[derive(Debug)]
pub(crate) struct Digested<W> {
    sink: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Digested<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, hash: Sha256::new(), bytes: 0 }
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was written so far. The caller says how many rows that is.
    pub(crate) fn written(&self, rows: u64) -> Written {
        Written { rows, bytes: self.bytes, sha256: hex(self.hash.clone().finalize()), warnings: Vec::new() }
    }
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.sink.write(bytes)?;
        self.hash.update(&bytes[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// For libraries that lose the error of a sink. Keeps the error, and does not pass on what the library writes after it.
pub(crate) struct UpToError<W> {
    pub(crate) sink: W,
    error: Option<io::Error>,
}

impl<W> UpToError<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, error: None }
    }

    /// The library's result, or the sink's error if there was one.
    pub(crate) fn tell_apart<T>(&mut self, answer: Result<T, RenderError>) -> Result<T, RenderError> {
        match self.error.take() {
            Some(error) => Err(RenderError::Sink(error)),
            None => answer,
        }
    }
}

impl<W: Write> Write for UpToError<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.error.is_some() {
            return Ok(bytes.len());
        }
        self.sink.write(bytes).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.error = Some(error);
            }
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.error.is_some() { Ok(()) } else { self.sink.flush() }
    }
}

/// Compares a batch's columns with the file's, by name and order.
pub(crate) fn check_columns(columns: &[ColumnFormat], batch: &RecordBatch) -> Result<(), RenderError> {
    let schema = batch.schema_ref();
    for index in 0..columns.len().max(schema.fields().len()) {
        let found = schema.fields().get(index).map(|field| field.name());
        let expected = columns.get(index).map(|column| &column.name);
        if found != expected {
            let (found, expected) = (found.cloned(), expected.cloned());
            return Err(RenderError::Columns { position: index + 1, found, expected });
        }
    }
    Ok(())
}

/// A batch's columns with dictionaries resolved.
pub(crate) fn unpack(batch: &RecordBatch) -> Result<Vec<ArrayRef>, RenderError> {
    let schema = batch.schema_ref();
    let unpack = |(field, array): (&std::sync::Arc<arrow::datatypes::Field>, &ArrayRef)| {
        let DataType::Dictionary(_, values) = array.data_type() else { return Ok(array.clone()) };
        cast(array, values).map_err(|source| RenderError::Unpack { column: field.name().clone(), source })
    };
    schema.fields().iter().zip(batch.columns()).map(unpack).collect()
}
