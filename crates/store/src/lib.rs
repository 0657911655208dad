//! Tasks, leases, credentials, snapshot catalogue, registry and audit trail.
//!
//! [`Store`] implements the store ports of `muster-reports` over one SQLite file or one PostgreSQL database.
//!
//! Invariants:
//! - What a method acknowledged is on the disk: SQLite writes through a log with full synchronisation, over
//!   one connection; PostgreSQL's commit is waited for, and asked for where its answer was lost.
//! - Legal task transitions stand in the `WHERE` of the updates, and the epoch in that of every
//!   worker's write: a worker that lost its lease changes nothing.
//! - What the store does is written once, over a session of either database; only opening, transactions and
//!   signals between processes differ.
//! - It knows no report's content and no file.

mod administration;
mod audit;
mod credentials;
mod failure;
mod installation;
mod messages;
mod migrations;
mod postgres;
mod registry;
mod relay;
mod rows;
mod secrets;
mod session;
mod signals;
mod snapshots;
mod sqlite;
mod store;
mod tasks;

pub use audit::SealKey;
pub use installation::Installation;
pub use postgres::PostgresUrl;
pub use store::{Deciding, Place, Settings, Store};
