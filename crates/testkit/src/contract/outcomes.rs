//! How tasks end, and that they stay ended.

use super::{LEASE, at, claim, done, end, failed, keys, look, retry, start, started_and_claimed, within};
use crate::{acts, build};
use muster_reports::message::{Message, Severity};
use muster_reports::ports::{Cancelled, LeaseState, TaskStore};
use muster_reports::task::{AttemptEnd, Progress, TaskState};
use std::sync::Arc;
use std::time::Duration;

/// Every operation that could be tried, on each end state.
pub(super) async fn end_states_never_change(make: impl AsyncFn() -> Arc<dyn TaskStore>) {
    for state in TaskState::ALL.into_iter().filter(|state| !state.is_live()) {
        let store = make().await;
        let claimed = started_and_claimed(&*store, 1, at(0)).await;
        let (tenant, id) = (build::tenant(), claimed.task.id.clone());
        let warning = vec![Message::warn("source_incomplete", "half of it")];
        let result = build::task_result(&id, 1, 5);
        let reached = match state {
            TaskState::Succeeded => end(&*store, &claimed, done(&claimed, 5), at(1)).await,
            TaskState::Warned => {
                end(&*store, &claimed, AttemptEnd::Done { result, messages: warning }, at(1)).await
            }
            TaskState::Failed => end(&*store, &claimed, failed(), at(1)).await,
            TaskState::Terminated => {
                matches!(acts::cancel(&*store, &tenant, &id, at(1)).await, Ok(Cancelled::Now))
            }
            TaskState::Pending | TaskState::Running => unreachable!("live states are filtered out"),
        };
        assert!(reached, "{state:?}");
        let ended = look(&*store, &id).await;
        assert_eq!((ended.state, ended.completed), (state, Some(at(1))));
        let has_result = matches!(state, TaskState::Succeeded | TaskState::Warned);
        assert_eq!(ended.result.is_some(), has_result);

        let cancelled = acts::cancel(&*store, &tenant, &id, at(2)).await.expect("the store answers");
        let expected = match state {
            TaskState::Terminated => Cancelled::Before,
            TaskState::Succeeded
            | TaskState::Warned
            | TaskState::Failed
            | TaskState::Pending
            | TaskState::Running => Cancelled::TooLate(state),
        };
        assert_eq!(cancelled, expected);
        let progress = Progress { rows: 99, rows_expected: None };
        let renewed = store.heartbeat(&claimed.lease, progress, at(2), LEASE).await;
        assert_eq!(renewed.expect("the store answers"), LeaseState::Lost);
        for how in [done(&claimed, 7), failed(), retry(at(3)), AttemptEnd::Released] {
            assert!(!end(&*store, &claimed, how, at(2)).await, "{state:?}");
        }
        assert!(claim(&*store, 2, at(31)).await.is_none(), "{state:?}");
        assert!(claim(&*store, 2, at(86_400)).await.is_none(), "{state:?}");
        assert_eq!(look(&*store, &id).await, ended, "{state:?}");
    }
}

pub(super) async fn remarks_make_a_result_warned(store: Arc<dyn TaskStore>) {
    let info = || Message { severity: Severity::Info, key: "note".into(), text: "by the way".into() };
    let warning = || Message::warn("source_stale", "old");
    // Known at the start, found in the run, and the state in which the task ends.
    let cases = [
        (vec![], vec![], TaskState::Succeeded),
        (vec![info()], vec![info()], TaskState::Succeeded),
        (vec![warning()], vec![], TaskState::Warned),
        (vec![], vec![info(), warning()], TaskState::Warned),
    ];
    for (number, (known, found, state)) in (1..).zip(cases) {
        let mut new = build::new_task(number, at(0));
        new.messages.clone_from(&known);
        let id = start(&*store, new).await.id;
        let claimed = claim(&*store, 1, at(0)).await.expect("a task is due");
        let result = build::task_result(&id, 1, 12);
        let how = AttemptEnd::Done { result: result.clone(), messages: found.clone() };
        assert!(end(&*store, &claimed, how, at(8)).await);
        let task = look(&*store, &id).await;
        assert_eq!((task.state, task.completed, task.launched), (state, Some(at(8)), Some(at(0))));
        assert_eq!(task.messages, [known, found].concat());
        assert_eq!(task.result, Some(result));
        assert_eq!(task.progress, Progress { rows: 12, rows_expected: Some(12) }, "all rows are written");
    }
}

pub(super) async fn progress_is_visible(store: Arc<dyn TaskStore>) {
    let claimed = started_and_claimed(&*store, 1, at(0)).await;
    for progress in [
        Progress { rows: 0, rows_expected: Some(40) },
        Progress { rows: 17, rows_expected: Some(40) },
        Progress { rows: 18, rows_expected: None },
    ] {
        let renewed = store.heartbeat(&claimed.lease, progress, at(1), LEASE).await;
        assert_eq!(renewed.expect("the store answers"), LeaseState::Held(at(31)));
        assert_eq!(look(&*store, &claimed.task.id).await.progress, progress);
    }
    let next = claim(&*store, 2, at(31)).await.expect("the lease ran out");
    assert_eq!(next.task.progress, Progress::default(), "another attempt begins at zero");
}

pub(super) async fn published_names_are_those_of_results(store: Arc<dyn TaskStore>) {
    let names = async || {
        let mut names = store.published_names().await.expect("the store answers");
        names.sort();
        names
    };
    let live = async || store.live_attempts().await.expect("the store answers");
    let first = started_and_claimed(&*store, 1, at(0)).await;
    assert!(names().await.is_empty(), "nothing is published by running");
    assert_eq!(live().await, [(build::task_id(1), 1)].into());
    assert!(end(&*store, &first, done(&first, 1), at(0)).await);
    let lost = started_and_claimed(&*store, 2, at(0)).await;
    let second = claim(&*store, 2, at(30)).await.expect("the lease ran out");
    assert_eq!(live().await, [(build::task_id(2), 2)].into(), "the attempt that holds the lease");
    assert!(!end(&*store, &lost, done(&lost, 2), at(30)).await);
    let mut how = done(&second, 3);
    if let AttemptEnd::Done { result, .. } = &mut how {
        let mut another = result.files[0].clone();
        another.stored_name = "another".into();
        result.files.push(another);
    }
    assert!(end(&*store, &second, how, at(31)).await);
    let third = started_and_claimed(&*store, 3, at(31)).await;
    assert!(end(&*store, &third, failed(), at(31)).await);
    assert!(live().await.is_empty(), "all have ended");
    let [one, two] = [1, 2].map(|number| format!("{}.{number}.report.csv", build::task_id(number)));
    assert_eq!(names().await, [one, two, "another".into()]);
}

/// A cancel and a finish happen at once, many times. The first wins, and the other is told.
pub(super) async fn cancel_and_finish_have_one_winner(store: Arc<dyn TaskStore>) {
    let mut finished = 0;
    for number in 1..=200 {
        let claimed = started_and_claimed(&*store, number, at(0)).await;
        let id = claimed.task.id.clone();
        let canceller = tokio::spawn({
            let (store, id) = (store.clone(), id.clone());
            async move { acts::cancel(&*store, &build::tenant(), &id, at(1)).await }
        });
        let finisher = tokio::spawn({
            let store = store.clone();
            async move { end(&*store, &claimed, done(&claimed, 5), at(1)).await }
        });
        let cancelled = within("a cancel", canceller).await.expect("no cancel panics");
        let published = within("a finish", finisher).await.expect("no finish panics");
        let task = look(&*store, &id).await;
        let seen = (cancelled.expect("the store answers"), published, task.state, task.result.is_some());
        match seen {
            (Cancelled::Now, false, TaskState::Terminated, false) => {}
            (Cancelled::TooLate(TaskState::Succeeded), true, TaskState::Succeeded, true) => finished += 1,
            _ => panic!("round {number}: {seen:?}"),
        }
    }
    // Either may win any number of rounds. The published names are those of the rounds that the finish won.
    assert_eq!(store.published_names().await.expect("the store answers").len(), finished);
}

pub(super) async fn cancel_answers_by_state(store: Arc<dyn TaskStore>) {
    let (tenant, id) = (build::tenant(), build::task_id(1));
    let cancel =
        async |seconds| acts::cancel(&*store, &tenant, &id, at(seconds)).await.expect("the store answers");
    assert_eq!(cancel(0).await, Cancelled::Unknown);
    start(&*store, build::new_task(1, at(0))).await;
    assert_eq!(cancel(1).await, Cancelled::Now, "one that waits");
    assert_eq!(cancel(2).await, Cancelled::Before);
    assert!(claim(&*store, 1, at(2)).await.is_none());
    let task = look(&*store, &id).await;
    assert_eq!((task.state, task.completed, task.launched), (TaskState::Terminated, Some(at(1)), None));

    // A cancel wins over a retry that is waiting for its time.
    let claimed = started_and_claimed(&*store, 2, at(2)).await;
    assert!(end(&*store, &claimed, retry(at(50)), at(3)).await);
    let cancelled = acts::cancel(&*store, &tenant, &claimed.task.id, at(4)).await.expect("the store answers");
    assert_eq!(cancelled, Cancelled::Now);
    let late = store.claim(&super::worker(1), at(50), Duration::from_secs(1)).await;
    assert_eq!(late.expect("the store answers"), None);
    assert_eq!(keys(&look(&*store, &claimed.task.id).await), ["disk_full"]);
}

/// A live task fails for a reason that somebody gave. Then it is as one that failed in its run.
pub(super) async fn a_task_can_be_failed_from_outside(store: Arc<dyn TaskStore>) {
    let (tenant, reason) = (build::tenant(), Message::error("task_cleared", "it was ended"));
    let fail = async |number, seconds| {
        let event = acts::cancel_event(&tenant, &build::task_id(number), at(seconds));
        store.cancel(&event, Some(&reason)).await.expect("the store answers")
    };
    assert_eq!(fail(1, 0).await, Cancelled::Unknown);
    start(&*store, build::new_task(1, at(0))).await;
    assert_eq!(fail(1, 1).await, Cancelled::Now, "one that waits");
    assert_eq!(fail(1, 2).await, Cancelled::TooLate(TaskState::Failed));
    let task = look(&*store, &build::task_id(1)).await;
    assert_eq!(
        (task.state, task.completed, task.messages),
        (TaskState::Failed, Some(at(1)), vec![reason.clone()])
    );

    let claimed = started_and_claimed(&*store, 2, at(2)).await;
    let waiter = tokio::spawn({
        let (store, id) = (store.clone(), claimed.task.id.clone());
        async move { store.cancelled(&id).await }
    });
    assert_eq!(fail(2, 3).await, Cancelled::Now, "one that runs");
    within("a worker that runs it", waiter).await.expect("no waiter panics");
    within("a late waiter", store.cancelled(&claimed.task.id)).await;
    let renewed = store.heartbeat(&claimed.lease, Progress::default(), at(4), LEASE).await;
    assert_eq!(renewed.expect("the store answers"), LeaseState::Lost);
    assert!(!end(&*store, &claimed, done(&claimed, 5), at(4)).await);
    let task = look(&*store, &claimed.task.id).await;
    assert_eq!((task.state, keys(&task)), (TaskState::Failed, vec!["task_cleared"]));
    assert_eq!(task.result, None);

    start(&*store, build::new_task(3, at(5))).await;
    acts::cancel(&*store, &tenant, &build::task_id(3), at(6)).await.expect("the store answers");
    assert_eq!(fail(3, 7).await, Cancelled::Before);
}
