//! What every [`NotificationStore`] promises, together with the stores of tasks and of schedules that keep notifications.

use super::{LEASE, at, claim, done, end, failed, retry, start};
use crate::{acts, build};
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditOperation;
use muster_reports::ids::{ClientId, ScheduleId, TenantId};
use muster_reports::message::Message;
use muster_reports::notification::{DeliveryState, DeliveryStep, Notification, NotificationClaim, SENT_KEPT};
use muster_reports::notify::{Notify, Occasion, Recipient, Wish};
use muster_reports::ports::{AuditTrail, NotificationStore, ScheduleStore, Started, TaskStore};
use muster_reports::scheduled::{RunState, RunStep, ScheduledEntry, ScheduledWork};
use muster_reports::task::{AttemptEnd, NewTask};
use std::sync::Arc;

/// A store with all that these rules are about.
pub trait Notifying: NotificationStore + TaskStore + ScheduleStore + AuditTrail {}

impl<S: NotificationStore + TaskStore + ScheduleStore + AuditTrail> Notifying for S {}

/// Everything that a [`NotificationStore`] promises.
pub async fn notification_store_contract(make: impl AsyncFn() -> Arc<dyn Notifying>) {
    the_end_of_a_task_is_told_once(&*make().await).await;
    a_task_that_is_tried_again_tells_nobody(&*make().await).await;
    who_joins_a_live_task_is_told_too(&*make().await).await;
    changes_are_seen_against_the_run_before(&*make().await).await;
    the_end_of_a_run_is_told_once(&*make().await).await;
    a_skipped_run_is_told(&*make().await).await;
    a_notification_is_delivered_or_given_up(&*make().await).await;
    a_lost_claim_changes_nothing(&*make().await).await;
    what_was_sent_is_forgotten(&*make().await).await;
}

fn wish(address: &str, on: &[Occasion]) -> Wish {
    let to = Recipient::email(address).expect("it is an address");
    let on = on.iter().copied().collect();
    Wish { client: ClientId::new("wisher"), notify: Notify { on, ..Notify::of(to) } }
}

fn asked(number: u64, now: DateTime<Utc>, wishes: &[Wish]) -> NewTask {
    NewTask { notify: wishes.to_vec(), ..build::new_task(number, now) }
}

async fn all(store: &dyn Notifying) -> Vec<Notification> {
    store.notifications(&build::tenant(), None, 100).await.expect("the store answers")
}

/// Recipient and kind of each notification, in the order of recipients.
async fn told(store: &dyn Notifying) -> Vec<(String, String)> {
    let of = |told: Notification| (told.to.address().to_owned(), told.notice.kind);
    let mut told: Vec<_> = all(store).await.into_iter().map(of).collect();
    told.sort();
    told
}

async fn take(store: &dyn Notifying, now: DateTime<Utc>) -> Option<NotificationClaim> {
    store.claim_notification(now, LEASE).await.expect("the store answers")
}

async fn step(
    store: &dyn Notifying,
    claim: &NotificationClaim,
    step: DeliveryStep,
    now: DateTime<Utc>,
) -> bool {
    store.step_notification(claim, &step, now).await.expect("the store answers")
}

/// Starts and ends the `number`th task with these wishes.
async fn ended(store: &dyn Notifying, number: u64, wishes: &[Wish], how: AttemptEnd) {
    let started = start(store, asked(number, at(0), wishes)).await;
    let claimed = claim(store, 1, at(1)).await.expect("it is due");
    assert_eq!(claimed.task.id, started.id);
    let how = match how {
        AttemptEnd::Done { messages, .. } => AttemptEnd::Done {
            result: build::task_result(&claimed.task.id, claimed.lease.epoch, 7),
            messages,
        },
        other @ (AttemptEnd::Failed { .. } | AttemptEnd::Retry { .. } | AttemptEnd::Released) => other,
    };
    assert!(end(store, &claimed, how, at(2)).await);
}

async fn the_end_of_a_task_is_told_once(store: &dyn Notifying) {
    let wishes = [
        wish("success@example.com", &[Occasion::Success]),
        wish("warning@example.com", &[Occasion::Warning]),
        wish("failure@example.com", &[Occasion::Failure]),
    ];
    let result = build::task_result(&build::task_id(1), 1, 7);
    ended(store, 1, &wishes, AttemptEnd::Done { result, messages: Vec::new() }).await;
    ended(store, 2, &wishes, failed()).await;
    ended(store, 3, &[], failed()).await;
    let expected = [("failure@example.com", "report.failed"), ("success@example.com", "report.succeeded")];
    assert_eq!(told(store).await, expected.map(|(to, kind)| (to.to_owned(), kind.to_owned())));
    let kept = all(store).await;
    let failure = kept.iter().find(|told| told.notice.kind == "report.failed").expect("it is kept");
    assert_eq!(failure.notice.data.reason.as_deref(), Some("the query failed"));
    assert_eq!((failure.client.as_str(), failure.created), ("wisher", at(2)));
    let mine = store.notifications(&build::tenant(), Some(&ClientId::new("other")), 100).await;
    assert_eq!(mine.expect("the store answers"), []);
    let theirs = store.notifications(&TenantId::new("globex"), None, 100).await;
    assert_eq!(theirs.expect("the store answers"), []);
    let found = store.notification(&build::tenant(), &failure.id).await.expect("the store answers");
    assert_eq!(found.as_ref(), Some(failure));
}

async fn a_task_that_is_tried_again_tells_nobody(store: &dyn Notifying) {
    let wishes = [wish("ada@example.com", &Occasion::ALL)];
    start(store, asked(1, at(0), &wishes)).await;
    for attempt in 0..3 {
        assert_eq!(told(store).await, []);
        let claimed = claim(store, 1, at(attempt)).await.expect("it is due");
        assert!(end(store, &claimed, retry(at(attempt)), at(attempt)).await);
    }
    assert_eq!(told(store).await.len(), 1, "the third attempt was the last");
    let reasons: Vec<_> = all(store).await.remove(0).notice.data.messages;
    assert!(reasons.iter().any(|message| message.text == "the disk is full"), "{reasons:?}");
    // Past its deadline, and cancelled.
    let late = NewTask { deadline: at(5), ..asked(2, at(4), &[wish("late@example.com", &Occasion::ALL)]) };
    start(store, late).await;
    let cancelled = start(store, asked(3, at(4), &[wish("cancelled@example.com", &Occasion::ALL)])).await;
    acts::cancel(store, &cancelled.tenant, &cancelled.id, at(4)).await.expect("it is live");
    assert_eq!(claim(store, 1, at(6)).await, None);
    let names: Vec<_> = told(store).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(names, ["ada@example.com", "late@example.com"]);
}

async fn who_joins_a_live_task_is_told_too(store: &dyn Notifying) {
    let first = wish("first@example.com", &[Occasion::Success]);
    let second = wish("second@example.com", &[Occasion::Success]);
    start(store, asked(1, at(0), std::slice::from_ref(&first))).await;
    for wishes in [vec![second.clone(), first.clone()], Vec::new(), vec![second]] {
        let same = NewTask { id: build::task_id(9), ..asked(1, at(0), &wishes) };
        assert!(matches!(store.start(same).await, Ok(Started::Live(_))));
    }
    let claimed = claim(store, 1, at(1)).await.expect("it is due");
    assert!(end(store, &claimed, done(&claimed, 7), at(2)).await);
    let names: Vec<_> = told(store).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(names, ["first@example.com", "second@example.com"]);
}

async fn changes_are_seen_against_the_run_before(store: &dyn Notifying) {
    let wishes = [wish("ada@example.com", &[Occasion::Change])];
    // The digest of the file follows from the rows. The fourth run has a warning, which makes no difference.
    for (number, rows, told) in [(1, 7, 1), (2, 7, 1), (3, 8, 2), (4, 8, 2), (5, 7, 3)] {
        start(store, build::same_as(1, asked(number, at(0), &wishes))).await;
        let claimed = claim(store, 1, at(1)).await.expect("it is due");
        let AttemptEnd::Done { result, mut messages } = done(&claimed, rows) else { panic!("it is done") };
        if number == 4 {
            messages.push(Message::warn("source_stale", "old"));
        }
        assert!(end(store, &claimed, AttemptEnd::Done { result, messages }, at(2)).await);
        assert_eq!(all(store).await.len(), told, "run {number}");
    }
    let kept = all(store).await;
    assert!(kept.iter().all(|told| told.notice.data.changed == Some(true)));
}

/// A schedule that is due at every hour, first at the start of time.
fn hourly(notify: Vec<Notify>) -> ScheduledEntry {
    ScheduledEntry {
        id: ScheduleId::new("s"),
        name: "Every hour".into(),
        owner: build::user(),
        work: ScheduledWork::Refresh,
        form: serde_json::from_str(r#"{"cron":"0 * * * *","timeZoneId":"UTC"}"#).expect("it is a form"),
        notify,
        paused: false,
        created: at(-60),
        due: Some(at(0)),
    }
}

async fn add(store: &dyn Notifying, entry: &ScheduledEntry) {
    let event = acts::event(AuditOperation::ConfigurationChanged, entry.tenant(), at(0));
    store.add_schedule(entry, &event).await.expect("it is kept");
    let kept = store.schedules(entry.tenant()).await.expect("the store answers");
    assert_eq!(kept, std::slice::from_ref(entry));
}

async fn the_end_of_a_run_is_told_once(store: &dyn Notifying) {
    let notify = wish("ada@example.com", &[Occasion::Success, Occasion::Failure]).notify;
    add(store, &hourly(vec![notify])).await;
    store.fall_due(at(0)).await.expect("the store answers").expect("it is due");
    let claimed = store.claim_run(at(0), LEASE).await.expect("the store answers").expect("it waits");
    let mut task = start(store, build::new_task(1, at(0))).await.id;
    let steps = [
        RunStep::Begun,
        RunStep::Started { task: task.clone(), look: at(0) },
        RunStep::Retry { message: "why".into(), not_before: at(0) },
    ];
    for step in &steps {
        assert!(store.step_run(&claimed, step, at(0)).await.expect("the store answers"));
        assert_eq!(told(store).await, [], "{step:?}");
    }
    // The task of the second attempt succeeds.
    let report = claim(store, 1, at(0)).await.expect("it is due");
    assert!(end(store, &report, done(&report, 7), at(1)).await);
    task = report.task.id.clone();
    let started = RunStep::Started { task: task.clone(), look: at(1) };
    assert!(store.step_run(&claimed, &started, at(1)).await.expect("the store answers"));
    let over = RunStep::Ended { state: RunState::Succeeded, message: None };
    assert!(store.step_run(&claimed, &over, at(2)).await.expect("the store answers"));
    assert!(!store.step_run(&claimed, &over, at(3)).await.expect("the store answers"), "it is over");
    let [told] = all(store).await.try_into().expect("there is one");
    assert_eq!((told.notice.kind.as_str(), told.notice.data.rows), ("report.succeeded", Some(7)));
    assert_eq!((told.notice.data.task_result_id.as_ref(), told.created), (Some(&task), at(2)));
    assert_eq!(told.client, build::user().client, "the schedule's owner");
}

async fn a_skipped_run_is_told(store: &dyn Notifying) {
    add(store, &hourly(vec![wish("ada@example.com", &[Occasion::Failure]).notify])).await;
    for hour in 0..2 {
        store.fall_due(at(hour * 3_600)).await.expect("the store answers").expect("it is due");
    }
    assert_eq!(told(store).await, [("ada@example.com".to_owned(), "refresh.skipped".to_owned())]);
}

async fn a_notification_is_delivered_or_given_up(store: &dyn Notifying) {
    ended(store, 1, &[wish("ada@example.com", &[Occasion::Failure])], failed()).await;
    assert_eq!(take(store, at(1)).await, None, "the task ended a second later");
    let first = take(store, at(2)).await.expect("it waits");
    assert_eq!((first.notification.attempts, first.epoch), (1, 1));
    assert_eq!(take(store, at(2)).await, None, "another node has it");
    let again = DeliveryStep::Retry { reason: "no answer".into(), not_before: at(60) };
    assert!(step(store, &first, again, at(3)).await);
    assert_eq!(all(store).await[0].error.as_deref(), Some("no answer"));
    assert_eq!(take(store, at(59)).await, None);
    let second = take(store, at(60)).await.expect("its time has come");
    assert_eq!((second.notification.attempts, &second.notification.id), (2, &first.notification.id));
    assert!(step(store, &second, DeliveryStep::Failed { reason: "refused".into() }, at(61)).await);
    let kept = all(store).await.remove(0);
    assert_eq!((kept.state, kept.ended, kept.next), (DeliveryState::Failed, Some(at(61)), None));
    let is_failure = |event: &&muster_reports::audit::ChainedEvent| {
        event.event.operation == AuditOperation::NotificationFailed
    };
    let events = store.events(&build::tenant(), 0, 100).await.expect("the store answers");
    let recorded: Vec<_> = events.iter().filter(is_failure).collect();
    assert_eq!(recorded.len(), 1);
    assert!(recorded[0].event.details.ends_with("ada@example.com: refused"), "{}", recorded[0].event.details);

    let by_hand = || acts::event(AuditOperation::ConfigurationChanged, &build::tenant(), at(100));
    assert!(!store.retry_notification("none", &by_hand()).await.expect("the store answers"));
    assert!(store.retry_notification(&kept.id, &by_hand()).await.expect("the store answers"));
    assert!(!store.retry_notification(&kept.id, &by_hand()).await.expect("the store answers"), "it waits");
    let third = take(store, at(100)).await.expect("it waits");
    assert_eq!((third.notification.attempts, third.epoch), (1, 3));
    assert!(step(store, &third, DeliveryStep::Sent, at(101)).await);
    let kept = all(store).await.remove(0);
    assert_eq!((kept.state, kept.ended, kept.error), (DeliveryState::Sent, Some(at(101)), None));
    assert_eq!(take(store, at(10_000)).await, None);
    assert!(!store.retry_notification(&kept.id, &by_hand()).await.expect("the store answers"), "it was sent");
}

async fn a_lost_claim_changes_nothing(store: &dyn Notifying) {
    ended(store, 1, &[wish("ada@example.com", &[Occasion::Failure])], failed()).await;
    let lost = take(store, at(2)).await.expect("it waits");
    let later = at(2) + chrono::TimeDelta::from_std(LEASE).expect("it is short");
    let held = take(store, later).await.expect("the lease ran out");
    assert_eq!(held.notification.id, lost.notification.id, "a second delivery has the same id");
    for outcome in [
        DeliveryStep::Sent,
        DeliveryStep::Retry { reason: "why".into(), not_before: at(0) },
        DeliveryStep::Failed { reason: "why".into() },
    ] {
        assert!(!step(store, &lost, outcome, later).await);
    }
    assert_eq!(all(store).await[0].state, DeliveryState::Waiting);
    assert!(step(store, &held, DeliveryStep::Sent, later).await);
    assert!(!step(store, &held, DeliveryStep::Sent, later).await, "it is over");
}

async fn what_was_sent_is_forgotten(store: &dyn Notifying) {
    for number in 1..=3 {
        ended(store, number, &[wish("ada@example.com", &[Occasion::Failure])], failed()).await;
    }
    let failed = take(store, at(2)).await.expect("it waits");
    assert!(step(store, &failed, DeliveryStep::Failed { reason: "why".into() }, at(2)).await);
    let early = take(store, at(2)).await.expect("it waits");
    assert!(step(store, &early, DeliveryStep::Sent, at(3)).await);
    let last = take(store, at(2)).await.expect("it waits");
    assert!(step(store, &last, DeliveryStep::Sent, at(4) + SENT_KEPT).await);
    let mut kept: Vec<_> = all(store).await.into_iter().map(|told| told.id).collect();
    let mut expected = vec![failed.notification.id, last.notification.id];
    kept.sort();
    expected.sort();
    assert_eq!(kept, expected);
}
