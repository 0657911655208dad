//! Access tokens of outside issuers: JWTs that an identity provider signed, checked with its published keys.
//!
//! Why here: a token is read before anything else of a request, and the same routes take our own tokens and
//! these. How keys are fetched is not decided here: that is a [`KeySource`], which the binary wires.
//!
//! Invariants:
//! - an issuer's algorithms are pinned by its settings, and none of them is symmetric: the token's own word
//!   on its algorithm can only be refused, never followed;
//! - a key is chosen from the issuer's own set by the token's `kid` and must fit the algorithm; keys and
//!   addresses that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are never looked at;
//! - no claim but `iss`, which only chooses the issuer, is believed before the signature holds;
//! - a caller is told that a token has expired or is not valid; which check failed goes to the log.

mod claims;
mod fetch;
mod jws;
mod keys;

pub use claims::{CallerRule, ClaimRules, TenantRule};
pub use fetch::{FileKeys, UrlKeys};
pub use keys::{KEY_SET_BYTES_MAX, KeySource, KeyTimes};

use crate::issuer::{ISSUER, TokenRefused};
use chrono::{DateTime, TimeDelta, Utc};
use jws::Compact;
use keys::KeyCache;
use muster_reports::{Caller, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// No token is larger than this, in bytes; a larger one is refused unread.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Signature algorithms that an issuer may be trusted with (RFC 7518, section 3.1; RFC 8037). There is no
/// symmetric one and no `none`: they cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSA, PKCS #1 v1.5, SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA, PSS, SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA, PSS, SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA, PSS, SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
}

impl SignatureAlgorithm {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// The registered name, as `alg` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// An issuer whose tokens are accepted.
pub struct OutsideIssuer {
    /// A short name of ours; client ids of its callers are `name:client`, so that no issuer can speak for
    /// the clients of another one or for ours.
    pub name: String,
    /// `iss` of its tokens, compared byte for byte.
    pub issuer: String,
    /// Audiences that stand for this service; a token must name one of them.
    pub audiences: Vec<String>,
    /// The algorithms that it signs with.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How far its clock may differ from ours.
    pub leeway: TimeDelta,
    /// What its claims mean.
    pub claims: ClaimRules,
    /// Where its keys come from.
    pub keys: Arc<dyn KeySource>,
    /// How long its keys are used.
    pub key_times: KeyTimes,
}

/// A refused token: what its bearer is told, and what the log says.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the bearer.
    pub(crate) told: TokenRefused,
    /// For the log; quotes nothing of the token.
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) fn invalid(reason: &'static str) -> Self {
        Self { told: TokenRefused::Invalid, reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

/// One issuer at work.
pub(crate) struct Issuer {
    settings: OutsideIssuer,
    keys: KeyCache,
}

/// The outside issuers of a service; there may be none.
#[derive(Default)]
pub struct OutsideIssuers(Vec<Issuer>);

impl OutsideIssuers {
    /// Takes the issuers' settings.
    ///
    /// # Errors
    /// `Invalid`, naming the issuer and the field: a blank or repeated name or issuer, an issuer that is
    /// called like ourselves, no audience, no algorithm, no claim for the client.
    pub fn new(issuers: Vec<OutsideIssuer>) -> Result<Self> {
        let mut made: Vec<Issuer> = Vec::with_capacity(issuers.len());
        for settings in issuers {
            let refuse = |what: String| Error::invalid(format!("issuer {:?}: {what}", settings.name));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if settings.name.is_empty() || settings.name.len() > 64 || !settings.name.chars().all(plain) {
                return Err(refuse("the name is no short name: expected letters, digits, - _ .".into()));
            }
            if settings.issuer.trim().is_empty() || settings.issuer == ISSUER {
                return Err(refuse(format!(
                    "issuer is {:?}: expected the iss of its tokens, which is not ours",
                    settings.issuer
                )));
            }
            if made
                .iter()
                .any(|other| other.settings.name == settings.name || other.settings.issuer == settings.issuer)
            {
                return Err(refuse("name or issuer stand there twice".into()));
            }
            if settings.audiences.is_empty() || settings.audiences.iter().any(|text| text.trim().is_empty()) {
                return Err(refuse(
                    "audience is empty: expected what its tokens for this service carry".into(),
                ));
            }
            if settings.algorithms.is_empty() {
                let names = SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str).join(", ");
                return Err(refuse(format!("algorithms is empty: expected some of {names}")));
            }
            settings.claims.check().map_err(refuse)?;
            let keys = KeyCache::new(
                settings.name.clone(),
                settings.keys.clone(),
                settings.algorithms.clone(),
                settings.key_times.clone(),
            );
            made.push(Issuer { settings, keys });
        }
        Ok(Self(made))
    }

    /// The issuer that `token` names, if it is one of these. Nothing of the token is believed yet.
    pub(crate) fn issuer_of(&self, token: &str) -> Option<&Issuer> {
        if self.0.is_empty() {
            return None;
        }
        let named = jws::unverified_issuer(token)?;
        self.0.iter().find(|issuer| issuer.settings.issuer == named)
    }
}

impl Issuer {
    /// The short name, for the log.
    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// The caller that `token` stands for.
    ///
    /// # Errors
    /// [`Refusal`]; `Expired` only for a token that is otherwise this issuer's, for us.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Caller, Refusal> {
        let compact = Compact::read(token)?;
        let algorithm = SignatureAlgorithm::named(&compact.head.alg)
            .filter(|algorithm| self.settings.algorithms.contains(algorithm))
            .ok_or(Refusal::invalid("its algorithm is not one that this issuer is trusted with"))?;
        let key = self.keys.key(compact.head.kid.as_deref(), algorithm, now).await?;
        if !key.verifies(&compact, algorithm) {
            return Err(Refusal::invalid("its signature does not hold"));
        }
        let claims = compact.claims()?;
        self.check_registered(&claims, now)?;
        self.settings.claims.caller(&self.settings.name, &claims)
    }

    /// The registered claims (RFC 7519, section 4.1).
    fn check_registered(&self, claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), Refusal> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.settings.issuer) {
            return Err(Refusal::invalid("its iss is another one"));
        }
        let for_us = |value: &Value| {
            value.as_str().is_some_and(|text| self.settings.audiences.iter().any(|ours| ours == text))
        };
        match claims.get("aud") {
            Some(Value::Array(several)) if several.iter().any(for_us) => {}
            Some(one) if for_us(one) => {}
            Some(_) => return Err(Refusal::invalid("its aud does not name this service")),
            None => return Err(Refusal::invalid("it has no aud")),
        }
        let leeway = seconds(self.settings.leeway);
        let now = seconds(now.signed_duration_since(DateTime::UNIX_EPOCH));
        match time(claims, "nbf") {
            Some(Some(begin)) if begin - leeway > now => {
                return Err(Refusal::invalid("its nbf is still to come"));
            }
            Some(None) => return Err(Refusal::invalid("its nbf is no time")),
            Some(Some(_)) | None => {}
        }
        match time(claims, "iat") {
            Some(Some(made)) if made - leeway > now => {
                return Err(Refusal::invalid("its iat is still to come"));
            }
            Some(None) => return Err(Refusal::invalid("its iat is no time")),
            Some(Some(_)) | None => {}
        }
        match time(claims, "exp") {
            Some(Some(end)) if end + leeway > now => Ok(()),
            Some(Some(_)) => Err(Refusal { told: TokenRefused::Expired, reason: "it has expired" }),
            Some(None) => Err(Refusal::invalid("its exp is no time")),
            None => Err(Refusal::invalid("it has no exp")),
        }
    }
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64()
}

/// A time claim in seconds since the epoch, fractions permitted: absent, or there and not a number, or one.
fn time(claims: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    claims.get(name).map(|value| value.as_f64().filter(|seconds| seconds.is_finite()))
}

#[cfg(test)]
mod tests;
