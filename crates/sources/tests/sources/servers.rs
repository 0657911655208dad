//! Real servers that a test starts on free loopback ports from a folder of its own, and stops by their process.
//!
//! A server that is not installed skips its tests with a line that says so.

pub mod mariadb;
pub mod postgres;
pub mod samba;
pub mod scim;
pub mod scripted_http;
pub mod scripted_ldap;
pub mod slapd;
pub mod tenant;

pub use muster_testkit::servers::{ReservedPort, Server, certificates, program};
