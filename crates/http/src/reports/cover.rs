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
    let task = task.ok_or_else(|| Failure::not_found(format!("there is no report result {id:?}")))?;
    match &task.result {
        Some(result) => Ok(json_bytes(StatusCode::OK, result.cover.clone())),
        None => Err(Failure::not_found(why_no_cover(&task))),
    }
}

fn why_no_cover(task: &Task) -> String {
    let id = &task.id;
    match task.state {
        TaskState::Pending | TaskState::Running => format!("report result {id} has not ended yet"),
        TaskState::Terminated => format!("report result {id} was cancelled: it has no cover"),
        TaskState::Succeeded | TaskState::Warned | TaskState::Failed => {
            format!("report result {id} failed{}: it has no cover", task.failure_reason())
        }
    }
}
