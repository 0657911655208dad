//! Histories made by hand: one that is in order, and for each rule ones that are not.

use super::*;
use crate::faults::history::StoredFile;

fn call(begun: u64, ended: u64, ask: Ask, reply: Reply) -> Call {
    Call { tenant: "t".into(), begun, ended, ask, reply }
}

fn start(begun: u64, ended: u64, task: &str) -> Call {
    call(begun, ended, Ask::Start("k".into()), Reply::Accepted(task.into()))
}

fn download(begun: u64, task: &str, audited: bool, reply: Reply) -> Call {
    call(begun, begun + 1, Ask::Download { task: task.into(), audited }, reply)
}

fn looked(begun: u64, task: &str, reply: Reply) -> Call {
    call(begun, begun + 1, Ask::Look(task.into()), reply)
}

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// Times in seconds.
fn row_of(task: &str, state: &str, epoch: u64, created: i64, completed: Option<i64>) -> Row {
    let file = StoredFile {
        name: format!("{task}.{epoch}.report.csv"),
        sha256: "aa".into(),
        found: Some("aa".into()),
    };
    Row {
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

fn look(begun: u64, when: When, rows: Vec<Row>) -> Look {
    Look { begun, ended: begun + 1, when, rows, downloads: vec![("a".into(), 1)] }
}

/// Two tasks of one key after each other: the first is interrupted once and succeeds, the second is cancelled.
fn in_order() -> Kept {
    let first = row_of("a", "succeeded", 2, 10, Some(20));
    Kept {
        calls: vec![
            start(1, 4, "a"),
            start(2, 3, "a"),
            looked(5, "a", Reply::Live),
            call(7, 8, Ask::Look("a".into()), Reply::Lost),
            looked(20, "a", Reply::Ended("SUCCESS".into())),
            download(22, "a", true, Reply::File("aa".into())),
            download(24, "a", true, Reply::Failed(500)),
            start(26, 29, "b"),
            call(30, 31, Ask::Cancel("b".into()), Reply::Cancelled),
            looked(32, "b", Reply::Ended("TERMINATED".into())),
            download(34, "b", false, Reply::NoFile),
            Call { tenant: "other".into(), ..looked(36, "a", Reply::Unknown) },
            Call { tenant: "other".into(), ..download(38, "a", true, Reply::NoFile) },
        ],
        looks: vec![
            look(10, When::Dead, vec![row_of("a", "running", 1, 10, None)]),
            look(50, When::Settled, vec![first, row_of("b", "terminated", 0, 30, Some(40))]),
        ],
    }
}

/// The numbers of the rules that are broken after this change of the history in order.
fn after(change: impl FnOnce(&mut Kept)) -> BTreeSet<String> {
    let mut kept = in_order();
    change(&mut kept);
    let number = |fault: String| fault.split(':').next().unwrap_or_default().to_owned();
    broken(&kept).into_iter().map(number).collect()
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
    assert_eq!(after(|kept| kept.calls.push(looked(40, "a", Reply::Wrong("500 oops".into())))), only(&[0]));
}

#[test]
fn a_lost_task_breaks_rule_1() {
    assert_eq!(after(|kept| kept.calls.push(looked(40, "a", Reply::Unknown))), only(&[1]));
    assert_eq!(after(|kept| drop(kept.looks[0].rows.pop())), only(&[1]));
    // Sent before the start was answered: it may not have been there yet.
    assert_eq!(after(|kept| kept.calls.push(looked(0, "a", Reply::Unknown))), only(&[]));
}

#[test]
fn a_second_live_task_breaks_rule_2() {
    let second = row_of("c", "pending", 0, 12, None);
    assert!(after(|kept| kept.looks[0].rows.push(second)).contains("rule 2"));
    // Over time, although no look saw both: b is created at 15, a ended at 20.
    assert_eq!(after(|kept| kept.looks[1].rows[1].created = 15 * SECOND), only(&[2]));
    assert_eq!(after(|kept| kept.looks[1].rows[1].created = 20 * SECOND - 1), only(&[2]));
    assert_eq!(after(|kept| kept.looks[1].rows[1].created = 20 * SECOND), only(&[]));
    // Another tenant's key is another key.
    let foreign = Row { tenant: "other".into(), ..row_of("c", "pending", 0, 12, None) };
    assert_eq!(after(|kept| kept.looks[0].rows.push(foreign)), only(&[]));
}

#[test]
fn two_ids_for_concurrent_starts_break_rule_3() {
    // At the same time as the start of b, which was created when a had ended: in order.
    assert_eq!(after(|kept| kept.calls.push(start(25, 28, "a"))), only(&[4]));
    let both = |kept: &mut Kept| {
        kept.calls.push(start(2, 3, "b"));
        kept.looks[0].rows.push(row_of("b", "running", 0, 30, None));
        kept.looks[1].rows[1].created = 10 * SECOND;
    };
    assert!(after(both).contains("rule 3"));
}

#[test]
fn a_changed_end_breaks_rule_4() {
    assert_eq!(after(|kept| kept.calls.push(looked(40, "a", Reply::Live))), only(&[4]));
    assert_eq!(after(|kept| kept.calls.push(looked(40, "a", Reply::Ended("FAILURE".into())))), only(&[4]));
    // At the same time as the answer that told of the end: either may be the first.
    assert_eq!(after(|kept| kept.calls.push(looked(20, "a", Reply::Live))), only(&[]));
}

#[test]
fn a_fallen_epoch_breaks_rule_5() {
    assert_eq!(after(|kept| kept.looks[0].rows[0].epoch = 3), only(&[5, 10]));
    assert_eq!(after(|kept| kept.looks[1].rows[0].files[0].name = "a.1.report.csv".into()), only(&[5]));
}

#[test]
fn success_without_its_file_breaks_rule_6() {
    assert_eq!(after(|kept| kept.looks[1].rows[0].files[0].found = None), only(&[6]));
    assert_eq!(after(|kept| kept.looks[1].rows[0].files[0].found = Some("bb".into())), only(&[6]));
    assert_eq!(after(|kept| kept.looks[1].rows[0].files.clear()), only(&[6]));
    assert_eq!(after(|kept| kept.calls.push(download(40, "a", false, Reply::File("bb".into())))), only(&[6]));
    assert_eq!(after(|kept| kept.calls.push(download(40, "a", false, Reply::NoFile))), only(&[6]));
    assert_eq!(after(|kept| kept.calls.push(download(18, "a", false, Reply::NoFile))), only(&[]));
}

#[test]
fn a_cancelled_task_that_succeeds_breaks_rule_7() {
    let cancel = call(9, 10, Ask::Cancel("a".into()), Reply::Cancelled);
    assert!(after(|kept| kept.calls.push(cancel)).contains("rule 7"));
    assert_eq!(after(|kept| drop(kept.calls.remove(8))), only(&[7]));
}

#[test]
fn a_download_without_its_event_breaks_rule_8() {
    for (events, rules) in [(0, &[8][..]), (1, &[]), (2, &[]), (3, &[]), (4, &[8])] {
        // Three were asked for: one served, one failed, one of a stranger.
        assert_eq!(after(|kept| kept.looks[1].downloads[0].1 = events), only(rules), "{events} events");
    }
}

#[test]
fn another_tenants_success_breaks_rule_9() {
    let stranger = |call: Call| Call { tenant: "other".into(), ..call };
    let file = stranger(download(40, "a", false, Reply::File("aa".into())));
    let cancel = stranger(call(40, 41, Ask::Cancel("b".into()), Reply::Cancelled));
    for call in [file, cancel, stranger(looked(40, "a", Reply::Ended("SUCCESS".into())))] {
        assert_eq!(after(|kept| kept.calls.push(call)), only(&[9]));
    }
    assert!(after(|kept| kept.looks[1].rows[0].tenant = "other".into()).contains("rule 9"));
}

#[test]
fn what_a_dead_process_held_must_move_on() {
    assert_eq!(after(|kept| kept.looks[0].rows[0].epoch = 2), only(&[10]));
    let stuck = row_of("c", "running", 4, 50, None);
    assert_eq!(
        after(|kept| {
            kept.looks[1].rows[1].completed = Some(50 * SECOND);
            kept.looks[1].rows.push(stuck);
        }),
        only(&[10])
    );
}
