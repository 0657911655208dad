//! get-report.

use super::conditional::{Selection, Validators, format_http_date, select};
use super::disposition::content_disposition;
use super::file_answer::{FileAnswer, header};
use super::stream;
use crate::access::{Allowed, Download};
use crate::failure::Failure;
use crate::input::{Id, Input, Query};
use crate::openapi::answers::{FileFormatParameter, NotFound, ReportFile};
use crate::state::AppState;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, LOCATION, REFERRER_POLICY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use muster_reports::FileFormat;
use muster_reports::error::shown;
use muster_reports::ids::TaskId;
use muster_reports::service;
use std::ops::Range;

/// Cache-Control of a published file: a client may keep it, and asks with its entity tag whether it may use it.
const REVALIDATE: &str = "private, no-cache";

/// The preference of a client that does not follow redirects.
const REPRESENTATION: &str = "return=representation";
/// Headers with conditions.
const CONDITIONS: [HeaderName; 5] =
    [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE];

/// Which file, under which name, and the conditions of the request.
pub(crate) struct FileRequest {
    id: TaskId,
    format: FileFormat,
    name: Option<String>,
    auditable: bool,
    method: Method,
    headers: HeaderMap,
}

impl Input for FileRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let format = query
            .text("fileFormat")
            .ok_or_else(|| Failure::invalid("fileFormat is missing: expected csv or pdf"))?;
        let published = format.parse().ok().filter(|format: &FileFormat| format.is_published());
        let format = published.ok_or_else(|| {
            Failure::invalid(format!("fileFormat is {}: expected csv or pdf", shown(format)))
        })?;
        let id = Id::of(&mut parts).await?.0;
        Self::of(id, format, &query, parts)
    }
}

impl FileRequest {
    fn of(id: String, format: FileFormat, query: &Query, parts: Parts) -> Result<Self, Failure> {
        Ok(Self {
            id: TaskId::new(id),
            format,
            name: query.text("name").map(str::to_owned),
            auditable: query.flag("auditable")?,
            method: parts.method,
            headers: parts.headers,
        })
    }
}

/// A file of any format, which is named in the path.
pub(crate) struct AnyFileRequest(FileRequest);

impl Input for AnyFileRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let (id, format) = Id::and_part(&mut parts).await?;
        let format = format.parse().map_err(Failure::invalid)?;
        FileRequest::of(id, format, &query, parts).map(Self)
    }
}

/// Get a file of any format
///
/// As get-report, for the formats beyond the published ones too: csv, pdf, xlsx, ndjson, parquet. A report has
/// those that its `extraFormats` asked for.
#[utoipa::path(
    get,
    path = "/muster/v1/reports/{id}/files/{format}",
    operation_id = "getReportFile",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "Id of the task result."),
        ("format" = String, Path, description = "csv, pdf, xlsx, ndjson or parquet, in any case."),
        ("name" = Option<String>, Query, description = "Name of the file, without its extension; by default the \
            report's name."),
        ("auditable" = Option<bool>, Query, description = "Whether the download is recorded in the audit trail \
            before its first byte. Default false."),
    ),
    responses(
        (
            status = 200,
            description = "The file.",
            content(
                (ReportFile = "application/csv"),
                (ReportFile = "application/pdf"),
                (ReportFile = "application/vnd.apache.parquet"),
                (ReportFile = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (ReportFile = "application/x-ndjson"),
                (ReportFile = "application/zip"),
            ),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_any_file(
    allowed: Allowed<Download>,
    state: AppState,
    AnyFileRequest(request): AnyFileRequest,
) -> Result<Response, Failure> {
    get_report(allowed, state, request).await
}

/// Get report file
///
/// A file of a report that has ended. Conditions and a byte range are honoured; the digest of the whole
/// file comes along.
#[utoipa::path(
    get,
    path = "/{taskResultId}",
    operation_id = "getReport",
    tag = "Reports Data Extraction",
    params(
        ("taskResultId" = String, Path, description = "Id of the task result."),
        ("fileFormat" = FileFormatParameter, Query, description = "Format of the file, in any case."),
        ("name" = Option<String>, Query, description = "Name of the file, without its extension; by default the \
            report's name."),
        ("auditable" = Option<bool>, Query, description = "Whether the download is recorded in the audit trail \
            before its first byte. Default false."),
    ),
    responses(
        (
            status = 200,
            description = "The file.",
            content(
                (ReportFile = "application/csv"),
                (ReportFile = "application/pdf"),
                (ReportFile = "application/zip"),
            ),
            headers(
                ("Content-Disposition" = String, description = "The file's name, always with its extension."),
                ("ETag" = String, description = "The file's SHA-256 in hex digits, quoted."),
                ("Last-Modified" = String, description = "When the report ended."),
                ("Repr-Digest" = String, description = "SHA-256 of the whole file (RFC 9530)."),
                ("Accept-Ranges" = String, description = "Always `bytes`."),
            ),
        ),
        (
            status = 206,
            description = "The part of the file that the Range header asked for.",
            content(
                (ReportFile = "application/csv"),
                (ReportFile = "application/pdf"),
                (ReportFile = "application/zip"),
            ),
            headers(("Content-Range" = String, description = "Which bytes of how many.")),
        ),
        (
            status = 307,
            description = "The file is at the address in Location for a short time, for whoever has the address. Only where \
                the service is set so (`downloads.presign`).",
        ),
        (status = 304, description = "The file is the one that If-None-Match or If-Modified-Since names."),
        (
            status = 412,
            description = "If-Match or If-Unmodified-Since does not hold.",
            body = muster_wire::ErrorResponseDto,
        ),
        (
            status = 416,
            description = "No byte of the asked range is in the file.",
            body = muster_wire::ErrorResponseDto,
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_report(
    Allowed { caller, .. }: Allowed<Download>,
    state: AppState,
    request: FileRequest,
) -> Result<Response, Failure> {
    let download = state.reports().open(&caller, &request.id, request.format, request.auditable).await?;
    let validators = validators(&download);
    if let Some(address) = elsewhere(&state, &request, &download).await? {
        return Ok(address);
    }
    let answered = match select(&request.method, &request.headers, &validators) {
        Selection::Whole => content(&state, &request, &download, 0..validators.bytes).await,
        Selection::Part(range) => part(&state, &request, &download, range).await,
        Selection::NotModified => Ok(not_modified()),
        Selection::PreconditionFailed => return Err(precondition_failed(&validators)),
        Selection::Unsatisfiable => return Err(unsatisfiable(&validators)?),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(failure) => {
            // The file may have expired since the record was read.
            state.reports().refuse_expired(&download.task).await?;
            return Err(failure);
        }
    };
    response.headers_mut().insert(ETAG, header(validators.etag)?);
    response.headers_mut().insert(LAST_MODIFIED, header(format_http_date(validators.modified))?);
    Ok(response)
}

/// A redirect to an address outside of the service, where the settings want one and the request can have it.
async fn elsewhere(
    state: &AppState,
    request: &FileRequest,
    download: &service::Download,
) -> Result<Option<Response>, Failure> {
    let Some(lifetime) = state.inner().wiring.settings.presign else { return Ok(None) };
    // The file has its own name there. The conditions of a request are answered here, and a client can ask for the file
    // itself (RFC 7240).
    let wants_file = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(REPRESENTATION));
    let is_plain = !request.headers.keys().any(|name| CONDITIONS.contains(name))
        && !request.headers.get_all("prefer").iter().any(wants_file);
    if request.method != Method::GET || request.name.is_some() || !is_plain {
        return Ok(None);
    }
    let Some(address) =
        state.inner().wiring.files.signed_address(&download.file.stored_name, lifetime).await?
    else {
        return Ok(None);
    };
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    // Whoever reads the address can read the file.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let mut address = header(address)?;
    address.set_sensitive(true);
    response.headers_mut().insert(LOCATION, address);
    Ok(Some(response))
}

fn validators(download: &service::Download) -> Validators {
    Validators {
        etag: format!("\"{}\"", download.file.sha256),
        modified: download.task.completed.unwrap_or(download.task.created),
        bytes: download.file.bytes,
    }
}

/// 200 and the bytes `range`; a HEAD gets their headers.
async fn content(
    state: &AppState,
    request: &FileRequest,
    download: &service::Download,
    range: Range<u64>,
) -> Result<Response, Failure> {
    let file = &download.file;
    let name = content_disposition(request.name.as_deref(), &download.task.name, &file.extension);
    let answer = FileAnswer { media_type: &file.media_type, disposition: Some(name), caching: REVALIDATE };
    let bytes = range.end - range.start;
    let body = match request.method == Method::HEAD {
        true => Body::empty(),
        false => stream::open(state, file, range).await?,
    };
    let mut response = answer.sized(body, bytes, &file.sha256)?;
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}

/// 206 and the bytes `range`.
async fn part(
    state: &AppState,
    request: &FileRequest,
    download: &service::Download,
    range: Range<u64>,
) -> Result<Response, Failure> {
    let place = header(format!("bytes {}-{}/{}", range.start, range.end - 1, download.file.bytes))?;
    let mut response = content(state, request, download, range).await?;
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert(CONTENT_RANGE, place);
    Ok(response)
}

fn not_modified() -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    response
}

fn precondition_failed(file: &Validators) -> Failure {
    Failure::new(StatusCode::PRECONDITION_FAILED, format!("the file's entity tag is {}", file.etag))
}

fn unsatisfiable(file: &Validators) -> Result<Failure, Failure> {
    let cause = format!("the range is outside the file, which has {} bytes", file.bytes);
    let whole = header(format!("bytes */{}", file.bytes))?;
    Ok(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, cause).with(CONTENT_RANGE, whole))
}
