//! A time-stamping authority (RFC 3161), asked over HTTP.
//!
//! An answer is accepted only if it stamps the requested digest and answers this request. Those who check the package
//! find out who signed it, with the authority's certificate. So the address may be plain HTTP, as most are.
//!
//! `crates/http/src/external_issuers/fetch.rs` has the same client, because the only crate that both may name,
//! `reports`, does no IO.

use futures_util::future::BoxFuture;
use muster_render::evidence::{TimeStampDue, TimeStampResponse, time_stamp_request};
use muster_reports::error::{Error, Result, error_chain};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Url, redirect};
use std::time::Duration;

/// Longest answer that is accepted, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A time-stamping authority.
pub struct Authority {
    client: Client,
    url: Url,
    required: bool,
}

impl Authority {
    /// The authority at this address, which may take so long. Nothing is sent yet. If a time stamp is `required`, there is
    /// no package without one.
    ///
    /// # Errors
    /// `Invalid` when the address cannot be one: the text goes on from the address's name.
    pub fn at(address: &str, timeout: Duration, required: bool) -> Result<Self> {
        let refuse = |what: &str| Error::invalid(format!("{what}: expected http://host or https://host"));
        let url = Url::parse(address).map_err(|_| refuse("is not an address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("is of another scheme"));
        }
        // Settings are shown, so the address must not contain a secret.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("has a user name or a password in it"));
        }
        let client = bounded_client(&url, timeout)?;
        Ok(Self { client, url, required })
    }

    /// Whether a package is to have its time stamp.
    pub fn due(&self) -> TimeStampDue {
        if self.required { TimeStampDue::Required } else { TimeStampDue::Asked }
    }

    /// The authority's answer for a digest, in DER; `nonce` belongs to this request alone. `None` if there is no answer
    /// and none is required.
    ///
    /// # Errors
    /// `Unavailable` when there is no time stamp and the settings require one.
    pub fn stamp<'a>(&'a self, sha256: &'a [u8; 32], nonce: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(async move {
            match self.ask(sha256, nonce).await {
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
        })
    }

    async fn ask(&self, sha256: &[u8; 32], nonce: u64) -> Result<Vec<u8>, Fault> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/timestamp-query")
            .header(ACCEPT, "application/timestamp-reply")
            .body(time_stamp_request(sha256, nonce));
        let answer = bounded_answer(request, ANSWER_BYTES_MAX).await?;
        TimeStampResponse::read(&answer)?.check(sha256, Some(nonce))?;
        Ok(answer)
    }
}

/// A client that follows no redirect and waits no longer than this.
fn bounded_client(url: &Url, timeout: Duration) -> Result<Client> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .https_only(url.scheme() == "https")
        .timeout(timeout)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::internal("an HTTP client cannot be made", error))
}

/// Sends a request and reads its answer: a status of 200 with at most `bytes_max` bytes.
async fn bounded_answer(request: RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut response = request.send().await?;
    let url = response.url().clone();
    if response.status() != 200 {
        return Err(format!("{url} answers {}: expected 200", response.status()).into());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(format!("{url} sends more than {bytes_max} bytes").into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
