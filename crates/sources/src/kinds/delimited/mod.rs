//! Delimited files: CSV, TSV and their relatives, in any encoding that HR exports arrive in.
//!
//! Bytes go through three stages, each bounded: `input` (read, hashed, decoded; shared with other files),
//! `splitter` (characters to fields) and `reader` (fields to account records).
//!
//! Why a splitter of our own and not a CSV library's: physical line numbers for every kind of line end, an
//! unclosed quote told from an ordinary end, invalid bytes charged to the record they are in, and bounds on
//! fields and records that reject one record and go on. The `csv` crate is the tests' independent writer.

mod layout;
mod reader;
mod settings;
mod sketch;
mod splitter;

pub use reader::DelimitedReader;
pub use settings::{DelimitedSettings, FlagRule};
pub use sketch::{ColumnSketch, Sketch, ValueKind, sketch};

/// Longest field that is read, in bytes of its text as UTF-8; a record with a longer one is rejected.
pub const MAX_FIELD_BYTES: usize = 1 << 20;
/// Longest record that is read, in bytes of its text as UTF-8 with delimiters and quotes; a longer one is
/// rejected.
pub const MAX_RECORD_BYTES: usize = 16 << 20;
/// Most columns that a header may have.
pub const MAX_COLUMNS: usize = 16_384;
