//! The engine as a run needs it: parts of a report, their rows, and their independent counts.

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_render::chart::Chart;
use muster_reports::cover::{CoverColumn, Reconciliation};
use muster_reports::error::Result;
use muster_reports::task::{Message, Task};
use muster_reports::{ReportDefinition, SnapshotManifest};

/// Plans reports.
#[async_trait]
pub trait Planner: Send + Sync {
    /// Plans what `task` asks of `definition` over the snapshot.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; anything else ends the task.
    async fn prepare(
        &self,
        manifest: &SnapshotManifest,
        definition: &ReportDefinition,
        task: &Task,
    ) -> Result<Prepared>;
}

/// A report ready to run.
pub struct Prepared {
    /// One for a report that is a table; one for each type of document for a search.
    pub parts: Vec<Box<dyn Part>>,
    /// What is asked of the snapshot, for the cover.
    pub effective_query: String,
    /// What a reader must know.
    pub messages: Vec<Message>,
}

/// A table of the result.
#[async_trait]
pub trait Part: Send + Sync {
    /// What it is called inside an archive, without extension.
    fn name(&self) -> &str;

    /// The columns, in file order.
    fn columns(&self) -> Vec<CoverColumn>;

    /// Starts the plan.
    ///
    /// # Errors
    /// When the engine has stopped.
    fn start(&self) -> Result<Box<dyn Rows>>;

    /// Counts the population and what is left out, by plans that share nothing with the part's own.
    ///
    /// # Errors
    /// As [`Planner::prepare`].
    async fn reconcile(&self) -> Result<Reconciliation>;

    /// The numbers behind the charts of a document; none for most.
    ///
    /// # Errors
    /// As [`Planner::prepare`].
    async fn charts(&self) -> Result<Vec<Chart>> {
        Ok(Vec::new())
    }
}

/// The rows of a running part, in order. Dropping it stops the plan.
#[async_trait]
pub trait Rows: Send {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When the plan failed.
    async fn next(&mut self) -> Result<Option<RecordBatch>>;
}
