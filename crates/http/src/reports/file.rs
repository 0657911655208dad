//! get-report.

use super::conditional::{Selection, Validators, format_http_date, select};
use super::disposition::content_disposition;
use super::stream;
use crate::access::{Allowed, Download};
use crate::failure::Failure;
use crate::input::{Id, Input, Query};
use crate::openapi::answers::{FileFormatParameter, NotFound, ReportFile};
use crate::state::AppState;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_reports::FileFormat;
use muster_reports::error::shown;
use muster_reports::ids::TaskId;
use muster_reports::service;
use std::ops::Range;

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
    let FileRequest { id, format, name, auditable, method, headers } = request;
    let download = state.reports().open(&caller, &id, format, auditable).await?;
    let validators = validators(&download);
    let bytes = download.file.bytes;
    let (status, range) = match select(&method, &headers, &validators) {
        Selection::Whole => (StatusCode::OK, Some(0..bytes)),
        Selection::Part(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
        Selection::NotModified => (StatusCode::NOT_MODIFIED, None),
        Selection::PreconditionFailed => {
            let cause = format!("the file's entity tag is {}", validators.etag);
            return Err(Failure::new(StatusCode::PRECONDITION_FAILED, cause));
        }
        Selection::Unsatisfiable => {
            let cause = format!("the range lies outside of the file: it has {bytes} bytes");
            let whole = header(format!("bytes */{bytes}"))?;
            return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, cause).with(CONTENT_RANGE, whole));
        }
    };
    let body = match &range {
        Some(range) if method != Method::HEAD => stream::open(&state, &download.file, range.clone()).await?,
        Some(_) | None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = file_headers(&download, &validators, name.as_deref(), range.as_ref())?;
    if let Some(range) = range.filter(|_| status == StatusCode::PARTIAL_CONTENT) {
        let part = header(format!("bytes {}-{}/{bytes}", range.start, range.end - 1))?;
        response.headers_mut().insert(CONTENT_RANGE, part);
    }
    Ok(response)
}

fn validators(download: &service::Download) -> Validators {
    Validators {
        etag: format!("\"{}\"", download.file.sha256),
        modified: download.task.completed.unwrap_or(download.task.created),
        bytes: download.file.bytes,
    }
}

/// Headers of a 200, 206 or, without a range, 304.
fn file_headers(
    download: &service::Download,
    validators: &Validators,
    name: Option<&str>,
    range: Option<&Range<u64>>,
) -> Result<HeaderMap, Failure> {
    let file = &download.file;
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, header(validators.etag.clone())?);
    headers.insert(LAST_MODIFIED, header(format_http_date(validators.modified))?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    let Some(range) = range else { return Ok(headers) };
    headers.insert(CONTENT_TYPE, header(file.media_type.clone())?);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_DISPOSITION, content_disposition(name, &download.task.name, &file.extension));
    headers.insert(HeaderName::from_static("repr-digest"), repr_digest(&file.sha256)?);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    Ok(headers)
}

/// `sha-256=:BASE64:` of the whole file (RFC 9530).
pub(super) fn repr_digest(sha256: &str) -> Result<HeaderValue, Failure> {
    let digits = sha256.as_bytes();
    let digest: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let digest = digest.ok_or_else(|| {
        Failure::internal("a published file's record is damaged", "sha256 is not made of hex digits")
    })?;
    header(format!("sha-256=:{}:", BASE64.encode(digest)))
}

fn header(text: String) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(text)
        .map_err(|error| Failure::internal("a published file's record gives no valid header", error))
}
