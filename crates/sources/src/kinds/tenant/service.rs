//! Requests to the tenant: with an access token that is renewed, within their time, and again when the tenant is busy
//! or the connection breaks.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde_json::Value;

use super::TenantSettings;
use crate::reader::{ReadError, error_chain};
use crate::secret::{self, Environment, Secret};
use crate::source_kind::SourceSettings;
use crate::tls;

/// Longest answer that is read, in bytes. Longer pages are requested in smaller parts.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Times that a request is made before the read gives up.
const ATTEMPTS: u32 = 8;
/// Tokens in a row that may be refused before the read gives up. One that lives for seconds may have expired when the
/// request arrives, and a tenant's nodes may learn of a new one late.
const TOKENS: u32 = 4;
/// First wait between two attempts, if the tenant asks for none. It doubles each time.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// Longest wait that the tenant may ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Characters of the tenant's own words that an error shows.
const DETAIL_CHARACTERS_MAX: usize = 300;
/// Header with the number of elements that a list has.
const TOTAL: &str = "x-total-count";

/// The tenant as one client sees it.
pub(super) struct Service {
    client: Client,
    url: String,
    client_id: String,
    client_secret: Secret,
    token: Option<Secret>,
    time_limit: Duration,
}

/// What is asked for: a path with a query, and with a body what is searched for.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

/// What came.
pub(super) struct Answer {
    pub(super) body: Value,
    /// How many elements the list has, where the tenant says so.
    pub(super) total: Option<u64>,
}

/// Why nothing came.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The tenant does not do this, and will not later.
    Status(StatusCode, String),
    /// The answer is longer than what is read.
    TooLong,
    /// What came is no answer, or there is no way to the tenant.
    Unusable(String),
    /// It did not come to an answer now.
    Temporary(String),
}

impl Refusal {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Status(_, reason) | Self::Unusable(reason) | Self::Temporary(reason) => reason,
            Self::TooLong => format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"),
        }
    }
}

/// How one attempt ended without an answer.
enum Fault {
    /// The token is not taken any more.
    Token(String),
    Final(Refusal),
    /// Worth another attempt, after the wait that the tenant asks for.
    Later(String, Option<Duration>),
}

impl Service {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// The settings are faulty, or the secret or the certificates cannot be had.
    pub(super) fn connect(
        settings: &TenantSettings,
        base_dir: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, ReadError> {
        if let Some((key, reason)) = settings.fault() {
            let path = settings.url.clone();
            return Err(ReadError::Settings { path, reason: format!("{key}: {reason}") });
        }
        let failed = |reason: String| ReadError::Remote { place: settings.url.clone(), reason };
        let (file, variable) = (&settings.client_secret_file, &settings.client_secret_env);
        let client_secret =
            secret::read("client secret", file.as_deref(), variable.as_deref(), base_dir, environment)?
                .ok_or_else(|| failed("expected the place of the client secret".to_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let ca_file = settings.ca_file.as_ref().map(|file| base_dir.join(file));
        let tls = tls::client_config(ca_file.as_deref())?;
        let client = Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(tls.as_ref().clone())
            .build()
            .map_err(|error| failed(format!("no client: {error}")))?;
        Ok(Self {
            client,
            url: settings.url.trim_end_matches('/').to_owned(),
            client_id: settings.client_id.clone(),
            client_secret,
            token: None,
            time_limit: Duration::from_secs(settings.operation_timeout_s),
        })
    }

    /// Asks until there is an answer; a token that is not taken is renewed, at once the first time and then after a wait.
    pub(super) async fn ask(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let (mut wait, mut attempt, mut refused) = (WAIT_FIRST, 1, 0);
        loop {
            let (reason, told) = match tokio::time::timeout(self.time_limit, self.ask_once(request)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Fault::Final(refusal))) => return Err(refusal),
                Ok(Err(Fault::Token(reason))) => {
                    refused += 1;
                    if refused > TOKENS {
                        let reason = format!("{reason}, with {TOKENS} new tokens");
                        return Err(Refusal::Status(StatusCode::UNAUTHORIZED, reason));
                    }
                    self.token = None;
                    if refused > 1 {
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    continue;
                }
                Ok(Err(Fault::Later(reason, told))) => (reason, told),
                Err(_) => (format!("no answer within {} seconds", self.time_limit.as_secs()), None),
            };
            if attempt == ATTEMPTS {
                return Err(Refusal::Temporary(format!("{reason}, {ATTEMPTS} times")));
            }
            if let Some(told) = told.filter(|told| *told > WAIT_MAX) {
                let (asked, most) = (told.as_secs(), WAIT_MAX.as_secs());
                let reason =
                    format!("{reason} and asks for a wait of {asked} seconds: expected {most} at most");
                return Err(Refusal::Temporary(reason));
            }
            attempt += 1;
            // The wait may outlast the token.
            refused = 0;
            tokio::time::sleep(told.unwrap_or(wait)).await;
            wait *= 2;
        }
    }

    async fn ask_once(&mut self, request: &Request) -> Result<Answer, Fault> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => {
                let token = self.new_token().await?;
                self.token = Some(token.clone());
                token
            }
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_| unusable("the access token has characters that cannot be sent"))?;
        authorization.set_sensitive(true);
        let url = format!("{}{}", self.url, request.path);
        let prepared = match &request.body {
            None => self.client.get(url),
            Some(body) => self.client.post(url).json(body),
        };
        let answer = self.send(prepared.query(&request.query).header(AUTHORIZATION, authorization)).await?;
        let status = answer.status();
        let header = answer.headers().get(TOTAL);
        let total = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = body_of(answer).await?;
        match status {
            StatusCode::OK => Ok(Answer { body: parsed(&body)?, total }),
            StatusCode::UNAUTHORIZED => Err(Fault::Token(self.refused(status, &body))),
            _ => Err(Fault::Final(Refusal::Status(status, self.refused(status, &body)))),
        }
    }

    async fn new_token(&self) -> Result<Secret, Fault> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.reveal()),
        ];
        let answer = self.send(self.client.post(format!("{}/oauth/token", self.url)).form(&form)).await?;
        let status = answer.status();
        let body = body_of(answer).await?;
        if status != StatusCode::OK {
            let reason = format!("no access token: {}", self.refused(status, &body));
            return Err(Fault::Final(Refusal::Status(status, reason)));
        }
        match parsed(&body)?.get("access_token").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => Ok(Secret::new(token.to_owned())),
            Some(_) | None => Err(unusable("no access token: the answer has none")),
        }
    }

    /// Sends, and sorts out what is worth another attempt.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Fault> {
        let answer = request.send().await.map_err(|error| {
            let reason = format!("no connection: {}", error_chain(&error.without_url()));
            // A certificate does not become better by asking again.
            if reason.contains("certificate") { unusable(&reason) } else { Fault::Later(reason, None) }
        })?;
        let status = answer.status();
        let is_busy = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT;
        if is_busy || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            let header = answer.headers().get(RETRY_AFTER);
            let told = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err(Fault::Later(format!("the tenant answered {status}"), told.map(Duration::from_secs)));
        }
        Ok(answer)
    }

    /// A refusal in the tenant's words, without what must not be shown.
    fn refused(&self, status: StatusCode, body: &[u8]) -> String {
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let places = ["/messages/0/text", "/error_description", "/message", "/error"];
        let mut detail = places.into_iter().find_map(text).unwrap_or_default().to_owned();
        for hidden in [Some(&self.client_secret), self.token.as_ref()].into_iter().flatten() {
            detail = hidden.hidden_in(&detail);
        }
        let detail: String = detail.chars().take(DETAIL_CHARACTERS_MAX).collect();
        let separator = if detail.is_empty() { "" } else { ": " };
        let tracking = match text("/trackingId") {
            Some(id) if id.len() <= 64 => format!(" (tracking id {id})"),
            Some(_) | None => String::new(),
        };
        format!("the tenant answered {status}{separator}{detail}{tracking}")
    }
}

fn unusable(reason: &str) -> Fault {
    Fault::Final(Refusal::Unusable(reason.to_owned()))
}

async fn body_of(mut answer: Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        let piece = answer.chunk().await.map_err(|error| {
            Fault::Later(format!("the answer broke off: {}", error_chain(&error.without_url())), None)
        })?;
        let Some(piece) = piece else { return Ok(body) };
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(Fault::Final(Refusal::TooLong));
        }
        body.extend_from_slice(&piece);
    }
}

fn parsed(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        // An answer that ends too early without the connection saying so may come whole the next time.
        if error.is_eof() {
            Fault::Later("the answer broke off".to_owned(), None)
        } else {
            unusable("the answer is no JSON")
        }
    })
}
