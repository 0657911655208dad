//! What the handlers need of the world outside, and the settings of this face.

use crate::access::{ApiVersion, CredentialCheck};
use crate::issuer::TokenIssuer;
use crate::outside::OutsideIssuers;
use crate::rate::{RateLimit, RateLimiter};
use crate::refusals::Refusals;
use crate::secret::SecretKey;
use chrono::TimeDelta;
use muster_reports::Reports;
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::made::{Comparer, EvidenceMaker};
use muster_reports::ports::{Clock, Credentials, FileOpener, Ids, Readiness};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Settings of the HTTP face.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `attributes.org` of tasks and `org` of token answers.
    pub org: String,
    /// `pod` of token answers.
    pub pod: String,
    /// How long an access token holds unless its credential says otherwise. Three published clients never renew theirs.
    pub token_lifetime: TimeDelta,
    /// Whether the token endpoint takes a client secret in the query, where it ends in logs.
    pub allow_credentials_in_query: bool,
    /// Requests of one client to one API version.
    pub rate_limit: RateLimit,
    /// Tokens granted to one client, and refused requests in one client's name, each.
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
        }
    }
}

/// Everything that is joined into an [`AppState`].
pub struct Wiring {
    /// The use cases.
    pub reports: Arc<Reports>,
    /// Credentials of the token endpoint.
    pub credentials: Arc<dyn Credentials>,
    /// Published files.
    pub files: Arc<dyn FileOpener>,
    /// Evidence packages.
    pub evidence: Arc<dyn EvidenceMaker>,
    /// Comparisons.
    pub comparer: Arc<dyn Comparer>,
    /// Whether the service can work.
    pub readiness: Arc<dyn Readiness>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids of requests and tokens.
    pub ids: Arc<dyn Ids>,
    /// Access tokens of our own.
    pub issuer: TokenIssuer,
    /// Issuers whose access tokens are accepted too.
    pub outside: OutsideIssuers,
    /// The key under which client secrets are kept.
    pub secret_key: SecretKey,
    /// Settings.
    pub settings: Settings,
}

/// The state of the router; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What an [`AppState`] holds.
pub(crate) struct Inner {
    pub(crate) wiring: Wiring,
    pub(crate) requests: RateLimiter<(ClientId, ApiVersion)>,
    /// Of all clients of a tenant.
    pub(crate) tenants: RateLimiter<TenantId>,
    pub(crate) tokens: RateLimiter<ClientId>,
    /// Apart from `tokens`, so that requests in made-up names push no client out.
    pub(crate) token_failures: RateLimiter<ClientId>,
    pub(crate) credential_check: CredentialCheck,
    pub(crate) refusals: Refusals,
    pub(crate) verified: Verified,
}

/// Published files that are known to be what their records say.
const VERIFIED_MAX: usize = 4_096;

/// Names of published files whose content was found to be that of their records; the oldest are forgotten. A name is
/// never given to another file.
pub(crate) struct Verified {
    names: Mutex<VecDeque<String>>,
    /// Held while a file is read for its digest alone: many parts of one file are asked for at once.
    turn: Arc<Semaphore>,
}

impl Verified {
    fn new() -> Self {
        Self { names: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The turn to look at a file that is not known yet; `None` where it is known.
    pub(crate) async fn turn(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        if self.has(name) {
            return None;
        }
        Some(self.turn.clone().acquire_owned().await.expect("it is never closed"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    pub(crate) fn add(&self, name: &str) {
        let mut names = self.names();
        if names.len() == VERIFIED_MAX {
            names.pop_front();
        }
        names.push_back(name.to_owned());
    }

    fn names(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // A panic cannot leave the list half changed.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AppState {
    /// Joins the parts.
    pub fn new(wiring: Wiring) -> Self {
        let settings = &wiring.settings;
        let clients_max = settings.rate_limited_clients_max;
        Self(Arc::new(Inner {
            requests: RateLimiter::new(settings.rate_limit, clients_max),
            tenants: RateLimiter::new(settings.tenant_rate_limit, clients_max),
            tokens: RateLimiter::new(settings.token_rate_limit, clients_max),
            token_failures: RateLimiter::new(settings.token_rate_limit, clients_max),
            credential_check: CredentialCheck::new(clients_max),
            refusals: Refusals::new(clients_max),
            verified: Verified::new(),
            wiring,
        }))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.wiring.settings
    }

    pub(crate) fn reports(&self) -> &Reports {
        &self.0.wiring.reports
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.wiring.clock
    }
}
