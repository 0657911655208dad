#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::arguments::Arguments;
use crate::ids::{SnapshotId, TaskDefinitionId};
use crate::scheduled::{FallenDue, ScheduledWork};
use crate::task::{Progress, PublishedFile};
use serde_json::json;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn caller() -> Caller {
    Caller {
        tenant: TenantId::new("acme"),
        client: ClientId::new("c"),
        user: None,
        scopes: Vec::new(),
        data_scope: DataScope::Everything,
        trace: None,
    }
}

fn result(rows: u64, digests: &[(FileFormat, &str)]) -> TaskResult {
    let file = |(format, sha256): &(FileFormat, &str)| PublishedFile {
        format: *format,
        stored_name: "stored".into(),
        media_type: "text/csv".into(),
        extension: "csv".into(),
        bytes: 10,
        rows,
        sha256: (*sha256).into(),
    };
    TaskResult { rows, files: digests.iter().map(file).collect(), cover: String::new() }
}

fn task(state: TaskState, result: Option<TaskResult>, messages: &[Message]) -> Task {
    Task {
        id: TaskId::new("t"),
        tenant: TenantId::new("acme"),
        definition: TaskDefinitionId::new("d"),
        report: ReportId::new("SEARCH_EXPORT"),
        name: "Search Export".into(),
        description: String::new(),
        parent: None,
        arguments: Arguments::from_canonical(r#"{"query":"name:x"}"#).unwrap(),
        requester: caller(),
        snapshot: SnapshotId::new("s"),
        created: time("2026-03-01T00:00:00Z"),
        launched: None,
        completed: None,
        state,
        progress: Progress::default(),
        messages: messages.to_vec(),
        attempts: 1,
        epoch: 1,
        result,
    }
}

fn wish(on: &[Occasion]) -> Wish {
    let to = Recipient::email("ada@example.com").unwrap();
    let on = on.iter().copied().collect();
    Wish { client: ClientId::new("c"), notify: Notify { on, ..Notify::of(to) } }
}

fn sent(ended: &EndedRun<'_>, wish: &Wish) -> Option<Notification> {
    notifications(ended, std::slice::from_ref(wish), time("2026-03-01T01:00:00Z")).into_iter().next()
}

#[test]
fn an_entry_is_told_of_the_ends_that_it_names() {
    use Occasion::{Change, Failure, Success, Warning};
    let csv = |digest| result(2, &[(FileFormat::Csv, digest)]);
    let before = csv("a");
    for (state, after, before, told) in [
        (TaskState::Succeeded, Some(csv("a")), None, vec![Success, Change]),
        (TaskState::Succeeded, Some(csv("a")), Some(&before), vec![Success]),
        (TaskState::Warned, Some(csv("b")), Some(&before), vec![Warning, Change]),
        (TaskState::Failed, None, Some(&before), vec![Failure]),
        (TaskState::Terminated, None, None, vec![]),
        (TaskState::Running, None, None, vec![]),
    ] {
        let task = task(state, after, &[]);
        let ended = EndedRun { task: Some(&task), before, scheduled: None };
        for occasion in Occasion::ALL {
            let expected = told.contains(&occasion);
            assert_eq!(sent(&ended, &wish(&[occasion])).is_some(), expected, "{state:?} {occasion}");
        }
    }
}

#[test]
fn rows_are_compared_by_files_that_have_only_rows() {
    let pdf = (FileFormat::Pdf, "same");
    let cases = [
        (
            vec![(FileFormat::Csv, "a"), (FileFormat::Pdf, "1")],
            vec![(FileFormat::Csv, "a"), (FileFormat::Pdf, "2")],
            false,
        ),
        (vec![(FileFormat::Csv, "a"), pdf], vec![(FileFormat::Csv, "b"), pdf], true),
        (vec![pdf], vec![pdf], true),
        (vec![(FileFormat::Csv, "a")], vec![(FileFormat::Ndjson, "a")], true),
    ];
    for (before, after, expected) in cases {
        assert_eq!(differ(&result(1, &before), &result(1, &after)), expected, "{before:?} {after:?}");
    }
}

#[test]
fn an_empty_result_is_sent_only_to_those_who_want_it() {
    let task = task(TaskState::Succeeded, Some(result(0, &[(FileFormat::Csv, "a")])), &[]);
    let ended = EndedRun { task: Some(&task), before: None, scheduled: None };
    let all = wish(&[Occasion::Success]);
    let some = Wish { notify: Notify { empty_results: false, ..all.notify.clone() }, ..all.clone() };
    assert!(sent(&ended, &all).is_some());
    assert_eq!(sent(&ended, &some), None);
}

#[test]
fn a_notice_says_why_and_names_no_stored_file() {
    let messages = [
        Message::warn("source_stale", "source \"HR\" was last read long ago"),
        Message { severity: Severity::Info, key: "scheduled".into(), text: "run of a schedule".into() },
        Message::error("report_invalid", "why"),
    ];
    let task = task(TaskState::Failed, None, &messages);
    let ended = EndedRun { task: Some(&task), before: None, scheduled: None };
    let mut asked = wish(&[Occasion::Failure]);
    asked.notify.query_details = true;
    let notification = sent(&ended, &asked).unwrap();
    let expected = json!({
        "type": "report.failed",
        "timestamp": "2026-03-01T01:00:00Z",
        "data": {
            "name": "Search Export",
            "reportId": "SEARCH_EXPORT",
            "taskResultId": "t",
            "reason": "why",
            "messages": [
                {"severity": "WARN", "key": "source_stale", "text": "source \"HR\" was last read long ago"},
                {"severity": "ERROR", "key": "report_invalid", "text": "why"},
            ],
            "arguments": {"query": "name:x"},
        },
    });
    assert_eq!(serde_json::to_value(&notification.notice).unwrap(), expected);
    let task = task_with_file();
    let ended = EndedRun { task: Some(&task), before: None, scheduled: None };
    let text = serde_json::to_string(&sent(&ended, &wish(&[Occasion::Success])).unwrap().notice).unwrap();
    assert!(text.contains("\"sha256\":\"a\"") && !text.contains("stored"), "{text}");
}

fn task_with_file() -> Task {
    task(TaskState::Succeeded, Some(result(2, &[(FileFormat::Csv, "a")])), &[])
}

#[test]
fn a_run_and_a_recipient_have_one_notification() {
    let task = task_with_file();
    let ended = EndedRun { task: Some(&task), before: None, scheduled: None };
    let first = wish(&[Occasion::Success]);
    let second = Wish { client: ClientId::new("other"), ..first.clone() };
    let at = time("2026-03-01T01:00:00Z");
    let all = notifications(&ended, &[first.clone(), second], at);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].client, first.client);
    let later = notifications(&ended, std::slice::from_ref(&first), time("2026-03-02T01:00:00Z"));
    assert_eq!(all[0].id, later[0].id, "the id does not depend on the time");
    let mut third = first;
    third.notify.to = Recipient::webhook("https://example.com").unwrap();
    assert_ne!(notifications(&ended, &[third], at)[0].id, all[0].id);
}

#[test]
fn a_scheduled_run_is_told_of_by_its_own_state() {
    let entry = ScheduledEntry {
        id: ScheduleId::new("s"),
        name: "Every morning".into(),
        owner: caller(),
        work: ScheduledWork::Refresh,
        form: serde_json::from_str(r#"{"cron":"0 6 * * *"}"#).unwrap(),
        notify: Vec::new(),
        paused: false,
        created: time("2026-03-01T00:00:00Z"),
        due: None,
    };
    let fallen = FallenDue { due: time("2026-03-02T05:00:00Z"), missed_since: None };
    let skipped = ScheduledRun::skipped(&entry.id, fallen, fallen.due);
    let ended = EndedRun { task: None, before: None, scheduled: Some((&entry, &skipped)) };
    let notification = sent(&ended, &wish(&[Occasion::Failure])).unwrap();
    assert_eq!(notification.notice.kind, "refresh.skipped");
    assert_eq!(notification.notice.data.name, "Every morning");
    assert_eq!(notification.notice.data.reason.as_deref(), Some("the run before it had not ended"));
    // A failed task whose run is tried again is announced by nobody.
    let failed = task(TaskState::Failed, None, &[]);
    let waiting = ScheduledRun::waiting(&entry.id, fallen);
    let ended = EndedRun { task: Some(&failed), before: None, scheduled: Some((&entry, &waiting)) };
    assert_eq!(sent(&ended, &wish(&[Occasion::Failure])), None);
}

#[test]
fn attempts_end_and_their_pauses_grow_to_the_longest() {
    let attempts =
        DeliveryAttempts { most: 5, pause: TimeDelta::seconds(10), pause_most: TimeDelta::seconds(35) };
    let now = time("2026-03-02T05:00:00Z");
    let pauses: Vec<_> = (1..=5)
        .map(|attempt| match attempts.after_failure(attempt, "why".into(), now) {
            DeliveryStep::Retry { not_before, .. } => Some((not_before - now).num_seconds()),
            DeliveryStep::Failed { .. } | DeliveryStep::Sent => None,
        })
        .collect();
    assert_eq!(pauses, [Some(10), Some(20), Some(35), Some(35), None]);
}
