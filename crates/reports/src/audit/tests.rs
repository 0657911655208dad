//! The canonical form, and what walks find.

use super::*;

fn record(sequence: u64, previous: &str) -> AuditRecord {
    AuditRecord {
        sequence,
        previous: previous.into(),
        hash: String::new(),
        id: format!("event-{sequence}"),
        at_micros: 1_772_442_000_000_000,
        operation: "download".into(),
        tenant: "acme".into(),
        caller: "{\"a\":1}".into(),
        task: "task-1".into(),
        report: "Account Report".into(),
        details: "naïve\n".into(),
    }
}

/// Computed with Python's hashlib: each part behind its length in bytes, eight of them, big-endian.
#[test]
fn the_canonical_form_is_fixed() {
    let first = record(1, FIRST_PREVIOUS);
    assert_eq!(first.content_hash(), "8976656052a816feaac4604ad4c7e2496ded1cd6f3c59726e7a6cea936008553");
    let second = AuditRecord {
        at_micros: 1_772_442_000_000_001,
        operation: "start".into(),
        caller: "{}".into(),
        task: "task-2".into(),
        report: String::new(),
        details: String::new(),
        ..record(2, &first.content_hash())
    };
    assert_eq!(second.content_hash(), "f0aff3633f21cac9a72f698812473b252e9cc707579dc12b0ca0849ad8864d08");
}

#[test]
fn findings_are_told_in_words() {
    let gap = |after, before| Finding::Gap { after, before }.to_string();
    assert_eq!(gap(4, 6), "event 5 is missing");
    assert_eq!(gap(0, 4), "events 1 to 3 are missing");
}

/// Events 1 to 3, of which 2 was changed; a reseal, and one event more.
fn resealed() -> Vec<AuditRecord> {
    let mut records: Vec<AuditRecord> = Vec::new();
    for sequence in 1..=3 {
        let previous = records.last().map_or(FIRST_PREVIOUS.to_owned(), |last| last.hash.clone());
        let mut next = record(sequence, &previous);
        next.hash = next.content_hash();
        records.push(next);
    }
    records[1].details = "forged".into();
    let mut walk = Walk::new(Vec::new());
    (1..).zip(&records).for_each(|(place, record)| walk.see(place, record));
    // The head that is kept is that of an event which is gone.
    let gone = AuditHead { sequence: 5, hash: "5".repeat(64) };
    let end = walk.to_reseal(Some(&gone)).expect("it began at the first");
    assert_eq!(end.sequence, 5);
    let operation = AuditOperation::Resealed.name().to_owned();
    let mut reseal = AuditRecord { operation, ..record(6, &end.hash) };
    reseal.hash = reseal.content_hash();
    let mut last = record(7, &reseal.hash);
    last.hash = last.content_hash();
    records.extend([reseal, last]);
    records
}

fn walked(records: &[AuditRecord], noted: Vec<AuditHead>) -> Verification {
    let mut walk = Walk::new(noted);
    (1..).zip(records).for_each(|(place, record)| walk.see(place, record));
    let head = walk.head().clone();
    walk.finish(Some(head), Seal::Good, 0)
}

#[test]
fn what_lies_before_a_reseal_is_told_apart_from_what_follows() {
    let records = resealed();
    let noted = |sequence, hash: &str| AuditHead { sequence, hash: hash.to_owned() };
    let known = vec![noted(3, &records[2].hash), noted(6, &records[3].hash)];
    let seen = walked(&records, known);
    assert_eq!((seen.events, seen.findings.count()), (5, 0));
    let reseal = seen.resealed.expect("there is one");
    assert_eq!((reseal.record.sequence, reseal.place, reseal.events), (6, 4, 2));
    let changed = Finding::Changed { sequence: 2 };
    assert_eq!(reseal.before.told, [changed.clone(), Finding::Gap { after: 3, before: 6 }]);
    // A noted head that is not there any more is a fault of the part that it was in.
    let seen = walked(&records, vec![noted(5, "x"), noted(7, "y")]);
    assert_eq!(seen.findings.told, [Finding::NotedHeadMissing { sequence: 7 }]);
    let before = seen.resealed.expect("there is one").before.told;
    assert_eq!(before[2..], [Finding::NotedHeadMissing { sequence: 5 }]);
    // Behind it the chain is as any other.
    let mut later = resealed();
    later[4].details = "forged".into();
    assert_eq!(walked(&later, Vec::new()).findings.told, [Finding::Changed { sequence: 7 }]);
}

/// Nobody can make good, or change further, what lies before a reseal; and nobody can say that there was one.
#[test]
fn what_lies_before_a_reseal_cannot_be_changed_again() {
    type Touch = fn(&mut Vec<AuditRecord>);
    let touched: [(&str, Touch); 4] = [
        ("put right", |records| records[1].details = "naïve\n".into()),
        ("changed again", |records| records[1].details = "forged again".into()),
        ("removed", |records| drop(records.remove(0))),
        ("hashed again", |records| {
            records[2].details = "forged".into();
            records[2].hash = records[2].content_hash();
        }),
    ];
    for (what, touch) in touched {
        let mut records = resealed();
        touch(&mut records);
        let seen = walked(&records, Vec::new());
        assert!(
            seen.findings.told.contains(&Finding::ChangedBeforeReseal { sequence: 6 }),
            "{what}: {seen:?}"
        );
        assert!(seen.resealed.is_none(), "{what}");
    }
    let mut made_up = resealed();
    made_up[3].details = "another reason".into();
    let seen = walked(&made_up, Vec::new());
    assert!(seen.findings.told.contains(&Finding::Changed { sequence: 6 }) && seen.resealed.is_none());
}

#[test]
fn a_walk_from_the_middle_stops_at_a_reseal() {
    let records = resealed();
    let from = |at: usize| {
        let before = AuditHead { sequence: records[at].sequence - 1, hash: records[at].previous.clone() };
        let mut walk = Walk::after(before);
        (1..).zip(&records[at..]).for_each(|(place, record)| walk.see(place, record));
        let head = walk.head().clone();
        walk.finish(Some(head), Seal::Good, 0).findings.told
    };
    assert_eq!(from(2), [Finding::Gap { after: 3, before: 6 }, Finding::Resealed { sequence: 6 }]);
    assert_eq!(from(4), []);
}
