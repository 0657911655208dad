//! Who calls: a route of our own.

use crate::access::{Allowed, ReadCaller};
use crate::failure::{Failure, json};
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::Caller;
use muster_reports::caller::{AuditorLimits, DataScope};
use muster_reports::ids::{ReportId, SourceId};
use muster_wire::{AuditorDescription, CallerDescription};

fn auditor(limits: &AuditorLimits) -> AuditorDescription {
    AuditorDescription {
        from: timestamp(limits.period.from),
        to: timestamp(limits.period.to),
        reports: limits.reports.iter().map(ReportId::to_string).collect(),
        ends: timestamp(limits.ends),
    }
}

fn description(caller: &Caller) -> CallerDescription {
    CallerDescription {
        client: caller.client.to_string(),
        name: caller.launcher().to_owned(),
        user: caller.user.is_some(),
        levels: caller.user.iter().flat_map(|user| &user.levels).map(|level| level.as_str().into()).collect(),
        scopes: caller.scopes.iter().map(|scope| scope.as_str().into()).collect(),
        sources: match caller.scope() {
            DataScope::Everything => None,
            DataScope::Sources(sources) => Some(sources.iter().map(SourceId::to_string).collect()),
        },
        auditor: caller.auditor().map(auditor),
    }
}

/// Get the caller
///
/// Whoever the token is of, and what it grants. Any scope suffices.
#[utoipa::path(
    get,
    path = "/muster/v1/caller",
    operation_id = "getCaller",
    tag = "Muster",
    responses((status = 200, description = "The caller.", body = CallerDescription)),
)]
pub(crate) async fn get_caller(
    Allowed { caller, .. }: Allowed<ReadCaller>,
    _: AppState,
    (): (),
) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &description(&caller)))
}
