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

    /// An access token.
    pub fn token(token: impl Into<String>) -> Self {
        Self::Token(token.into())
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

/// The published version of the API that is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiVersion {
    /// The current one, whose version follows the name: `/reports/v1`.
    #[default]
    V1,
    /// `/v3/reports`.
    V3,
    /// `/v2024/reports`.
    V2024,
    /// `/v2025/reports`.
    V2025,
    /// `/v2026/reports`.
    V2026,
}

impl ApiVersion {
    /// The segments of a collection's path, such as `reports`.
    pub(crate) fn segments(self, collection: &str) -> [&str; 2] {
        match self {
            Self::V1 => [collection, "v1"],
            Self::V3 => ["v3", collection],
            Self::V2024 => ["v2024", collection],
            Self::V2025 => ["v2025", collection],
            Self::V2026 => ["v2026", collection],
        }
    }
}

/// Where the service is and how to speak to it.
///
/// ```
/// use muster_client::{ApiVersion, Configuration, Credentials};
/// use std::time::Duration;
///
/// let configuration = Configuration::new("https://reports.example.com", Credentials::client("id", "secret"))
///     .with_version(ApiVersion::V2025)
///     .with_retries(5, Duration::from_secs(60))
///     .with_user_agent("nightly-export/1.2");
/// assert_eq!(configuration.retries_max, 5);
/// ```
#[derive(Debug, Clone)]
pub struct Configuration {
    /// `https://host` or `https://host/path`, with or without a slash at its end.
    pub base_url: String,
    /// Which version of the published API is called.
    pub version: ApiVersion,
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
    /// The usual settings: the current version, three retries, a minute of silence.
    pub fn new(base_url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            base_url: base_url.into(),
            version: ApiVersion::default(),
            credentials,
            user_agent: concat!("muster-client/", env!("CARGO_PKG_VERSION")).into(),
            retries_max: 3,
            retry_wait_max: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            trusted_pem: None,
            read_timeout: Duration::from_secs(60),
        }
    }

    /// Calls this version of the published API.
    #[must_use]
    pub fn with_version(self, version: ApiVersion) -> Self {
        Self { version, ..self }
    }

    /// Repeats a request so often, and waits no longer than `wait_max` before each repetition.
    #[must_use]
    pub fn with_retries(self, retries_max: u32, wait_max: Duration) -> Self {
        Self { retries_max, retry_wait_max: wait_max, ..self }
    }

    /// Sends this `User-Agent` header.
    #[must_use]
    pub fn with_user_agent(self, user_agent: impl Into<String>) -> Self {
        Self { user_agent: user_agent.into(), ..self }
    }

    /// Gives up a connection that takes longer than `connect`, and an answer of which nothing arrives for `read`.
    #[must_use]
    pub fn with_timeouts(self, connect: Duration, read: Duration) -> Self {
        Self { connect_timeout: connect, read_timeout: read, ..self }
    }

    /// Trusts these certificates, in PEM, and no others.
    #[must_use]
    pub fn with_trusted_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { trusted_pem: Some(pem.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        for credentials in [Credentials::client("id", "hush"), Credentials::token("hush")] {
            assert!(!format!("{:?}", Configuration::new("http://x", credentials)).contains("hush"));
        }
    }
}
