//! Ending a task through the list, by a JSON patch.

use super::answer::task_status;
use crate::access::{Allowed, UpdateTask};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, json_body, json_type};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::DateTime;
use muster_reports::error::shown;
use muster_reports::ids::TaskId;
use muster_reports::service::ClearedAs;
use muster_wire::{JsonPatchOperation, TaskStatus};
use serde_json::{Map, Value};

/// Which task, and the end that it is to have.
pub(crate) struct UpdateRequest {
    id: TaskId,
    end: ClearedAs,
}

impl Input for UpdateRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = TaskId::new(Id::of(&mut parts).await?.0);
        let end = match json_body(state, &parts, body, "a list of JSON patch operations").await? {
            Some(Value::Array(operations)) => end_of(&operations)?,
            None => {
                return Err(Failure::invalid("the body is empty: expected a list of JSON patch operations"));
            }
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "the body is {}: expected a list of JSON patch operations",
                    json_type(&other)
                )));
            }
        };
        Ok(Self { id, end })
    }
}

/// The end that a patch gives a task: the last value of `/completionStatus`.
fn end_of(operations: &[Value]) -> Result<ClearedAs, Failure> {
    let mut end = None;
    for (number, operation) in (1..).zip(operations) {
        let refuse = |what: String| Failure::invalid(format!("operation {number} of the patch: {what}"));
        let Value::Object(operation) = operation else {
            return Err(refuse(format!("it is {}: expected an object", json_type(operation))));
        };
        match text(operation, "op").map_err(refuse)? {
            "replace" | "add" => {}
            other => return Err(refuse(format!("op is {}: expected replace or add", shown(other)))),
        }
        match text(operation, "path").map_err(refuse)? {
            "/completionStatus" => {
                end = Some(cleared_as(text(operation, "value").map_err(refuse)?).map_err(refuse)?);
            }
            // The time of the end is that of the service's clock, whatever the client's shows.
            "/completed" => check_time(text(operation, "value").map_err(refuse)?).map_err(refuse)?,
            other => {
                return Err(refuse(format!(
                    "path is {}: expected /completionStatus or /completed",
                    shown(other)
                )));
            }
        }
    }
    end.ok_or_else(|| {
        Failure::invalid("the patch does not replace /completionStatus: expected ERROR or TERMINATED")
    })
}

fn text<'o>(operation: &'o Map<String, Value>, name: &str) -> Result<&'o str, String> {
    match operation.get(name) {
        Some(Value::String(text)) => Ok(text),
        None => Err(format!("{name} is missing: expected a text")),
        Some(other) => Err(format!("{name} is {}: expected a text", json_type(other))),
    }
}

/// Any case: the published example has `Error`.
fn cleared_as(status: &str) -> Result<ClearedAs, String> {
    if status.eq_ignore_ascii_case("ERROR") {
        Ok(ClearedAs::Failed)
    } else if status.eq_ignore_ascii_case("TERMINATED") {
        Ok(ClearedAs::Terminated)
    } else {
        Err(format!("completionStatus is {}: expected ERROR or TERMINATED", shown(status)))
    }
}

/// The published example has a space between date and time.
fn check_time(text: &str) -> Result<(), String> {
    match DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("completed is {}: expected a time, 2024-05-17T19:33:16.470Z", shown(text))),
    }
}

/// Update task status by id
///
/// Ends a task that waits or runs: a patch replaces `/completionStatus` by `ERROR` or `TERMINATED`, in any case, and may
/// replace `/completed`, whose value is checked and not kept. A report that runs is stopped.
#[utoipa::path(
    patch,
    path = "/{id}",
    operation_id = "updateTaskStatus",
    tag = "Task Management",
    params(("id" = String, Path, description = "Id of the task; for a report, of the task result.")),
    request_body(
        content = Vec<JsonPatchOperation>,
        content_type = "application/json-patch+json",
        description = "The operations.",
    ),
    responses((status = 200, description = "The task as it is then.", body = TaskStatus), NotFound),
)]
pub(crate) async fn update_task_status(
    Allowed { caller, .. }: Allowed<UpdateTask>,
    state: AppState,
    UpdateRequest { id, end }: UpdateRequest,
) -> Result<Response, Failure> {
    let task = state.reports().clear(&caller, &id, end).await?;
    Ok(json(StatusCode::OK, &task_status(&task, &state)))
}
