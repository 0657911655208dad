//! The reports that are installed: built-in ones and those of this installation, each with what it takes and what it gives.

use crate::api::encoded;
use crate::fields::Fields;
use crate::new_run::{definition, definitions};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use muster_wire::{ArgumentDescription, KeptDefinitionDescription, ReportDescription};
use serde_json::Value;

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    layout: Layout,
    /// Each with the address of its page.
    reports: Vec<(String, ReportDescription)>,
    may_define: bool,
}

/// The list.
pub(crate) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let reports = definitions(&visitor).await?.into_iter();
    shown(&ReportsPage {
        layout: Layout::new("Reports", Section::Reports, Some(&visitor.session)).noticing(query.text("done")),
        may_define: visitor.session.may_define(),
        reports: reports.map(|report| (format!("/ui/reports/{}", encoded(&report.id)), report)).collect(),
    })
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    layout: Layout,
    report: ReportDescription,
    arguments: Vec<Argument>,
    /// Columns that follow from the data.
    further_columns: &'static str,
    /// The page of its versions; empty for a built-in report, and one of a file.
    definition: String,
    /// The form of a new run; empty where the visitor may start none.
    run: String,
}

struct Argument {
    name: String,
    expected: String,
    required: bool,
    default: String,
    meaning: String,
}

fn argument(given: &ArgumentDescription) -> Argument {
    let default = match &given.default {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(several) => {
            several.iter().map(|one| one.as_str().unwrap_or_default()).collect::<Vec<_>>().join(", ")
        }
        other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => other.to_string(),
    };
    Argument {
        name: given.name.clone(),
        expected: given.expected.replace('`', ""),
        required: given.required,
        default,
        meaning: given.meaning.replace('`', ""),
    }
}

/// One report.
pub(crate) async fn one(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let report = definition(&visitor, &id).await?;
    let kept = match report.built_in {
        true => Vec::new(),
        false => visitor.api.get::<Vec<KeptDefinitionDescription>>("/muster/v1/report-definitions").await?,
    };
    shown(&ReportPage {
        definition: match kept.iter().any(|kept| kept.id == report.id) {
            true => format!("/ui/definitions/{}", encoded(&report.id)),
            false => String::new(),
        },
        layout: Layout::new(report.name.as_str(), Section::Reports, Some(&visitor.session)),
        arguments: report.arguments.iter().map(argument).collect(),
        further_columns: match report.attribute_columns.as_deref() {
            Some("identity") => "Then a column for each identity attribute.",
            Some("source") => "Then a column for each account attribute of the source.",
            Some(_) | None => "",
        },
        run: if visitor.session.may_start() {
            format!("/ui/new/{}", encoded(&report.id))
        } else {
            String::new()
        },
        report,
    })
}
