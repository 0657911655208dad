//! The HTTP API of the service: routes, tokens, rate limit, bodies and errors.
//!
//! [`router`] takes an [`AppState`] and gives an [`axum::Router`]; the `muster` binary serves it. `muster-reports`
//! decides what happens. This crate reads requests, calls the use case, and turns its answer into the published JSON of
//! `muster-wire`.
//!
//! Invariants:
//! - Every route but the open ones (`route.rs` lists them) is registered with a handler whose first parameter is
//!   [`access::Allowed`]: only the head of the request is read before the token, the rate limit and the right have been
//!   checked.
//! - A refusal is a [`failure::Failure`]. One place turns it into a body, with the tracking id that the log also has.
//! - No token, secret, query string or cause of a refusal (it may quote the request) is logged.
//! - A file's body never ends cleanly when it is incomplete.
//! - Clock, randomness and settings come only from the state.

mod access;
mod access_tokens;
mod administration;
mod api_version;
mod caller;
mod client_secret;
mod collection;
pub mod connections;
mod credential_check;
mod external_issuers;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod history;
mod input;
mod json_patch;

mod middleware;
mod notifications;
mod oauth;
mod openapi;
mod rate_limit;
mod refusal_events;
mod reports;
mod request_log;
mod reviews;
mod route;
mod router;
mod saved_searches;
mod scheduled_searches;
mod schedules;
mod scrape;
mod search;
mod search_answers;
mod search_fields;
mod settings;
mod sign_ins;
mod snapshots;
mod sod_policies;
mod sod_prediction;
mod sod_schedules;
mod sod_violations;
mod state;
mod task_json;
mod task_status;
pub mod tls;
mod verified_files;

pub use access_tokens::{KeyRing, TokenIssuer, TokenKeys, TokenRefused, TokenSeed};
pub use api_version::ApiVersion;
pub use client_secret::{SecretKey, hmac_secret};
pub use external_issuers::{
    Attempt, CallerRule, ClaimRules, ExternalIssuer, ExternalIssuers, FileKeys, KEY_SET_BYTES_MAX, KeySource,
    KeyTimes, SignInSettings, SignInToken, SignatureAlgorithm, SignedIn, TenantRule, UrlKeys,
};
pub use rate_limit::RateLimit;
pub use route::{Access, RouteEntry};
pub use router::{document, route_table, router};
pub use scrape::{MetricsText, metrics_router};
pub use settings::Settings;
pub use sign_ins::SignIns;
pub use state::{AppState, Wiring};
