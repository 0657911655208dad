//! What a report is and what may happen to it.
//!
//! This crate is the core: report kinds and definitions, arguments, tasks and their legal
//! transitions, who may do what, the use cases (start, result, open, cancel) and the ports
//! through which they reach a store, a clock and files.
//!
//! Invariants:
//! - It does no IO and reads no clock: time, randomness and ids come in through [`ports`].
//! - It names no HTTP, no SQL engine, no Arrow. Query texts in a definition are opaque here.
//! - An [`arguments::Arguments`] value has been checked against its definition; an unchecked
//!   request is a [`arguments::RawArguments`].

pub mod aggregation;
pub mod arguments;
pub mod audit;
pub mod caller;
pub mod cover;
pub mod definition;
pub mod definition_fault;
pub mod error;
pub mod failpoint;
pub mod history;
pub mod ids;
pub mod inspection;
pub mod kept_definition;
pub mod kind;
pub mod made;
mod made_file;
pub mod message;
pub mod metric;
pub mod nearest;
pub mod notification;
pub mod notify;
pub mod pdf_layout;
pub mod ports;
pub mod refreshes;
pub mod result_life;
pub mod retention;
pub mod review;
pub mod saved_search;
pub mod schedule;
pub mod scheduled;
pub mod search;
pub mod search_filter;
mod searching;
pub mod series;
pub mod service;
pub mod snapshot;
pub mod sod;
pub mod sod_policy;
pub mod task;
pub mod task_list;
pub mod trace;

pub use arguments::{ArgumentValue, Arguments, RawArguments};
pub use caller::{Caller, CallerKind, DataScope, Operation};
pub use cover::Cover;
pub use definition::{Catalogue, ReportDefinition};
pub use error::{Category, Error, Result};
pub use kind::{FileFormat, ReportKind};
pub use service::Reports;
pub use snapshot::SnapshotManifest;
pub use task::{Task, TaskState};
