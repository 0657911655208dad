//! The task machine over the `tasks` table.
//!
//! Every write is one transaction. Statements of [`transition::entering`] change a task's state: their `WHERE` has the
//! states that [`TaskState::entered_from`] declares. What a worker writes also names its epoch. `due` says when a claim may take a
//! task, be it new, a retry whose time has come, one whose lease ran out or one past its deadline; `place` says which of
//! them goes first.

mod claim;
mod end;
mod list;
mod start;
mod transition;

use self::claim::{ClaimStep, Claimed, Terms};
use crate::failure::failed;
use crate::rows;
use crate::session::values;
use crate::sqlite::Kept;
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{TaskDefinitionId, TaskId, TenantId, WorkerId};
use muster_reports::message::Message;
use muster_reports::ports::{Cancelled, LeaseState, ResultOrder, Started, TaskStore};
use muster_reports::task::{AttemptEnd, Claim, Lease, NewTask, Progress, PublishedFile, Task, TaskState};
use muster_reports::task_list::{TaskPage, VisibleTasks};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

impl Store {
    /// Claims the first in line of these tasks.
    async fn claim_of(
        &self,
        claimed: Claimed,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        let attempts_max = self.settings.attempts_max;
        // A run that the machine takes with it needs no claim.
        let mut terms = Terms { claimed, lease, attempts_max, kept: Kept::WithTheNext };
        loop {
            let (worker, announcer) = (worker.clone(), self.announcer());
            let (unattended, recorder) = (self.unattended(), self.recorder());
            let step = self.write_kept(
                terms.kept,
                now,
                move |session, moment| {
                    let (worker, recorder) = (worker.clone(), recorder.clone());
                    Box::pin(async move { claim::step(session, worker, moment, terms, &recorder).await })
                },
                move |step| {
                    if let ClaimStep::Claimed(delivery) = step {
                        reached(Failpoint::ClaimKept);
                        // There may be more to do for another worker that waits.
                        announcer.work_here();
                        delivery.committed(unattended, announcer, now);
                    }
                },
            );
            match step.await? {
                ClaimStep::Claimed(delivery) => return Ok(Some(delivery.take())),
                ClaimStep::Nothing => return Ok(None),
                ClaimStep::ToFail => terms.kept = Kept::Now,
                ClaimStep::More => {}
            }
        }
    }
}

#[async_trait]
impl TaskStore for Store {
    async fn start(&self, new: NewTask) -> Result<Started> {
        let caller_now = new.created;
        let entry = new.event.as_ref().map(|event| self.entry(event)).transpose()?;
        let values = Arc::new(start::Values::of(new, entry)?);
        let most = start::Most { live: self.settings.live_max, of_client: self.settings.client_live_max };
        // Its run may begin while the disk keeps it.
        let mut kept = Kept::BeforeItsAnswer;
        loop {
            let (announcer, recorder, values) = (self.announcer(), self.recorder(), values.clone());
            let started = self.write_kept(
                kept,
                caller_now,
                move |session, moment| {
                    let (values, recorder) = (values.clone(), recorder.clone());
                    Box::pin(
                        async move { start::start(session, values, moment, most, kept, &recorder).await },
                    )
                },
                move |started| match started {
                    Some(Started::New(_)) => {
                        reached(Failpoint::TaskAccepted);
                        announcer.work();
                    }
                    Some(Started::Live(_)) | None => {}
                },
            );
            match started.await? {
                Some(started) => return Ok(started),
                None => kept = Kept::Now,
            }
        }
    }

    async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>> {
        let found = self
            .read_first(
                "SELECT * FROM tasks WHERE id = $1 AND tenant = $2",
                values![id.as_str(), tenant.as_str()],
            )
            .await;
        found
            .and_then(|row| row.as_ref().map(rows::task).transpose())
            .map_err(|error| failed("read a task", error))
    }

    async fn last_tasks(&self, tenant: &TenantId, count: u32) -> Result<Vec<Task>> {
        let statement = "SELECT * FROM tasks WHERE tenant = $1 ORDER BY seq DESC LIMIT $2";
        let found = self.read(statement, values![tenant.as_str(), i64::from(count)]).await;
        found
            .and_then(|rows| rows.iter().map(rows::task).collect())
            .map_err(|error| failed("read the last tasks", error))
    }

    async fn list(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<TaskPage> {
        list::list(self, tenant, wanted).await
    }

    async fn counts(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<BTreeMap<TaskState, u64>> {
        list::counts(self, tenant, wanted).await
    }

    async fn task_of_definition(
        &self,
        tenant: &TenantId,
        definition: &TaskDefinitionId,
        order: ResultOrder,
    ) -> Result<Option<Task>> {
        // Tasks that have not ended follow those that have.
        let statement = match order {
            ResultOrder::CompletedFirst => {
                "SELECT * FROM tasks WHERE seq = (
                     SELECT seq FROM tasks WHERE tenant = $1 AND definition = $2
                     ORDER BY completed DESC NULLS LAST, created DESC, seq DESC LIMIT 1)"
            }
            ResultOrder::CreatedLast => {
                "SELECT * FROM tasks WHERE seq = (
                     SELECT seq FROM tasks WHERE tenant = $1 AND definition = $2
                     ORDER BY created DESC, seq DESC LIMIT 1)"
            }
        };
        let found = self.read_first(statement, values![tenant.as_str(), definition.as_str()]).await;
        found
            .and_then(|row| row.as_ref().map(rows::task).transpose())
            .map_err(|error| failed("read a task", error))
    }

    async fn cancel(&self, event: &AuditEvent, failure: Option<&Message>) -> Result<Cancelled> {
        let (announcer, recorder) = (self.announcer(), self.recorder());
        let cancel = Arc::new((self.entry(event)?, failure.cloned()));
        let waiting = event.task.clone();
        self.write_then(
            event.at,
            move |session, moment| {
                let (cancel, recorder) = (cancel.clone(), recorder.clone());
                Box::pin(async move { end::cancel(session, cancel, moment, &recorder).await })
            },
            move |cancelled| match cancelled {
                Cancelled::Now => {
                    reached(Failpoint::CancelKept);
                    announcer.cancelled(&waiting);
                }
                Cancelled::Before | Cancelled::TooLate(_) | Cancelled::Unknown => {}
            },
        )
        .await
    }

    async fn claim(&self, worker: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<Option<Claim>> {
        self.claim_of(Claimed::All, worker, now, lease).await
    }

    async fn claim_short(
        &self,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.claim_of(Claimed::Short, worker, now, lease).await
    }

    async fn heartbeat(
        &self,
        lease: &Lease,
        progress: Progress,
        now: DateTime<Utc>,
        extend: Duration,
    ) -> Result<LeaseState> {
        let lease = lease.clone();
        self.write_then(
            now,
            move |session, moment| {
                Box::pin(claim::heartbeat(session, lease.clone(), progress, moment, extend))
            },
            |_| (),
        )
        .await
    }

    async fn end_attempt(&self, lease: &Lease, end: AttemptEnd, now: DateTime<Utc>) -> Result<bool> {
        let goes_back = match &end {
            AttemptEnd::Retry { .. } | AttemptEnd::Released => true,
            AttemptEnd::Done { .. } | AttemptEnd::Failed { .. } => false,
        };
        let ending = Arc::new((lease.clone(), end));
        let attempts_max = self.settings.attempts_max;
        let (announcer, recorder) = (self.announcer(), self.recorder());
        self.write_then(
            now,
            move |session, moment| {
                let (ending, recorder) = (ending.clone(), recorder.clone());
                Box::pin(
                    async move { end::end_attempt(session, ending, moment, attempts_max, &recorder).await },
                )
            },
            move |held| {
                reached(Failpoint::EndKept);
                if *held && goes_back {
                    announcer.work();
                }
            },
        )
        .await
    }

    async fn work_or(&self, at_most: Duration) {
        self.signals.work_or(at_most).await;
    }

    async fn short_work_or(&self, at_most: Duration) {
        self.signals.short_work_or(at_most).await;
    }

    async fn cancelled(&self, id: &TaskId) {
        // Registered before the look, so that no cancel is missed in between.
        let waiter = self.signals.wait_for_cancel(id);
        let state = self
            .read_first("SELECT state FROM tasks WHERE id = $1", values![id.as_str()])
            .await
            .and_then(|row| row.map(|row| row.text("state")).transpose());
        // If the store cannot tell, the signal or the next heartbeat will.
        if !matches!(state, Ok(Some(name)) if TaskState::from_name(&name).is_some_and(TaskState::ends_a_run))
        {
            waiter.wait().await;
        }
    }

    async fn published_names(&self) -> Result<Vec<String>> {
        let files = self.files_of_results(NOT_REMOVED).await?;
        Ok(files.into_iter().map(|file| file.stored_name).collect())
    }

    async fn live_attempts(&self) -> Result<HashSet<(TaskId, u64)>> {
        let found = self.read(LIVE_ATTEMPTS, &[]).await;
        found
            .and_then(|found| {
                found
                    .iter()
                    .map(|row| Ok((TaskId::new(row.text("id")?), row.integer("epoch")?.cast_unsigned())))
                    .collect()
            })
            .map_err(|error| failed("read the live attempts", error))
    }
}

impl Store {
    /// The files of all results that have not expired.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn published_files(&self) -> Result<Vec<PublishedFile>> {
        self.files_of_results(NOT_EXPIRED).await
    }

    /// How many live tasks there are, by report and state, of all tenants.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn live_tasks(&self) -> Result<Vec<(String, String, u64)>> {
        let found = self.read(LIVE_TASKS, &[]).await;
        let counted = found.and_then(|rows| {
            rows.iter()
                .map(|row| {
                    Ok((row.text("report")?, row.text("state")?, row.integer("live")?.cast_unsigned()))
                })
                .collect()
        });
        counted.map_err(|error| failed("count the live tasks", error))
    }

    async fn files_of_results(&self, statement: &'static str) -> Result<Vec<PublishedFile>> {
        const WHAT: &str = "read the published files";
        let found = self.read(statement, &[]).await;
        let mut all = Vec::new();
        for row in found.map_err(|error| failed(WHAT, error))? {
            let files: Vec<PublishedFile> = rows::json(&row, "files").map_err(|error| failed(WHAT, error))?;
            all.extend(files);
        }
        Ok(all)
    }
}

const NOT_EXPIRED: &str = "SELECT files FROM tasks t WHERE files IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM result_lives l WHERE l.tenant = t.tenant AND l.task = t.id AND l.expired IS NOT NULL)";

const NOT_REMOVED: &str = "SELECT files FROM tasks t WHERE files IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM result_lives l WHERE l.tenant = t.tenant AND l.task = t.id AND l.removed IS NOT NULL)";

/// The first condition is the one of the index. SQLite does not see that the second one implies it.
const LIVE_ATTEMPTS: &str =
    "SELECT id, epoch FROM tasks WHERE state IN ('pending', 'running') AND state = 'running'";

const LIVE_TASKS: &str = "SELECT report, state, count(*) AS live FROM tasks
    WHERE state IN ('pending', 'running') GROUP BY report, state";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::settings::Settings;
    use crate::store::{Backend, Place};
    use sqlx::{AssertSqlSafe, Row};

    /// Ended tasks only grow in number; what runs for every start and claim must not read them.
    #[tokio::test]
    async fn no_statement_of_the_machine_scans_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(&place, Settings::default()).await.unwrap();
        let Backend::Sqlite(sqlite) = &store.backend else { panic!("it is a file") };
        for statement in [
            claim::DUE.sqlite,
            claim::DUE_SHORT.sqlite,
            claim::SET_BACK,
            start::INSERT,
            start::LIVE,
            start::OF_CLIENT,
            start::LAST_RUN,
            LIVE_ATTEMPTS,
            list::LAST_FIRST.sqlite,
            list::FIRST_FIRST.sqlite,
            list::COUNT.sqlite,
        ] {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(&sqlite.readers).await.unwrap();
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
