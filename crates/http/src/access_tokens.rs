//! Access tokens of our own: JWTs signed with Ed25519.
//!
//! The algorithm is fixed, and the time comes from the caller. A refusal says only that the token has expired or is not
//! valid.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use muster_reports::caller::{AuditorLimits, DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::error::error_chain;
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::{Caller, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// What a PKCS #8 Ed25519 private key has before its 32 secret bytes (RFC 8410, section 7).
pub(crate) const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// `iss` of our tokens.
pub(crate) const ISSUER: &str = "muster";

/// Why a token was refused: all that a caller may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It was valid once.
    #[error("JWT is expired")]
    Expired,
    /// It is not a token of ours, or its client may not act any more.
    #[error("JWT is not valid")]
    Invalid,
}

/// A refused token: the reason for its bearer, and the one for the log.
#[derive(Debug)]
pub(crate) struct TokenRefusal {
    /// For the bearer.
    pub(crate) told: TokenRefused,
    /// For the log. It quotes no part of the token.
    pub(crate) reason: &'static str,
}

impl TokenRefusal {
    pub(crate) fn invalid(reason: &'static str) -> Self {
        Self { told: TokenRefused::Invalid, reason }
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

/// Largest token, in bytes. A larger one is refused unread.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Claims of an access token.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    tenant_id: TenantId,
    client_id: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    levels: Vec<UserLevel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audit: Option<Box<AuditorLimits>>,
    scope: Vec<Scope>,
    data_scope: DataScope,
    jti: String,
    iat: i64,
    exp: i64,
}

impl Claims {
    /// The caller, unless the claims contradict each other.
    fn caller(self) -> Option<Caller> {
        let user = match (self.identity_id, self.user_name) {
            (Some(id), Some(name)) => Some(UserIdentity { id, name, levels: self.levels, audit: self.audit }),
            (None, None) if self.audit.is_none() => None,
            (Some(_), None) | (None, Some(_)) | (None, None) => return None,
        };
        Some(Caller {
            tenant: self.tenant_id,
            client: self.client_id,
            user,
            scopes: self.scope,
            data_scope: self.data_scope,
            trace: None,
        })
    }
}

/// The 32 secret bytes of an Ed25519 key.
pub type TokenSeed = [u8; 32];

/// The keys of tokens at one time.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKeys {
    /// Signs, and checks.
    pub current: TokenSeed,
    /// The previous key, which only checks, and the time until which it does.
    pub previous: Option<(TokenSeed, DateTime<Utc>)>,
}

/// Where the keys are kept. They may be replaced while the service runs.
pub trait KeyRing: Send + Sync {
    /// The keys, if they have changed since the last call.
    ///
    /// Asked before every signature and for every token, so it must be quick when nothing has changed.
    ///
    /// # Errors When they cannot be read; the issuer then keeps the keys that it has.
    fn changed_keys(&self) -> Result<Option<TokenKeys>>;
}

/// Makes and checks access tokens.
#[derive(Clone)]
pub struct TokenIssuer {
    keys: Arc<RwLock<Keys>>,
    ring: Option<Arc<dyn KeyRing>>,
    validation: Validation,
}

/// Keys in the form that the library takes, and tokens whose signatures they have verified: a client sends one token with
/// all of its requests, and a signature takes longer to check than everything else of a small answer.
struct Keys {
    signing: EncodingKey,
    current: DecodingKey,
    previous: Option<(DecodingKey, DateTime<Utc>)>,
    verified: Mutex<HashMap<String, Verified>>,
}

/// A token that was verified.
#[derive(Clone)]
struct Verified {
    caller: Caller,
    /// When the token expires, in seconds since 1970.
    exp: i64,
    /// When the key that it was verified with checks no more.
    until: Option<DateTime<Utc>>,
}

/// Tokens that are remembered as verified; when there are more, all are forgotten.
const VERIFIED_MAX: usize = 4_096;

impl Keys {
    fn of(keys: &TokenKeys) -> Result<Self> {
        let (signing, current) = pair(&keys.current)?;
        let previous = match &keys.previous {
            Some((seed, until)) => Some((pair(seed)?.1, *until)),
            None => None,
        };
        Ok(Self { signing, current, previous, verified: Mutex::default() })
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<String, Verified>> {
        // Entries are only added and removed as a whole, so a panic cannot leave one half changed.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token whose signature one of the keys has made and that claims a caller, whether or not it has expired.
    fn verify(&self, token: &str, now: DateTime<Utc>, validation: &Validation) -> Option<Verified> {
        let known = self.verified().get(token).cloned();
        if let Some(known) = known.filter(|known| known.until.is_none_or(|until| now < until)) {
            return Some(known);
        }
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until);
        let mut checking =
            std::iter::once((&self.current, None)).chain(previous.map(|(key, until)| (key, Some(*until))));
        let (claims, until) = checking.find_map(|(key, until)| {
            decode::<Claims>(token, key, validation).ok().map(|token| (token.claims, until))
        })?;
        let exp = claims.exp;
        let fresh = Verified { caller: claims.caller()?, exp, until };
        let mut verified = self.verified();
        if verified.len() >= VERIFIED_MAX {
            verified.clear();
        }
        verified.insert(token.to_owned(), fresh.clone());
        Some(fresh)
    }
}

/// How long a token holds that may hold for `lifetime`.
pub(crate) fn lifetime_of(caller: &Caller, now: DateTime<Utc>, lifetime: TimeDelta) -> TimeDelta {
    caller.auditor().map_or(lifetime, |limits| lifetime.min(limits.ends - now).max(TimeDelta::zero()))
}

fn pair(seed: &TokenSeed) -> Result<(EncodingKey, DecodingKey)> {
    let refuse = |error| Error::internal("the token key cannot be used", error);
    let signing = EncodingKey::from_ed_der(&[&PKCS8_PREFIX[..], seed].concat());
    let public = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).map_err(refuse)?;
    let checking = DecodingKey::from_jwk(&public).map_err(refuse)?;
    Ok((signing, checking))
}

impl TokenIssuer {
    /// An issuer whose key does not change; the same bytes give the same issuer.
    ///
    /// # Errors
    /// `Internal` when the cryptographic library refuses the key.
    pub fn new(seed: &TokenSeed) -> Result<Self> {
        Self::of(&TokenKeys { current: *seed, previous: None }, None)
    }

    /// An issuer that gets its keys from `ring`.
    ///
    /// # Errors
    /// When they cannot be read, or the cryptographic library refuses them.
    pub fn with_ring(ring: Arc<dyn KeyRing>) -> Result<Self> {
        let keys = ring.changed_keys()?.ok_or_else(|| Error::unavailable("there is no key for tokens"))?;
        Self::of(&keys, Some(ring))
    }

    fn of(keys: &TokenKeys, ring: Option<Arc<dyn KeyRing>>) -> Result<Self> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        // Compared below, with the time that the caller passes.
        validation.validate_exp = false;
        Ok(Self { keys: Arc::new(RwLock::new(Keys::of(keys)?)), ring, validation })
    }

    /// Loads keys that were exchanged.
    fn load_changed_keys(&self) {
        let Some(ring) = &self.ring else { return };
        match ring.changed_keys().and_then(|keys| keys.as_ref().map(Keys::of).transpose()) {
            Ok(Some(keys)) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "the token keys cannot be read; the previous ones stay in use");
            }
        }
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        // They are only replaced as a whole, so a panic cannot leave them half changed.
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token for `caller`, valid from `now` for `lifetime` in whole seconds; an auditor's not beyond the end of his access.
    ///
    /// # Errors
    /// `Internal` when signing fails.
    pub fn issue(
        &self,
        caller: &Caller,
        jti: &str,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.into(),
            tenant_id: caller.tenant.clone(),
            client_id: caller.client.clone(),
            identity_id: caller.user.as_ref().map(|user| user.id.clone()),
            user_name: caller.user.as_ref().map(|user| user.name.clone()),
            levels: caller.user.as_ref().map(|user| user.levels.clone()).unwrap_or_default(),
            audit: caller.user.as_ref().and_then(|user| user.audit.clone()),
            scope: caller.scopes.clone(),
            data_scope: caller.data_scope.clone(),
            jti: jti.into(),
            iat: now.timestamp(),
            exp: (now + lifetime_of(caller, now, lifetime)).timestamp(),
        };
        self.load_changed_keys();
        encode(&Header::new(Algorithm::EdDSA), &claims, &self.keys().signing)
            .map_err(|error| Error::internal("the token could not be signed", error))
    }

    /// The caller that `token` was issued to.
    ///
    /// # Errors
    /// [`TokenRefused`]; `Expired` only for a token that is otherwise valid.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Caller, TokenRefused> {
        // Another process may have signed with a newer key, or our key may have been withdrawn.
        self.load_changed_keys();
        let verified = self.keys().verify(token, now, &self.validation).ok_or(TokenRefused::Invalid)?;
        if verified.exp <= now.timestamp() {
            return Err(TokenRefused::Expired);
        }
        Ok(verified.caller)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::caller::Period;
    use muster_reports::ids::ReportId;

    fn caller(user: bool) -> Caller {
        Caller {
            tenant: TenantId::new("acme"),
            client: ClientId::new("c1"),
            user: user.then(|| UserIdentity {
                id: "i1".into(),
                name: "cloudadmin".into(),
                levels: vec![UserLevel::OrgAdmin],
                audit: None,
            }),
            scopes: vec![Scope::ReportManage],
            data_scope: DataScope::Everything,
            trace: None,
        }
    }

    fn time() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    #[test]
    fn a_token_gives_back_its_caller_until_it_expires() {
        let issuer = TokenIssuer::new(&[7; 32]).unwrap();
        for caller in [caller(true), caller(false)] {
            let token = issuer.issue(&caller, "j", time(), TimeDelta::seconds(60)).unwrap();
            assert_eq!(issuer.verify(&token, time() + TimeDelta::seconds(59)), Ok(caller));
            assert_eq!(issuer.verify(&token, time() + TimeDelta::seconds(60)), Err(TokenRefused::Expired));
        }
    }

    /// The limits are in the token, and it holds until the end of access and no longer.
    #[test]
    fn an_auditors_token_ends_with_his_access() {
        let issuer = TokenIssuer::new(&[7; 32]).unwrap();
        let mut auditor = caller(true);
        let period = Period { from: DateTime::UNIX_EPOCH, to: time() };
        let limits =
            AuditorLimits::new(period, [ReportId::new("ACCOUNTS")], time() + TimeDelta::seconds(30)).unwrap();
        auditor.user = auditor.user.map(|user| UserIdentity { audit: Some(Box::new(limits)), ..user });
        let token = issuer.issue(&auditor, "j", time(), TimeDelta::seconds(60)).unwrap();
        assert_eq!(issuer.verify(&token, time() + TimeDelta::seconds(29)), Ok(auditor.clone()));
        assert_eq!(issuer.verify(&token, time() + TimeDelta::seconds(30)), Err(TokenRefused::Expired));
        let late =
            issuer.issue(&auditor, "j", time() + TimeDelta::seconds(45), TimeDelta::seconds(60)).unwrap();
        assert_eq!(issuer.verify(&late, time() + TimeDelta::seconds(45)), Err(TokenRefused::Expired));
    }

    #[test]
    fn tokens_of_other_keys_and_changed_tokens_are_refused() {
        let issuer = TokenIssuer::new(&[7; 32]).unwrap();
        let other = TokenIssuer::new(&[8; 32]).unwrap();
        let token = other.issue(&caller(true), "j", time(), TimeDelta::seconds(-60)).unwrap();
        assert_eq!(
            issuer.verify(&token, time()),
            Err(TokenRefused::Invalid),
            "expired and foreign: not told apart"
        );
        let token = issuer.issue(&caller(true), "j", time(), TimeDelta::seconds(60)).unwrap();
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[2] = parts[2].chars().rev().collect();
        assert_eq!(issuer.verify(&parts.join("."), time()), Err(TokenRefused::Invalid));
    }

    /// A ring whose keys a test exchanges.
    struct Exchanged(std::sync::Mutex<Option<TokenKeys>>);

    impl Exchanged {
        fn put(&self, current: u8, previous: Option<(u8, DateTime<Utc>)>) {
            let previous = previous.map(|(seed, until)| ([seed; 32], until));
            *self.0.lock().unwrap() = Some(TokenKeys { current: [current; 32], previous });
        }
    }

    impl KeyRing for Exchanged {
        fn changed_keys(&self) -> Result<Option<TokenKeys>> {
            Ok(self.0.lock().unwrap().take())
        }
    }

    #[test]
    fn keys_are_exchanged_without_a_gap_and_the_old_one_dies() {
        let minute = TimeDelta::seconds(60);
        let (here, there) = (Arc::new(Exchanged(None.into())), Arc::new(Exchanged(None.into())));
        here.put(7, None);
        there.put(7, None);
        let signer = TokenIssuer::with_ring(here.clone()).unwrap();
        let checker = TokenIssuer::with_ring(there.clone()).unwrap();
        let old = signer.issue(&caller(true), "j", time(), TimeDelta::hours(1)).unwrap();
        here.put(8, Some((7, time() + minute)));
        there.put(8, Some((7, time() + minute)));
        // The other process has not looked yet: a token of the new key makes it look.
        let new = signer.issue(&caller(true), "k", time(), TimeDelta::hours(1)).unwrap();
        for issuer in [&signer, &checker] {
            assert_eq!(issuer.verify(&new, time()), Ok(caller(true)));
            assert_eq!(issuer.verify(&old, time() + minute - TimeDelta::seconds(1)), Ok(caller(true)));
            assert_eq!(issuer.verify(&old, time() + minute), Err(TokenRefused::Invalid));
            assert_eq!(issuer.verify(&new, time() + minute), Ok(caller(true)));
        }
        assert_eq!(TokenIssuer::new(&[7; 32]).unwrap().verify(&new, time()), Err(TokenRefused::Invalid));
        // Withdrawn at once: nobody has signed anything since.
        there.put(9, Some((8, time())));
        assert_eq!(checker.verify(&new, time()), Err(TokenRefused::Invalid));
    }

    /// `{"alg":"none"}` and HS256 with anything as its key: the pinned algorithm refuses both.
    #[test]
    fn the_algorithm_is_pinned() {
        let issuer = TokenIssuer::new(&[7; 32]).unwrap();
        let token = issuer.issue(&caller(true), "j", time(), TimeDelta::seconds(60)).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9"] {
            assert_eq!(issuer.verify(&format!("{header}.{claims}."), time()), Err(TokenRefused::Invalid));
        }
    }
}
