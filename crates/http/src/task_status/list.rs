//! The list of tasks, and that of tasks which wait or run.

use super::answer::task_status;
use super::filter::{live, task_filter};
use crate::access::{Allowed, ReadTasks};
use crate::collection::{Part, with_total};
use crate::failure::{Failure, json};
use crate::input::{Input, Query};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::Caller;
use muster_reports::error::shown;
use muster_reports::task::TaskState;
use muster_reports::task_list::{TaskFilter, TaskOrder, TaskQuery};
use muster_wire::{TaskCounts, TaskStatus};

/// Which tasks are asked for.
pub(crate) struct ListRequest(TaskQuery);

impl Input for ListRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let filter = query.text("filters").map(task_filter).transpose()?.unwrap_or_default();
        let order = match query.text("sorters").map(str::trim) {
            None | Some("-created") => TaskOrder::LastFirst,
            Some("created") => TaskOrder::FirstFirst,
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "sorters is {}: expected created or -created",
                    shown(other)
                )));
            }
        };
        Ok(Self(task_query(filter, order, Part::of(&query)?)))
    }
}

/// Which of the tasks that wait or run are asked for.
pub(crate) struct PendingRequest(TaskQuery);

impl Input for PendingRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        Ok(Self(task_query(live(), TaskOrder::LastFirst, Part::of(&Query::of(&parts)?)?)))
    }
}

fn task_query(filter: TaskFilter, order: TaskOrder, part: Part) -> TaskQuery {
    let Part { limit, offset, count } = part;
    TaskQuery { filter, order, offset, limit, counted: count }
}

async fn answer(state: &AppState, caller: &Caller, query: TaskQuery) -> Result<Response, Failure> {
    let page = state.reports().task_list(caller, query).await?;
    let tasks: Vec<_> = page.tasks.iter().map(|task| task_status(task, state)).collect();
    Ok(with_total(json(StatusCode::OK, &tasks), page.total))
}

/// Retrieve task status list
///
/// The tasks that were accepted in the last 90 days and that the caller may see: the runs of reports, whether they wait,
/// run or have ended.
#[utoipa::path(
    get,
    path = "",
    operation_id = "getTaskStatusList",
    tag = "Task Management",
    params(
        ("limit" = Option<i32>, Query, description = "Most tasks of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Tasks left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many tasks the whole list has."),
        ("filters" = Option<String>, Query, description = "Conditions joined by `and`. `id`, `sourceId`, `type` and \
            `launcher` have `eq` and `in`, `completionStatus` has `isnull` too. Texts are in double quotes.",
            example = "type eq \"QUARTZ\" and completionStatus isnull"),
        ("sorters" = Option<String>, Query, format = "comma-separated", description = "`created` or `-created`, which is the default. Tasks of one \
            time are in the order of acceptance.", example = "-created"),
    ),
    responses(
        (
            status = 200,
            description = "The tasks.",
            body = Vec<TaskStatus>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many tasks the whole list has.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_task_status_list(
    Allowed { caller, .. }: Allowed<ReadTasks>,
    state: AppState,
    ListRequest(query): ListRequest,
) -> Result<Response, Failure> {
    answer(&state, &caller, query).await
}

/// Which tasks are counted.
pub(crate) struct CountRequest(TaskFilter);

impl Input for CountRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        Ok(Self(Query::of(&parts)?.text("filters").map(task_filter).transpose()?.unwrap_or_default()))
    }
}

/// Count the tasks
///
/// How many tasks of the list are in each state, with one look at it.
#[utoipa::path(
    get,
    path = "/muster/v1/task-counts",
    operation_id = "countTasks",
    tag = "Muster",
    params(("filters" = Option<String>, Query, description = "Conditions, as in the list of tasks.",
        example = "launcher eq \"ada.lovelace\"")),
    responses((status = 200, description = "The numbers.", body = TaskCounts)),
)]
pub(crate) async fn count_tasks(
    Allowed { caller, .. }: Allowed<ReadTasks>,
    state: AppState,
    CountRequest(filter): CountRequest,
) -> Result<Response, Failure> {
    let counts = state.reports().task_counts(&caller, filter).await?;
    let of = |state: TaskState| counts.get(&state).copied().unwrap_or_default();
    let counts = TaskCounts {
        pending: of(TaskState::Pending),
        running: of(TaskState::Running),
        success: of(TaskState::Succeeded),
        warning: of(TaskState::Warned),
        error: of(TaskState::Failed),
        terminated: of(TaskState::Terminated),
    };
    Ok(json(StatusCode::OK, &counts))
}

/// Retrieve pending task status list
///
/// The tasks of the list that wait or run. Newer published versions have `completionStatus isnull` in the list instead.
#[utoipa::path(
    get,
    path = "/pending-tasks",
    operation_id = "getPendingTasks",
    tag = "Task Management",
    params(
        ("limit" = Option<i32>, Query, description = "Most tasks of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Tasks left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many tasks wait or run."),
    ),
    responses(
        (
            status = 200,
            description = "The tasks.",
            body = Vec<TaskStatus>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many tasks wait or run.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_pending_tasks(
    Allowed { caller, .. }: Allowed<ReadTasks>,
    state: AppState,
    PendingRequest(query): PendingRequest,
) -> Result<Response, Failure> {
    answer(&state, &caller, query).await
}
