//! start-report.

use crate::access::{Allowed, Start};
use crate::failure::{Failure, json};
use crate::input::{Input, arguments, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use crate::task_json::task_result_details;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::error::Error;
use muster_reports::task::Task;
use muster_reports::trace::TARGET;
use muster_reports::{RawArguments, ReportKind};
use muster_wire::{ReportDetails, TaskResultDetails};
use serde_json::Value;
use tracing::Instrument;
use tracing::field::Empty;

/// Which report to run.
pub(crate) struct StartRequest {
    kind: ReportKind,
    arguments: RawArguments,
}

impl Input for StartRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body)
            .await?
            .ok_or_else(|| Failure::invalid("the body is empty: expected an object with reportType"))?;
        let kind = match object.get("reportType") {
            Some(Value::String(text)) => text.parse().map_err(Failure::invalid)?,
            None | Some(Value::Null) => {
                return Err(Failure::invalid(format!(
                    "reportType is missing: expected one of {}",
                    ReportKind::ALL.map(ReportKind::as_str).join(", ")
                )));
            }
            Some(other) => {
                return Err(Failure::invalid(format!("reportType is {}: expected a text", json_type(other))));
            }
        };
        Ok(Self { kind, arguments: arguments(object.get("arguments"))? })
    }
}

/// Run report
///
/// Starts a report. Starting one that is running already, with the same arguments, answers the running
/// task, so that a request may be repeated without harm.
#[utoipa::path(
    post,
    path = "/run",
    operation_id = "startReport",
    tag = "Reports Data Extraction",
    request_body(content = ReportDetails, description = "Which report to run, and its arguments."),
    responses((status = 200, description = "The task.", body = TaskResultDetails), NotFound),
)]
pub(crate) async fn start_report(
    Allowed { caller, .. }: Allowed<Start>,
    state: AppState,
    StartRequest { kind, arguments }: StartRequest,
) -> Result<Response, Failure> {
    let task = traced(state.reports().start_kind(&caller, kind, &arguments)).await?;
    Ok(json(StatusCode::OK, &task_result_details(&task, state.settings())))
}

/// Starts a report within a span of its own. The span has the report only once its id is known to be one: before, it is a
/// text of the client's.
pub(crate) async fn traced(start: impl Future<Output = Result<Task, Error>>) -> Result<Task, Error> {
    let span = tracing::info_span!(target: TARGET, "start", report = Empty, task = Empty);
    let started = start.instrument(span.clone()).await?;
    span.record("report", started.report.as_str());
    span.record("task", started.id.as_str());
    Ok(started)
}
