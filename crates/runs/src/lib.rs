//! Runs: what the product does, one thing after another, over the engine, the renderer and the ports of a store.
//!
//! - A report is planned, written, counted a second time, and published ([`ReportRuns`]).
//! - A refresh reads the sources, publishes a snapshot, and lets old ones expire ([`Refreshes`], [`Snapshots`]).
//! - A search is answered at once, page by page ([`Searches`]), and so is the history of an identity ([`Histories`]).
//! - A source is checked as a refresh would read it ([`CheckedSource`]), and a folder of reports as the service would run
//!   them ([`catalogue`]). One definition is checked and run once before anybody has it ([`check_definition`], [`run_once`]).
//! - Two runs are compared ([`Comparisons`]), and a run's evidence is packed ([`Packages`]).
//! - Links that people make are read and checked ([`read_links`]).
//! - Files of results expire and are removed ([`ResultExpiry`]).
//! - Everything is copied to a folder of backups, checked there, and put back ([`backup`]).
//! - Files that nothing names any more go to a trash ([`Sweep`]), and damaged ones are found ([`FoundFiles`]).
//!
//! Why a crate: the rules of a run cannot name a database, HTTP, a setting or the environment, because the crate does not.
//! The binary gives it plain values, and prints what comes of them.
//!
//! Invariants:
//! - the only clock, randomness and environment are those that the caller gives;
//! - a result exists once its row is committed, which this crate does not do; until then the run removes its files if
//!   it fails.

pub mod backup;
mod bucket;
mod comparison;
mod copies;
mod definition_check;
mod definition_trial;
mod definitions;
mod digest;
mod evidence;
mod history;
mod inspection;
mod integrity;
mod kept_definitions;
mod lock;
mod manual_links;
mod readiness;
mod refresh;
mod report;
mod result_expiry;
mod result_files;
mod reviews;
mod search;
mod snapshot_comparison;
mod snapshots;
mod source_check;
mod sweep;
mod thousands;
pub mod trash;
mod work;

pub use bucket::{BucketKind, BucketPlace};
pub use comparison::Comparisons;
pub use copies::Copies;
pub use definition_check::check_definition;
pub use definition_trial::{Trial, run_once};
pub use definitions::catalogue;
pub use evidence::{Authority, PackageParts, Packages};
pub use history::Histories;
pub use inspection::Inspections;
pub use integrity::FoundFiles;
pub use kept_definitions::{CustomDefinitions, KeptDefinitions};
pub use lock::{Lock, lock, lock_refresh};
pub use manual_links::{ManualLinks, RefusedLink, read_links, written_links};
pub use readiness::{AskedResults, ServiceReadiness, free_bytes};
pub use refresh::{
    RefreshOptions, RefreshPlan, RefreshReport, RefreshSummary, Refreshes, ScheduledRefreshes, SourceSummary,
};
pub use report::{ReportRuns, ResultWriting};
pub use result_expiry::{ExpiredResults, ResultExpiry};
pub use result_files::{BucketCheck, LeftOver, PendingFile, ResultFiles, Survey};
pub use reviews::{ReviewRuns, csv_rows};
pub use search::Searches;
pub use snapshot_comparison::{CountedDifference, compare_snapshots};
pub use snapshots::{Expiry, ExpiryExtent, Snapshots, find_snapshot};
pub use source_check::CheckedSource;
pub use sweep::{Sweep, Swept};
pub use thousands::thousands;
pub use work::clear_work;

use muster_reports::audit::{AuditEvent, AuditOperation};

/// Makes an audit event with the present time, from the operation, its object and the details. The giver of this
/// function decides who the caller is.
pub type Events = dyn Fn(AuditOperation, &str, String) -> AuditEvent + Send + Sync;
