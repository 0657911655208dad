//! What taking, checking and restoring a backup have in common.

use crate::bucket;
use crate::failure::{Failure, Result};
use muster_reports::audit::AuditHead;
use muster_runs::backup::BackupPlace;
use muster_store::{Place, SealKey, Store};
use std::path::Path;

/// The place of backups that a person names. The variables of the service's own programs say how a bucket is reached.
pub fn backup_place(named: &Path) -> Result<BackupPlace> {
    BackupPlace::read(named, bucket::variables()).map_err(|error| Failure::usage(error.message))
}

/// Runs what reads and writes files for long without holding up the runtime.
pub fn blocking<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}

/// A head of the audit trail, as people note it.
pub fn shown(head: &AuditHead) -> String {
    format!("{}:{}", head.sequence, head.hash)
}

/// Opens the copy of an SQLite database.
pub async fn open_copy(path: &Path, seal_key: Option<SealKey>) -> Result<Store> {
    let settings = muster_store::Settings { seal_key, ..muster_store::Settings::default() };
    Ok(Store::open(&Place::Sqlite(path.to_owned()), settings).await?)
}
