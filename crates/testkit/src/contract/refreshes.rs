//! What every [`RefreshLog`] promises, together with the catalogue that publishes what refreshes make.

use super::{LEASE, at};
use crate::{acts, build};
use chrono::{DateTime, Utc};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{SnapshotId, TaskId, TenantId};
use muster_reports::message::Message;
use muster_reports::ports::{AuditTrail, RefreshLog, SnapshotCatalogue};
use muster_reports::refreshes::Refresh;
use muster_reports::task::{Progress, TaskState};
use muster_reports::task_list::LISTED_FOR;
use std::sync::Arc;

/// A store with all that these rules are about.
pub trait Refreshing: RefreshLog + SnapshotCatalogue + AuditTrail {}

impl<S: RefreshLog + SnapshotCatalogue + AuditTrail> Refreshing for S {}

/// Everything that a [`RefreshLog`] promises.
pub async fn refresh_log_contract(make: impl AsyncFn() -> Arc<dyn Refreshing>) {
    a_refresh_is_seen_from_its_start_to_its_end(&*make().await).await;
    a_refresh_that_is_not_heard_of_was_interrupted(&*make().await).await;
    old_refreshes_are_forgotten(&*make().await).await;
}

fn refresh(id: &str, created: DateTime<Utc>) -> Refresh {
    Refresh::begun(TaskId::new(id), build::user(), SnapshotId::new(format!("of {id}")), created)
}

fn event(operation: AuditOperation, refresh: &Refresh, now: DateTime<Utc>) -> AuditEvent {
    AuditEvent { task: refresh.id.clone(), ..acts::event(operation, &build::tenant(), now) }
}

async fn begin(store: &dyn Refreshing, refresh: &Refresh) {
    let event = event(AuditOperation::RefreshStarted, refresh, refresh.created);
    store.begin_refresh(refresh, &event, LEASE).await.expect("it is kept");
}

async fn seen(store: &dyn Refreshing, now: DateTime<Utc>) -> Vec<Refresh> {
    let mut seen = store.refreshes(&build::tenant(), at(-60), now).await.expect("the store answers");
    seen.sort_by_key(|refresh| refresh.created);
    seen
}

async fn goes_on(store: &dyn Refreshing, refresh: &Refresh, done: u64, now: DateTime<Utc>) {
    let progress = Progress { rows: done, rows_expected: Some(9) };
    let kept = store.refresh_goes_on(&build::tenant(), &refresh.id, progress, now, LEASE).await;
    kept.expect("the store answers");
}

async fn a_refresh_is_seen_from_its_start_to_its_end(store: &dyn Refreshing) {
    let (first, second, third) = (refresh("a", at(0)), refresh("b", at(10)), refresh("c", at(20)));
    for refresh in [&first, &second, &third] {
        begin(store, refresh).await;
    }
    assert_eq!(seen(store, at(20)).await, [first.clone(), second.clone(), third.clone()]);
    goes_on(store, &first, 4, at(25)).await;
    let progress = Progress { rows: 4, rows_expected: Some(9) };
    assert_eq!(seen(store, at(26)).await[0], Refresh { progress, ..first.clone() });
    let theirs = store.refreshes(&TenantId::new("globex"), at(-60), at(26)).await;
    assert_eq!(theirs.expect("the store answers"), []);
    let since = store.refreshes(&build::tenant(), at(10), at(26)).await.expect("the store answers");
    assert_eq!(since.len(), 2);

    goes_on(store, &second, 8, at(27)).await;
    let why = Message::error("refresh_failed", "the source is gone");
    let failed = event(AuditOperation::RefreshFailed, &first, at(30));
    store.fail_refresh(&why, &failed).await.expect("it is kept");
    let published = event(AuditOperation::SnapshotPublished, &second, at(31));
    store.publish(&published, &build::manifest("of b", at(31))).await.expect("it is published");
    let mut incomplete = build::manifest("of c", at(32));
    incomplete.sources[0].complete = false;
    incomplete.sources[0].remark = Some("it ended early".into());
    let published = event(AuditOperation::SnapshotPublished, &third, at(32));
    store.publish(&published, &incomplete).await.expect("it is published");
    // What has ended does not change.
    goes_on(store, &second, 1, at(33)).await;
    let seen = seen(store, at(1_000)).await;
    let ends: Vec<_> = seen.iter().map(|refresh| (refresh.state, refresh.ended)).collect();
    let (failed, succeeded, warned) = (TaskState::Failed, TaskState::Succeeded, TaskState::Warned);
    assert_eq!(ends, [(failed, Some(at(30))), (succeeded, Some(at(31))), (warned, Some(at(32)))]);
    assert_eq!((&seen[0].messages[..], &seen[1].messages[..]), (&[why][..], &[][..]));
    let done: Vec<_> = seen.iter().map(|refresh| refresh.progress.rows).collect();
    assert_eq!(done, [4, 9, 0], "what has succeeded has done all of its parts");
    let text = "source \"Active Directory\" was not read completely: it ended early";
    assert_eq!(seen[2].messages, [Message::warn("source_incomplete", text)]);
    let events = store.events(&build::tenant(), 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 6, "three begun, one failed, two published");
}

async fn a_refresh_that_is_not_heard_of_was_interrupted(store: &dyn Refreshing) {
    let refresh = refresh("a", at(0));
    begin(store, &refresh).await;
    goes_on(store, &refresh, 1, at(20)).await;
    assert_eq!(seen(store, at(49)).await[0].state, TaskState::Running);
    let lost = seen(store, at(50)).await.remove(0);
    assert_eq!((lost.state, lost.ended), (TaskState::Failed, Some(at(50))));
    assert_eq!(lost.messages[0].key, "refresh_interrupted");
    // It was only slow.
    goes_on(store, &refresh, 2, at(60)).await;
    assert_eq!(seen(store, at(60)).await[0].state, TaskState::Running);
}

async fn old_refreshes_are_forgotten(store: &dyn Refreshing) {
    let (first, second) = (refresh("a", at(0)), refresh("b", at(1)));
    begin(store, &first).await;
    begin(store, &second).await;
    let later = refresh("c", second.created + LISTED_FOR);
    begin(store, &later).await;
    let names: Vec<_> = seen(store, later.created).await.into_iter().map(|refresh| refresh.id).collect();
    assert_eq!(names, [second.id, later.id]);
}
