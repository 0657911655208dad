//! Starting any report by its definition id: a route of our own.

use crate::access::{Allowed, Start};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, arguments, json_object, json_type};
use crate::notifications::entries;
use crate::openapi::answers::NotFound;
use crate::reports::run::traced;
use crate::state::AppState;
use crate::task_json::task_result_details;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::RawArguments;
use muster_reports::error::shown;
use muster_reports::ids::ReportId;
use muster_reports::nearest::hint;
use muster_reports::notify::Notify;
use muster_reports::retention::AsOf;
use muster_wire::{NotifyDetails, TaskResultDetails};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Arguments of a report that is named in the path.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomReportDetails {
    /// What the report needs to know, by name; a name that does not exist is refused.
    #[schema(value_type = Option<Object>, nullable = false)]
    arguments: Option<Map<String, Value>>,
    /// A past snapshot to report on: its id, a date (the end of that day in UTC) or a time (RFC 3339), which mean
    /// the last snapshot made by then. Absent: the newest one.
    #[serde(rename = "asOf")]
    #[schema(example = "2026-03-31", nullable = false)]
    as_of: Option<String>,
    /// Who is told how the report ends.
    #[schema(nullable = false, required = false)]
    notify: Option<Vec<NotifyDetails>>,
}

/// The members of a body. A misspelt name is refused, because a report without its arguments has other rows.
const MEMBERS: [&str; 3] = ["arguments", "asOf", "notify"];

/// Which definition to run.
pub(crate) struct CustomStartRequest {
    report: ReportId,
    arguments: RawArguments,
    as_of: Option<AsOf>,
    notify: Vec<Notify>,
}

impl Input for CustomStartRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let report = ReportId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        if let Some(stranger) = object.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(Failure::invalid(format!(
                "the body has the unknown member {}{}; expected {}",
                shown(stranger),
                hint(stranger, MEMBERS),
                MEMBERS.join(", ")
            )));
        }
        let as_of = match object.get("asOf") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.parse::<AsOf>()?),
            Some(other) => {
                return Err(Failure::invalid(format!("asOf is {}: expected a text", json_type(other))));
            }
        };
        let (arguments, notify) = (arguments(object.get("arguments"))?, entries(object.get("notify"))?);
        Ok(Self { report, arguments, as_of, notify })
    }
}

/// Run a report by its definition id
///
/// Starts a built-in or custom report. The answer is that of start-report; for a custom report
/// `reportType` is absent and `attributes.reportId` holds the definition id. With `asOf` the report is made of
/// a past snapshot, which its cover names.
#[utoipa::path(
    post,
    path = "/muster/v1/reports/{id}/run",
    operation_id = "startReportByDefinition",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the report definition.")),
    request_body(content = Option<CustomReportDetails>, description = "Arguments, if it has any."),
    responses((status = 200, description = "The task.", body = TaskResultDetails), NotFound),
)]
pub(crate) async fn start_custom_report(
    Allowed { caller, .. }: Allowed<Start>,
    state: AppState,
    CustomStartRequest { report, arguments, as_of, notify }: CustomStartRequest,
) -> Result<Response, Failure> {
    let catalogue = &state.reports().catalogue;
    if catalogue.get(&report).is_none() {
        let all: Vec<_> = catalogue.iter().collect();
        let near = hint(report.as_str(), all.iter().map(|definition| definition.id.as_str()));
        return Err(Failure::not_found(format!(
            "there is no report definition {}{near}",
            shown(report.as_str())
        )));
    }
    let as_of = as_of.as_ref();
    let start = state.reports().start_definition(&caller, &report, &arguments, as_of, &notify);
    let task = traced(start).await?;
    Ok(json(StatusCode::OK, &task_result_details(&task, state.settings())))
}
