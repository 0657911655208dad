//! Answers and schemas that several operations of the OpenAPI document share.

use muster_wire::{ErrorResponseDto, RateLimited, Unauthorized};
use utoipa::{IntoResponses, ToSchema};

/// Refusals of every operation that needs a right; a route adds them itself.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants only describe answers")]
pub(crate) enum CommonRefusals {
    /// The request is wrong; `causes` names the place, the value's kind and what was expected.
    #[response(status = 400)]
    BadRequest(ErrorResponseDto),
    /// There is no token, or it is not valid or has expired.
    #[response(status = 401)]
    Unauthorized(Unauthorized),
    /// The caller lacks the right.
    #[response(status = 403)]
    Forbidden(ErrorResponseDto),
    /// The body did not arrive in time.
    #[response(status = 408)]
    TooSlow(ErrorResponseDto),
    /// The body is larger than the service accepts.
    #[response(status = 413)]
    TooLarge(ErrorResponseDto),
    /// The body is not JSON, or compressed.
    #[response(status = 415)]
    MediaType(ErrorResponseDto),
    /// Too many requests; Retry-After says when to come back.
    #[response(status = 429, headers(("Retry-After" = i64, description = "Seconds to wait.")))]
    TooMany(RateLimited),
    /// A fault of the service.
    #[response(status = 500)]
    Internal(ErrorResponseDto),
    /// The service cannot do this now.
    #[response(status = 503)]
    Unavailable(ErrorResponseDto),
}

/// Refusals of any request on any route, before it is known what the route is (`middleware.rs`).
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants only describe answers")]
pub(crate) enum HeadRefusals {
    /// The address is longer than the service accepts.
    #[response(status = 414)]
    AddressTooLong(ErrorResponseDto),
    /// The headers are larger than the service accepts.
    #[response(status = 431)]
    HeadersTooLarge(ErrorResponseDto),
    /// The service cannot do this now.
    #[response(status = 503)]
    Unavailable(ErrorResponseDto),
}

/// The refusal of operations on one thing that may not be there.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variant only describes an answer")]
pub(crate) enum NotFound {
    /// There is no such thing, for this caller; for a start, no snapshot to report on.
    #[response(status = 404)]
    NotFound(ErrorResponseDto),
}

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only the schema is used")]
pub(crate) struct ReportFile(Vec<u8>);

/// Format of a file to download.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only the schema is used: formats are read in any case")]
pub(crate) enum FileFormatParameter {
    /// Comma-separated values; a zip of them for SEARCH_EXPORT.
    Csv,
    /// A document to read.
    Pdf,
}

/// A day or a month of the calendar.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only the schema is used: requests are read as texts")]
pub(crate) enum HistoryInterval {
    /// A day.
    Day,
    /// A month.
    Month,
}

/// Index of a document.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only the schema is used: the engine knows the indices")]
pub(crate) enum IndexParameter {
    /// Access profiles.
    AccessProfiles,
    /// Account activities.
    AccountActivities,
    /// Entitlements.
    Entitlements,
    /// Events.
    Events,
    /// Identities.
    Identities,
    /// Roles.
    Roles,
}
