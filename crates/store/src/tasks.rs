//! The task machine over the `tasks` table.
//!
//! Every write is one transaction and names in its `WHERE` the states it may start from; what a
//! worker writes also names its epoch. `due` says when a claim may take a task, so that one index
//! finds new tasks, retries whose time has come, leases that ran out and tasks past their deadline.

mod claim;
mod end;
mod start;

use crate::failure::failed;
use crate::rows::{self, TaskRow};
use crate::sqlite::SqliteStore;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::Result;
use muster_reports::ids::{TaskDefinitionId, TaskId, TenantId, WorkerId};
use muster_reports::ports::{Cancelled, LeaseState, ResultOrder, Started, TaskStore};
use muster_reports::task::{AttemptEnd, Claim, Lease, NewTask, Progress, PublishedFile, Task, TaskState};
use sqlx::SqliteConnection;
use std::collections::HashSet;
use std::time::Duration;

#[async_trait]
impl TaskStore for SqliteStore {
    async fn start(&self, new: NewTask) -> Result<Started> {
        let values = start::Values::of(new)?;
        let live_max = self.settings.live_max;
        let signals = self.signals.clone();
        self.writer
            .write_then(
                move |connection| Box::pin(start::start(connection, values, live_max)),
                move |started| match started {
                    Started::New(_) => signals.work(),
                    Started::Live(_) => {}
                },
            )
            .await
    }

    async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>> {
        let found = sqlx::query("SELECT * FROM tasks WHERE id = ? AND tenant = ?")
            .bind(id.as_str())
            .bind(tenant.as_str())
            .fetch_optional(&self.readers)
            .await;
        found
            .and_then(|row| row.as_ref().map(rows::task).transpose())
            .map_err(|error| failed("read a task", error))
    }

    async fn task_of_definition(
        &self,
        tenant: &TenantId,
        definition: &TaskDefinitionId,
        order: ResultOrder,
    ) -> Result<Option<Task>> {
        // NULL sorts last in a descending order: tasks that have not ended follow those that have.
        let statement = match order {
            ResultOrder::CompletedFirst => {
                "SELECT * FROM tasks WHERE seq = (
                     SELECT seq FROM tasks WHERE tenant = ? AND definition = ?
                     ORDER BY completed DESC, created DESC, seq DESC LIMIT 1)"
            }
            ResultOrder::CreatedLast => {
                "SELECT * FROM tasks WHERE seq = (
                     SELECT seq FROM tasks WHERE tenant = ? AND definition = ?
                     ORDER BY created DESC, seq DESC LIMIT 1)"
            }
        };
        let found = sqlx::query(statement)
            .bind(tenant.as_str())
            .bind(definition.as_str())
            .fetch_optional(&self.readers)
            .await;
        found
            .and_then(|row| row.as_ref().map(rows::task).transpose())
            .map_err(|error| failed("read a task", error))
    }

    async fn cancel(&self, tenant: &TenantId, id: &TaskId, now: DateTime<Utc>) -> Result<Cancelled> {
        let signals = self.signals.clone();
        let (tenant, id) = (tenant.clone(), id.clone());
        let waiting = id.clone();
        self.writer
            .write_then(
                move |connection| Box::pin(end::cancel(connection, tenant, id, now)),
                move |cancelled| match cancelled {
                    Cancelled::Now => signals.cancelled(&waiting),
                    Cancelled::Before | Cancelled::TooLate(_) | Cancelled::Unknown => {}
                },
            )
            .await
    }

    async fn claim(&self, worker: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<Option<Claim>> {
        let attempts_max = self.settings.attempts_max;
        loop {
            let (worker, signals) = (worker.clone(), self.signals.clone());
            let writer = self.writer.downgrade();
            let step = self.writer.write_then(
                move |connection| Box::pin(claim::step(connection, worker, now, lease, attempts_max)),
                move |step| {
                    if let claim::Step::Claimed(delivery) = step {
                        // There may be more to do for another worker that waits.
                        signals.work();
                        delivery.committed(writer, signals, now);
                    }
                },
            );
            match step.await? {
                claim::Step::Claimed(delivery) => return Ok(Some(delivery.take())),
                claim::Step::Nothing => return Ok(None),
                claim::Step::More => {}
            }
        }
    }

    async fn heartbeat(
        &self,
        lease: &Lease,
        progress: Progress,
        now: DateTime<Utc>,
        extend: Duration,
    ) -> Result<LeaseState> {
        let lease = lease.clone();
        self.writer
            .write(move |connection| Box::pin(claim::heartbeat(connection, lease, progress, now, extend)))
            .await
    }

    async fn end_attempt(&self, lease: &Lease, end: AttemptEnd, now: DateTime<Utc>) -> Result<bool> {
        let goes_back = match &end {
            AttemptEnd::Retry { .. } | AttemptEnd::Released => true,
            AttemptEnd::Done { .. } | AttemptEnd::Failed { .. } => false,
        };
        let lease = lease.clone();
        let attempts_max = self.settings.attempts_max;
        let signals = self.signals.clone();
        self.writer
            .write_then(
                move |connection| Box::pin(end::end_attempt(connection, lease, end, now, attempts_max)),
                move |held| {
                    if *held && goes_back {
                        signals.work();
                    }
                },
            )
            .await
    }

    async fn work_or(&self, at_most: Duration) {
        self.signals.work_or(at_most).await;
    }

    async fn cancelled(&self, id: &TaskId) {
        // Registered before looking, so that no cancel falls between.
        let waiter = self.signals.wait_for_cancel(id);
        let state: std::result::Result<Option<String>, _> =
            sqlx::query_scalar("SELECT state FROM tasks WHERE id = ?")
                .bind(id.as_str())
                .fetch_optional(&self.readers)
                .await;
        // Where the store cannot tell, the signal and the next heartbeat still will.
        if !matches!(state, Ok(Some(name)) if name == TaskState::Terminated.as_str()) {
            waiter.wait().await;
        }
    }

    async fn published_names(&self) -> Result<Vec<String>> {
        const WHAT: &str = "read the published names";
        let lists: Vec<String> = sqlx::query_scalar("SELECT files FROM tasks WHERE files IS NOT NULL")
            .fetch_all(&self.readers)
            .await
            .map_err(|error| failed(WHAT, error))?;
        let mut names = Vec::with_capacity(lists.len());
        for list in lists {
            let files: Vec<PublishedFile> = serde_json::from_str(&list)
                .map_err(|error| failed(WHAT, sqlx::Error::Decode(Box::new(error))))?;
            names.extend(files.into_iter().map(|file| file.stored_name));
        }
        Ok(names)
    }
}

impl SqliteStore {
    /// The attempts that a worker holds now, as task and epoch: their files are not to be swept.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn live_attempts(&self) -> Result<HashSet<(TaskId, u64)>> {
        const WHAT: &str = "read the live attempts";
        let found: Vec<(String, i64)> = sqlx::query_as(LIVE_ATTEMPTS)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| failed(WHAT, error))?;
        Ok(found.into_iter().map(|(id, epoch)| (TaskId::new(id), epoch.cast_unsigned())).collect())
    }
}

/// The first condition is that of the index; SQLite does not see that the second implies it.
const LIVE_ATTEMPTS: &str =
    "SELECT id, epoch FROM tasks WHERE state IN ('pending', 'running') AND state = 'running'";

/// When a lease that is taken or renewed now runs out: never past the deadline.
fn lease_end(now: DateTime<Utc>, lease: Duration, deadline: DateTime<Utc>) -> DateTime<Utc> {
    let end = TimeDelta::from_std(lease).ok().and_then(|lease| now.checked_add_signed(lease));
    end.map_or(deadline, |end| end.min(deadline))
}

/// The running task of a lease that still holds: its epoch is the newest and its deadline is to come.
async fn held(
    connection: &mut SqliteConnection,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Option<TaskRow>> {
    const WHAT: &str = "read a leased task";
    let epoch = rows::signed("the epoch of a lease", lease.epoch)?;
    let found = sqlx::query(
        "SELECT * FROM tasks WHERE id = ? AND tenant = ? AND epoch = ? AND state = 'running' AND deadline > ?",
    )
    .bind(lease.task.as_str())
    .bind(lease.tenant.as_str())
    .bind(epoch)
    .bind(rows::micros(now))
    .fetch_optional(connection)
    .await;
    found.and_then(|row| row.as_ref().map(rows::task_row).transpose()).map_err(|error| failed(WHAT, error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use sqlx::{AssertSqlSafe, Row};

    /// Ended tasks only grow in number; what runs for every start and claim must not read them.
    #[tokio::test]
    async fn no_statement_of_the_machine_scans_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("muster.db")).await.unwrap();
        for statement in [claim::DUE, start::INSERT, LIVE_ATTEMPTS] {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(&store.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let reads = plan.iter().filter(|line| line.contains(" tasks"));
            for line in reads.clone() {
                assert!(line.contains(" USING ") && line.contains("INDEX tasks_"), "{statement}: {plan:?}");
            }
            assert!(reads.count() > 0, "{statement}: {plan:?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{statement}: {plan:?}");
        }
    }
}
