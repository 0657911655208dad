//! The API, asked in process.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use muster_wire::{ErrorResponseDto, RateLimited, Unauthorized};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

/// Largest answer that a page is made of, in bytes. Files are streamed and have no limit.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// Some published operations ask for it.
const EXPERIMENTAL: HeaderName = HeaderName::from_static("x-sailpoint-experimental");

/// The API.
#[derive(Clone)]
pub(crate) struct Api(pub(crate) Router);

/// Why the API refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What was wrong, in the API's words.
    pub(crate) text: String,
    /// Seconds to wait, where waiting helps.
    pub(crate) retry_after: Option<u64>,
    /// Under which the service's log has the details.
    pub(crate) tracking_id: Option<String>,
}

impl Refusal {
    fn fault(text: &str) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, text: text.into(), retry_after: None, tracking_id: None }
    }

    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let (text, tracking_id) = told(status, body);
        Self { status, text, retry_after, tracking_id }
    }

    /// Whether something that was entered is wrong, or names what is not there: the form is shown again.
    pub(crate) fn is_about_input(&self) -> bool {
        matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
    }
}

/// What a refusal says, and its tracking id.
fn told(status: StatusCode, body: &[u8]) -> (String, Option<String>) {
    if status == StatusCode::UNAUTHORIZED
        && let Ok(Unauthorized { error }) = serde_json::from_slice(body)
    {
        return (error, None);
    }
    if status == StatusCode::TOO_MANY_REQUESTS
        && let Ok(RateLimited { message }) = serde_json::from_slice(body)
    {
        return (message.trim().to_owned(), None);
    }
    let error: ErrorResponseDto = serde_json::from_slice(body).unwrap_or_default();
    let text = error.causes.into_iter().chain(error.messages).find_map(|message| message.text);
    (text.unwrap_or_default(), error.tracking_id)
}

/// An answer with how many entries the whole list has, where that was asked for.
pub(crate) struct Counted<T> {
    pub(crate) body: T,
    pub(crate) total: Option<u64>,
}

/// The API with a caller's access token.
#[derive(Clone)]
pub(crate) struct Caller {
    api: Api,
    token: String,
}

impl Api {
    pub(crate) fn with(&self, token: &str) -> Caller {
        Caller { api: self.clone(), token: token.to_owned() }
    }

    /// Answers a request that is complete but for its host.
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// All of a body, if it is not too large.
pub(crate) async fn whole(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(_) => Err(Refusal::fault("the answer is incomplete or too large for a page")),
    }
}

impl Caller {
    async fn response(
        &self,
        method: Method,
        address: &str,
        body: Option<(&str, &Value)>,
        headers: HeaderMap,
    ) -> Result<Response, Refusal> {
        let content = body.map(|(_, value)| value.to_string()).unwrap_or_default();
        let mut request = Request::new(Body::from(content));
        *request.method_mut() = method;
        *request.uri_mut() = address.parse().map_err(|_| Refusal {
            status: StatusCode::NOT_FOUND,
            ..Refusal::fault("the address is not valid")
        })?;
        *request.headers_mut() = headers;
        let head = request.headers_mut();
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token));
        head.insert(
            AUTHORIZATION,
            bearer.map_err(|_| Refusal::fault("the access token is not a header's value"))?,
        );
        head.insert(EXPERIMENTAL, HeaderValue::from_static("true"));
        head.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        if let Some((kind, _)) = body
            && let Ok(kind) = HeaderValue::from_str(kind)
        {
            head.insert(CONTENT_TYPE, kind);
        }
        let response = self.api.answer(request).await;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        Err(Refusal::of(status, &parts.headers, &whole(body).await?))
    }

    async fn counted<T: DeserializeOwned>(response: Response) -> Result<Counted<T>, Refusal> {
        let (parts, body) = response.into_parts();
        let total = parts.headers.get(TOTAL).and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = whole(body).await?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        let body = serde_json::from_slice(text).map_err(|error| {
            // Where, and not the text of the error: that may quote a value of the answer.
            tracing::error!(
                expected = std::any::type_name::<T>(),
                line = error.line(),
                column = error.column(),
                "an answer of the API does not have the expected form"
            );
            Refusal::fault("the answer does not have the expected form")
        })?;
        Ok(Counted { body, total })
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T, Refusal> {
        Ok(self.get_counted(address).await?.body)
    }

    /// Reads, with the total.
    pub(crate) async fn get_counted<T: DeserializeOwned>(
        &self,
        address: &str,
    ) -> Result<Counted<T>, Refusal> {
        Self::counted(self.response(Method::GET, address, None, HeaderMap::new()).await?).await
    }

    /// Sends JSON.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        address: &str,
        body: &Value,
    ) -> Result<Counted<T>, Refusal> {
        let body = Some(("application/json", body));
        Self::counted(self.response(method, address, body, HeaderMap::new()).await?).await
    }

    /// Posts without a body.
    pub(crate) async fn act(&self, method: Method, address: &str) -> Result<(), Refusal> {
        self.response(method, address, None, HeaderMap::new()).await.map(drop)
    }

    /// A file or a page of the API, with its head.
    pub(crate) async fn stream(&self, address: &str, headers: HeaderMap) -> Result<Response, Refusal> {
        self.response(Method::GET, address, None, headers).await
    }
}

/// What may stay as it is in a segment of a path or a value of a query.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one segment of a path, or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    // A path of dots would lead elsewhere.
    match text {
        "." | ".." => text.replace('.', "%2E"),
        _ => utf8_percent_encode(text, &PLAIN).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_leads_nowhere_else() {
        for (text, expected) in
            [("0af3", "0af3"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("..", "%2E%2E"), ("é&=", "%C3%A9%26%3D")]
        {
            assert_eq!(encoded(text), expected);
        }
    }

    #[test]
    fn refusals_are_told_in_the_words_of_the_api() {
        let told = |status, body: &str| told(status, body.as_bytes());
        let text = r#"{"detailCode":"400.1","trackingId":"abc","messages":[{"text":"general"}],"causes":[{"text":"exact"}]}"#;
        assert_eq!(told(StatusCode::BAD_REQUEST, text), ("exact".into(), Some("abc".into())));
        let text = r#"{"detailCode":"400.1","trackingId":"abc","messages":[{"text":"general"}]}"#;
        assert_eq!(told(StatusCode::BAD_REQUEST, text), ("general".into(), Some("abc".into())));
        assert_eq!(told(StatusCode::UNAUTHORIZED, r#"{"error":"expired"}"#), ("expired".into(), None));
        assert_eq!(told(StatusCode::TOO_MANY_REQUESTS, r#"{"message":" slow "}"#), ("slow".into(), None));
        assert_eq!(told(StatusCode::BAD_GATEWAY, "<html>"), (String::new(), None));
    }
}
