//! The service as the commands call it.

use crate::failure::{Context, Failure, Result};
use muster_wire::{ReportResults, TaskResultDetails, TokenAnswer};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a file goes.
pub enum Target<'a> {
    /// To this path.
    File(&'a Path),
    /// To the working directory, under its own name.
    ItsName,
    /// To standard output.
    StandardOutput,
}

/// A service with a credential.
pub struct Api {
    base_url: String,
    id: String,
    secret: String,
    http: reqwest::Client,
}

impl Api {
    pub fn connect(base_url: &str, id: &str, secret: &str) -> Result<Self> {
        Ok(Self {
            base_url: base_url.trim_end_matches('/').into(),
            id: id.into(),
            secret: secret.into(),
            http: reqwest::Client::new(),
        })
    }

    async fn token(&self) -> Result<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        let request = self.http.post(format!("{}/oauth/token", self.base_url)).form(&form);
        let answer: TokenAnswer = self.json(request).await?;
        Ok(answer.access_token)
    }

    async fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let token = self.token().await?;
        Ok(self.http.request(method, format!("{}/reports/v1/{path}", self.base_url)).bearer_auth(token))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.context(|| format!("{} cannot be reached", self.base_url))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        Err(Failure::new(format!("{status}: {text}")))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.send(request).await?.json().await.context(|| "the answer is not the published JSON".into())
    }

    pub async fn start(&self, kind: &str, arguments: Value) -> Result<TaskResultDetails> {
        let body = json!({"reportType": kind, "arguments": arguments});
        self.json(self.request(Method::POST, "run").await?.json(&body)).await
    }

    pub async fn result(&self, id: &str) -> Result<ReportResults> {
        self.json(self.request(Method::GET, &format!("{id}/result")).await?).await
    }

    pub async fn wait(&self, id: &str) -> Result<ReportResults> {
        loop {
            let result = self.result(id).await?;
            if result.status.is_some() || result.id.is_none() {
                return Ok(result);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn download(&self, id: &str, format: &str, path: &Path) -> Result {
        self.fetch(id, format, Target::File(path)).await.map(drop)
    }

    pub async fn fetch(&self, id: &str, format: &str, target: Target<'_>) -> Result<Option<PathBuf>> {
        let request = self.request(Method::GET, id).await?.query(&[("fileFormat", format)]);
        let bytes = self.send(request).await?.bytes().await.context(|| "broken off".into())?;
        let path = match target {
            Target::File(path) => path.to_path_buf(),
            Target::ItsName => PathBuf::from(format!("{id}.{format}")),
            Target::StandardOutput => {
                std::io::stdout().write_all(&bytes).context(|| "stdout".into())?;
                return Ok(None);
            }
        };
        std::fs::write(&path, &bytes).context(|| format!("{} cannot be written", path.display()))?;
        Ok(Some(path))
    }

    pub async fn cancel(&self, id: &str) -> Result {
        self.send(self.request(Method::POST, &format!("{id}/cancel")).await?).await.map(drop)
    }
}
