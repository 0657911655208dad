//! The one place of the binary that names the engine.

use crate::config;
use crate::refresh::Refresher;
use muster_reports::Catalogue;
use muster_reports::ports::{Clock, Ids, ReportRunner, SnapshotCatalogue};
use std::path::PathBuf;
use std::sync::Arc;

/// What the engine is made from.
pub struct Parts {
    /// Folder of the identity tables.
    pub tables_dir: PathBuf,
    /// Folder for spill files and refresh work.
    pub work_dir: PathBuf,
    /// Folder of the result files.
    pub results_dir: PathBuf,
    /// `[engine]`
    pub engine: config::Engine,
    /// `[csv]`
    pub csv: config::Csv,
    /// The reports there are.
    pub catalogue: Catalogue,
    /// Where snapshots are published and found.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids of snapshots.
    pub ids: Arc<dyn Ids>,
}

/// What the engine does for the rest of the binary.
#[derive(Clone)]
pub struct EnginePorts {
    /// Runs reports.
    pub runner: Arc<dyn ReportRunner>,
    /// Refreshes.
    pub refresher: Arc<dyn Refresher>,
}

/// Opens the engine.
///
/// # Errors
/// When its folders cannot be made or its threads not started.
pub fn open(parts: Parts) -> muster_reports::Result<EnginePorts> {
    let _ = parts;
    Err(muster_reports::Error::unavailable("this build of muster has no engine"))
}
