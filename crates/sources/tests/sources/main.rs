//! Readers and definitions from outside, as the engine uses them.
#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

mod active_directory;
mod definitions;
mod delimited;
mod files;
mod ldap;
mod ldap_faults;
mod organisation;
mod properties;
mod real_data;
mod scim;
mod servers;
mod sql;
mod support;
mod tenant;
