//! The rows of a running plan: one sorted frame after another. Batches are converted on the engine's own threads, several at
//! a time, and stay in their order. The number of batches that are converted or wait for the writer is bounded.
//!
//! Invariant: a row reaches the writer only if it is in order ([`crate::order`]).

use crate::error::{EngineError, Result};
use crate::order::{Ordered, OrderedRows};
use crate::session::{Engine, memory_reached, with_spilling_joins};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures_util::stream::try_unfold;
use futures_util::{StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// Batches that may wait for the writer. The plan pauses when the queue is full.
const BATCHES_WAITING_MAX: usize = 4;

/// Rows in order. Dropping them stops the plan.
pub struct ReportRows {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch>>,
    _plan: tokio::task::JoinSet<()>,
}

/// Converts a batch of a frame into one or more batches of the output.
pub(crate) type BatchConverter = Arc<dyn Fn(RecordBatch) -> Result<Vec<RecordBatch>> + Send + Sync>;

impl ReportRows {
    /// Runs the frames one after another. Every output batch has `schema`.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub(crate) fn start(
        engine: &Engine,
        step: &str,
        schema: SchemaRef,
        frames: Vec<(Ordered, BatchConverter)>,
    ) -> Result<Self> {
        let (sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let (step, threads) = (step.to_owned(), engine.threads());
        let mut plan = tokio::task::JoinSet::new();
        plan.spawn_on(
            async move {
                if let Err(error) = run(&step, frames, threads, &sender).await {
                    // A failed send means that the receiver has stopped the report.
                    let _ = sender.send(Err(error)).await;
                }
            }
            .in_current_span(),
            &engine.handle()?,
        );
        Ok(Self { schema, batches, _plan: plan })
    }

    /// The schema of every batch: one column for each output column, by name.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When the plan failed. There are no more rows then.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.batches.recv().await.transpose()
    }
}

async fn run(
    step: &str,
    frames: Vec<(Ordered, BatchConverter)>,
    threads: usize,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    for (frame, convert) in frames {
        let spilling = frame.with_frame(with_spilling_joins(frame.frame().clone()));
        let mut sent = false;
        let to = To { convert, threads, sender };
        match send(step, frame, &to, &mut sent).await {
            // Rows that were sent cannot be taken back. But joins end before the first row of a sort, so running out of
            // memory usually happens before.
            Err(EngineError::OutOfMemory { .. }) if !sent => {
                memory_reached();
                send(step, spilling, &to, &mut sent).await?;
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

/// What becomes of the batches of a frame.
struct To<'a> {
    convert: BatchConverter,
    /// Most batches that are converted at a time.
    threads: usize,
    sender: &'a mpsc::Sender<Result<RecordBatch>>,
}

/// Runs one frame. `sent` tells whether one of its batches was sent to the writer.
async fn send(step: &str, frame: Ordered, to: &To<'_>, sent: &mut bool) -> Result<()> {
    let rows = frame.start(step).await?;
    let next = |mut rows: OrderedRows| async move { Ok(rows.next().await?.map(|batch| (batch, rows))) };
    let batches = try_unfold(rows, next);
    let converted = batches.map_ok(|batch| {
        let convert = Arc::clone(&to.convert);
        let work = async move { convert(batch) };
        let working = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
        async move { working.await.map_err(|_| EngineError::Stopped)? }
    });
    let mut converted = std::pin::pin!(converted.try_buffered(to.threads));
    while let Some(pieces) = converted.next().await {
        for piece in pieces? {
            *sent = true;
            if to.sender.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
