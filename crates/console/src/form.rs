//! Forms that change something: who sent them is checked before they are read by a handler.

use crate::fields::Fields;
use crate::problem::Problem;
use crate::state::Console;
use crate::visitor::{Visitor, cookie};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1024;
/// A form must arrive within this time.
const FORM_TIMEOUT: Duration = Duration::from_secs(20);
/// The field that repeats the session's form token.
pub(crate) const TOKEN_FIELD: &str = "form-token";
/// The cookie whose value the form of the sign-in page repeats.
pub(crate) const SIGN_IN_COOKIE: &str = "__Host-muster-sign-in";

/// A form of a signed-in visitor, with the session's token in it.
pub(crate) struct Posted {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

impl FromRequest<Console> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        let fields = read(&parts, body).await?;
        if !same(fields.text(TOKEN_FIELD), &visitor.session.form_token) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { visitor, fields })
    }
}

/// The form of the sign-in page, which nobody has a session for yet: it repeats a cookie.
pub(crate) struct SignInForm(pub(crate) Fields);

impl FromRequest<Console> for SignInForm {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Console) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let fields = read(&parts, body).await?;
        let expected = cookie(&parts.headers, SIGN_IN_COOKIE).ok_or(Problem::ForeignForm)?;
        if !same(fields.text(TOKEN_FIELD), expected) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self(fields))
    }
}

async fn read(parts: &Parts, body: axum::body::Body) -> Result<Fields, Problem> {
    if is_from_elsewhere(&parts.headers) {
        return Err(Problem::ForeignForm);
    }
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::Unreadable("The form has an unknown encoding."));
    }
    let collected = tokio::time::timeout(FORM_TIMEOUT, Limited::new(body, FORM_BYTES_MAX).collect()).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(_)) => return Err(Problem::Unreadable("The form is incomplete, or larger than 256 KiB.")),
        Err(_) => return Err(Problem::Unreadable("The form did not arrive in time.")),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| Problem::Unreadable("The form is not UTF-8."))?;
    Ok(Fields::read(text))
}

/// Whether a browser says that another site sent the request.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let said = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    !matches!(said, None | Some(b"same-origin" | b"none"))
}

/// Whether two texts are equal, in a time that does not tell where they differ.
fn same(given: &str, expected: &str) -> bool {
    !expected.is_empty() && Sha256::digest(given) == Sha256::digest(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn requests_of_other_sites_are_known() {
        let from = |said: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert("sec-fetch-site", HeaderValue::from_static(said));
            }
            is_from_elsewhere(&headers)
        };
        assert!(!from(None) && !from(Some("same-origin")) && !from(Some("none")));
        assert!(from(Some("cross-site")) && from(Some("same-site")) && from(Some("x")));
    }

    #[test]
    fn an_empty_token_matches_nothing() {
        assert!(same("a", "a"));
        assert!(!same("a", "b") && !same("", "") && !same("a", ""));
    }
}
