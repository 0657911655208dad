//! Accepting and finding tasks.

use super::{at, claim, done, end, failed, keys, look, start, within};
use crate::{acts, build};
use chrono::TimeDelta;
use muster_reports::ids::{TaskDefinitionId, TenantId};
use muster_reports::message::{Message, Severity};
use muster_reports::ports::{Cancelled, ResultOrder, Started, TaskStore};
use muster_reports::task::{NewTask, Progress, Task, TaskState};
use std::sync::Arc;

pub(super) async fn two_hundred_equal_starts_are_one_task(store: Arc<dyn TaskStore>) {
    let starts: Vec<_> = (1..=200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.start(build::same_as(1, build::new_task(number, at(0)))).await })
        })
        .collect();
    let mut ids = Vec::new();
    let mut accepted = 0;
    for started in starts {
        let started = within("a start", started).await.expect("no start panics").expect("no start fails");
        accepted += usize::from(matches!(started, Started::New(_)));
        ids.push(started.task().id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!((accepted, ids.len()), (1, 1), "one task, whose id all starts got");
    assert!(claim(&*store, 1, at(0)).await.is_some());
    assert!(claim(&*store, 2, at(0)).await.is_none(), "there is no second task");
    // A running task is still the live one.
    let again = store.start(build::same_as(1, build::new_task(201, at(1)))).await.expect("the store answers");
    assert!(matches!(&again, Started::Live(task) if task.id == ids[0] && task.state == TaskState::Running));
}

pub(super) async fn different_tasks_are_kept_apart(store: Arc<dyn TaskStore>) {
    let first = start(&*store, build::new_task(1, at(0))).await;
    let second = start(&*store, build::new_task(2, at(0))).await;
    let elsewhere = NewTask {
        id: build::task_id(3),
        tenant: TenantId::new("globex"),
        ..build::same_as(1, build::new_task(3, at(0)))
    };
    let third = start(&*store, elsewhere).await;
    assert_eq!([first.id, second.id, third.id], [1, 2, 3].map(build::task_id));
    let taken = NewTask { id: build::task_id(1), ..build::new_task(4, at(0)) };
    assert!(store.start(taken).await.is_err(), "an id is given once");
}

pub(super) async fn a_start_after_the_end_is_a_new_task(store: Arc<dyn TaskStore>) {
    for number in 1..=4 {
        let task = start(&*store, build::same_as(1, build::new_task(number, at(0)))).await;
        assert_eq!(task.id, build::task_id(number));
        if number == 4 {
            let cancelled = acts::cancel(&*store, &build::tenant(), &task.id, at(0)).await;
            assert_eq!(cancelled.expect("the store answers"), Cancelled::Now);
            break;
        }
        let claim = claim(&*store, 1, at(0)).await.expect("a task is due");
        let how = if number == 1 { failed() } else { done(&claim, 1) };
        assert!(end(&*store, &claim, how, at(0)).await);
    }
    start(&*store, build::same_as(1, build::new_task(5, at(0)))).await;
}

pub(super) async fn a_start_replaces_a_task_past_its_deadline(store: Arc<dyn TaskStore>) {
    let deadline = at(60);
    let old = NewTask { deadline, ..build::new_task(1, at(0)) };
    let old = start(&*store, old).await;
    let before = build::same_as(1, build::new_task(2, deadline - TimeDelta::seconds(1)));
    assert!(matches!(store.start(before).await, Ok(Started::Live(task)) if task.id == old.id));
    let new = start(&*store, build::same_as(1, build::new_task(3, deadline))).await;
    assert_eq!(new.id, build::task_id(3));
    let old = look(&*store, &old.id).await;
    assert_eq!((old.state, old.completed), (TaskState::Failed, Some(deadline)));
    assert_eq!(keys(&old), ["deadline_passed"]);
}

pub(super) async fn a_started_task_reads_back_whole(store: Arc<dyn TaskStore>) {
    let mut new = build::new_task(1, at(0) + TimeDelta::microseconds(123_456));
    new.messages = vec![Message::warn("source_stale", "source \"HR\" was last read long ago")];
    new.requester = build::application();
    new.name = "Bericht über „Konten“\u{0}\n".into();
    new.parent = None;
    let expected = Task {
        id: new.id.clone(),
        tenant: new.tenant.clone(),
        definition: new.definition.clone(),
        report: new.report.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        parent: None,
        arguments: new.arguments.clone(),
        requester: new.requester.clone(),
        snapshot: new.snapshot.clone(),
        created: new.created,
        launched: None,
        completed: None,
        state: TaskState::Pending,
        progress: Progress { rows: 0, rows_expected: None },
        messages: new.messages.clone(),
        attempts: 0,
        epoch: 0,
        result: None,
    };
    assert_eq!(start(&*store, new).await, expected);
    assert_eq!(look(&*store, &expected.id).await, expected);
}

pub(super) async fn another_tenant_sees_nothing(store: Arc<dyn TaskStore>) {
    let other = TenantId::new("globex");
    let task = start(&*store, build::new_task(1, at(0))).await;
    assert_eq!(store.task(&other, &task.id).await.expect("the store answers"), None);
    for order in [ResultOrder::CompletedFirst, ResultOrder::CreatedLast] {
        let found = store.task_of_definition(&other, &task.definition, order).await;
        assert_eq!(found.expect("the store answers"), None);
    }
    assert_eq!(store.last_tasks(&other, 10).await.expect("the store answers"), []);
    let cancelled = acts::cancel(&*store, &other, &task.id, at(1)).await.expect("the store answers");
    assert_eq!(cancelled, Cancelled::Unknown);
    assert_eq!(look(&*store, &task.id).await, task, "the other tenant's cancel did nothing");
    // A lease with the wrong tenant is not valid.
    let mut claim = claim(&*store, 1, at(1)).await.expect("a task is due");
    claim.lease.tenant = other;
    assert!(!end(&*store, &claim, failed(), at(1)).await);
}

/// Six runs of one definition: one ended at 29, one ended at 20, one was cancelled at 25, and three wait.
pub(super) async fn results_of_a_definition_are_ordered(store: Arc<dyn TaskStore>) {
    let tenant = build::tenant();
    let first = async |order| {
        let definition = build::new_task(1, at(0)).definition;
        let found = store.task_of_definition(&tenant, &definition, order).await.expect("the store answers");
        found.map(|task| task.id)
    };
    let [completed, created] = [ResultOrder::CompletedFirst, ResultOrder::CreatedLast];
    assert_eq!((first(completed).await, first(created).await), (None, None));

    // Different keys, as with different data scopes, so that all can be live at once.
    let new = |number, seconds| NewTask {
        definition: build::new_task(1, at(0)).definition,
        ..build::new_task(number, at(seconds))
    };
    start(&*store, new(1, 0)).await;
    let ended_last = claim(&*store, 1, at(0)).await.expect("a task is due");
    assert_eq!(first(completed).await, Some(build::task_id(1)), "one that runs, where none has ended");
    start(&*store, new(2, 1)).await;
    let ended_first = claim(&*store, 1, at(1)).await.expect("a task is due");
    start(&*store, new(3, 2)).await;
    assert!(end(&*store, &ended_first, failed(), at(20)).await);
    assert_eq!(first(completed).await, Some(build::task_id(2)));
    acts::cancel(&*store, &tenant, &build::task_id(3), at(25)).await.expect("the store answers");
    assert_eq!(first(completed).await, Some(build::task_id(3)), "a cancelled one has ended too");
    assert!(end(&*store, &ended_last, done(&ended_last, 1), at(29)).await);
    start(&*store, new(4, 28)).await;
    start(&*store, new(5, 28)).await;
    start(&*store, new(6, 27)).await;
    assert_eq!(first(completed).await, Some(build::task_id(1)), "the last to end, though the first created");
    assert_eq!(first(created).await, Some(build::task_id(5)), "of equal times the last accepted");
    let last = async |count| {
        let tasks = store.last_tasks(&tenant, count).await.expect("the store answers");
        tasks.into_iter().map(|task| task.id).collect::<Vec<_>>()
    };
    assert_eq!(last(2).await, [6, 5].map(build::task_id), "the last accepted, not the last created");
    assert_eq!(last(10).await, [6, 5, 4, 3, 2, 1].map(build::task_id));
    let unknown = TaskDefinitionId::new("0");
    assert_eq!(store.task_of_definition(&tenant, &unknown, created).await.expect("the store answers"), None);
}

pub(super) async fn messages_are_bounded(store: Arc<dyn TaskStore>) {
    let mut new = build::new_task(1, at(0));
    new.messages = (0..1_500).map(|n| Message::warn("remark", format!("number {n}"))).collect();
    new.messages[7].text = "é".repeat(5_000);
    let task = start(&*store, new).await;
    assert_eq!(task.messages.len(), 1_001);
    assert_eq!(task.messages[999].text, "number 999");
    let note = &task.messages[1_000];
    assert_eq!((note.severity, note.key.as_str()), (Severity::Warn, "messages_left_out"));
    assert_eq!(note.text, "500 more messages were left out");
    // 4,000 bytes are kept: 2,000 letters of two bytes each, and the ellipsis.
    assert_eq!(task.messages[7].text, format!("{}…", "é".repeat(2_000)));
    let claim = claim(&*store, 1, at(0)).await.expect("a task is due");
    assert!(end(&*store, &claim, failed(), at(1)).await);
    let task = look(&*store, &task.id).await;
    let last = task.messages.last().map(|message| message.key.as_str());
    assert_eq!((task.messages.len(), last), (1_002, Some("query_failed")), "why it failed is always kept");
}
