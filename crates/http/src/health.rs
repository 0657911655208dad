//! Whether the process lives and whether it can work. Open: orchestrators have no token.

use crate::failure::{Failure, json};
use crate::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

/// State of the service.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `live` or `ready`.
    status: &'static str,
}

/// Whether the process lives
///
/// Answers as long as requests are served at all.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "getLiveness",
    tag = "Muster",
    responses((status = 200, description = "It lives.", body = Health)),
)]
pub(crate) async fn live() -> Response {
    json(StatusCode::OK, &Health { status: "live" })
}

/// Whether the service can work
///
/// Refuses while the store or a bucket of results does not answer, a disk is full, the newest snapshot is damaged, or the service drains.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "Muster",
    responses(
        (status = 200, description = "Requests may be sent here.", body = Health),
        (status = 503, description = "Not now.", body = muster_wire::ErrorResponseDto),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Response, Failure> {
    state.inner().wiring.readiness.ready().await?;
    Ok(json(StatusCode::OK, &Health { status: "ready" }))
}

/// Whether the process lives, under the name that Kubernetes uses
///
/// The same as `/health/live`.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "getLivez",
    tag = "Muster",
    responses((status = 200, description = "It lives.", body = Health)),
)]
pub(crate) async fn livez() -> Response {
    live().await
}

/// Whether the service can work, under the name that Kubernetes uses
///
/// The same as `/health/ready`.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadyz",
    tag = "Muster",
    responses(
        (status = 200, description = "Requests may be sent here.", body = Health),
        (status = 503, description = "Not now.", body = muster_wire::ErrorResponseDto),
    ),
)]
pub(crate) async fn readyz(state: State<AppState>) -> Result<Response, Failure> {
    ready(state).await
}
