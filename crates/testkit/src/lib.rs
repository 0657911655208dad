//! Development only: what tests of every crate share.
//!
//! - [`TestClock`] and [`CountingIds`] fix time and ids.
//! - [`MemoryStore`] is the fake of every store port; [`FakeRunner`] the fake of the report runner.
//! - [`build`] makes callers, tasks, snapshots and results with plausible content.
//! - [`contract`] holds the suites that every adapter of a port passes, the fake included.
//!
//! Nothing here reads a clock, sleeps, or leaves a file outside the folder it was given.

pub mod build;
pub mod contract;
mod fixed;
mod memory;
mod runner;

pub use fixed::{CountingIds, TestClock};
pub use memory::MemoryStore;
pub use runner::{FakeRun, FakeRunner};
