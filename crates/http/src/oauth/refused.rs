//! A refused token request, and its answer.

use crate::failure::{Failure, json};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use muster_wire::{OAuthError, OAuthErrorCode};

/// A refused token request, as RFC 6749 section 5.2 has it, or a fault outside of it.
pub(crate) enum TokenRequestRefused {
    OAuth(OAuthErrorCode, String),
    Other(Failure),
}

impl TokenRequestRefused {
    pub(super) fn request(description: impl Into<String>) -> Self {
        Self::OAuth(OAuthErrorCode::InvalidRequest, description.into())
    }

    /// One text for every reason, so that a caller cannot tell unknown clients from wrong secrets.
    pub(super) fn client() -> Self {
        Self::OAuth(OAuthErrorCode::InvalidClient, "unknown client, wrong secret, or disabled client".into())
    }
}

impl From<Failure> for TokenRequestRefused {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<muster_reports::Error> for TokenRequestRefused {
    fn from(error: muster_reports::Error) -> Self {
        Self::Other(error.into())
    }
}

impl IntoResponse for TokenRequestRefused {
    fn into_response(self) -> Response {
        let (code, description) = match self {
            Self::Other(failure) => return failure.into_response(),
            Self::OAuth(code, description) => (code, description),
        };
        let status = match code {
            OAuthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
            OAuthErrorCode::InvalidRequest
            | OAuthErrorCode::InvalidGrant
            | OAuthErrorCode::UnauthorizedClient
            | OAuthErrorCode::UnsupportedGrantType
            | OAuthErrorCode::InvalidScope => StatusCode::BAD_REQUEST,
        };
        let body = OAuthError { error: code, error_description: Some(description) };
        let mut response = uncached(json(status, &body));
        if status == StatusCode::UNAUTHORIZED {
            let basic = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// RFC 6749, section 5.1: an answer with a token must not be stored.
pub(super) fn uncached(mut response: Response) -> Response {
    let no_store: [(HeaderName, &str); 2] = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    for (name, value) in no_store {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
