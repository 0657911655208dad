//! Readers of identity data: each turns one external source into Arrow record batches of *raw account
//! records*, and accounts for every record it could not turn into one.
//!
//! Why here: whatever is particular to a kind of source (file formats, encodings, protocols) stays behind
//! [`RecordReader`], so that aggregation, correlation and refresh know only [`record_schema`].
//!
//! Invariants:
//! - a reader never correlates, never de-duplicates and never drops a record silently: every record seen is
//!   either a row of a batch or a [`Rejection`], and [`ReadSummary::read`] counts both;
//! - memory does not grow with the source;
//! - a summary says `complete` only when the input was read to its end and did not change meanwhile.
//!
//! A kind of source is one folder with the files `mod.rs`, `settings.rs` (what a definition says about it)
//! and `reader.rs` (its [`RecordReader`]); `delimited` is the model.

pub mod definition;
pub mod delimited;
pub mod documents;
pub mod organisation;
mod reader;
mod record;

use std::path::Path;

pub use definition::{
    AttributeMapping, CorrelationRule, DefinitionError, FlagRule, LifecycleDefinition, MappingSource,
    ProfileDefinition, ReaderSettings, SourceDefinition, Template, TemplatePart, Transform,
};
pub use delimited::DelimitedSettings;
pub use documents::DocumentType;
pub use reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
pub use record::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, LIST_ITEM_FIELD, column,
    record_schema,
};

/// Opens the source that `definition` describes, for one full read.
///
/// Relative paths in the definition are taken from `base_dir`, the folder of the definition file.
///
/// # Errors
/// [`ReadError`] when the source cannot be opened or its head (a delimited file's header) is not usable; the
/// whole source has then failed and nothing of it may be changed.
pub fn open(definition: &SourceDefinition, base_dir: &Path) -> Result<Box<dyn RecordReader>, ReadError> {
    match &definition.reader {
        ReaderSettings::Delimited(settings) => {
            Ok(Box::new(delimited::DelimitedReader::open(settings, base_dir)?))
        }
    }
}
