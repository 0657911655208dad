//! The query engine: identity tables, refresh, and the plan of each report.
//!
//! No other crate names DataFusion or Delta. Callers pass source definitions and a manifest of table versions. They get
//! record batches and the next manifest.

pub mod compare;
mod declared;
pub mod digests;
mod error;
mod file;
mod functions;
pub mod memory;
mod order;
#[cfg(test)]
mod pages;
mod pieces;
mod query;
pub mod reading;
pub mod refresh;
pub mod report;
pub mod retention;
mod rows;
mod scope;
pub mod search;
mod session;
mod stop;
mod tables;
mod watch;
mod whole;

pub use datafusion::arrow::array::RecordBatch;
pub use declared::TABLES;
pub use error::EngineError;
pub use refresh::explain;
pub use report::{ChartNumber, OutputColumn, ReportPlan};
pub use rows::ReportRows;
pub use session::{Engine, EngineSettings};
