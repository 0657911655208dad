//! The fakes pass the contract suites, and the fake runner writes the file that it reports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use muster_reports::ports::{Ids, ProgressCell, ReportRunner, TaskStore};
use muster_reports::task::{Claim, Progress};
use muster_testkit::{CountingIds, FakeRun, FakeRunner, MemoryStore, build, contract};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_fake_keeps_the_task_contract() {
    Box::pin(contract::task_store_contract(async || Arc::new(MemoryStore::default()) as _)).await;
}

#[tokio::test]
async fn the_fake_keeps_the_other_contracts() {
    contract::snapshot_catalogue_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::snapshot_life_contract(async || Arc::new(MemoryStore::default())).await;
    contract::result_life_contract(async || Arc::new(MemoryStore::default())).await;
    contract::schedule_store_contract(async || Arc::new(MemoryStore::default())).await;
    contract::saved_search_store_contract(async || Arc::new(MemoryStore::default())).await;
    contract::review_store_contract(async || Arc::new(MemoryStore::default())).await;
    contract::sod_policy_store_contract(async || Arc::new(MemoryStore::default())).await;
    contract::definition_store_contract(async || Arc::new(MemoryStore::default())).await;
    contract::notification_store_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::refresh_log_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::credentials_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::registry_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::audit_trail_contract(async || Arc::new(MemoryStore::default()) as _).await;
    contract::relay_log_contract(async || Arc::new(MemoryStore::default()) as _).await;
}

#[test]
fn ids_count() {
    let ids = CountingIds::default();
    assert_eq!(ids.fresh(), "00000000000000000000000000000001");
    assert_eq!(ids.fresh(), "00000000000000000000000000000002");
}

async fn claimed(store: &MemoryStore) -> Claim {
    let now = build::start_of_time();
    store.start(build::new_task(1, now)).await.unwrap();
    store
        .claim(&muster_reports::ids::WorkerId::new("w"), now, Duration::from_secs(30))
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn the_fake_runner_writes_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let claim = claimed(&store).await;
    let runner = FakeRunner::new(dir.path(), FakeRun::Rows(3, Vec::new()));
    runner.tell(claim.task.id.clone(), vec![FakeRun::Unavailable("not now".into())]);
    let progress = ProgressCell::default();
    assert_eq!(runner.run(&claim, &progress).await.unwrap_err().message, "not now");
    let outcome = runner.run(&claim, &progress).await.unwrap();
    let file = &outcome.result.files[0];
    let text = std::fs::read_to_string(dir.path().join(&file.stored_name)).unwrap();
    assert_eq!(text, "id\n1\n2\n3\n");
    assert_eq!((file.bytes, file.rows), (9, 3));
    // printf 'id\n1\n2\n3\n' | sha256sum
    assert_eq!(file.sha256, "08960951a574fb605cd0cbfdda1ed52d0ee249db697e725d85c5f724140e6dba");
    assert_eq!(progress.get(), Progress { rows: 3, rows_expected: Some(3) });
}
