//! Why there is no page. `answer.rs` makes a page in words of it.

use crate::api::Refusal;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why there is no page.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// Nobody is signed in.
    SignInFirst,
    /// The session's token is not accepted any more.
    SessionEnded,
    /// There is no such page.
    NoSuchPage,
    /// The page exists, but not for this method.
    NoSuchMethod,
    /// The form was not made by this console for this session.
    ForeignForm,
    /// The form cannot be read.
    Unreadable(&'static str),
    /// The API refused.
    Refused(Refusal),
    /// There are too many live updates.
    TooMany(&'static str),
    /// The page took too long.
    TooLong,
    /// A fault of the console.
    Fault,
}

impl Problem {
    /// The status of its page.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::SignInFirst | Self::SessionEnded => StatusCode::UNAUTHORIZED,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Refused(refusal) => refusal.status,
            Self::TooMany(_) | Self::TooLong => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            StatusCode::UNAUTHORIZED => Self::SessionEnded,
            _ => Self::Refused(refusal),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
