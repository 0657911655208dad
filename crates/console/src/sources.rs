//! Sources as their last reads left them: the list, and one with the records that were refused.

use crate::api::{Counted, Refusal, encoded};
use crate::fields::address;
use crate::look::{Moment, NOTHING, age, count, text};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::state::Console;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_wire::RefusedRecordDescription;
use serde_json::Value;

/// Refused records that a page shows.
const RECORDS: usize = 200;

struct SourceRow {
    /// Its page.
    address: String,
    name: String,
    kind: String,
    authoritative: bool,
    profile: String,
    read_at: Moment,
    age: String,
    as_of: Moment,
    complete: bool,
    remark: String,
    warnings: Vec<String>,
    /// What the source itself reported.
    reported: String,
    read: String,
    loaded: String,
    refused: String,
    has_refused: bool,
    new: String,
    changed: String,
    missing: String,
    /// What the source reported, where that differs from what was read.
    differs: String,
}

fn number(given: &Value) -> String {
    given.as_u64().map_or_else(|| NOTHING.to_owned(), count)
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
    SourceRow {
        address: format!("/ui/sources/{}", encoded(source["id"].as_str().unwrap_or_default())),
        name: text(source, "name"),
        kind: text(source, "kind"),
        authoritative: source["authoritative"].as_bool().unwrap_or(false),
        profile: source["profile"].as_str().unwrap_or_default().to_owned(),
        age: age(read_at, now),
        read_at,
        as_of: Moment::of_value(&source["asOf"]),
        complete: source["complete"].as_bool().unwrap_or(false),
        remark: source["remark"].as_str().unwrap_or_default().to_owned(),
        warnings: warnings.map(str::to_owned).collect(),
        reported: number(&source["reportedTotal"]),
        read: number(&source["read"]),
        loaded: number(&source["loaded"]),
        refused: number(&source["rejected"]),
        has_refused: source["rejected"].as_u64().is_some_and(|refused| refused > 0),
        new: number(&source["created"]),
        changed: number(&source["updated"]),
        missing: number(&source["missing"]),
        differs,
    }
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    layout: Layout,
    rows: Vec<SourceRow>,
}

/// The sources.
pub(crate) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Response, Problem> {
    let listed: Vec<Value> = visitor.api.get("/muster/v1/sources").await?;
    let now = console.now();
    shown(&SourcesPage {
        layout: Layout::new("Sources", Section::Sources, Some(&visitor.session)),
        rows: listed.iter().map(|listed| source(listed, now)).collect(),
    })
}

/// A record that was refused.
struct Record {
    line: String,
    account: String,
    reason: String,
}

fn record(given: RefusedRecordDescription) -> Record {
    Record {
        line: if given.line == 0 { NOTHING.to_owned() } else { given.line.to_string() },
        account: given.native_identity.unwrap_or_else(|| NOTHING.to_owned()),
        reason: given.reason,
    }
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    layout: Layout,
    row: SourceRow,
    records: Vec<Record>,
    total: String,
    has_more: bool,
    /// Why no records are shown.
    without_records: String,
    /// The form of a run that reports all of them; empty where the visitor may start none.
    report: String,
}

/// One source.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let listed: Vec<Value> = visitor.api.get("/muster/v1/sources").await?;
    let found = listed.iter().find(|listed| listed["id"].as_str() == Some(&id)).ok_or(Problem::NoSuchPage)?;
    let row = source(found, console.now());
    let asked = format!("/muster/v1/sources/{}/refused-records?limit={RECORDS}", encoded(&id));
    let (records, total, without_records) = if row.has_refused && !visitor.session.may_search() {
        let why = "they are rows of data, and your client may not search".to_owned();
        (Vec::new(), 0, why)
    } else if row.has_refused {
        let answer: Result<Counted<Vec<RefusedRecordDescription>>, Refusal> =
            visitor.api.get_counted(&asked).await;
        match answer {
            Ok(found) => (found.body, found.total.unwrap_or(0), String::new()),
            Err(refusal) if refusal.status == StatusCode::FORBIDDEN => (Vec::new(), 0, refusal.text),
            Err(refusal) => return Err(refusal.into()),
        }
    } else {
        (Vec::new(), 0, String::new())
    };
    let may_run = row.has_refused && visitor.session.may_start();
    shown(&SourcePage {
        layout: Layout::new(row.name.as_str(), Section::Sources, Some(&visitor.session)),
        has_more: total > records.len() as u64,
        records: records.into_iter().map(record).collect(),
        total: count(total),
        without_records,
        report: match may_run {
            true => address("/ui/new/REFUSED_RECORDS", [("source", id)]),
            false => String::new(),
        },
        row,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_source_that_reported_another_number_is_told() {
        let told = source(&json!({"reportedTotal": 1200, "read": 1100}), DateTime::UNIX_EPOCH);
        assert_eq!(told.differs, "The source reported 1,200 records, 1,100 were read.");
        assert_eq!(source(&json!({"reportedTotal": 5, "read": 5}), DateTime::UNIX_EPOCH).differs, "");
    }

    #[test]
    fn a_record_without_a_place_or_a_name_says_so() {
        let given = RefusedRecordDescription { line: 0, native_identity: None, reason: "it is empty".into() };
        let shown = record(given);
        assert_eq!((shown.line.as_str(), shown.account.as_str()), ("–", "–"));
    }
}
