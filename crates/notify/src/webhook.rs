//! Webhooks as Standard Webhooks has them (<https://www.standardwebhooks.com>): a POST of JSON, signed with a secret that the
//! receiver has.
//!
//! Each address has a secret of its own, which is computed from the service's key, the tenant and the address. So none is
//! kept in the database, and one receiver cannot sign for another. When the key is exchanged, the key before it signs too
//! for a time, as the specification has it: a receiver accepts a webhook if one of the signatures is right.

use crate::addresses::{Internal, PublicOnly, is_public};
use crate::outcome::Outcome;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use muster_reports::error::{Error, Result, error_chain};
use muster_reports::ids::TenantId;
use muster_reports::trace::Trace;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url, redirect};
use sha2::Sha256;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a receiver may take, from the connection to the head of its answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The key from which the secrets of webhooks are computed.
#[derive(Clone)]
pub struct WebhookKey(pub [u8; 32]);

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(..)")
    }
}

/// The keys with which webhooks are signed at a time.
#[derive(Debug, Clone)]
pub struct WebhookKeys {
    /// The key that `muster notification secret` shows secrets of.
    pub current: WebhookKey,
    /// The key before it, and until when it signs too.
    pub previous: Option<(WebhookKey, DateTime<Utc>)>,
}

/// Gives the keys of now: they may be exchanged while the service runs.
pub type WebhookKeyRing = dyn Fn() -> Result<WebhookKeys> + Send + Sync;

/// Sends webhooks.
pub struct Webhooks {
    client: Client,
    keys: Arc<WebhookKeyRing>,
    internal_networks: bool,
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl WebhookKey {
    fn secret(&self, tenant: &TenantId, url: &str) -> [u8; 32] {
        let length = (tenant.as_str().len() as u64).to_be_bytes();
        hmac(&self.0, &[b"webhook secret", &length, tenant.as_str().as_bytes(), url.as_bytes()])
    }

    /// The secret with which the webhooks of a tenant to this address are signed, as receivers take it.
    pub fn shown_secret(&self, tenant: &TenantId, url: &str) -> String {
        format!("whsec_{}", STANDARD.encode(self.secret(tenant, url)))
    }
}

impl WebhookKeys {
    /// The signatures of a webhook that is sent at `now`, with spaces between them.
    fn signatures(
        &self,
        tenant: &TenantId,
        address: &str,
        (id, time, body): (&str, &str, &str),
        now: DateTime<Utc>,
    ) -> String {
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until).map(|(key, _)| key);
        let signature = |key: &WebhookKey| {
            let secret = key.secret(tenant, address);
            let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()];
            format!("v1,{}", STANDARD.encode(hmac(&secret, &parts)))
        };
        [&self.current].into_iter().chain(previous).map(signature).collect::<Vec<_>>().join(" ")
    }
}

impl Webhooks {
    /// What sends webhooks. With `internal_networks`, they may be at any address and have plain HTTP.
    ///
    /// # Errors
    /// `Internal` when no HTTP client can be made.
    pub fn new(keys: Arc<WebhookKeyRing>, internal_networks: bool) -> Result<Self> {
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would resolve the name itself.
            .no_proxy()
            .https_only(!internal_networks)
            .timeout(TIMEOUT)
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        if !internal_networks {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        let client =
            client.build().map_err(|error| Error::internal("an HTTP client cannot be made", error))?;
        Ok(Self { client, keys, internal_networks })
    }

    /// Posts a body under an id, signed at `now`. The receiver is told the trace, and not its state: what the caller of the
    /// service has written there is not for others.
    pub(crate) async fn send(
        &self,
        tenant: &TenantId,
        address: &str,
        (id, body): (&str, String),
        trace: Option<&Trace>,
        now: DateTime<Utc>,
    ) -> Outcome {
        let Ok(url) = Url::parse(address) else {
            return Outcome::Never("the webhook's address cannot be read".into());
        };
        if url.scheme() != "https" && !self.internal_networks {
            return Outcome::Never("the webhook has plain HTTP: expected https".into());
        }
        // A host that is an address is not resolved.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host.parse::<IpAddr>().is_ok_and(|host| !is_public(host)) && !self.internal_networks {
            return Outcome::Never(format!("webhook not sent: {Internal}"));
        }
        let time = now.timestamp().to_string();
        let signatures = match (self.keys)() {
            Ok(keys) => keys.signatures(tenant, address, (id, &time, &body), now),
            Err(error) => return Outcome::NotNow(error_chain(&error)),
        };
        let mut webhook = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", signatures);
        if let Some(trace) = trace {
            webhook = webhook.header("traceparent", trace.parent_header());
        }
        match webhook.body(body).send().await {
            Ok(answer) if answer.status().is_success() => Outcome::Sent,
            Ok(answer) if answer.status() == StatusCode::GONE => {
                Outcome::Never("the receiver answers 410: it takes no more webhooks".into())
            }
            Ok(answer) if answer.status().is_redirection() => Outcome::NotNow(format!(
                "the receiver answers {}: expected 2xx; redirects are not followed",
                answer.status().as_u16()
            )),
            Ok(answer) => {
                Outcome::NotNow(format!("the receiver answers {}: expected 2xx", answer.status().as_u16()))
            }
            // The address may have a secret in it.
            Err(error) => {
                let error = error.without_url();
                match is_internal(&error) {
                    true => Outcome::Never(format!("webhook not sent: {Internal}")),
                    false => Outcome::NotNow(error_chain(&error)),
                }
            }
        }
    }
}

fn is_internal(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Internal>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("it is base64");
        let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let body = r#"{"test": 2432232314}"#;
        let signed = hmac(&secret, &[id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()]);
        assert_eq!(STANDARD.encode(signed), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_address_has_its_own_secret() {
        let key = WebhookKey([7; 32]);
        let secret = |tenant: &str, url: &str| key.shown_secret(&TenantId::new(tenant), url);
        assert!(secret("a", "https://b").starts_with("whsec_"));
        assert_ne!(secret("a", "https://b"), secret("a", "https://c"));
        assert_ne!(secret("a", "https://b"), secret("ah", "ttps://b"));
    }

    #[test]
    fn the_key_before_signs_too_for_a_time() {
        let tenant = TenantId::new("acme");
        let until = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let sign = |keys: &WebhookKeys, now| keys.signatures(&tenant, "https://b", ("id", "1", "{}"), now);
        let only = |key| WebhookKeys { current: WebhookKey([key; 32]), previous: None };
        let [old, new] = [7, 8].map(|key| sign(&only(key), until));
        assert!(old.starts_with("v1,") && old != new && !old.contains(' '));
        let both = WebhookKeys { previous: Some((WebhookKey([7; 32]), until)), ..only(8) };
        assert_eq!(sign(&both, until - TimeDelta::seconds(1)), format!("{new} {old}"));
        assert_eq!(sign(&both, until), new);
    }

    #[tokio::test]
    async fn keys_that_cannot_be_read_are_tried_again() {
        let damaged = || Err(Error::internal("the keys of webhooks cannot be read", "damaged"));
        let hooks = Webhooks::new(Arc::new(damaged), true).expect("a client is made");
        let (tenant, now) = (TenantId::new("acme"), DateTime::UNIX_EPOCH);
        let outcome = hooks.send(&tenant, "http://127.0.0.1:9/", ("id", "{}".into()), None, now).await;
        assert_eq!(outcome, Outcome::NotNow("the keys of webhooks cannot be read: damaged".into()));
    }

    #[tokio::test]
    async fn internal_networks_are_not_called() {
        let keys = || Ok(WebhookKeys { current: WebhookKey([7; 32]), previous: None });
        let hooks = Webhooks::new(Arc::new(keys), false).expect("a client is made");
        let tenant = TenantId::new("acme");
        for address in
            ["https://127.0.0.1/x", "https://[::1]:8443/", "https://2130706433/", "https://localhost/x"]
        {
            let now = DateTime::UNIX_EPOCH;
            let outcome = hooks.send(&tenant, address, ("id", "{}".into()), None, now).await;
            let Outcome::Never(reason) = outcome else { panic!("{address}: {outcome:?}") };
            assert!(reason.contains("internal network"), "{address}: {reason}");
        }
        let plain =
            hooks.send(&tenant, "http://example.com", ("id", "{}".into()), None, DateTime::UNIX_EPOCH).await;
        assert_eq!(plain, Outcome::Never("the webhook has plain HTTP: expected https".into()));
    }
}
