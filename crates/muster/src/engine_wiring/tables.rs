//! The tables behind snapshots, by the engine.

use crate::report_run::Rows;
use crate::snapshots::SnapshotTables;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_engine::explain::CorrelationExplanation;
use muster_engine::retention::Removed;
use muster_reports::SnapshotManifest;
use muster_reports::error::Result;
use std::sync::Arc;

pub(super) struct EngineTables(pub(super) Arc<Engine>);

#[async_trait]
impl SnapshotTables for EngineTables {
    async fn remove_unkept(&self, kept: &[SnapshotManifest], dry_run: bool) -> Result<Removed> {
        Ok(self.0.remove_unkept(kept, dry_run).await?)
    }

    async fn compare(&self, old: &SnapshotManifest, new: &SnapshotManifest) -> Result<Box<dyn Rows>> {
        Ok(Box::new(self.0.compare(old, new).await?))
    }

    async fn explain(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &str,
        native_identity: &str,
    ) -> Result<CorrelationExplanation> {
        Ok(self.0.explain_correlation(snapshot, source, native_identity).await?)
    }
}
