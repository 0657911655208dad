//! Requests to the service: with credentials, within their time, and again when the service is busy.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Map, Value};

use super::ScimSettings;
use super::members::take;
use super::version::EntityTag;
use crate::reader::{ReadError, error_chain};
use crate::secret::Secret;
use crate::tls;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Times that a request is made before the read gives up.
const ATTEMPTS: u32 = 6;
/// Longest wait that a service may ask for between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// First wait between two attempts, if the service asks for none.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// Characters of the service's own words that an error shows.
const DETAIL_CHARACTERS_MAX: usize = 300;

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
    /// What no error may show.
    secrets: Vec<Secret>,
}

/// A page of resources.
pub(super) struct Page {
    pub(super) resources: Vec<Map<String, Value>>,
    /// Elements of the page that are no objects.
    pub(super) broken: usize,
    pub(super) total: Option<u64>,
    pub(super) next_cursor: Option<String>,
    /// The entity tag that the answer had, as it was written.
    pub(super) tag: Option<String>,
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
        let mut secrets = Vec::new();
        let authorization = match credentials {
            Credentials::None => None,
            Credentials::Token(token) => {
                secrets.push(token.clone());
                Some(format!("Bearer {}", token.reveal()))
            }
            Credentials::Password(user, password) => {
                use base64::Engine as _;
                let pair = format!("{user}:{}", password.reveal());
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                let authorization = format!("Basic {pair}");
                secrets.extend([Secret::new(pair), password.clone()]);
                Some(authorization)
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
        Ok(Self { client, url: settings.url.trim_end_matches('/').to_owned(), time_limit, secrets })
    }

    /// Asks for a page of `path` with a query.
    pub(super) async fn page(&self, path: &str, query: &[(&str, String)]) -> Result<Page, Refusal> {
        let page = self.page_unless(path, query, None).await?;
        page.ok_or_else(|| Refusal::Final("the service answered 304 Not Modified to no condition".to_owned()))
    }

    /// The same, unless the page still has an entity tag; then `None`.
    pub(super) async fn page_unless(
        &self,
        path: &str,
        query: &[(&str, String)],
        tag: Option<&EntityTag<'_>>,
    ) -> Result<Option<Page>, Refusal> {
        let mut wait = WAIT_FIRST;
        let mut attempt = 1;
        loop {
            let asked = tokio::time::timeout(self.time_limit, self.ask(path, query, tag)).await;
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

    /// Asks once; a temporary refusal comes with the wait that the service asks for.
    async fn ask(
        &self,
        path: &str,
        query: &[(&str, String)],
        tag: Option<&EntityTag<'_>>,
    ) -> Result<Option<Page>, (Refusal, Option<Duration>)> {
        let later = |reason: String| (Refusal::Temporary(reason), None);
        let never = |reason: String| (Refusal::Final(reason), None);
        let mut request = self.client.get(format!("{}{path}", self.url)).query(query);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag.text());
        }
        let mut answer = request.send().await.map_err(|error| {
            let reason = format!("no connection: {}", error_chain(&error.without_url()));
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
        let header = answer.headers().get(ETAG).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        if let (StatusCode::NOT_MODIFIED, Some(tag)) = (status, tag) {
            // A service that names another tag says two things at once.
            let named =
                header.as_deref().map(|text| EntityTag::parse(text).is_some_and(|named| named.matches(tag)));
            return match named {
                None | Some(true) => Ok(None),
                Some(false) => {
                    Err(never("the service answered 304 Not Modified with another entity tag".to_owned()))
                }
            };
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
            let shown = self.secrets.iter().fold(detail.to_owned(), |text, secret| secret.hidden_in(&text));
            let detail: String = shown.chars().take(DETAIL_CHARACTERS_MAX).collect();
            return Err(never(format!("the service answered {status}: {detail}")));
        }
        let mut page = page(parsed).ok_or_else(|| never("the answer is no SCIM list response".to_owned()))?;
        page.tag = header;
        Ok(Some(page))
    }
}

/// A list response (RFC 7644, 3.4.2); a list without resources may leave them out.
pub(super) fn page(body: Option<Value>) -> Option<Page> {
    let mut body = body.filter(Value::is_object)?;
    let number = |value: Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let total = take(&mut body, "totalResults").and_then(number);
    let next_cursor = take(&mut body, "nextCursor").and_then(|cursor| Some(cursor.as_str()?.to_owned()));
    let elements = match take(&mut body, "Resources") {
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
    Some(Page { broken: count - resources.len(), resources, total, next_cursor, tag: None })
}
