//! Who looks at a page.

use crate::api::Caller;
use crate::problem::Problem;
use crate::session::Session;
use crate::state::Console;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::request::Parts;
use std::sync::Arc;

/// The cookie of a session. The prefix makes browsers accept it only from this host, for all paths, over TLS or from this
/// machine.
pub(crate) const SESSION_COOKIE: &str = "__Host-muster-session";

/// The cookie's value, if the request has exactly one of this name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut found = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

/// The session of a request, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct MaybeSigned(pub(crate) Option<Arc<Session>>);

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) session: Arc<Session>,
    /// The API in the visitor's name.
    pub(crate) api: Caller,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Problem> {
        let signed = parts.extensions.get::<MaybeSigned>().cloned();
        let session = signed.and_then(|signed| signed.0).ok_or(Problem::SignInFirst)?;
        Ok(Self { api: console.api().with(&session.token), session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_cookie_that_is_there_twice_is_nobodys() {
        let found = |texts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(COOKIE, HeaderValue::from_static(text));
            }
            cookie(&headers, "__Host-a").map(str::to_owned)
        };
        assert_eq!(found(&["b=1; __Host-a=x; c=2"]).as_deref(), Some("x"));
        assert_eq!(found(&["b=1", "__Host-a=x"]).as_deref(), Some("x"));
        assert_eq!(found(&["__Host-a=x; __Host-a=y"]), None);
        assert_eq!(found(&["__Host-a="]), None);
        assert_eq!(found(&["x__Host-a=x"]), None);
    }
}
