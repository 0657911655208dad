//! What every page has around its content.

use crate::assets;
use crate::problem::Problem;
use crate::session::Session;
use askama::Template;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// A section of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Runs,
    NewRun,
    Reports,
    Searches,
    Schedules,
    Reviews,
    Identities,
    Sources,
    Snapshots,
    Verify,
    Administration,
}

/// An entry of the menu.
pub(crate) struct Entry {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_here: bool,
}

const MENU: [(Section, &str, &str); 11] = [
    (Section::Runs, "/ui/runs", "Runs"),
    (Section::NewRun, "/ui/new", "New run"),
    (Section::Reports, "/ui/reports", "Reports"),
    (Section::Searches, "/ui/searches", "Saved searches"),
    (Section::Schedules, "/ui/schedules", "Schedules"),
    (Section::Reviews, "/ui/reviews", "Reviews"),
    (Section::Identities, "/ui/identities", "Identities"),
    (Section::Sources, "/ui/sources", "Sources"),
    (Section::Snapshots, "/ui/snapshots", "Snapshots"),
    (Section::Verify, "/ui/verify", "Verify"),
    (Section::Administration, "/ui/administration", "Administration"),
];

/// Whether the menu offers a section. This saves a click that would be refused; the API decides.
fn may(session: &Session, section: Section) -> bool {
    const READ: [&str; 2] = ["sp:report:read", "sp:report:manage"];
    let is_auditor = session.auditor.is_some();
    match section {
        Section::None => false,
        // What they show goes beyond an auditor's reports.
        Section::Schedules | Section::Searches | Section::Reviews | Section::Identities if is_auditor => {
            false
        }
        Section::Runs
        | Section::Reports
        | Section::Sources
        | Section::Snapshots
        | Section::Verify
        | Section::Administration => true,
        Section::NewRun => session.may_start(),
        Section::Schedules => session.has(&READ),
        Section::Reviews => session.is_user && session.has(&READ),
        Section::Searches => {
            session.is_user && session.has(&["sp:saved-search:read", "sp:saved-search:manage"])
        }
        Section::Identities => session.may_search(),
    }
}

/// Who is signed in, as the head of a page shows it.
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) form_token: String,
}

/// What every page has.
pub(crate) struct Layout {
    pub(crate) title: String,
    pub(crate) who: Option<Who>,
    pub(crate) menu: Vec<Entry>,
    /// What has just been done.
    pub(crate) notice: &'static str,
    pub(crate) style: &'static str,
    pub(crate) htmx: &'static str,
    pub(crate) script: &'static str,
    pub(crate) icon: &'static str,
}

impl Layout {
    pub(crate) fn new(title: impl Into<String>, section: Section, session: Option<&Session>) -> Self {
        let who = session.map(|session| Who {
            name: session.name.clone(),
            kind: if session.is_user { "user" } else { "application" },
            form_token: session.form_token.clone(),
        });
        let offered =
            |(section, _, _): &(Section, _, _)| session.is_some_and(|session| may(session, *section));
        let entry = |(here, path, name)| Entry { path, name, is_here: here == section };
        Self {
            title: title.into(),
            menu: MENU.into_iter().filter(offered).map(entry).collect(),
            who,
            notice: "",
            style: assets::address("console.css"),
            htmx: assets::address("htmx.min.js"),
            script: assets::address("console.js"),
            icon: assets::address("icon.svg"),
        }
    }

    /// With what has just been done, by the word that a redirection left in the address.
    pub(crate) fn noticing(mut self, done: &str) -> Self {
        self.notice = match done {
            "cancelled" => "The run is cancelled.",
            "removed" => "It is removed.",
            "saved" => "It is saved.",
            "kept" => "The definition is kept. Every process of the service runs it within two seconds.",
            "paused" => "The schedule is paused.",
            "resumed" => "The schedule goes on.",
            "started" => "The run is started.",
            "executed" => "The search is started; its run appears under Runs.",
            "pinned" => "The snapshot is pinned.",
            "unpinned" => "The snapshot is no longer pinned.",
            "decided" => "The decisions are recorded.",
            "closed" => "The review is closed.",
            "created" => "The review is created.",
            "again" => "The notification is sent again.",
            _ => "",
        };
        self
    }

    /// What forms of this page repeat.
    pub(crate) fn form_token(&self) -> &str {
        self.who.as_ref().map_or("", |who| &who.form_token)
    }
}

/// A page.
pub(crate) fn html<T: Template>(status: StatusCode, template: &T) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            Problem::Fault.into_response()
        }
    }
}

/// A page that is as asked for.
pub(crate) fn shown<T: Template>(template: &T) -> Result<Response, Problem> {
    Ok(html(StatusCode::OK, template))
}

/// Leads to another page, by GET.
pub(crate) fn see_other(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(address) {
        Ok(address) => {
            response.headers_mut().insert(LOCATION, address);
            response
        }
        Err(_) => Problem::Fault.into_response(),
    }
}
