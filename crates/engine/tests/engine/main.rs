//! The engine from files to rows: refresh and reports over real Delta tables.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod changes;
mod damage;
mod dates;
mod delta;
mod duties;
mod explanations;
mod history;
mod hris;
mod incremental;
mod installation;
mod losses;
mod order;
mod own_reports;
mod owners_sums;
mod periods;
mod properties;
mod records_of_one_person;
mod refresh;
mod reports;
mod reviews;
mod scope;
mod search;
mod search_aggregation;
mod search_pages;
mod search_reference;
mod snapshots;
mod upgrade;
