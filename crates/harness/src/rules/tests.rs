//! Histories made by hand: one that is in order, and for each rule ones that are not.

use super::*;
use crate::history::StoredFile;

fn call(begun: u64, ended: u64, request: Request, reply: Reply) -> Call {
    Call { tenant: "t".into(), begun, ended, request, reply }
}

fn start(begun: u64, ended: u64, task: &str) -> Call {
    call(begun, ended, Request::Start("k".into()), Reply::Accepted(task.into()))
}

fn download(begun: u64, task: &str, audited: bool, reply: Reply) -> Call {
    call(begun, begun + 1, Request::Download { task: task.into(), audited }, reply)
}

fn polled(begun: u64, task: &str, reply: Reply) -> Call {
    call(begun, begun + 1, Request::Poll(task.into()), reply)
}

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// Times in seconds.
fn row_of(task: &str, state: &str, epoch: u64, created: i64, completed: Option<i64>) -> TaskRow {
    let file = StoredFile {
        name: format!("{task}.{epoch}.report.csv"),
        sha256: "aa".into(),
        found: Some("aa".into()),
    };
    TaskRow {
        task: task.into(),
        tenant: "t".into(),
        key: "key".into(),
        state: state.into(),
        epoch,
        created: created * SECOND,
        completed: completed.map(|completed| completed * SECOND),
        files: if has_files(state) { vec![file] } else { Vec::new() },
    }
}

fn inspection(begun: u64, phase: Phase, rows: Vec<TaskRow>) -> Inspection {
    Inspection { begun, ended: begun + 1, phase, rows, downloads: vec![("a".into(), 1)] }
}

/// Two tasks of one key after each other: the first is interrupted once and succeeds, the second is cancelled.
fn in_order() -> Recorded {
    let first = row_of("a", "succeeded", 2, 10, Some(20));
    Recorded {
        calls: vec![
            start(1, 4, "a"),
            start(2, 3, "a"),
            polled(5, "a", Reply::Live),
            call(7, 8, Request::Poll("a".into()), Reply::Lost),
            polled(20, "a", Reply::Ended("SUCCESS".into())),
            download(22, "a", true, Reply::File("aa".into())),
            download(24, "a", true, Reply::Failed(500)),
            start(26, 29, "b"),
            call(30, 31, Request::Cancel("b".into()), Reply::Cancelled),
            polled(32, "b", Reply::Ended("TERMINATED".into())),
            download(34, "b", false, Reply::NoFile),
            Call { tenant: "other".into(), ..polled(36, "a", Reply::Unknown) },
            Call { tenant: "other".into(), ..download(38, "a", true, Reply::NoFile) },
        ],
        inspections: vec![
            inspection(10, Phase::Dead, vec![row_of("a", "running", 1, 10, None)]),
            inspection(50, Phase::Settled, vec![first, row_of("b", "terminated", 0, 30, Some(40))]),
        ],
    }
}

/// The numbers of the rules that are broken after this change of the history in order.
fn after(change: impl FnOnce(&mut Recorded)) -> BTreeSet<String> {
    let mut recorded = in_order();
    change(&mut recorded);
    let number = |fault: String| fault.split(':').next().unwrap_or_default().to_owned();
    broken(&recorded).into_iter().map(number).collect()
}

fn only(rules: &[u64]) -> BTreeSet<String> {
    rules.iter().map(|number| format!("rule {number}")).collect()
}

#[test]
fn a_history_in_order_breaks_nothing() {
    assert_eq!(broken(&in_order()), Vec::<String>::new());
}

#[test]
fn unknown_answers_are_noted() {
    assert_eq!(
        after(|recorded| recorded.calls.push(polled(40, "a", Reply::Wrong("500 oops".into())))),
        only(&[0])
    );
}

#[test]
fn a_lost_task_breaks_rule_1() {
    assert_eq!(after(|recorded| recorded.calls.push(polled(40, "a", Reply::Unknown))), only(&[1]));
    assert_eq!(after(|recorded| drop(recorded.inspections[0].rows.pop())), only(&[1]));
    // Sent before the start was answered: it may not have been there yet.
    assert_eq!(after(|recorded| recorded.calls.push(polled(0, "a", Reply::Unknown))), only(&[]));
}

#[test]
fn a_second_live_task_breaks_rule_2() {
    let second = row_of("c", "pending", 0, 12, None);
    assert!(after(|recorded| recorded.inspections[0].rows.push(second)).contains("rule 2"));
    // Over time, although no look saw both: b is created at 15, a ended at 20.
    assert_eq!(after(|recorded| recorded.inspections[1].rows[1].created = 15 * SECOND), only(&[2]));
    assert_eq!(after(|recorded| recorded.inspections[1].rows[1].created = 20 * SECOND - 1), only(&[2]));
    assert_eq!(after(|recorded| recorded.inspections[1].rows[1].created = 20 * SECOND), only(&[]));
    // Another tenant's key is another key.
    let foreign = TaskRow { tenant: "other".into(), ..row_of("c", "pending", 0, 12, None) };
    assert_eq!(after(|recorded| recorded.inspections[0].rows.push(foreign)), only(&[]));
}

#[test]
fn two_ids_for_concurrent_starts_break_rule_3() {
    // At the same time as the start of b, which was created when a had ended: in order.
    assert_eq!(after(|recorded| recorded.calls.push(start(25, 28, "a"))), only(&[4]));
    let both = |recorded: &mut Recorded| {
        recorded.calls.push(start(2, 3, "b"));
        recorded.inspections[0].rows.push(row_of("b", "running", 0, 30, None));
        recorded.inspections[1].rows[1].created = 10 * SECOND;
    };
    assert!(after(both).contains("rule 3"));
}

#[test]
fn a_changed_end_breaks_rule_4() {
    assert_eq!(after(|recorded| recorded.calls.push(polled(40, "a", Reply::Live))), only(&[4]));
    assert_eq!(
        after(|recorded| recorded.calls.push(polled(40, "a", Reply::Ended("FAILURE".into())))),
        only(&[4])
    );
    // At the same time as the answer that told of the end: either may be the first.
    assert_eq!(after(|recorded| recorded.calls.push(polled(20, "a", Reply::Live))), only(&[]));
}

#[test]
fn a_fallen_epoch_breaks_rule_5() {
    assert_eq!(after(|recorded| recorded.inspections[0].rows[0].epoch = 3), only(&[5, 10]));
    assert_eq!(
        after(|recorded| recorded.inspections[1].rows[0].files[0].name = "a.1.report.csv".into()),
        only(&[5])
    );
}

#[test]
fn success_without_its_file_breaks_rule_6() {
    assert_eq!(after(|recorded| recorded.inspections[1].rows[0].files[0].found = None), only(&[6]));
    assert_eq!(
        after(|recorded| recorded.inspections[1].rows[0].files[0].found = Some("bb".into())),
        only(&[6])
    );
    assert_eq!(after(|recorded| recorded.inspections[1].rows[0].files.clear()), only(&[6]));
    assert_eq!(
        after(|recorded| recorded.calls.push(download(40, "a", false, Reply::File("bb".into())))),
        only(&[6])
    );
    assert_eq!(after(|recorded| recorded.calls.push(download(40, "a", false, Reply::NoFile))), only(&[6]));
    assert_eq!(after(|recorded| recorded.calls.push(download(18, "a", false, Reply::NoFile))), only(&[]));
}

#[test]
fn a_cancelled_task_that_succeeds_breaks_rule_7() {
    let cancel = call(9, 10, Request::Cancel("a".into()), Reply::Cancelled);
    assert!(after(|recorded| recorded.calls.push(cancel)).contains("rule 7"));
    assert_eq!(after(|recorded| drop(recorded.calls.remove(8))), only(&[7]));
}

#[test]
fn a_download_without_its_event_breaks_rule_8() {
    for (events, rules) in [(0, &[8][..]), (1, &[]), (2, &[]), (3, &[]), (4, &[8])] {
        // Three were asked for: one served, one failed, one of a stranger.
        assert_eq!(
            after(|recorded| recorded.inspections[1].downloads[0].1 = events),
            only(rules),
            "{events} events"
        );
    }
}

#[test]
fn another_tenants_success_breaks_rule_9() {
    let stranger = |call: Call| Call { tenant: "other".into(), ..call };
    let file = stranger(download(40, "a", false, Reply::File("aa".into())));
    let cancel = stranger(call(40, 41, Request::Cancel("b".into()), Reply::Cancelled));
    for call in [file, cancel, stranger(polled(40, "a", Reply::Ended("SUCCESS".into())))] {
        assert_eq!(after(|recorded| recorded.calls.push(call)), only(&[9]));
    }
    assert!(after(|recorded| recorded.inspections[1].rows[0].tenant = "other".into()).contains("rule 9"));
}

#[test]
fn what_a_dead_process_held_must_move_on() {
    assert_eq!(after(|recorded| recorded.inspections[0].rows[0].epoch = 2), only(&[10]));
    let stuck = row_of("c", "running", 4, 50, None);
    assert_eq!(
        after(|recorded| {
            recorded.inspections[1].rows[1].completed = Some(50 * SECOND);
            recorded.inspections[1].rows.push(stuck);
        }),
        only(&[10])
    );
}
