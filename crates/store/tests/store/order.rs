//! The times of rows are in the order in which they were committed: a change reads the clock when its turn has
//! come, not when its caller asked.

use crate::postgres::{open, settings};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::ids::TaskId;
use muster_reports::ports::{Cancelled, Clock, Started, TaskStore};
use muster_reports::task::{Task, TaskState};
use muster_store::{Deciding, Place, Settings, Store};
use muster_testkit::postgres::PostgresServer;
use muster_testkit::{TestClock, acts, build};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const CALLERS: u64 = 8;
const CHANGES: u64 = 150;
/// Keys that the callers start tasks of: few, so that ends and starts of one key meet.
const KEYS: u64 = 3;
const SOON: Duration = Duration::from_secs(300);

/// Shows a later time whenever it is asked.
#[derive(Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        build::start_of_time() + TimeDelta::microseconds(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// Callers who start and cancel tasks of a few keys, each change named with the time at which it was asked for.
/// Of one key, no task may have been created before the one in front of it had ended.
async fn starts_follow_ends(stores: &[Arc<Store>], clock: Arc<dyn Clock>) {
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let store = stores[usize::try_from(caller).unwrap() % stores.len()].clone();
        let clock = clock.clone();
        callers.spawn(async move {
            let mut ids = Vec::new();
            for change in 0..CHANGES {
                let key = (caller + change) % KEYS;
                let new = build::new_task(1_000 + caller * CHANGES + change, clock.now());
                let task = match store.start(build::same_as(key, new)).await.unwrap() {
                    Started::New(task) | Started::Live(task) => task,
                };
                acts::cancel(&*store, &build::tenant(), &task.id, clock.now()).await.unwrap();
                ids.push(task.id);
            }
            ids
        });
    }
    let ids: std::collections::BTreeSet<TaskId> = callers.join_all().await.into_iter().flatten().collect();
    let mut of_key: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for id in ids {
        let task = stores[0].task(&build::tenant(), &id).await.unwrap().unwrap();
        of_key.entry(task.definition.to_string()).or_default().push(task);
    }
    let mut pairs = 0;
    for tasks in of_key.values_mut() {
        tasks.sort_by_key(|task| (task.created, task.completed));
        for pair in tasks.windows(2) {
            assert!(pair[0].completed.unwrap() <= pair[1].created, "{pair:?}");
            pairs += 1;
        }
    }
    assert!(pairs > CHANGES, "ends and starts met: {pairs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_sqlite_starts_follow_ends() {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
    let settings = Settings { deciding: Deciding::DatabaseOr(clock.clone()), ..Settings::default() };
    let place = Place::Sqlite(dir.path().join("muster.db"));
    let store = Arc::new(Store::open(&place, settings).await.unwrap());
    starts_follow_ends(&[store], clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_postgres_starts_follow_ends() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let nodes =
        [Arc::new(open(&url, settings()).await.unwrap()), Arc::new(open(&url, settings()).await.unwrap())];
    starts_follow_ends(&nodes, Arc::new(Ticking::default())).await;
}

/// The caller's time is older than the clock's, as after a wait; its deadline is not moved by that.
#[tokio::test]
async fn over_sqlite_the_clock_is_read_when_the_turn_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let asked = build::start_of_time();
    let clock = Arc::new(TestClock::new(asked));
    let settings = Settings { deciding: Deciding::DatabaseOr(clock.clone()), ..Settings::default() };
    let store = Store::open(&Place::Sqlite(dir.path().join("muster.db")), settings).await.unwrap();
    let started = clock.advance(TimeDelta::seconds(2));
    let mut new = build::new_task(1, asked);
    new.deadline = asked + TimeDelta::seconds(60);
    let task = store.start(new).await.unwrap().task();
    assert_eq!(task.created, started);
    let ended = clock.advance(TimeDelta::seconds(2));
    assert_eq!(acts::cancel(&store, &build::tenant(), &task.id, asked).await.unwrap(), Cancelled::Now);
    let task = store.task(&build::tenant(), &task.id).await.unwrap().unwrap();
    assert_eq!(task.completed, Some(ended));

    let mut new = build::new_task(2, asked);
    new.deadline = asked + TimeDelta::seconds(60);
    store.start(new).await.unwrap();
    let worker = muster_reports::ids::WorkerId::new("worker");
    let claim = store.claim(&worker, asked, Duration::from_secs(3_600)).await.unwrap().unwrap();
    assert_eq!(claim.lease.deadline, asked + TimeDelta::seconds(60));
}

/// A cancel that waits for another node's change is later than that change.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_postgres_a_change_that_waited_is_later_than_what_it_waited_for() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url).to_owned();
    let store = Arc::new(open(&url, settings()).await.unwrap());
    let id = store.start(build::new_task(1, build::start_of_time())).await.unwrap().task().id;

    let mut other = other_node(&server, &schema).await;
    run(&mut other, "BEGIN; UPDATE tasks SET rows = 7").await;
    let cancelling = tokio::spawn({
        let (store, id) = (store.clone(), id.clone());
        async move { acts::cancel(&*store, &build::tenant(), &id, build::start_of_time()).await }
    });
    let waits = format!(
        "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND query LIKE '%tasks%' AND pid <> pg_backend_pid()
         AND {} = ANY (pg_blocking_pids(pid))",
        back_end(&mut other).await
    );
    tokio::time::timeout(SOON, async {
        while server.sql(&waits).trim() != "t" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let changed = micros(&mut other).await;
    run(&mut other, "COMMIT").await;
    assert_eq!(cancelling.await.unwrap().unwrap(), Cancelled::Now);
    let task = store.task(&build::tenant(), &id).await.unwrap().unwrap();
    assert!(task.completed.unwrap().timestamp_micros() >= changed, "{task:?} before {changed}");
}

/// A start does not wait for an end that another node has not committed: the task is live until then. The next start
/// is later than the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_postgres_a_start_during_an_end_finds_the_task_live() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url).to_owned();
    let store = open(&url, settings()).await.unwrap();
    let now = build::start_of_time();
    let first = store.start(build::new_task(1, now)).await.unwrap().task();

    let mut other = other_node(&server, &schema).await;
    let ended = micros(&mut other).await;
    run(&mut other, &format!("BEGIN; UPDATE tasks SET state = 'terminated', completed = {ended}")).await;
    let again = || store.start(build::same_as(1, build::new_task(2, now)));
    // If it waited, the store would refuse it after `busy_wait`.
    let during = again().await.unwrap();
    assert!(matches!(&during, Started::Live(task) if task.id == first.id), "{during:?}");
    run(&mut other, "COMMIT").await;
    let Started::New(second) = again().await.unwrap() else { panic!("the first has ended") };
    assert!(second.created.timestamp_micros() >= ended);
    assert_eq!(store.task(&build::tenant(), &first.id).await.unwrap().unwrap().state, TaskState::Terminated);
}

async fn other_node(server: &PostgresServer, schema: &str) -> sqlx::PgConnection {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(&server.url()).await.unwrap();
    run(&mut connection, &format!("SET search_path TO {schema}")).await;
    connection
}

async fn run(connection: &mut sqlx::PgConnection, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(connection).await.unwrap();
}

async fn back_end(connection: &mut sqlx::PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await.unwrap()
}

async fn micros(connection: &mut sqlx::PgConnection) -> i64 {
    let now = "SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    sqlx::query_scalar(now).fetch_one(connection).await.unwrap()
}
