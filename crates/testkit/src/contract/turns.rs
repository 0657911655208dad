//! Which of the waiting tasks is claimed first.

use super::{at, claim, done, end, start};
use crate::build;
use muster_reports::ids::{ClientId, TaskId};
use muster_reports::ports::TaskStore;
use muster_reports::task::NewTask;
use std::sync::Arc;

/// The `number`th task, started by `client`.
fn of(client: &str, number: u64, seconds: i64) -> NewTask {
    let mut new = build::new_task(number, at(seconds));
    new.requester.client = ClientId::new(client);
    new
}

/// The next `count` claims at that time.
async fn next(store: &dyn TaskStore, count: usize, seconds: i64) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.extend(claim(store, 1, at(seconds)).await.map(|claim| claim.task.id));
    }
    ids
}

pub(super) async fn a_client_that_starts_many_holds_up_nobody(store: Arc<dyn TaskStore>) {
    for number in 1..=450 {
        start(&*store, of("many", number, 0)).await;
    }
    start(&*store, of("few", 1_001, 2)).await;
    start(&*store, of("few", 1_002, 2)).await;
    start(&*store, of("one", 2_001, 3)).await;
    let order = next(&*store, 6, 3).await;
    assert_eq!(
        order,
        [1, 1_001, 2_001, 2, 1_002, 3].map(build::task_id),
        "the first of each, then the second"
    );
    // Other clients start reports repeatedly, each without tasks ahead of it. They do not delay this client for ever:
    // its fourth report waits for them for three minutes and not longer.
    start(&*store, of("late", 3_001, 179)).await;
    start(&*store, of("later", 3_002, 181)).await;
    let order = next(&*store, 3, 181).await;
    assert_eq!(order[0], build::task_id(1), "a lease that ran out has its old place");
    let order = next(&*store, 8, 181).await;
    assert_eq!(
        order,
        [2, 1_002, 3, 3_001, 4, 3_002, 5, 6].map(build::task_id),
        "the fourth comes between those that were started before and after its three minutes"
    );
}

pub(super) async fn a_report_that_took_long_gives_way(store: Arc<dyn TaskStore>) {
    for (number, client, took) in [(1, "large", 50), (2, "huge", 3_000)] {
        start(&*store, of(client, number, 0)).await;
        let run = claim(&*store, 1, at(0)).await.expect("it is due");
        assert!(end(&*store, &run, done(&run, 3), at(took)).await, "nobody else has taken it");
    }
    let again = |client: &str, number: u64, same: u64, seconds: i64| {
        build::same_as(same, of(client, number, seconds))
    };
    for new in [
        again("large", 11, 1, 4_000),
        again("huge", 12, 2, 4_000),
        of("a", 13, 4_049),
        of("b", 14, 4_051),
        of("c", 15, 4_059),
        of("d", 16, 4_061),
    ] {
        start(&*store, new).await;
    }
    let order = next(&*store, 6, 4_061).await;
    assert_eq!(
        order,
        [13, 11, 14, 15, 12, 16].map(build::task_id),
        "by 50 seconds, as long as it took, and by a minute at most"
    );
}

pub(super) async fn a_short_report_is_claimed_past_long_ones(store: Arc<dyn TaskStore>) {
    let claim_short = async |seconds| {
        let claimed = store.claim_short(&super::worker(2), at(seconds), super::LEASE).await;
        claimed.expect("the store answers").map(|claim| claim.task.id)
    };
    let run = async |begins, took| {
        let run = claim(&*store, 1, at(begins)).await.expect("it is due");
        assert!(end(&*store, &run, done(&run, 3), at(begins + took)).await, "nobody else has taken it");
    };
    for (number, took) in [(1, 50), (2, 0), (3, 1)] {
        start(&*store, of("a", number, 0)).await;
        assert_eq!(claim_short(0).await, None, "nothing is known of the first run");
        run(0, took).await;
    }
    // The same report ran beside long ones four times: its first run still counts.
    for number in 4..8 {
        start(&*store, build::same_as(2, of("a", number, 100))).await;
        run(100, 5).await;
    }
    for (number, same) in [(11, 1), (12, 2), (13, 3)] {
        start(&*store, build::same_as(same, of("a", number, 200))).await;
    }
    assert_eq!(claim_short(900).await, Some(build::task_id(12)), "the others took a second and more");
    assert_eq!(claim_short(900).await, None);
    assert_eq!(next(&*store, 2, 900).await, [11, 13].map(build::task_id));
}
