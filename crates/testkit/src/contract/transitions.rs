//! The state of a task changes exactly as [`TaskState::entered_from`] declares.

use super::{at, claim, done, end, failed, look, retry, start};
use crate::{acts, build};
use muster_reports::message::Message;
use muster_reports::ports::TaskStore;
use muster_reports::task::{AttemptEnd, Claim, TaskState};
use std::collections::HashSet;
use std::sync::Arc;

/// Every operation on a task.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A claim after the lease has run out.
    Claim,
    ClaimAfterDeadline,
    StartEqualAfterDeadline,
    Succeed,
    Warn,
    Fail,
    Retry,
    Release,
    Cancel,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::Claim,
        Self::ClaimAfterDeadline,
        Self::StartEqualAfterDeadline,
        Self::Succeed,
        Self::Warn,
        Self::Fail,
        Self::Retry,
        Self::Release,
        Self::Cancel,
    ];
}

/// Each case has a day of its own, so tasks of earlier cases are past their deadline.
const DAY: i64 = 86_400;

/// Each operation on a task in each state: exactly the declared changes happen.
pub(super) async fn states_change_exactly_as_declared(store: Arc<dyn TaskStore>) {
    let mut happened = HashSet::new();
    let cases = TaskState::ALL.into_iter().flat_map(|from| Act::ALL.map(|act| (from, act)));
    for (number, (from, act)) in (1..).zip(cases) {
        let claimed = brought_to(&*store, from, number).await;
        let before = look(&*store, &claimed.task.id).await;
        assert_eq!(before.state, from, "the case is set up");
        perform(&*store, act, &claimed, number).await;
        let after = look(&*store, &claimed.task.id).await;
        if (before.state, before.epoch) != (after.state, after.epoch) {
            assert!(from.may_become(after.state), "{from:?} became {:?} by {act:?}", after.state);
            happened.insert((from, after.state));
        }
    }
    for from in TaskState::ALL {
        for to in TaskState::ALL {
            assert_eq!(happened.contains(&(from, to)), from.may_become(to), "{from:?} to {to:?}");
        }
    }
}

/// A task that was claimed and brought into a state, with the lease of its claim.
async fn brought_to(store: &dyn TaskStore, state: TaskState, number: u64) -> Claim {
    let day = number.cast_signed() * DAY;
    let task = start(store, build::new_task(number, at(day))).await;
    let claimed = claim(store, 1, at(day)).await.expect("the task is due");
    assert_eq!(claimed.task.id, task.id);
    let how = match state {
        TaskState::Running => return claimed,
        TaskState::Pending => AttemptEnd::Released,
        TaskState::Succeeded => done(&claimed, 5),
        TaskState::Warned => warned(&claimed),
        TaskState::Failed => failed(),
        TaskState::Terminated => {
            acts::cancel(store, &task.tenant, &task.id, at(day + 1)).await.expect("the store answers");
            return claimed;
        }
    };
    assert!(end(store, &claimed, how, at(day + 1)).await);
    claimed
}

fn warned(claimed: &Claim) -> AttemptEnd {
    let result = build::task_result(&claimed.task.id, claimed.lease.epoch, 5);
    AttemptEnd::Done { result, messages: vec![Message::warn("source_stale", "old")] }
}

async fn perform(store: &dyn TaskStore, act: Act, claimed: &Claim, number: u64) {
    let day = number.cast_signed() * DAY;
    let how = match act {
        Act::Succeed => done(claimed, 5),
        Act::Warn => warned(claimed),
        Act::Fail => failed(),
        Act::Retry => retry(at(day + 9)),
        Act::Release => AttemptEnd::Released,
        Act::Claim => {
            claim(store, 2, at(day + 31)).await;
            return;
        }
        Act::ClaimAfterDeadline => {
            claim(store, 2, at(day + DAY / 2)).await;
            return;
        }
        Act::StartEqualAfterDeadline => {
            let equal = build::same_as(number, build::new_task(1_000 + number, at(day + DAY / 2)));
            start(store, equal).await;
            return;
        }
        Act::Cancel => {
            let (tenant, id) = (&claimed.task.tenant, &claimed.task.id);
            acts::cancel(store, tenant, id, at(day + 2)).await.expect("the store answers");
            return;
        }
    };
    end(store, claimed, how, at(day + 2)).await;
}
