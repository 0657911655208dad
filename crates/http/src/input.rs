//! Reading requests: path, query and body, each with limits, into what a use case takes.

use crate::failure::Failure;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use muster_reports::arguments::RawArguments;
use muster_reports::error::shown;
use serde_json::Value;

/// What a handler takes in addition to the caller. It is read after the right has been checked.
pub(crate) trait Input: Sized + Send {
    /// Reads the request.
    fn read(state: &AppState, parts: Parts, body: Body)
    -> impl Future<Output = Result<Self, Failure>> + Send;
}

impl Input for () {
    async fn read(_: &AppState, _: Parts, _: Body) -> Result<Self, Failure> {
        Ok(())
    }
}

/// The id in a path.
pub(crate) struct Id(pub(crate) String);

impl Id {
    pub(crate) async fn of(parts: &mut Parts) -> Result<Self, Failure> {
        let id = Path::<String>::from_request_parts(parts, &()).await;
        let Path(id) =
            id.map_err(|_| Failure::invalid("the id in the path is not UTF-8: expected 32 hex digits"))?;
        Ok(Self(id))
    }
}

impl Id {
    /// The id and the part of the path that follows it.
    pub(crate) async fn and_part(parts: &mut Parts) -> Result<(String, String), Failure> {
        let both = Path::<(String, String)>::from_request_parts(parts, &()).await;
        let Path(both) =
            both.map_err(|_| Failure::invalid("the path is not UTF-8: expected an id of 32 hex digits"))?;
        Ok(both)
    }
}

impl Input for Id {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        Self::of(&mut parts).await
    }
}

/// The parameters of a query, decoded; `+` and `%20` are both spaces.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(parts: &Parts) -> Result<Self, Failure> {
        let pairs = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default())
            .map_err(|_| Failure::invalid("the query is not UTF-8: expected name=value&name=value"))?;
        Ok(Self(pairs))
    }

    /// The first value of `name`. A parameter without a value is the same as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of `name`.
    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, value)| key == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// A flag: `true` or `false` in any case, false when absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(Failure::invalid(format!("{name} is {}: expected true or false", shown(text)))),
        }
    }
}

/// Reads a body of at most `bytes_max` bytes, within the time limit of the settings. A compressed one is refused.
pub(crate) async fn body_bytes(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, Failure> {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    let coded = codings
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
    if coded && !axum::body::HttpBody::is_end_stream(&body) {
        // RFC 9110, section 12.5.3: the answer says which codings are accepted.
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is compressed (Content-Encoding): expected an uncompressed body",
        )
        .with(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let collected = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(state.settings().body_timeout, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is too large: expected at most {bytes_max} bytes"),
        )),
        Ok(Err(_)) => Err(Failure::invalid("the body ended before it was complete")),
        Err(_) => Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// The media type of a body in lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON object from a body; an empty body gives `None`.
pub(crate) async fn json_object(
    state: &AppState,
    parts: &Parts,
    body: Body,
) -> Result<Option<serde_json::Map<String, Value>>, Failure> {
    match json_body(state, parts, body, "an object").await? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => {
            Err(Failure::invalid(format!("the body is {}: expected an object", json_type(&other))))
        }
    }
}

/// JSON from a body; an empty body gives `None`. `expected` is for error texts.
pub(crate) async fn json_body(
    state: &AppState,
    parts: &Parts,
    body: Body,
    expected: &str,
) -> Result<Option<Value>, Failure> {
    if let Some(given) = media_type(&parts.headers)
        && given != "application/json"
        && !(given.starts_with("application/") && given.ends_with("+json"))
        && !axum::body::HttpBody::is_end_stream(&body)
    {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the body is {}: expected application/json", shown(&given)),
        ));
    }
    let bytes = body_bytes(state, &parts.headers, body, state.settings().body_bytes_max).await?;
    // Some clients write a byte order mark. JSON has none, but a reader may ignore it (RFC 8259, section 8.1).
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_slice(bytes).map_err(|error| {
        Failure::invalid(format!(
            "the body is not JSON, line {}, column {}: expected {expected}",
            error.line(),
            error.column()
        ))
    })?;
    Ok(Some(value))
}

/// The `arguments` of a body: absent and null are the same as none.
pub(crate) fn arguments(value: Option<&Value>) -> Result<RawArguments, Failure> {
    match value {
        None | Some(Value::Null) => Ok(RawArguments::new()),
        Some(Value::Object(object)) => {
            Ok(object.iter().map(|(name, value)| (name.clone(), value.into())).collect())
        }
        Some(other) => {
            Err(Failure::invalid(format!("arguments is {}: expected an object", json_type(other))))
        }
    }
}

/// What kind of JSON value this is, for error texts.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
