//! Delimited files: CSV, TSV and their relatives, in any encoding that HR exports arrive in.
//!
//! Why a record splitter of our own and not a CSV library's: physical line numbers for every kind of line
//! end, an unclosed quote told from an ordinary end, invalid bytes charged to the record they are in, and
//! bounds on fields and records that reject one record and go on. The `csv` crate is the tests' independent
//! writer.

mod reader;
mod settings;

pub use reader::DelimitedReader;
pub use settings::DelimitedSettings;
