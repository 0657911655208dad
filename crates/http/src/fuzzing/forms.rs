//! Token requests.

use super::REASON_BYTES_MAX;
use crate::oauth::granted;
use crate::oauth::refused::TokenRequestRefused;
use crate::oauth::request::{TokenRequest, query_fields};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::FutureExt;
use muster_reports::caller::Scope;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The boundary between the parts of the forms that are written here.
const BOUNDARY: &str = "-muster-parts-9f2c1d";

/// A request: a line with the query, one with `Authorization`, one with `Content-Type`, and the body.
///
/// An accepted request is the same in each of the three encodings. Credentials of HTTP Basic without `%` and `+` are
/// taken literally. The scopes are never more than those of the client. A refusal has a reason that RFC 6749 permits
/// and that contains no secret.
pub fn token_form(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (Ok(query), authorization, content_type, body) =
        (std::str::from_utf8(line()), line(), line(), line())
    else {
        return;
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [(AUTHORIZATION, authorization), (CONTENT_TYPE, content_type)] {
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_bytes(value)) {
            headers.insert(name, value);
        }
    }
    match read(query, &headers, body) {
        Ok(request) => {
            check_literal(&headers, &request);
            check_encodings(&request);
            check_scopes(&request);
        }
        Err(refused) => check_refusal(&refused),
    }
}

fn read(query: &str, headers: &HeaderMap, body: &[u8]) -> Result<TokenRequest, TokenRequestRefused> {
    let query = query_fields(query, false)?;
    // The whole body is there, so nothing waits.
    let read = TokenRequest::of(query, headers, Bytes::copy_from_slice(body)).now_or_never();
    read.expect("a request in memory is read at once")
}

/// HTTP Basic without another encoding than base64 is taken literally.
fn check_literal(headers: &HeaderMap, request: &TokenRequest) {
    let Some(header) = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()) else { return };
    let Some((scheme, encoded)) = header.split_once(' ') else { return };
    let Ok(text) = BASE64.decode(encoded.trim()) else { return };
    let text = String::from_utf8(text).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("basic") && !text.contains(['%', '+']) {
        let ours = format!("{}:{}", request.client_id, request.client_secret);
        assert_eq!(ours, text, "HTTP Basic is taken for other credentials");
    }
}

fn check_encodings(request: &TokenRequest) {
    let TokenRequest { client_id, client_secret, scope } = request;
    if client_id.is_empty() || client_secret.is_empty() {
        return;
    }
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
    let form = |fields: &[(&str, &str)]| {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        pairs.join("&")
    };
    let basic = BASE64.encode(format!("{}:{}", encode(client_id), encode(client_secret)));
    let by_basic = one(AUTHORIZATION, &format!("Basic {basic}"));
    check_same(request, &by_basic, form(&fields).as_bytes());

    fields.extend([("client_id", client_id.as_str()), ("client_secret", client_secret.as_str())]);
    let urlencoded = one(CONTENT_TYPE, "application/x-www-form-urlencoded");
    check_same(request, &urlencoded, form(&fields).as_bytes());

    if fields.iter().any(|(_, value)| value.contains(BOUNDARY)) {
        return;
    }
    let parts: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    let multipart = one(CONTENT_TYPE, &format!("multipart/form-data; boundary={BOUNDARY}"));
    check_same(request, &multipart, format!("{}--{BOUNDARY}--\r\n", parts.concat()).as_bytes());
}

fn one(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::try_from(value).expect("it is visible ASCII"))])
}

fn check_same(request: &TokenRequest, headers: &HeaderMap, body: &[u8]) {
    let again = read("", headers, body).ok().map(|again| (again.client_id, again.client_secret, again.scope));
    let TokenRequest { client_id, client_secret, scope } = request;
    assert_eq!(
        again,
        Some((client_id.clone(), client_secret.clone(), scope.clone())),
        "{:?}",
        String::from_utf8_lossy(body)
    );
}

fn check_scopes(request: &TokenRequest) {
    for held in
        [&[Scope::ReportRead][..], &[Scope::ReportManage], &[Scope::TaskManagementWrite], &[Scope::All]]
    {
        match granted(held, request.scope.as_deref()) {
            Ok(scopes) => {
                let may = |scope: &Scope| {
                    held.contains(scope)
                        || held == [Scope::All]
                        || (held == [Scope::ReportManage] && *scope == Scope::ReportRead)
                        || (held == [Scope::TaskManagementWrite] && *scope == Scope::TaskManagementRead)
                        || (held == [Scope::IdentityHistoryManage] && *scope == Scope::IdentityHistoryRead)
                };
                assert!(!scopes.is_empty() && scopes.iter().all(may), "{scopes:?} of {held:?}");
            }
            Err(refused) => check_refusal(&refused),
        }
    }
}

/// RFC 6749, section 5.2: which characters a description may have.
fn check_refusal(refused: &TokenRequestRefused) {
    let TokenRequestRefused::OAuth(_, description) = refused else { panic!("a fault of the service") };
    let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    assert!(description.chars().all(allowed), "{description:?} is not of the permitted characters");
    assert!(description.len() <= REASON_BYTES_MAX, "a description of {} bytes", description.len());
}
