//! Two runs of one report, compared.

use crate::api::encoded;
use crate::fields::Fields;
use crate::files::passed;
use crate::look::count;
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::header::HeaderMap;
use axum::response::Response;
use muster_wire::{ReportComparison, TaskResultDetails};

struct Side {
    name: &'static str,
    address: String,
    created: crate::look::Moment,
    launcher: String,
}

struct Number {
    name: &'static str,
    rows: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    layout: Layout,
    report: String,
    sides: Vec<Side>,
    numbers: Vec<Number>,
    keys: String,
    columns: Vec<String>,
    page: String,
    csv: String,
}

/// Where the API compares; the later run has the form after it.
fn address(old: &str, new: &str, form: &str) -> String {
    format!("/muster/v1/reports/{}/compare/{}.{form}", encoded(old), encoded(new))
}

/// The page: `?old=...&new=...`.
pub(crate) async fn compare(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let (old, new) = (query.text("old"), query.text("new"));
    let counted: ReportComparison = visitor.api.get(&address(old, new, "json")).await?;
    let mut sides = Vec::new();
    let mut report = String::new();
    for (name, id) in [("Earlier run", old), ("Later run", new)] {
        let run: TaskResultDetails =
            visitor.api.get(&format!("/muster/v1/reports/{}/result", encoded(id))).await?;
        report = run.task_def_name.unwrap_or_default();
        sides.push(Side {
            name,
            address: format!("/ui/runs/{}", encoded(id)),
            created: crate::look::Moment::of(run.created.as_deref()),
            launcher: run.launcher.unwrap_or_default(),
        });
    }
    let number = |name, rows| Number { name, rows: count(rows) };
    let changed_columns = |columns: &[String], what: &str| {
        (!columns.is_empty())
            .then(|| format!("Columns that only the {what} run has: {}.", columns.join(", ")))
    };
    let below = format!("/ui/compare/{}/{}", encoded(old), encoded(new));
    shown(&ComparePage {
        layout: Layout::new("Two runs compared", Section::Runs, Some(&visitor.session)),
        report,
        sides,
        numbers: vec![
            number("Added", counted.added),
            number("Removed", counted.removed),
            number("Changed", counted.changed),
            number("Unchanged", counted.unchanged),
        ],
        keys: counted.keys.join(", "),
        columns: [
            changed_columns(&counted.columns_added, "later"),
            changed_columns(&counted.columns_removed, "earlier"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        page: format!("{below}/html"),
        csv: format!("{below}/csv"),
    })
}

/// The differences as the API makes them: a page to read, or a CSV file.
pub(crate) async fn made(
    visitor: Visitor,
    Path((old, new, form)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match form.as_str() {
        "html" | "csv" => passed(&visitor, &address(&old, &new, &form), &headers).await,
        _ => Err(Problem::NoSuchPage),
    }
}
