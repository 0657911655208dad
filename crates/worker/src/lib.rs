//! The worker: takes tasks, runs them, and ends each attempt in exactly one way.
//!
//! Why here: this is a loop over two ports ([`TaskStore`] and [`ReportRunner`]) that no other crate owns. It is the
//! same over SQLite in one process and over a shared store in many processes.
//!
//! Invariants:
//! - At most `count` runs are active, and one more that is expected to be short. A slot is free again only when its run has
//!   been dropped.
//! - Every spawned task has an owner: [`Worker::run`] owns the slots, and a slot owns its run. No task outlives its
//!   owner.
//! - A run is dropped at once when its task is cancelled, its lease is lost, its deadline has passed, or the worker is
//!   told to release. After a lost lease, nothing is written to the store.
//! - The end of an attempt is written under its lease, so a late worker changes nothing.
//! - Files are removed only if it is certain that no record names them.

mod scheduler;

pub use scheduler::{Scheduler, SchedulerSettings};

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Category, Error, error_chain};
use muster_reports::ids::WorkerId;
use muster_reports::message::Message;
use muster_reports::metric;
use muster_reports::ports::{
    Clock, DiscardFiles, LeaseState, ProgressCell, ReportRunner, RunOutcome, TaskStore,
};
use muster_reports::task::{AttemptEnd, Claim, Lease, PublishedFile};
use muster_reports::trace::{TARGET, Trace, Traces};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Limits and intervals of the worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Most runs at a time. There is one place more, for runs that are expected to be short: they do not wait for long ones.
    pub count: usize,
    /// How long a claim is valid without a heartbeat.
    pub lease: Duration,
    /// Time between heartbeats; well below the lease.
    pub heartbeat: Duration,
    /// How long an idle slot waits before it looks for tasks without being woken.
    pub poll: Duration,
    /// Delay before the second attempt. It doubles with each further attempt.
    pub retry_first: Duration,
    /// Longest delay before another attempt.
    pub retry_most: Duration,
}

/// Signals that tell a worker to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Claim no more tasks; running tasks continue.
    pub drain: CancellationToken,
    /// Drop running tasks and give them back.
    pub release: CancellationToken,
}

/// A worker of this process.
#[derive(Clone)]
pub struct Worker {
    /// Its name in leases.
    pub id: WorkerId,
    /// The store of tasks.
    pub tasks: Arc<dyn TaskStore>,
    /// The runner of reports.
    pub runner: Arc<dyn ReportRunner>,
    /// Removes files that nobody will publish.
    pub files: Arc<dyn DiscardFiles>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Sends the spans of runs.
    pub traces: Arc<dyn Traces>,
    /// Limits and intervals.
    pub settings: WorkerSettings,
}

/// What a slot runs.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// Any task.
    Any,
    /// Tasks that are expected to be short.
    Short,
}

/// How often the end of an attempt is offered to a store that does not answer.
const END_OFFERS_MAX: u32 = 3;

/// Why a run is over.
enum RunEnd {
    /// It ended by itself, or panicked.
    Finished(Result<Result<RunOutcome, Error>, JoinError>),
    /// Its task was cancelled through this process.
    Cancelled,
    /// Its lease is no longer valid.
    LeaseLost,
    /// Its task's deadline has passed.
    DeadlinePassed,
    /// The worker stops.
    Released,
}

impl Worker {
    /// Works until `stop.drain` is cancelled and every running task has ended or been released.
    pub async fn run(self, stop: Stop) {
        let mut slots = JoinSet::new();
        for slot in std::iter::repeat_n(Slot::Any, self.settings.count.max(1)).chain([Slot::Short]) {
            let (worker, stop) = (self.clone(), stop.clone());
            slots.spawn(async move { worker.slot(slot, &stop).await });
        }
        while let Some(ended) = slots.join_next().await {
            if let Err(error) = ended {
                // The code of a slot does not panic. If one does, the service continues with one slot fewer.
                tracing::error!(%error, "a worker slot ended");
            }
        }
    }

    async fn slot(&self, slot: Slot, stop: &Stop) {
        while !stop.drain.is_cancelled() {
            match self.claim(slot).await {
                Ok(Some(claim)) => self.attempt(claim, &stop.release).await,
                Ok(None) => tokio::select! {
                    () = self.work(slot) => {}
                    () = stop.drain.cancelled() => {}
                },
                Err(error) => {
                    tracing::error!(error = error_chain(&error), "tasks cannot be claimed");
                    tokio::select! {
                        () = tokio::time::sleep(self.settings.poll) => {}
                        () = stop.drain.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn claim(&self, slot: Slot) -> Result<Option<Claim>, Error> {
        let (now, lease) = (self.clock.now(), self.settings.lease);
        match slot {
            Slot::Any => self.tasks.claim(&self.id, now, lease).await,
            Slot::Short => self.tasks.claim_short(&self.id, now, lease).await,
        }
    }

    /// Waits until there may be work for the slot.
    async fn work(&self, slot: Slot) {
        match slot {
            Slot::Any => self.tasks.work_or(self.settings.poll).await,
            Slot::Short => self.tasks.short_work_or(self.settings.poll).await,
        }
    }

    /// Runs one claimed task and ends the attempt. Every line that is logged meanwhile has the task's id, whoever logs it.
    /// The span continues the trace of the request that started the task, whichever process answered it.
    async fn attempt(&self, claim: Claim, release: &CancellationToken) {
        let task = &claim.task;
        let span = tracing::info_span!(
            target: TARGET, parent: None, "run", task = %task.id, report = %task.report, attempt = task.attempts,
            epoch = claim.lease.epoch, end = Empty, rows = Empty, otel.status_code = Empty
        );
        if let Some(trace) = &task.requester.trace {
            span.in_scope(|| self.traces.follow(trace));
            // What a further attempt waited for is not known.
            if task.attempts == 1 {
                self.traces.waited("queued", trace, task.created, self.clock.now());
            }
        }
        self.attempt_within(claim, release).instrument(span).await;
    }

    async fn attempt_within(&self, claim: Claim, release: &CancellationToken) {
        let claim = Arc::new(claim);
        let progress = Arc::new(ProgressCell::default());
        let started = self.clock.now();
        tracing::info!(
            task = %claim.task.id, report = %claim.task.report, attempt = claim.task.attempts,
            epoch = claim.lease.epoch, trace = claim.task.requester.trace.as_ref().map(Trace::id), "run begins"
        );
        let outcome = self.run_until_over(&claim, &progress, release).await;
        let (rows, span) = (progress.get().rows, Span::current());
        let count_end = |end: &'static str, ended| {
            count_end(&claim, end, started, ended, rows);
            span.record("end", end);
            span.record("rows", rows);
        };
        let end = match outcome {
            RunEnd::Finished(ended) => self.end_of(&claim, ended),
            RunEnd::Released => AttemptEnd::Released,
            RunEnd::DeadlinePassed => {
                count_end("deadline_passed", self.clock.now());
                // No lease is valid after the deadline: the next claim ends the task.
                tracing::warn!(task = %claim.task.id, "run stopped: its deadline has passed");
                return;
            }
            RunEnd::Cancelled => {
                count_end("cancelled", self.clock.now());
                tracing::info!(task = %claim.task.id, "run cancelled");
                return;
            }
            RunEnd::LeaseLost => {
                count_end("lease_lost", self.clock.now());
                tracing::warn!(task = %claim.task.id, epoch = claim.lease.epoch, "run stopped: its lease is lost");
                return;
            }
        };
        let ended = self.clock.now();
        let took_ms = (ended - started).num_milliseconds();
        let name = end_name(&end);
        count_end(name, ended);
        if matches!(end, AttemptEnd::Failed { .. } | AttemptEnd::Retry { .. }) {
            Span::current().record("otel.status_code", "ERROR");
        }
        tracing::info!(task = %claim.task.id, end = name, took_ms, rows, "run ended");
        let publish = tracing::info_span!(target: TARGET, "publish");
        self.write_end(&claim.lease, end).instrument(publish).await;
    }

    /// Runs the claimed task until one of the [`RunEnd`]s. The run has been dropped when this returns.
    async fn run_until_over(
        &self,
        claim: &Arc<Claim>,
        progress: &Arc<ProgressCell>,
        release: &CancellationToken,
    ) -> RunEnd {
        // A task of its own: a run that computes for a long time between two awaits does not delay heartbeats.
        let mut run = AbortOnDropHandle::new(tokio::spawn({
            let (runner, claim, progress) = (self.runner.clone(), claim.clone(), progress.clone());
            async move { runner.run(&claim, &progress).await }.in_current_span()
        }));
        let stopped = tokio::select! {
            biased;
            () = self.tasks.cancelled(&claim.task.id) => RunEnd::Cancelled,
            () = release.cancelled() => RunEnd::Released,
            ended = &mut run => return RunEnd::Finished(ended),
            () = self.until(claim.lease.deadline) => RunEnd::DeadlinePassed,
            () = self.keep_lease(&claim.lease, progress) => RunEnd::LeaseLost,
        };
        run.abort();
        // The slot is free only when the run has been dropped. If the run has just ended by itself, nobody gets its
        // result, so its files are removed.
        if let Ok(Ok(finished)) = run.await {
            self.discard(&finished.result.files).await;
        }
        stopped
    }

    async fn until(&self, time: DateTime<Utc>) {
        let left = (time - self.clock.now()).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(left).await;
    }

    /// Renews the lease at the heartbeat interval. Returns when the lease is no longer valid.
    async fn keep_lease(&self, lease: &Lease, progress: &ProgressCell) {
        let mut held_until = lease.until;
        loop {
            tokio::time::sleep(self.settings.heartbeat).await;
            let now = self.clock.now();
            let beat = self.tasks.heartbeat(lease, progress.get(), now, self.settings.lease);
            match tokio::time::timeout(self.settings.lease, beat).await {
                Ok(Ok(LeaseState::Held(until))) => held_until = until,
                Ok(Ok(LeaseState::Lost)) => return,
                Ok(Err(error)) => {
                    tracing::warn!(task = %lease.task, error = error_chain(&error), "heartbeat failed");
                }
                Err(_) => tracing::warn!(task = %lease.task, "the store did not answer a heartbeat in time"),
            }
            if self.clock.now() >= held_until {
                return;
            }
        }
    }

    /// How an attempt ends if its run ended by itself.
    fn end_of(&self, claim: &Claim, ended: Result<Result<RunOutcome, Error>, JoinError>) -> AttemptEnd {
        let error = match ended {
            Ok(Ok(RunOutcome { result, messages })) => return AttemptEnd::Done { result, messages },
            Ok(Err(error)) => error,
            Err(panic) => {
                tracing::error!(task = %claim.task.id, error = %panic, "run panicked");
                return AttemptEnd::Failed {
                    message: Message::error(
                        "internal_fault",
                        "the report failed because of a fault of the service",
                    ),
                };
            }
        };
        tracing::warn!(
            task = %claim.task.id, attempt = claim.task.attempts, error = error_chain(&error), "run failed"
        );
        let category = if out_of_files(&error) { Category::Unavailable } else { error.category };
        let key = match category {
            Category::Unavailable | Category::Broken => {
                return AttemptEnd::Retry {
                    message: Message::error("attempt_failed", error.message),
                    not_before: self.clock.now() + self.back_off(claim.task.attempts),
                };
            }
            Category::Invalid => "report_invalid",
            Category::Forbidden => "report_forbidden",
            Category::NotFound => "data_not_found",
            Category::Internal => "internal_fault",
        };
        AttemptEnd::Failed { message: Message::error(key, error.message) }
    }

    /// The delay after the attempt with this number (the first is 1).
    fn back_off(&self, attempt: u32) -> TimeDelta {
        let doublings = attempt.saturating_sub(1).min(16);
        let delay = self.settings.retry_first.saturating_mul(1 << doublings).min(self.settings.retry_most);
        TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX)
    }

    /// Writes the end under the lease. If the store cannot say whether it has recorded the end, the task is left until
    /// the lease ends, and the files until the next sweep: they may be published.
    async fn write_end(&self, lease: &Lease, end: AttemptEnd) {
        let mut unsure = false;
        for offer in 1..=END_OFFERS_MAX {
            match self.tasks.end_attempt(lease, end.clone(), self.clock.now()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(task = %lease.task, epoch = lease.epoch, "the lease is lost: nothing was changed");
                    if let (AttemptEnd::Done { result, .. }, false) = (&end, unsure) {
                        self.discard(&result.files).await;
                    }
                    return;
                }
                Err(error) => {
                    unsure = true;
                    tracing::error!(
                        task = %lease.task, offer, error = error_chain(&error), "the end of a run cannot be written"
                    );
                    tokio::time::sleep(self.settings.heartbeat).await;
                }
            }
        }
    }

    async fn discard(&self, files: &[PublishedFile]) {
        if let Err(error) = self.files.discard(files).await {
            tracing::warn!(error = error_chain(&error), "unpublished files are left for the next sweep");
        }
    }
}

/// Whether a file could not be opened because too many files are open, in this process (EMFILE) or on the machine
/// (ENFILE). This is temporary.
fn out_of_files(error: &Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let number = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        if matches!(number, Some(ENFILE | EMFILE)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Counts the end of an attempt in the metrics.
fn count_end(claim: &Claim, end: &'static str, started: DateTime<Utc>, ended: DateTime<Utc>, rows: u64) {
    let report = claim.task.report.to_string();
    let seconds = (ended - started).num_milliseconds() as f64 / 1_000.0;
    metrics::counter!(metric::ATTEMPTS.name, "report" => report.clone(), "end" => end).increment(1);
    metrics::histogram!(metric::REPORT_SECONDS.name, "report" => report.clone(), "end" => end)
        .record(seconds);
    if claim.task.attempts > 1 {
        metrics::counter!(metric::FURTHER_ATTEMPTS.name, "report" => report.clone()).increment(1);
    }
    metrics::counter!(metric::ROWS.name, "report" => report, "end" => end).increment(rows);
}

fn end_name(end: &AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Done { .. } => "done",
        AttemptEnd::Failed { .. } => "failed",
        AttemptEnd::Retry { .. } => "retry",
        AttemptEnd::Released => "released",
    }
}

#[cfg(test)]
mod tests;
