//! The service as the commands call it: tokens, the four operations, files.
//!
//! Why here and thin: commands need a refusal as one line and a file at a place; how requests are made and
//! repeated is no concern of theirs.

use crate::failure::{Context, Failure, Result};
use muster_wire::{ErrorResponseDto, OAuthError, ReportResults, TaskResultDetails, TokenAnswer};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connecting, and a pause in an answer, may take this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// First wait between two questions for a result; doubled up to [`WAIT_MOST`].
const WAIT_FIRST: Duration = Duration::from_millis(10);
/// Longest wait between two questions for a result.
const WAIT_MOST: Duration = Duration::from_secs(1);

/// Where a file goes.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// To this path.
    File(&'a Path),
    /// To the working directory, named after the task.
    ItsName,
    /// To standard output.
    StandardOutput,
}

/// A service, with a token for it.
pub struct Api {
    base_url: String,
    token: String,
    http: Client,
}

impl Api {
    /// Gets a token.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses the credential.
    pub async fn connect(base_url: &str, id: &str, secret: &str) -> Result<Self> {
        let http = Client::builder()
            .connect_timeout(TIMEOUT)
            .read_timeout(TIMEOUT)
            .build()
            .context(|| "the HTTP client cannot be made".into())?;
        let mut api = Self { base_url: base_url.trim_end_matches('/').into(), token: String::new(), http };
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let request = api.http.post(format!("{}/oauth/token", api.base_url)).form(&form);
        let answer: TokenAnswer = api.json(request).await?;
        api.token = answer.access_token;
        Ok(api)
    }

    /// Starts a report by its published kind.
    ///
    /// # Errors
    /// What the service refuses, in one line.
    pub async fn start(&self, kind: &str, arguments: Value) -> Result<TaskResultDetails> {
        let body = json!({"reportType": kind, "arguments": arguments});
        self.json(self.request(Method::POST, "run").json(&body)).await
    }

    /// The result of a task as it is now; empty for an unknown id.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn result(&self, id: &str) -> Result<ReportResults> {
        self.json(self.request(Method::GET, &format!("{id}/result"))).await
    }

    /// The result of a task once it has ended; empty for an unknown id.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn wait(&self, id: &str) -> Result<ReportResults> {
        let mut pause = WAIT_FIRST;
        loop {
            let result = self.result(id).await?;
            if result.status.is_some() || result.id.is_none() {
                return Ok(result);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(WAIT_MOST);
        }
    }

    /// Fetches a task's file; returns where it is, unless that is standard output. A file that did not come
    /// whole is not left behind.
    ///
    /// # Errors
    /// As [`Api::start`]; when the transfer breaks off or the file cannot be written.
    pub async fn fetch(&self, id: &str, format: &str, target: Target<'_>) -> Result<Option<PathBuf>> {
        let request = self.request(Method::GET, id).query(&[("fileFormat", format)]);
        let response = self.send(request).await?;
        let path = match target {
            Target::File(path) => path.to_path_buf(),
            Target::ItsName => PathBuf::from(format!("{id}.{}", format.to_ascii_lowercase())),
            Target::StandardOutput => {
                copy(response, &mut std::io::stdout(), "standard output").await?;
                return Ok(None);
            }
        };
        let place = path.display().to_string();
        let mut partial = path.clone().into_os_string();
        partial.push(".part");
        let written = async {
            let unwritable = || format!("{place} cannot be written");
            let mut file = std::fs::File::create(&partial).context(unwritable)?;
            copy(response, &mut file, &place).await?;
            std::fs::rename(&partial, &path).context(unwritable)
        };
        match written.await {
            Ok(()) => Ok(Some(path)),
            Err(failure) => {
                // It may not have been made.
                let _ = std::fs::remove_file(&partial);
                Err(failure)
            }
        }
    }

    /// Cancels a task.
    ///
    /// # Errors
    /// As [`Api::start`].
    pub async fn cancel(&self, id: &str) -> Result {
        self.send(self.request(Method::POST, &format!("{id}/cancel"))).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/reports/v1/{path}", self.base_url)).bearer_auth(&self.token)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.context(|| format!("{} does not answer", self.base_url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.text().await.unwrap_or_default();
        Err(Failure::new(refusal(status, &body)))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        response
            .json()
            .await
            .context(|| format!("{} answered with something else than expected", self.base_url))
    }
}

async fn copy(mut response: Response, to: &mut impl Write, place: &str) -> Result {
    while let Some(bytes) = response.chunk().await.context(|| "the transfer broke off".into())? {
        to.write_all(&bytes).context(|| format!("{place} cannot be written"))?;
    }
    to.flush().context(|| format!("{place} cannot be written"))
}

/// What a refusal says, in one line: the cause where the body gives one.
fn refusal(status: StatusCode, body: &str) -> String {
    let report = serde_json::from_str::<ErrorResponseDto>(body).unwrap_or_default();
    if let Some(text) = report.causes.iter().chain(&report.messages).find_map(|message| message.text.as_ref())
    {
        return format!("{text} ({status})");
    }
    if let Ok(OAuthError { error_description: Some(text), .. }) = serde_json::from_str(body) {
        return format!("{text} ({status})");
    }
    format!("the service answered {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_its_cause() {
        let body = r#"{"detailCode":"400.1 Bad Request Content","messages":[{"text":"general"}],"causes":[{"text":"exact"}]}"#;
        assert_eq!(refusal(StatusCode::BAD_REQUEST, body), "exact (400 Bad Request)");
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, "<html>"), "the service answered 502 Bad Gateway");
    }
}
