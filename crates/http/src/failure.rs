//! A refusal, and the one place where it becomes a body and a log line.
//!
//! A [`Failure`] travels in the extensions of an otherwise empty response to `middleware.rs`, which knows
//! the tracking id and calls [`render`].

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use muster_reports::Error;
use muster_reports::error::{Category, error_chain};
use muster_reports::metric;
use muster_wire::{ErrorMessageDto, ErrorResponseDto, LocaleOrigin, RateLimited, Unauthorized};
use serde::Serialize;
use std::error::Error as StdError;
use std::sync::Arc;

/// Why a request was refused.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    /// What exactly was wrong. Only for the caller, because it may quote the request.
    cause: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log should have.
    logged: Option<Logged>,
}

/// What the log has of a refusal.
#[derive(Debug, Clone)]
enum Logged {
    /// There was too much to do, or the service is stopping. Nothing is wrong.
    Refused,
    /// Something failed; what only the log should have.
    Failed(Arc<dyn StdError + Send + Sync>),
}

impl Failure {
    pub(crate) fn new(status: StatusCode, cause: impl Into<String>) -> Self {
        Self { status, cause: cause.into(), headers: Vec::new(), logged: None }
    }

    pub(crate) fn invalid(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, cause)
    }

    pub(crate) fn not_found(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, cause)
    }

    pub(crate) fn unauthorized(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, reason).with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(crate) fn rate_limited(seconds: u64) -> Self {
        metrics::counter!(metric::REFUSED_BY_LIMIT.name).increment(1);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "").with(RETRY_AFTER, seconds.into())
    }

    /// A fault of the service: `what` and `source` go to the log, never to the caller.
    pub(crate) fn internal(what: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::internal(what, source).into()
    }

    /// What was wrong, if the caller lacked a right.
    pub(crate) fn forbidden_reason(&self) -> Option<&str> {
        (self.status == StatusCode::FORBIDDEN).then_some(&self.cause)
    }

    /// What exactly was wrong.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.category {
            Category::Invalid => StatusCode::BAD_REQUEST,
            Category::Forbidden => StatusCode::FORBIDDEN,
            Category::NotFound => StatusCode::NOT_FOUND,
            Category::Unavailable | Category::Broken => StatusCode::SERVICE_UNAVAILABLE,
            Category::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let failure = Self::new(status, error.message.clone());
        match error.category {
            Category::Internal | Category::Broken => {
                Self { logged: Some(Logged::Failed(Arc::new(error))), ..failure }
            }
            Category::Unavailable => {
                let logged = match error.source {
                    None => Logged::Refused,
                    Some(_) => Logged::Failed(Arc::new(error)),
                };
                Self { logged: Some(logged), ..failure }.with(RETRY_AFTER, 5.into())
            }
            Category::Invalid | Category::Forbidden | Category::NotFound => failure,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `detailCode` and the general reason of each status.
fn general(status: StatusCode) -> (String, &'static str) {
    let (code, reason) = match status {
        StatusCode::BAD_REQUEST => (
            "400.1 Bad Request Content",
            "The request was syntactically correct but its content is semantically invalid.",
        ),
        StatusCode::FORBIDDEN => {
            ("403 Forbidden", "The server understood the request but refuses to authorize it.")
        }
        StatusCode::NOT_FOUND => {
            ("404 Not found", "The server did not find a current representation for the target resource.")
        }
        StatusCode::INTERNAL_SERVER_ERROR => ("500.0 Internal Fault", "An internal fault occurred."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("405 Method Not Allowed", "The target resource does not support the method.")
        }
        StatusCode::REQUEST_TIMEOUT => ("408 Request Timeout", "The request did not arrive in time."),
        StatusCode::PRECONDITION_FAILED => {
            ("412 Precondition Failed", "A condition of the request does not hold.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("413 Payload Too Large", "The request body is larger than the service accepts.")
        }
        StatusCode::URI_TOO_LONG => ("414 URI Too Long", "The address is longer than the service accepts."),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("431 Request Header Fields Too Large", "The headers are larger than the service accepts.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("415 Unsupported Media Type", "The request body is not in a supported format.")
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            ("416 Range Not Satisfiable", "The requested range lies outside of the file.")
        }
        StatusCode::SERVICE_UNAVAILABLE => ("503 Service Unavailable", "The service cannot do this now."),
        other => return (other.to_string(), "The request was refused."),
    };
    (code.to_owned(), reason)
}

fn text(text: impl Into<String>) -> ErrorMessageDto {
    ErrorMessageDto {
        locale: Some("en-US".into()),
        locale_origin: Some(LocaleOrigin::Default),
        text: Some(text.into()),
    }
}

/// Writes the body of a refusal and its log line; any other response passes unchanged.
pub(crate) fn render(mut response: Response, tracking_id: &str) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    let status = failure.status;
    let (code, reason) = general(status);
    match &failure.logged {
        None => {}
        Some(Logged::Refused) => {
            tracing::warn!(status = status.as_u16(), reason = failure.cause, "request refused");
        }
        Some(Logged::Failed(error)) => {
            tracing::error!(status = status.as_u16(), error = error_chain(&**error), "request failed");
        }
    }
    let mut refusal = match status {
        StatusCode::UNAUTHORIZED => {
            json(status, &Unauthorized { error: format!("JWT validation failed: {}", failure.cause) })
        }
        StatusCode::TOO_MANY_REQUESTS => {
            json(status, &RateLimited { message: " Rate Limit Exceeded ".into() })
        }
        _ => {
            // For a fault of the service, the caller gets only the tracking id.
            let hidden = status == StatusCode::INTERNAL_SERVER_ERROR || failure.cause.is_empty();
            let dto = ErrorResponseDto {
                detail_code: Some(code),
                tracking_id: Some(tracking_id.to_owned()),
                messages: vec![text(reason)],
                causes: if hidden { Vec::new() } else { vec![text(failure.cause)] },
            };
            json(status, &dto)
        }
    };
    if let Some(allow) = response.headers_mut().remove(ALLOW) {
        refusal.headers_mut().insert(ALLOW, allow);
    }
    refusal.headers_mut().extend(failure.headers);
    refusal
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => json_bytes(status, bytes),
        Err(error) => Failure::internal("the answer could not be written as JSON", error).into_response(),
    }
}

/// An answer that is JSON already.
pub(crate) fn json_bytes(status: StatusCode, bytes: impl Into<Body>) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients repeat what has `Retry-After`; where somebody has to mend something first, they are told at once.
    #[test]
    fn only_what_passes_by_itself_is_to_be_repeated() {
        let answer = |error: Error| render(Failure::from(error).into_response(), "t");
        let busy = answer(Error::unavailable("too much"));
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers().get(RETRY_AFTER), Some(&HeaderValue::from(5)));
        let broken = answer(Error::broken("the audit trail is broken"));
        assert_eq!(
            (broken.status(), broken.headers().get(RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, None)
        );
    }
}
