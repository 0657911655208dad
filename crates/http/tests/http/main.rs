//! The service through its router, in process: what a client sends and what it gets.
//!
//! Expectations come from the published documents and from RFCs, written out by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod administration;
mod as_of;
mod audit;
mod auditor;
mod client;
mod compare;
mod console;
mod contract;
mod definitions;
mod download;
mod evidence;
mod external_issuers;
mod history;
mod hostile;
mod limits;
mod log;
mod matrix;
mod notifications;
mod openapi;
mod retention;
mod reviews;
mod rights;
mod saved_searches;
mod scheduled_searches;
mod schedules;
mod scope;
mod search;
mod sign_in;
mod snapshots;
mod sod;
mod task_status;
mod token;
mod world;
