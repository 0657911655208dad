//! The newest manifests, kept in memory.

use muster_reports::ids::TenantId;
use muster_reports::snapshot::SnapshotManifest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Tenants whose newest manifest is kept in memory.
const CACHED_MAX: usize = 256;

/// The newest manifest of each tenant with its place in the order of publication.
///
/// Another process may publish, so the caller reads the place every time. Only the manifest is not read again.
#[derive(Debug, Default)]
pub(crate) struct NewestSnapshots(Mutex<HashMap<TenantId, (i64, Arc<SnapshotManifest>)>>);

impl NewestSnapshots {
    /// The manifest, if it is the one that has this place.
    pub(crate) fn get(&self, tenant: &TenantId, seq: i64) -> Option<Arc<SnapshotManifest>> {
        let cached = self.0.lock().expect("no holder of the cache panics");
        cached.get(tenant).filter(|(known, _)| *known == seq).map(|(_, manifest)| manifest.clone())
    }

    /// Keeps a manifest with its place.
    pub(crate) fn put(&self, tenant: &TenantId, seq: i64, manifest: Arc<SnapshotManifest>) {
        let mut cached = self.0.lock().expect("no holder of the cache panics");
        if cached.len() >= CACHED_MAX && !cached.contains_key(tenant) {
            cached.clear();
        }
        cached.insert(tenant.clone(), (seq, manifest));
    }
}
