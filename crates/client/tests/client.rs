//! The SDK against a service that answers as told, against published descriptions of services, and against recorded exchanges.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "client/exchanges.rs"]
mod exchanges;
#[path = "client/neighbours.rs"]
mod neighbours;
#[path = "client/own.rs"]
mod own;
#[path = "client/published.rs"]
mod published;
#[path = "client/reports.rs"]
mod reports;
#[path = "client/told.rs"]
mod told;
