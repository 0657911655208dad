//! get-report-result.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query};
use crate::mapping::report_results;
use crate::openapi::Refusals;
use crate::state::AppState;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_wire::ReportResults;

/// Whose result, and in which order the results of a definition are looked through.
pub(crate) struct ResultRequest {
    id: String,
    completed: bool,
}

impl Input for ResultRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let completed = Query::of(&parts)?.flag("completed")?;
        Ok(Self { id: Id::of(&mut parts).await?.0, completed })
    }
}

/// Get report result
///
/// The result of a report that was run or is running. An id that is neither a task result nor a
/// task definition gives an empty object.
#[utoipa::path(
    get,
    path = "/reports/v1/{taskResultId}/result",
    operation_id = "getReportResult",
    tag = "Reports Data Extraction",
    params(
        ("taskResultId" = String, Path, description = "Id of the task result, or of the task definition."),
        ("completed" = Option<bool>, Query, description = "For a task definition: whether ended results come \
            first, the last ended first of all. Otherwise the last created comes first. Default false."),
    ),
    responses((status = 200, description = "The result or its state.", body = ReportResults), Refusals),
    security(
        ("userAuth" = ["sp:report:read", "sp:report:manage"]),
        ("applicationAuth" = ["sp:report:read", "sp:report:manage"]),
    ),
)]
pub(crate) async fn get_report_result(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    ResultRequest { id, completed }: ResultRequest,
) -> Result<Response, Failure> {
    let task = state.reports().result(&caller, &id, completed).await?;
    Ok(json(StatusCode::OK, &task.as_ref().map(report_results).unwrap_or_default()))
}
