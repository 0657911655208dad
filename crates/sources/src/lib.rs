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
//! `kinds` has a folder for each kind of source and the one list of them; `source_kind` is what a kind must say of
//! itself. Sources on the network run on a thread of their own (`remote`). Kinds whose records are sets of named values
//! share `account`, which makes records of them. `definition` is what people write about a source, and `open` opens it.

mod account;
mod check;
mod columns;
mod dates;
pub mod definition;
pub mod documents;
mod duplicates;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;
mod input_digest;
mod json_values;
mod kinds;
mod limit;
mod named_columns;
mod open;
mod passwords;
mod pattern;
mod reader;
mod record;
mod remote;
mod secret;
mod source_kind;
mod tls;
mod total;

pub use account::{AccountSettings, FlagCondition};
pub use check::{SourceCheck, check_source};
pub use columns::{
    AccountColumns, AccountKind, GroundsColumn, KindColumn, Preset, ProfileDates, TextColumn, TimeColumn,
    TimeFormat, TypedAccount, TypedPerson,
};
pub use dates::{DatePlace, not_to_come};
pub use definition::{
    AttributeMapping, CorrelationRule, DefinitionError, IdentityStatus, LifecycleDefinition,
    ManagerDefinition, ManagerMatch, MappingSource, PreferDefinition, ProfileDefinition, SourceDefinition,
    Template, TemplatePart, Transform, unmapped_identity_attributes,
};
pub use documents::DocumentType;
pub use duplicates::Duplicates;
pub use files::FileSettings;
pub use input_digest::{unread_date, unread_digest};
pub use kinds::ReaderSettings;
pub use kinds::delimited::{self, DelimitedSettings, FlagRule};
pub use kinds::delta::DeltaSettings;
pub use kinds::documents::DocumentsSettings;
pub use kinds::ldap::{ChangeSettings, Directory, GroupSettings, LdapSettings, SearchScope};
pub use kinds::ndjson::NdjsonSettings;
pub use kinds::parquet::ParquetSettings;
pub use kinds::scim::{GroupsFrom, Paging, ScimSettings};
pub use kinds::sql::SqlSettings;
pub use kinds::tenant::{
    LeftOut, MirrorRequest, SourceChange, SourceChangeKind, TenantMirror, TenantObjects, TenantSettings,
    mirror as mirror_tenant, mirror_changes,
};
pub use limit::Limit;
pub use open::{open, open_documents, open_source, open_source_after};
pub use reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
pub use record::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, LIST_ITEM_FIELD, column,
    record_schema,
};
pub use secret::{Environment, Secret};
pub use total::{ColumnSum, OnDifference, TotalDefinition, exact_sum};
