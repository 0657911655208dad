//! Whether the service can work now: it is not stopping, its disks have room, its audit trail can continue, and its
//! newest snapshot looks complete.

use async_trait::async_trait;
use muster_engine::Engine;
use muster_engine::digests::Damage;
use muster_reports::SnapshotManifest;
use muster_reports::error::{Error, Result};
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditTrail, Readiness, SnapshotCatalogue};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the service needs to do its work.
pub struct ServiceReadiness {
    /// The audit trail, which also shows whether the store answers.
    pub audit: Arc<dyn AuditTrail>,
    /// What knows the snapshots.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// What knows their tables.
    pub engine: Arc<Engine>,
    /// The tenant of the trail and the snapshots.
    pub tenant: TenantId,
    /// Folders whose disks must have room; each may be a file system of its own.
    pub folders: Vec<PathBuf>,
    /// Cancelled when the service stops.
    pub stopping: CancellationToken,
}

/// Bytes that a disk must have left: with fewer, no report can be written.
const ROOM_MIN: u64 = 1 << 20;

/// Bytes that the disk of a folder has left for this user.
///
/// # Errors
/// `Internal` if the disk cannot be looked at.
pub fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = look_at(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn look_at(folder: &Path) -> Result<rustix::fs::StatVfs> {
    rustix::fs::statvfs(folder).map_err(|error| {
        Error::internal(format!("the disk of {} cannot be looked at", folder.display()), error)
    })
}

/// Whether a folder's disk takes another file.
fn has_room(folder: &Path) -> Result<()> {
    let disk = look_at(folder)?;
    let full = |what| Err(Error::broken(format!("the disk of {} {what}", folder.display())));
    if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return full("may not be written to");
    }
    if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_MIN {
        return full("is full");
    }
    // A file system without a fixed number of files has none.
    if disk.f_files > 0 && disk.f_favail == 0 {
        return full("has no room for another file");
    }
    Ok(())
}

#[async_trait]
impl Readiness for ServiceReadiness {
    async fn ready(&self) -> Result<()> {
        if self.stopping.is_cancelled() {
            return Err(Error::unavailable("the service is stopping"));
        }
        let folders = self.folders.clone();
        // A network file system may be slow.
        tokio::task::spawn_blocking(move || folders.iter().try_for_each(|folder| has_room(folder)))
            .await
            .map_err(|error| Error::internal("the disks cannot be looked at", error))??;
        // It also shows whether the store answers.
        self.audit.can_go_on(&self.tenant).await?;
        // Reports over an incomplete snapshot fail.
        if let Some(newest) = self.snapshots.newest(&self.tenant).await?
            && let Some(damage) = apparent_damage(&self.engine, newest).await?
        {
            return Err(Error::broken(format!(
                "table {:?} of the newest snapshot is damaged: {}",
                damage.table, damage.fault
            )));
        }
        Ok(())
    }
}

/// Damage of a snapshot that a look at its files shows.
async fn apparent_damage(engine: &Arc<Engine>, manifest: Arc<SnapshotManifest>) -> Result<Option<Damage>> {
    let engine = engine.clone();
    let looked = tokio::task::spawn_blocking(move || engine.apparent_damage(&manifest)).await;
    looked.map_err(|error| Error::internal("the files of a snapshot could not be looked at", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_room_is_ready_and_one_that_is_not_there_is_told() {
        assert!(has_room(&std::env::temp_dir()).is_ok());
        let error = has_room(Path::new("/there/is/no/such/folder")).err().map(|error| error.message);
        assert_eq!(error.as_deref(), Some("the disk of /there/is/no/such/folder cannot be looked at"));
    }
}
