//! The query engine: identity tables, refresh, and the plan of each report.
//!
//! No other crate names DataFusion or Delta. Callers pass source definitions and a manifest of table versions. They get
//! record batches and the next manifest.
//!
//! Public functions that wait return boxed futures. The body of an `async fn` is compiled in each crate that awaits it;
//! a boxed future is compiled once, here.

mod cancellation;
pub mod compare;
mod declared;
mod definition_check;
pub mod digests;
mod early_ends;
mod error;
mod file_name;
mod functions;
pub mod history;
mod in_order;
mod kept_plans;
pub mod memory;
mod memory_pool;
mod opaque;
mod order;
mod parquet_file;
mod partitions;
mod plan_limits;
mod plan_steps;
mod policies;
mod population;
mod query;
pub mod read_only_sql;
pub mod refresh;
pub mod report;
pub mod retention;
mod review;
mod rows;
mod scope;
pub mod search;
mod series;
mod session;
mod stored_table;
mod table_files;
mod table_rows;
mod tables;

pub use datafusion::arrow::array::RecordBatch;
pub use declared::TABLES;
pub use error::EngineError;
pub use refresh::explain;
pub use report::{ChartNumber, OutputColumn, ReportPlan};
pub use rows::ReportRows;
pub use session::{Engine, EngineSettings};
