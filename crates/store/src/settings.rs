//! Limits of a store, and which clock it uses.

use crate::seal::SealKey;
use crate::session::Moment;
use chrono::{DateTime, Utc};
use muster_reports::ports::Clock;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which clock says when a change happens, and so decides about leases and deadlines.
#[derive(Clone)]
pub enum Deciding {
    /// The database's clock if it has one (PostgreSQL), so that nodes whose clocks differ agree; otherwise this one,
    /// which the callers use, too. The clock is read inside the change's transaction, when it is the turn of the
    /// change.
    DatabaseOr(Arc<dyn Clock>),
    /// The database's clock if it has one, otherwise the caller's: for tests.
    Database,
    /// The caller's clock with any database: for tests that set the time.
    Caller,
}

impl Deciding {
    /// The time of a change over SQLite when it is its turn.
    pub(crate) fn on_sqlite(&self, caller_now: DateTime<Utc>) -> Moment {
        Moment::of_caller(match self {
            Self::DatabaseOr(clock) => clock.now(),
            Self::Database | Self::Caller => caller_now,
        })
    }
}

impl fmt::Debug for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DatabaseOr(_) => "DatabaseOr",
            Self::Database => "Database",
            Self::Caller => "Caller",
        })
    }
}

/// Limits of a store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Attempts after which a task fails; at least one.
    pub attempts_max: u32,
    /// Pending and running tasks of all tenants. Further starts are refused as `Unavailable`. On PostgreSQL, starts at
    /// the same moment may exceed this by a few.
    pub live_max: u32,
    /// Pending and running tasks of one client, so that it cannot take every place. This may be exceeded by a few, too.
    pub client_live_max: u32,
    /// SQLite: connections for reading.
    pub readers: u32,
    /// PostgreSQL: most connections, in addition to the one that listens.
    pub connections: u32,
    /// How long a call waits for another process that is writing, for a free connection, or for an unreachable
    /// database, before it returns `Unavailable`.
    pub busy_wait: Duration,
    /// PostgreSQL: how long one statement may take.
    pub statement_wait: Duration,
    /// Which clock says when a change happens.
    pub deciding: Deciding,
    /// Key of the seals on the heads of audit trails; without one they are not sealed.
    pub seal_key: Option<SealKey>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            live_max: 10_000,
            client_live_max: 5_000,
            readers: 4,
            connections: 16,
            busy_wait: Duration::from_secs(5),
            statement_wait: Duration::from_secs(20),
            deciding: Deciding::Database,
            seal_key: None,
        }
    }
}
