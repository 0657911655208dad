//! The catalogue of published snapshots. A row is inserted once and never changes.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::session::values;
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::SnapshotCatalogue;
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::step::{Step, taken};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const MANIFEST_MAX: usize = 16 * 1_024 * 1_024;
/// Tenants whose newest manifest is kept in memory.
const CACHED_MAX: usize = 256;

/// The newest manifest of each tenant with its place in the order of publication.
///
/// Another process may publish, so the place is asked for every time; only reading the manifest
/// again is saved.
#[derive(Debug, Default)]
pub(crate) struct NewestSnapshots(Mutex<HashMap<TenantId, (i64, Arc<SnapshotManifest>)>>);

impl NewestSnapshots {
    fn get(&self, tenant: &TenantId, seq: i64) -> Option<Arc<SnapshotManifest>> {
        let cached = self.0.lock().expect("no holder of the cache panics");
        cached.get(tenant).filter(|(known, _)| *known == seq).map(|(_, manifest)| manifest.clone())
    }

    fn put(&self, tenant: &TenantId, seq: i64, manifest: Arc<SnapshotManifest>) {
        let mut cached = self.0.lock().expect("no holder of the cache panics");
        if cached.len() >= CACHED_MAX && !cached.contains_key(tenant) {
            cached.clear();
        }
        cached.insert(tenant.clone(), (seq, manifest));
    }
}

#[async_trait]
impl SnapshotCatalogue for Store {
    async fn publish(&self, tenant: &TenantId, manifest: &SnapshotManifest) -> Result<()> {
        let text = rows::to_json("the manifest of a snapshot", manifest, MANIFEST_MAX)?;
        let kept = Arc::new((tenant.clone(), manifest.id.clone(), manifest.created, text));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (tenant, id, created, text) = &*kept;
                // Numbers are given before they are committed: only one at a time keeps their order.
                let inserted = match session.alone_in("snapshots").await {
                    Ok(()) => session
                        .change(
                            "INSERT INTO snapshots (tenant, id, created, manifest) VALUES ($1, $2, $3, $4)",
                            values![tenant.as_str(), id.as_str(), rows::micros(*created), text],
                        )
                        .await,
                    Err(error) => Err(error),
                };
                match inserted {
                    Ok(_) => {
                        taken(Step::SnapshotInserted);
                        Ok(())
                    }
                    Err(error) if is_taken(&error) => {
                        Err(Error::invalid(format!("snapshot {:?} is published already", id.as_str())))
                    }
                    Err(error) => Err(failed("publish a snapshot", error)),
                }
            })
        })
        .await?;
        taken(Step::SnapshotKept);
        Ok(())
    }

    async fn newest(&self, tenant: &TenantId) -> Result<Option<Arc<SnapshotManifest>>> {
        const WHAT: &str = "read the newest snapshot";
        let newest = self
            .read_first("SELECT max(seq) AS seq FROM snapshots WHERE tenant = $1", values![tenant.as_str()])
            .await;
        let seq = newest.and_then(|row| row.map_or(Ok(None), |row| row.optional_integer("seq")));
        let Some(seq) = seq.map_err(|error| failed(WHAT, error))? else { return Ok(None) };
        if let Some(manifest) = self.newest.get(tenant, seq) {
            return Ok(Some(manifest));
        }
        let found = self.read_first("SELECT manifest FROM snapshots WHERE seq = $1", values![seq]).await;
        let manifest: SnapshotManifest = found
            .and_then(|row| rows::json(&row.ok_or(sqlx::Error::RowNotFound)?, "manifest"))
            .map_err(|error| failed(WHAT, error))?;
        let manifest = Arc::new(manifest);
        self.newest.put(tenant, seq, manifest.clone());
        Ok(Some(manifest))
    }

    async fn snapshot(&self, tenant: &TenantId, id: &SnapshotId) -> Result<Option<Arc<SnapshotManifest>>> {
        let found = self
            .read_first(
                "SELECT manifest FROM snapshots WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), id.as_str()],
            )
            .await;
        found
            .and_then(|row| row.map(|row| rows::json(&row, "manifest").map(Arc::new)).transpose())
            .map_err(|error| failed("read a snapshot", error))
    }
}
