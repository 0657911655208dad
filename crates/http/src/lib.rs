//! The HTTP face of the service: routes, tokens, rate limit, bodies and errors.
//!
//! [`router`] takes an [`AppState`] and gives an [`axum::Router`]; the `muster` binary serves it.
//! What happens is decided in `muster-reports`; here requests are read, the use case is called, and
//! its answer becomes the published JSON of `muster-wire`.
//!
//! Invariants:
//! - Every route but the open ones (`router.rs` lists them) is registered with a handler whose first
//!   parameter is [`access::Allowed`]: nothing of the request but its head is read before the
//!   token, the rate limit and the right have been checked.
//! - A refusal is a [`failure::Failure`] and becomes a body in one place, with the tracking id that the
//!   log has too.
//! - No token, secret, query string or cause of a refusal (it may quote the request) is logged.
//! - A file's body never ends cleanly when it is incomplete.
//! - No clock and no randomness but those of the state; no settings but those of the state.

mod access;
mod answered;
pub mod connections;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod input;
mod issuer;
mod mapping;
mod oauth;
mod openapi;
mod outer;
mod outside;
mod rate;
mod refusals;
mod reports;
mod router;
mod secret;
mod state;
pub mod tls;

pub use access::ApiVersion;
pub use issuer::{KeyRing, TokenIssuer, TokenKeys, TokenRefused, TokenSeed};
pub use openapi::document;
pub use outside::{
    CallerRule, ClaimRules, FileKeys, KEY_SET_BYTES_MAX, KeySource, KeyTimes, OutsideIssuer, OutsideIssuers,
    SignatureAlgorithm, TenantRule, UrlKeys,
};
pub use rate::RateLimit;
pub use router::{Access, RouteEntry, route_table, router};
pub use secret::{SecretKey, hmac_secret};
pub use state::{AppState, Settings, Wiring};
