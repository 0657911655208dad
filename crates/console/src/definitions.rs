//! Definitions of reports that this installation makes: a form that checks a text and keeps it, the versions that are kept,
//! and removing a report.

use crate::api::{Counted, Refusal, encoded};
use crate::fields::{Fields, address};
use crate::form::Posted;
use crate::look::Moment;
use crate::page::{Layout, Section, html, see_other, shown};
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{
    DefinitionCheck, DefinitionFaultDescription, KeptDefinitionDescription, NewDefinitionDetails,
};
use serde_json::{Value, json};

const ROUTE: &str = "/muster/v1/report-definitions";
/// The id in the text that a new report begins with.
const FIRST_ID: &str = "MY_REPORT";

/// Something that is wrong, with the line of the text.
struct Fault {
    line: String,
    key: String,
    reason: String,
    /// What the line says.
    said: String,
}

fn fault(given: DefinitionFaultDescription, text: &str) -> Fault {
    let said = given.line.and_then(|line| text.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?));
    Fault {
        line: given.line.map(|line| line.to_string()).unwrap_or_default(),
        key: given.key.unwrap_or_default(),
        reason: given.reason,
        said: said.unwrap_or_default().trim().to_owned(),
    }
}

#[derive(Template)]
#[template(path = "new_definition.html")]
struct FormPage {
    layout: Layout,
    text: String,
    /// Why it was not kept.
    error: String,
    /// What a check found; nothing if there was none.
    checked: Option<Vec<Fault>>,
}

fn form_page(
    visitor: &Visitor,
    text: String,
    refused: Option<&Refusal>,
    checked: Option<Vec<Fault>>,
) -> Response {
    let page = FormPage {
        layout: Layout::new("New definition", Section::Reports, Some(&visitor.session)),
        text,
        error: refused.map(|refusal| refusal.text.clone()).unwrap_or_default(),
        checked,
    };
    html(refused.map_or(StatusCode::OK, |refusal| refusal.status), &page)
}

async fn versions(visitor: &Visitor, id: &str) -> Result<Vec<KeptDefinitionDescription>, Refusal> {
    visitor.api.get(&format!("{ROUTE}/{}", encoded(id))).await
}

/// The form: with a text to begin with, or with `?of=` the newest text of a report.
pub(crate) async fn form(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let text = match query.text("of") {
        "" => NewDefinitionDetails::template(FIRST_ID),
        id => versions(&visitor, id).await?.into_iter().next().and_then(|kept| kept.text).unwrap_or_default(),
    };
    Ok(form_page(&visitor, text, None, None))
}

async fn checked(visitor: &Visitor, text: &str) -> Result<Vec<Fault>, Refusal> {
    let body = json!({"text": text, "checkOnly": true});
    let found: Counted<DefinitionCheck> = visitor.api.send(Method::POST, ROUTE, &body).await?;
    Ok(found.body.faults.into_iter().map(|found| fault(found, text)).collect())
}

/// Checks a text, or keeps it.
pub(crate) async fn keep(posted: Posted) -> Result<Response, Problem> {
    let Posted { visitor, fields } = posted;
    // Browsers send the ends of lines as two characters.
    let text = fields.exact("text").replace("\r\n", "\n");
    if fields.text("do") != "keep" {
        let found = checked(&visitor, &text).await?;
        return Ok(form_page(&visitor, text, None, Some(found)));
    }
    let kept: Result<Counted<KeptDefinitionDescription>, Refusal> =
        visitor.api.send(Method::POST, ROUTE, &json!({"text": text})).await;
    match kept {
        Ok(kept) => Ok(see_other(&format!("/ui/definitions/{}?done=kept", encoded(&kept.body.id)))),
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
            // What only keeping finds, such as a version that is not greater, has no line.
            let found = checked(&visitor, &text).await.ok().filter(|found| !found.is_empty());
            Ok(form_page(&visitor, text, Some(&refusal), found))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

struct Version {
    number: u32,
    added: Moment,
    by: String,
    sha256: String,
    text: String,
}

#[derive(Template)]
#[template(path = "definition.html")]
struct DefinitionPage {
    layout: Layout,
    id: String,
    versions: Vec<Version>,
    /// The report, as all see it.
    report: String,
    here: String,
    /// The form with its newest text.
    again: String,
    may_change: bool,
}

/// The versions of a report, the newest first.
pub(crate) async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let kept = versions(&visitor, &id).await?;
    let version = |kept: KeptDefinitionDescription| Version {
        number: kept.version,
        added: Moment::of(Some(&kept.added)),
        by: kept.added_by,
        sha256: kept.sha256,
        text: kept.text.unwrap_or_default(),
    };
    shown(&DefinitionPage {
        layout: Layout::new(format!("Definition of {id}"), Section::Reports, Some(&visitor.session))
            .noticing(query.text("done")),
        versions: kept.into_iter().map(version).collect(),
        report: format!("/ui/reports/{}", encoded(&id)),
        here: format!("/ui/definitions/{}", encoded(&id)),
        again: address("/ui/definitions", [("of", id.clone())]),
        may_change: visitor.session.may_define(),
        id,
    })
}

const REMOVE: Question = Question {
    section: Section::Reports,
    title: "Remove a report",
    consequence: "Nobody can start it any more, and schedules of it fail. Its versions and its results stay. Keeping the \
        definition again brings it back.",
    yes: "Remove the report",
    word: "remove",
};

/// Asks whether to remove it.
pub(crate) async fn ask_remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let _: Value = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    REMOVE.ask(&visitor, format!("Remove the report {id}?"), format!("/ui/definitions/{}", encoded(&id)))
}

/// Removes it.
pub(crate) async fn remove(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    act(&posted, Method::DELETE, &format!("{ROUTE}/{}", encoded(&id)), "/ui/reports?done=removed").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_shows_its_line() {
        let given =
            DefinitionFaultDescription { key: Some("row".into()), line: Some(2), reason: "is empty".into() };
        let found = fault(given, "id = \"A\"\n  row = \"\"\n");
        assert_eq!((found.line.as_str(), found.said.as_str()), ("2", "row = \"\""));
        let without = fault(DefinitionFaultDescription { key: None, line: None, reason: "x".into() }, "a");
        assert_eq!((without.line.as_str(), without.said.as_str()), ("", ""));
        let outside = DefinitionFaultDescription { key: None, line: Some(9), reason: "x".into() };
        assert_eq!(fault(outside, "a").said, "");
    }
}
