//! The chain of audit events: each may carry the hash of the one before it, so that none can be changed or taken
//! out unnoticed.
//!
//! A chained event is a JSON object with `previousHash` and `hash`, 64 hex digits each, and a whole number
//! `sequence`. The events of one task are some of a longer trail, so a link is only compared where two events
//! follow one another in it; the hash is computed anew for each.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cover::sorted;
use crate::file::hex;

/// The hash of an audit event: SHA-256 of its JSON without the member `hash`, members sorted by name at every level,
/// without white space. `previousHash` is among the members, which is what makes it a chain.
#[must_use]
pub fn audit_hash(event: &Value) -> String {
    let mut event = sorted(event);
    if let Value::Object(members) = &mut event {
        members.remove("hash");
    }
    // Taking a member out may reorder the others, depending on how the library was built.
    let text = serde_json::to_vec(&sorted(&event)).expect("a value is always JSON");
    hex(&Sha256::digest(text))
}

/// What the chain of some events is like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// Every hash and link holds; so many events.
    Holds(usize),
    /// No event is chained; so many events.
    Absent(usize),
    /// What does not hold.
    Broken(String),
}

/// Checks the lines of a file of events.
pub(super) fn check(text: &str) -> Chain {
    let (mut before, mut chained, mut events) = (None::<(u64, String)>, 0, 0);
    for (index, line) in text.lines().enumerate() {
        let broken = |what: &str| Chain::Broken(format!("line {}: {what}", index + 1));
        let Ok(event) = serde_json::from_str::<Value>(line) else { return broken("it is not JSON") };
        events += 1;
        let Some(hash) = event.get("hash").and_then(Value::as_str) else { continue };
        chained += 1;
        if hash != audit_hash(&event) {
            return broken("the event is not the one that was hashed");
        }
        let Some(sequence) = event.get("sequence").and_then(Value::as_u64) else {
            return broken("it has no sequence");
        };
        if let Some((last, hash)) = &before {
            if sequence <= *last {
                return broken("its sequence does not grow");
            }
            let previous = event.get("previousHash").and_then(Value::as_str);
            if sequence == last + 1 && previous != Some(hash) {
                return broken("it does not follow the event before it");
            }
        }
        before = Some((sequence, hash.to_owned()));
    }
    match chained {
        0 => Chain::Absent(events),
        _ if chained == events => Chain::Holds(events),
        _ => Chain::Broken(format!("only {chained} of {events} events are chained")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chain(sequences: &[u64]) -> Vec<Value> {
        let mut previous = "0".repeat(64);
        let mut events = Vec::new();
        for sequence in sequences {
            let mut event = json!({"sequence": sequence, "operation": "run", "previousHash": previous});
            previous = audit_hash(&event);
            event["hash"] = json!(previous);
            events.push(event);
        }
        events
    }

    fn lines(events: &[Value]) -> String {
        events.iter().map(|event| format!("{event}\n")).collect()
    }

    /// The expectation is what `sha256sum` prints for `{"a":1,"previousHash":"00"}`.
    #[test]
    fn the_hash_is_of_sorted_json_without_itself() {
        let event = json!({"previousHash": "00", "hash": "x", "a": 1});
        assert_eq!(audit_hash(&event), "ad49ab25a021965cb9dac292c07458b1219f87c554ef8859eb002d671deca755");
    }

    #[test]
    fn every_kind_of_break_is_found() {
        assert_eq!(check(""), Chain::Absent(0));
        assert_eq!(check("{}\n{}\n"), Chain::Absent(2));
        let whole = chain(&[1, 2, 5]);
        assert_eq!(check(&lines(&whole)), Chain::Holds(3));
        // What is between two that do not follow one another is another task's.
        assert_eq!(check(&lines(&[whole[0].clone(), whole[2].clone()])), Chain::Holds(2));

        let broken = |events: &[Value], expected: &str| {
            assert_eq!(check(&lines(events)), Chain::Broken(expected.to_owned()));
        };
        let mut changed = whole.clone();
        changed[1]["operation"] = json!("cancel");
        broken(&changed, "line 2: the event is not the one that was hashed");
        let mut changed = whole.clone();
        changed[1]["previousHash"] = json!("1".repeat(64));
        changed[1]["hash"] = json!(audit_hash(&changed[1]));
        broken(&changed, "line 2: it does not follow the event before it");
        broken(&[whole[1].clone(), whole[0].clone()], "line 2: its sequence does not grow");
        let mut mixed = whole.clone();
        mixed[2].as_object_mut().expect("an object").remove("hash");
        broken(&mixed, "only 2 of 3 events are chained");
        assert_eq!(check("x"), Chain::Broken("line 1: it is not JSON".to_owned()));
    }
}
