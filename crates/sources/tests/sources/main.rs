//! Readers and definitions from outside, as the engine uses them.
#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

mod definitions;
mod delimited;
mod documents;
mod documents_properties;
mod documents_published;
mod organisation;
mod properties;
mod real_data;
mod support;
