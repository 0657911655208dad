//! Taking a task for a worker, and keeping it.

use crate::failure::failed;
use crate::rows;
use crate::signals::Signals;
use crate::tasks::{end, lease_end};
use crate::writer::WeakWriter;
use chrono::{DateTime, Utc};
use muster_reports::error::Result;
use muster_reports::ids::WorkerId;
use muster_reports::ports::LeaseState;
use muster_reports::task::{AttemptEnd, Claim, Lease, Progress};
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;
use std::time::Duration;

/// Tasks that one transaction fails before it lets other writers in.
const FAILED_MAX: usize = 100;

/// The task that has been due the longest.
pub(super) const DUE: &str =
    "SELECT * FROM tasks WHERE state IN ('pending', 'running') AND due <= ? ORDER BY due, seq LIMIT 1";

/// What one transaction of a claim led to.
pub(super) enum Step {
    Claimed(Delivery),
    Nothing,
    /// It failed [`FAILED_MAX`] tasks; there may be more that are due.
    More,
}

/// A claim on its way to the worker. If the worker has gone when it arrives, the task is released,
/// so that it need not wait for the lease to run out.
pub(super) struct Delivery {
    claim: Option<Box<Claim>>,
    release: Option<(WeakWriter, Arc<Signals>, DateTime<Utc>)>,
}

impl Delivery {
    /// The claim is durable: from here on it is released unless taken.
    pub(super) fn committed(&mut self, writer: WeakWriter, signals: Arc<Signals>, now: DateTime<Utc>) {
        self.release = Some((writer, signals, now));
    }

    pub(super) fn take(mut self) -> Claim {
        *self.claim.take().expect("a claim is taken once")
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let (Some(claim), Some((writer, signals, now))) = (self.claim.take(), self.release.take()) {
            writer.write_unattended(move |connection| {
                Box::pin(async move {
                    let released = AttemptEnd::Released;
                    end::end_attempt(connection, claim.lease, released, now, u32::MAX).await?;
                    signals.work();
                    Ok(())
                })
            });
        }
    }
}

/// Claims the task that has been due the longest; on the way fails those that cannot run any more.
pub(super) async fn step(
    connection: &mut SqliteConnection,
    worker: WorkerId,
    now: DateTime<Utc>,
    lease: Duration,
    attempts_max: u32,
) -> Result<Step> {
    const WHAT: &str = "claim a task";
    for _ in 0..FAILED_MAX {
        let due = sqlx::query(DUE).bind(rows::micros(now)).fetch_optional(&mut *connection).await;
        let due = due.and_then(|row| row.as_ref().map(rows::task_row).transpose());
        let Some(due) = due.map_err(|error| failed(WHAT, error))? else { return Ok(Step::Nothing) };
        if due.deadline <= now {
            end::fail_overdue(connection, due, now).await?;
            continue;
        }
        if due.task.attempts >= attempts_max {
            end::fail_exhausted(connection, due, now).await?;
            continue;
        }
        let claimed = sqlx::query(
            "UPDATE tasks SET state = 'running', worker = ?, epoch = epoch + 1, attempts = attempts + 1,
                 launched = coalesce(launched, ?), due = ?, rows = 0, rows_expected = NULL
             WHERE seq = ? AND epoch = ? AND state IN ('pending', 'running')
             RETURNING *",
        )
        .bind(worker.as_str())
        .bind(rows::micros(now))
        .bind(rows::micros(lease_end(now, lease, due.deadline)))
        .bind(due.seq)
        .bind(rows::signed("the epoch of a task", due.task.epoch)?)
        .fetch_one(&mut *connection)
        .await;
        let claimed = claimed.and_then(|row| rows::task_row(&row)).map_err(|error| failed(WHAT, error))?;
        let lease = Lease {
            task: claimed.task.id.clone(),
            tenant: claimed.task.tenant.clone(),
            worker,
            epoch: claimed.task.epoch,
            until: claimed.due,
            deadline: claimed.deadline,
        };
        let claim = Box::new(Claim { task: claimed.task, lease });
        return Ok(Step::Claimed(Delivery { claim: Some(claim), release: None }));
    }
    Ok(Step::More)
}

/// Renews a lease that still holds, and keeps the progress.
pub(super) async fn heartbeat(
    connection: &mut SqliteConnection,
    lease: Lease,
    progress: Progress,
    now: DateTime<Utc>,
    extend: Duration,
) -> Result<LeaseState> {
    let expected = progress.rows_expected.map(|rows| rows::signed("the rows expected", rows)).transpose()?;
    let renewed = sqlx::query(
        "UPDATE tasks SET due = min(?, deadline), rows = ?, rows_expected = ?
         WHERE id = ? AND tenant = ? AND epoch = ? AND state = 'running' AND deadline > ?
         RETURNING due",
    )
    .bind(rows::micros(lease_end(now, extend, lease.deadline)))
    .bind(rows::signed("the rows written", progress.rows)?)
    .bind(expected)
    .bind(lease.task.as_str())
    .bind(lease.tenant.as_str())
    .bind(rows::signed("the epoch of a lease", lease.epoch)?)
    .bind(rows::micros(now))
    .fetch_optional(connection)
    .await;
    let until = renewed
        .and_then(|row| row.map(|row| rows::as_time("due", row.try_get("due")?)).transpose())
        .map_err(|error| failed("renew a lease", error))?;
    Ok(until.map_or(LeaseState::Lost, LeaseState::Held))
}
