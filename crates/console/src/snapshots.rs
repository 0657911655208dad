//! The snapshots: the list, one, and two compared.

use crate::api::{Counted, Refusal, encoded};
use crate::fields::Fields;
use crate::form::Posted;
use crate::look::{Moment, NOTHING, bytes, count, text};
use crate::page::{Layout, Section, html, see_other, shown};
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::SnapshotComparison;
use serde_json::{Value, json};

fn number(given: &Value) -> String {
    given.as_u64().map_or_else(|| NOTHING.to_owned(), count)
}

struct SnapshotRow {
    id: String,
    /// Its page.
    address: String,
    created: Moment,
    identities: String,
    accounts: String,
    /// How many accounts more or fewer than in the snapshot before.
    difference: String,
    bytes: String,
    state: &'static str,
    pin: String,
}

/// A line of a trend: points of an SVG, the number at its end, and what it is about.
struct Line {
    name: &'static str,
    class: &'static str,
    points: String,
    first: String,
    last: String,
}

/// Width and height of a trend, in the units of its SVG.
const TREND: (f64, f64) = (600.0, 80.0);

/// The numbers of a table in snapshots, the oldest first, as a line; nothing for fewer than two.
fn line(name: &'static str, class: &'static str, numbers: &[u64]) -> Option<Line> {
    let (first, last) = (numbers.first()?, numbers.last()?);
    if numbers.len() < 2 {
        return None;
    }
    let most = *numbers.iter().max()?;
    #[expect(clippy::cast_precision_loss, reason = "a point on a screen")]
    let point = |(index, number): (usize, &u64)| {
        let x = TREND.0 * index as f64 / (numbers.len() - 1) as f64;
        let y = TREND.1 * (1.0 - *number as f64 / most.max(1) as f64);
        format!("{x:.1},{y:.1}")
    };
    let points = numbers.iter().enumerate().map(point).collect::<Vec<_>>().join(" ");
    Some(Line { name, class, points, first: count(*first), last: count(*last) })
}

#[derive(Template)]
#[template(path = "snapshots.html")]
struct SnapshotsPage {
    layout: Layout,
    rows: Vec<SnapshotRow>,
    trend: Vec<Line>,
    /// Whether two snapshots can be compared.
    may_compare: bool,
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

fn row((snapshot, before): (&Value, Option<&Value>)) -> SnapshotRow {
    let (rows, pin) = (&snapshot["rows"], &snapshot["pin"]);
    let id = text(snapshot, "id");
    SnapshotRow {
        address: format!("/ui/snapshots/{}", encoded(&id)),
        id,
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
}

async fn listed(visitor: &Visitor) -> Result<Vec<Value>, Problem> {
    Ok(visitor.api.get("/muster/v1/snapshots").await?)
}

fn layout(title: impl Into<String>, visitor: &Visitor) -> Layout {
    Layout::new(title, Section::Snapshots, Some(&visitor.session))
}

/// The snapshots, the newest first.
pub(crate) async fn list(visitor: Visitor) -> Result<Response, Problem> {
    let listed = listed(&visitor).await?;
    let before = listed.iter().skip(1).map(Some).chain([None]);
    let numbers = |table: &str| -> Vec<u64> {
        listed.iter().rev().filter_map(|snapshot| snapshot["rows"][table].as_u64()).collect()
    };
    let trend = [("Identities", "one", "identities"), ("Accounts", "two", "accounts")];
    let trend = trend.into_iter().filter_map(|(name, class, table)| line(name, class, &numbers(table)));
    let kept = listed.iter().filter(|snapshot| snapshot["expired"].is_null()).count();
    shown(&SnapshotsPage {
        layout: layout("Snapshots", &visitor),
        trend: trend.collect(),
        may_compare: kept > 1 && visitor.session.auditor.is_none() && visitor.session.has(&HISTORY_SCOPES),
        rows: listed.iter().zip(before).map(row).collect(),
    })
}

/// What lets a client compare snapshots.
const HISTORY_SCOPES: [&str; 2] = ["idn:identity-history:read", "idn:identity-history:manage"];

#[derive(Template)]
#[template(path = "snapshot.html")]
struct SnapshotPage {
    layout: Layout,
    row: SnapshotRow,
    expired: Moment,
    /// Rows of each table.
    tables: Vec<(String, String)>,
    /// Snapshots that it can be compared with, and the one before it.
    others: Vec<SnapshotRow>,
    before: String,
    may_pin: bool,
    /// Why it was not pinned.
    error: String,
    reason: String,
}

async fn snapshot_page(
    visitor: &Visitor,
    id: &str,
    done: &str,
    refused: Option<(Refusal, String)>,
) -> Result<Response, Problem> {
    let listed = listed(visitor).await?;
    let place = listed.iter().position(|snapshot| snapshot["id"] == id).ok_or(Problem::NoSuchPage)?;
    let (snapshot, before) = (&listed[place], listed.get(place + 1));
    let is_kept = |snapshot: &&Value| snapshot["expired"].is_null();
    let session = &visitor.session;
    let may_compare = is_kept(&snapshot) && session.auditor.is_none() && session.has(&HISTORY_SCOPES);
    let others = listed.iter().filter(is_kept).filter(|other| may_compare && other["id"] != id);
    let tables = snapshot["rows"].as_object().into_iter().flatten();
    let (refusal, reason) =
        refused.map_or((None, String::new()), |(refusal, reason)| (Some(refusal), reason));
    let page = SnapshotPage {
        layout: layout("Snapshot", visitor).noticing(done),
        row: row((snapshot, before)),
        expired: Moment::of_value(&snapshot["expired"]),
        tables: tables.map(|(name, rows)| (name.clone(), number(rows))).collect(),
        others: others.map(|other| row((other, None))).collect(),
        before: before.map(|before| text(before, "id")).unwrap_or_default(),
        may_pin: is_kept(&snapshot) && session.is_user && session.auditor.is_none() && session.has(&[]),
        error: refusal.as_ref().map(|refusal| refusal.text.clone()).unwrap_or_default(),
        reason,
    };
    Ok(html(refusal.map_or(StatusCode::OK, |refusal| refusal.status), &page))
}

/// One snapshot.
pub(crate) async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    snapshot_page(&visitor, &id, query.text("done"), None).await
}

/// Keeps a snapshot from expiring.
pub(crate) async fn pin(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let reason = posted.fields.text("reason").to_owned();
    let route = format!("/muster/v1/snapshots/{}/pin", encoded(&id));
    let pinned: Result<Counted<Value>, Refusal> =
        posted.visitor.api.send(Method::PUT, &route, &json!({"reason": reason})).await;
    match pinned {
        Ok(_) => Ok(see_other(&format!("/ui/snapshots/{}?done=pinned", encoded(&id)))),
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
            snapshot_page(&posted.visitor, &id, "", Some((refusal, reason))).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

const UNPIN: Question = Question {
    section: Section::Snapshots,
    title: "Unpin a snapshot",
    consequence: "It expires as the settings say, perhaps at the next refresh. Its data cannot be had again then.",
    yes: "Unpin the snapshot",
    word: "unpin",
};

/// Asks whether to let it expire again.
pub(crate) async fn ask_unpin(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    UNPIN.ask(&visitor, format!("Unpin the snapshot {id}?"), format!("/ui/snapshots/{}", encoded(&id)))
}

/// Lets it expire again.
pub(crate) async fn unpin(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let id = encoded(&id);
    let to = format!("/ui/snapshots/{id}?done=unpinned");
    act(&posted, Method::DELETE, &format!("/muster/v1/snapshots/{id}/pin"), &to).await
}

#[derive(Template)]
#[template(path = "snapshot_comparison.html")]
struct ComparisonPage {
    layout: Layout,
    old: SnapshotComparisonSide,
    new: SnapshotComparisonSide,
    objects: Vec<(String, String, String)>,
    attributes: Vec<(String, String, String)>,
}

/// A snapshot that is compared.
struct SnapshotComparisonSide {
    id: String,
    address: String,
}

/// What differs between two snapshots.
pub(crate) async fn compare(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let (old, new) = (query.text("old"), query.text("new"));
    if old.is_empty() || new.is_empty() {
        return Ok(see_other("/ui/snapshots"));
    }
    let route = format!("/muster/v1/snapshots/{}/compare/{}", encoded(old), encoded(new));
    let compared: SnapshotComparison = visitor.api.get(&route).await?;
    let side = |id: String| SnapshotComparisonSide { address: format!("/ui/snapshots/{}", encoded(&id)), id };
    let (of_attributes, of_objects): (Vec<_>, Vec<_>) =
        compared.differences.into_iter().partition(|found| found.attribute.is_some());
    shown(&ComparisonPage {
        layout: layout("What differs between two snapshots", &visitor),
        old: side(compared.old),
        new: side(compared.new),
        objects: of_objects
            .into_iter()
            .map(|found| (found.object, found.change, count(found.count)))
            .collect(),
        attributes: of_attributes
            .into_iter()
            .map(|found| (found.object, found.attribute.unwrap_or_default(), count(found.count)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends_have_a_sign() {
        assert_eq!(difference(&json!(1200), Some(&json!(100))), "+1,100");
        assert_eq!(difference(&json!(1), Some(&json!(4))), "−3");
        assert_eq!(difference(&json!(4), Some(&json!(4))), "0");
        assert_eq!(difference(&json!(4), None), "–");
    }

    #[test]
    fn a_trend_begins_at_nothing_and_ends_at_the_newest() {
        let drawn = line("Accounts", "two", &[0, 1000, 500]).map(|line| (line.points, line.first, line.last));
        let expected = ("0.0,80.0 300.0,0.0 600.0,40.0".to_owned(), "0".to_owned(), "500".to_owned());
        assert_eq!(drawn, Some(expected));
        assert!(line("Accounts", "two", &[7]).is_none() && line("Accounts", "two", &[]).is_none());
    }
}
