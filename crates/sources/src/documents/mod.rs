//! Search documents: the six published kinds of them as Arrow data.
//!
//! A document is one JSON object of a published shape, such as an identity with its accounts and access. Other
//! sources give account records, from which refresh makes such documents; this one gives documents that
//! another system has made.
//!
//! Invariants:
//! - names are the published ones, unchanged, and every field is nullable;
//! - a document is taken whole or rejected whole: no value is bent to fit, and none is dropped in silence.

mod kind;
mod schema;
mod shape;

pub use kind::DocumentType;
pub use schema::{FIELD_KIND, FIELD_KIND_KEYWORD, default_columns, schema};
