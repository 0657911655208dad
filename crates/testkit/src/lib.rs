//! For development only: code that tests of every crate share.
//!
//! - [`TestClock`] and [`CountingIds`] fix time and ids; [`AnyQuery`] accepts nearly every query.
//! - [`MemoryStore`] is the fake of every store port; [`FakeRunner`] is the fake of the report runner.
//! - [`build`] makes callers, tasks, snapshots and results with plausible content.
//! - [`acts`] runs the actions that require an audit event, each with an event of its own.
//! - [`Counts`] keeps what counters count.
//! - [`corpus`] runs fuzz targets on the kept inputs.
//! - [`definitions`] has the sources of people and accounts that tests begin with.
//! - [`generated_docs`] checks that generated documents are current.
//! - [`contract`] has the test suites that every adapter of a port must pass, including the fake.
//! - [`PostgresServer`] is a real server that is started and stopped; [`servers`] has other servers.
//!
//! Nothing here reads a clock, or leaves a file outside its folder. Only real servers are waited for.

pub mod acts;
pub mod build;
pub mod contract;
pub mod corpus;
mod counts;
pub mod definitions;
mod fixed;
pub mod generated_docs;
mod memory;
pub mod postgres;
mod runner;
pub mod servers;

pub use counts::Counts;
pub use fixed::{AnyQuery, CountingIds, TestClock};
pub use memory::MemoryStore;
pub use postgres::PostgresServer;
pub use runner::{FakeRun, FakeRunner};
