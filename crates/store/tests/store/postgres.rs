//! The store over PostgreSQL passes the same contract suites, and processes that share it agree.

use chrono::TimeDelta;
use muster_reports::error::{Category, Result};
use muster_reports::ids::WorkerId;
use muster_reports::ports::{
    AuditTrail, Cancelled, Credentials, LeaseState, ManualLink, Registry, SnapshotCatalogue, Started,
    TaskStore,
};
use muster_reports::task::{AttemptEnd, Progress, TaskState};
use muster_store::{Deciding, Place, Settings, Store};
use muster_testkit::postgres::{PASSWORD, PostgresServer};
use muster_testkit::{MemoryStore, acts, build, contract};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);
const FOR_EVER: Duration = Duration::from_secs(3_600);

pub(crate) fn settings() -> Settings {
    Settings { connections: 8, ..Settings::default() }
}

/// The caller says what time it is, as the contract suites do.
fn told_the_time() -> Settings {
    Settings { deciding: Deciding::Caller, ..settings() }
}

pub(crate) async fn open(url: &str, settings: Settings) -> Result<Store> {
    Store::open(&Place::Postgres(url.parse()?), settings).await
}

async fn fresh(server: &PostgresServer, settings: Settings) -> Arc<Store> {
    Arc::new(open(&server.fresh_url(), settings).await.unwrap())
}

/// Two stores on one schema, as two processes would have it.
async fn two_nodes(server: &PostgresServer, settings: Settings) -> [Arc<Store>; 2] {
    let url = server.fresh_url();
    let (one, two) = tokio::join!(open(&url, settings.clone()), open(&url, settings));
    [Arc::new(one.unwrap()), Arc::new(two.unwrap())]
}

fn worker(number: u32) -> WorkerId {
    WorkerId::new(format!("worker-{number}"))
}

fn done(claim: &muster_reports::task::Claim) -> AttemptEnd {
    let result = build::task_result(&claim.task.id, claim.lease.epoch, 4);
    AttemptEnd::Done { result, messages: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_task_contract() {
    let Some(server) = PostgresServer::shared() else { return };
    Box::pin(contract::task_store_contract(async || fresh(&server, told_the_time()).await as _)).await;
}

#[tokio::test]
async fn postgres_keeps_the_other_contracts() {
    let Some(server) = PostgresServer::shared() else { return };
    let open = async || fresh(&server, told_the_time()).await;
    contract::snapshot_catalogue_contract(async || open().await as _).await;
    contract::snapshot_life_contract(async || fresh(&server, told_the_time()).await).await;
    contract::result_life_contract(async || fresh(&server, told_the_time()).await).await;
    contract::schedule_store_contract(async || fresh(&server, told_the_time()).await).await;
    Box::pin(contract::notification_store_contract(async || fresh(&server, told_the_time()).await as _))
        .await;
    contract::refresh_log_contract(async || fresh(&server, told_the_time()).await as _).await;
    contract::saved_search_store_contract(async || fresh(&server, told_the_time()).await).await;
    contract::review_store_contract(async || fresh(&server, told_the_time()).await).await;
    contract::sod_policy_store_contract(async || fresh(&server, told_the_time()).await).await;
    contract::definition_store_contract(async || fresh(&server, told_the_time()).await).await;
    contract::credentials_contract(async || open().await as _).await;
    contract::registry_contract(async || open().await as _).await;
    contract::audit_trail_contract(async || open().await as _).await;
    contract::relay_log_contract(async || open().await as _).await;
}

#[test]
fn random_commands_are_answered_as_the_fake_answers_them() {
    let Some(server) = PostgresServer::shared() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 15, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&contract::commands(), |commands| {
            runtime.block_on(async {
                let url = server.fresh_url();
                let postgres =
                    open(&url, told_the_time()).await.map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
                let outcome =
                    contract::compare_task_stores(&MemoryStore::default(), &postgres, &commands).await;
                postgres.close().await;
                outcome
            })
        })
        .unwrap();
}

/// One of everything, written by one process and read by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_store_has_everything() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let now = build::start_of_time();
    let tenant = build::tenant();
    let manifest = build::manifest("snapshot-1", now);
    let credential = build::credential("client", now);
    let source = build::registered_source("s1", "HR \0 \u{1a}");
    let link = ManualLink {
        source: source.id.clone(),
        native_identity: "cn=ada\0".into(),
        identity_name: "ada.lovelace".into(),
    };
    let event = build::audit_event("event", now);

    let store = open(&url, told_the_time()).await.unwrap();
    acts::publish(&store, &tenant, &manifest).await.unwrap();
    acts::create(&store, &credential).await.unwrap();
    acts::put_sources(&store, &tenant, std::slice::from_ref(&source)).await.unwrap();
    acts::put_links(&store, &tenant, std::slice::from_ref(&link)).await.unwrap();
    store.record(&event).await.unwrap();
    store.start(build::new_task(1, now)).await.unwrap();
    let first = store.claim(&worker(1), now, LEASE).await.unwrap().unwrap();
    assert!(store.end_attempt(&first.lease, done(&first), now).await.unwrap());
    store.start(build::new_task(2, now)).await.unwrap();
    let running = store.claim(&worker(1), now, LEASE).await.unwrap().unwrap();
    let ended = store.task(&tenant, &first.task.id).await.unwrap().unwrap();
    assert_eq!(ended.state, TaskState::Succeeded);
    store.close().await;
    assert!(store.start(build::new_task(3, now)).await.is_err(), "a closed store takes nothing");

    let store = open(&url, told_the_time()).await.unwrap();
    assert_eq!(store.newest(&tenant).await.unwrap().as_deref(), Some(&manifest));
    assert_eq!(store.kept().await.unwrap(), [manifest]);
    assert_eq!(store.credential(&credential.caller.client).await.unwrap().as_ref(), Some(&credential));
    assert_eq!(store.credentials(&tenant).await.unwrap(), std::slice::from_ref(&credential));
    let disabled = build::audit_event("disabled", now);
    assert!(store.disable(&credential.caller.client, &disabled).await.unwrap());
    assert!(!store.credential(&credential.caller.client).await.unwrap().unwrap().enabled);
    assert_eq!(store.sources(&tenant).await.unwrap(), [source]);
    assert_eq!(store.links(&tenant).await.unwrap(), [link]);
    assert_eq!(store.events(&tenant, 4, 10).await.unwrap()[0].event, event, "after four of the acts");
    for task in [&ended, &running.task] {
        assert_eq!(store.task(&tenant, &task.id).await.unwrap().as_ref(), Some(task));
    }
    assert_eq!(store.published_names().await.unwrap(), [format!("{}.1.report.csv", ended.id)]);
    assert_eq!(store.live_attempts().await.unwrap(), [(running.task.id.clone(), 1)].into());
    // The worker that was running goes on where nobody took its lease.
    assert!(store.end_attempt(&running.lease, done(&running), now).await.unwrap());
    // Work from before is announced.
    tokio::time::timeout(LEASE, store.work_or(FOR_EVER)).await.unwrap();
}

/// Whatever the nodes' own clocks show, the database's decides, and each is told in its own time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_of_the_database_decides() {
    let Some(server) = PostgresServer::shared() else { return };
    let [one, two] = two_nodes(&server, settings()).await;
    // Neither clock shows the database's time, and they differ by days.
    let early = build::start_of_time();
    let late = early + TimeDelta::days(3);
    let deadline = early + TimeDelta::hours(1);
    let mut new = build::new_task(1, early);
    new.deadline = deadline;
    let started = one.start(new).await.unwrap().task();
    let database_now: i64 =
        server.sql("SELECT floor(extract(epoch FROM now()))::bigint").trim().parse().unwrap();
    assert!((started.created.timestamp() - database_now).abs() < 60, "{}", started.created);

    let claim = two.claim(&worker(2), late, LEASE).await.unwrap().expect("it is due by the database's clock");
    let told = claim.lease.until - late;
    assert_eq!(told, TimeDelta::seconds(30), "told in the claiming node's time");
    let left = (claim.lease.deadline - late).num_seconds();
    assert!((3_540..=3_600).contains(&left), "an hour from the start, on the claiming node's clock: {left}");
    // The other node's clock is days late, and a far later time on it changes nothing either.
    for now in [early, early + TimeDelta::days(300)] {
        assert!(one.claim(&worker(1), now, LEASE).await.unwrap().is_none(), "the lease holds for 30 seconds");
    }
    let renewed = two.heartbeat(&claim.lease, Progress::default(), late, LEASE).await.unwrap();
    assert_eq!(renewed, LeaseState::Held(late + TimeDelta::seconds(30)));

    // A lease that has run out by the database's clock goes to the other node, whose clock says it has not begun.
    let short = Duration::from_millis(1);
    let renewed = two.heartbeat(&claim.lease, Progress::default(), late, short).await.unwrap();
    assert!(matches!(renewed, LeaseState::Held(_)));
    let taken = async {
        loop {
            if let Some(claim) = one.claim(&worker(1), early - TimeDelta::days(9), LEASE).await.unwrap() {
                return claim;
            }
        }
    };
    let taken = tokio::time::timeout(LEASE, taken).await.unwrap();
    assert_eq!((taken.lease.epoch, taken.task.attempts), (2, 2));
    assert!(
        !two.end_attempt(&claim.lease, done(&claim), late).await.unwrap(),
        "the old epoch changes nothing"
    );
    // Put back for an hour, by a node whose clock is wrong: not due now, whoever asks.
    let message = muster_reports::message::Message::error("k", "t");
    let not_before = early + TimeDelta::hours(1);
    let retry = AttemptEnd::Retry { message, not_before };
    assert!(one.end_attempt(&taken.lease, retry, early).await.unwrap());
    assert!(two.claim(&worker(2), late, LEASE).await.unwrap().is_none());
}

/// 64 clients on two nodes start one report at once, many times: one task each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_starts_on_two_nodes_are_one_task() {
    let Some(server) = PostgresServer::shared() else { return };
    let nodes = two_nodes(&server, settings()).await;
    let now = build::start_of_time();
    for round in 0..20_u64 {
        let starts: Vec<_> = (1..=64_u64)
            .map(|client| {
                let node = nodes[usize::from(client % 2 == 0)].clone();
                let new = build::same_as(round, build::new_task(round * 100 + client, now));
                tokio::spawn(async move { node.start(new).await })
            })
            .collect();
        let (mut ids, mut accepted) = (Vec::new(), 0);
        for start in starts {
            let started = start.await.unwrap().unwrap();
            accepted += usize::from(matches!(started, Started::New(_)));
            ids.push(started.task().id);
        }
        ids.sort();
        ids.dedup();
        assert_eq!((accepted, ids.len()), (1, 1), "round {round}");
    }
}

/// Two nodes of four workers each race for a thousand tasks: each is claimed once, and none is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_among_two_nodes() {
    let Some(server) = PostgresServer::shared() else { return };
    let nodes = two_nodes(&server, settings()).await;
    let now = build::start_of_time();
    let starters: Vec<_> = (0..10_u64)
        .map(|part| {
            let node = nodes[usize::from(part % 2 == 0)].clone();
            tokio::spawn(async move {
                for number in part * 100..(part + 1) * 100 {
                    node.start(build::new_task(number, now)).await.unwrap();
                }
            })
        })
        .collect();
    for starter in starters {
        starter.await.unwrap();
    }
    let began = Instant::now();
    let workers: Vec<_> = (0..8_u32)
        .map(|number| {
            let node = nodes[usize::from(number % 2 == 0)].clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Some(claim) = node.claim(&worker(number), now, LEASE).await.unwrap() {
                    mine.push(claim.task.id);
                }
                mine
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    let rate = claimed.len() as f64 / began.elapsed().as_secs_f64();
    println!("1,000 claims by 8 workers on two nodes: {rate:.0}/s");
    claimed.sort();
    assert_eq!(claimed, (0..1_000).map(build::task_id).collect::<Vec<_>>(), "each once");
}

/// What one node does wakes those who wait on the other, long before they would look by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_and_a_cancel_reach_the_other_node() {
    let Some(server) = PostgresServer::shared() else { return };
    let [one, two] = two_nodes(&server, settings()).await;
    let now = build::start_of_time();
    let (mut starts, mut cancels) = (Vec::new(), Vec::new());
    for number in 1..=50 {
        let waiting = tokio::spawn({
            let two = two.clone();
            async move {
                loop {
                    two.work_or(FOR_EVER).await;
                    if let Some(claim) = two.claim(&worker(2), now, LEASE).await.unwrap() {
                        return (claim, Instant::now());
                    }
                }
            }
        });
        let id = one.start(build::new_task(number, now)).await.unwrap().task().id;
        let started = Instant::now();
        let (claim, claimed) = tokio::time::timeout(LEASE, waiting).await.unwrap().unwrap();
        assert_eq!(claim.task.id, id);
        starts.push(claimed.saturating_duration_since(started));

        let waiting = tokio::spawn({
            let (two, id) = (two.clone(), id.clone());
            async move {
                two.cancelled(&id).await;
                Instant::now()
            }
        });
        assert_eq!(acts::cancel(&*one, &build::tenant(), &id, now).await.unwrap(), Cancelled::Now);
        let cancelled = Instant::now();
        let seen = tokio::time::timeout(LEASE, waiting).await.unwrap().unwrap();
        cancels.push(seen.saturating_duration_since(cancelled));
        // Without the notice, the next heartbeat would have told.
        let beat = two.heartbeat(&claim.lease, Progress::default(), now, LEASE).await.unwrap();
        assert_eq!(beat, LeaseState::Lost);
    }
    for (what, mut times) in [("a start", starts), ("a cancel", cancels)] {
        times.sort();
        let [middle, most] = [times[25], times[49]].map(|time| time.as_secs_f64() * 1_000.0);
        println!("{what} reaches the other node: p50 {middle:.2} ms, most {most:.2} ms");
    }
}

/// A worker that stops waiting for its claim leaves the task to others, whenever that happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_claim_is_given_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let store = fresh(&server, settings()).await;
    let now = build::start_of_time();
    for number in 1..=60_u64 {
        let id = store.start(build::new_task(number, now)).await.unwrap().task().id;
        let claiming = tokio::spawn({
            let store = store.clone();
            async move { store.claim(&worker(1), now, FOR_EVER).await.map(drop) }
        });
        tokio::time::sleep(Duration::from_micros(number * 40)).await;
        claiming.abort();
        if claiming.await.is_ok() {
            // It had its claim already; this one is not abandoned.
            acts::cancel(&*store, &build::tenant(), &id, now).await.unwrap();
            continue;
        }
        let claimed = async {
            loop {
                store.work_or(Duration::from_millis(5)).await;
                if let Some(claim) = store.claim(&worker(1), now, FOR_EVER).await.unwrap() {
                    return claim;
                }
            }
        };
        let claim = tokio::time::timeout(FOR_EVER / 12, claimed).await.unwrap();
        assert_eq!((claim.task.id, claim.task.attempts), (id.clone(), 1), "round {number}");
        acts::cancel(&*store, &build::tenant(), &id, now).await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url);
    open(&url, settings()).await.unwrap().close().await;
    // As a newer version would have left it.
    server.sql(&format!(
        "INSERT INTO {schema}._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'to come', true, '\\x00', 1)"
    ));
    let error = open(&url, settings()).await.unwrap_err();
    assert!(error.message.contains("newer version: its tables are of version 9000"), "{}", error.message);
    server.sql(&format!("DELETE FROM {schema}._sqlx_migrations WHERE version = 9000"));
    open(&url, settings()).await.unwrap().close().await;
    server.sql(&format!("UPDATE {schema}._sqlx_migrations SET checksum = '\\x00' WHERE version = 1"));
    let error = open(&url, settings()).await.unwrap_err();
    assert!(error.message.contains("differs from this program's"), "{}", error.message);
}

/// Many processes that start at once bring the tables up to date once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url, settings()).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_cannot_hold_the_store_is_refused_without_its_password() {
    let Some(server) = PostgresServer::shared() else { return };
    // Long for what answers, and short for what does not.
    let long = Settings { busy_wait: LEASE, ..settings() };
    let short = Settings { busy_wait: Duration::from_secs(1), ..settings() };
    let url = server.fresh_url();
    let no_sync = format!("{url}%20-c%20synchronous_commit%3Doff");
    let error = open(&no_sync, long.clone()).await.unwrap_err();
    assert!(error.message.contains("synchronous_commit is off: expected on"), "{}", error.message);
    let wrong_password = server.url().replace(PASSWORD, "wrong-and-secret");
    let away = format!("postgres://muster:{PASSWORD}@127.0.0.1:1/postgres");
    let no_database =
        server.url().replace("/postgres", "/nowhere").replace("postgres:/nowhere", "postgres:/");
    for (url, settings, category) in [
        (wrong_password, &long, Category::Internal),
        (away, &short, Category::Unavailable),
        (no_database, &long, Category::Internal),
    ] {
        let error = open(&url, settings.clone()).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert_eq!(error.category, category, "{text}");
        assert!(text.contains("postgres://muster@127.0.0.1:"), "the place is named: {text}");
        assert!(!text.contains(PASSWORD) && !text.contains("wrong-and-secret"), "{text}");
    }
    let store = open(&url, settings()).await.unwrap();
    assert!(!format!("{store:?}").contains(PASSWORD));
}

/// The triggers hold whoever writes.
#[tokio::test]
async fn the_database_itself_refuses_illegal_changes() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.fresh_url();
    let schema = PostgresServer::schema_of(&url).to_owned();
    let store = open(&url, settings()).await.unwrap();
    let now = build::start_of_time();
    let id = store.start(build::new_task(1, now)).await.unwrap().task().id;
    acts::cancel(&store, &build::tenant(), &id, now).await.unwrap();
    store.record(&build::audit_event("event", now)).await.unwrap();
    for forbidden in [
        format!("UPDATE {schema}.tasks SET state = 'pending', completed = NULL"),
        format!("UPDATE {schema}.audit_events SET details = 'another'"),
        format!("DELETE FROM {schema}.audit_events"),
    ] {
        let refusal = server.try_sql(&forbidden).unwrap_err();
        assert!(refusal.contains("never change"), "{forbidden}: {refusal}");
    }
}
