//! The published operations on reports of violations of policies. Such a report is the report SOD_VIOLATIONS.

use crate::access::{Allowed, ReadSodViolations, RunSodViolations};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_object, json_type};
use crate::openapi::answers::{NotFound, ReportFile};
use crate::reports::disposition::content_disposition;
use crate::reports::file_answer::{FileAnswer, NO_STORE};
use crate::saved_searches::check_members;
use crate::state::AppState;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_reports::Caller;
use muster_reports::TaskState;
use muster_reports::ids::{SodPolicyId, TaskId};
use muster_reports::service::ViolationReport;
use muster_wire::{MultiPolicyRequest, ReportResultReference, ReportResultStatus, ReportResultType};
use serde_json::Value;

/// What an archive is called, as published.
const ARCHIVE: &str = "PolicyReport";
/// What the file is called in the log.
const IN_LOG: &str = "the archive of a violation report";

fn reference(report: &ViolationReport) -> ReportResultReference {
    let status = match report.task.state {
        TaskState::Pending | TaskState::Running => ReportResultStatus::Pending,
        TaskState::Succeeded => ReportResultStatus::Success,
        TaskState::Warned => ReportResultStatus::Warning,
        TaskState::Failed => ReportResultStatus::Error,
        TaskState::Terminated => ReportResultStatus::Terminated,
    };
    ReportResultReference {
        kind: Some(ReportResultType::ReportResult),
        id: Some(report.task.id.to_string()),
        name: Some(report.name.clone()),
        status: Some(status),
    }
}

/// Which policies are reported.
pub(crate) struct SeveralRequest(Vec<String>);

impl Input for SeveralRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["filteredPolicyList"])?;
        let ids = match object.get("filteredPolicyList") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => {
                let text = |item: &Value| {
                    item.as_str().map(str::to_owned).ok_or_else(|| {
                        Failure::invalid(format!(
                            "filteredPolicyList has {}: expected ids of policies",
                            json_type(item)
                        ))
                    })
                };
                items.iter().map(text).collect::<Result<_, _>>()?
            }
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "filteredPolicyList is {}: expected a list of ids of policies",
                    json_type(other)
                )));
            }
        };
        Ok(Self(ids))
    }
}

/// Which report is downloaded.
pub(crate) struct DownloadRequest {
    id: TaskId,
    auditable: bool,
    method: Method,
}

impl Input for DownloadRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let auditable = Query::of(&parts)?.flag("auditable")?;
        let id = TaskId::new(Id::of(&mut parts).await?.0);
        Ok(Self { id, auditable, method: parts.method })
    }
}

/// Which report is downloaded, under which name.
pub(crate) struct NamedDownloadRequest {
    request: DownloadRequest,
    name: String,
}

impl Input for NamedDownloadRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let auditable = Query::of(&parts)?.flag("auditable")?;
        let (id, name) = Id::and_part(&mut parts).await?;
        Ok(Self { request: DownloadRequest { id: TaskId::new(id), auditable, method: parts.method }, name })
    }
}

/// Runs SOD policy violation report
///
/// Starts the report of the violations of a policy, with the caller's data scope. An equal report that is live is returned
/// instead.
#[utoipa::path(
    post,
    path = "/{id}/violation-report/run",
    operation_id = "startSodPolicy",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn run_report(
    Allowed { caller, .. }: Allowed<RunSodViolations>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let report = state.sod_policies().run(&caller, &SodPolicyId::new(id)).await?;
    Ok(json(StatusCode::OK, &reference(&report)))
}

/// Evaluate one policy by id
///
/// Starts the report of the violations of a policy at once, whether a schedule runs it or not.
#[utoipa::path(
    post,
    path = "/{id}/evaluate",
    operation_id = "startEvaluateSodPolicy",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn evaluate_policy(
    allowed: Allowed<RunSodViolations>,
    state: AppState,
    id: Id,
) -> Result<Response, Failure> {
    run_report(allowed, state, id).await
}

/// Get SOD violation report status
///
/// The state of the last report of a policy. Published documents call the id that of the policy and that of the report: both
/// are understood.
#[utoipa::path(
    get,
    path = "/{id}/violation-report",
    operation_id = "getSodViolationReportStatus",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy, or of the report.")),
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn get_last_report(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let report = state.sod_policies().last(&caller, &SodPolicyId::new(id)).await?;
    Ok(json(StatusCode::OK, &reference(&report)))
}

/// Get violation report run status
///
/// The state of a report of violations.
#[utoipa::path(
    get,
    path = "/sod-violation-report-status/{reportResultId}",
    operation_id = "getSodViolationReportRunStatus",
    tag = "SOD Policies",
    params(("reportResultId" = String, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn get_report_status(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let report = state.sod_policies().status(&caller, &TaskId::new(id)).await?;
    Ok(json(StatusCode::OK, &reference(&report)))
}

/// Runs all policies for org
///
/// Starts the report of the violations of some policies, or of all.
#[utoipa::path(
    post,
    path = "/run",
    operation_id = "startSodAllPoliciesForOrg",
    tag = "SOD Policies",
    request_body(content = Option<MultiPolicyRequest>, description = "Which policies; without a body, all."),
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn run_report_of_several(
    Allowed { caller, .. }: Allowed<RunSodViolations>,
    state: AppState,
    SeveralRequest(ids): SeveralRequest,
) -> Result<Response, Failure> {
    let report = state.sod_policies().run_several(&caller, ids).await?;
    Ok(json(StatusCode::OK, &reference(&report)))
}

/// Get multi-report run task status
///
/// The state of the last report of several policies.
#[utoipa::path(
    get,
    path = "",
    operation_id = "getSodAllReportRunStatus",
    tag = "SOD Policies",
    responses((status = 200, description = "The report.", body = ReportResultReference), NotFound),
)]
pub(crate) async fn get_last_report_of_several(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let report = state.sod_policies().last_of_several(&caller).await?;
    Ok(json(StatusCode::OK, &reference(&report)))
}

/// Download violation report
///
/// A zip archive with the CSV file of a report of violations. Other formats are at the routes of reports, under the same id.
#[utoipa::path(
    get,
    path = "/{reportResultId}/download",
    operation_id = "getDefaultViolationReport",
    tag = "SOD Policies",
    params(
        ("reportResultId" = String, Path, description = "Id of the report."),
        ("auditable" = Option<bool>, Query, description = "Whether the download is recorded in the audit trail \
            before its first byte. Default false."),
    ),
    responses(
        (status = 200, description = "`PolicyReport.zip`.", body = ReportFile, content_type = "application/zip"),
        NotFound,
    ),
)]
pub(crate) async fn download_report(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    request: DownloadRequest,
) -> Result<Response, Failure> {
    archive(&state, &caller, request, ARCHIVE).await
}

/// Download custom violation report
///
/// As the download without a name.
#[utoipa::path(
    get,
    path = "/{reportResultId}/download/{fileName}",
    operation_id = "getCustomViolationReport",
    tag = "SOD Policies",
    params(
        ("reportResultId" = String, Path, description = "Id of the report."),
        ("fileName" = String, Path, description = "Name of the archive and of the file in it, without their extensions."),
        ("auditable" = Option<bool>, Query, description = "Whether the download is recorded in the audit trail \
            before its first byte. Default false."),
    ),
    responses(
        (status = 200, description = "The archive.", body = ReportFile, content_type = "application/zip"),
        NotFound,
    ),
)]
pub(crate) async fn download_named_report(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    NamedDownloadRequest { request, name }: NamedDownloadRequest,
) -> Result<Response, Failure> {
    archive(&state, &caller, request, &name).await
}

async fn archive(
    state: &AppState,
    caller: &Caller,
    DownloadRequest { id, auditable, method }: DownloadRequest,
    name: &str,
) -> Result<Response, Failure> {
    let download = state.sod_policies().open(caller, &id, auditable).await?;
    let disposition = content_disposition(Some(name), ARCHIVE, "zip");
    let answer =
        FileAnswer { media_type: "application/zip", disposition: Some(disposition), caching: NO_STORE };
    if method == Method::HEAD {
        return answer.not_made();
    }
    // A name in an archive has no parts that lead elsewhere; that of the archive itself is made safe above.
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
    let stem: String = name.chars().filter(plain).take(100).collect();
    let stem = stem.trim().trim_start_matches('.').trim();
    let member = format!("{}.{}", if stem.is_empty() { ARCHIVE } else { stem }, download.file.extension);
    let made = state.inner().wiring.evidence.archive(&caller.client, &download.file, &member).await?;
    answer.made(made, IN_LOG).await
}
