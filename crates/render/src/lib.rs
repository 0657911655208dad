//! Record batches to files: CSV, PDF, spreadsheets, NDJSON, Parquet, archives; the cover as JSON; charts; evidence
//! packages; two files of one report compared.
//!
//! Why here: a report's file is evidence, so its bytes must depend on the rows and the definition alone. This
//! crate knows neither a clock nor the network, and everything it writes streams: memory does not grow with the
//! report.
//!
//! Invariants:
//! - the same batches give the same bytes, however the rows are cut into batches;
//! - [`Written`] has the rows, bytes and SHA-256 of exactly what reached the sink; a failed write returns none.

pub mod chart;
pub mod compare;
mod container;
pub mod cover;
mod csv;
mod deflate;
pub mod evidence;
mod file;
mod guard;
mod json;
mod ndjson;
mod parquet;
mod path;
pub mod pdf;
mod rows;
mod scalar;
mod workbook;
mod workers;
mod xlsx;
mod zip;

pub use csv::{CsvOptions, CsvWriter, Header};
pub use file::{ColumnFormat, FileWriter, RenderError, Written};
pub use guard::{FormulaGuard, unguard};
pub use ndjson::NdjsonWriter;
pub use parquet::ParquetWriter;
pub use path::check_name;
pub use workbook::{is_workbook, read_workbook};
pub use xlsx::{XlsxOptions, XlsxWriter};
pub use zip::{Member, ZipFiles};
