//! One task of the list.

use super::answer::task_status;
use crate::access::{Allowed, ReadTasks};
use crate::failure::{Failure, json};
use crate::input::Id;
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::ids::TaskId;
use muster_wire::TaskStatus;

/// Get task status by id
///
/// A task that was accepted in the last 90 days, as it is now.
#[utoipa::path(
    get,
    path = "/{id}",
    operation_id = "getTaskStatus",
    tag = "Task Management",
    params(("id" = String, Path, description = "Id of the task; for a report, of the task result.")),
    responses((status = 200, description = "The task.", body = TaskStatus), NotFound),
)]
pub(crate) async fn get_task_status(
    Allowed { caller, .. }: Allowed<ReadTasks>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let task = state.reports().listed_task(&caller, &TaskId::new(id)).await?;
    Ok(json(StatusCode::OK, &task_status(&task, &state)))
}
