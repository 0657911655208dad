//! Claiming tasks, and keeping and losing leases.

use super::{
    LEASE, at, claim, done, end, failed, keys, look, retry, start, started_and_claimed, within, worker,
};
use crate::build;
use chrono::TimeDelta;
use muster_reports::message::Severity;
use muster_reports::ports::{LeaseState, TaskStore};
use muster_reports::task::{AttemptEnd, NewTask, Progress, TaskState};
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn tasks_are_claimed_in_order_and_once(store: Arc<dyn TaskStore>) {
    assert!(claim(&*store, 1, at(0)).await.is_none());
    for (number, seconds) in [(1, 5), (2, 3), (3, 5)] {
        start(&*store, build::new_task(number, at(seconds))).await;
    }
    let mut order = Vec::new();
    while let Some(claim) = claim(&*store, 1, at(5)).await {
        order.push(claim.task.id);
    }
    assert_eq!(order, [1, 2, 3].map(build::task_id), "of one client as they were accepted");
    start(&*store, build::new_task(4, at(9))).await;
    let claim = claim(&*store, 7, at(9)).await.expect("the fourth is due");
    assert_eq!((claim.task.state, claim.task.attempts, claim.task.epoch), (TaskState::Running, 1, 1));
    assert_eq!(claim.task.launched, Some(at(9)));
    assert_eq!((&claim.lease.task, &claim.lease.worker), (&claim.task.id, &worker(7)));
    assert_eq!((claim.lease.epoch, claim.lease.until), (1, at(39)));
    assert_eq!(claim.lease.deadline, at(9) + TimeDelta::hours(6));
    assert_eq!(look(&*store, &claim.task.id).await, claim.task);
}

/// After the clock is set back, no task that was accepted, put back or claimed earlier waits for a distant time.
pub(super) async fn a_clock_that_is_set_back_holds_nothing_up(store: Arc<dyn TaskStore>) {
    const DAY: i64 = 24 * 3_600;
    // The worker of the first task is lost with its lease, the second task is to be retried, and the third waits.
    let lost = started_and_claimed(&*store, 1, at(DAY)).await;
    let again = started_and_claimed(&*store, 2, at(DAY)).await;
    assert!(end(&*store, &again, retry(at(DAY + 60)), at(DAY)).await);
    start(&*store, build::new_task(3, at(DAY))).await;
    let equal = build::same_as(3, build::new_task(4, at(0)));
    let joined = store.start(equal).await.expect("the store answers").task();
    assert_eq!(joined.id, build::task_id(3), "an equal start joins it");
    let mut claimed = Vec::new();
    while let Some(claim) = claim(&*store, 9, at(1)).await {
        claimed.push(claim.task.id.clone());
        assert!(end(&*store, &claim, done(&claim, 1), at(2)).await);
    }
    claimed.sort();
    assert_eq!(claimed, [1, 2, 3].map(build::task_id));
    assert!(!end(&*store, &lost, done(&lost, 1), at(3)).await, "the lost lease does not hold");
}

/// A lease of another length is not a sign that the clock was set back.
pub(super) async fn a_longer_lease_is_not_taken(store: Arc<dyn TaskStore>) {
    started_and_claimed(&*store, 1, at(0)).await;
    let shorter = store.claim(&worker(2), at(1), LEASE / 10).await.expect("the store answers");
    assert!(shorter.is_none());
}

pub(super) async fn a_hundred_tasks_among_eight_workers(store: Arc<dyn TaskStore>) {
    for number in 1..=100 {
        start(&*store, build::new_task(number, at(0))).await;
    }
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Some(claim) = claim(&*store, number, at(0)).await {
                    mine.push(claim.task.id);
                }
                mine
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(within("a worker", worker).await.expect("no worker panics"));
    }
    claimed.sort();
    assert_eq!(claimed, (1..=100).map(build::task_id).collect::<Vec<_>>(), "each once");
}

pub(super) async fn a_lost_lease_changes_nothing(store: Arc<dyn TaskStore>) {
    let old = started_and_claimed(&*store, 1, at(0)).await;
    let new = claim(&*store, 2, at(30)).await.expect("the lease ran out");
    assert_eq!((old.lease.epoch, new.lease.epoch), (1, 2));
    let progress = Progress { rows: 9, rows_expected: Some(9) };
    let renewed = store.heartbeat(&old.lease, progress, at(31), LEASE).await;
    assert_eq!(renewed.expect("the store answers"), LeaseState::Lost);
    for how in [done(&old, 3), failed(), retry(at(32)), AttemptEnd::Released] {
        assert!(!end(&*store, &old, how.clone(), at(31)).await, "{how:?}");
    }
    let mut forged = new.clone();
    forged.lease.epoch = 3;
    assert!(!end(&*store, &forged, failed(), at(31)).await, "an epoch to come holds nothing either");
    assert_eq!(look(&*store, &old.task.id).await, new.task);
    assert!(end(&*store, &new, done(&new, 3), at(32)).await, "the new lease holds");
}

pub(super) async fn a_lease_that_ran_out_goes_to_the_next(store: Arc<dyn TaskStore>) {
    let first = started_and_claimed(&*store, 1, at(0)).await;
    assert!(claim(&*store, 2, at(29)).await.is_none(), "it holds for 30 seconds");
    let second = claim(&*store, 2, at(30)).await.expect("the lease ran out");
    assert_eq!((second.task.attempts, second.task.epoch, second.lease.until), (2, 2, at(60)));
    assert_eq!(second.task.launched, first.task.launched, "the first attempt's time stays");
    assert_eq!(second.lease.deadline, first.lease.deadline);
}

pub(super) async fn a_renewed_lease_is_not_taken(store: Arc<dyn TaskStore>) {
    let claimed = started_and_claimed(&*store, 1, at(0)).await;
    for seconds in [20, 40, 60] {
        let renewed = store.heartbeat(&claimed.lease, Progress::default(), at(seconds), LEASE).await;
        assert_eq!(renewed.expect("the store answers"), LeaseState::Held(at(seconds + 30)));
        assert!(claim(&*store, 2, at(seconds + 29)).await.is_none());
    }
    // The heartbeat is late, but nobody has claimed the task yet.
    let late = store.heartbeat(&claimed.lease, Progress::default(), at(95), LEASE).await;
    assert_eq!(late.expect("the store answers"), LeaseState::Held(at(125)));
    assert_eq!(look(&*store, &claimed.task.id).await.attempts, 1);
}

pub(super) async fn lost_workers_exhaust_the_attempts(store: Arc<dyn TaskStore>) {
    start(&*store, build::new_task(1, at(0))).await;
    for (attempt, seconds) in [(1, 0), (2, 30), (3, 60)] {
        let claim = claim(&*store, attempt, at(seconds)).await.expect("an attempt is left");
        assert_eq!(claim.task.attempts, attempt);
    }
    assert!(claim(&*store, 4, at(90)).await.is_none(), "three attempts are all");
    let task = look(&*store, &build::task_id(1)).await;
    assert_eq!((task.state, task.completed, task.attempts), (TaskState::Failed, Some(at(90)), 3));
    assert_eq!(keys(&task), ["attempts_exhausted"]);
    assert_eq!(task.messages[0].text, "the report was given up after 3 attempts");
    assert_eq!(task.messages[0].severity, Severity::Error);
}

pub(super) async fn retries_exhaust_the_attempts(store: Arc<dyn TaskStore>) {
    start(&*store, build::new_task(1, at(0))).await;
    for attempt in 1..=3 {
        let claim = claim(&*store, 1, at(attempt)).await.expect("an attempt is left");
        assert!(end(&*store, &claim, retry(at(attempt + 1)), at(attempt)).await);
    }
    assert!(claim(&*store, 1, at(9)).await.is_none());
    let task = look(&*store, &build::task_id(1)).await;
    assert_eq!((task.state, task.completed), (TaskState::Failed, Some(at(3))), "at once, not at a claim");
    assert_eq!(keys(&task), ["disk_full", "disk_full", "disk_full", "attempts_exhausted"]);
    let severities: Vec<_> = task.messages.iter().map(|message| message.severity).collect();
    assert_eq!(severities, [Severity::Info, Severity::Info, Severity::Error, Severity::Error]);
    assert_eq!(task.messages[1].text, "attempt 2 of 3: the disk is full");
}

pub(super) async fn a_retry_waits_for_its_time(store: Arc<dyn TaskStore>) {
    let first = started_and_claimed(&*store, 1, at(0)).await;
    assert!(end(&*store, &first, retry(at(100)), at(10)).await);
    let waiting = look(&*store, &first.task.id).await;
    assert_eq!((waiting.state, waiting.attempts, waiting.completed), (TaskState::Pending, 1, None));
    assert!(claim(&*store, 2, at(99)).await.is_none());
    assert!(!end(&*store, &first, failed(), at(11)).await, "its lease is gone");
    let second = claim(&*store, 2, at(100)).await.expect("its time has come");
    assert_eq!((second.task.attempts, second.lease.epoch), (2, 2));
    assert!(end(&*store, &second, done(&second, 4), at(101)).await);
    let task = look(&*store, &first.task.id).await;
    assert_eq!(task.state, TaskState::Succeeded, "a failed attempt is not a remark on the result");
    assert_eq!(keys(&task), ["disk_full"]);
}

pub(super) async fn a_release_counts_no_attempt(store: Arc<dyn TaskStore>) {
    start(&*store, build::new_task(1, at(0))).await;
    for epoch in 1..=10 {
        let claim = claim(&*store, 1, at(0)).await.expect("a released task is due at once");
        assert_eq!((claim.task.attempts, claim.lease.epoch), (1, epoch), "the epoch grows all the same");
        assert!(end(&*store, &claim, AttemptEnd::Released, at(0)).await);
        let task = look(&*store, &claim.task.id).await;
        assert_eq!((task.state, task.attempts, task.messages.len()), (TaskState::Pending, 0, 0));
        assert!(!end(&*store, &claim, AttemptEnd::Released, at(0)).await, "a lease is released once");
    }
}

pub(super) async fn a_waiting_task_fails_at_its_deadline(store: Arc<dyn TaskStore>) {
    start(&*store, NewTask { deadline: at(60), ..build::new_task(1, at(0)) }).await;
    start(&*store, NewTask { deadline: at(60), ..build::new_task(2, at(0)) }).await;
    let claimed = claim(&*store, 1, at(0)).await.expect("a task is due");
    assert!(end(&*store, &claimed, retry(at(1_000)), at(1)).await, "not before a time past its deadline");
    start(&*store, build::new_task(3, at(50))).await;
    let next = claim(&*store, 1, at(60)).await.expect("the third is due");
    assert_eq!(next.task.id, build::task_id(3));
    assert!(claim(&*store, 1, at(60)).await.is_none());
    for number in [1, 2] {
        let task = look(&*store, &build::task_id(number)).await;
        assert_eq!((task.state, task.completed), (TaskState::Failed, Some(at(60))), "task {number}");
        assert_eq!(task.messages.last().map(|message| message.key.as_str()), Some("deadline_passed"));
        assert!(task.result.is_none());
    }
}

pub(super) async fn a_running_task_fails_at_its_deadline(store: Arc<dyn TaskStore>) {
    start(&*store, NewTask { deadline: at(60), ..build::new_task(1, at(0)) }).await;
    let claimed = claim(&*store, 1, at(40)).await.expect("a task is due");
    assert_eq!(claimed.lease.until, at(60), "no lease goes past the deadline");
    let long = Duration::from_secs(3_600);
    let renewed = store.heartbeat(&claimed.lease, Progress::default(), at(59), long).await;
    assert_eq!(renewed.expect("the store answers"), LeaseState::Held(at(60)));
    let late = store.heartbeat(&claimed.lease, Progress::default(), at(60), long).await;
    assert_eq!(late.expect("the store answers"), LeaseState::Lost);
    assert!(!end(&*store, &claimed, done(&claimed, 1), at(60)).await, "too late to publish");
    assert!(claim(&*store, 2, at(60)).await.is_none());
    let task = look(&*store, &claimed.task.id).await;
    assert_eq!((task.state, task.completed), (TaskState::Failed, Some(at(60))));
    assert_eq!(keys(&task), ["deadline_passed"]);
    assert!(task.messages[0].text.ends_with("2026-03-02 09:01:00 UTC"), "{}", task.messages[0].text);
}
