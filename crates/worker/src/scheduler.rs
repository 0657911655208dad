//! The scheduler: makes runs of schedules that are due, and brings each run to its end.
//!
//! Any number of nodes may have one. The store makes one run of a schedule and a due time, and gives a run to one node at a
//! time; a node that dies loses its run to another one after the lease. The task and the snapshot of a run have ids that
//! follow from the run, so that a node which continues a run finds what the dead one has begun, and makes no second one.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::arguments::{RawArguments, RawValue};
use muster_reports::caller::Caller;
use muster_reports::error::{Category, Error, error_chain};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, Credentials, Refresher, SavedSearchStore, ScheduleStore};
use muster_reports::scheduled::{RunAttempts, RunClaim, RunState, RunStep, ScheduledWork};
use muster_reports::service::ScheduledStart;
use muster_reports::trace::{TARGET, Trace, Traces};
use muster_reports::{Operation, Reports, TaskState};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;

/// Intervals and limits of a scheduler.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerSettings {
    /// How often it looks for what is due.
    pub poll: Duration,
    /// How long a node has a run without renewing its claim.
    pub lease: Duration,
    /// How runs are tried again.
    pub attempts: RunAttempts,
}

/// The scheduler of one node.
pub struct Scheduler {
    /// Schedules and their runs.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Starts reports.
    pub reports: Arc<Reports>,
    /// The owners of schedules, as they are now.
    pub credentials: Arc<dyn Credentials>,
    /// Saved searches, which some schedules execute.
    pub saved_searches: Arc<dyn SavedSearchStore>,
    /// Makes refreshes.
    pub refresher: Arc<dyn Refresher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Sends the spans of runs.
    pub traces: Arc<dyn Traces>,
    /// Intervals and limits.
    pub settings: SchedulerSettings,
}

/// Most runs that one node has at a time.
const RUNS_MAX: usize = 8;

/// Whose claim it is that a run belongs to no credential: the data directory's.
const OPERATOR: &str = "command-line";

impl Scheduler {
    /// Works until `stop` is cancelled. A run whose refresh is not made by then is left to another node.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut runs = JoinSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.take(&mut runs).await {
                tracing::error!(error = error_chain(&error), "schedules cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.poll) => {}
                () = stop.cancelled() => {}
            }
            while runs.try_join_next().is_some() {}
        }
        runs.shutdown().await;
    }

    /// Looks at the runs that go on, makes those that are due, and begins them, as far as there is room. In this order: a run
    /// whose report has ended meanwhile does not have the next one skipped.
    async fn take(self: &Arc<Self>, runs: &mut JoinSet<()>) -> Result<(), Error> {
        self.take_live(runs).await?;
        self.make_due().await?;
        self.take_live(runs).await
    }

    async fn take_live(self: &Arc<Self>, runs: &mut JoinSet<()>) -> Result<(), Error> {
        while runs.len() < RUNS_MAX {
            let claimed = self.schedules.claim_run(self.clock.now(), self.settings.lease).await?;
            let Some(claim) = claimed else { break };
            if claim.run.state == RunState::Started {
                self.advance_or_log(&claim).await;
            } else {
                // It may make a refresh, which takes long.
                let scheduler = self.clone();
                runs.spawn(async move { scheduler.advance_or_log(&claim).await });
            }
        }
        Ok(())
    }

    async fn make_due(&self) -> Result<(), Error> {
        while let Some(run) = self.schedules.fall_due(self.clock.now()).await? {
            match run.state {
                RunState::Skipped => {
                    tracing::warn!(schedule = %run.schedule, due = %run.due, reason = run.message, "run skipped");
                }
                RunState::Waiting
                | RunState::Started
                | RunState::Succeeded
                | RunState::Warned
                | RunState::Failed
                | RunState::Cancelled => {
                    tracing::info!(schedule = %run.schedule, due = %run.due, "schedule due");
                }
            }
        }
        Ok(())
    }

    async fn advance_or_log(&self, claim: &RunClaim) {
        if let Err(error) = self.advance(claim).await {
            // The claim runs out, and a node takes the run again.
            tracing::error!(
                schedule = claim.entry.shown_name(), due = %claim.run.due, error = error_chain(&error), "run interrupted"
            );
        }
    }

    /// Brings a run one step further. What a run starts is in the run's trace, which begins here: nobody asked for it.
    async fn advance(&self, claim: &RunClaim) -> Result<(), Error> {
        let step = match claim.run.state {
            RunState::Waiting => {
                let span = tracing::info_span!(
                    target: TARGET, parent: None, "schedule", trace = Empty, schedule = %claim.run.schedule,
                    attempt = claim.run.failures + 1
                );
                let trace = claim.run.trace();
                span.record("trace", trace.id());
                let trace = match span.in_scope(|| self.traces.begin(&trace, None)) {
                    Some(sampled) => trace.with_sampled(sampled),
                    None => trace,
                };
                self.begin(claim, trace).instrument(span).await?
            }
            RunState::Started
            | RunState::Succeeded
            | RunState::Warned
            | RunState::Failed
            | RunState::Skipped
            | RunState::Cancelled => self.follow(claim).await?,
        };
        let Some(step) = step else { return Ok(()) };
        if let RunStep::Ended { state, message } = &step {
            tracing::info!(
                schedule = claim.entry.shown_name(), due = %claim.run.due, state = state.as_str(), reason = message.as_deref(),
                "run of a schedule ended"
            );
        }
        self.keep(claim, &step).await.map(drop)
    }

    async fn keep(&self, claim: &RunClaim, step: &RunStep) -> Result<bool, Error> {
        self.schedules.step_run(claim, step, self.clock.now()).await
    }

    /// Begins an attempt, or finds the one that a dead node began. `None` if another node has the run now.
    async fn begin(&self, claim: &RunClaim, trace: Trace) -> Result<Option<RunStep>, Error> {
        let run = &claim.run;
        let traced = |caller: Caller| Caller { trace: Some(trace.clone()), ..caller };
        // The task of an attempt that was interrupted after its start.
        if let Some(task) = self.reports.tasks.task(claim.entry.tenant(), &run.task_id()).await? {
            return Ok(Some(self.started(&task.id)));
        }
        let owner = match self.owner(claim).await? {
            Ok(owner) => traced(owner),
            Err(reason) => {
                let refused = format!("schedule {:?}: {reason}", claim.entry.shown_name());
                self.reports.record_refusal(&traced(claim.entry.owner.clone()), refused).await?;
                return Ok(Some(RunStep::Ended { state: RunState::Skipped, message: Some(reason) }));
            }
        };
        if self.settings.attempts.are_exhausted(run) {
            let message = format!("given up: it was begun {} times and interrupted", run.attempts);
            return Ok(Some(RunStep::Ended { state: RunState::Failed, message: Some(message) }));
        }
        if !self.keep(claim, &RunStep::Begun).await? {
            return Ok(None);
        }
        match self.attempt(claim, &owner).await {
            Ok(step) => Ok(step),
            Err(error) => {
                tracing::warn!(
                    schedule = claim.entry.shown_name(),
                    error = error_chain(&error),
                    "attempt of a run failed"
                );
                Ok(Some(match error.category {
                    Category::Unavailable | Category::Broken | Category::Internal => {
                        self.settings.attempts.after_failure(run, error.message, self.clock.now())
                    }
                    Category::Invalid | Category::Forbidden | Category::NotFound => {
                        RunStep::Ended { state: RunState::Failed, message: Some(error.message) }
                    }
                }))
            }
        }
    }

    /// The owner with the rights of now, or why nothing may be run for it.
    async fn owner(&self, claim: &RunClaim) -> Result<Result<Caller, String>, Error> {
        let owner = &claim.entry.owner;
        if owner.client.as_str() == OPERATOR {
            return Ok(Ok(owner.clone()));
        }
        let credential = self.credentials.credential(&owner.client).await?;
        Ok(match credential.filter(|credential| credential.caller.tenant == owner.tenant) {
            None => Err(format!("the client {} of the schedule is gone", owner.client)),
            Some(credential) if !credential.enabled => {
                Err(format!("the client {} of the schedule is disabled", owner.client))
            }
            Some(credential) => Ok(credential.caller),
        })
    }

    async fn attempt(&self, claim: &RunClaim, owner: &Caller) -> Result<Option<RunStep>, Error> {
        let (entry, run) = (&claim.entry, &claim.run);
        if entry.work.refreshes() {
            let snapshot = run.snapshot_id();
            let span = tracing::info_span!(target: TARGET, "refresh");
            let refreshed = tokio::select! {
                refreshed = self.refresher.refresh(&snapshot).instrument(span) => refreshed,
                () = self.keep_claim(claim) => return Ok(None),
            };
            refreshed?;
            reached(Failpoint::RunRefreshed);
        }
        let Some(report) = entry.work.report() else {
            return Ok(Some(RunStep::Ended { state: RunState::Succeeded, message: None }));
        };
        let mut note = run.note(entry);
        let (operation, arguments) = match &entry.work {
            ScheduledWork::Refresh => (Operation::Start, RawArguments::new()),
            ScheduledWork::Report { arguments, .. } => {
                let arguments = arguments.iter().map(|(name, value)| (name.clone(), value.into()));
                (Operation::Start, arguments.collect())
            }
            ScheduledWork::Search(scheduled) => {
                let found = self.saved_searches.saved_search(entry.tenant(), &scheduled.saved_search).await?;
                let search = found.ok_or_else(|| {
                    Error::not_found(format!("the saved search {} is gone", scheduled.saved_search))
                })?;
                note.text = format!("{}; {}", note.text, search.note());
                (Operation::ManageScheduledSearches, search.content.export()?)
            }
            ScheduledWork::Policy(scheduled) => {
                let found = self.reports.policies.sod_policy(entry.tenant(), &scheduled.policy).await?;
                let policy = found
                    .ok_or_else(|| Error::not_found(format!("the policy {} is gone", scheduled.policy)))?;
                note.text = format!("{}; of the policy {:?}", note.text, policy.content.name);
                let named = RawValue::List(vec![RawValue::Text(policy.id.to_string())]);
                (Operation::RunSodViolations, RawArguments::from([("policies".to_owned(), named)]))
            }
        };
        let start = ScheduledStart { operation, report, arguments: &arguments };
        let span = tracing::info_span!(target: TARGET, "start", %report, task = Empty);
        let id = run.task_id();
        let started = self.reports.start_scheduled(owner, start, &id, note);
        let task = started.instrument(span.clone()).await?;
        span.record("task", task.id.as_str());
        if let Some(scheduled) = entry.work.policy() {
            let policies = &self.reports.policies;
            policies.keep_sod_report(entry.tenant(), Some(&scheduled.policy), &task.id).await?;
        }
        reached(Failpoint::RunTaskStarted);
        Ok(Some(self.started(&task.id)))
    }

    /// Renews the claim; returns when it is lost.
    async fn keep_claim(&self, claim: &RunClaim) {
        loop {
            tokio::time::sleep(self.settings.lease / 3).await;
            match self.schedules.renew_run(claim, self.clock.now(), self.settings.lease).await {
                Ok(true) => {}
                Ok(false) => return,
                // The refresh goes on: its snapshot is published once, whoever has the run then.
                Err(error) => {
                    tracing::warn!(error = error_chain(&error), "the claim of a run cannot be renewed")
                }
            }
        }
    }

    fn started(&self, task: &TaskId) -> RunStep {
        RunStep::Started { task: task.clone(), look: self.after(self.settings.poll) }
    }

    fn after(&self, pause: Duration) -> DateTime<Utc> {
        let pause = TimeDelta::from_std(pause).unwrap_or_default();
        self.clock.now().checked_add_signed(pause).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Looks at the task of a run.
    async fn follow(&self, claim: &RunClaim) -> Result<Option<RunStep>, Error> {
        let run = &claim.run;
        let Some(id) = &run.task else { return Ok(None) };
        let ended = |state, message| RunStep::Ended { state, message };
        let Some(task) = self.reports.tasks.task(claim.entry.tenant(), id).await? else {
            return Ok(Some(ended(RunState::Failed, Some(format!("its task {id} is gone")))));
        };
        Ok(Some(match task.state {
            TaskState::Pending | TaskState::Running => self.started(id),
            TaskState::Succeeded => ended(RunState::Succeeded, None),
            TaskState::Warned => ended(RunState::Warned, None),
            TaskState::Terminated => ended(RunState::Cancelled, Some("its report was cancelled".into())),
            TaskState::Failed => {
                let why = format!("the report failed{}", task.failure_reason());
                self.settings.attempts.after_failure(run, why, self.clock.now())
            }
        }))
    }
}

#[cfg(test)]
mod tests;
