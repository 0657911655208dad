//! Where the service is and how to speak to it.

use std::fmt;
use std::time::Duration;

/// How a client proves who it is.
#[derive(Clone)]
pub enum Credentials {
    /// A client id and secret; tokens are fetched with them from `/oauth/token`.
    Client {
        /// The client id.
        id: String,
        /// The client secret.
        secret: String,
    },
    /// An access token that somebody else fetched; it is never renewed.
    Token(String),
}

impl Credentials {
    /// A client id and secret.
    pub fn client(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::Client { id: id.into(), secret: secret.into() }
    }
}

impl fmt::Debug for Credentials {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { id, .. } => f.debug_struct("Client").field("id", id).finish_non_exhaustive(),
            Self::Token(_) => f.debug_struct("Token").finish_non_exhaustive(),
        }
    }
}

/// Where the service is and how to speak to it.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// `https://host` or `https://host/path`, with or without a slash at its end.
    pub base_url: String,
    /// The path of the report operations after it: `/reports/v1`, or `/v2024/reports` and so on.
    pub reports_path: String,
    /// How the client proves who it is.
    pub credentials: Credentials,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// How often one request is repeated after a 429, 502, 504 or a 503 with `Retry-After`, or when no connection was had.
    pub retries_max: u32,
    /// The longest wait before one repetition, whatever `Retry-After` says.
    pub retry_wait_max: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Certificates in PEM that are trusted in place of the system's: those of an authority of one's own.
    pub trusted_pem: Option<Vec<u8>>,
    /// How long nothing may arrive.
    pub read_timeout: Duration,
}

impl Configuration {
    /// The usual settings: `/reports/v1`, three retries, a minute of silence.
    pub fn new(base_url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            base_url: base_url.into(),
            reports_path: "/reports/v1".into(),
            credentials,
            user_agent: concat!("muster-client/", env!("CARGO_PKG_VERSION")).into(),
            retries_max: 3,
            retry_wait_max: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            trusted_pem: None,
            read_timeout: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        for credentials in [Credentials::client("id", "hush"), Credentials::Token("hush".into())] {
            assert!(!format!("{:?}", Configuration::new("http://x", credentials)).contains("hush"));
        }
    }
}
