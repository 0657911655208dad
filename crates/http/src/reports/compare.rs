//! Two runs of one report compared: a route of our own.

use super::disposition::content_disposition;
use super::file::repr_digest;
use super::stream;
use crate::access::{Allowed, Download};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query};
use crate::mapping;
use crate::openapi::{NotFound, Refusals, ReportFile};
use crate::state::AppState;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures_util::stream::empty;
use muster_reports::error::shown;
use muster_reports::ids::TaskId;
use muster_reports::made::ComparisonForm;
use std::io;

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
            return Err(Failure::invalid(format!("{} keys: expected at most {KEYS_MAX}", keys.len())));
        }
        let (old, last) = Id::and_part(&mut parts).await?;
        let (new, form) = match last.rsplit_once('.') {
            None => (last.as_str(), ComparisonForm::Csv),
            Some((new, "csv")) => (new, ComparisonForm::Csv),
            Some((new, "html")) => (new, ComparisonForm::Page),
            Some((new, "json")) => (new, ComparisonForm::Counts),
            Some((_, other)) => {
                return Err(Failure::invalid(format!(
                    "the comparison is asked for as {}: expected csv, html or json",
                    shown(other)
                )));
            }
        };
        Ok(Self { old: TaskId::new(old), new: TaskId::new(new), keys, form, method: parts.method })
    }
}

/// Compare two runs of a report
///
/// The rows that came, went and changed between two runs of one report, from their CSV files. Rows are told apart by
/// the report's own key columns, or by those that the request names. `{other}` is the id of the later run; with
/// `.html` behind it the answer is a page to read, with `.json` the counts alone, with `.csv` or nothing a CSV file of
/// the columns `change`, the keys, `column`, `old`, `new`. It is made anew for each request, so there are no ranges,
/// and recorded in the audit trail, for both runs, before its first byte.
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
                (muster_wire::ReportComparison = "application/json"),
            ),
            headers(
                ("Content-Disposition" = String, description = "`comparison-` and both ids, with `.csv`."),
                ("Repr-Digest" = String, description = "SHA-256 of the file (RFC 9530)."),
            ),
        ),
        Refusals,
        NotFound,
    ),
    security(
        ("userAuth" = ["sp:report:read", "sp:report:manage"]),
        ("applicationAuth" = ["sp:report:read", "sp:report:manage"]),
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
    let mut response = if method == Method::HEAD {
        // Without a length: what is not made has none.
        Response::new(Body::from_stream(empty::<io::Result<Vec<u8>>>()))
    } else {
        let (old_task, new_task) = (old.task.clone(), new.task.clone());
        let compared = comparer.compare(&caller.client, &old, &new, keys, form).await?;
        match compared.file {
            None => {
                reports.record_comparison(&caller, &old_task, &new_task, None).await?;
                json(StatusCode::OK, &mapping::comparison(&old_task, &new_task, compared.counts))
            }
            Some(made) => {
                let (bytes, sha256) = (made.bytes, made.sha256.clone());
                let digest = repr_digest(&sha256)?;
                let body = stream::of_made(made, COMPARISON).await?;
                reports.record_comparison(&caller, &old_task, &new_task, Some(&sha256)).await?;
                let mut response = Response::new(body);
                response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
                response.headers_mut().insert(HeaderName::from_static("repr-digest"), digest);
                response
            }
        }
    };
    let headers = response.headers_mut();
    match form {
        ComparisonForm::Counts => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        ComparisonForm::Csv => {
            let name = format!("comparison-{}-{}", old.task.id, new.task.id);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/csv"));
            headers.insert(CONTENT_DISPOSITION, content_disposition(Some(&name), COMPARISON, "csv"));
        }
        ComparisonForm::Page => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(comparer.page_policy()));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
