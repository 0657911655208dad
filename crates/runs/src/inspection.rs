//! Looking into snapshots for requests: one at a time, because each reads whole tables.

use crate::snapshot_comparison::compare_snapshots;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_reports::SnapshotManifest;
use muster_reports::error::{Error, Result};
use muster_reports::inspection::{CorrelationExplanation, CountedDifference};
use muster_reports::ports::SnapshotInspector;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a request waits for its turn. After that it is refused with 503 and can be repeated.
const TURN_WAIT_MAX: Duration = Duration::from_secs(5);

/// Looks into snapshots.
pub struct Inspections {
    engine: Arc<Engine>,
    turn: Semaphore,
}

impl Inspections {
    /// Looks with this engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, turn: Semaphore::new(1) }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        let turn = tokio::time::timeout(TURN_WAIT_MAX, self.turn.acquire()).await;
        let turn =
            turn.map_err(|_| Error::unavailable("others look into snapshots: expected fewer at a time"))?;
        Ok(turn.expect("the semaphore is never closed"))
    }
}

#[async_trait]
impl SnapshotInspector for Inspections {
    async fn explain(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &str,
        native_identity: &str,
    ) -> Result<CorrelationExplanation> {
        let _turn = self.turn().await?;
        Ok(self.engine.explain_correlation(snapshot, source, native_identity).await?)
    }

    async fn differences(
        &self,
        old: Arc<SnapshotManifest>,
        new: Arc<SnapshotManifest>,
    ) -> Result<Vec<CountedDifference>> {
        let _turn = self.turn().await?;
        compare_snapshots(&self.engine, &old, &new, None).await
    }
}
