//! Test suites that every adapter of a port must pass, including the in-memory fake.
//!
//! Each suite takes a closure that makes an empty store, and panics at the first broken rule. The cases set the time.
//! Real time-outs exist only so that a test fails instead of hanging. The task suites expect three attempts for each
//! task and a multi-threaded runtime.

mod administration;
mod commands;
mod configuration;
mod definitions;
mod leases;
mod lists;
mod notifications;
mod outcomes;
mod refreshes;
mod relay;
mod result_life;
mod reviews;
mod saved_searches;
mod schedules;
mod signals;
mod snapshot_life;
mod sod_policies;
mod starts;
mod transitions;
mod turns;

pub use administration::{audit_trail_contract, snapshot_catalogue_contract};
pub use commands::{Command, commands, compare_task_stores};
pub use configuration::{Administered, credentials_contract, registry_contract};
pub use definitions::definition_store_contract;
pub use notifications::notification_store_contract;
pub use refreshes::refresh_log_contract;
pub use relay::relay_log_contract;
pub use result_life::result_life_contract;
pub use reviews::review_store_contract;
pub use saved_searches::saved_search_store_contract;
pub use schedules::schedule_store_contract;
pub use snapshot_life::snapshot_life_contract;
pub use sod_policies::sod_policy_store_contract;

use crate::build;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::ids::{TaskId, WorkerId};
use muster_reports::message::Message;
use muster_reports::ports::{Started, TaskStore};
use muster_reports::task::{AttemptEnd, Claim, NewTask, Task};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A lease of half a minute.
const LEASE: Duration = Duration::from_secs(30);
/// Longer than any wait that a test ends by waking.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// Everything that a [`TaskStore`] promises.
pub async fn task_store_contract(make: impl AsyncFn() -> Arc<dyn TaskStore>) {
    starts::two_hundred_equal_starts_are_one_task(make().await).await;
    starts::different_tasks_are_kept_apart(make().await).await;
    starts::a_start_after_the_end_is_a_new_task(make().await).await;
    starts::a_start_replaces_a_task_past_its_deadline(make().await).await;
    starts::a_started_task_reads_back_whole(make().await).await;
    starts::another_tenant_sees_nothing(make().await).await;
    starts::results_of_a_definition_are_ordered(make().await).await;
    starts::messages_are_bounded(make().await).await;

    lists::every_condition_is_met(make().await).await;
    lists::pages_join_to_the_whole_list(make().await).await;
    lists::a_list_has_what_its_caller_may_see(make().await).await;

    leases::tasks_are_claimed_in_order_and_once(make().await).await;
    turns::a_client_that_starts_many_holds_up_nobody(make().await).await;
    turns::a_report_that_took_long_gives_way(make().await).await;
    turns::a_short_report_is_claimed_past_long_ones(make().await).await;
    leases::a_clock_that_is_set_back_holds_nothing_up(make().await).await;
    leases::a_longer_lease_is_not_taken(make().await).await;
    leases::a_hundred_tasks_among_eight_workers(make().await).await;
    leases::a_lost_lease_changes_nothing(make().await).await;
    leases::a_lease_that_ran_out_goes_to_the_next(make().await).await;
    leases::a_renewed_lease_is_not_taken(make().await).await;
    leases::lost_workers_exhaust_the_attempts(make().await).await;
    leases::retries_exhaust_the_attempts(make().await).await;
    leases::a_retry_waits_for_its_time(make().await).await;
    leases::a_release_counts_no_attempt(make().await).await;
    leases::a_waiting_task_fails_at_its_deadline(make().await).await;
    leases::a_running_task_fails_at_its_deadline(make().await).await;

    outcomes::end_states_never_change(&make).await;
    outcomes::remarks_make_a_result_warned(make().await).await;
    outcomes::progress_is_visible(make().await).await;
    outcomes::published_names_are_those_of_results(make().await).await;
    outcomes::cancel_and_finish_have_one_winner(make().await).await;
    outcomes::cancel_answers_by_state(make().await).await;
    outcomes::a_task_can_be_failed_from_outside(make().await).await;

    transitions::states_change_exactly_as_declared(make().await).await;

    signals::a_cancel_wakes_its_waiters(make().await).await;
    signals::no_cancel_is_missed(make().await).await;
    signals::starts_wake_workers(make().await).await;
    signals::both_kinds_of_workers_are_woken(make().await).await;
    signals::tasks_put_back_wake_workers(make().await).await;
    signals::waiting_for_work_ends(make().await).await;
}

/// The moment `seconds` after the start of time.
fn at(seconds: i64) -> DateTime<Utc> {
    build::start_of_time() + TimeDelta::seconds(seconds)
}

fn worker(number: u32) -> WorkerId {
    WorkerId::new(format!("worker-{number}"))
}

/// The result of `future`. Panics if it takes longer than on any reasonable machine.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited too long for {what}"),
    }
}

async fn start(store: &dyn TaskStore, new: NewTask) -> Task {
    match store.start(new).await.expect("the task is accepted") {
        Started::New(task) => task,
        Started::Live(task) => panic!("an equal task is live: {task:?}"),
    }
}

async fn look(store: &dyn TaskStore, id: &TaskId) -> Task {
    store.task(&build::tenant(), id).await.expect("the store answers").expect("the task is there")
}

async fn claim(store: &dyn TaskStore, number: u32, now: DateTime<Utc>) -> Option<Claim> {
    store.claim(&worker(number), now, LEASE).await.expect("the store answers")
}

/// Starts the `number`th task at `now` and has the first worker claim it.
async fn started_and_claimed(store: &dyn TaskStore, number: u64, now: DateTime<Utc>) -> Claim {
    let task = start(store, build::new_task(number, now)).await;
    let claim = claim(store, 1, now).await.expect("a task is due");
    assert_eq!(claim.task.id, task.id);
    claim
}

async fn end(store: &dyn TaskStore, claim: &Claim, end: AttemptEnd, now: DateTime<Utc>) -> bool {
    store.end_attempt(&claim.lease, end, now).await.expect("the store answers")
}

fn done(claim: &Claim, rows: u64) -> AttemptEnd {
    AttemptEnd::Done {
        result: build::task_result(&claim.task.id, claim.lease.epoch, rows),
        messages: Vec::new(),
    }
}

fn failed() -> AttemptEnd {
    AttemptEnd::Failed { message: Message::error("query_failed", "the query failed") }
}

fn retry(not_before: DateTime<Utc>) -> AttemptEnd {
    AttemptEnd::Retry { message: Message::error("disk_full", "the disk is full"), not_before }
}

fn keys(task: &Task) -> Vec<&str> {
    task.messages.iter().map(|message| message.key.as_str()).collect()
}
