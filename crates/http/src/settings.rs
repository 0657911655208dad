//! Settings of the HTTP API.

use crate::rate_limit::RateLimit;
use chrono::TimeDelta;
use std::time::Duration;

/// Settings of the HTTP API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `attributes.org` of tasks and `org` of token answers.
    pub org: String,
    /// `pod` of token answers.
    pub pod: String,
    /// How long an access token is valid unless its credential says otherwise. Three published clients never renew
    /// theirs.
    pub token_lifetime: TimeDelta,
    /// Whether the token endpoint accepts a client secret in the query, which is often written to logs.
    pub allow_credentials_in_query: bool,
    /// Requests of one client to one API version.
    pub rate_limit: RateLimit,
    /// Tokens granted to one client, and, counted separately, refused requests in one client's name.
    pub token_rate_limit: RateLimit,
    /// Requests of all clients of one tenant together.
    pub tenant_rate_limit: RateLimit,
    /// Clients whose requests are counted at one time.
    pub rate_limited_clients_max: usize,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// For how long a download is given to an address outside of the service, if it is.
    pub presign: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            org: "muster".into(),
            pod: "local".into(),
            token_lifetime: TimeDelta::hours(12),
            allow_credentials_in_query: false,
            rate_limit: RateLimit { requests: 100, window: TimeDelta::seconds(10) },
            token_rate_limit: RateLimit { requests: 1_000, window: TimeDelta::seconds(10) },
            tenant_rate_limit: RateLimit { requests: 10_000, window: TimeDelta::seconds(10) },
            rate_limited_clients_max: 10_000,
            body_bytes_max: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            presign: None,
        }
    }
}
