//! Snapshots beyond reading reports off them: what the binary asks of the tables behind them, and what
//! keeps those tables from growing for ever.
//!
//! Why a trait: as with refreshing, the engine is joined in `engine_wiring` alone.

use crate::data_dir::DataDir;
use crate::engine_wiring::{Checked, CorrelationExplanation, Damage, Removal, Removed};
use crate::failure::{Failure, Result};
use crate::report_run::Rows;
use crate::trash;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditOperation;
use muster_reports::ids::SnapshotId;
use muster_reports::ports::{AuditEvent, AuditTrail, ManualLink, SnapshotCatalogue};
use muster_reports::retention::{AsOf, CataloguedSnapshot};
use muster_reports::step::{Step, taken};
use muster_reports::{DataScope, SnapshotManifest};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables behind snapshots.
#[async_trait]
pub trait SnapshotTables: Send + Sync {
    /// Moves what no snapshot of `kept` reads to the trash; without a `removal` counts it. No refresh may run meanwhile.
    ///
    /// # Errors
    /// When a table cannot be read, there is more than may go unasked, or a file cannot be moved; what is kept is whole
    /// then too.
    async fn remove_unkept(
        &self,
        kept: &[SnapshotManifest],
        removal: Option<&Removal>,
    ) -> muster_reports::Result<Removed>;

    /// The rows of a table that `scope` shows, by the columns of `order`, at most `rows_max`.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn rows_of(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
        scope: &DataScope,
        order: &'static str,
        rows_max: usize,
    ) -> muster_reports::Result<Vec<RecordBatch>>;

    /// Hashes every file of these snapshots and compares it with the manifests.
    ///
    /// # Errors
    /// When that could not be done. What is damaged is no error but an outcome.
    async fn check(&self, kept: &[SnapshotManifest]) -> muster_reports::Result<Checked>;

    /// What is wrong with a snapshot as far as a look at its files shows it.
    ///
    /// # Errors
    /// When nobody could look.
    async fn apparent_damage(
        &self,
        manifest: &Arc<SnapshotManifest>,
    ) -> muster_reports::Result<Option<Damage>>;

    /// What differs between two snapshots, in a fixed order.
    ///
    /// # Errors
    /// When either cannot be read.
    async fn compare(
        &self,
        old: &SnapshotManifest,
        new: &SnapshotManifest,
    ) -> muster_reports::Result<Box<dyn Rows>>;

    /// Why an account of a source belongs to whom it belongs to in a snapshot.
    ///
    /// # Errors
    /// `Invalid` where there is no such source or account.
    async fn explain(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &str,
        native_identity: &str,
    ) -> muster_reports::Result<CorrelationExplanation>;

    /// Why links cannot hold over a snapshot, by their places in `links`.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    async fn refused_links(
        &self,
        snapshot: Arc<SnapshotManifest>,
        links: &[ManualLink],
    ) -> muster_reports::Result<BTreeMap<usize, String>>;
}

/// What the policy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiry {
    /// Snapshots that expired, the last published first.
    pub expired: Vec<SnapshotId>,
    /// Files that went to the trash.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How far an expiry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It says what would be.
    DryRun,
    /// Files that are left over go unless they are too many.
    ByPolicy,
    /// All files that are left over go.
    All,
}

/// Lets snapshots expire by the policy of the settings, moves what only they read to the trash, and empties that of what has
/// been there for long. To be called under the lock of refreshing.
///
/// # Errors
/// When the store or a table cannot be read or written. Calling it again finishes what was begun.
pub async fn expire(
    data: &DataDir,
    tables: &dyn SnapshotTables,
    now: DateTime<Utc>,
    extent: Extent,
) -> Result<Expiry> {
    let policy = data.settings.snapshots.policy();
    // First the catalogue, then the files: whoever asks is told that a snapshot has expired, and never
    // finds one that is half there.
    if extent == Extent::DryRun {
        let expired = data.store.expire(&data.tenant, policy, now, true).await?;
        let mut kept = data.store.kept().await?;
        kept.retain(|manifest| !expired.contains(&manifest.id));
        let removed = tables.remove_unkept(&kept, None).await?;
        return Ok(Expiry { expired, files: removed.files, bytes: removed.bytes });
    }
    let event = data.event(AuditOperation::SnapshotExpired, "snapshots", String::new());
    let expired = data.store.expire_recorded(&AuditEvent { at: now, ..event }, policy).await?;
    if !expired.is_empty() {
        taken(Step::SnapshotsExpired);
    }
    let kept = data.store.kept().await?;
    let removal = Removal {
        trash: trash::place(&data.tables_dir(), now),
        expired: Box::pin(data.store.expired_count(&data.tenant)).await?,
        all: extent == Extent::All,
    };
    let removed = tables.remove_unkept(&kept, Some(&removal)).await?;
    if removed.files > 0 {
        let details = format!(
            "{} files of {} bytes moved to {}",
            removed.files,
            removed.bytes,
            removal.trash.display()
        );
        data.store.record(&data.event(AuditOperation::FilesRemoved, "tables", details)).await?;
    }
    trash::empty(&data.tables_dir(), now, data.settings.data.trash_days)?;
    Ok(Expiry { expired, files: removed.files, bytes: removed.bytes })
}

/// The snapshot that a person means: an id, a date, a time, or `newest`.
///
/// # Errors
/// When the text is none of these, or there is no such snapshot.
pub async fn find(data: &DataDir, text: &str) -> Result<CataloguedSnapshot> {
    let found = if text == "newest" {
        data.store.catalogued(&data.tenant, 1).await?.pop()
    } else {
        // A snapshot's id may be any text, also one that looks like no id of ours.
        let by_id = AsOf::Snapshot(SnapshotId::new(text));
        match data.store.as_of(&data.tenant, &by_id).await? {
            Some(found) => Some(found),
            None => data.store.as_of(&data.tenant, &text.parse::<AsOf>()?).await?,
        }
    };
    found.ok_or_else(|| {
        Failure::new(format!("there is no snapshot {text:?}: `muster snapshot list` lists what there is"))
    })
}
