//! What is looked at beside reports.

use crate::error::Result;
use crate::ids::SourceId;
use crate::inspection::{CorrelationExplanation, CountedDifference, RefusedRecord, ServiceFacts};
use crate::snapshot::SnapshotManifest;
use async_trait::async_trait;
use std::sync::Arc;

/// Looks into snapshots.
#[async_trait]
pub trait SnapshotInspector: Send + Sync {
    /// Why an account of a source, which is named by id, belongs to its identity, or to none.
    ///
    /// # Errors
    /// `Invalid` when the snapshot has no such source or the source no such account; `Unavailable` where too many look.
    async fn explain(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &str,
        native_identity: &str,
    ) -> Result<CorrelationExplanation>;

    /// What differs from one snapshot to another, counted.
    ///
    /// # Errors
    /// When a table cannot be read; `Unavailable` where too many look.
    async fn differences(
        &self,
        old: Arc<SnapshotManifest>,
        new: Arc<SnapshotManifest>,
    ) -> Result<Vec<CountedDifference>>;

    /// The first records of a source, by line, that its last read refused.
    ///
    /// # Errors
    /// When the table cannot be read; `Unavailable` where too many look.
    async fn refused(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &SourceId,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>>;
}

/// Looks at the installation. What it says changes while the service runs.
#[async_trait]
pub trait InstallationFacts: Send + Sync {
    /// How it is now.
    ///
    /// # Errors
    /// When a folder or a key cannot be looked at.
    async fn facts(&self) -> Result<ServiceFacts>;
}
