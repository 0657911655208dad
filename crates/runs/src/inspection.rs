//! Looking into snapshots for requests: one at a time, because each reads whole tables.

use crate::snapshot_comparison::compare_snapshots;
use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use muster_reports::error::{Error, Result};
use muster_reports::ids::SourceId;
use muster_reports::inspection::{CorrelationExplanation, CountedDifference, RefusedRecord};
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

    async fn refused(
        &self,
        snapshot: Arc<SnapshotManifest>,
        source: &SourceId,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>> {
        let _turn = self.turn().await?;
        let only = DataScope::Sources([source.clone()].into());
        let order = "line, native_identity, reason";
        let batches =
            self.engine.table_rows(&snapshot, "rejected_records", &only, order, limit as usize).await?;
        batches.iter().map(records).collect::<Result<Vec<_>>>().map(|parts| parts.concat())
    }
}

/// The refused records of a batch.
fn records(batch: &RecordBatch) -> Result<Vec<RefusedRecord>> {
    let missing = |name: &str| {
        Error::internal("the refused records cannot be read", format!("they have no column {name:?}"))
    };
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let text = |name: &str| -> Result<StringArray> {
        let texts = cast(column(name)?, &DataType::Utf8).map_err(|_| missing(name))?;
        Ok(texts.as_string::<i32>().clone())
    };
    let lines = cast(column("line")?, &DataType::UInt64).map_err(|_| missing("line"))?;
    let lines = lines.as_primitive::<UInt64Type>();
    let (accounts, reasons) = (text("native_identity")?, text("reason")?);
    let record = |row: usize| RefusedRecord {
        line: if lines.is_valid(row) { lines.value(row) } else { 0 },
        native_identity: accounts.is_valid(row).then(|| accounts.value(row).to_owned()),
        reason: reasons.value(row).to_owned(),
    };
    Ok((0..batch.num_rows()).map(record).collect())
}
