//! Tasks, leases, credentials, snapshot catalogue, registry, audit trail and result files.
//!
//! [`SqliteStore`] implements the store ports of `muster-reports` over one SQLite file;
//! [`ResultFiles`] keeps the files that results name on a local folder.
//!
//! Invariants:
//! - What a method acknowledged is on the disk (WAL, synchronous FULL). Writes go through one
//!   connection, in transactions of their own or together with others that arrived meanwhile.
//! - Legal task transitions stand in the `WHERE` of the updates, and the epoch in that of every
//!   worker's write: a worker that lost its lease changes nothing.
//! - Time comes in with every call. Only result files that a committed record names are served.
//! - It knows no report's content.

mod administration;
mod audit;
mod credentials;
mod failure;
mod files;
mod messages;
mod registry;
mod rows;
mod secrets;
mod signals;
mod snapshots;
mod sqlite;
mod tasks;
mod writer;

pub use files::{PendingFile, ResultFiles, Survey};
pub use sqlite::{Settings, SqliteStore};
