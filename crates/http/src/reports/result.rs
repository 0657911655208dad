//! get-report-result.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use crate::task_json::{listed_result, report_results, task_result_details_of};
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::error::shown;
use muster_wire::{ListedResult, ReportResults, TaskResultDetails};

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
    path = "/{taskResultId}/result",
    operation_id = "getReportResult",
    tag = "Reports Data Extraction",
    params(
        ("taskResultId" = String, Path, description = "Id of the task result, or of the task definition."),
        ("completed" = Option<bool>, Query, description = "For a task definition: whether ended results come \
            first, the last ended first of all. Otherwise the last created comes first. Default false."),
    ),
    responses((status = 200, description = "The result or its state.", body = ReportResults)),
)]
pub(crate) async fn get_report_result(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    ResultRequest { id, completed }: ResultRequest,
) -> Result<Response, Failure> {
    let task = state.reports().result(&caller, &id, completed).await?;
    let Some(task) = task else { return Ok(json(StatusCode::OK, &ReportResults::default())) };
    let lives = state.reports().lives([&task]).await?;
    Ok(json(StatusCode::OK, &report_results(&task, lives.get(&task.id))))
}

/// List the results
///
/// The results and states of the reports that were started last and that the caller may see, the last of all first:
/// of the last 100. Each says how long its files are kept.
#[utoipa::path(
    get,
    path = "/muster/v1/results",
    operation_id = "listReportResults",
    tag = "Muster",
    responses((status = 200, description = "The results.", body = Vec<ListedResult>)),
)]
pub(crate) async fn list_results(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let tasks = state.reports().last(&caller).await?;
    let lives = state.reports().lives(&tasks).await?;
    let results: Vec<_> = tasks.iter().map(|task| listed_result(task, lives.get(&task.id))).collect();
    Ok(json(StatusCode::OK, &results))
}

/// Get the task of a report
///
/// A report's task as it is now, or as it ended: what start-report answers, with `completionStatus` and every
/// message once it has ended. The last run where the id is that of a task definition. The attributes `expires`, `expired`
/// and `hold` say how long its files are kept.
#[utoipa::path(
    get,
    path = "/muster/v1/reports/{id}/result",
    operation_id = "getTaskResult",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the task result, or of the task definition.")),
    responses((status = 200, description = "The task.", body = TaskResultDetails), NotFound),
)]
pub(crate) async fn get_task_result(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let task = state.reports().result(&caller, &id, false).await?;
    let task = task.ok_or_else(|| Failure::not_found(format!("there is no report result {}", shown(&id))))?;
    let lives = state.reports().lives([&task]).await?;
    Ok(json(StatusCode::OK, &task_result_details_of(&task, lives.get(&task.id), state.settings())))
}
