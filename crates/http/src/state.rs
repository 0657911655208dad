//! What the handlers share: the wired parts, and what is counted and remembered between requests.

use crate::access_tokens::TokenIssuer;
use crate::api_version::ApiVersion;
use crate::client_secret::SecretKey;
use crate::credential_check::CredentialCheck;
use crate::external_issuers::ExternalIssuers;
use crate::rate_limit::RateLimiter;
use crate::refusal_events::RefusalEvents;
use crate::search_answers::AnswerRoom;
use crate::settings::Settings;
use crate::sign_ins::SignIns;
use crate::verified_files::VerifiedFiles;
use muster_reports::Reports;
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::made::{Comparer, EvidenceMaker};
use muster_reports::ports::{Clock, Credentials, FileOpener, Ids, Readiness};
use muster_reports::service::{
    Administration, Definitions, Notifications, Reviews, SavedSearches, Schedules, SodPolicies,
};
use muster_reports::trace::Traces;
use std::sync::Arc;

/// Everything that is joined into an [`AppState`].
pub struct Wiring {
    /// The use cases.
    pub reports: Arc<Reports>,
    /// The use cases of schedules.
    pub schedules: Arc<Schedules>,
    /// The use cases of saved searches.
    pub saved_searches: Arc<SavedSearches>,
    /// The use cases of access reviews.
    pub reviews: Arc<Reviews>,
    /// The use cases of policies for separation of duties.
    pub sod_policies: Arc<SodPolicies>,
    /// The use cases of definitions.
    pub definitions: Arc<Definitions>,
    /// The use cases of notifications.
    pub notifications: Arc<Notifications>,
    /// The use cases of administration.
    pub administration: Arc<Administration>,
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
    /// Sends the spans of requests.
    pub traces: Arc<dyn Traces>,
    /// Access tokens of our own.
    pub issuer: TokenIssuer,
    /// Issuers whose access tokens are accepted too.
    pub external_issuers: ExternalIssuers,
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
    /// Separate from `tokens`, so that requests with invented names do not displace clients.
    pub(crate) token_failures: RateLimiter<ClientId>,
    pub(crate) credential_check: CredentialCheck,
    pub(crate) refusals: RefusalEvents,
    pub(crate) verified: VerifiedFiles,
    pub(crate) search_answers: AnswerRoom,
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
            refusals: RefusalEvents::new(clients_max),
            verified: VerifiedFiles::new(),
            search_answers: AnswerRoom::default(),
            wiring,
        }))
    }

    /// The external issuers at which people can sign in.
    pub fn sign_ins(&self) -> SignIns {
        SignIns { issuers: self.0.wiring.external_issuers.clone(), clock: Arc::clone(&self.0.wiring.clock) }
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

    pub(crate) fn schedules(&self) -> &Schedules {
        &self.0.wiring.schedules
    }

    pub(crate) fn saved_searches(&self) -> &SavedSearches {
        &self.0.wiring.saved_searches
    }

    pub(crate) fn reviews(&self) -> &Reviews {
        &self.0.wiring.reviews
    }

    pub(crate) fn sod_policies(&self) -> &SodPolicies {
        &self.0.wiring.sod_policies
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.0.wiring.definitions
    }

    pub(crate) fn administration(&self) -> &Administration {
        &self.0.wiring.administration
    }

    pub(crate) fn notifications(&self) -> &Notifications {
        &self.0.wiring.notifications
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.wiring.clock
    }
}
