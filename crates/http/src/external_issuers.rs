//! Access tokens of external issuers: JWTs that an identity provider signed, checked with its published keys.
//!
//! Why here: a token is read before anything else of a request, and the same routes accept our own tokens and these.
//! How keys are fetched is decided by a [`KeySource`], which the binary provides.
//!
//! Invariants:
//! - an issuer's settings fix its algorithms, and none of them is symmetric: a token that names another algorithm is
//!   refused;
//! - a key is chosen from the issuer's own set by the token's `kid` and must fit the algorithm; keys and addresses in a
//!   token (`jwk`, `jku`, `x5c`, `x5u`) are ignored;
//! - before the signature is verified, no claim is used but `iss`, which only chooses the issuer;
//! - a caller learns that a token has expired or is not valid; the log has the check that failed.

mod algorithm;
mod claims;
mod fetch;
mod jws;
mod keys;
mod sign_in;

pub use algorithm::SignatureAlgorithm;
pub use claims::{CallerRule, ClaimRules, TenantRule};
pub(crate) use fetch::safe_address;
pub use fetch::{FileKeys, UrlKeys};
pub use keys::{KEY_SET_BYTES_MAX, KeySource, KeyTimes};
pub use sign_in::{Attempt, SignInSettings, SignInToken, SignedIn};
pub(crate) use sign_in::{SignIn, check_identity};

use crate::access_tokens::{ISSUER, TokenRefusal, TokenRefused};
use chrono::{DateTime, TimeDelta, Utc};
use jws::Compact;
use keys::KeyCache;
use muster_reports::{Caller, Error, Result};
use serde_json::{Map, Value};
use std::sync::Arc;

/// An issuer whose tokens are accepted.
pub struct ExternalIssuer {
    /// A short name that the settings give it; client ids of its callers are `name:client`, so that no issuer can speak
    /// for the clients of another issuer or of this service.
    pub name: String,
    /// `iss` of its tokens, compared byte for byte.
    pub issuer: String,
    /// Audiences of this service; a token must name one of them.
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
    /// How people sign in there, if they do.
    pub sign_in: Option<SignInSettings>,
}

/// One issuer at work.
pub(crate) struct Issuer {
    pub(crate) settings: ExternalIssuer,
    keys: KeyCache,
    pub(crate) sign_in: Option<SignIn>,
}

/// The external issuers of a service; there may be none.
#[derive(Default, Clone)]
pub struct ExternalIssuers(Arc<Vec<Issuer>>);

impl ExternalIssuers {
    /// Takes the issuers' settings.
    ///
    /// # Errors
    /// `Invalid`, naming the issuer and the field: a blank or repeated name or issuer, an issuer that is
    /// called like ourselves, no audience, no algorithm, no claim for the client.
    pub fn new(issuers: Vec<ExternalIssuer>) -> Result<Self> {
        let mut made: Vec<Issuer> = Vec::with_capacity(issuers.len());
        for settings in issuers {
            let refuse = |what: String| Error::invalid(format!("issuer {:?}: {what}", settings.name));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if settings.name.is_empty() || settings.name.len() > 64 || !settings.name.chars().all(plain) {
                return Err(refuse("the name is not valid: expected 1 to 64 letters, digits, - _ .".into()));
            }
            if settings.issuer.trim().is_empty() || settings.issuer == ISSUER {
                return Err(refuse(format!(
                    "issuer is {:?}: expected the iss of its tokens, which is not this service's own",
                    settings.issuer
                )));
            }
            if made
                .iter()
                .any(|other| other.settings.name == settings.name || other.settings.issuer == settings.issuer)
            {
                return Err(refuse("another issuer has the same name or the same iss".into()));
            }
            if settings.audiences.is_empty() || settings.audiences.iter().any(|text| text.trim().is_empty()) {
                return Err(refuse(
                    "audience is empty: expected the aud of its tokens for this service".into(),
                ));
            }
            if settings.algorithms.is_empty() {
                let names = SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str).join(", ");
                return Err(refuse(format!("algorithms is empty: expected one or more of {names}")));
            }
            settings.claims.check().map_err(refuse)?;
            let keys = KeyCache::new(
                settings.name.clone(),
                settings.keys.clone(),
                settings.algorithms.clone(),
                settings.key_times.clone(),
            );
            let sign_in = settings.sign_in.clone();
            let sign_in = sign_in.map(|sign_in| SignIn::new(sign_in, &settings.issuer)).transpose()?;
            made.push(Issuer { settings, keys, sign_in });
        }
        Ok(Self(Arc::new(made)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.0.iter()
    }

    /// The issuer that `token` names, if it is one of these. The token is not verified yet.
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

    /// The caller that `token` identifies.
    ///
    /// # Errors [`TokenRefusal`]; `Expired` only for a token of this issuer that is otherwise valid here.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Caller, TokenRefusal> {
        self.caller(&self.verified_claims(token, &self.settings.audiences, now).await?)
    }

    pub(crate) fn caller(&self, claims: &Map<String, Value>) -> Result<Caller, TokenRefusal> {
        self.settings.claims.caller(&self.settings.name, claims)
    }

    /// The claims of a token that this issuer made for one of these audiences and that is valid now.
    pub(crate) async fn verified_claims(
        &self,
        token: &str,
        audiences: &[String],
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, TokenRefusal> {
        let compact = Compact::read(token)?;
        let algorithm = SignatureAlgorithm::named(&compact.head.alg)
            .filter(|algorithm| self.settings.algorithms.contains(algorithm))
            .ok_or(TokenRefusal::invalid("the token's algorithm is not allowed for its issuer"))?;
        let key = self.keys.key(compact.head.kid.as_deref(), algorithm, now).await?;
        if !key.verifies(&compact, algorithm) {
            return Err(TokenRefusal::invalid("the token's signature is not valid"));
        }
        let claims = compact.claims()?;
        self.check_registered(&claims, audiences, now)?;
        Ok(claims)
    }

    /// The registered claims (RFC 7519, section 4.1).
    fn check_registered(
        &self,
        claims: &Map<String, Value>,
        audiences: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), TokenRefusal> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.settings.issuer) {
            return Err(TokenRefusal::invalid("the token's iss is not that of its issuer"));
        }
        let for_us =
            |value: &Value| value.as_str().is_some_and(|text| audiences.iter().any(|ours| ours == text));
        match claims.get("aud") {
            Some(Value::Array(several)) if several.iter().any(for_us) => {}
            Some(one) if for_us(one) => {}
            Some(_) => return Err(TokenRefusal::invalid("the token's aud does not name this service")),
            None => return Err(TokenRefusal::invalid("the token has no aud")),
        }
        let leeway = seconds(self.settings.leeway);
        let now = seconds(now.signed_duration_since(DateTime::UNIX_EPOCH));
        match time(claims, "nbf") {
            Some(Some(begin)) if begin - leeway > now => {
                return Err(TokenRefusal::invalid("the token's nbf is in the future"));
            }
            Some(None) => return Err(TokenRefusal::invalid("the token's nbf is not a valid time")),
            Some(Some(_)) | None => {}
        }
        match time(claims, "iat") {
            Some(Some(made)) if made - leeway > now => {
                return Err(TokenRefusal::invalid("the token's iat is in the future"));
            }
            Some(None) => return Err(TokenRefusal::invalid("the token's iat is not a valid time")),
            Some(Some(_)) | None => {}
        }
        match time(claims, "exp") {
            Some(Some(end)) if end + leeway > now => Ok(()),
            Some(Some(_)) => {
                Err(TokenRefusal { told: TokenRefused::Expired, reason: "the token has expired" })
            }
            Some(None) => Err(TokenRefusal::invalid("the token's exp is not a valid time")),
            None => Err(TokenRefusal::invalid("the token has no exp")),
        }
    }
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64()
}

/// A time claim in seconds since the epoch, with fractions allowed: absent, not a number, or a number.
fn time(claims: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    claims.get(name).map(|value| value.as_f64().filter(|seconds| seconds.is_finite()))
}

/// When a token with these claims expires, in whole seconds.
pub(crate) fn claims_end(claims: &Map<String, Value>) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "a time beyond what can be shown is none")]
    let seconds = time(claims, "exp")??.floor() as i64;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests;
