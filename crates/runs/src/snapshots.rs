//! Which snapshot a person means, and how snapshots expire, so that the tables do not grow for ever.

use crate::Events;
use crate::lock::{Lock, lock_refresh};
use crate::trash;
use futures_util::future::BoxFuture;
use muster_engine::Engine;
use muster_engine::retention::Removal;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, Clock, SnapshotCatalogue};
use muster_reports::retention::{AsOf, CataloguedSnapshot, RetentionPolicy};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// The snapshots of one tenant and the tables behind them.
pub struct Snapshots {
    /// What knows the tables.
    pub engine: Arc<Engine>,
    /// What knows the snapshots.
    pub catalogue: Arc<dyn SnapshotCatalogue>,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// Makes the events.
    pub events: Arc<Events>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The tenant.
    pub tenant: TenantId,
    /// The folder that all processes share, which has the lock of refreshing.
    pub shared_dir: PathBuf,
    /// Folder of the identity tables.
    pub tables_dir: PathBuf,
    /// Which snapshots are kept.
    pub policy: RetentionPolicy,
    /// How long files stay in the trash, in days.
    pub trash_days: u32,
}

/// The result of an expiry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiry {
    /// Snapshots that expired, the last published first.
    pub expired: Vec<SnapshotId>,
    /// Files that were moved to the trash.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How far an expiry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryExtent {
    /// Only says what would happen.
    DryRun,
    /// Removes left-over files unless they are too many.
    ByPolicy,
    /// Removes all left-over files.
    All,
}

impl Snapshots {
    /// Takes the lock of refreshing.
    ///
    /// # Errors
    /// `Unavailable` when another process refreshes; `Internal` when it cannot be taken.
    pub fn lock(&self) -> Result<Lock> {
        lock_refresh(&self.shared_dir, &self.tables_dir)
    }

    /// Lets snapshots expire by the policy, moves the files that only they read to the trash, and removes files that
    /// have been in the trash for long. The lock is the one of refreshing.
    ///
    /// # Errors
    /// When the store or a table cannot be read or written. Calling it again finishes what was begun.
    pub fn expire<'a>(&'a self, _lock: &'a Lock, extent: ExpiryExtent) -> BoxFuture<'a, Result<Expiry>> {
        Box::pin(async move {
            let (catalogue, now) = (&self.catalogue, self.clock.now());
            // First the catalogue, then the files: a caller learns that a snapshot has expired, and never finds one with
            // missing files.
            if extent == ExpiryExtent::DryRun {
                let expired = catalogue.expiring(&self.tenant, self.policy, now).await?;
                let mut kept = catalogue.kept().await?;
                kept.retain(|manifest| !expired.contains(&manifest.id));
                let removed = self.engine.remove_unkept(&kept, None).await?;
                return Ok(Expiry { expired, files: removed.files, bytes: removed.bytes });
            }
            let event = (self.events)(AuditOperation::SnapshotExpired, "snapshots", String::new());
            let expired = catalogue.expire(&AuditEvent { at: now, ..event }, self.policy).await?;
            if !expired.is_empty() {
                reached(Failpoint::SnapshotsExpired);
            }
            let kept = catalogue.kept().await?;
            let removal = Removal {
                trash: trash::place(&self.tables_dir, now),
                expired: catalogue.expired_count(&self.tenant).await?,
                all: extent == ExpiryExtent::All,
            };
            let removed = self.engine.remove_unkept(&kept, Some(&removal)).await?;
            if removed.files > 0 {
                let details = format!(
                    "{} files of {} bytes moved to {}",
                    removed.files,
                    removed.bytes,
                    removal.trash.display()
                );
                self.audit.record(&(self.events)(AuditOperation::FilesRemoved, "tables", details)).await?;
            }
            trash::empty(&self.tables_dir, now, self.trash_days)?;
            Ok(Expiry { expired, files: removed.files, bytes: removed.bytes })
        })
    }
}

/// The snapshot that a person means: an id, a date, a time, or `newest`.
///
/// # Errors
/// `Invalid` when the text is none of these; `NotFound` when there is no such snapshot.
pub fn find_snapshot<'a>(
    catalogue: &'a dyn SnapshotCatalogue,
    tenant: &'a TenantId,
    text: &'a str,
) -> BoxFuture<'a, Result<CataloguedSnapshot>> {
    Box::pin(async move {
        let absent = |what: &str| {
            Error::not_found(format!(
                "there is no snapshot {text:?}{what}: `muster snapshot list` lists what there is"
            ))
        };
        let found = if text == "newest" {
            catalogue.catalogued(tenant, None, 1).await?.pop()
        } else {
            // A snapshot's id may be any text, also one that looks like no id of ours.
            let by_id = AsOf::Snapshot(SnapshotId::new(text));
            match (catalogue.as_of(tenant, &by_id).await?, text.parse::<AsOf>()) {
                (Some(found), _) => Some(found),
                (None, Ok(as_of)) => catalogue.as_of(tenant, &as_of).await?,
                (None, Err(_)) => {
                    return Err(absent(
                        ", and it is no date such as 2026-03-31 and no time such as 2026-03-31T12:00:00Z",
                    ));
                }
            }
        };
        found.ok_or_else(|| absent(""))
    })
}
