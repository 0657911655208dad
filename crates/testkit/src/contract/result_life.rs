//! Results whose files are held, expire, and are removed.

use super::{at, claim, done, end, failed, start};
use crate::{acts, build};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::error::Category;
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::{AuditTrail, ResultRetention, TaskStore};
use muster_reports::result_life::ResultPolicy;
use muster_reports::retention::Pin;
use std::sync::Arc;

/// No results.
const NONE: [u64; 0] = [];

fn day(number: i64) -> DateTime<Utc> {
    build::start_of_time() + TimeDelta::days(number)
}

/// Everything about the life of results that a store of tasks promises.
pub async fn result_life_contract<S: ResultRetention + TaskStore + AuditTrail>(
    make: impl AsyncFn() -> Arc<S>,
) {
    age_count_and_hold_keep_files(&*make().await).await;
    what_expired_is_removed_and_stays_known(&*make().await).await;
    only_results_are_held(&*make().await).await;
}

/// Starts the `number`th task, for the same report as the `same`th, and ends it with a result.
async fn result(store: &dyn TaskStore, number: u64, same: u64, ended: DateTime<Utc>) -> TaskId {
    let new = build::same_as(same, build::new_task(number, ended));
    let task = start(store, new).await;
    let claim = claim(store, 1, ended).await.expect("a task is due");
    assert_eq!(claim.task.id, task.id);
    assert!(end(store, &claim, done(&claim, number), ended).await);
    task.id
}

fn hold_event(tenant: &TenantId, task: &TaskId) -> AuditEvent {
    AuditEvent { task: task.clone(), ..acts::event(AuditOperation::ResultHeld, tenant, at(0)) }
}

fn pin(reason: &str) -> Pin {
    Pin { by: "ada".into(), reason: reason.into(), at: day(3) }
}

/// The numbers of the results that expire at `now`.
async fn expire<S: ResultRetention>(store: &S, policy: ResultPolicy, now: DateTime<Utc>) -> Vec<u64> {
    let expired = store.expire_results(&build::tenant(), policy, now, 100).await.expect("the store answers");
    let number = |id: &TaskId| u64::from_str_radix(id.as_str(), 16).expect("it is a number");
    expired.iter().map(number).collect()
}

async fn age_count_and_hold_keep_files<S: ResultRetention + TaskStore>(store: &S) {
    let acme = build::tenant();
    // 1, 3 and 4 are runs of one report, 2 and 5 of another.
    for (number, same) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)] {
        let ended = day(i64::try_from(number).expect("it is small"));
        result(store, number, same, ended).await;
    }
    let policy = |keep_days, keep_last| ResultPolicy { keep_days, keep_last };
    assert_eq!(expire(store, policy(None, 0), day(999)).await, NONE, "without days, all are kept for ever");
    assert_eq!(expire(store, policy(Some(9), 0), day(10) - TimeDelta::microseconds(1)).await, NONE);
    assert_eq!(expire(store, policy(Some(9), 2), day(99)).await, [1], "4 and 3 are the newest, and 5 and 2");

    let facts = async |number| {
        let tasks = [build::task_id(number)];
        let mut lives = store.lives(&acme, &tasks, 2).await.expect("the store answers");
        lives.remove(&tasks[0])
    };
    let of_3 = facts(3).await.expect("it has a result");
    assert_eq!((of_3.completed, of_3.newer, of_3.hold, of_3.expired), (day(3), 1, None, None));
    assert_eq!(facts(1).await.map(|facts| (facts.newer, facts.expired)), Some((2, Some(day(99)))));
    assert!(facts(9).await.is_none());

    let held = build::task_id(2);
    store.hold(&hold_event(&acme, &held), Some(&pin("case 7"))).await.expect("it is held");
    store
        .hold(&hold_event(&acme, &held), Some(&pin("case 8")))
        .await
        .expect("a hold replaces the one before");
    assert_eq!(facts(2).await.and_then(|facts| facts.hold), Some(pin("case 8")));
    assert_eq!(expire(store, policy(Some(0), 0), day(99)).await, [3, 4, 5], "2 is held");
    store.hold(&hold_event(&acme, &held), None).await.expect("it is released");
    let other = store.expire_results(&TenantId::new("globex"), policy(Some(0), 0), day(99), 100).await;
    assert_eq!(other.expect("the store answers"), [], "another tenant's results stay");
    assert_eq!(expire(store, policy(Some(0), 0), day(99)).await, [2]);
    assert_eq!(expire(store, policy(Some(0), 0), day(99)).await, NONE, "nothing expires twice");
    let refused = store.hold(&hold_event(&acme, &held), Some(&pin("too late"))).await;
    let error = refused.expect_err("its files are gone");
    assert!(error.category == Category::NotFound && error.message.contains("expired"), "{error}");
}

async fn what_expired_is_removed_and_stays_known<S: ResultRetention + TaskStore + AuditTrail>(store: &S) {
    let acme = build::tenant();
    for number in 1..=3 {
        result(store, number, number, day(1)).await;
    }
    let names = async || store.published_names().await.expect("the store answers").len();
    let removable = async |by| store.to_remove(by, 100).await.expect("the store answers");
    let policy = ResultPolicy { keep_days: Some(1), keep_last: 0 };
    let first = store.expire_results(&acme, policy, day(2), 1).await.expect("the store answers");
    assert_eq!(first, [build::task_id(1)], "at most as many as asked for, the first ended first");
    assert_eq!(expire(store, policy, day(2)).await, [2, 3]);
    assert_eq!(names().await, 3, "files that are still there have a record");
    assert!(removable(day(2) - TimeDelta::seconds(1)).await.is_empty());
    let expired = removable(day(2)).await;
    let stored: Vec<_> = expired.iter().map(|result| result.files[0].stored_name.as_str()).collect();
    let id = build::task_id;
    assert_eq!(stored, [1, 2, 3].map(|number| format!("{}.1.report.csv", id(number))));
    store.removed(&acme, &id(1), day(3)).await.expect("the store answers");
    assert_eq!((names().await, removable(day(3)).await.len()), (2, 2));

    // The record stays, with its digests, and the trail says so.
    let task = store.task(&acme, &id(1)).await.expect("the store answers").expect("it is known");
    assert_eq!(task.result.expect("it has a result").files[0].sha256, format!("{:064x}", 1));
    let records = store.records_of(&acme, &id(1), 0, 100).await.expect("the store answers");
    let last = records.last().expect("there is an event");
    assert_eq!(last.operation, "result_expired");
    assert_eq!(last.details, format!("the files are removed; CSV sha-256 {:064x}", 1));
}

async fn only_results_are_held<S: ResultRetention + TaskStore>(store: &S) {
    let acme = build::tenant();
    let waiting = start(store, build::new_task(1, at(0))).await;
    let hold = async |tenant: &TenantId, task: &TaskId| {
        let held = store.hold(&hold_event(tenant, task), Some(&pin("case 7"))).await;
        held.err().map(|error| error.category)
    };
    assert_eq!(hold(&acme, &waiting.id).await, Some(Category::NotFound), "it has no result yet");
    let claimed = claim(store, 1, at(0)).await.expect("a task is due");
    assert!(end(store, &claimed, failed(), at(1)).await);
    assert_eq!(hold(&acme, &waiting.id).await, Some(Category::NotFound), "it failed");
    assert_eq!(hold(&acme, &build::task_id(9)).await, Some(Category::NotFound));
    let ended = result(store, 2, 2, at(2)).await;
    assert_eq!(hold(&TenantId::new("globex"), &ended).await, Some(Category::NotFound));
    assert_eq!(hold(&acme, &ended).await, None);
}
