//! Starting a run: the reports that there are, and a form for each of them.

use crate::api::{Refusal, encoded};
use crate::arguments::{Form, FormFields, SourceChoice, fields, values};
use crate::fields::Fields;
use crate::form::Posted;
use crate::page::{Layout, Section, html, see_other, shown};
use crate::preview::{Preview, preview, search_fields};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{ReportDescription, SearchFieldsDescription, TaskResultDetails};
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "new.html")]
struct KindsPage {
    layout: Layout,
    kinds: Vec<Kind>,
}

struct Kind {
    address: String,
    /// The page of its definition.
    about: String,
    report: ReportDescription,
}

/// The reports that can be started.
pub(crate) async fn definitions(visitor: &Visitor) -> Result<Vec<ReportDescription>, Refusal> {
    visitor.api.get("/muster/v1/reports").await
}

/// The sources that a form offers; none where the visitor may not see them.
pub(crate) async fn sources(visitor: &Visitor) -> Result<Vec<SourceChoice>, Problem> {
    let listed: Result<Vec<Value>, Refusal> = visitor.api.get("/muster/v1/sources").await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(refusal) if matches!(refusal.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => Vec::new(),
        Err(refusal) => return Err(refusal.into()),
    };
    let choice = |source: &Value| SourceChoice {
        id: source["id"].as_str().unwrap_or_default().to_owned(),
        name: source["name"].as_str().unwrap_or_default().to_owned(),
        authoritative: source["authoritative"].as_bool().unwrap_or(false),
    };
    Ok(listed.iter().map(choice).collect())
}

/// The definition of an id.
pub(crate) async fn definition(visitor: &Visitor, id: &str) -> Result<ReportDescription, Problem> {
    let found = definitions(visitor).await?.into_iter().find(|report| report.id == id);
    found.ok_or(Problem::NoSuchPage)
}

/// The list.
pub(crate) async fn kinds(visitor: Visitor) -> Result<Response, Problem> {
    let kinds = definitions(&visitor).await?;
    let kind = |report: ReportDescription| Kind {
        address: format!("/ui/new/{}", encoded(&report.id)),
        about: format!("/ui/reports/{}", encoded(&report.id)),
        report,
    };
    shown(&KindsPage {
        layout: Layout::new("New run", Section::NewRun, Some(&visitor.session)),
        kinds: kinds.into_iter().map(kind).collect(),
    })
}

#[derive(Template)]
#[template(path = "new_run.html")]
struct NewRunPage {
    layout: Layout,
    report: ReportDescription,
    fields: FormFields,
    as_of: String,
    /// Why the run was not started.
    error: String,
    as_of_error: String,
    preview: Preview,
    is_search: bool,
    /// The fields that the query can name.
    search_fields: Vec<SearchFieldsDescription>,
    here: String,
}

/// Whether a report has a query that people write.
pub(crate) fn is_search(report: &ReportDescription) -> bool {
    report.arguments.iter().any(|argument| argument.kind == "query")
}

async fn asked(
    visitor: &Visitor,
    report: ReportDescription,
    sources: &[SourceChoice],
    given: &Fields,
    refused: Option<&Refusal>,
    preview: Preview,
) -> Result<Response, Problem> {
    let error = refused.map(|refusal| refusal.text.clone()).unwrap_or_default();
    let status = refused.map_or(StatusCode::OK, |refusal| refusal.status);
    let of_date = error.starts_with("asOf") || error.contains("snapshot");
    let page = NewRunPage {
        layout: Layout::new(format!("New run: {}", report.name), Section::NewRun, Some(&visitor.session)),
        fields: fields(&report.arguments, sources, given, &error),
        as_of: given.text("asOf").to_owned(),
        as_of_error: if of_date { error.clone() } else { String::new() },
        error,
        preview,
        is_search: is_search(&report),
        search_fields: match is_search(&report) {
            true => search_fields(visitor).await?,
            false => Vec::new(),
        },
        here: format!("/ui/new/{}", encoded(&report.id)),
        report,
    };
    Ok(html(status, &page))
}

/// The form, filled in with what the address says.
pub(crate) async fn form(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let given = Fields::read(&query.unwrap_or_default());
    let report = definition(&visitor, &id).await?;
    let sources = sources(&visitor).await?;
    let preview = match given.has("query") && is_search(&report) {
        true => preview(&visitor, &values(&report.arguments, &sources, &given)).await?,
        false => Preview::default(),
    };
    asked(&visitor, report, &sources, &given, None, preview).await
}

/// Starts the run, or shows what a search would find.
pub(crate) async fn start(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let Posted { visitor, fields: given } = posted;
    let report = definition(&visitor, &id).await?;
    let sources = sources(&visitor).await?;
    let arguments = values(&report.arguments, &sources, &given);
    if given.text("do") != "run" && is_search(&report) {
        let preview = preview(&visitor, &arguments).await?;
        return asked(&visitor, report, &sources, &given, None, preview).await;
    }
    let mut body = json!({"arguments": arguments});
    if !given.text("asOf").is_empty() {
        body["asOf"] = Value::from(given.text("asOf"));
    }
    let address = format!("/muster/v1/reports/{}/run", encoded(&report.id));
    match visitor.api.send::<TaskResultDetails>(Method::POST, &address, &body).await {
        Ok(started) => {
            let id = started.body.id.unwrap_or_default();
            Ok(see_other(&format!("/ui/runs/{}?done=started", encoded(&id))))
        }
        Err(refusal) if refusal.is_about_input() => {
            let mut shown = Preview::default();
            if is_search(&report) {
                shown = preview(&visitor, &arguments).await?;
            }
            asked(&visitor, report, &sources, &given, Some(&refusal), shown).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}
