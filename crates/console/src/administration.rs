//! What the API tells about the service: its health, the session's rights, notifications.

use crate::api::{Refusal, encoded};
use crate::fields::Fields;
use crate::form::Posted;
use crate::look::{Moment, text};
use crate::page::{Layout, Section, see_other, shown};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::NotificationDescription;
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
pub(crate) async fn page(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let ready: Result<Value, Refusal> = visitor.api.get("/health/ready").await;
    let notices: Result<Vec<NotificationDescription>, Refusal> =
        visitor.api.get("/muster/v1/notifications").await;
    let (notices, without_notices) = match notices {
        Ok(notices) => (notices.into_iter().map(notice).collect(), String::new()),
        Err(refusal) if refusal.status == StatusCode::FORBIDDEN => (Vec::new(), refusal.text),
        Err(refusal) => return Err(refusal.into()),
    };
    let session = &visitor.session;
    shown(&AdministrationPage {
        layout: Layout::new("Administration", Section::Administration, Some(session))
            .noticing(query.text("done")),
        is_ready: ready.is_ok(),
        unready: ready.err().map(|refusal| refusal.text).unwrap_or_default(),
        client: session.name.clone(),
        kind: if session.is_user { "user" } else { "application" },
        scopes: session.scopes.clone(),
        ends: Moment(Some(session.ends)),
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
