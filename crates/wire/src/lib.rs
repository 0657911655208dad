//! The published JSON of the Reports Data Extraction API, exactly.
//!
//! These types are the shapes that clients and services exchange, with the published names, and
//! the schemas of our OpenAPI document. They are here, apart from the server, so that the Rust SDK
//! is built from the same shapes without knowing the server.
//!
//! Invariants:
//! - No behaviour and no knowledge of the core: conversions live in the `http` crate.
//! - A field is written as an explicit `null` only where the published document says `nullable`
//!   and clients poll on it; every other absent field is left out.
//! - Enumerations hold the published values only. Reading keeps an unknown value as `Other`, so
//!   that a client does not break on a newer service; a service never writes `Other`.

mod arguments;
mod enumeration;
mod error;
mod report;
mod token;

pub use arguments::{
    AccountsArguments, IdentitiesArguments, IdentitiesDetailsArguments,
    IdentityProfileIdentityErrorArguments, OrphanIdentitiesArguments, ReportArguments, SearchExportArguments,
    UncorrelatedAccountsArguments,
};
pub use enumeration::{
    CompletionStatus, FileFormat, LocaleOrigin, MessageType, ReportType, ResultStatus, SearchIndex, TaskType,
};
pub use error::{ErrorMessageDto, ErrorResponseDto, RateLimited, Unauthorized};
pub use report::{
    ReportDetails, ReportResults, TaskResultDetails, TaskResultDetailsMessagesInner,
    TaskResultDetailsReturnsInner,
};
pub use token::{OAuthError, OAuthErrorCode, TokenAnswer};
