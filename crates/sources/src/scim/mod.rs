//! Services that speak SCIM 2.0 (RFC 7643, RFC 7644), with paging by index or by cursor (RFC 9865).
//!
//! `service` asks, waits and asks again; `values` flattens a resource; `reader` puts them together.
//!
//! Invariants: redirects are not followed, so that credentials reach no other host; the number of resources read is
//! the one that the service reports, and the same at the end as at the beginning, else the read is incomplete; every
//! answer has a bound.
//!
//! Why resources are read as JSON and not as typed resources: services send values that the schema forbids and
//! extensions that no type knows, and an account must not be lost for either.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod reader;
mod service;
mod settings;
mod values;

pub(crate) use reader::open;
pub use settings::{GroupsFrom, Paging, ScimSettings};
