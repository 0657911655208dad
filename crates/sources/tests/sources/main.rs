//! Readers and definitions from outside, as the engine uses them.
#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

mod active_directory;
mod dates;
mod definitions;
mod delimited;
mod delta;
mod documents;
mod documents_properties;
mod documents_published;
mod files;
mod ldap;
mod ldap_changes;
mod ldap_faults;
mod properties;
mod real_data;
mod scim;
mod scim_versions;
mod servers;
mod sql;
mod sql_mariadb;
mod support;
mod tenant;
mod tenant_faults;
mod tenant_mirror;
mod totals;
