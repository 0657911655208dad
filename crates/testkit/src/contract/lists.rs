//! Lists of tasks: conditions, order, parts, and what is visible.

use super::{at, claim, done, end, failed, start, started_and_claimed};
use crate::{acts, build};
use chrono::{DateTime, Utc};
use muster_reports::caller::{Caller, DataScope};
use muster_reports::ids::{ClientId, ReportId, SourceId, TaskId, TenantId};
use muster_reports::ports::TaskStore;
use muster_reports::task::{NewTask, TaskState};
use muster_reports::task_list::{TaskFilter, TaskOrder, TaskPage, TaskQuery, VisibleTasks};
use std::collections::BTreeMap;
use std::sync::Arc;

const OTHER_SOURCE: &str = "2c9180897e7742b2017e781782f70500";
/// What a text in JSON cannot have as it is, and what PostgreSQL does not take.
const ODD_NAME: &str = "o\"neil\\\0\u{1a}é";

/// Everything that there is, from the first accepted on.
fn everything() -> VisibleTasks {
    let argument = |report: &str, name: &str| (ReportId::new(report), name.to_owned());
    VisibleTasks {
        query: TaskQuery { order: TaskOrder::FirstFirst, limit: 250, counted: true, ..TaskQuery::default() },
        scope: DataScope::Everything,
        auditor: None,
        since: at(0),
        source_arguments: vec![
            argument("ACCOUNTS", "application"),
            argument("IDENTITY_PROFILE_IDENTITY_ERROR", "authoritativeSource"),
        ],
    }
}

async fn page(store: &dyn TaskStore, wanted: &VisibleTasks) -> TaskPage {
    store.list(&build::tenant(), wanted).await.expect("the store answers")
}

/// The numbers of the tasks on a page.
fn numbers(page: &TaskPage) -> Vec<u64> {
    page.tasks.iter().map(|task| u64::from_str_radix(task.id.as_str(), 16).expect("hex digits")).collect()
}

fn named(client: &str, name: &str) -> Caller {
    let mut caller = Caller { client: ClientId::new(client), ..build::user() };
    if let Some(user) = &mut caller.user {
        user.name = name.into();
    }
    caller
}

/// Nine tasks, some of which look alike.
async fn nine_tasks(store: &dyn TaskStore) {
    let new = |number: u64, requester: Caller, report: &str, arguments: &[(&str, &str)]| NewTask {
        requester,
        report: ReportId::new(report),
        arguments: build::arguments(arguments),
        ..build::new_task(number, at(0))
    };
    let accounts: [(&str, &str); 1] = [("application", build::SOURCE)];
    let first = started_and_claimed(store, 1, at(0)).await;
    assert!(end(store, &first, done(&first, 7), at(1)).await);
    let second = started_and_claimed(store, 2, at(0)).await;
    assert!(end(store, &second, failed(), at(1)).await);
    start(store, build::new_task(3, at(0))).await;
    acts::cancel(store, &build::tenant(), &build::task_id(3), at(1)).await.expect("the store answers");
    start(store, new(4, build::application(), "ACCOUNTS", &accounts)).await;
    claim(store, 1, at(0)).await.expect("a task is due");
    start(store, new(5, build::application(), "ACCOUNTS", &[("application", OTHER_SOURCE)])).await;
    // A user with the name of the application, and one whose client has the name of a user.
    start(store, new(6, named("client-6", "client-of-a-job"), "IDENTITIES", &[])).await;
    start(store, new(7, named("ada.lovelace", "bob"), "IDENTITIES", &accounts)).await;
    // A text that reads like another argument.
    let posing = format!("x\",\"application\":\"{OTHER_SOURCE}\\");
    let poses = [("application", build::SOURCE), ("sourceName", posing.as_str())];
    start(store, new(8, named("client-8", ODD_NAME), "ACCOUNTS", &poses)).await;
    let errors = [("authoritativeSource", OTHER_SOURCE)];
    start(store, new(9, named("client-9", "carol"), "IDENTITY_PROFILE_IDENTITY_ERROR", &errors)).await;
}

pub(super) async fn every_condition_is_met(store: Arc<dyn TaskStore>) {
    nine_tasks(&*store).await;
    let ids = |ids: &[&str]| TaskFilter {
        ids: Some(ids.iter().copied().map(TaskId::new).collect()),
        ..TaskFilter::default()
    };
    let states = |states: &[TaskState]| TaskFilter { states: Some(states.to_vec()), ..TaskFilter::default() };
    let launchers = |names: &[&str]| TaskFilter {
        launchers: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..TaskFilter::default()
    };
    let sources = |ids: &[&str]| TaskFilter {
        sources: Some(ids.iter().copied().map(SourceId::new).collect()),
        ..TaskFilter::default()
    };
    let (second, eighth) = (build::task_id(2), build::task_id(8));
    let cases: [(TaskFilter, &[u64]); 19] = [
        (TaskFilter::default(), &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (ids(&[second.as_str()]), &[2]),
        (ids(&[eighth.as_str(), "unknown", "a\0b", "it's\"", second.as_str()]), &[2, 8]),
        (ids(&[]), &[]),
        (states(&[TaskState::Pending]), &[5, 6, 7, 8, 9]),
        (states(&[TaskState::Running]), &[4]),
        (states(&[TaskState::Succeeded]), &[1]),
        (states(&[TaskState::Failed, TaskState::Terminated]), &[2, 3]),
        (states(&[TaskState::Warned]), &[]),
        (states(&[]), &[]),
        (launchers(&["ada.lovelace"]), &[1, 2, 3]),
        (launchers(&["client-of-a-job"]), &[4, 5, 6]),
        (launchers(&["bob", ODD_NAME, "ada"]), &[7, 8]),
        (launchers(&["client-9", "client-of-ada"]), &[]),
        (sources(&[build::SOURCE]), &[1, 2, 3, 4, 8]),
        (sources(&[OTHER_SOURCE]), &[5, 9]),
        (sources(&[OTHER_SOURCE, build::SOURCE, "\0"]), &[1, 2, 3, 4, 5, 8, 9]),
        (sources(&["2c91"]), &[]),
        (
            TaskFilter {
                states: Some(vec![TaskState::Running, TaskState::Pending]),
                ..sources(&[OTHER_SOURCE])
            },
            &[5, 9],
        ),
    ];
    for (filter, expected) in cases {
        let mut wanted = everything();
        wanted.query.filter = filter.clone();
        let found = page(&*store, &wanted).await;
        assert_eq!(numbers(&found), expected, "{filter:?}");
        assert_eq!(found.total, Some(expected.len() as u64), "{filter:?}");
        // Whatever part is wanted, all are counted.
        wanted.query = TaskQuery { limit: 1, offset: 1, ..wanted.query };
        let mut counts = BTreeMap::new();
        for task in found.tasks {
            *counts.entry(task.state).or_insert(0) += 1;
        }
        assert_eq!(store.counts(&build::tenant(), &wanted).await.expect("the store answers"), counts);
    }
    let counts = store.counts(&build::tenant(), &everything()).await.expect("the store answers");
    let expected = [
        (TaskState::Pending, 5),
        (TaskState::Running, 1),
        (TaskState::Succeeded, 1),
        (TaskState::Failed, 1),
        (TaskState::Terminated, 1),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    let others = store.counts(&TenantId::new("globex"), &everything()).await.expect("the store answers");
    assert!(others.is_empty());
    let all = TaskFilter {
        ids: Some((1..=9).map(build::task_id).collect()),
        states: Some(vec![TaskState::Running, TaskState::Failed]),
        launchers: Some(vec!["client-of-a-job".into()]),
        sources: Some(vec![SourceId::new(build::SOURCE)]),
    };
    let mut wanted = everything();
    wanted.query = TaskQuery { filter: all, counted: false, ..wanted.query };
    let found = page(&*store, &wanted).await;
    assert_eq!((numbers(&found), found.total), (vec![4], None), "all conditions, and no count");

    let first = page(&*store, &everything()).await.tasks.remove(0);
    let result = first.result.expect("it has ended");
    assert_eq!((result.rows, result.files.len(), result.cover.as_str()), (7, 1, ""));
}

/// Thirty tasks, ten of each of three times, which are not in the order of acceptance.
pub(super) async fn pages_join_to_the_whole_list(store: Arc<dyn TaskStore>) {
    for (group, seconds) in [20, 0, 10].into_iter().enumerate() {
        for number in 1..=10 {
            start(&*store, build::new_task(group as u64 * 10 + number, at(seconds))).await;
        }
    }
    let in_order: Vec<u64> = (11..=20).chain(21..=30).chain(1..=10).collect();
    let reversed: Vec<u64> = in_order.iter().rev().copied().collect();
    for (order, whole) in [(TaskOrder::FirstFirst, &in_order), (TaskOrder::LastFirst, &reversed)] {
        let mut joined = Vec::new();
        for offset in [0, 7, 14, 21, 28, 35] {
            let mut wanted = everything();
            wanted.query = TaskQuery { order, offset, limit: 7, ..wanted.query };
            let part = page(&*store, &wanted).await;
            assert_eq!(part.total, Some(30), "whatever part is read");
            joined.extend(numbers(&part));
        }
        assert_eq!(joined, *whole, "{order:?}");
    }
    let mut wanted = everything();
    wanted.query.limit = 0;
    assert_eq!(page(&*store, &wanted).await, TaskPage { tasks: Vec::new(), total: Some(30) });

    let since =
        async |since: DateTime<Utc>| page(&*store, &VisibleTasks { since, ..everything() }).await.total;
    assert_eq!(
        (since(at(10)).await, since(at(11)).await, since(at(21)).await),
        (Some(20), Some(10), Some(0))
    );
}

pub(super) async fn a_list_has_what_its_caller_may_see(store: Arc<dyn TaskStore>) {
    let scope = |sources: &[&str]| DataScope::of_sources(sources.iter().copied()).expect("these are ids");
    let scopes = [DataScope::Everything, scope(&["a"]), scope(&["a", "b"]), scope(&["b"]), scope(&["ab"])];
    for (number, data_scope) in (1..).zip(scopes) {
        let requester = Caller { data_scope, ..build::user() };
        start(&*store, NewTask { requester, ..build::new_task(number, at(0)) }).await;
    }
    let cases: [(DataScope, &[u64]); 6] = [
        (DataScope::Everything, &[1, 2, 3, 4, 5]),
        (scope(&["a"]), &[2]),
        (scope(&["a", "b"]), &[2, 3, 4]),
        (scope(&["ab", "b", "c"]), &[4, 5]),
        (scope(&["c"]), &[]),
        (scope(&[]), &[]),
    ];
    for (scope, expected) in cases {
        let found = page(&*store, &VisibleTasks { scope: scope.clone(), ..everything() }).await;
        assert_eq!(
            (numbers(&found), found.total),
            (expected.to_vec(), Some(expected.len() as u64)),
            "{scope}"
        );
    }
    let others = store.list(&TenantId::new("globex"), &everything()).await.expect("the store answers");
    assert_eq!(others, TaskPage { tasks: Vec::new(), total: Some(0) });
}
