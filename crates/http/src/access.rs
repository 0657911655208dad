//! Who calls, and whether the caller has the right. This is checked first on every route that is not open.
//!
//! Order: token (401), rate limit (429), right (403). A handler states its right in its signature; only this module
//! makes an `Allowed<Start>`.

use crate::access_tokens::{TOKEN_BYTES_MAX, TokenRefusal, TokenRefused};
use crate::api_version::ApiVersion;
use crate::failure::Failure;
use crate::state::AppState;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use muster_reports::trace::Trace;
use muster_reports::{Caller, Operation};
use std::marker::PhantomData;

/// A right, as a type.
pub(crate) trait Right: Send + Sync + 'static {
    /// The operation that a caller must be allowed.
    const OPERATION: Operation;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $($(#[$doc])* pub(crate) struct $name;
        impl Right for $name {
            const OPERATION: Operation = Operation::$name;
        })+
    };
}

rights! {
    /// The right to start a report.
    Start;
    /// The right to read results.
    ReadResult;
    /// The right to download files.
    Download;
    /// The right to cancel.
    Cancel;
    /// The right to search.
    Search;
    /// The right to count what a search finds.
    CountSearch;
    /// The right to see the list of tasks.
    ReadTasks;
    /// The right to end a task through the list.
    UpdateTask;
    /// The right to read the history of identities.
    ReadHistory;
    /// The right to list what an identity has.
    ListAccess;
    /// The right to see schedules.
    ReadSchedules;
    /// The right to make, pause, run and remove schedules.
    ManageSchedules;
    /// The right to aggregate what a search finds.
    AggregateSearch;
    /// The right to see saved searches.
    ReadSavedSearches;
    /// The right to keep, change and remove saved searches.
    ManageSavedSearches;
    /// The right to execute a saved search.
    ExecuteSavedSearch;
    /// The right to see scheduled searches.
    ReadScheduledSearches;
    /// The right to make, change and remove scheduled searches.
    ManageScheduledSearches;
    /// The right to see policies for separation of duties.
    ReadSodPolicies;
    /// The right to keep, change and remove policies for separation of duties.
    ManageSodPolicies;
    /// The right to see reports of violations of policies.
    ReadSodViolations;
    /// The right to run reports of violations of policies.
    RunSodViolations;
    /// The right to check, add and remove definitions of reports.
    ManageDefinitions;
    /// The right to be told who one is.
    ReadCaller;
    /// The right to be told why an account belongs to its identity.
    ExplainLink;
    /// The right to compare snapshots.
    CompareSnapshots;
    /// The right to pin snapshots.
    PinSnapshot;
    /// The right to create, export, import and close access reviews.
    ManageReviews;
    /// The right to see access reviews, or the own items of one.
    ReadReviews;
    /// The right to decide items of access reviews.
    DecideReviews;
    /// The right to see clients, the audit trail, and how the installation is.
    ReadAdministration;
}

/// A caller with the right `R`.
pub(crate) struct Allowed<R> {
    /// The caller.
    pub(crate) caller: Caller,
    right: PhantomData<R>,
}

impl<R: Right> Allowed<R> {
    /// Checks the head of a request.
    pub(crate) async fn admit(state: &AppState, head: &Parts, version: ApiVersion) -> Result<Self, Failure> {
        let trace = head.extensions.get::<Trace>().cloned();
        let caller = Caller { trace, ..authenticate(state, &head.headers).await? };
        tracing::Span::current().record("client", caller.client.as_str());
        let now = state.clock().now();
        let inner = state.inner();
        inner.requests.admit((caller.client.clone(), version), now).map_err(Failure::rate_limited)?;
        inner.tenants.admit(caller.tenant.clone(), now).map_err(Failure::rate_limited)?;
        if let Err(error) = state.reports().authorise(&caller, R::OPERATION) {
            inner.refusals.note(state.reports(), now, &caller, R::OPERATION, &error.message).await;
            return Err(error.into());
        }
        Ok(Self { caller, right: PhantomData })
    }
}

async fn authenticate(state: &AppState, headers: &HeaderMap) -> Result<Caller, Failure> {
    let refuse = |refusal: TokenRefusal| {
        tracing::info!(reason = refusal.reason, "token refused");
        Failure::unauthorized(refusal.told.to_string())
    };
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let header = given.next().ok_or_else(|| Failure::unauthorized("JWT is missing"))?;
    if given.next().is_some() {
        return Err(refuse(TokenRefusal::invalid("the request has several Authorization headers")));
    }
    let token = bearer(header).map_err(refuse)?;
    let now = state.clock().now();
    let wiring = &state.inner().wiring;
    if let Some(issuer) = wiring.external_issuers.issuer_of(token) {
        return issuer.verify(token, now).await.map_err(|refusal| {
            tracing::info!(
                issuer = issuer.name(),
                reason = refusal.reason,
                "token of an external issuer refused"
            );
            Failure::unauthorized(refusal.told.to_string())
        });
    }
    let caller = wiring.issuer.verify(token, now).map_err(|told| {
        let reason = match told {
            TokenRefused::Expired => "the token has expired",
            TokenRefused::Invalid => "the token is not a valid token of this service",
        };
        refuse(TokenRefusal { told, reason })
    })?;
    if !state.inner().credential_check.is_valid(&*wiring.credentials, &caller, now).await? {
        return Err(refuse(TokenRefusal::invalid("the token's credential is deleted or disabled")));
    }
    Ok(caller)
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(header: &HeaderValue) -> Result<&str, TokenRefusal> {
    let text =
        header.to_str().map_err(|_| TokenRefusal::invalid("the Authorization header is not valid text"))?;
    let (scheme, token) =
        text.split_once(' ').ok_or(TokenRefusal::invalid("the Authorization header has no token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenRefusal::invalid("the Authorization header has a scheme other than Bearer"));
    }
    let token = token.trim();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenRefusal::invalid("the token is too large"));
    }
    Ok(token)
}
