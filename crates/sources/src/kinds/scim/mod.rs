//! Services that speak SCIM 2.0 (RFC 7643, RFC 7644), with paging by index or by cursor (RFC 9865).
//!
//! `service` asks, waits and asks again; `members` finds a member of a resource, and `values` flattens a resource; `seen`
//! notices users that come twice; `version` is what an entity tag is, and `changes` whether pages with such tags are what
//! they were; `reader` puts them together.
//!
//! Invariants: redirects are not followed, so that credentials reach no other host; the number of different users read
//! is the one that the service reports, and the same at the end as at the beginning, else the read is incomplete; a user
//! that changed while it was given twice fails the read, so that no order decides what it is; every answer has a bound.
//!
//! Why resources are read as JSON and not as typed resources: services send values that the schema forbids and
//! extensions that no type knows, and an account must not be lost for either.

mod changes;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod members;
mod reader;
mod seen;
mod service;
mod settings;
mod values;
mod version;

pub use settings::{GroupsFrom, Paging, ScimSettings};
