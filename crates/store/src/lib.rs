//! Tasks, leases, schedules, saved searches, credentials, snapshot catalogue, registry and audit trail.
//!
//! [`Store`] implements the store ports of `muster-reports` over one SQLite file or one PostgreSQL database.
//!
//! Invariants:
//! - What a method acknowledged is on the disk. SQLite writes through a log with full synchronisation, over one
//!   connection. With PostgreSQL, the store waits for the commit, and asks the database about it if the answer was
//!   lost.
//! - A task changes its state only as `muster-reports` declares: the `WHERE` of each update is made from the
//!   declaration. The `WHERE` of a worker's write also has the epoch, so that a worker without a valid lease changes
//!   nothing.
//! - What the store does is written once, over a session of either database; only opening, transactions and
//!   signals between processes differ.
//! - It knows no report's content and no file.

mod audit;
mod copying;
mod credentials;
mod definitions;
mod dump;
mod failure;
mod installation;
mod manifests;
mod messages;
mod migrations;
mod notifications;
mod postgres;
mod refreshes;
mod registry;
mod relay;
mod results;
mod reviews;
mod rows;
mod saved_searches;
mod schedules;
mod seal;
mod session;
mod settings;
mod signals;
mod snapshots;
mod sod_policies;
mod sqlite;
mod store;
mod tables_state;
mod tasks;

pub use dump::{PinnedStore, ScratchDatabase, can_read_dumps, check_target, read_dump, restore_dump};
pub use installation::Installation;
pub use postgres::PostgresUrl;
pub use seal::SealKey;
pub use settings::{Deciding, Settings};
pub use store::{Place, Store};
pub use tables_state::TablesState;
