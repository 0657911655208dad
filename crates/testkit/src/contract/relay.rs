//! Test suites for the memory of an audit relay, and for the events that changes record.

use super::{at, claim, done, end, failed, retry, start, started_and_claimed};
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{TenantId, WorkerId, stable_id};
use muster_reports::message::Message;
use muster_reports::ports::{
    AuditTrail, Backlog, Cancelled, ParkedEvent, RelayLog, SnapshotCatalogue, Started, TaskStore,
};
use muster_reports::retention::RetentionPolicy;
use std::sync::Arc;
use std::time::Duration;

/// A store of all four ports.
pub trait Trail: AuditTrail + RelayLog + SnapshotCatalogue + TaskStore {}
impl<T: AuditTrail + RelayLog + SnapshotCatalogue + TaskStore> Trail for T {}

/// Everything that a [`RelayLog`] promises, and the events that are recorded with a change.
pub async fn relay_log_contract(make: impl AsyncFn() -> Arc<dyn Trail>) {
    one_relay_leads_at_a_time(&*make().await).await;
    marks_only_move_forward(&*make().await).await;
    starts_and_cancels_leave_events(&*make().await).await;
    ends_leave_events(&*make().await).await;
    snapshots_leave_events(&*make().await).await;
}

const LEASE: Duration = Duration::from_secs(10);

async fn one_relay_leads_at_a_time(store: &dyn Trail) {
    let (one, two) = (WorkerId::new("one"), WorkerId::new("two"));
    let lead = async |holder, seconds| store.lead(holder, at(seconds), LEASE).await.expect("it answers");
    assert!(lead(&one, 0).await);
    assert!(!lead(&two, 9).await);
    assert!(lead(&one, 9).await, "renewed until 19");
    assert!(!lead(&two, 18).await);
    assert!(lead(&two, 19).await, "the lease has ended");
    assert!(!lead(&one, 20).await);
    store.step_down(&one).await.expect("it answers");
    assert!(!lead(&one, 20).await, "who does not lead gives nothing back");
    store.step_down(&two).await.expect("it answers");
    assert!(lead(&one, 20).await);
}

async fn marks_only_move_forward(store: &dyn Trail) {
    let (one, two) = (WorkerId::new("one"), WorkerId::new("two"));
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    for number in 0..5 {
        store.record(&build::audit_event(&format!("a{number}"), at(0))).await.expect("it is recorded");
    }
    let mut elsewhere = build::audit_event("g", at(0));
    elsewhere.caller.tenant = globex.clone();
    store.record(&elsewhere).await.expect("it is recorded");
    let backlogs = async || store.backlogs().await.expect("it answers");
    let backlog =
        |tenant: &TenantId, relayed, recorded| Backlog { tenant: tenant.clone(), relayed, recorded };
    assert_eq!(backlogs().await, [backlog(&acme, 0, 5), backlog(&globex, 0, 1)]);
    let mark = async |holder, tenant, through, parked| {
        store.mark(holder, tenant, through, parked, at(1)).await.expect("it answers")
    };
    assert!(!mark(&one, &acme, 5, vec![]).await, "nobody leads");
    assert!(store.lead(&one, at(0), LEASE).await.expect("it answers"));
    assert!(!mark(&two, &acme, 5, vec![]).await, "another leads");
    let parked = ParkedEvent { sequence: 2, id: "a1".into(), reason: "too large".into() };
    assert!(mark(&one, &acme, 3, vec![parked.clone()]).await);
    assert_eq!(backlogs().await, [backlog(&acme, 3, 5), backlog(&globex, 0, 1)]);
    assert!(mark(&one, &acme, 2, vec![parked.clone()]).await);
    assert_eq!(store.backlog(&acme).await.expect("it answers"), 2, "it does not go back");
    assert_eq!(store.parked(&acme).await.expect("it answers"), [parked]);
    assert!(store.parked(&globex).await.expect("it answers").is_empty());
    assert!(mark(&one, &globex, 1, vec![]).await);
    assert!(mark(&one, &acme, 5, vec![]).await);
    assert!(backlogs().await.is_empty());
    for tenant in [acme, globex, TenantId::new("nobody")] {
        assert_eq!(store.backlog(&tenant).await.expect("it answers"), 0);
    }
}

/// Operation, task or object, details and client of every event of the trail.
async fn told(store: &dyn Trail) -> Vec<String> {
    let events = store.events(&build::tenant(), 0, 100).await.expect("it answers");
    let line = |event: &AuditEvent| {
        let about = if event.task.as_str().is_empty() { &event.report } else { event.task.as_str() };
        format!("{} {about} {} by {}", event.operation.name(), event.details, event.caller.client)
    };
    events.iter().map(|chained| line(&chained.event)).collect()
}

async fn ends_leave_events(store: &dyn Trail) {
    let finished = started_and_claimed(store, 1, at(0)).await;
    assert!(end(store, &finished, done(&finished, 7), at(1)).await);
    assert!(
        !end(store, &finished, done(&finished, 7), at(1)).await,
        "it has ended, and leaves no second event"
    );
    let broken = started_and_claimed(store, 2, at(2)).await;
    assert!(end(store, &broken, failed(), at(3)).await);
    // One task is retried and then passes its deadline. Another one is cancelled.
    let late = started_and_claimed(store, 3, at(4)).await;
    assert!(end(store, &late, retry(at(5)), at(5)).await);
    assert!(claim(store, 1, at(7 * 3_600)).await.is_none());
    start(store, build::new_task(4, at(7 * 3_600))).await;
    acts::cancel(store, &build::tenant(), &build::task_id(4), at(7 * 3_600)).await.expect("it answers");
    let sha = &build::task_result(&build::task_id(1), 1, 7).files[0].sha256;
    let [one, two, three, four] = [1, 2, 3, 4].map(build::task_id);
    assert_eq!(
        told(store).await,
        [
            format!("ended {one} 7 rows; CSV sha-256 {sha} by service"),
            format!("ended_failed {two} query_failed by service"),
            format!("ended_failed {three} deadline_passed by service"),
            format!("cancel {four} CSV sha-256 00 by {}", build::user().client),
        ],
        "a cancel leaves its own event only"
    );
}

async fn snapshots_leave_events(store: &dyn Trail) {
    let event = |id: &str, operation, about: &str| AuditEvent {
        operation,
        task: muster_reports::ids::TaskId::new(""),
        report: about.into(),
        details: String::new(),
        ..build::audit_event(id, at(9))
    };
    for (number, name) in [(1, "s1"), (2, "s2"), (3, "s3")] {
        let published = event(name, AuditOperation::SnapshotPublished, name);
        store.publish(&published, &build::manifest(name, at(number))).await.expect("it is published");
    }
    let again = event("s3", AuditOperation::SnapshotPublished, "s4");
    assert!(store.publish(&again, &build::manifest("s4", at(4))).await.is_err());
    let newest = store.newest(&build::tenant()).await.expect("it answers").expect("there is one");
    assert_eq!(newest.id.as_str(), "s3", "neither or both");
    let policy = |keep_last| RetentionPolicy { keep_last, keep_days: 0 };
    let expire = async |id: &str, keep_last| {
        let event = event(id, AuditOperation::SnapshotExpired, "snapshots");
        store.expire(&event, policy(keep_last)).await.expect("it answers").len()
    };
    assert_eq!((expire("e1", 3).await, expire("e1", 1).await, expire("e2", 1).await), (0, 2, 0));
    let by = &build::user().client;
    assert_eq!(
        told(store).await,
        [
            format!("snapshot_published s1  by {by}"),
            format!("snapshot_published s2  by {by}"),
            format!("snapshot_published s3  by {by}"),
            format!("snapshot_expired snapshots s2 s1 by {by}"),
        ],
        "an expiry of none leaves none"
    );
}

async fn starts_and_cancels_leave_events(store: &dyn Trail) {
    let tenant = build::tenant();
    let event = |id: &str, operation, task| AuditEvent {
        operation,
        task: build::task_id(task),
        ..build::audit_event(id, at(1))
    };
    let start = async |number, same, id: &str| {
        let mut new = build::same_as(same, build::new_task(number, at(0)));
        new.event = Some(event(id, AuditOperation::Start, number));
        store.start(new).await
    };
    assert!(matches!(start(1, 1, "s1").await, Ok(Started::New(_))));
    assert!(matches!(start(2, 1, "s2").await, Ok(Started::Live(_))));
    // A start whose event cannot be recorded is not accepted.
    assert!(start(3, 3, "s1").await.is_err());
    let third = store.task(&tenant, &build::task_id(3)).await.expect("it answers");
    assert!(third.is_none(), "neither or both");
    let cancel = async |id: &str, task| store.cancel(&event(id, AuditOperation::Cancel, task), None).await;
    assert!(cancel("s1", 1).await.is_err());
    let first = store.task(&tenant, &build::task_id(1)).await.expect("it answers");
    assert!(first.is_some_and(|task| task.state.is_live()), "neither or both");
    assert!(matches!(cancel("c9", 9).await, Ok(Cancelled::Unknown)));
    assert!(matches!(cancel("c1", 1).await, Ok(Cancelled::Now)));
    assert!(matches!(cancel("c2", 1).await, Ok(Cancelled::Before)));
    assert!(matches!(start(4, 4, "s4").await, Ok(Started::New(_))));
    let reason = Message::error("task_cleared", "it was ended");
    let failed = store.cancel(&event("c4", AuditOperation::Cancel, 4), Some(&reason)).await;
    assert!(matches!(failed, Ok(Cancelled::Now)));
    let events = store.events(&tenant, 0, 100).await.expect("it answers");
    let seen: Vec<_> =
        events.iter().map(|chained| (chained.event.id.as_str(), &chained.event.task)).collect();
    let (first, fourth) = (build::task_id(1), build::task_id(4));
    let ended = stable_id(["ended", fourth.as_str()]);
    assert_eq!(
        seen,
        [
            ("s1", &first),
            ("s2", &first),
            ("c1", &first),
            ("s4", &fourth),
            ("c4", &fourth),
            (&*ended, &fourth)
        ],
        "a joined start is about the live task, and a failure has two events"
    );
}
