//! The cover of a result: as JSON text that always has the same bytes, and its facts as names and values for the files that
//! people open.

use chrono::{DateTime, Utc};
use muster_reports::caller::CallerKind;
use muster_reports::cover::{Cover, Reconciliation};
use muster_reports::message::Severity;
use serde_json::Value;

/// The cover as indented JSON: members sorted by name at every level, two spaces a level, LF line ends, one at
/// the end.
#[must_use]
pub fn to_json(cover: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(&sorted(cover)).expect("a value is always JSON");
    text.push(b'\n');
    text
}

/// `serde_json` keeps members sorted only if no crate of the build enables insertion order.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The name of the digest of the definition.
pub(crate) const DEFINITION: &str = "Definition";

/// Who asked for what, and when, as names and values.
pub(crate) fn request(cover: &Cover) -> Vec<(String, String)> {
    let requester = &cover.requester;
    let credential = match requester.credential {
        CallerKind::User => "personal access token",
        CallerKind::Application => "application client",
    };
    let report = &cover.report;
    let origin = if report.built_in { "built in" } else { "custom" };
    let pairs = [
        ("Report", format!("{}, version {}, {origin}", report.id, report.version)),
        ("Requested by", requester.name.clone()),
        (DEFINITION, format!("SHA-256 {}", report.digest)),
        ("Identity", requester.identity_id.clone().unwrap_or_else(|| "none: an application".to_owned())),
        ("Tenant", cover.tenant.clone()),
        ("Credential", format!("{credential}, client {}", requester.client_id)),
        ("Task", cover.task_id.as_str().to_owned()),
        ("Data scope", requester.data_scope.clone()),
        ("Submitted", second(cover.submitted)),
        ("Started", second(cover.started)),
        ("Completed", second(cover.completed)),
        ("Program", format!("Muster {}", cover.product_version)),
    ];
    let mut pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
    if !report.norms.is_empty() {
        pairs.insert(1, ("Serves".to_owned(), report.norms.join(", ")));
    }
    pairs
}

/// The arguments, as names and values.
pub(crate) fn arguments(cover: &Cover) -> Vec<(String, String)> {
    // JSON, but a text without its quotes.
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match &cover.arguments {
        Value::Object(arguments) => {
            arguments.iter().map(|(name, value)| (format!("Argument {name}"), plain(value))).collect()
        }
        Value::Null => Vec::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            vec![("Arguments".to_owned(), plain(other))]
        }
    }
}

/// The snapshots with which the reported one was compared, as names and values; none for a report that reads one.
pub(crate) fn earlier(cover: &Cover) -> Vec<(String, String)> {
    let Some(first) = cover.earlier.first() else { return Vec::new() };
    let read = cover.earlier.iter().filter(|one| one.read).count();
    let mut pairs = vec![
        ("Compared with".to_owned(), first.id.clone()),
        ("Published".to_owned(), second(first.created)),
        ("Snapshots read".to_owned(), format!("{}, these two included", read + 1)),
    ];
    if read < cover.earlier.len() {
        pairs.push(("Not kept any more".to_owned(), (cover.earlier.len() - read).to_string()));
    }
    pairs
}

/// The steps from the population to the rows reported, with their numbers.
pub(crate) fn steps(reconciliation: &Reconciliation) -> Vec<(String, u64)> {
    let mut steps =
        vec![("Population, by a second, independent count".to_owned(), reconciliation.population)];
    steps.extend(reconciliation.excluded.iter().map(|count| (format!("less: {}", count.label), count.rows)));
    steps.extend(reconciliation.added.iter().map(|count| (format!("plus: {}", count.label), count.rows)));
    steps.push(("Expected".to_owned(), reconciliation.expected));
    steps.push(("Reported".to_owned(), reconciliation.reported));
    steps
}

/// The word before a message.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Note",
        Severity::Warn => "Warning",
        Severity::Error => "Error",
    }
}

/// A time to the second.
pub(crate) fn second(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time to the minute.
pub(crate) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// An age in its two largest units.
pub(crate) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_and_lines_indented() {
        let cover = json!({"rows": 2, "files": [{"name": "a.csv", "bytes": 10}], "exact": null});
        let expected = "{\n  \"exact\": null,\n  \"files\": [\n    {\n      \"bytes\": 10,\n      \"name\": \"a.csv\"\n    \
                        }\n  ],\n  \"rows\": 2\n}\n";
        assert_eq!(String::from_utf8_lossy(&to_json(&cover)), expected);
    }
}
