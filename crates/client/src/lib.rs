//! A Rust SDK for the Reports Data Extraction API, of this service or of any other that speaks it.
//!
//! ```no_run
//! use muster_client::{Configuration, Credentials, DownloadOptions, ReportsDataExtractionApi};
//! use muster_client::wire::{FileFormat, IdentitiesArguments, ReportType};
//! use std::time::Duration;
//!
//! # async fn run() -> Result<(), muster_client::Error> {
//! let credentials = Credentials::client("client-id", "client-secret");
//! let api = ReportsDataExtractionApi::new(Configuration::new("http://127.0.0.1:8080", credentials))?;
//! let arguments = IdentitiesArguments { correlated_only: Some(true) };
//! let task = api.start(ReportType::Identities, &arguments).await?;
//! let id = task.id.unwrap_or_default();
//! api.wait(&id, Duration::from_secs(1), Duration::from_secs(600)).await?;
//! let mut file = Vec::new();
//! api.get_report(&id, &FileFormat::Csv, &DownloadOptions::default(), &mut file).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Tokens are fetched when needed, renewed before they expire, and once more when the service refuses
//! one. `Retry-After` is honoured and retries are bounded. A download that breaks off goes on where it
//! stopped, and its digest is checked when the service sends one.
//!
//! Invariants:
//! - It knows nothing of the server: the shapes come from `muster-wire`.
//! - Secrets and tokens are in no `Debug` text and in no error.
//! - A download that returns success is whole.

mod api;
mod configuration;
mod download;
mod error;
mod extensions;
mod retry;
mod token;
mod transport;

pub use api::ReportsDataExtractionApi;
pub use configuration::{Configuration, Credentials};
pub use download::{Download, DownloadOptions, Resume};
pub use error::{Error, Refusal};
pub use extensions::ComparisonFile;
/// The published JSON.
pub use muster_wire as wire;
