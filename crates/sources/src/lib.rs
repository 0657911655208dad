//! Readers of identity data: each turns one external source into Arrow record batches of *raw account
//! records*, and accounts for every record it could not turn into one.
//!
//! Why here: whatever is particular to a kind of source (file formats, encodings, protocols) stays behind
//! [`RecordReader`], so that aggregation, correlation and refresh know only [`record_schema`]. Sources of search
//! documents are the exception: what they give needs no correlation, see [`documents`].
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
mod input;
pub mod organisation;
mod reader;
mod record;

use std::path::Path;

pub use definition::{
    AttributeMapping, CorrelationRule, DefinitionError, FlagRule, LifecycleDefinition, MappingSource,
    ProfileDefinition, ReaderSettings, SourceDefinition, Template, TemplatePart, Transform,
};
pub use delimited::DelimitedSettings;
pub use documents::{DocumentType, DocumentsSettings};
pub use reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
pub use record::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, LIST_ITEM_FIELD, column,
    record_schema,
};

/// Opens the source of accounts that `definition` describes, for one full read.
///
/// Relative paths in the definition are taken from `base_dir`, the folder of the definition file.
///
/// # Errors
/// [`ReadError`] when the source cannot be opened or its head (a delimited file's header) is not usable; the
/// whole source has then failed and nothing of it may be changed. [`ReadError::Settings`] for a source of
/// documents, which [`open_documents`] opens.
pub fn open(definition: &SourceDefinition, base_dir: &Path) -> Result<Box<dyn RecordReader>, ReadError> {
    match &definition.reader {
        ReaderSettings::Delimited(settings) => {
            Ok(Box::new(delimited::DelimitedReader::open(settings, base_dir)?))
        }
        ReaderSettings::Documents(settings) => Err(ReadError::Settings {
            path: base_dir.join(&settings.path).display().to_string(),
            reason: "holds search documents: expected a source of accounts".to_owned(),
        }),
    }
}

/// Opens a source of search documents for one full read; `None` for any other source.
///
/// # Errors
/// As for [`open`].
pub fn open_documents(
    definition: &SourceDefinition,
    base_dir: &Path,
) -> Result<Option<documents::DocumentReader>, ReadError> {
    match &definition.reader {
        ReaderSettings::Documents(settings) => documents::DocumentReader::open(settings, base_dir).map(Some),
        ReaderSettings::Delimited(_) => Ok(None),
    }
}
