//! Snapshots beyond reading reports off them: what the binary asks of the tables behind them, and what
//! keeps those tables from growing for ever.
//!
//! Why a trait: as with refreshing, the engine is joined in `engine_wiring` alone.

use crate::engine_wiring::{Checked, CorrelationExplanation, Damage, Removed};
use crate::failure::{Failure, Result};
use crate::house::House;
use crate::report_run::Rows;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::ids::SnapshotId;
use muster_reports::ports::SnapshotCatalogue;
use muster_reports::retention::{AsOf, CataloguedSnapshot};
use muster_reports::step::{Step, taken};
use muster_reports::{DataScope, SnapshotManifest};
use serde::Serialize;
use std::sync::Arc;

/// The tables behind snapshots.
#[async_trait]
pub trait SnapshotTables: Send + Sync {
    /// Removes what no snapshot of `kept` reads; with `dry_run` counts it. No refresh may run meanwhile.
    ///
    /// # Errors
    /// When a table cannot be read or a file not removed; what is kept is whole then too.
    async fn remove_unkept(
        &self,
        kept: &[SnapshotManifest],
        dry_run: bool,
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
    ) -> muster_reports::Result<Box<dyn Rows>>;

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
}

/// What the policy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiry {
    /// Snapshots that expired, the last published first.
    pub expired: Vec<SnapshotId>,
    /// Files that went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Lets snapshots expire by the policy of the settings, and removes what only they read. With `dry_run`
/// says what would be. To be called under the lock of refreshing.
///
/// # Errors
/// When the store or a table cannot be read or written. Calling it again finishes what was begun.
pub async fn expire(
    house: &House,
    tables: &dyn SnapshotTables,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Expiry> {
    let policy = house.settings.snapshots.policy();
    // First the catalogue, then the files: whoever asks is told that a snapshot has expired, and never
    // finds one that is half there.
    let expired = house.store.expire(&house.tenant, policy, now, dry_run).await?;
    if !dry_run && !expired.is_empty() {
        taken(Step::SnapshotsExpired);
    }
    let mut kept = house.store.kept().await?;
    if dry_run {
        kept.retain(|manifest| !expired.contains(&manifest.id));
    }
    let removed = tables.remove_unkept(&kept, dry_run).await?;
    Ok(Expiry { expired, files: removed.files, bytes: removed.bytes })
}

/// The snapshot that a person means: an id, a date, a time, or `newest`.
///
/// # Errors
/// When the text is none of these, or there is no such snapshot.
pub async fn find(house: &House, text: &str) -> Result<CataloguedSnapshot> {
    let found = if text == "newest" {
        house.store.catalogued(&house.tenant, 1).await?.pop()
    } else {
        // A snapshot's id may be any text, also one that looks like no id of ours.
        let by_id = AsOf::Snapshot(SnapshotId::new(text));
        match house.store.as_of(&house.tenant, &by_id).await? {
            Some(found) => Some(found),
            None => house.store.as_of(&house.tenant, &text.parse::<AsOf>()?).await?,
        }
    };
    found.ok_or_else(|| {
        Failure::new(format!("there is no snapshot {text:?}: `muster snapshot list` lists what there is"))
    })
}
