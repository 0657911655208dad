//! Two runs of one report compared: a route of our own.

use super::disposition::content_disposition;
use super::file_answer::{FileAnswer, NO_STORE};
use crate::access::{Allowed, Download};
use crate::failure::Failure;
use crate::input::{Id, Input, Query};
use crate::openapi::answers::{NotFound, ReportFile};
use crate::state::AppState;
use crate::task_json;
use axum::body::Body;
use axum::http::Method;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::error::shown;
use muster_reports::ids::TaskId;
use muster_reports::made::{Compared, ComparisonForm};
use muster_wire::ReportComparison;

/// What the file is called in the log.
const COMPARISON: &str = "a comparison";
/// Key columns that a request may name.
const KEYS_MAX: usize = 16;

/// Which runs, by which columns, in which form; a HEAD compares nothing.
pub(crate) struct ComparisonRequest {
    old: TaskId,
    new: TaskId,
    keys: Vec<String>,
    form: ComparisonForm,
    method: Method,
}

impl Input for ComparisonRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let keys: Vec<_> = query.texts("key").map(str::to_owned).collect();
        if keys.len() > KEYS_MAX {
            return Err(Failure::invalid(format!(
                "the request names {} keys: expected at most {KEYS_MAX}",
                keys.len()
            )));
        }
        let (old, last) = Id::and_part(&mut parts).await?;
        let (new, form) = match last.rsplit_once('.') {
            None => (last.as_str(), ComparisonForm::Csv),
            Some((new, "csv")) => (new, ComparisonForm::Csv),
            Some((new, "html")) => (new, ComparisonForm::Page),
            Some((new, "json")) => (new, ComparisonForm::Counts),
            Some((_, other)) => {
                return Err(Failure::invalid(format!(
                    "the format of the comparison is {}: expected csv, html or json",
                    shown(other)
                )));
            }
        };
        Ok(Self { old: TaskId::new(old), new: TaskId::new(new), keys, form, method: parts.method })
    }
}

/// Compare two runs of a report
///
/// The rows that were added, removed or changed between two runs of one report, from their CSV files. Rows are told
/// apart by the report's own key columns, or by those that the request names. `{other}` is the id of the later run. With
/// `.html` after the id, the answer is a page to read; with `.json`, the counts alone; with `.csv` or nothing, a CSV file
/// of the columns `change`, the keys, `column`, `old`, `new`. It is made for each request, so there are no ranges. It is
/// recorded in the audit trail, for both runs, before its first byte.
#[utoipa::path(
    get,
    path = "/muster/v1/reports/{id}/compare/{other}",
    operation_id = "compareReports",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "Id of the earlier task result."),
        ("other" = String, Path, description = "Id of the later task result; `.csv`, `.html` or `.json` may follow."),
        ("key" = Option<Vec<String>>, Query, description = "A column that, with the others, tells rows apart; by \
            default those of the report's definition."),
    ),
    responses(
        (
            status = 200,
            description = "What differs.",
            content(
                (ReportFile = "application/csv"),
                (String = "text/html; charset=utf-8"),
                (ReportComparison = "application/json"),
            ),
            headers(
                ("Content-Disposition" = String, description = "`comparison-` and both ids, with `.csv`."),
                ("Repr-Digest" = String, description = "SHA-256 of the file (RFC 9530)."),
            ),
        ),
        NotFound,
    ),
)]
pub(crate) async fn compare_reports(
    Allowed { caller, .. }: Allowed<Download>,
    state: AppState,
    ComparisonRequest { old, new, keys, form, method }: ComparisonRequest,
) -> Result<Response, Failure> {
    let reports = state.reports();
    let (old, new) = reports.compare(&caller, &old, &new).await?;
    let comparer = &state.inner().wiring.comparer;
    let answer = presented(form, &old.task.id, &new.task.id);
    let mut response = if method == Method::HEAD {
        answer.not_made()?
    } else {
        let Compared { counts, file } = comparer.compare(&caller.client, &old, &new, keys, form).await?;
        let sha256 = file.as_ref().map(|file| file.sha256.clone());
        let response = match file {
            Some(file) => answer.made(file, COMPARISON).await?,
            None => answer.of(counted(&task_json::comparison(&old.task, &new.task, counts))?)?,
        };
        reports.record_comparison(&caller, &old.task, &new.task, sha256.as_deref()).await?;
        response
    };
    if form == ComparisonForm::Page {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(comparer.page_policy()));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    Ok(response)
}

fn counted(counts: &ReportComparison) -> Result<Body, Failure> {
    let json = serde_json::to_vec(counts);
    Ok(json.map_err(|error| Failure::internal("the answer could not be written as JSON", error))?.into())
}

fn presented(form: ComparisonForm, old: &TaskId, new: &TaskId) -> FileAnswer<'static> {
    let (media_type, disposition) = match form {
        ComparisonForm::Counts => ("application/json", None),
        ComparisonForm::Csv => {
            let name = format!("comparison-{old}-{new}");
            ("application/csv", Some(content_disposition(Some(&name), COMPARISON, "csv")))
        }
        ComparisonForm::Page => ("text/html; charset=utf-8", None),
    };
    FileAnswer { media_type, disposition, caching: NO_STORE }
}
