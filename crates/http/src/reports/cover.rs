//! The cover of a result: a route of our own.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json_bytes};
use crate::input::Id;
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::{Task, TaskState};

/// Get the cover of a report
///
/// What an auditor asks of a report: its source, logic, parameters, completeness and accuracy, and the
/// digest of each file.
#[utoipa::path(
    get,
    path = "/{taskResultId}/cover",
    operation_id = "getReportCover",
    tag = "Muster",
    params(("taskResultId" = String, Path, description = "Id of the task result.")),
    responses((status = 200, description = "The cover.", body = Object), NotFound),
)]
pub(crate) async fn get_cover(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    // The use case takes a task definition id as well; a cover belongs to one task.
    let task = state.reports().result(&caller, &id, true).await?.filter(|task| task.id.as_str() == id);
    let why = task.as_ref().map(Task::failure_reason).unwrap_or_default();
    let missing = match task.as_ref().map(|task| (task.state, &task.result)) {
        None => format!("there is no report result {id:?}"),
        Some((_, Some(result))) => return Ok(json_bytes(StatusCode::OK, result.cover.clone())),
        Some((TaskState::Pending | TaskState::Running, None)) => {
            format!("report result {id} has not ended yet")
        }
        Some((TaskState::Terminated, None)) => format!("report result {id} was cancelled: it has no cover"),
        Some((TaskState::Succeeded | TaskState::Warned | TaskState::Failed, None)) => {
            format!("report result {id} failed{why}: it has no cover")
        }
    };
    Err(Failure::not_found(missing))
}
