//! Files of search documents, as another system has made them.
//!
//! `lines` takes a file apart that has one JSON text on each line, `examples` a YAML file of named examples; `reader`
//! gives their documents to [`DocumentReader`](crate::documents::DocumentReader), which knows their shapes.

mod examples;
mod lines;
mod reader;
mod settings;

pub use settings::DocumentsSettings;
