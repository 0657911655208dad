//! The console in front of an API that answers what the tests say, and counts what it is asked.
//!
//! Expectations are written out by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod forms;
mod issuer;
mod pages;
mod reviews;
mod sign_in;
mod stub;
