//! Manifests of snapshots, kept in memory.
//!
//! A manifest never changes once it is published, so it is read and parsed once. Other processes publish too, and
//! snapshots expire: which snapshots there are is the caller's to ask, every time.

use muster_reports::snapshot::SnapshotManifest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Most bytes of JSON whose manifests are kept. In memory they take about twice as much.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// Manifests by their place in the order of publication, which no two snapshots share.
#[derive(Debug, Default)]
pub(crate) struct Manifests(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_place: HashMap<i64, Manifest>,
    bytes: usize,
    /// Counts the uses.
    uses: u64,
}

#[derive(Debug)]
struct Manifest {
    manifest: Arc<SnapshotManifest>,
    /// Bytes of its JSON.
    bytes: usize,
    /// The number of its last use.
    used: u64,
}

impl Manifests {
    /// The manifest at this place, if it is kept.
    pub(crate) fn get(&self, place: i64) -> Option<Arc<SnapshotManifest>> {
        let mut kept = self.kept();
        kept.uses += 1;
        let used = kept.uses;
        kept.by_place.get_mut(&place).map(|found| {
            found.used = used;
            found.manifest.clone()
        })
    }

    /// Keeps a manifest that was read from `bytes` bytes of JSON, instead of those that were not used for the longest
    /// time.
    pub(crate) fn put(&self, place: i64, manifest: Arc<SnapshotManifest>, bytes: usize) {
        let mut kept = self.kept();
        kept.uses += 1;
        let used = kept.uses;
        if let Some(before) = kept.by_place.insert(place, Manifest { manifest, bytes, used }) {
            kept.bytes -= before.bytes;
        }
        kept.bytes += bytes;
        while kept.bytes > KEPT_BYTES_MAX {
            let oldest = kept.by_place.iter().min_by_key(|(_, manifest)| manifest.used);
            let Some(oldest) = oldest.map(|(place, _)| *place) else { return };
            if let Some(removed) = kept.by_place.remove(&oldest) {
                kept.bytes -= removed.bytes;
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder of the manifests panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_testkit::build;

    fn manifest(name: &str) -> Arc<SnapshotManifest> {
        Arc::new(build::manifest(name, chrono::DateTime::UNIX_EPOCH))
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let manifests = Manifests::default();
        let half = KEPT_BYTES_MAX / 2;
        manifests.put(1, manifest("s1"), half);
        manifests.put(2, manifest("s2"), half);
        assert!(manifests.get(1).is_some());
        manifests.put(3, manifest("s3"), half);
        assert_eq!(manifests.get(2), None);
        assert_eq!(manifests.get(1), Some(manifest("s1")));
        assert_eq!(manifests.get(3), Some(manifest("s3")));
        // Put a second time, it is not counted twice.
        manifests.put(3, manifest("s3"), half);
        assert!(manifests.get(1).is_some());
        // One that is too large by itself is not kept.
        manifests.put(4, manifest("s4"), KEPT_BYTES_MAX + 1);
        assert!([1, 2, 3, 4].into_iter().all(|place| manifests.get(place).is_none()));
        assert_eq!(manifests.kept().bytes, 0);
    }
}
