//! What is observed, made by hand: in order, and for each rule broken.

use super::*;

fn run(due: i64, state: &str, task: Option<&str>, ended: i64) -> Run {
    Run {
        schedule: "daily".into(),
        due,
        state: state.into(),
        task: task.map(str::to_owned),
        ended: Some(ended),
    }
}

fn task(id: &str) -> Task {
    Task {
        id: id.into(),
        state: "succeeded".into(),
        definition: "accounts".into(),
        is_earlier: false,
        notifies: false,
        files: vec![File {
            name: format!("{id}.1.csv"),
            sha256: format!("5a{id}"),
            found: Some(format!("5a{id}")),
        }],
        is_held: false,
        expired: None,
        is_removed: false,
    }
}

fn gone(id: &str, expired: i64) -> Task {
    let mut task = Task { expired: Some(expired), is_removed: true, ..task(id) };
    task.files[0].found = None;
    task
}

fn notice(id: &str, due: Option<&str>, task: Option<&str>) -> Notice {
    Notice {
        id: id.into(),
        state: "sent".into(),
        attempts: 1,
        run: due.map(|due| ("daily".to_owned(), due.to_owned())),
        task: task.map(str::to_owned),
    }
}

fn delivery(id: &str, kills: u64, accepted: bool) -> Delivery {
    Delivery { id: id.into(), body: format!("about {id}"), kills, accepted, ..Delivery::default() }
}

/// A schedule that was due three times, one of them while a run went on; a start by a client; one result of each life.
fn in_order() -> Observed {
    Observed {
        due: vec![("daily".into(), 10), ("daily".into(), 20), ("daily".into(), 30)],
        started: BTreeSet::from(["c".to_owned()]),
        lost_starts: 0,
        holds: vec![
            Hold { task: "b".into(), from: 45, until: None },
            Hold { task: "a".into(), from: 20, until: Some(30) },
        ],
        newest_kept: 1,
        deliveries: vec![
            delivery("n10", 0, false),
            delivery("n10", 0, true),
            delivery("n20", 1, true),
            delivery("n10", 1, true),
            delivery("n30", 1, true),
            delivery("nc", 1, true),
        ],
        forged: Vec::new(),
        runs: vec![
            run(10, "succeeded", Some("a"), 25),
            run(20, "skipped", None, 20),
            run(30, "warned", Some("b"), 40),
        ],
        refreshing: BTreeSet::from(["daily".to_owned()]),
        snapshots: 2,
        notices: vec![
            Notice { attempts: 4, ..notice("n10", Some("10"), Some("a")) },
            notice("n20", Some("20"), None),
            notice("n30", Some("30"), Some("b")),
            notice("nc", None, Some("c")),
        ],
        tasks: vec![
            Task { is_earlier: true, definition: "demo".into(), ..task("0") },
            gone("a", 50),
            Task { is_held: true, ..task("b") },
            Task { notifies: true, ..task("c") },
        ],
        events: vec![("a".into(), "removed; CSV sha-256 5aa".into())],
        names: vec!["0.1.csv".into(), "b.1.csv".into(), "c.1.csv".into()],
    }
}

/// The numbers of the rules that are broken after this change.
fn after(change: impl FnOnce(&mut Observed)) -> BTreeSet<String> {
    let mut observed = in_order();
    change(&mut observed);
    let number = |fault: String| fault.split(':').next().unwrap_or_default().to_owned();
    broken(&observed).into_iter().map(number).collect()
}

fn only(rule: u64) -> BTreeSet<String> {
    BTreeSet::from([format!("rule {rule}")])
}

#[test]
fn what_is_in_order_breaks_nothing() {
    assert_eq!(broken(&in_order()), Vec::<String>::new());
}

#[test]
fn rule_11_each_due_time_has_one_run() {
    let lost = after(|observed| observed.due.push(("daily".into(), 40)));
    assert_eq!(lost, only(11));
    let invented = after(|observed| drop(observed.due.pop()));
    assert_eq!(invented, only(11));
    let live = after(|observed| {
        observed.runs[1] = Run { ended: None, ..run(20, "waiting", None, 0) };
        observed.notices.remove(1);
        observed.deliveries.remove(2);
    });
    assert_eq!(live, only(11));
    let never_ended = {
        let mut observed = in_order();
        observed.runs[0] = Run { ended: None, ..run(10, "waiting", Some("a"), 0) };
        observed.notices.remove(0);
        observed.deliveries.retain(|delivery| delivery.id != "n10");
        broken(&observed)
    };
    let told: Vec<&str> = never_ended.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "rule 11: the run of \"daily\" due at 10 is waiting",
            "rule 11: 1 runs with a refresh made 2 snapshots",
        ],
        "the skipped run is in order"
    );
    let skipped_for_nothing = after(|observed| observed.runs[0].ended = Some(19));
    assert_eq!(skipped_for_nothing, only(11));
    assert_eq!(after(|observed| observed.snapshots = 3), only(11), "a refresh was made twice");
    assert_eq!(after(|observed| observed.snapshots = 1), only(11), "a refresh was lost");
}

#[test]
fn rule_11_each_run_has_one_task() {
    let twice = after(|observed| {
        observed.tasks.insert(1, gone("z", 50));
        observed.events.push(("z".into(), "5az".into()));
    });
    assert_eq!(twice, only(11), "a task that nobody asked for");
    let lost_start = after(|observed| {
        observed.lost_starts = 1;
        observed.tasks.insert(1, gone("z", 50));
        observed.events.push(("z".into(), "5az".into()));
    });
    assert_eq!(lost_start, BTreeSet::new(), "its start was not answered");
    let shared = after(|observed| {
        observed.runs[2].task = Some("a".into());
        observed.notices[2].task = Some("a".into());
        observed.started.insert("b".into());
        observed.tasks[2].notifies = true;
        observed.notices.push(notice("nb", None, Some("b")));
        observed.deliveries.push(delivery("nb", 1, true));
    });
    assert_eq!(shared, only(11));
    assert_eq!(
        after(|observed| observed.tasks[1].state = "failed".into()),
        only(11).union(&only(15)).cloned().collect()
    );
    assert!(after(|observed| drop(observed.tasks.remove(1))).contains("rule 11"));
}

#[test]
fn rule_12_each_end_is_told_once() {
    let lost = after(|observed| {
        observed.notices.remove(1);
        observed.deliveries.remove(2);
    });
    assert_eq!(lost, only(12));
    let of_a_start = after(|observed| {
        observed.notices.remove(3);
        observed.deliveries.remove(5);
    });
    assert_eq!(of_a_start, only(12));
    let doubled = after(|observed| {
        observed.notices.push(notice("other", Some("20"), None));
        observed.deliveries.push(delivery("other", 1, true));
    });
    assert_eq!(doubled, only(12), "two ids for one end");
    assert_eq!(after(|observed| observed.notices[2].state = "failed".into()), only(12));
    assert_eq!(after(|observed| observed.deliveries[4].accepted = false), only(12));
    assert_eq!(after(|observed| observed.deliveries.push(delivery("strange", 1, true))), only(12));
    assert_eq!(after(|observed| observed.tasks[3].notifies = false), only(12));
}

#[test]
fn rule_13_what_comes_again_is_the_same_and_after_a_kill() {
    let without_a_kill = after(|observed| observed.deliveries[3].kills = 0);
    assert_eq!(without_a_kill, only(13));
    assert_eq!(after(|observed| observed.deliveries[3].body.push('!')), only(13));
    assert_eq!(after(|observed| observed.notices[0].attempts = 2), only(13));
    assert_eq!(after(|observed| observed.forged.push("n10".into())), only(13));
}

#[test]
fn rule_14_what_is_kept_is_not_removed() {
    let held = after(|observed| observed.holds[1].until = Some(51));
    assert_eq!(held, only(14), "it expired before its release was asked for");
    let forgotten = after(|observed| observed.holds[1].until = None);
    assert_eq!(forgotten, only(14));
    let held_and_gone = after(|observed| {
        observed.tasks[2] = Task { is_held: true, ..gone("b", 60) };
        observed.events.push(("b".into(), "5ab".into()));
        observed.names.remove(1);
    });
    assert_eq!(held_and_gone, only(14));
    let newest = after(|observed| {
        observed.tasks[3] = Task { notifies: true, ..gone("c", 60) };
        observed.events.push(("c".into(), "5ac".into()));
        observed.names.remove(2);
    });
    assert_eq!(newest, only(14));
    for (found, what) in [(None, "gone"), (Some("cut".to_owned()), "damaged")] {
        assert_eq!(after(|observed| observed.tasks[2].files[0].found = found), only(14), "{what}");
    }
}

#[test]
fn rule_15_what_expired_is_gone_and_recorded() {
    assert_eq!(after(|observed| drop(observed.events.pop())), only(15));
    assert_eq!(after(|observed| observed.events.push(("a".into(), "5aa".into()))), only(15), "two events");
    assert_eq!(after(|observed| observed.events[0].1 = "removed".into()), only(15), "without the digest");
    assert_eq!(after(|observed| observed.tasks[1].is_removed = false), only(15));
    assert_eq!(after(|observed| observed.tasks[1].files[0].found = Some("5aa".into())), only(15));
    assert_eq!(after(|observed| observed.tasks[1].files.clear()), only(15), "a record without digests");
    assert_eq!(after(|observed| observed.names.push("a.1.csv".into())), only(15), "a file is left");
    assert_eq!(after(|observed| observed.events.push(("?".into(), String::new()))), only(15));
    let due = after(|observed| {
        observed.tasks[1] = task("a");
        observed.events.clear();
        observed.names.push("a.1.csv".into());
    });
    assert_eq!(due, only(15), "nothing keeps it");
}
