//! The audit events of a package: each has the hash of the one before it in the tenant's trail, so that none can be
//! changed or taken out unnoticed.
//!
//! The chain is the one that the service keeps ([`muster_reports::audit`]), and a line has all that a hash covers.
//! The events of one task are some of a longer trail, so a link is only compared where two events follow one another
//! in it; the hash of each event is computed again.

use chrono::{DateTime, SecondsFormat, Utc};
use muster_reports::audit::AuditRecord;
use serde_json::{Value, json};

use crate::cover::sorted;

/// Longest line that is read. Real lines, with a caller's name and the like, are far shorter.
const LINE_BYTES_MAX: usize = 4 << 20;

/// An event as a line of [`super::AUDIT_EVENTS`], with its end: a JSON object.
///
/// `caller` is a text, because the hash is over the text that was kept. `at` says `atMicros` for people.
#[must_use]
pub fn audit_line(record: &AuditRecord) -> String {
    let line = json!({
        "sequence": record.sequence,
        "previousHash": record.previous,
        "hash": record.hash,
        "id": record.id,
        "at": readable(record.at_micros),
        "atMicros": record.at_micros,
        "operation": record.operation,
        "tenant": record.tenant,
        "caller": record.caller,
        "task": record.task,
        "report": record.report,
        "details": record.details,
    });
    format!("{}\n", sorted(&line))
}

/// RFC 3339 in UTC with microseconds; nothing for a time that no calendar has.
fn readable(micros: i64) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Reads a line; what is missing otherwise.
fn record(line: &Value) -> Result<AuditRecord, String> {
    let text = |name: &str| {
        let text = line.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| format!("it has no text {name}"))
    };
    let record = AuditRecord {
        sequence: line.get("sequence").and_then(Value::as_u64).ok_or("it has no sequence")?,
        previous: text("previousHash")?,
        hash: text("hash")?,
        id: text("id")?,
        at_micros: line.get("atMicros").and_then(Value::as_i64).ok_or("it has no atMicros")?,
        operation: text("operation")?,
        tenant: text("tenant")?,
        caller: text("caller")?,
        task: text("task")?,
        report: text("report")?,
        details: text("details")?,
    };
    if line.get("at").and_then(Value::as_str) != readable(record.at_micros).as_deref() {
        return Err("at and atMicros are not the same time".to_owned());
    }
    Ok(record)
}

/// Checks the lines of a file of events, all of which must be about `task` where that is known. Returns how many there
/// are.
///
/// # Errors
/// The line, and what does not hold.
pub(super) fn check(text: &str, task: Option<&str>) -> Result<usize, String> {
    let (mut before, mut events) = (None::<AuditRecord>, 0);
    for (index, line) in text.lines().enumerate() {
        let broken = |what: &str| format!("line {}: {what}", index + 1);
        if line.len() > LINE_BYTES_MAX {
            return Err(broken("it is too long for an event"));
        }
        let line = serde_json::from_str::<Value>(line).map_err(|_| broken("it is not JSON"))?;
        let record = record(&line).map_err(|what| broken(&what))?;
        if record.hash != record.content_hash() {
            return Err(broken("the event is not the one that was hashed"));
        }
        if task.is_some_and(|task| task != record.task) {
            return Err(broken("it is about another task"));
        }
        if let Some(before) = &before {
            if record.sequence <= before.sequence {
                return Err(broken("its sequence does not grow"));
            }
            if record.tenant != before.tenant {
                return Err(broken("it is of another tenant"));
            }
            if record.sequence == before.sequence + 1 && record.previous != before.hash {
                return Err(broken("it does not follow the event before it"));
            }
        }
        before = Some(record);
        events += 1;
    }
    Ok(events)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use super::*;

    /// Its hash was computed with Python's hashlib, as `muster_reports` has it.
    const FIRST_HASH: &str = "8976656052a816feaac4604ad4c7e2496ded1cd6f3c59726e7a6cea936008553";

    fn first() -> AuditRecord {
        AuditRecord {
            sequence: 1,
            previous: "0".repeat(64),
            hash: FIRST_HASH.into(),
            id: "event-1".into(),
            at_micros: 1_772_442_000_000_000,
            operation: "download".into(),
            tenant: "acme".into(),
            caller: "{\"a\":1}".into(),
            task: "task-1".into(),
            report: "Account Report".into(),
            details: "naïve\n".into(),
        }
    }

    fn chain(sequences: &[u64]) -> Vec<AuditRecord> {
        let mut previous = "0".repeat(64);
        let mut events = Vec::new();
        for sequence in sequences {
            let mut event = AuditRecord { sequence: *sequence, previous, ..first() };
            event.hash = event.content_hash();
            previous = event.hash.clone();
            events.push(event);
        }
        events
    }

    fn lines(events: &[AuditRecord]) -> String {
        events.iter().map(audit_line).collect()
    }

    #[test]
    fn a_line_has_all_that_its_hash_covers() {
        let line = audit_line(&first());
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&read["at"], &read["caller"]),
            (&json!("2026-03-02T09:00:00.000000Z"), &json!("{\"a\":1}"))
        );
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert_eq!(record(&read), Ok(first()));
        assert_eq!(check(&line, Some("task-1")), Ok(1));
    }

    #[test]
    fn every_kind_of_break_is_found() {
        assert_eq!(check("", None), Ok(0));
        let whole = chain(&[1, 2, 5]);
        assert_eq!(check(&lines(&whole), Some("task-1")), Ok(3));
        // What is between two that do not follow one another is another task's.
        assert_eq!(check(&lines(&[whole[0].clone(), whole[2].clone()]), None), Ok(2));

        let broken = |events: &[AuditRecord], expected: &str| {
            assert_eq!(check(&lines(events), None), Err(expected.to_owned()));
        };
        let changes: [fn(&mut AuditRecord); 8] = [
            |event| event.operation = "cancel".into(),
            |event| event.at_micros += 1,
            |event| event.caller = "{\"a\":2}".into(),
            |event| event.task = "task-2".into(),
            |event| event.report.push('x'),
            |event| event.details.clear(),
            |event| event.id = "event-2".into(),
            |event| event.previous = "1".repeat(64),
        ];
        for change in changes {
            let mut changed = whole.clone();
            change(&mut changed[1]);
            broken(&changed, "line 2: the event is not the one that was hashed");
        }
        let mut changed = whole.clone();
        changed[1].previous = "1".repeat(64);
        changed[1].hash = changed[1].content_hash();
        broken(&changed, "line 2: it does not follow the event before it");
        broken(&[whole[1].clone(), whole[0].clone()], "line 2: its sequence does not grow");
        let mut changed = whole.clone();
        changed[2].tenant = "umbrella".into();
        changed[2].hash = changed[2].content_hash();
        broken(&changed, "line 3: it is of another tenant");
        assert_eq!(check(&lines(&whole), Some("task-2")), Err("line 1: it is about another task".to_owned()));
        let text = lines(&whole);
        assert_eq!(
            check(&text.replace("09:00:00.000000Z", "09:00:01.000000Z"), None),
            Err("line 1: at and atMicros are not the same time".to_owned())
        );
        assert_eq!(check("x", None), Err("line 1: it is not JSON".to_owned()));
        assert_eq!(check("{}", None), Err("line 1: it has no sequence".to_owned()));
        assert_eq!(
            check(&text.replace("\"hash\"", "\"ash\""), None),
            Err("line 1: it has no text hash".to_owned())
        );
    }
}
