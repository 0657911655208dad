//! Wake-ups inside one process: none may be lost.

use super::{FOR_EVER, at, claim, done, end, retry, start, started_and_claimed, within};
use crate::{acts, build};
use muster_reports::ports::{Cancelled, TaskStore};
use muster_reports::task::AttemptEnd;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn a_cancel_wakes_its_waiters(store: Arc<dyn TaskStore>) {
    let first = started_and_claimed(&*store, 1, at(0)).await.task.id;
    let second = started_and_claimed(&*store, 2, at(0)).await.task.id;
    let waiters: Vec<_> = [&first, &first, &second]
        .map(|id| {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move { store.cancelled(&id).await })
        })
        .into();
    let [one, two, other] = <[_; 3]>::try_from(waiters).expect("three were made");
    let cancelled = acts::cancel(&*store, &build::tenant(), &first, at(1)).await.expect("the store answers");
    assert_eq!(cancelled, Cancelled::Now);
    within("the first waiter", one).await.expect("no waiter panics");
    within("the second waiter", two).await.expect("no waiter panics");
    within("a late waiter", store.cancelled(&first)).await;
    assert!(!other.is_finished(), "the other task has not been cancelled");
    acts::cancel(&*store, &build::tenant(), &second, at(1)).await.expect("the store answers");
    within("the other waiter", other).await.expect("no waiter panics");
}

/// A wait and a cancel start at once, many times. The wait ends in every order.
pub(super) async fn no_cancel_is_missed(store: Arc<dyn TaskStore>) {
    for number in 1..=200 {
        let id = started_and_claimed(&*store, number, at(0)).await.task.id;
        let waiter = tokio::spawn({
            let (store, id) = (store.clone(), id.clone());
            async move { store.cancelled(&id).await }
        });
        acts::cancel(&*store, &build::tenant(), &id, at(1)).await.expect("the store answers");
        within("a waiter", waiter).await.expect("no waiter panics");
    }
}

pub(super) async fn starts_wake_workers(store: Arc<dyn TaskStore>) {
    // A worker that waits finds the task that it was woken for, many times.
    for number in 1..=50 {
        let waiter = tokio::spawn({
            let store = store.clone();
            async move {
                loop {
                    store.work_or(FOR_EVER).await;
                    if let Some(claim) = claim(&*store, 1, at(0)).await {
                        return claim;
                    }
                }
            }
        });
        let task = start(&*store, build::new_task(number, at(0))).await;
        let claimed = within("a worker that waits", waiter).await.expect("no worker panics");
        assert_eq!(claimed.task.id, task.id);
    }
    // Workers that start later: each task wakes one, although both tasks were started before.
    for number in [101, 102] {
        start(&*store, build::new_task(number, at(0))).await;
    }
    for number in [101, 102] {
        within("work that is there", store.work_or(FOR_EVER)).await;
        let claimed = claim(&*store, 1, at(0)).await.expect("a task is due");
        assert_eq!(claimed.task.id, build::task_id(number));
    }
}

/// Work wakes one that claims all tasks and one that claims short ones, whichever of them waits.
pub(super) async fn both_kinds_of_workers_are_woken(store: Arc<dyn TaskStore>) {
    for number in 1..=3 {
        start(&*store, build::new_task(number, at(0))).await;
        within("work", store.work_or(FOR_EVER)).await;
        within("short work", store.short_work_or(FOR_EVER)).await;
    }
}

pub(super) async fn tasks_put_back_wake_workers(store: Arc<dyn TaskStore>) {
    start(&*store, build::new_task(1, at(0))).await;
    for how in [AttemptEnd::Released, retry(at(0)), AttemptEnd::Released] {
        within("work", store.work_or(FOR_EVER)).await;
        let mut claimed = claim(&*store, 1, at(0)).await;
        if claimed.is_none() {
            // There may be one wake-up too many, but never one too few.
            within("work", store.work_or(FOR_EVER)).await;
            claimed = claim(&*store, 1, at(0)).await;
        }
        let claimed = claimed.expect("the task is due");
        assert!(end(&*store, &claimed, how, at(0)).await);
    }
    within("work", store.work_or(FOR_EVER)).await;
    let claimed = claim(&*store, 1, at(0)).await.expect("the task is due");
    assert!(end(&*store, &claimed, done(&claimed, 1), at(0)).await);
}

pub(super) async fn waiting_for_work_ends(store: Arc<dyn TaskStore>) {
    within("three waits of a millisecond", async {
        for _ in 0..3 {
            store.work_or(Duration::from_millis(1)).await;
        }
    })
    .await;
}
