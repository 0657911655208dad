//! Requests to the service: with credentials, within their time, and again when the service is busy.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Map, Value};

use super::ScimSettings;
use crate::reader::ReadError;
use crate::secret::Secret;
use crate::tls;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Times that a request is made before the read gives up.
const ATTEMPTS: u32 = 6;
/// Longest wait that a service may ask for between two of them, and the first where it asks for none.
const WAIT_MAX: Duration = Duration::from_secs(300);
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// What the service is asked with.
pub(super) enum Credentials {
    None,
    Token(Secret),
    Password(String, Secret),
}

/// A service that answers.
pub(super) struct Service {
    client: Client,
    url: String,
    time_limit: Duration,
}

/// A page of resources.
pub(super) struct Page {
    pub(super) resources: Vec<Map<String, Value>>,
    /// Elements of the page that are no objects.
    pub(super) broken: usize,
    pub(super) total: Option<u64>,
    pub(super) next_cursor: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The service does not do this, and will not later.
    Final(String),
    /// It did not come to an answer now.
    Temporary(String),
}

impl Service {
    /// Makes a client; nothing is sent yet.
    pub(super) fn new(
        settings: &ScimSettings,
        base_dir: &Path,
        credentials: &Credentials,
    ) -> Result<Self, ReadError> {
        let failed =
            |reason: &str| ReadError::Remote { place: settings.url.clone(), reason: reason.to_owned() };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/scim+json, application/json"));
        let authorization = match credentials {
            Credentials::None => None,
            Credentials::Token(token) => Some(format!("Bearer {}", token.reveal())),
            Credentials::Password(user, password) => {
                use base64::Engine as _;
                let pair = format!("{user}:{}", password.reveal());
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
        };
        if let Some(text) = authorization {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| failed("the credentials have characters that cannot be sent"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let ca_file = settings.ca_file.as_ref().map(|file| base_dir.join(file));
        let tls = tls::client_config(ca_file.as_deref())?;
        let client = Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(tls.as_ref().clone())
            .build()
            .map_err(|error| failed(&format!("no client: {error}")))?;
        let time_limit = Duration::from_secs(settings.operation_timeout_s);
        Ok(Self { client, url: settings.url.trim_end_matches('/').to_owned(), time_limit })
    }

    /// Asks for a page of `path` with a query.
    pub(super) async fn page(&self, path: &str, query: &[(&str, String)]) -> Result<Page, Refusal> {
        let mut wait = WAIT_FIRST;
        let mut attempt = 1;
        loop {
            let asked = tokio::time::timeout(self.time_limit, self.ask(path, query)).await;
            let (reason, told) = match asked {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err((Refusal::Final(reason), _))) => return Err(Refusal::Final(reason)),
                Ok(Err((Refusal::Temporary(reason), told))) => (reason, told),
                Err(_) => (format!("no answer within {} seconds", self.time_limit.as_secs()), None),
            };
            if attempt == ATTEMPTS {
                return Err(Refusal::Temporary(format!("{reason}, {ATTEMPTS} times")));
            }
            attempt += 1;
            tokio::time::sleep(told.unwrap_or(wait).min(WAIT_MAX)).await;
            wait *= 2;
        }
    }

    /// Asks once; beside a temporary refusal stands the wait that the service asks for.
    async fn ask(&self, path: &str, query: &[(&str, String)]) -> Result<Page, (Refusal, Option<Duration>)> {
        let later = |reason: String| (Refusal::Temporary(reason), None);
        let never = |reason: String| (Refusal::Final(reason), None);
        let request = self.client.get(format!("{}{path}", self.url)).query(query);
        let mut answer = request.send().await.map_err(|error| {
            let reason = format!("no connection: {}", chain(&error.without_url()));
            // A certificate does not become better by asking again.
            if reason.contains("certificate") { never(reason) } else { later(reason) }
        })?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() && status.as_u16() != 501 {
            let told =
                answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err((
                Refusal::Temporary(format!("the service answered {status}")),
                told.map(Duration::from_secs),
            ));
        }
        let mut body = Vec::new();
        while let Some(piece) = answer
            .chunk()
            .await
            .map_err(|error| later(format!("the answer broke off: {}", error.without_url())))?
        {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(never(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        let parsed = serde_json::from_slice::<Value>(&body).ok();
        if status != StatusCode::OK {
            let detail = parsed.as_ref().and_then(|body| body.get("detail")?.as_str()).unwrap_or_default();
            let detail: String = detail.chars().take(300).collect();
            return Err(never(format!("the service answered {status}: {detail}")));
        }
        page(parsed).ok_or_else(|| never("the answer is no SCIM list response".to_owned()))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A list response (RFC 7644, 3.4.2); a list without resources may leave them out.
pub(super) fn page(body: Option<Value>) -> Option<Page> {
    let Some(Value::Object(mut body)) = body else { return None };
    let total = body.get("totalResults").and_then(Value::as_u64);
    let next_cursor = body.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
    let elements = match body.remove("Resources") {
        Some(Value::Array(elements)) => elements,
        None | Some(Value::Null) if total.is_some() => Vec::new(),
        None
        | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            return None;
        }
    };
    let count = elements.len();
    let resources: Vec<Map<String, Value>> = elements
        .into_iter()
        .filter_map(|element| if let Value::Object(members) = element { Some(members) } else { None })
        .collect();
    Some(Page { broken: count - resources.len(), resources, total, next_cursor })
}
