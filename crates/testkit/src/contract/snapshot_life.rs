//! Snapshots that are pinned, expire, and are read as of a time.

use super::{at, end, failed, start};
use crate::{acts, build};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::caller::{DataScope, Period};
use muster_reports::error::{Category, Error, Result};
use muster_reports::ids::{ReportId, SnapshotId, TenantId};
use muster_reports::ports::{SnapshotCatalogue, TaskStore};
use muster_reports::retention::{AsOf, CataloguedSnapshot, Pin, RetentionPolicy};
use muster_reports::task::NewTask;
use muster_reports::task_list::{TaskOrder, TaskQuery, VisibleTasks};
use std::sync::Arc;

fn day(number: i64) -> DateTime<Utc> {
    build::start_of_time() + TimeDelta::days(number)
}

fn id(text: &str) -> SnapshotId {
    SnapshotId::new(text)
}

fn refusal<T>(outcome: Result<T>) -> Error {
    outcome.err().expect("it is refused")
}

async fn listed(store: &dyn SnapshotCatalogue) -> Vec<CataloguedSnapshot> {
    store.catalogued(&build::tenant(), None, 100).await.expect("the store answers")
}

async fn states(store: &dyn SnapshotCatalogue) -> String {
    let state = |snapshot: CataloguedSnapshot| {
        let pinned = if snapshot.pin.is_some() { "*" } else { "" };
        let gone = if snapshot.expired.is_some() { "-" } else { "" };
        format!("{}{pinned}{gone}", snapshot.manifest.id)
    };
    listed(store).await.into_iter().map(state).collect::<Vec<_>>().join(" ")
}

/// Everything about pins and expiry that a store of tasks and snapshots promises.
pub async fn snapshot_life_contract<S: SnapshotCatalogue + TaskStore>(make: impl AsyncFn() -> Arc<S>) {
    pins_and_expiry(&*make().await).await;
    what_a_live_task_reads_is_kept(&*make().await).await;
    moments_find_the_last_published(&*make().await).await;
    a_period_has_its_snapshots_and_what_was_made_from_them(&*make().await).await;
}

async fn a_period_has_its_snapshots_and_what_was_made_from_them<S: SnapshotCatalogue + TaskStore>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    for number in 1..=4 {
        let manifest = build::manifest(&format!("s{number}"), day(number));
        acts::publish(store, &acme, &manifest).await.expect("it is published");
    }
    // Another tenant's snapshot of that id is of another time.
    acts::publish(store, &globex, &build::manifest("s1", day(3))).await.expect("it is published");
    let snapshots = async |from, to, limit| {
        let found = store.catalogued(&acme, Some(Period { from, to }), limit).await;
        let found = found.expect("the store answers").into_iter();
        found.map(|snapshot| snapshot.manifest.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(snapshots(day(2), day(3), 9).await, "s3 s2", "both ends are in it");
    assert_eq!(snapshots(day(2), day(4), 2).await, "s4 s3", "the last published");
    let moment = TimeDelta::microseconds(1);
    assert_eq!(snapshots(day(2) + moment, day(3) - moment, 9).await, "");

    let tasks =
        [("ACCOUNTS", "s1"), ("ACCOUNTS", "s2"), ("leavers", "s3"), ("IDENTITIES", "s2"), ("ACCOUNTS", "s4")];
    for (number, (report, snapshot)) in (1..).zip(tasks) {
        let (report, snapshot) = (ReportId::new(report), id(snapshot));
        start(store, NewTask { report, snapshot, ..build::new_task(number, at(0)) }).await;
    }
    start(store, NewTask { snapshot: id("gone"), ..build::new_task(6, at(0)) }).await;
    // One over a period that begins with s1.
    let arguments = build::arguments(&[("since", "s1")]);
    start(store, NewTask { snapshot: id("s3"), arguments, ..build::new_task(7, at(0)) }).await;
    let listed = async |from, to, offset| {
        let auditor = build::auditor(from, to).auditor().cloned();
        let query = TaskQuery {
            order: TaskOrder::FirstFirst,
            offset,
            limit: 9,
            counted: true,
            ..TaskQuery::default()
        };
        let (scope, since) = (DataScope::Everything, DateTime::UNIX_EPOCH);
        let wanted = VisibleTasks { query, scope, auditor, since, source_arguments: Vec::new() };
        let page = store.list(&acme, &wanted).await.expect("the store answers");
        let ids: Vec<_> = page.tasks.into_iter().map(|task| task.id).collect();
        (ids, page.total)
    };
    let ids = |numbers: &[u64]| numbers.iter().map(|number| build::task_id(*number)).collect::<Vec<_>>();
    assert_eq!(listed(day(2), day(3), 0).await, (ids(&[2, 3]), Some(2)), "two named reports of the period");
    assert_eq!(listed(day(2), day(3), 1).await, (ids(&[3]), Some(2)));
    assert_eq!(listed(day(1), day(4), 0).await, (ids(&[1, 2, 3, 5, 7]), Some(5)));
    assert_eq!(listed(day(5), day(6), 0).await, (ids(&[]), Some(0)));
}

async fn pins_and_expiry(store: &dyn SnapshotCatalogue) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    for number in 1..=5 {
        let manifest = build::manifest(&format!("s{number}"), day(number));
        acts::publish(store, &acme, &manifest).await.expect("it is published");
    }
    acts::publish(store, &globex, &build::manifest("s1", day(1))).await.expect("it is published");
    assert_eq!(states(store).await, "s5 s4 s3 s2 s1", "the last published first");
    assert_eq!(store.catalogued(&acme, None, 2).await.expect("the store answers").len(), 2);

    let pin = Pin { by: "ada \"q\"".into(), reason: "quarter's end".into(), at: day(6) };
    store.pin(&acme, &id("s2"), Some(&pin)).await.expect("it is pinned");
    assert_eq!(listed(store).await[3].pin, Some(pin.clone()));
    let again = Pin { reason: "legal hold".into(), ..pin.clone() };
    store.pin(&acme, &id("s2"), Some(&again)).await.expect("a pin replaces the one before");
    assert_eq!(listed(store).await[3].pin, Some(again));
    assert_eq!(refusal(store.pin(&acme, &id("s9"), Some(&pin)).await).category, Category::NotFound);
    assert_eq!(refusal(store.pin(&globex, &id("s2"), Some(&pin)).await).category, Category::NotFound);

    let policy = RetentionPolicy { keep_last: 2, keep_days: 0 };
    let expire = async || acts::expire(store, &acme, policy, day(7)).await.expect("the store answers");
    let expiring = store.expiring(&acme, policy, day(7)).await.expect("the store answers");
    assert_eq!(expiring, [id("s3"), id("s1")]);
    assert_eq!(states(store).await, "s5 s4 s3 s2* s1", "asking changes nothing");
    assert_eq!(expire().await, expiring);
    assert_eq!(states(store).await, "s5 s4 s3- s2* s1-");
    let counted = async |tenant| store.expired_count(tenant).await.expect("the store answers");
    assert_eq!((counted(&acme).await, counted(&globex).await), (2, 0));
    assert!(expire().await.is_empty(), "what has expired does not expire again");

    let gone = store.as_of(&acme, &AsOf::Snapshot(id("s3"))).await.expect("the store answers");
    let gone = gone.expect("an expired snapshot is known");
    assert_eq!(gone.expired, Some(day(7)));
    assert_eq!(*gone.manifest, build::manifest("s3", day(3)), "its manifest stays");
    let error = refusal(gone.readable());
    assert_eq!(error.category, Category::NotFound);
    assert!(error.message.contains("s3") && error.message.contains("expired"), "{error}");
    let error = refusal(store.pin(&acme, &id("s3"), Some(&pin)).await);
    assert!(error.message.contains("expired"), "{error}");

    // The same tables keep other tenants' snapshots.
    let kept = store.kept().await.expect("the store answers");
    let kept: Vec<_> = kept.iter().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(kept, ["s2", "s4", "s5", "s1"]);
    let kept_of = async |limit| {
        let kept = store.kept_of(&acme, limit).await.expect("the store answers");
        kept.iter().map(|manifest| manifest.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kept_of(9).await, "s5 s4 s2", "those of the tenant, the last published first");
    assert_eq!(kept_of(2).await, "s5 s4");

    store.pin(&acme, &id("s2"), None).await.expect("it is unpinned");
    store.pin(&acme, &id("s3"), None).await.expect("without a pin there is nothing to do");
    assert_eq!(expire().await, [id("s2")]);
    assert_eq!(kept_of(9).await, "s5 s4", "what was listed before and has expired since is not kept");
    acts::publish(store, &acme, &build::manifest("s6", day(6))).await.expect("it is published");
    assert_eq!(kept_of(9).await, "s6 s5 s4", "what was published since is");
    let all = RetentionPolicy { keep_last: 0, keep_days: 0 };
    acts::expire(store, &acme, all, day(9)).await.expect("the store answers");
    assert_eq!(states(store).await, "s6 s5- s4- s3- s2- s1-", "the newest never expires");
    let newest = store.newest(&acme).await.expect("the store answers");
    assert_eq!(newest.as_deref(), Some(&build::manifest("s6", day(6))));
}

async fn what_a_live_task_reads_is_kept<S: SnapshotCatalogue + TaskStore>(store: &S) {
    let acme = build::tenant();
    for number in 1..=4 {
        let manifest = build::manifest(&format!("s{number}"), day(number));
        acts::publish(store, &acme, &manifest).await.expect("it is published");
    }
    let reads = |number, snapshot: &str| NewTask { snapshot: id(snapshot), ..build::new_task(number, at(0)) };
    start(store, reads(1, "s1")).await;
    let claim = store
        .claim(&super::worker(1), at(1), super::LEASE)
        .await
        .expect("the store answers")
        .expect("a task is due");
    start(store, reads(2, "s3")).await;
    let expire = async || {
        let policy = RetentionPolicy { keep_last: 1, keep_days: 0 };
        acts::expire(store, &acme, policy, day(9)).await.expect("the store answers")
    };
    assert_eq!(expire().await, [id("s2")], "s1 is being read and s3 is waited for");
    assert!(end(store, &claim, failed(), at(2)).await);
    let expired = expire().await;
    assert_eq!(expired, [id("s1")], "an ended task needs the manifest only");
    assert_eq!(states(store).await, "s4 s3 s2- s1-");
    // A period from s4 to s6 has s5 in it.
    for number in 5..=7 {
        let manifest = build::manifest(&format!("s{number}"), day(number));
        acts::publish(store, &acme, &manifest).await.expect("it is published");
    }
    let arguments = build::arguments(&[("since", "s4")]);
    start(store, NewTask { arguments, ..reads(3, "s6") }).await;
    assert!(expire().await.is_empty(), "s3 is waited for, and a period begins with s4");
    assert_eq!(states(store).await, "s7 s6 s5 s4 s3 s2- s1-");
}

async fn moments_find_the_last_published(store: &dyn SnapshotCatalogue) {
    let acme = build::tenant();
    let find = async |moment: DateTime<Utc>| {
        let found = store.as_of(&acme, &AsOf::Moment(moment)).await.expect("the store answers");
        found.map(|snapshot| snapshot.manifest.id.to_string())
    };
    assert_eq!(find(day(9)).await, None);
    // Snapshot c, of day 2, was published after b, of day 3: the clock of the refresh was set back.
    for (name, number) in [("a", 1), ("b", 3), ("c", 2)] {
        acts::publish(store, &acme, &build::manifest(name, day(number))).await.expect("it is published");
    }
    assert_eq!(find(day(1) - TimeDelta::microseconds(1)).await, None, "there was none yet");
    assert_eq!(find(day(1)).await.as_deref(), Some("a"));
    assert_eq!(find(day(2)).await.as_deref(), Some("c"));
    assert_eq!(find(day(9)).await.as_deref(), Some("c"), "the order of publication counts");
    let other = store.as_of(&TenantId::new("globex"), &AsOf::Moment(day(9))).await;
    assert!(other.expect("the store answers").is_none(), "another tenant sees nothing");
}
