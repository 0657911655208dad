//! Development only: what tests of every crate share.
//!
//! - [`TestClock`] and [`CountingIds`] fix time and ids; [`AnyQuery`] takes nearly every query.
//! - [`MemoryStore`] is the fake of every store port; [`FakeRunner`] the fake of the report runner.
//! - [`build`] makes callers, tasks, snapshots and results with plausible content.
//! - [`acts`] does what needs an audit event, with one of its own.
//! - [`corpus`] gives kept inputs of fuzzing to the functions that fuzzing calls.
//! - [`contract`] holds the suites that every adapter of a port passes, the fake included.
//! - [`PostgresServer`] is a real server, started and stopped; [`servers`] are others.
//!
//! Nothing here reads a clock or leaves a file outside the folder it was given; only real servers are
//! waited for.

pub mod acts;
pub mod build;
pub mod contract;
pub mod corpus;
mod fixed;
mod memory;
pub mod postgres;
mod runner;
pub mod servers;

pub use fixed::{AnyQuery, CountingIds, TestClock};
pub use memory::MemoryStore;
pub use postgres::PostgresServer;
pub use runner::{FakeRun, FakeRunner};
