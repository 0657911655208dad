//! Who calls and whether they may: the first thing that happens on every route that is not open.
//!
//! Order: token (401), rate limit (429), right (403). A handler states its right in its signature:
//! `Allowed<Start>` can only be made here.

use crate::access_tokens::TokenRefused;
use crate::external_issuers::{TOKEN_BYTES_MAX, TokenRefusal};
use crate::failure::Failure;
use crate::refusal_events;
use crate::state::AppState;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::ids::ClientId;
use muster_reports::trace::Trace;
use muster_reports::{Caller, Operation};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// A version of the published API: what the rate limit counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// `/v3/...`.
    V3,
    /// `/v2024/...`.
    V2024,
    /// `/v2025/...`.
    V2025,
    /// `/v2026/...`.
    V2026,
    /// `/reports/v1/...`.
    V1,
    /// Routes of our own, `/muster/v1/...`.
    Muster,
}

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
        if let Err(error) = caller.authorise(R::OPERATION) {
            refusal_events::note(state, &caller, R::OPERATION, &error.message).await;
            return Err(error.into());
        }
        Ok(Self { caller, right: PhantomData })
    }
}

async fn authenticate(state: &AppState, headers: &HeaderMap) -> Result<Caller, Failure> {
    let refuse = |refusal: TokenRefusal| {
        tracing::info!(reason = refusal.reason, "a token is refused");
        Failure::unauthorized(refusal.told.to_string())
    };
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let header = given.next().ok_or_else(|| Failure::unauthorized("JWT is missing"))?;
    if given.next().is_some() {
        return Err(refuse(TokenRefusal::invalid("there are several Authorization headers")));
    }
    let token = bearer(header).map_err(refuse)?;
    let now = state.clock().now();
    let wiring = &state.inner().wiring;
    if let Some(issuer) = wiring.external_issuers.issuer_of(token) {
        return issuer.verify(token, now).await.map_err(|refusal| {
            tracing::info!(
                issuer = issuer.name(),
                reason = refusal.reason,
                "a token of an external issuer is refused"
            );
            Failure::unauthorized(refusal.told.to_string())
        });
    }
    let caller = wiring.issuer.verify(token, now).map_err(|told| {
        let reason = match told {
            TokenRefused::Expired => "it has expired",
            TokenRefused::Invalid => "it is no token of ours",
        };
        refuse(TokenRefusal { told, reason })
    })?;
    if !state.inner().credential_check.stands(state, &caller, now).await? {
        return Err(refuse(TokenRefusal::invalid("its credential is gone or disabled")));
    }
    Ok(caller)
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(header: &HeaderValue) -> Result<&str, TokenRefusal> {
    let text = header.to_str().map_err(|_| TokenRefusal::invalid("the Authorization header is no text"))?;
    let (scheme, token) =
        text.split_once(' ').ok_or(TokenRefusal::invalid("the Authorization header has no token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenRefusal::invalid("the Authorization header is of another scheme"));
    }
    let token = token.trim();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenRefusal::invalid("it is too large"));
    }
    Ok(token)
}

/// How long the answer of the store about one credential is used.
const CREDENTIAL_AGE_MAX: TimeDelta = TimeDelta::seconds(3);

/// Whether a token's credential still stands, remembered for a few seconds.
pub(crate) struct CredentialCheck {
    clients_max: usize,
    seen: Mutex<HashMap<ClientId, (DateTime<Utc>, bool)>>,
}

impl CredentialCheck {
    pub(crate) fn new(clients_max: usize) -> Self {
        Self { clients_max, seen: Mutex::default() }
    }

    async fn stands(&self, state: &AppState, caller: &Caller, now: DateTime<Utc>) -> Result<bool, Failure> {
        if let Some(known) = self.remembered(&caller.client, now) {
            return Ok(known);
        }
        let kept = state.inner().wiring.credentials.credential(&caller.client).await?;
        let stands = kept.is_some_and(|kept| kept.enabled && kept.caller.tenant == caller.tenant);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= self.clients_max {
            seen.clear();
        }
        seen.insert(caller.client.clone(), (now, stands));
        Ok(stands)
    }

    fn remembered(&self, client: &ClientId, now: DateTime<Utc>) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, stands) = seen.get(client)?;
        (*at <= now && now - *at < CREDENTIAL_AGE_MAX).then_some(*stands)
    }
}
