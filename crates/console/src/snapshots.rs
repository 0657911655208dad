//! Sources as their last reads left them, and the snapshots.

use crate::look::{Moment, NOTHING, bytes, count, duration, text};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::state::Console;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::Value;

struct SourceRow {
    id: String,
    name: String,
    kind: String,
    authoritative: bool,
    read_at: Moment,
    age: String,
    as_of: Moment,
    complete: bool,
    remark: String,
    warnings: Vec<String>,
    /// Read, loaded, refused, new, changed, missing.
    numbers: [String; 6],
    /// What the source reported, where that differs from what was read.
    differs: String,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    layout: Layout,
    rows: Vec<SourceRow>,
}

fn number(given: &Value) -> String {
    given.as_u64().map_or_else(|| NOTHING.to_owned(), count)
}

/// Time since, roughly.
fn age(at: Moment, now: DateTime<Utc>) -> String {
    match at.0 {
        None => String::new(),
        Some(at) => match (now - at).num_days() {
            0 => format!("{} ago", duration(now - at)),
            1 => "1 day ago".to_owned(),
            days => format!("{days} days ago"),
        },
    }
}

fn source(source: &Value, now: DateTime<Utc>) -> SourceRow {
    let read_at = Moment::of_value(&source["ended"]);
    let warnings = source["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let differs = match (source["reportedTotal"].as_u64(), source["read"].as_u64()) {
        (Some(reported), Some(read)) if reported != read => {
            format!("The source reported {} records, {} were read.", count(reported), count(read))
        }
        _ => String::new(),
    };
    let numbers = ["read", "loaded", "rejected", "created", "updated", "missing"];
    SourceRow {
        id: text(source, "id"),
        name: text(source, "name"),
        kind: text(source, "kind"),
        authoritative: source["authoritative"].as_bool().unwrap_or(false),
        age: age(read_at, now),
        read_at,
        as_of: Moment::of_value(&source["asOf"]),
        complete: source["complete"].as_bool().unwrap_or(false),
        remark: source["remark"].as_str().unwrap_or_default().to_owned(),
        warnings: warnings.map(str::to_owned).collect(),
        numbers: numbers.map(|member| number(&source[member])),
        differs,
    }
}

/// The sources.
pub(crate) async fn sources(State(console): State<Console>, visitor: Visitor) -> Result<Response, Problem> {
    let listed: Vec<Value> = visitor.api.get("/muster/v1/sources").await?;
    let now = console.now();
    shown(&SourcesPage {
        layout: Layout::new("Sources", Section::Sources, Some(&visitor.session)),
        rows: listed.iter().map(|listed| source(listed, now)).collect(),
    })
}

struct SnapshotRow {
    id: String,
    created: Moment,
    identities: String,
    accounts: String,
    /// How many accounts more or fewer than in the snapshot before.
    difference: String,
    bytes: String,
    state: &'static str,
    pin: String,
}

#[derive(Template)]
#[template(path = "snapshots.html")]
struct SnapshotsPage {
    layout: Layout,
    rows: Vec<SnapshotRow>,
}

/// `+12`, `−3` or `0`.
fn difference(now: &Value, before: Option<&Value>) -> String {
    match (now.as_i64(), before.and_then(Value::as_i64)) {
        (Some(now), Some(before)) if now > before => format!("+{}", count(now.abs_diff(before))),
        (Some(now), Some(before)) if now < before => format!("−{}", count(now.abs_diff(before))),
        (Some(_), Some(_)) => "0".to_owned(),
        _ => NOTHING.to_owned(),
    }
}

/// The snapshots, the newest first.
pub(crate) async fn list(visitor: Visitor) -> Result<Response, Problem> {
    let listed: Vec<Value> = visitor.api.get("/muster/v1/snapshots").await?;
    let before = listed.iter().skip(1).map(Some).chain([None]);
    let row = |(snapshot, before): (&Value, Option<&Value>)| {
        let (rows, pin) = (&snapshot["rows"], &snapshot["pin"]);
        SnapshotRow {
            id: text(snapshot, "id"),
            created: Moment::of_value(&snapshot["created"]),
            identities: number(&rows["identities"]),
            accounts: number(&rows["accounts"]),
            difference: difference(&rows["accounts"], before.map(|before| &before["rows"]["accounts"])),
            bytes: snapshot["bytes"].as_u64().map_or_else(|| NOTHING.to_owned(), bytes),
            state: match (snapshot["expired"].is_null(), pin.is_null()) {
                (false, _) => "Expired",
                (true, false) => "Pinned",
                (true, true) => "Kept",
            },
            pin: if pin.is_null() {
                String::new()
            } else {
                format!("{}: {}", text(pin, "by"), text(pin, "reason"))
            },
        }
    };
    let rows = listed.iter().zip(before).map(row).collect();
    shown(&SnapshotsPage {
        layout: Layout::new("Snapshots", Section::Snapshots, Some(&visitor.session)),
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn trends_have_a_sign() {
        assert_eq!(difference(&json!(1200), Some(&json!(100))), "+1,100");
        assert_eq!(difference(&json!(1), Some(&json!(4))), "−3");
        assert_eq!(difference(&json!(4), Some(&json!(4))), "0");
        assert_eq!(difference(&json!(4), None), "–");
    }

    #[test]
    fn a_source_that_reported_another_number_is_told() {
        let told = source(&json!({"reportedTotal": 1200, "read": 1100}), DateTime::UNIX_EPOCH);
        assert_eq!(told.differs, "The source reported 1,200 records, 1,100 were read.");
        assert_eq!(source(&json!({"reportedTotal": 5, "read": 5}), DateTime::UNIX_EPOCH).differs, "");
    }
}
