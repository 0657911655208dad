//! The worker with fakes. Time is virtual: it advances only when every task waits for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::ids::{TaskDefinitionId, TaskId, TenantId};
use muster_reports::message::Severity;
use muster_reports::ports::{Cancelled, ResultOrder, Started};
use muster_reports::task::{NewTask, Progress, Task, TaskState};
use muster_reports::task_list::{TaskPage, VisibleTasks};
use muster_reports::trace::NoTraces;
use muster_testkit::build::{new_task, same_as, task_id, tenant};
use muster_testkit::{FakeRun, FakeRunner, MemoryStore, TestClock, acts};
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use tokio::sync::mpsc;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);

/// The memory store, whose answers can be made to fail.
#[derive(Default)]
struct Store {
    inner: MemoryStore,
    /// Number of ends that the store records without an answer.
    silent_ends: AtomicU32,
    /// Whether heartbeats fail. Each failing heartbeat takes ten seconds.
    deaf: Option<Arc<TestClock>>,
}

#[async_trait]
impl TaskStore for Store {
    async fn start(&self, new: NewTask) -> Result<Started> {
        self.inner.start(new).await
    }
    async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>> {
        self.inner.task(tenant, id).await
    }
    async fn last_tasks(&self, tenant: &TenantId, count: u32) -> Result<Vec<Task>> {
        self.inner.last_tasks(tenant, count).await
    }
    async fn task_of_definition(
        &self,
        tenant: &TenantId,
        definition: &TaskDefinitionId,
        order: ResultOrder,
    ) -> Result<Option<Task>> {
        self.inner.task_of_definition(tenant, definition, order).await
    }
    async fn list(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<TaskPage> {
        self.inner.list(tenant, wanted).await
    }
    async fn counts(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<BTreeMap<TaskState, u64>> {
        self.inner.counts(tenant, wanted).await
    }
    async fn cancel(&self, event: &AuditEvent, failure: Option<&Message>) -> Result<Cancelled> {
        self.inner.cancel(event, failure).await
    }
    async fn claim(&self, worker: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<Option<Claim>> {
        self.inner.claim(worker, now, lease).await
    }
    async fn claim_short(
        &self,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.inner.claim_short(worker, now, lease).await
    }
    async fn heartbeat(
        &self,
        lease: &Lease,
        progress: Progress,
        now: DateTime<Utc>,
        extend: Duration,
    ) -> Result<LeaseState> {
        if let Some(clock) = &self.deaf {
            clock.advance(TimeDelta::seconds(10));
            return Err(Error::unavailable("the store does not answer"));
        }
        self.inner.heartbeat(lease, progress, now, extend).await
    }
    async fn end_attempt(&self, lease: &Lease, end: AttemptEnd, now: DateTime<Utc>) -> Result<bool> {
        let ended = self.inner.end_attempt(lease, end, now).await?;
        let silent = self.silent_ends.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if silent.is_ok() { Err(Error::unavailable("the store does not answer")) } else { Ok(ended) }
    }
    async fn work_or(&self, at_most: Duration) {
        self.inner.work_or(at_most).await;
    }
    async fn short_work_or(&self, at_most: Duration) {
        self.inner.short_work_or(at_most).await;
    }
    async fn cancelled(&self, id: &TaskId) {
        self.inner.cancelled(id).await;
    }
    async fn published_names(&self) -> Result<Vec<String>> {
        self.inner.published_names().await
    }
    async fn live_attempts(&self) -> Result<HashSet<(TaskId, u64)>> {
        self.inner.live_attempts().await
    }
}

/// Reports when a run begins and when it is dropped. It never ends by itself.
struct Endless {
    began: mpsc::UnboundedSender<TaskId>,
    dropped: mpsc::UnboundedSender<TaskId>,
}

struct TellsDrop(mpsc::UnboundedSender<TaskId>, TaskId);

impl Drop for TellsDrop {
    fn drop(&mut self) {
        // A test that has ended no longer listens.
        let _ = self.0.send(self.1.clone());
    }
}

#[async_trait]
impl ReportRunner for Endless {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        let _tells = TellsDrop(self.dropped.clone(), claim.task.id.clone());
        progress.expect(8);
        progress.add(5);
        self.began.send(claim.task.id.clone()).unwrap();
        std::future::pending().await
    }
}

fn endless() -> (Arc<Endless>, mpsc::UnboundedReceiver<TaskId>, mpsc::UnboundedReceiver<TaskId>) {
    let (began, begins) = mpsc::unbounded_channel();
    let (dropped, drops) = mpsc::unbounded_channel();
    (Arc::new(Endless { began, dropped }), begins, drops)
}

/// Runs `first`, then does what `then` does.
struct First<F> {
    first: F,
    then: FakeRunner,
}

#[async_trait]
impl<F: Fn() + Send + Sync> ReportRunner for First<F> {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        (self.first)();
        self.then.run(claim, progress).await
    }
}

/// Removes files from the folder, and remembers their names.
struct Folder(tempfile::TempDir, Mutex<Vec<String>>);

#[async_trait]
impl DiscardFiles for Folder {
    async fn discard(&self, files: &[PublishedFile]) -> Result<()> {
        for file in files {
            std::fs::remove_file(self.0.path().join(&file.stored_name)).unwrap();
            self.1.lock().unwrap().push(file.stored_name.clone());
        }
        Ok(())
    }
}

struct Installation {
    store: Arc<Store>,
    clock: Arc<TestClock>,
    folder: Arc<Folder>,
}

impl Installation {
    fn new(store: Store) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap(), Mutex::default());
        Self { store: Arc::new(store), clock: Arc::new(TestClock::default()), folder: Arc::new(folder) }
    }

    fn fake(&self, run: FakeRun) -> Arc<FakeRunner> {
        Arc::new(FakeRunner::new(self.folder.0.path(), run))
    }

    fn worker(&self, runner: Arc<dyn ReportRunner>) -> Worker {
        Worker {
            id: WorkerId::new("worker-1"),
            tasks: self.store.clone(),
            runner,
            files: self.folder.clone(),
            clock: self.clock.clone(),
            traces: Arc::new(NoTraces),
            settings: WorkerSettings {
                count: 2,
                lease: LEASE,
                heartbeat: Duration::from_secs(5),
                poll: Duration::from_secs(60),
                retry_first: Duration::from_secs(1),
                retry_most: Duration::from_secs(60),
            },
        }
    }

    async fn start(&self, number: u64) {
        self.store.start(new_task(number, self.clock.now())).await.unwrap();
    }

    async fn claim(&self, worker: &str) -> Option<Claim> {
        self.store.claim(&WorkerId::new(worker), self.clock.now(), LEASE).await.unwrap()
    }

    /// Starts a task and runs one attempt at it.
    async fn one_attempt(&self, runner: Arc<dyn ReportRunner>) -> Task {
        self.start(1).await;
        let claim = self.claim("worker-1").await.unwrap();
        self.worker(runner).attempt(claim, &CancellationToken::new()).await;
        self.task(1).await
    }

    async fn task(&self, number: u64) -> Task {
        self.store.task(&tenant(), &task_id(number)).await.unwrap().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.0.path()).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_succeeds_is_published() {
    let installation = Installation::new(Store::default());
    let task = installation.one_attempt(installation.fake(FakeRun::Rows(3, Vec::new()))).await;
    assert_eq!(task.state, TaskState::Succeeded);
    assert_eq!(task.result.unwrap().rows, 3);
    assert_eq!(installation.files(), [format!("{}.1.report.csv", task_id(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_warning_makes_the_task_warned() {
    let installation = Installation::new(Store::default());
    let warning = Message::warn("source_incomplete", "half of it");
    let task = installation.one_attempt(installation.fake(FakeRun::Rows(3, vec![warning.clone()]))).await;
    assert_eq!(task.state, TaskState::Warned);
    assert_eq!(task.messages, [warning]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_fails_the_task_and_keeps_its_cause_out_of_the_message() {
    let installation = Installation::new(Store::default());
    let task =
        installation.one_attempt(installation.fake(FakeRun::Broken("the rows do not add up".into()))).await;
    assert_eq!(task.state, TaskState::Failed);
    assert_eq!(task.messages, [Message::error("internal_fault", "the rows do not add up")]);
}

/// Fails like a run whose file cannot be opened, with this error of the system.
struct NotOpened(i32);

#[async_trait]
impl ReportRunner for NotOpened {
    async fn run(&self, _: &Claim, _: &ProgressCell) -> Result<RunOutcome> {
        let refused = std::io::Error::from_raw_os_error(self.0);
        let within = Error::internal("a file could not be opened", refused);
        Err(Error::internal("the report's data could not be read", within))
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_free_file_is_tried_again() {
    // EMFILE, ENFILE and EACCES of Linux.
    for (number, state) in [(24, TaskState::Pending), (23, TaskState::Pending), (13, TaskState::Failed)] {
        let installation = Installation::new(Store::default());
        let task = installation.one_attempt(Arc::new(NotOpened(number))).await;
        assert_eq!((task.state, task.attempts), (state, 1), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_task() {
    let installation = Installation::new(Store::default());
    let runner =
        First { first: || panic!("told to panic"), then: FakeRunner::new("unused", FakeRun::Forever(0)) };
    let task = installation.one_attempt(Arc::new(runner)).await;
    assert_eq!(task.state, TaskState::Failed);
    assert_eq!(task.messages.len(), 1);
    assert_eq!(
        (task.messages[0].severity, task.messages[0].key.as_str()),
        (Severity::Error, "internal_fault")
    );
    assert!(!task.messages[0].text.contains("told to panic"));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_repeated_after_growing_delays_and_at_most_three_times() {
    let installation = Installation::new(Store::default());
    let runner = installation.fake(FakeRun::Unavailable("the disk is full".into()));
    let worker = installation.worker(runner.clone());
    let task = installation.one_attempt(runner).await;
    assert_eq!((task.state, task.attempts), (TaskState::Pending, 1));
    for (delay_ms, attempt) in [(1_000, 2), (2_000, 3)] {
        installation.clock.advance(TimeDelta::milliseconds(delay_ms - 1));
        assert_eq!(installation.claim("worker-1").await, None, "attempt {attempt} is too early");
        installation.clock.advance(TimeDelta::milliseconds(1));
        let claim = installation.claim("worker-1").await.unwrap();
        assert_eq!(claim.task.attempts, attempt);
        worker.attempt(claim, &CancellationToken::new()).await;
    }
    assert_eq!(installation.task(1).await.state, TaskState::Failed);
}

#[tokio::test(start_paused = true)]
async fn the_delay_has_a_limit() {
    let installation = Installation::new(Store::default());
    let worker = installation.worker(installation.fake(FakeRun::Forever(0)));
    assert_eq!(worker.back_off(1), TimeDelta::seconds(1));
    assert_eq!(worker.back_off(6), TimeDelta::seconds(32));
    assert_eq!(worker.back_off(7), TimeDelta::seconds(60));
    assert_eq!(worker.back_off(u32::MAX), TimeDelta::seconds(60));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_drops_the_run_without_waiting_for_a_heartbeat() {
    let installation = Installation::new(Store::default());
    let (runner, mut begins, mut drops) = endless();
    installation.start(1).await;
    let claim = installation.claim("worker-1").await.unwrap();
    let worker = installation.worker(runner);
    let attempt = tokio::spawn(async move { worker.attempt(claim, &CancellationToken::new()).await });
    begins.recv().await.unwrap();
    let before = Instant::now();
    assert_eq!(
        acts::cancel(&*installation.store, &tenant(), &task_id(1), installation.clock.now()).await.unwrap(),
        Cancelled::Now
    );
    assert_eq!(drops.recv().await.unwrap(), task_id(1));
    assert!(before.elapsed() < Duration::from_millis(100), "{:?}", before.elapsed());
    attempt.await.unwrap();
    assert_eq!(installation.task(1).await.state, TaskState::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_shows_progress_and_renews_the_lease() {
    let installation = Installation::new(Store::default());
    let (runner, mut begins, _drops) = endless();
    installation.start(1).await;
    let claim = installation.claim("worker-1").await.unwrap();
    let (lease, worker) = (claim.lease.clone(), installation.worker(runner));
    let attempt = tokio::spawn(async move { worker.attempt(claim, &CancellationToken::new()).await });
    begins.recv().await.unwrap();
    installation.clock.advance(TimeDelta::seconds(20));
    // Two heartbeats of virtual time.
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(installation.task(1).await.progress, Progress { rows: 5, rows_expected: Some(8) });
    // After the first lease, but within the renewed one.
    installation.clock.set(lease.until + TimeDelta::seconds(1));
    assert_eq!(installation.claim("worker-2").await, None);
    attempt.abort();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_stops_and_changes_nothing() {
    let installation = Installation::new(Store::default());
    let (runner, mut begins, mut drops) = endless();
    installation.start(1).await;
    let claim = installation.claim("worker-1").await.unwrap();
    let worker = installation.worker(runner);
    let attempt = tokio::spawn(async move { worker.attempt(claim, &CancellationToken::new()).await });
    begins.recv().await.unwrap();
    installation.clock.advance(TimeDelta::seconds(31));
    let taken = installation.claim("worker-2").await.unwrap();
    assert_eq!(taken.lease.epoch, 2);
    attempt.await.unwrap();
    assert_eq!(drops.recv().await.unwrap(), task_id(1));
    assert_eq!(installation.task(1).await, taken.task);
}

#[tokio::test(start_paused = true)]
async fn files_of_a_run_that_ended_too_late_are_removed() {
    let installation = Installation::new(Store::default());
    let clock = installation.clock.clone();
    // More than six hours pass while it runs: no lease is valid after the deadline.
    let runner = First {
        first: move || {
            clock.advance(TimeDelta::hours(7));
        },
        then: FakeRunner::new(installation.folder.0.path(), FakeRun::Rows(2, Vec::new())),
    };
    let task = installation.one_attempt(Arc::new(runner)).await;
    assert_eq!((task.state, task.result), (TaskState::Running, None));
    assert_eq!(*installation.folder.1.lock().unwrap(), [format!("{}.1.report.csv", task_id(1))]);
    assert!(installation.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn files_are_kept_when_the_store_took_them_without_saying_so() {
    let installation = Installation::new(Store { silent_ends: AtomicU32::new(1), ..Store::default() });
    let task = installation.one_attempt(installation.fake(FakeRun::Rows(2, Vec::new()))).await;
    assert_eq!(task.state, TaskState::Succeeded);
    assert_eq!(installation.files(), [format!("{}.1.report.csv", task_id(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_when_its_lease_ran_out_unrenewed() {
    let clock = Arc::new(TestClock::default());
    let installation = Installation {
        clock: clock.clone(),
        ..Installation::new(Store { deaf: Some(clock), ..Store::default() })
    };
    let (runner, _begins, mut drops) = endless();
    let task = installation.one_attempt(runner).await;
    assert_eq!(drops.recv().await.unwrap(), task_id(1));
    assert_eq!(task.state, TaskState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_at_its_deadline() {
    let installation = Installation::new(Store::default());
    let (runner, _begins, mut drops) = endless();
    let before = Instant::now();
    installation.one_attempt(runner).await;
    assert_eq!(drops.recv().await.unwrap(), task_id(1));
    assert_eq!(before.elapsed(), Duration::from_secs(6 * 3_600));
    installation.clock.advance(TimeDelta::hours(6));
    assert_eq!(installation.claim("worker-1").await, None);
    assert_eq!(installation.task(1).await.state, TaskState::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_running_tasks_back_uncounted() {
    let installation = Installation::new(Store::default());
    let (runner, mut begins, mut drops) = endless();
    installation.start(1).await;
    let stop = Stop::default();
    let worker = tokio::spawn(installation.worker(runner).run(stop.clone()));
    begins.recv().await.unwrap();
    stop.drain.cancel();
    installation.start(2).await;
    stop.release.cancel();
    worker.await.unwrap();
    assert_eq!(drops.recv().await.unwrap(), task_id(1));
    let task = installation.task(1).await;
    assert_eq!((task.state, task.attempts), (TaskState::Pending, 0));
    assert_eq!(installation.task(2).await.attempts, 0, "nothing is claimed after a drain has begun");
    // The next worker takes it with the next epoch.
    assert_eq!(installation.claim("worker-2").await.unwrap().lease.epoch, 2);
}

/// Counts concurrent runs, and drains the worker with the last run.
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    left: AtomicUsize,
    stop: Stop,
    then: FakeRunner,
}

#[async_trait]
impl ReportRunner for Crowd {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let outcome = self.then.run(claim, progress).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.stop.drain.cancel();
        }
        outcome
    }
}

#[tokio::test(start_paused = true)]
async fn every_task_runs_and_never_more_than_count_at_a_time() {
    let installation = Installation::new(Store::default());
    let stop = Stop::default();
    let crowd = Arc::new(Crowd {
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        left: AtomicUsize::new(7),
        stop: stop.clone(),
        then: FakeRunner::new(installation.folder.0.path(), FakeRun::Rows(1, Vec::new())),
    });
    for number in 1..=7 {
        installation.start(number).await;
    }
    installation.worker(crowd.clone()).run(stop).await;
    for number in 1..=7 {
        assert_eq!(installation.task(number).await.state, TaskState::Succeeded, "task {number}");
    }
    assert_eq!(crowd.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_expected_to_be_short_does_not_wait_for_long_ones() {
    let installation = Installation::new(Store::default());
    let short = installation.one_attempt(installation.fake(FakeRun::Rows(3, Vec::new()))).await;
    assert_eq!(short.state, TaskState::Succeeded);
    let (runner, mut begins, _drops) = endless();
    let worker = tokio::spawn(installation.worker(runner).run(Stop::default()));
    let mut running = Vec::new();
    for number in [2, 3] {
        installation.start(number).await;
        running.push(begins.recv().await.unwrap());
    }
    // Nothing is known of this one, so it waits for one of the two places.
    installation.start(4).await;
    let again = same_as(1, new_task(5, installation.clock.now()));
    installation.store.start(again).await.unwrap();
    running.push(begins.recv().await.unwrap());
    assert_eq!(running, [2, 3, 5].map(task_id));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(begins.try_recv().is_err(), "the place for short runs is taken, too");
    assert_eq!(installation.task(4).await.state, TaskState::Pending);
    worker.abort();
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Logs as the code below a run does, which knows no task: while it runs, and when it is dropped.
struct Talkative;

struct LogsDrop;

impl Drop for LogsDrop {
    fn drop(&mut self) {
        tracing::warn!("from a drop");
    }
}

#[async_trait]
impl ReportRunner for Talkative {
    async fn run(&self, _: &Claim, _: &ProgressCell) -> Result<RunOutcome> {
        let _drop = LogsDrop;
        tracing::warn!("from below the run");
        tokio::task::yield_now().await;
        tracing::warn!("from below the run, later");
        Err(Error::invalid("it cannot be made"))
    }
}

#[tokio::test(start_paused = true)]
async fn every_line_of_a_run_has_the_id_of_its_task() {
    let kept = Kept::default();
    let writer = kept.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // While there is only one subscriber, a thread of another test that has none decides for a line that it comes to first:
    // nobody wants it. With two of them, all are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _log = tracing::subscriber::set_default(log);
    let installation = Installation::new(Store::default());
    installation.start(1).await;
    installation.start(2).await;
    let stop = Stop::default();
    let running = tokio::spawn(installation.worker(Arc::new(Talkative)).run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.drain.cancel();
    running.await.unwrap();
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for message in [
        "run begins",
        "from below the run",
        "from below the run, later",
        "from a drop",
        "run failed",
        "run ended",
    ] {
        let of = |line: &&serde_json::Value| line["fields"]["message"] == message;
        let mut tasks: Vec<&str> =
            lines.iter().filter(of).map(|line| line["span"]["task"].as_str().unwrap_or("none")).collect();
        tasks.sort_unstable();
        assert_eq!(tasks, [task_id(1).as_str(), task_id(2).as_str()], "{message}: {text}");
    }
}
