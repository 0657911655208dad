//! Record batches to files: CSV and PDF, and the cover as JSON.
//!
//! Why here: a report's file is evidence, so its bytes must depend on the rows and the definition alone. This
//! crate knows neither a clock nor the network, and everything it writes streams: memory does not grow with the
//! report.
//!
//! Invariants:
//! - the same batches give the same bytes, however the rows are cut into batches;
//! - [`Written`] tells the rows, bytes and SHA-256 of exactly what reached the sink, and there is none after a
//!   failed write.

pub mod chart;
pub mod cover;
mod csv;
mod json;
pub mod pdf;
mod scalar;

pub use csv::{ColumnFormat, CsvWriter, Header, RenderError, Written};
