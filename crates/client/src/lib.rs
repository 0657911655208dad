//! A Rust SDK for the Reports Data Extraction API and the operations around it, of Muster or of any other service that
//! speaks them.
//!
//! # A report, from its start to its file
//!
//! The arguments are typed: their type says which report is meant.
//!
//! ```no_run
//! use muster_client::wire::{FileFormat, IdentitiesArguments};
//! use muster_client::{Client, Configuration, Credentials, DownloadOptions, succeeded};
//! use std::time::Duration;
//!
//! # async fn run() -> Result<(), muster_client::Error> {
//! let credentials = Credentials::client("client-id", "client-secret");
//! let client = Client::new(Configuration::new("http://127.0.0.1:8080", credentials))?;
//! let reports = client.reports();
//!
//! let arguments = IdentitiesArguments { correlated_only: Some(true) };
//! let mut running = reports.run(&arguments).start().await?.cancel_on_drop();
//! let result = running
//!     .watch(Duration::from_secs(600), |progress| {
//!         println!("{:?} of {:?} rows", progress.rows, progress.rows_expected);
//!     })
//!     .await?;
//! println!("{:?} rows", succeeded(result)?.rows);
//!
//! let mut file = Vec::new();
//! let options = DownloadOptions { auditable: true, ..DownloadOptions::default() };
//! let download = reports.get_report(running.id(), &FileFormat::Csv, &options, &mut file).await?;
//! assert!(download.verified);
//! # Ok(())
//! # }
//! ```
//!
//! [`ReportsDataExtractionApi`] also has the four published operations one by one: `start_report`, `get_report_result`,
//! `get_report` and `cancel_report`.
//!
//! # Where the service is
//!
//! [`Configuration::from_env`] reads what the published SDKs read: the variables `SAIL_BASE_URL`, `SAIL_CLIENT_ID` and
//! `SAIL_CLIENT_SECRET`, else `config.json` in the working directory, else the YAML file in the folder `.sailpoint` of the home
//! directory.
//! Nothing else here reads the environment.
//!
//! # The parts of the API
//!
//! | part | operations |
//! |---|---|
//! | [`Client::reports`] | reports: start, result, files, cancel; and Muster's own: definitions, comparisons, evidence |
//! | [`Client::tasks`] | the list of tasks (task-status) |
//! | [`Client::search`] | search, count, aggregate |
//! | [`Client::saved_searches`], [`Client::scheduled_searches`] | searches that are kept, and executed at times |
//! | [`Client::identity_history`] | what identities were, and what happened to them |
//! | [`Client::sod_policies`] | policies for separation of duties, and reports of their violations |
//! | [`Client::reviews`] | access reviews, which only Muster has |
//! | [`Client::definitions`] | reports of an installation's own, which only Muster has |
//! | [`Client::schedules`] | reports at times, which only Muster has |
//! | [`Client::installation`] | sources, snapshots, clients, the audit trail, which only Muster has |
//!
//! Lists are given by the page, with [`Paging`], or as streams that fetch pages as their elements are taken.
//!
//! # What is done for the caller
//!
//! - **Tokens** are fetched when needed, renewed before they expire, and once more when the service refuses one.
//! - **Repetitions** are bounded and honour `Retry-After`. A request is sent again after a 429, a 503 that names a time, or
//!   when no connection was had; after a 502, a 504 or a broken connection only if it does the same when it is done twice.
//!   Keeping a saved search, for example, is not repeated then.
//! - **Downloads** that break off go on where they stopped, and their digest is checked when the service sends one.
//!   [`FileStream`] gives a file in pieces.
//! - **Dropping a future** ends the request that it waits for. [`RunningReport::cancel_on_drop`] cancels the report with it.
//!
//! # Invariants
//!
//! - It knows nothing of the server: the shapes come from [`wire`].
//! - Secrets and tokens are in no `Debug` text and in no error. They are sent to the configured host and to no other.
//! - A download that returns success is whole.
//! - A value that was not published when this was written is read as `Other`, so a newer service does not break a client.

mod api;
mod client;
mod configuration;
mod definitions;
mod download;
mod error;
mod extensions;
mod history;
mod installation;
mod page;
mod part;
mod published_settings;
mod retry;
mod reviews;
mod run;
mod saved_searches;
mod scheduled_searches;
mod schedules;
mod search;
mod sod_policies;
mod tasks;
mod token;
mod transport;

pub use api::ReportsDataExtractionApi;
pub use client::Client;
pub use configuration::{ApiVersion, Configuration, Credentials};
pub use definitions::DefinitionApi;
pub use download::{Download, DownloadOptions, FileStream, Resume};
pub use error::{Error, Refusal};
pub use extensions::{ComparisonFile, Progress};
pub use history::{EventFilter, IdentityFilter, IdentityHistoryApi, Interval, SnapshotPair};
pub use installation::InstallationApi;
pub use page::{Page, Paging};
pub use published_settings::{PublishedSettings, SettingsOrigin};
pub use reviews::{ReviewApi, ReviewItemFilter};
pub use run::{Report, RunBuilder, RunningReport, succeeded};
pub use saved_searches::SavedSearchApi;
pub use scheduled_searches::ScheduledSearchApi;
pub use schedules::ScheduleApi;
pub use search::{SearchApi, search_for};
pub use sod_policies::SodPolicyApi;
pub use tasks::{TaskFilter, TaskManagementApi};

/// The published JSON.
pub use muster_wire as wire;
