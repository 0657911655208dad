//! Opens the source of a definition, of whatever kind it is.

use std::path::Path;

use crate::columns::TypedReader;
use crate::definition::SourceDefinition;
use crate::documents::DocumentReader;
use crate::reader::{ReadError, RecordReader};
use crate::secret::Environment;
use crate::source_kind::Opening;
use crate::total::Totalled;

/// Opens the source of accounts that `definition` describes, for one full read.
///
/// Relative paths in the definition are taken from `base_dir`, the folder of the definition file. `environment`
/// looks up the variables that a definition names as the places of secrets. May be called from anywhere: what
/// needs an asynchronous runtime brings its own.
///
/// # Errors
/// [`ReadError`] when the source cannot be opened or its head (a delimited file's header) is not usable; the
/// whole source has then failed and nothing of it may be changed. A source on the network says so with its first
/// batch. [`ReadError::Settings`] for a source of documents, which [`open_documents`] opens.
pub fn open_source(
    definition: &SourceDefinition,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<Box<dyn RecordReader>, ReadError> {
    open_source_after(definition, base_dir, environment, None)
}

/// [`open_source`], going on from the cursor of the last read where the source can: then only what changed is given,
/// and the summary says so. A cursor that does not fit any more, for whatever reason, gives a full read.
///
/// # Errors
/// As [`open_source`].
pub fn open_source_after(
    definition: &SourceDefinition,
    base_dir: &Path,
    environment: Environment<'_>,
    cursor: Option<&str>,
) -> Result<Box<dyn RecordReader>, ReadError> {
    let total = definition.total.as_ref();
    let opening = Opening { base_dir, environment, total, cursor };
    let settings = definition.reader.settings();
    let reader = settings.open(definition.named_columns(), &opening)?;
    let dates = definition.profile.as_ref().map(|profile| profile.dates.clone()).unwrap_or_default();
    let reader = TypedReader::around(reader, definition.account_columns(), dates, settings.counts());
    Ok(match total {
        Some(total) => Totalled::over(reader, total, &definition.name, base_dir, settings.counts()),
        None => reader,
    })
}

/// [`open_source`] without an environment: secrets can only be in files.
///
/// # Errors
/// As [`open_source`].
pub fn open(definition: &SourceDefinition, base_dir: &Path) -> Result<Box<dyn RecordReader>, ReadError> {
    open_source(definition, base_dir, &|_| None)
}

/// Opens a source of search documents for one full read; `None` for any other source.
///
/// # Errors
/// As for [`open_source`].
pub fn open_documents(
    definition: &SourceDefinition,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<Option<DocumentReader>, ReadError> {
    definition.reader.settings().open_documents(&Opening { base_dir, environment, total: None, cursor: None })
}
