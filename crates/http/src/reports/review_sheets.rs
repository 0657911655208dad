//! Sheets of access reviews, for reviewers without accounts: routes of our own.

use super::disposition::content_disposition;
use super::file_answer::{FileAnswer, NO_STORE};
use crate::access::{Allowed, ManageReviews};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, body_bytes};
use crate::openapi::answers::{NotFound, ReportFile};
use crate::reviews::outcome;
use crate::state::AppState;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_reports::error::shown;
use muster_reports::ids::ReviewId;
use muster_reports::ports::SheetForm;
use muster_reports::review::sheet::SHEET_BYTES_MAX;
use muster_reports::service::Imported;
use muster_wire::{RefusedSheetRow, ReviewOutcome};

/// What the file is called in the log.
const SHEETS: &str = "sheets of a review";

/// Which sheets. A HEAD makes none.
pub(crate) struct SheetsRequest {
    review: ReviewId,
    reviewer: Option<String>,
    form: SheetForm,
    method: Method,
}

impl Input for SheetsRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let form = match query.text("format") {
            None => SheetForm::Xlsx,
            Some(text) if text.eq_ignore_ascii_case("xlsx") => SheetForm::Xlsx,
            Some(text) if text.eq_ignore_ascii_case("csv") => SheetForm::Csv,
            Some(text) => {
                return Err(Failure::invalid(format!("format is {}: expected xlsx or csv", shown(text))));
            }
        };
        let reviewer = query.text("reviewer").map(str::to_owned);
        Ok(Self { review: ReviewId::new(id), reviewer, form, method: parts.method })
    }
}

/// A sheet that came back.
pub(crate) struct SheetUpload {
    review: ReviewId,
    file: Vec<u8>,
}

impl Input for SheetUpload {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let file = body_bytes(state, &parts.headers, body, SHEET_BYTES_MAX).await?;
        Ok(Self { review: ReviewId::new(id), file: file.to_vec() })
    }
}

/// Get the sheets of an access review
///
/// A zip archive with a sheet for each reviewer, or for the one that `reviewer` names, as XLSX or CSV: the frozen items, and
/// the columns `decision` (KEEP or REVOKE) and `comment` to be filled in. Items without a reviewer are in a sheet of their
/// own. The download is recorded in the audit trail before its first byte.
#[utoipa::path(
    get,
    path = "/muster/v1/reviews/{id}/sheets",
    operation_id = "getReviewSheets",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "Id of the review."),
        ("format" = Option<String>, Query, description = "`xlsx`, also when absent, or `csv`."),
        ("reviewer" = Option<String>, Query, description = "Only the sheet of the reviewer with this name."),
    ),
    responses(
        (
            status = 200,
            description = "The sheets.",
            body = ReportFile,
            content_type = "application/zip",
            headers(
                ("Content-Disposition" = String, description = "`review-` and the id, with `.zip`."),
                ("Repr-Digest" = String, description = "SHA-256 of the archive (RFC 9530)."),
            ),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_review_sheets(
    Allowed { caller, .. }: Allowed<ManageReviews>,
    state: AppState,
    SheetsRequest { review, reviewer, form, method }: SheetsRequest,
) -> Result<Response, Failure> {
    if method == Method::HEAD {
        let seen = state.reviews().show(&caller, &review).await?;
        return answer(&seen.review.id).not_made();
    }
    let (review, archive) = state.reviews().export(&caller, &review, reviewer.as_deref(), form).await?;
    answer(&review.id).made(archive, SHEETS).await
}

fn answer(review: &ReviewId) -> FileAnswer<'static> {
    let name = content_disposition(Some(&format!("review-{review}")), "review", "zip");
    FileAnswer { media_type: "application/zip", disposition: Some(name), caching: NO_STORE }
}

/// Read a sheet of an access review
///
/// A sheet that a reviewer filled in, as XLSX or CSV, at most 32 MiB. It is compared row by row with what was sent. If a row
/// is missing, there twice, unknown, of another review or another reviewer, or if a frozen value was changed, nothing of the
/// sheet is taken, and the answer has `taken: false` and every such row. The same sheet again changes nothing.
#[utoipa::path(
    post,
    path = "/muster/v1/reviews/{id}/sheets",
    operation_id = "readReviewSheet",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the review.")),
    request_body(content = ReportFile, description = "The sheet.", content_type = "application/octet-stream"),
    responses((status = 200, description = "What became of it.", body = ReviewOutcome), NotFound),
)]
pub(crate) async fn read_review_sheet(
    Allowed { caller, .. }: Allowed<ManageReviews>,
    state: AppState,
    SheetUpload { review, file }: SheetUpload,
) -> Result<Response, Failure> {
    let outcome = match state.reviews().import(&caller, &review, file).await? {
        Imported::Taken(decided) => outcome(&decided),
        Imported::Refused { rows, count } => ReviewOutcome {
            taken: false,
            refused: rows
                .into_iter()
                .map(|row| RefusedSheetRow { line: (row.line > 0).then_some(row.line), reason: row.reason })
                .collect(),
            refused_count: count as u64,
            ..ReviewOutcome::default()
        },
    };
    Ok(json(StatusCode::OK, &outcome))
}
