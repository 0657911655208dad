//! Newline-delimited JSON: one object on each line.
//!
//! Invariants: a line that is not an object rejects that line only; a line has a bound; numbers keep the text that
//! JSON gives them but for a point that says nothing, and what is nested deeper than a list of plain values is kept as JSON text.

mod reader;
mod settings;

pub use settings::NdjsonSettings;
