//! cancel-report.

use crate::access::{Allowed, Cancel};
use crate::failure::Failure;
use crate::input::Id;
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use muster_reports::ids::TaskId;
use muster_reports::metric;

/// Cancel report
///
/// Terminates a running report; one that was cancelled before stays so. A body is ignored.
#[utoipa::path(
    post,
    path = "/{id}/cancel",
    operation_id = "cancelReport",
    tag = "Reports Data Extraction",
    params(("id" = String, Path, description = "Id of the task result.")),
    responses((status = 204, description = "The report is cancelled."), NotFound),
)]
pub(crate) async fn cancel_report(
    Allowed { caller, .. }: Allowed<Cancel>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.reports().cancel(&caller, &TaskId::new(id)).await?;
    metrics::counter!(metric::CANCELS.name).increment(1);
    Ok(StatusCode::NO_CONTENT.into_response())
}
