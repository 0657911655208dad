//! Schedules: routes of our own.

use crate::access::{Allowed, ManageSchedules, ReadSchedules};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, json_object, json_type};
use crate::notifications::{described, entries};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::error::shown;
use muster_reports::ids::{ReportId, ScheduleId};
use muster_reports::nearest::hint;
use muster_reports::schedule::ScheduleForm;
use muster_reports::scheduled::{NewSchedule, ScheduledEntry, ScheduledRun, ScheduledWork};
use muster_wire::{NewScheduleDetails, ScheduleChange, ScheduleDescription, ScheduleRun};
use serde_json::{Map, Value};

/// Runs of a schedule that an answer has.
const RUNS_SHOWN: u32 = 20;

fn run(run: &ScheduledRun) -> ScheduleRun {
    ScheduleRun {
        due: timestamp(run.due),
        missed_since: run.missed_since.map(timestamp),
        state: run.state.as_str().into(),
        attempts: run.attempts,
        task_result_id: run.task.as_ref().map(ToString::to_string),
        message: run.message.clone(),
        ended: run.ended.map(timestamp),
    }
}

fn description(entry: &ScheduledEntry, runs: Option<&[ScheduledRun]>) -> ScheduleDescription {
    let arguments = match &entry.work {
        ScheduledWork::Report { arguments, .. } => Some(arguments.clone()),
        ScheduledWork::Refresh | ScheduledWork::Search(_) | ScheduledWork::Policy(_) => None,
    };
    ScheduleDescription {
        id: entry.id.to_string(),
        name: entry.shown_name().to_owned(),
        owner: entry.owner.launcher().to_owned(),
        client_id: entry.owner.client.to_string(),
        report_id: entry.work.report().map(ToString::to_string),
        arguments,
        refresh: entry.work.refreshes(),
        schedule: serde_json::to_value(&entry.form).unwrap_or_default(),
        notify: entry.notify.iter().map(described).collect(),
        paused: entry.paused,
        created: timestamp(entry.created),
        next_run: entry.due.map(timestamp),
        runs: runs.map(|runs| runs.iter().map(run).collect()),
    }
}

/// Refuses members that a body does not have: a misspelt one would be dropped in silence.
fn check_members(object: &Map<String, Value>, known: &[&str]) -> Result<(), Failure> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(stranger) => Err(Failure::invalid(format!(
            "the body has the unknown member {}{}; expected {}",
            shown(stranger),
            hint(stranger, known.iter().copied()),
            known.join(", ")
        ))),
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Result<String, Failure> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        None => Err(Failure::invalid(format!("{name} is missing: expected a text"))),
        Some(other) => Err(Failure::invalid(format!("{name} is {}: expected a text", json_type(other)))),
    }
}

/// The times of a body, in either form.
fn form(object: &Map<String, Value>) -> Result<ScheduleForm, Failure> {
    let value = match object.get("schedule") {
        Some(value @ Value::Object(_)) => value,
        None => {
            return Err(Failure::invalid("schedule is missing: expected an object with `cron` or `type`"));
        }
        Some(other) => {
            return Err(Failure::invalid(format!("schedule is {}: expected an object", json_type(other))));
        }
    };
    serde_json::from_value(value.clone()).map_err(|error| Failure::invalid(format!("schedule: {error}")))
}

impl Input for NewSchedule {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["name", "reportId", "arguments", "schedule", "notify"])?;
        let arguments = match object.get("arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments.clone(),
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "arguments is {}: expected an object",
                    json_type(other)
                )));
            }
        };
        let report = ReportId::new(text(&object, "reportId")?);
        let work = ScheduledWork::Report { report, arguments, refresh_first: false };
        let notify = entries(object.get("notify"))?;
        Ok(Self { name: text(&object, "name")?, work, form: form(&object)?, notify })
    }
}

/// Which schedule is changed, and whether it is paused then.
pub(crate) struct ChangeRequest {
    id: ScheduleId,
    paused: bool,
}

impl Input for ChangeRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = ScheduleId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["paused"])?;
        match object.get("paused") {
            Some(Value::Bool(paused)) => Ok(Self { id, paused: *paused }),
            None => Err(Failure::invalid("paused is missing: expected true or false")),
            Some(other) => {
                Err(Failure::invalid(format!("paused is {}: expected true or false", json_type(other))))
            }
        }
    }
}

/// List the schedules
///
/// The schedules of the caller's credential, by name; all of the tenant for an administrator of the organisation.
#[utoipa::path(
    get,
    path = "/muster/v1/schedules",
    operation_id = "listSchedules",
    tag = "Muster",
    responses((status = 200, description = "The schedules.", body = Vec<ScheduleDescription>)),
)]
pub(crate) async fn list_schedules(
    Allowed { caller, .. }: Allowed<ReadSchedules>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let entries = state.schedules().list(&caller).await?;
    Ok(json(StatusCode::OK, &entries.iter().map(|entry| description(entry, None)).collect::<Vec<_>>()))
}

/// Make a schedule
///
/// A report is run at the times of the schedule, over the newest snapshot, with the rights that the caller's credential has
/// at the time of the run.
#[utoipa::path(
    post,
    path = "/muster/v1/schedules",
    operation_id = "createSchedule",
    tag = "Muster",
    request_body(content = NewScheduleDetails, description = "The schedule."),
    responses((status = 201, description = "The schedule.", body = ScheduleDescription), NotFound),
)]
pub(crate) async fn create_schedule(
    Allowed { caller, .. }: Allowed<ManageSchedules>,
    state: AppState,
    new: NewSchedule,
) -> Result<Response, Failure> {
    let entry = state.schedules().create(&caller, new).await?;
    Ok(json(StatusCode::CREATED, &description(&entry, None)))
}

/// Get a schedule
///
/// A schedule and its last runs.
#[utoipa::path(
    get,
    path = "/muster/v1/schedules/{id}",
    operation_id = "getSchedule",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the schedule.")),
    responses((status = 200, description = "The schedule.", body = ScheduleDescription), NotFound),
)]
pub(crate) async fn get_schedule(
    Allowed { caller, .. }: Allowed<ReadSchedules>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let (entry, runs) = state.schedules().show(&caller, &ScheduleId::new(id), RUNS_SHOWN).await?;
    Ok(json(StatusCode::OK, &description(&entry, Some(&runs))))
}

/// Pause or resume a schedule
///
/// A schedule that goes on is due next after now: what was missed while it was paused is not run.
#[utoipa::path(
    patch,
    path = "/muster/v1/schedules/{id}",
    operation_id = "updateSchedule",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the schedule.")),
    request_body(content = ScheduleChange, description = "What changes."),
    responses((status = 200, description = "The schedule as it is then.", body = ScheduleDescription), NotFound),
)]
pub(crate) async fn update_schedule(
    Allowed { caller, .. }: Allowed<ManageSchedules>,
    state: AppState,
    ChangeRequest { id, paused }: ChangeRequest,
) -> Result<Response, Failure> {
    let entry = state.schedules().pause(&caller, &id, paused).await?;
    Ok(json(StatusCode::OK, &description(&entry, None)))
}

/// Run a schedule now
///
/// Makes a run at once, also of a schedule that is paused. It is refused while a run of the schedule goes on.
#[utoipa::path(
    post,
    path = "/muster/v1/schedules/{id}/run",
    operation_id = "runSchedule",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the schedule.")),
    responses((status = 200, description = "The run.", body = ScheduleRun), NotFound),
)]
pub(crate) async fn run_schedule(
    Allowed { caller, .. }: Allowed<ManageSchedules>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &run(&state.schedules().run(&caller, &ScheduleId::new(id)).await?)))
}

/// Delete a schedule
///
/// Its runs are forgotten; a report that it has started goes on.
#[utoipa::path(
    delete,
    path = "/muster/v1/schedules/{id}",
    operation_id = "deleteSchedule",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the schedule.")),
    responses((status = 204, description = "The schedule is deleted."), NotFound),
)]
pub(crate) async fn delete_schedule(
    Allowed { caller, .. }: Allowed<ManageSchedules>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.schedules().remove(&caller, &ScheduleId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
