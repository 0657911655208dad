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
//! and `reader.rs` (its [`RecordReader`]); `delimited` is the model for files that are read from front to back,
//! `ldap` for sources on the network, whose reads run on a thread of their own (`remote`). Kinds whose records are
//! sets of named values share `account`, which makes records of them.

mod account;
mod check;
mod dates;
pub mod definition;
pub mod delimited;
mod delta;
pub mod documents;
mod duplicates;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;
mod ldap;
mod named;
mod ndjson;
mod parquet;
mod pattern;
mod reader;
mod record;
mod remote;
mod scim;
mod secret;
mod sql;
mod tenant;
mod tls;
mod unread;
mod withheld;

use std::path::Path;

use named::Named;
pub use named::unmapped_identity_attributes;

pub use account::{AccountSettings, FlagCondition};
pub use check::{SourceCheck, check_source};
pub use dates::{DatePlace, not_to_come};
pub use definition::{
    AttributeMapping, CorrelationRule, DefinitionError, FlagRule, IdentityStatus, LifecycleDefinition,
    ManagerDefinition, ManagerMatch, MappingSource, PreferDefinition, ProfileDefinition, ReaderSettings,
    SourceDefinition, Template, TemplatePart, Transform,
};
pub use delimited::DelimitedSettings;
pub use delta::DeltaSettings;
pub use documents::{DocumentType, DocumentsSettings};
pub use duplicates::Duplicates;
pub use files::FileSettings;
pub use ldap::{ChangeSettings, Directory, GroupSettings, LdapSettings, SearchScope};
pub use reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
pub use record::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, LIST_ITEM_FIELD, column,
    record_schema,
};
pub use scim::{GroupsFrom, Paging, ScimSettings};
pub use secret::{Environment, Secret};
pub use sql::SqlSettings;
pub use tenant::{
    LeftOut, MirrorRequest, SourceChange, SourceChangeKind, TenantMirror, TenantObjects, TenantSettings,
    mirror as mirror_tenant, mirror_changes,
};
pub use unread::{unread_date, unread_digest};

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
    let named = Named::of(definition);
    match &definition.reader {
        ReaderSettings::Delimited(settings) => {
            Ok(Box::new(delimited::DelimitedReader::open(settings, base_dir, &named)?))
        }
        ReaderSettings::Delta(settings) => delta::open(settings, base_dir, named),
        ReaderSettings::Documents(settings) => Err(ReadError::Settings {
            path: base_dir.join(&settings.path).display().to_string(),
            reason: "holds search documents: expected a source of accounts".to_owned(),
        }),
        ReaderSettings::Ldap(settings) => ldap::open(settings, base_dir, environment, named, cursor),
        ReaderSettings::Ndjson(settings) => ndjson::open(settings, base_dir, named),
        ReaderSettings::Parquet(settings) => parquet::open(settings, base_dir, named),
        ReaderSettings::Scim(settings) => scim::open(settings, base_dir, environment, named, cursor),
        ReaderSettings::Sql(settings) => sql::open(settings, base_dir, environment, named),
        ReaderSettings::Tenant(settings) => tenant::open(settings, base_dir, environment, named),
    }
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
) -> Result<Option<documents::DocumentReader>, ReadError> {
    match &definition.reader {
        ReaderSettings::Documents(settings) => documents::DocumentReader::open(settings, base_dir).map(Some),
        ReaderSettings::Tenant(settings) => match settings.objects {
            TenantObjects::Documents => {
                documents::DocumentReader::mirror(settings, base_dir, environment).map(Some)
            }
            TenantObjects::Accounts | TenantObjects::Identities => Ok(None),
        },
        ReaderSettings::Delimited(_)
        | ReaderSettings::Delta(_)
        | ReaderSettings::Ldap(_)
        | ReaderSettings::Ndjson(_)
        | ReaderSettings::Parquet(_)
        | ReaderSettings::Scim(_)
        | ReaderSettings::Sql(_) => Ok(None),
    }
}
