//! Parquet files, by themselves or several with the same columns.
//!
//! Invariants: rows come in the files' order; every file has the columns of the first; the number of rows read is
//! that of the footers, else the read is incomplete; a value is given as text, in JSON where it is nested.

mod reader;
mod settings;
mod values;

pub(crate) use reader::{ROWS, builder};
pub use settings::ParquetSettings;
pub(crate) use values::{Column, json, key_fault};
