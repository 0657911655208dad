//! An Identity Security Cloud tenant, mirrored over its REST API: the accounts of one of its sources, its identities,
//! and its search documents.
//!
//! `service` asks, waits, asks again and renews the access token; `list` goes through the pages of a list and proves
//! that none was skipped; `source` finds a source and its account schema; `values` makes records of what came;
//! `reader` puts them together. `documents` gives search documents as lines of JSON. `mirror` makes definitions of all
//! that a tenant has.
//!
//! Invariants:
//! - lists are read in a fixed order, page by page; by offset each page begins with the last element of the page
//!   before, so that elements which are added or removed between two pages are noticed and not repeated or skipped;
//! - a read is complete only when as many elements came as the tenant reported before, and it reports the same after;
//! - redirects are not followed, and no error holds the client secret or the token, not even when the tenant says it;
//! - every answer, every wait and every read has a bound.
//!
//! What the lists can do is taken from the tenant's published OpenAPI documents: accounts and search documents are
//! sorted by id, identities by alias, for their list knows no other unique order.

mod documents;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod list;
mod mirror;
mod reader;
mod service;
mod settings;
mod source;
mod values;

pub use mirror::{
    LeftOut, MirrorRequest, SourceChange, SourceChangeKind, TenantMirror, mirror, mirror_changes,
};
pub use settings::{TenantObjects, TenantSettings};
