//! Delta tables elsewhere, in a folder, read where they are.
//!
//! `actions` is what the table's log says, and what of it is understood; `log` puts a version together from
//! checkpoint and commits; `reader` goes through the version's files. The log is read here and not with the engine's
//! library, so that readers stay free of the query engine; what this misses is refused and never guessed.
//!
//! Invariants: a read is of one version, fixed when it begins, whatever is committed meanwhile; a table that needs a
//! feature which is not understood (deletion vectors, column mapping, checkpoints of the second version and all that
//! comes later) is refused; every file must have the size and the number of rows that the log says it has.
//!
//! The rules are those of the Delta transaction log protocol, sections "Delta Table Specification", "Actions" and
//! "Requirements for Readers".

mod actions;
mod log;
mod reader;
mod settings;

pub use settings::DeltaSettings;
