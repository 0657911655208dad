//! PostgreSQL under load while it is restarted, loses its back ends, or is gone: nothing that was accepted is
//! lost, nothing is done twice, and service resumes by itself.
//!
//! With `MUSTER_LONG_TESTS=1` the database is gone for a minute instead of some seconds.

use crate::postgres::{open, settings};
use muster_reports::error::Category;
use muster_reports::ids::{TaskId, WorkerId};
use muster_reports::ports::TaskStore;
use muster_reports::task::{AttemptEnd, NewTask, TaskState};
use muster_store::{Settings, Store};
use muster_testkit::postgres::{Durability, PostgresServer, Shutdown};
use muster_testkit::{acts, build};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Short, so that the task of a broken claim is soon taken again.
const LEASE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(600);
const STARTERS: u64 = 8;
const WORKERS: u32 = 6;

fn impatient() -> Settings {
    Settings {
        attempts_max: 100,
        busy_wait: Duration::from_secs(2),
        statement_wait: Duration::from_secs(5),
        ..settings()
    }
}

/// What happened, as clients and workers saw it.
#[derive(Debug, Default)]
struct Seen {
    /// Accepted tasks by the key they are about.
    accepted: Mutex<BTreeMap<u64, TaskId>>,
    /// Keys of which a start once got no answer.
    unsure: Mutex<BTreeSet<u64>>,
    claims: Mutex<Vec<(TaskId, u64)>>,
    published: Mutex<Vec<TaskId>>,
    refusals: AtomicU64,
    /// The longest that any call took, in milliseconds.
    longest_ms: AtomicU64,
}

impl Seen {
    /// Notes a failure; anything but `Unavailable` is a fault.
    fn refused(&self, error: &muster_reports::Error) {
        assert_eq!(error.category, Category::Unavailable, "{error:?}");
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    async fn timed<T>(&self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let outcome = call.await;
        self.longest_ms.fetch_max(began.elapsed().as_millis() as u64, Ordering::Relaxed);
        outcome
    }
}

/// Clients and workers on two nodes, going on whatever happens.
struct Load {
    nodes: [Arc<Store>; 2],
    seen: Arc<Seen>,
    stop_starting: Arc<AtomicBool>,
    stop_working: Arc<AtomicBool>,
    starters: JoinSet<()>,
    workers: JoinSet<()>,
}

impl Load {
    async fn begin(server: &PostgresServer) -> Self {
        let url = server.fresh_url();
        let nodes = [(); 2].map(|()| open(&url, impatient()));
        let [one, two] = nodes;
        let nodes = [Arc::new(one.await.unwrap()), Arc::new(two.await.unwrap())];
        let mut load = Self {
            nodes,
            seen: Arc::default(),
            stop_starting: Arc::default(),
            stop_working: Arc::default(),
            starters: JoinSet::new(),
            workers: JoinSet::new(),
        };
        for number in 0..STARTERS {
            let node = load.nodes[usize::from(number % 2 == 0)].clone();
            load.starters.spawn(start_tasks(node, load.seen.clone(), load.stop_starting.clone(), number));
        }
        for number in 0..WORKERS {
            let node = load.nodes[usize::from(number % 2 == 0)].clone();
            load.workers.spawn(work(node, load.seen.clone(), load.stop_working.clone(), number));
        }
        load
    }

    fn accepted(&self) -> usize {
        self.seen.accepted.lock().unwrap().len()
    }

    /// Waits until so many more tasks have been accepted: service goes on.
    async fn until_more(&self, more: usize) -> Duration {
        let (began, before) = (Instant::now(), self.accepted());
        while self.accepted() < before + more {
            assert!(began.elapsed() < PATIENCE, "service did not resume: {:?}", self.seen.refusals);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    /// Lets everything that was accepted end, and compares what was seen with what is kept.
    async fn check(mut self, what: &str) {
        self.stop_starting.store(true, Ordering::Relaxed);
        while let Some(ended) = self.starters.join_next().await {
            ended.unwrap();
        }
        let accepted = self.seen.accepted.lock().unwrap().clone();
        let store = self.nodes[0].clone();
        let began = Instant::now();
        for id in accepted.values() {
            loop {
                let task = store.task(&build::tenant(), id).await.unwrap().expect("an accepted task is kept");
                if !task.state.is_live() {
                    assert_eq!(task.state, TaskState::Succeeded, "{:?}", task.messages);
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{task:?} does not end");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        // Tasks whose start got no answer end too.
        while !store.live_attempts().await.unwrap().is_empty() {
            assert!(began.elapsed() < PATIENCE, "some attempts do not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.stop_working.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap();
        }
        self.nothing_doubled().await;
        println!(
            "{what}: {} tasks accepted, {} starts without an answer, {} calls refused, the longest call took {} ms",
            accepted.len(),
            self.seen.unsure.lock().unwrap().len(),
            self.seen.refusals.load(Ordering::Relaxed),
            self.seen.longest_ms.load(Ordering::Relaxed),
        );
    }

    async fn nothing_doubled(&self) {
        let names: Vec<_> = self.nodes[1].published_names().await.unwrap();
        let claims = self.seen.claims.lock().unwrap();
        let distinct: BTreeSet<_> = claims.iter().collect();
        assert_eq!(claims.len(), distinct.len(), "no attempt was given to two workers");
        let published = self.seen.published.lock().unwrap();
        let distinct: BTreeSet<_> = published.iter().collect();
        assert_eq!(published.len(), distinct.len(), "no task was published twice");
        let tasks: BTreeSet<_> = names.iter().map(|name| name.split('.').next().unwrap()).collect();
        assert_eq!(names.len(), tasks.len(), "each task has one result");
        // A task that no client knows of was started by one that got no answer.
        let accepted: BTreeSet<_> = self.seen.accepted.lock().unwrap().values().cloned().collect();
        let unsure = self.seen.unsure.lock().unwrap();
        let strangers: Vec<_> =
            tasks.iter().filter(|task| !accepted.contains(&TaskId::new(**task))).collect();
        for stranger in strangers {
            let key = u64::from_str_radix(stranger, 16).unwrap() >> 8;
            assert!(unsure.contains(&key), "{stranger} was started by nobody");
        }
    }
}

/// Starts one task after another; one without an answer is started again, as a client would.
async fn start_tasks(store: Arc<Store>, seen: Arc<Seen>, stop: Arc<AtomicBool>, starter: u64) {
    let now = build::start_of_time();
    for number in 0.. {
        let key = number * STARTERS + starter + 1;
        for offer in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // The low byte of an id counts the offers.
            let id = build::task_id((key << 8) | (offer & 0xff));
            let new = NewTask { id, ..build::new_task(key, now) };
            match seen.timed(store.start(new)).await {
                Ok(started) => {
                    let id = started.task().id;
                    let before = seen.accepted.lock().unwrap().insert(key, id);
                    assert_eq!(before, None);
                    break;
                }
                Err(error) => {
                    seen.refused(&error);
                    seen.unsure.lock().unwrap().insert(key);
                }
            }
        }
    }
}

/// Claims and ends tasks.
async fn work(store: Arc<Store>, seen: Arc<Seen>, stop: Arc<AtomicBool>, number: u32) {
    let now = build::start_of_time();
    let worker = WorkerId::new(format!("worker-{number}"));
    while !stop.load(Ordering::Relaxed) {
        let claim = match seen.timed(store.claim(&worker, now, LEASE)).await {
            Ok(Some(claim)) => claim,
            Ok(None) => {
                store.work_or(Duration::from_millis(50)).await;
                continue;
            }
            Err(error) => {
                seen.refused(&error);
                continue;
            }
        };
        seen.claims.lock().unwrap().push((claim.task.id.clone(), claim.lease.epoch));
        let result = build::task_result(&claim.task.id, claim.lease.epoch, 3);
        loop {
            let end = AttemptEnd::Done { result: result.clone(), messages: Vec::new() };
            match seen.timed(store.end_attempt(&claim.lease, end, now)).await {
                Ok(true) => seen.published.lock().unwrap().push(claim.task.id.clone()),
                Ok(false) => {}
                Err(error) => {
                    seen.refused(&error);
                    continue;
                }
            }
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn back_ends_killed_under_load() {
    let Some(server) = PostgresServer::start(Durability::Synced) else { return };
    let load = Load::begin(&server).await;
    let mut killed = 0;
    for _ in 0..30 {
        load.until_more(5).await;
        killed += server.kill_back_ends();
    }
    load.until_more(20).await;
    load.check(&format!("{killed} back ends killed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn restarted_under_load() {
    let Some(server) = PostgresServer::start(Durability::Synced) else { return };
    let load = Load::begin(&server).await;
    for how in [Shutdown::Fast, Shutdown::Crash, Shutdown::Crash, Shutdown::Fast] {
        load.until_more(20).await;
        server.stop(how);
        server.restart();
    }
    load.until_more(20).await;
    load.check("restarted four times, twice as after a crash").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gone_for_a_while_under_load() {
    let Some(server) = PostgresServer::start(Durability::Synced) else { return };
    let long = std::env::var("MUSTER_LONG_TESTS").is_ok_and(|value| value == "1");
    let gone = Duration::from_secs(if long { 60 } else { 5 });
    let load = Load::begin(&server).await;
    load.until_more(20).await;
    server.stop(Shutdown::Fast);
    tokio::time::sleep(gone).await;
    assert!(load.seen.refusals.load(Ordering::Relaxed) > 0, "calls are refused while the database is gone");
    server.restart();
    let resumed = load.until_more(20).await;
    println!("twenty tasks were accepted {} ms after the database was back", resumed.as_millis());
    load.check(&format!("gone for {} s", gone.as_secs())).await;
}

/// A cancel on one node is seen by the other, though the database was restarted while it waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_heard_after_a_restart() {
    let Some(server) = PostgresServer::start(Durability::Unsynced) else { return };
    let url = server.fresh_url();
    let one = open(&url, settings()).await.unwrap();
    let two = Arc::new(open(&url, settings()).await.unwrap());
    let now = build::start_of_time();
    for number in 1..=3 {
        let id = one.start(build::new_task(number, now)).await.unwrap().task().id;
        let waiting = tokio::spawn({
            let (two, id) = (two.clone(), id.clone());
            async move { two.cancelled(&id).await }
        });
        server.stop(Shutdown::Fast);
        server.restart();
        acts::cancel(&one, &build::tenant(), &id, now).await.unwrap();
        tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    }
}
