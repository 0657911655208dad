//! The time-stamping authority that the settings name (RFC 3161), asked over HTTP.
//!
//! An answer is taken only if it stamps the asked digest and answers this request. Who signed it is for those who
//! check the package, with the authority's certificate; so the address may be plain HTTP, as most of them are.

use crate::config;
use crate::failure::{self, Context, Failure};
use crate::ids::random_bytes;
use muster_render::evidence::{TimeStampDue, TimeStampResponse, time_stamp_request};
use muster_reports::error::{Error, Result, error_chain};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Url, redirect};
use std::time::Duration;

/// Longest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A time-stamping authority.
pub struct Authority {
    client: Client,
    url: Url,
    required: bool,
}

impl Authority {
    /// The authority of these settings, if they name one. Nothing is sent yet.
    ///
    /// # Errors
    /// When its address cannot be one.
    pub fn of(settings: &config::Evidence) -> failure::Result<Option<Self>> {
        let Some(address) = &settings.time_stamp_url else { return Ok(None) };
        let refuse = |what: &str| {
            Failure::usage(format!("evidence.time_stamp_url {what}: expected http://host or https://host"))
        };
        let url = Url::parse(address).map_err(|_| refuse("is no address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("is of another scheme"));
        }
        // Settings are shown, so no secret may stand in one.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("has a user name or a password in it"));
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .https_only(url.scheme() == "https")
            .timeout(Duration::from_millis(settings.time_stamp_timeout_ms))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .build()
            .context(|| "an HTTP client cannot be made".into())?;
        Ok(Some(Self { client, url, required: settings.time_stamp_required }))
    }

    /// Whether a package is to have its time stamp.
    pub fn due(&self) -> TimeStampDue {
        if self.required { TimeStampDue::Required } else { TimeStampDue::Asked }
    }

    /// The authority's answer for a digest, in DER. Without one, `None` where that is allowed.
    ///
    /// # Errors
    /// `Unavailable` when there is no time stamp and the settings require one.
    pub async fn stamp(&self, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        match self.ask(sha256, u64::from_be_bytes(random_bytes())).await {
            Ok(answer) => Ok(Some(answer)),
            Err(fault) if self.required => Err(Error {
                source: Some(fault),
                ..Error::unavailable("the time-stamping authority gave no time stamp")
            }),
            Err(fault) => {
                let error = error_chain(&*fault);
                tracing::warn!(%error, "an evidence package has no time stamp");
                Ok(None)
            }
        }
    }

    async fn ask(&self, sha256: &[u8; 32], nonce: u64) -> Result<Vec<u8>, Fault> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/timestamp-query")
            .header(ACCEPT, "application/timestamp-reply")
            .body(time_stamp_request(sha256, nonce));
        let mut response = request.send().await?;
        if response.status() != 200 {
            return Err(format!("{} answers {}: expected 200", self.url, response.status()).into());
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("{} sends more than {ANSWER_BYTES_MAX} bytes", self.url).into());
            }
            answer.extend_from_slice(&chunk);
        }
        TimeStampResponse::read(&answer)?.check(sha256, Some(nonce))?;
        Ok(answer)
    }
}
