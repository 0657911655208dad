//! The store over both databases: the same contract suites, and what each promises by itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ages;
mod audit;
mod broken_commits;
mod faults;
mod order;
mod postgres;
mod reseal;
mod sqlite;
mod upgrade;
