//! Evidence packages, and the key that checks them: routes of our own.

use super::disposition::content_disposition;
use super::file_answer::{FileAnswer, NO_STORE};
use crate::access::{Allowed, Download, ReadResult};
use crate::failure::Failure;
use crate::input::{Id, Input};
use crate::openapi::answers::{NotFound, ReportFile};
use crate::state::AppState;
use axum::body::Body;
use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::ids::TaskId;

/// What the file is called in the log.
const PACKAGE: &str = "an evidence package";

/// Which task's package. A HEAD makes none.
pub(crate) struct EvidenceRequest {
    id: TaskId,
    method: Method,
}

impl Input for EvidenceRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        Ok(Self { id: TaskId::new(Id::of(&mut parts).await?.0), method: parts.method })
    }
}

/// Get the evidence package of a report
///
/// The files of a report that has ended, with its cover, query, arguments, snapshot, source runs and audit events, as a
/// signed BagIt bag (RFC 8493) in a zip archive. It is made when it is asked for, so there are no ranges; who asks while
/// one of the last minute is being sent gets the same one. The download is recorded in the audit trail, with the package's
/// SHA-256, before its first byte.
#[utoipa::path(
    get,
    path = "/muster/v1/reports/{id}/evidence",
    operation_id = "getReportEvidence",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the task result.")),
    responses(
        (
            status = 200,
            description = "The package.",
            body = ReportFile,
            content_type = "application/zip",
            headers(
                ("Content-Disposition" = String, description = "`evidence-` and the id, with `.zip`."),
                ("Repr-Digest" = String, description = "SHA-256 of the package (RFC 9530)."),
            ),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_evidence(
    Allowed { caller, .. }: Allowed<Download>,
    state: AppState,
    EvidenceRequest { id, method }: EvidenceRequest,
) -> Result<Response, Failure> {
    let task = state.reports().evidence(&caller, &id).await?;
    // Our own ids are harmless. The name is made safe nevertheless.
    let name = content_disposition(Some(&format!("evidence-{}", task.id)), "evidence", "zip");
    let answer = FileAnswer { media_type: "application/zip", disposition: Some(name), caching: NO_STORE };
    if method == Method::HEAD {
        return answer.not_made();
    }
    let package = state.inner().wiring.evidence.package(&caller.client, &task).await?;
    let sha256 = package.sha256.clone();
    let response = answer.made(package, PACKAGE).await?;
    state.reports().record_evidence(&caller, &task, &sha256).await?;
    Ok(response)
}

/// Get the key of evidence packages
///
/// The Ed25519 public key that checks the signatures of this service's evidence packages. Keep it where nobody can
/// exchange it together with a package.
#[utoipa::path(
    get,
    path = "/muster/v1/evidence-key",
    operation_id = "getEvidenceKey",
    tag = "Muster",
    responses((
        status = 200,
        description = "The key, in PEM.",
        body = String,
        content_type = "application/x-pem-file",
    )),
)]
pub(crate) async fn get_evidence_key(
    _: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let mut response = Response::new(Body::from(state.inner().wiring.evidence.public_key_pem()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    Ok(response)
}
