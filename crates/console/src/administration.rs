//! What the API tells about the service: its health, keys and limits, the session's rights, notifications, clients, and the
//! audit trail.

use crate::api::{Refusal, encoded};
use crate::fields::{Fields, address};
use crate::form::Posted;
use crate::look::{Moment, age, bytes, count, text};
use crate::page::{Layout, Section, see_other, shown};
use crate::problem::Problem;
use crate::state::Console;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_wire::{
    AuditEventDescription, AuditTrailDescription, ClientDescription, InstallationDescription,
    IssuerDescription, KeyDescription, NotificationDescription,
};
use serde_json::Value;

struct NoticeRow {
    id: String,
    channel: String,
    recipient: String,
    about: String,
    state: String,
    attempts: u32,
    error: String,
    created: Moment,
    next: Moment,
    has_failed: bool,
}

struct Auditor {
    from: Moment,
    to: Moment,
    reports: String,
    ends: Moment,
}

struct Installation {
    version: String,
    database: String,
    disks: Vec<(String, String)>,
    keys: Vec<Key>,
    limits: Vec<(String, String)>,
    issuers: Vec<IssuerDescription>,
}

struct Key {
    purpose: String,
    since: Moment,
    age: String,
    previous_until: Moment,
}

fn installation(told: InstallationDescription, now: DateTime<Utc>) -> Installation {
    let key = |key: &KeyDescription| {
        let since = Moment::of(Some(&key.since));
        Key {
            purpose: key.purpose.clone(),
            since,
            age: age(since, now),
            previous_until: Moment::of(key.previous_until.as_deref()),
        }
    };
    Installation {
        version: told.version,
        database: told.database,
        disks: told.disks.iter().map(|disk| (disk.folder.clone(), bytes(disk.free_bytes))).collect(),
        keys: told.keys.iter().map(key).collect(),
        limits: told
            .limits
            .iter()
            .map(|limit| (limit.setting.clone(), format!("{} {}", count(limit.value), limit.unit)))
            .collect(),
        issuers: told.issuers,
    }
}

#[derive(Template)]
#[template(path = "administration.html")]
struct AdministrationPage {
    layout: Layout,
    is_ready: bool,
    unready: String,
    client: String,
    kind: &'static str,
    scopes: Vec<String>,
    ends: Moment,
    /// The limits of an auditor.
    auditor: Option<Auditor>,
    /// What only administrators see.
    installation: Option<Installation>,
    notices: Vec<NoticeRow>,
    without_notices: String,
}

fn notice(notification: NotificationDescription) -> NoticeRow {
    let notice = Value::from(notification.notice);
    NoticeRow {
        channel: notification.channel,
        recipient: notification.recipient,
        about: text(&notice["data"], "name"),
        has_failed: notification.state == "failed",
        state: notification.state,
        attempts: notification.attempts,
        error: notification.error.unwrap_or_default(),
        created: Moment::of(Some(&notification.created)),
        next: Moment::of(notification.next.as_deref()),
        id: encoded(&notification.id),
    }
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let ready: Result<Value, Refusal> = visitor.api.get("/health/ready").await;
    let notices: Result<Vec<NotificationDescription>, Refusal> =
        visitor.api.get("/muster/v1/notifications").await;
    let (notices, without_notices) = match notices {
        Ok(notices) => (notices.into_iter().map(notice).collect(), String::new()),
        Err(refusal) if refusal.status == StatusCode::FORBIDDEN => (Vec::new(), refusal.text),
        Err(refusal) => return Err(refusal.into()),
    };
    let told = if visitor.session.may_administer() {
        let told: Result<InstallationDescription, Refusal> = visitor.api.get("/muster/v1/installation").await;
        match told {
            Ok(told) => Some(installation(told, console.now())),
            Err(refusal) if refusal.status == StatusCode::FORBIDDEN => None,
            Err(refusal) => return Err(refusal.into()),
        }
    } else {
        None
    };
    let session = &visitor.session;
    let auditor = session.auditor.as_ref().map(|auditor| Auditor {
        from: Moment::of(Some(&auditor.from)),
        to: Moment::of(Some(&auditor.to)),
        reports: auditor.reports.join(", "),
        ends: Moment::of(Some(&auditor.ends)),
    });
    shown(&AdministrationPage {
        layout: Layout::new("Administration", Section::Administration, Some(session))
            .noticing(query.text("done")),
        is_ready: ready.is_ok(),
        unready: ready.err().map(|refusal| refusal.text).unwrap_or_default(),
        client: session.name.clone(),
        kind: if session.is_user { "user" } else { "application" },
        scopes: session.scopes.clone(),
        ends: Moment(Some(session.ends)),
        auditor,
        installation: told,
        notices,
        without_notices,
    })
}

/// Sends a notification again.
pub(crate) async fn again(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let address = format!("/muster/v1/notifications/{}/retry", encoded(&id));
    posted.visitor.api.act(Method::POST, &address).await?;
    Ok(see_other("/ui/administration?done=again"))
}

#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    layout: Layout,
    rows: Vec<ClientRow>,
}

struct ClientRow {
    client: ClientDescription,
    created: Moment,
}

/// The clients.
pub(crate) async fn clients(visitor: Visitor) -> Result<Response, Problem> {
    let clients: Vec<ClientDescription> = visitor.api.get("/muster/v1/clients").await?;
    let row = |client: ClientDescription| ClientRow { created: Moment::of(Some(&client.created)), client };
    shown(&ClientsPage {
        layout: Layout::new("Clients", Section::Administration, Some(&visitor.session)),
        rows: clients.into_iter().map(row).collect(),
    })
}

#[derive(Template)]
#[template(path = "trail.html")]
struct TrailPage {
    layout: Layout,
    trail: AuditTrailDescription,
    last: String,
    rows: Vec<EventRow>,
    newer: Option<String>,
    older: Option<String>,
}

struct EventRow {
    event: AuditEventDescription,
    at: Moment,
    /// The page of its run.
    run: String,
}

/// Events of a page.
const EVENTS: u64 = 50;

/// The audit trail, the last event first.
pub(crate) async fn trail(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let fields = [("limit", EVENTS.to_string()), ("before", query.text("before").to_owned())];
    let mut trail: AuditTrailDescription =
        visitor.api.get(&address("/muster/v1/audit-events", fields)).await?;
    let events = std::mem::take(&mut trail.events);
    let to = |before: u64| address("/ui/administration/audit", [("before", before.to_string())]);
    let older = events.last().filter(|event| event.sequence > 1).map(|event| to(event.sequence));
    let first = events.first().map_or(trail.last, |event| event.sequence);
    let newer = (first < trail.last).then(|| to(first + EVENTS + 1));
    let row = |event: AuditEventDescription| EventRow {
        at: Moment::of(Some(&event.at)),
        run: if event.task.is_empty() { String::new() } else { format!("/ui/runs/{}", encoded(&event.task)) },
        event,
    };
    shown(&TrailPage {
        layout: Layout::new("Audit trail", Section::Administration, Some(&visitor.session)),
        last: count(trail.last),
        rows: events.into_iter().map(row).collect(),
        trail,
        newer,
        older,
    })
}
