//! Directory servers over LDAP, Active Directory among them.
//!
//! `connection` opens, secures and binds; `search` asks for one page; `entry` takes answers apart; `values` turns
//! bytes into text; `changes` tells what changed since the last read; `active_directory` knows what only that server means; `groups` finds what an account is a member
//! of; `reader` puts them together.
//!
//! Invariants: searches are always paged, so that neither side holds a whole result; a search that does not end
//! with the server's success and an empty cookie makes the read incomplete; referrals are counted and never
//! followed; attributes that hold passwords are never kept.

mod active_directory;
mod changes;
mod connection;
mod entry;
mod groups;
mod reader;
mod search;
mod settings;
mod values;

pub use settings::{ChangeSettings, Directory, GroupSettings, LdapSettings, SearchScope};
