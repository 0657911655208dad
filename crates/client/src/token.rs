//! The access token: fetched when needed, renewed before it expires, one fetch at a time.

use crate::configuration::Credentials;
use crate::error::{Error, Refusal};
use crate::retry::{Repeat, Wait, retried};
use muster_wire::TokenAnswer;
use reqwest::{Client, Url};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A token is renewed this long before it expires, or a tenth of its life if that is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

struct Held {
    token: String,
    renew_at: Instant,
}

pub(crate) struct Tokens {
    url: Url,
    credentials: Credentials,
    held: Mutex<Option<Held>>,
}

impl Tokens {
    pub(crate) fn new(url: Url, credentials: Credentials) -> Self {
        Self { url, credentials, held: Mutex::new(None) }
    }

    /// A token to use now. `refused` is one that the service has just refused.
    pub(crate) async fn token(
        &self,
        http: &Client,
        wait: &Wait,
        refused: Option<&str>,
    ) -> Result<String, Error> {
        let (id, secret) = match &self.credentials {
            Credentials::Token(token) => return Ok(token.clone()),
            Credentials::Client { id, secret } => (id, secret),
        };
        // Held over the fetch, so that others wait for its token and do not fetch their own.
        let mut held = self.held.lock().await;
        if let Some(held) = &*held
            && held.renew_at > Instant::now()
            && refused != Some(&held.token)
        {
            return Ok(held.token.clone());
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", secret.as_str()),
        ];
        let asked_at = Instant::now();
        let response =
            retried(wait, Repeat::Always, || http.post(self.url.clone()).form(&form).send()).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(Error::transport)?;
        if !status.is_success() {
            return Err(Error::NoToken(Refusal::read(status.as_u16(), &headers, &body)));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| Error::Answer("the token endpoint gave no access_token".into()))?;
        let lifetime = Duration::from_secs(u64::try_from(answer.expires_in).unwrap_or(0));
        let renew_at = asked_at + lifetime - RENEW_BEFORE.min(lifetime / 10);
        *held = Some(Held { token: answer.access_token.clone(), renew_at });
        Ok(answer.access_token)
    }

    /// Whether another token can be fetched after one was refused.
    pub(crate) fn renewable(&self) -> bool {
        match self.credentials {
            Credentials::Client { .. } => true,
            Credentials::Token(_) => false,
        }
    }
}
