//! The tables behind snapshots, by the engine.

use crate::report_run::Rows;
use crate::snapshots::SnapshotTables;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_engine::digests::{Checked, Damage};
use muster_engine::explain::CorrelationExplanation;
use muster_engine::retention::{Removal, Removed};
use muster_reports::error::{Error, Result};
use muster_reports::ports::ManualLink;
use muster_reports::{DataScope, SnapshotManifest};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct EngineTables(pub(super) Arc<Engine>);

#[async_trait]
impl SnapshotTables for EngineTables {
    async fn remove_unkept(&self, kept: &[SnapshotManifest], removal: Option<&Removal>) -> Result<Removed> {
        Ok(self.0.remove_unkept(kept, removal).await?)
    }

    async fn rows_of(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
        scope: &DataScope,
        order: &'static str,
        rows_max: usize,
    ) -> Result<Vec<RecordBatch>> {
        Ok(self.0.rows_of(manifest, table, scope, order, rows_max).await?)
    }

    async fn check(&self, kept: &[SnapshotManifest]) -> Result<Checked> {
        Ok(self.0.check(kept).await?)
    }

    async fn apparent_damage(&self, manifest: &Arc<SnapshotManifest>) -> Result<Option<Damage>> {
        let (engine, manifest) = (self.0.clone(), manifest.clone());
        let looked = tokio::task::spawn_blocking(move || engine.apparent_damage(&manifest)).await;
        looked.map_err(|error| Error::internal("the files of a snapshot could not be looked at", error))
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

    async fn refused_links(
        &self,
        snapshot: Arc<SnapshotManifest>,
        links: &[ManualLink],
    ) -> Result<BTreeMap<usize, String>> {
        Ok(self.0.refused_links(snapshot, links.to_vec()).await?)
    }
}
