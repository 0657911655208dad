//! One run: how it is, what it was asked, what it read, what it counted, its files, and what can be done with it.

use crate::api::{Refusal, encoded};
use crate::arguments::form_fields;
use crate::fields::{Fields, address};
use crate::form::Posted;
use crate::look::{Moment, NOTHING, RunState, between, bytes, count, text, time_left, value};
use crate::messages::advice;
use crate::page::{Layout, Section, see_other, shown};
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::runs::{Row, rows_of};
use crate::state::Console;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_wire::{
    AuditEventDescription, AuditTrailDescription, ListedResult, TaskResultDetails,
    TaskResultDetailsMessagesInner,
};
use serde_json::Value;
use std::collections::HashSet;

/// The name of the events of downloads.
const DOWNLOAD: &str = "download";
/// Downloads that a page shows.
const DOWNLOADS: usize = 5;

/// A step in the life of a run.
struct Step {
    name: &'static str,
    at: Moment,
    /// Since the step before.
    after: String,
    /// What is said of it: how many rows, who downloaded what.
    detail: String,
}

/// Something a reader must know.
struct Note {
    sign: &'static str,
    class: &'static str,
    kind: &'static str,
    key: String,
    text: String,
    /// What to do about it.
    advice: &'static str,
}

/// A name with its value.
struct Pair {
    name: String,
    value: String,
}

/// A line of the reconciliation.
struct Line {
    label: String,
    rows: String,
    /// `+`, `−`, `=` or nothing.
    sign: &'static str,
    is_sum: bool,
}

struct FileRow {
    format: String,
    name: String,
    bytes: String,
    rows: String,
    sha256: String,
    address: String,
}

struct SourceRow {
    name: String,
    ended: Moment,
    read: String,
    loaded: String,
    rejected: String,
    remark: String,
}

/// What the cover of an ended run says.
struct Cover {
    arguments: Vec<Pair>,
    snapshot: Vec<Pair>,
    snapshot_taken: Moment,
    sources: Vec<SourceRow>,
    lines: Vec<Line>,
    /// Whether the two counts agree; nothing where there are none.
    agrees: Option<bool>,
    subtotals: Vec<Subtotal>,
    files: Vec<FileRow>,
    query: String,
    verify: String,
}

struct Subtotal {
    by: String,
    parts: Vec<Part>,
}

/// A part of a subtotal, with a bar: its length in hundredths of the longest.
struct Part {
    name: String,
    rows: String,
    length: u64,
}

/// How far a run is.
struct Ahead {
    done: u64,
    most: u64,
    text: String,
    left: String,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    layout: Layout,
    id: String,
    name: String,
    description: String,
    launcher: String,
    definition: String,
    state: RunState,
    steps: Vec<Step>,
    ahead: Option<Ahead>,
    notes: Vec<Note>,
    cover: Option<Cover>,
    /// Why there are no files.
    without_files: String,
    kept: String,
    /// Where a file is compared with this run.
    check: String,
    again: String,
    may_cancel: bool,
    earlier: Vec<Row>,
    here: String,
    live: String,
}

async fn details(visitor: &Visitor, id: &str) -> Result<TaskResultDetails, Problem> {
    Ok(visitor.api.get(&format!("/muster/v1/reports/{}/result", encoded(id))).await?)
}

fn state_of(details: &TaskResultDetails) -> RunState {
    let status = details.completion_status.as_ref().map(|status| status.as_str());
    RunState::of(status, details.launched.is_some())
}

/// The id of the definition that was run.
fn definition_of(details: &TaskResultDetails) -> String {
    let custom = details.attributes.get("reportId").and_then(Value::as_str);
    details.report_type.as_ref().map(|kind| kind.as_str()).or(custom).unwrap_or_default().to_owned()
}

/// The page.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let details = details(&visitor, &id).await?;
    let id = details.id.clone().unwrap_or(id);
    let state = state_of(&details);
    let has_expired = details.attributes.contains_key("expired");
    let kept_cover: Option<Value> = if matches!(state, RunState::Succeeded | RunState::Warned) {
        match visitor.api.get(&format!("/reports/v1/{}/cover", encoded(&id))).await {
            Ok(cover) => Some(cover),
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => None,
            Err(refusal) => return Err(refusal.into()),
        }
    } else {
        None
    };
    let definition = definition_of(&details);
    let name = details.task_def_name.clone().unwrap_or_default();
    let earlier = match &kept_cover {
        Some(_) if !has_expired => earlier(&visitor, &id, &name).await?,
        Some(_) | None => Vec::new(),
    };
    let (created, launched) =
        (Moment::of(details.created.as_deref()), Moment::of(details.launched.as_deref()));
    let here = format!("/ui/runs/{}", encoded(&id));
    let downloads = match &kept_cover {
        Some(_) if visitor.session.may_administer() => downloads(&visitor, &id).await?,
        Some(_) | None => Vec::new(),
    };
    let page = RunPage {
        layout: Layout::new(name.as_str(), Section::Runs, Some(&visitor.session))
            .noticing(query.text("done")),
        description: details.description.clone().unwrap_or_default(),
        launcher: details.launcher.clone().unwrap_or_default(),
        steps: steps(&details, created, launched, state, kept_cover.as_ref())
            .into_iter()
            .chain(downloads)
            .collect(),
        ahead: (state == RunState::Running).then(|| ahead(&details, launched, console.now())),
        notes: notes(&details.messages),
        check: address("/ui/verify", [("run", id.clone())]),
        without_files: without_files(state, has_expired, &details),
        kept: kept(&details),
        again: match visitor.session.may_start() {
            true => again(&definition, kept_cover.as_ref(), &details),
            false => String::new(),
        },
        may_cancel: state.is_live() && visitor.session.may_cancel() && !definition.is_empty(),
        cover: kept_cover.as_ref().map(|kept| cover(kept, &here, has_expired)),
        live: if state.is_live() {
            address(crate::live::PATH, [("of", "run".to_owned()), ("id", id.clone())])
        } else {
            String::new()
        },
        definition,
        id,
        name,
        state,
        earlier,
        here,
    };
    shown(&page)
}

/// Earlier runs of the same report, which it can be compared with.
async fn earlier(visitor: &Visitor, id: &str, name: &str) -> Result<Vec<Row>, Problem> {
    let results: Vec<ListedResult> = visitor.api.get("/muster/v1/results").await?;
    let before = results.into_iter().skip_while(|listed| listed.result.id.as_deref() != Some(id)).skip(1);
    let same = before.filter(|listed| {
        let formats = listed.result.available_formats.iter().flatten();
        listed.result.task_def_name.as_deref() == Some(name)
            && formats.clone().any(|format| format.as_str() == "CSV")
    });
    Ok(same.take(20).map(Row::of_result).collect())
}

/// Who downloaded the files, of those events that the audit trail has; the first downloads first.
async fn downloads(visitor: &Visitor, id: &str) -> Result<Vec<Step>, Problem> {
    let asked = address("/muster/v1/audit-events", [("task", id.to_owned()), ("limit", "250".to_owned())]);
    let trail: Result<AuditTrailDescription, Refusal> = visitor.api.get(&asked).await;
    let events = match trail {
        Ok(trail) => trail.events,
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => return Err(refusal.into()),
        // The page is of use without them.
        Err(_) => Vec::new(),
    };
    let downloaded: Vec<_> = events.into_iter().filter(|event| event.operation == DOWNLOAD).collect();
    let more = downloaded.len().saturating_sub(DOWNLOADS);
    let step = |(index, event): (usize, &AuditEventDescription)| Step {
        name: "Downloaded",
        at: Moment::of(Some(&event.at)),
        after: String::new(),
        detail: match index {
            0 if more > 0 => format!("by {}; {more} times before", event.who),
            _ => format!("by {}", event.who),
        },
    };
    // The last ones, in the order of time.
    Ok(downloaded[..downloaded.len() - more].iter().rev().enumerate().map(step).collect())
}

fn steps(
    details: &TaskResultDetails,
    created: Moment,
    launched: Moment,
    state: RunState,
    cover: Option<&Value>,
) -> Vec<Step> {
    let step = |name, at, before: Option<Moment>| Step {
        name,
        at,
        after: before.map_or_else(String::new, |before| between(before, at)),
        detail: String::new(),
    };
    let mut steps = vec![step("Queued", created, None)];
    if launched.0.is_some() {
        steps.push(step("Started", launched, Some(created)));
    }
    let completed = Moment::of(details.completed.as_deref());
    let counted = cover.map_or(Moment(None), |cover| Moment::of_value(&cover["completed"]));
    if let Some(cover) = cover.filter(|_| counted.0.is_some()) {
        let rows = &cover["reconciliation"]["reported"];
        let detail = rows.as_u64().map_or_else(String::new, |rows| format!("{} rows", count(rows)));
        steps.push(Step { detail, ..step("Written and counted", counted, Some(launched)) });
    }
    if completed.0.is_some() {
        let name = match state {
            RunState::Failed => "Failed",
            RunState::Cancelled => "Cancelled",
            RunState::Succeeded | RunState::Warned => "Published",
            RunState::Waiting | RunState::Running | RunState::Unknown => "Ended",
        };
        let before = [counted, launched].into_iter().find(|before| before.0.is_some()).unwrap_or(created);
        steps.push(step(name, completed, Some(before)));
    }
    steps
}

fn ahead(details: &TaskResultDetails, launched: Moment, now: DateTime<Utc>) -> Ahead {
    let text = details.progress.clone().unwrap_or_default();
    let (done, most) = rows_of(&text).unwrap_or((0, 0));
    Ahead { done, most, text, left: time_left(launched, (done, most), now) }
}

/// The messages, with what to do about each kind of them once.
fn notes(messages: &[TaskResultDetailsMessagesInner]) -> Vec<Note> {
    let mut notes: Vec<Note> = messages.iter().map(note).collect();
    let mut told = HashSet::new();
    for note in &mut notes {
        if !told.insert(note.key.clone()) {
            note.advice = "";
        }
    }
    notes
}

fn note(message: &TaskResultDetailsMessagesInner) -> Note {
    let (sign, class, kind) = match (message.error, message.warning) {
        (true, _) => ("✕", "bad", "Error"),
        (false, true) => ("!", "warn", "Warning"),
        (false, false) => ("i", "quiet", "Information"),
    };
    Note {
        sign,
        class,
        kind,
        key: message.key.clone().unwrap_or_default(),
        advice: advice(message.key.as_deref().unwrap_or_default()),
        text: message.localized_text.clone().unwrap_or_default(),
    }
}

fn without_files(state: RunState, has_expired: bool, details: &TaskResultDetails) -> String {
    match state {
        RunState::Waiting | RunState::Running => "The files are published when the run has ended.".to_owned(),
        RunState::Failed => "The run has failed: it has published no file.".to_owned(),
        RunState::Cancelled => "The run was cancelled: it has published no file.".to_owned(),
        RunState::Succeeded | RunState::Warned | RunState::Unknown if has_expired => {
            let at = details.attributes.get("expired").and_then(Value::as_str).unwrap_or_default();
            format!("The files have expired ({at}).")
        }
        RunState::Succeeded | RunState::Warned | RunState::Unknown => "The run has no files.".to_owned(),
    }
}

/// How long the files are kept.
fn kept(details: &TaskResultDetails) -> String {
    let attribute = |name: &str| details.attributes.get(name).unwrap_or(&Value::Null);
    let hold = attribute("hold");
    if hold.is_object() {
        return format!("The files are held by {}: {}.", text(hold, "by"), text(hold, "reason"));
    }
    match attribute("expires").as_str() {
        Some(at) => format!("The files are kept until {at}."),
        None => String::new(),
    }
}

/// The form of a new run, filled in with what this run was asked.
fn again(definition: &str, cover: Option<&Value>, details: &TaskResultDetails) -> String {
    if definition.is_empty() {
        return String::new();
    }
    let arguments = cover.map(|cover| &cover["arguments"]).or_else(|| details.attributes.get("queryParams"));
    let fields = arguments.and_then(Value::as_object).map(form_fields).unwrap_or_default();
    address(&format!("/ui/new/{}", encoded(definition)), fields)
}

fn number(given: &Value) -> String {
    given.as_u64().map_or_else(|| NOTHING.to_owned(), count)
}

fn pairs(object: &Value) -> Vec<Pair> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, given)| Pair { name: name.clone(), value: value(given) }).collect()
}

fn list(given: &Value) -> &[Value] {
    given.as_array().map_or(&[], Vec::as_slice)
}

fn cover(cover: &Value, here: &str, has_expired: bool) -> Cover {
    let (snapshot, counted) = (&cover["snapshot"], &cover["reconciliation"]);
    let line = |label: String, rows: &Value, sign, is_sum| Line { label, rows: number(rows), sign, is_sum };
    let mut lines =
        vec![line("Population, by a second, independent count".into(), &counted["population"], "", false)];
    for (parts, sign) in [("added", "+"), ("excluded", "−")] {
        lines.extend(
            list(&counted[parts]).iter().map(|part| line(text(part, "label"), &part["rows"], sign, false)),
        );
    }
    lines.push(line("Expected".into(), &counted["expected"], "=", true));
    lines.push(line("Reported".into(), &counted["reported"], "", true));
    let subtotals = list(&counted["subtotals"])
        .iter()
        .map(|subtotal| Subtotal { by: text(subtotal, "by"), parts: parts(list(&subtotal["parts"])) });
    let files = list(&cover["files"]).iter().map(|file| {
        let format = text(file, "format");
        FileRow {
            name: text(file, "name"),
            bytes: file["bytes"].as_u64().map_or_else(|| NOTHING.to_owned(), bytes),
            rows: number(&file["rows"]),
            sha256: text(file, "sha256"),
            address: format!("{here}/files/{}", encoded(&format.to_lowercase())),
            format,
        }
    });
    let compared = list(&cover["earlier"]).first().map(|first| Pair {
        name: "Compared with".into(),
        value: format!("{}, and {} snapshots between", text(first, "id"), list(&cover["earlier"]).len() - 1),
    });
    let own = [
        Pair { name: "Snapshot".into(), value: text(snapshot, "id") },
        Pair { name: "Data scope".into(), value: text(&cover["requester"], "dataScope") },
        Pair { name: "Report version".into(), value: text(&cover["report"], "version") },
        Pair { name: "Muster".into(), value: text(cover, "productVersion") },
    ];
    Cover {
        arguments: pairs(&cover["arguments"]),
        snapshot: own.into_iter().chain(compared).collect(),
        snapshot_taken: Moment::of_value(&snapshot["created"]),
        sources: list(&snapshot["sources"]).iter().map(source).collect(),
        agrees: counted["expected"].is_u64().then(|| counted["expected"] == counted["reported"]),
        lines,
        subtotals: subtotals.collect(),
        files: if has_expired { Vec::new() } else { files.collect() },
        query: text(cover, "effectiveQuery"),
        verify: text(cover, "howToVerify"),
    }
}

/// The parts of a subtotal. A part that has a row has a bar that can be seen.
fn parts(given: &[Value]) -> Vec<Part> {
    let rows = |part: &Value| part["rows"].as_u64().unwrap_or(0);
    let most = given.iter().map(rows).max().unwrap_or(0).max(1);
    let part = |part: &Value| Part {
        name: text(part, "label"),
        rows: number(&part["rows"]),
        length: u64::try_from((u128::from(rows(part)) * 100).div_ceil(u128::from(most))).unwrap_or(100),
    };
    given.iter().map(part).collect()
}

fn source(source: &Value) -> SourceRow {
    let complete = source["complete"].as_bool().unwrap_or(true);
    let remark = source["remark"].as_str().map_or_else(String::new, str::to_owned);
    SourceRow {
        name: text(source, "name"),
        ended: Moment::of_value(&source["ended"]),
        read: number(&source["read"]),
        loaded: number(&source["loaded"]),
        rejected: number(&source["rejected"]),
        remark: if complete { remark } else { format!("Not complete. {remark}") },
    }
}

const CANCEL: Question = Question {
    section: Section::Runs,
    title: "Cancel a run",
    consequence: "It ends at once and publishes no file. A cancelled run cannot go on; it can be run again.",
    yes: "Cancel the run",
    word: "cancel",
};

/// Asks whether to cancel.
pub(crate) async fn ask_cancel(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let details = details(&visitor, &id).await?;
    let here = format!("/ui/runs/{}", encoded(&id));
    if !state_of(&details).is_live() {
        return Ok(see_other(&here));
    }
    let name = details.task_def_name.unwrap_or_default();
    CANCEL.ask(&visitor, format!("Cancel the run of {name}?"), here)
}

/// Cancels.
pub(crate) async fn cancel(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let id = encoded(&id);
    let to = format!("/ui/runs/{id}?done=cancelled");
    act(&posted, Method::POST, &format!("/reports/v1/{id}/cancel"), &to).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn running_again_asks_the_same() {
        let cover = json!({"arguments": {"application": "s 1", "correlatedOnly": false, "selectedFormats": ["CSV", "PDF"]}});
        let details = TaskResultDetails::default();
        let expected =
            "/ui/new/ACCOUNTS?application=s%201&correlatedOnly=false&selectedFormats=CSV&selectedFormats=PDF";
        assert_eq!(again("ACCOUNTS", Some(&cover), &details), expected);
        assert_eq!(again("ACCOUNTS", None, &details), "/ui/new/ACCOUNTS");
        assert_eq!(again("", None, &details), "");
    }

    #[test]
    fn the_time_left_follows_from_the_rows() {
        let details =
            TaskResultDetails { progress: Some("250 of 1000 rows written".into()), ..Default::default() };
        let launched = Moment::of(Some("2026-03-01T00:00:00Z"));
        let now = launched.0.expect("it is a time") + chrono::TimeDelta::seconds(20);
        let ahead = ahead(&details, launched, now);
        assert_eq!((ahead.done, ahead.most, ahead.left.as_str()), (250, 1000, "about 1 min 0 s left"));
    }

    #[test]
    fn what_to_do_is_told_once_for_a_kind_of_message() {
        let message = |key: &str| -> TaskResultDetailsMessagesInner {
            let message =
                json!({"type": "WARN", "error": false, "warning": true, "key": key, "localizedText": "x"});
            serde_json::from_value(message).expect("it is a message")
        };
        let told = notes(&[message("source_stale"), message("source_refused"), message("source_stale")]);
        assert_eq!(told.iter().map(|note| note.advice.is_empty()).collect::<Vec<_>>(), [false, false, true]);
    }

    /// The longest bar is whole, and no part that has a row is without a bar.
    #[test]
    fn bars_are_in_proportion() {
        let given = json!([{"label": "a", "rows": 2000}, {"label": "b", "rows": 500}, {"label": "c", "rows": 1}, {"label": "d", "rows": 0}]);
        let lengths = |given: &Value| parts(list(given)).iter().map(|part| part.length).collect::<Vec<_>>();
        assert_eq!(lengths(&given), [100, 25, 1, 0]);
        assert_eq!(lengths(&json!([{"label": "a", "rows": 0}])), [0]);
    }

    #[test]
    fn a_reconciliation_is_read_as_a_sum() {
        let given = json!({
            "snapshot": {"sources": []},
            "reconciliation": {
                "population": 1040, "excluded": [{"label": "gone", "rows": 40}], "expected": 1000, "reported": 1000,
                "subtotals": [{"by": "status", "parts": [{"label": "active", "rows": 1000}]}],
            },
        });
        let cover = cover(&given, "/ui/runs/r", false);
        let lines: Vec<_> = cover.lines.iter().map(|line| (line.sign, line.rows.as_str())).collect();
        assert_eq!(lines, [("", "1,040"), ("−", "40"), ("=", "1,000"), ("", "1,000")]);
        assert_eq!(cover.agrees, Some(true));
        assert_eq!(cover.subtotals[0].parts[0].rows, "1,000");
    }
}
