//! Reading a token request: HTTP Basic, urlencoded, multipart, and `grant_type` in the query.

use super::refused::TokenRequestRefused;
use crate::input::{body_bytes, media_type};
use crate::state::AppState;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream;
use muster_wire::OAuthErrorCode;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::convert::Infallible;

/// Largest token request, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The parameters that count; others are ignored (RFC 6749, section 3.2).
const PARAMETERS: [&str; 4] = ["grant_type", "client_id", "client_secret", "scope"];

/// A token request whose grant is `client_credentials`.
pub(crate) struct TokenRequest {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) scope: Option<String>,
}

pub(crate) type Pairs = Vec<(String, String)>;

impl TokenRequest {
    pub(crate) async fn read(
        state: &AppState,
        parts: &Parts,
        body: Body,
    ) -> Result<Self, TokenRequestRefused> {
        let query = parts.uri.query().unwrap_or_default();
        let query = query_fields(query, state.settings().allow_credentials_in_query)?;
        let body = body_bytes(state, &parts.headers, body, BODY_BYTES_MAX).await?;
        Self::of(query, &parts.headers, body).await
    }

    /// Reads the request from query, headers and body.
    pub(crate) async fn of(
        query: Pairs,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Self, TokenRequestRefused> {
        let body = match media_type(headers).as_deref() {
            _ if body.is_empty() => Pairs::new(),
            None | Some("application/x-www-form-urlencoded") => urlencoded(&body, "body")?,
            Some("multipart/form-data") => multipart(headers, body).await?,
            Some(_) => {
                return Err(TokenRequestRefused::request(
                    "the body has an unsupported format: expected application/x-www-form-urlencoded or \
                     multipart/form-data",
                ));
            }
        };
        let fields = Fields(query.into_iter().chain(body).collect());
        fields.check_repetition()?;
        match fields.get("grant_type") {
            None => {
                return Err(TokenRequestRefused::request(
                    "grant_type is missing: expected client_credentials",
                ));
            }
            Some(grant) if grant.eq_ignore_ascii_case("client_credentials") => {}
            Some(_) => {
                return Err(TokenRequestRefused::OAuth(
                    OAuthErrorCode::UnsupportedGrantType,
                    "grant_type is not supported: expected client_credentials".into(),
                ));
            }
        }
        let scope = fields.get("scope").map(str::to_owned);
        let (client_id, client_secret) = credentials(headers, &fields)?;
        Ok(Self { client_id, client_secret, scope })
    }
}

/// The fields of a query.
pub(crate) fn query_fields(query: &str, credentials_allowed: bool) -> Result<Pairs, TokenRequestRefused> {
    let fields = urlencoded(query.as_bytes(), "query")?;
    if !credentials_allowed && fields.iter().any(|(name, _)| name == "client_secret") {
        return Err(TokenRequestRefused::request("client_secret is in the query: send it in the body"));
    }
    Ok(fields)
}

/// Id and secret from HTTP Basic or from the fields; not from both (RFC 6749, section 2.3).
fn credentials(headers: &HeaderMap, fields: &Fields) -> Result<(String, String), TokenRequestRefused> {
    let (id, secret) = (fields.get("client_id"), fields.get("client_secret"));
    match (basic(headers)?, id, secret) {
        (Some(_), _, Some(_)) => {
            Err(TokenRequestRefused::request("send client_secret or HTTP Basic, not both"))
        }
        (Some((basic_id, _)), Some(id), None) if basic_id != id => {
            Err(TokenRequestRefused::request("client_id differs from the id in HTTP Basic"))
        }
        (Some(basic), _, None) => Ok(basic),
        (None, Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
        (None, Some(_), None) => Err(TokenRequestRefused::request("client_secret is missing")),
        (None, None, _) => Err(TokenRequestRefused::request("client_id is missing")),
    }
}

/// Credentials of an `Authorization: Basic` header, decoded as RFC 6749 section 2.3.1 encodes them.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, TokenRequestRefused> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let refuse = || {
        TokenRequestRefused::request(
            "the Authorization header is not valid: expected Basic base64(id:secret)",
        )
    };
    let (scheme, encoded) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refuse)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        // Some clients also send their old bearer token.
        return Ok(None);
    }
    let bytes = BASE64.decode(encoded.trim()).map_err(|_| refuse())?;
    let text = String::from_utf8(bytes).map_err(|_| refuse())?;
    let (id, secret) = text.split_once(':').ok_or_else(refuse)?;
    // Not decoded like a query, in which `&` would end the secret.
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
    };
    Ok(Some((decode(id).ok_or_else(refuse)?, decode(secret).ok_or_else(refuse)?)))
}

fn urlencoded(text: &[u8], place: &str) -> Result<Pairs, TokenRequestRefused> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| serde_urlencoded::from_str(text.trim()).ok()).ok_or_else(|| {
        TokenRequestRefused::request(format!("the {place} is not UTF-8: expected name=value&name=value"))
    })
}

async fn multipart(headers: &HeaderMap, body: Bytes) -> Result<Pairs, TokenRequestRefused> {
    let refuse = |_: multer::Error| TokenRequestRefused::request("the body is not valid multipart/form-data");
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(refuse)?;
    let body = stream::once(async { Ok::<_, Infallible>(body) });
    let mut parts = multer::Multipart::new(body, boundary);
    let mut pairs = Pairs::new();
    while let Some(part) = parts.next_field().await.map_err(refuse)? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let bytes = part.bytes().await.map_err(refuse)?;
        let value = String::from_utf8(bytes.to_vec());
        pairs.push((
            name,
            value.map_err(|_| TokenRequestRefused::request("a part of the body is not UTF-8"))?,
        ));
    }
    Ok(pairs)
}

/// Parameters from query and body. An empty value is the same as none (RFC 6749, section 3.2).
struct Fields(Pairs);

impl Fields {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, v)| v.as_str())
    }

    fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    fn check_repetition(&self) -> Result<(), TokenRequestRefused> {
        match PARAMETERS.into_iter().find(|name| self.values(name).count() > 1) {
            None => Ok(()),
            Some(name) => Err(TokenRequestRefused::request(format!("{name} is given more than once"))),
        }
    }
}
