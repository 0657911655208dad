//! The store over SQLite passes the contract suites, answers as the fake does, and keeps what it accepted.

use chrono::TimeDelta;
use muster_reports::error::{Category, Result};
use muster_reports::ids::WorkerId;
use muster_reports::ports::{
    AuditTrail, Credentials, ManualLink, Registry, SnapshotCatalogue, Started, TaskStore,
};
use muster_reports::task::{AttemptEnd, NewTask, TaskState};
use muster_store::{Place, Settings, Store};
use muster_testkit::{MemoryStore, acts, build, contract};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A folder of stores, each empty when opened.
struct Stores {
    dir: tempfile::TempDir,
    opened: Cell<u32>,
}

impl Stores {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), opened: Cell::new(0) }
    }

    fn path(&self) -> PathBuf {
        self.opened.set(self.opened.get() + 1);
        self.dir.path().join(format!("{}.db", self.opened.get()))
    }

    async fn open(&self) -> Arc<Store> {
        Arc::new(open(&self.path()).await.unwrap())
    }
}

async fn open(path: &Path) -> Result<Store> {
    open_with(path, Settings::default()).await
}

async fn open_with(path: &Path, settings: Settings) -> Result<Store> {
    Store::open(&Place::Sqlite(path.to_owned()), settings).await
}

fn worker() -> WorkerId {
    WorkerId::new("worker")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_task_contract() {
    let stores = Stores::new();
    Box::pin(contract::task_store_contract(async || stores.open().await as _)).await;
}

#[tokio::test]
async fn sqlite_keeps_the_other_contracts() {
    let stores = Stores::new();
    contract::snapshot_catalogue_contract(async || stores.open().await as _).await;
    contract::snapshot_life_contract(async || stores.open().await).await;
    contract::result_life_contract(async || stores.open().await).await;
    contract::schedule_store_contract(async || stores.open().await).await;
    contract::saved_search_store_contract(async || stores.open().await).await;
    contract::review_store_contract(async || stores.open().await).await;
    contract::sod_policy_store_contract(async || stores.open().await).await;
    contract::definition_store_contract(async || stores.open().await).await;
    Box::pin(contract::notification_store_contract(async || stores.open().await as _)).await;
    contract::refresh_log_contract(async || stores.open().await as _).await;
    contract::credentials_contract(async || stores.open().await as _).await;
    contract::registry_contract(async || stores.open().await as _).await;
    contract::audit_trail_contract(async || stores.open().await as _).await;
    contract::relay_log_contract(async || stores.open().await as _).await;
}

#[test]
fn random_commands_are_answered_as_the_fake_answers_them() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let stores = Stores::new();
    TestRunner::new(config)
        .run(&contract::commands(), |commands| {
            runtime.block_on(async {
                let path = stores.path();
                let sqlite = open(&path).await.map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
                let outcome =
                    contract::compare_task_stores(&MemoryStore::default(), &sqlite, &commands).await;
                sqlite.close().await;
                std::fs::remove_file(path).unwrap();
                outcome
            })
        })
        .unwrap();
}

/// One of everything, written, dropped without closing, and read again.
#[tokio::test]
async fn a_reopened_store_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let now = build::start_of_time();
    let tenant = build::tenant();
    let manifest = build::manifest("snapshot-1", now);
    let credential = build::credential("client", now);
    let source = build::registered_source("s1", "HR");
    let link = ManualLink {
        source: source.id.clone(),
        native_identity: "cn=ada".into(),
        identity_name: "ada.lovelace".into(),
    };
    let event = build::audit_event("event", now);

    let store = open(&path).await.unwrap();
    acts::publish(&store, &tenant, &manifest).await.unwrap();
    acts::create(&store, &credential).await.unwrap();
    acts::put_sources(&store, &tenant, std::slice::from_ref(&source)).await.unwrap();
    acts::put_links(&store, &tenant, std::slice::from_ref(&link)).await.unwrap();
    store.record(&event).await.unwrap();
    store.start(build::new_task(1, now)).await.unwrap();
    let first = store.claim(&worker(), now, LEASE).await.unwrap().unwrap();
    let result = build::task_result(&first.task.id, 1, 4);
    let done = AttemptEnd::Done { result, messages: Vec::new() };
    assert!(store.end_attempt(&first.lease, done, now).await.unwrap());
    store.start(build::new_task(2, now)).await.unwrap();
    let running = store.claim(&worker(), now, LEASE).await.unwrap().unwrap();
    let waiting = store.start(build::new_task(3, now)).await.unwrap().task();
    let ended = store.task(&tenant, &first.task.id).await.unwrap().unwrap();
    assert_eq!(ended.state, TaskState::Succeeded);
    drop(store);

    let store = open(&path).await.unwrap();
    assert_eq!(store.newest(&tenant).await.unwrap().as_deref(), Some(&manifest));
    assert_eq!(store.credential(&credential.caller.client).await.unwrap(), Some(credential));
    assert_eq!(store.sources(&tenant).await.unwrap(), [source]);
    assert_eq!(store.links(&tenant).await.unwrap(), [link]);
    assert_eq!(store.events(&tenant, 4, 10).await.unwrap()[0].event, event, "after four of the acts");
    for task in [&ended, &running.task, &waiting] {
        assert_eq!(store.task(&tenant, &task.id).await.unwrap().as_ref(), Some(task));
    }
    assert_eq!(store.published_names().await.unwrap(), [format!("{}.1.report.csv", ended.id)]);
    assert_eq!(store.live_attempts().await.unwrap(), [(running.task.id.clone(), 1)].into());
    // The worker that was running goes on where nobody took its lease.
    let failed = AttemptEnd::Failed { message: muster_reports::message::Message::error("k", "t") };
    assert!(store.end_attempt(&running.lease, failed, now).await.unwrap());
    // Work from before is announced.
    tokio::time::timeout(LEASE, store.work_or(Duration::from_secs(3_600))).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let store = open(&path).await.unwrap();
    store.start(build::new_task(1, build::start_of_time())).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names.len(), 4, "database, log, index of the log, lock: {names:?}");
    for path in names {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn opening_names_the_place_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere/muster.db");
    let error = open(&missing).await.unwrap_err();
    assert!(error.message.contains("nowhere/muster.db"), "{}", error.message);
    let text = dir.path().join("text.db");
    std::fs::write(&text, "this is not a database, only some text that is long enough ".repeat(20)).unwrap();
    let error = open(&text).await.unwrap_err();
    assert!(error.message.contains("text.db"), "{}", error.message);
}

/// Two stores on one file, as `serve` and a command would have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_share_a_file() {
    let stores = Stores::new();
    let path = stores.path();
    let open = |path: PathBuf| tokio::spawn(async move { open(&path).await });
    let (one, two) = (open(path.clone()), open(path));
    let [one, two] = [one.await.unwrap().unwrap(), two.await.unwrap().unwrap()].map(Arc::new);
    let now = build::start_of_time();
    let both = [&one, &two];
    let starts: Vec<_> = (1..=100_u64)
        .map(|number| {
            let store = both[usize::from(number % 2 == 0)].clone();
            tokio::spawn(async move { store.start(build::same_as(1, build::new_task(number, now))).await })
        })
        .collect();
    let mut new = 0;
    for start in starts {
        new += usize::from(matches!(start.await.unwrap().unwrap(), Started::New(_)));
    }
    assert_eq!(new, 1);
    for (number, store) in (1..).zip([&one, &two, &one]) {
        let id = format!("snapshot-{number}");
        acts::publish(&**store, &build::tenant(), &build::manifest(&id, now)).await.unwrap();
        for reader in both {
            let newest = reader.newest(&build::tenant()).await.unwrap().unwrap();
            assert_eq!(newest.id.as_str(), id, "what the other published is seen at once");
        }
    }
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_and_loses_nothing() {
    let stores = Stores::new();
    let settings = Settings { live_max: 3, ..Settings::default() };
    let store = open_with(&stores.path(), settings).await.unwrap();
    let now = build::start_of_time();
    for number in 1..=3 {
        store.start(build::new_task(number, now)).await.unwrap();
    }
    let error = store.start(build::new_task(4, now)).await.unwrap_err();
    assert_eq!(error.category, Category::Unavailable);
    let again = store.start(build::same_as(2, build::new_task(5, now))).await.unwrap();
    assert_eq!(again.task().id, build::task_id(2), "an equal one is still found");
    acts::cancel(&store, &build::tenant(), &build::task_id(1), now).await.unwrap();
    assert!(matches!(store.start(build::new_task(6, now)).await.unwrap(), Started::New(_)));
}

#[tokio::test]
async fn one_client_cannot_take_every_place() {
    let stores = Stores::new();
    let settings = Settings { client_live_max: 2, ..Settings::default() };
    let store = open_with(&stores.path(), settings).await.unwrap();
    let now = build::start_of_time();
    for number in 1..=2 {
        store.start(build::new_task(number, now)).await.unwrap();
    }
    let error = store.start(build::new_task(3, now)).await.unwrap_err();
    assert_eq!(error.category, Category::Unavailable);
    assert!(error.message.starts_with("2 reports of this client are waiting or running"), "{error}");
    let other = NewTask { requester: build::application(), ..build::new_task(3, now) };
    assert!(matches!(store.start(other).await.unwrap(), Started::New(_)));
    acts::cancel(&store, &build::tenant(), &build::task_id(1), now).await.unwrap();
    assert!(matches!(store.start(build::new_task(4, now)).await.unwrap(), Started::New(_)));
}

#[tokio::test]
async fn what_is_too_long_is_refused_with_its_name() {
    let stores = Stores::new();
    let store = stores.open().await;
    let mut new = build::new_task(1, build::start_of_time());
    new.arguments = build::arguments(&[("query", &"x".repeat(300_000))]);
    let error = store.start(new).await.unwrap_err();
    assert_eq!(error.category, Category::Invalid);
    // {"query":"..."} around 300,000 letters.
    assert_eq!(error.message, "the text of all arguments is 300012 bytes long: expected at most 262144");
}

/// A write that fails undoes itself alone, though others share its transaction.
#[tokio::test]
async fn a_failed_write_takes_no_other_with_it() {
    let stores = Stores::new();
    let store = stores.open().await;
    let now = build::start_of_time();
    let good = build::credential("good", now);
    let other = build::credential("other", now);
    // On one thread all of these queue before the writer runs.
    let (one, two, three, four) = tokio::join!(
        acts::create(&*store, &good),
        acts::create(&*store, &good),
        store.start(build::new_task(1, now)),
        acts::create(&*store, &other),
    );
    assert!(one.is_ok() && three.is_ok() && four.is_ok());
    assert_eq!(two.unwrap_err().category, Category::Invalid);
    for client in [&good.caller.client, &other.caller.client] {
        assert!(store.credential(client).await.unwrap().is_some());
    }
}

/// A worker that stops waiting for its claim leaves the task to others, whenever that happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_claim_is_given_back() {
    let stores = Stores::new();
    let store = stores.open().await;
    let now = build::start_of_time();
    for number in 1..=200 {
        let id = store.start(build::new_task(number, now)).await.unwrap().task().id;
        let claiming = tokio::spawn({
            let store = store.clone();
            async move { store.claim(&worker(), now, LEASE).await.map(drop) }
        });
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
        claiming.abort();
        if claiming.await.is_ok() {
            // It had its claim already; this one is not abandoned.
            acts::cancel(&*store, &build::tenant(), &id, now).await.unwrap();
            continue;
        }
        let claimed = async {
            loop {
                store.work_or(Duration::from_millis(5)).await;
                if let Some(claim) = store.claim(&worker(), now, LEASE).await.unwrap() {
                    return claim;
                }
            }
        };
        let claim = tokio::time::timeout(Duration::from_secs(300), claimed).await.unwrap();
        assert_eq!((claim.task.id, claim.task.attempts), (id.clone(), 1), "round {number}");
        acts::cancel(&*store, &build::tenant(), &id, now).await.unwrap();
    }
}

#[tokio::test]
async fn a_closed_store_has_finished_what_it_accepted() {
    let stores = Stores::new();
    let path = stores.path();
    let store = Arc::new(open(&path).await.unwrap());
    let now = build::start_of_time();
    let starts: Vec<_> = (1..=50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.start(build::new_task(number, now)).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await;
    let mut accepted = Vec::new();
    for (number, start) in (1..).zip(starts) {
        if start.await.unwrap() {
            accepted.push(build::task_id(number));
        }
    }
    assert!(store.start(build::new_task(99, now)).await.is_err());
    assert!(!log_of(&path).exists(), "closing leaves one file");
    let store = open(&path).await.unwrap();
    for id in &accepted {
        assert!(store.task(&build::tenant(), id).await.unwrap().is_some());
    }
    let mut found = 0;
    while store.claim(&worker(), now + TimeDelta::seconds(1), LEASE).await.unwrap().is_some() {
        found += 1;
    }
    assert_eq!(found, accepted.len(), "and no other");
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}
