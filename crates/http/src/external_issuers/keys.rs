//! An issuer's keys: read from its JWK set, kept for a while, fetched again when a key is missing.
//!
//! Invariants:
//! - there is one fetch at a time, and at least the floor between two, however many tokens name an unknown key;
//! - a fetch continues even if the request that began it has gone, so that nobody can prevent the renewal of keys by
//!   disconnecting; it ends with its time-out, or when the cache is dropped;
//! - keys that could not be renewed are used for a bounded time and no longer.

use super::algorithm::SignatureAlgorithm;
use super::jws::Compact;
use crate::access_tokens::TokenRefusal;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use muster_reports::error::error_chain;
use serde::Deserialize;
use serde_json::Value;
use std::error::Error as StdError;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;

/// Largest JWK set, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// Most keys of a JWK set.
const KEYS_MAX: usize = 100;

/// Size of an RSA modulus, in bytes: at least what RFC 7518, section 3.3, asks for.
const RSA_BYTES: RangeInclusive<usize> = 256..=1024;

/// Where an issuer's JWK set (RFC 7517, section 5) comes from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The set's JSON text. An adapter reads at most [`KEY_SET_BYTES_MAX`] + 1 bytes.
    ///
    /// # Errors When the set cannot be fetched now; the text is for the log.
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// How long keys are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTimes {
    /// Keys are fetched again when they are this old. When they are twice as old, a request waits for the fetch.
    pub refresh: TimeDelta,
    /// Least time between the beginnings of two fetches.
    pub floor: TimeDelta,
    /// Keys that cannot be fetched again are used until they are this old.
    pub keep: TimeDelta,
    /// How long a fetch may take.
    pub timeout: Duration,
}

impl Default for KeyTimes {
    fn default() -> Self {
        Self {
            refresh: TimeDelta::minutes(5),
            floor: TimeDelta::seconds(30),
            keep: TimeDelta::hours(1),
            timeout: Duration::from_secs(5),
        }
    }
}

/// The type of a public key, which decides what signatures it can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Ed25519,
    P256,
    P384,
    Rsa,
}

impl KeyType {
    /// `None` for symmetric keys, other curves, and whatever comes after them.
    fn of(jwk: &Jwk) -> Option<Self> {
        if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
            return Some(Self::Rsa);
        }
        if let AlgorithmParameters::OctetKeyPair(pair) = &jwk.algorithm {
            return (pair.curve == EllipticCurve::Ed25519).then_some(Self::Ed25519);
        }
        let AlgorithmParameters::EllipticCurve(point) = &jwk.algorithm else { return None };
        [(EllipticCurve::P256, Self::P256), (EllipticCurve::P384, Self::P384)]
            .into_iter()
            .find_map(|(curve, key_type)| (point.curve == curve).then_some(key_type))
    }

    fn fits(self, algorithm: SignatureAlgorithm) -> bool {
        use SignatureAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match algorithm {
            EdDsa => self == Self::Ed25519,
            Es256 => self == Self::P256,
            Es384 => self == Self::P384,
            Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 => self == Self::Rsa,
        }
    }
}

fn library_algorithm(algorithm: SignatureAlgorithm) -> Algorithm {
    match algorithm {
        SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
        SignatureAlgorithm::Es256 => Algorithm::ES256,
        SignatureAlgorithm::Es384 => Algorithm::ES384,
        SignatureAlgorithm::Rs256 => Algorithm::RS256,
        SignatureAlgorithm::Rs384 => Algorithm::RS384,
        SignatureAlgorithm::Rs512 => Algorithm::RS512,
        SignatureAlgorithm::Ps256 => Algorithm::PS256,
        SignatureAlgorithm::Ps384 => Algorithm::PS384,
        SignatureAlgorithm::Ps512 => Algorithm::PS512,
    }
}

/// A public key of an issuer.
#[derive(Clone)]
pub(super) struct Key {
    kid: Option<String>,
    key_type: KeyType,
    /// The only algorithm of the key, if the set names one.
    algorithm: Option<SignatureAlgorithm>,
    public: DecodingKey,
}

impl Key {
    fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        self.key_type.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether this key made the signature of `token`.
    pub(super) fn verifies(&self, token: &Compact<'_>, algorithm: SignatureAlgorithm) -> bool {
        let signed = token.signed.as_bytes();
        jsonwebtoken::crypto::verify(token.signature, signed, &self.public, library_algorithm(algorithm))
            .unwrap_or(false)
    }
}

/// The keys of a set that can check signatures of the pinned algorithms.
struct KeySet(Vec<Key>);

/// Why a set has no key for a token.
enum Missing {
    /// No key has its `kid`: a newer set may have one.
    Unknown,
    /// Another set would not help.
    Never(TokenRefusal),
}

impl KeySet {
    /// Reads a set. Keys of other kinds and for other uses are left out (RFC 7517, section 5).
    fn read(bytes: &[u8], pinned: &[SignatureAlgorithm]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(format!("the key set is larger than {KEY_SET_BYTES_MAX} bytes"));
        }
        let set: Set = serde_json::from_slice(bytes)
            .map_err(|error| format!("the key set is not {{\"keys\": [...]}}, line {}", error.line()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(format!("the key set has {} keys: expected at most {KEYS_MAX}", set.keys.len()));
        }
        Ok(Self(set.keys.into_iter().filter_map(|value| usable(value, pinned)).collect()))
    }

    fn find(&self, kid: Option<&str>, algorithm: SignatureAlgorithm) -> Result<&Key, Missing> {
        let refuse = |reason| Err(Missing::Never(TokenRefusal::invalid(reason)));
        let named: Vec<&Key> = match kid {
            Some(kid) => self.0.iter().filter(|key| key.kid.as_deref() == Some(kid)).collect(),
            None if self.0.len() > 1 => {
                return refuse("the token has no kid, and its issuer has several keys");
            }
            None => self.0.iter().collect(),
        };
        if named.is_empty() {
            return Err(Missing::Unknown);
        }
        let fitting: Vec<&Key> = named.into_iter().filter(|key| key.fits(algorithm)).collect();
        match fitting.as_slice() {
            [key] => Ok(key),
            [] => refuse("the key that the token names is not for its algorithm"),
            _ => refuse("several keys have the token's kid"),
        }
    }
}

fn usable(value: Value, pinned: &[SignatureAlgorithm]) -> Option<Key> {
    // A name that this program does not know is not among the issuer's algorithms.
    let named = match value.get("alg") {
        None => None,
        Some(name) => Some(SignatureAlgorithm::named(name.as_str()?)?),
    };
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let verifies = jwk
        .common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let key_type = KeyType::of(&jwk)?;
    let public = DecodingKey::from_jwk(&jwk).ok()?;
    if let DecodingKeyKind::RsaModulusExponent { n, .. } = public.kind()
        && !RSA_BYTES.contains(&n.len())
    {
        return None;
    }
    let key = Key { kid: jwk.common.key_id, key_type, algorithm: named, public };
    (signs && verifies && pinned.iter().any(|algorithm| key.fits(*algorithm))).then_some(key)
}

/// The keys that the last fetch gave, and when fetches began.
#[derive(Default)]
struct FetchedKeys {
    /// The last set, and when its fetch began.
    held: Option<(Arc<KeySet>, DateTime<Utc>)>,
    /// When the last fetch began.
    attempted: Option<DateTime<Utc>>,
}

/// Fetches the keys of one issuer; outlives the request that asked for a fetch.
struct KeyFetcher {
    name: String,
    source: Arc<dyn KeySource>,
    algorithms: Vec<SignatureAlgorithm>,
    times: KeyTimes,
    fetched: Mutex<FetchedKeys>,
}

/// The keys of one issuer.
pub(super) struct KeyCache {
    fetcher: Arc<KeyFetcher>,
    /// Held while a fetch is running.
    fetching: Arc<AsyncMutex<()>>,
    /// Owns the running fetch.
    fetches: Mutex<JoinSet<()>>,
}

impl KeyCache {
    pub(super) fn new(
        name: String,
        source: Arc<dyn KeySource>,
        algorithms: Vec<SignatureAlgorithm>,
        times: KeyTimes,
    ) -> Self {
        let fetcher = KeyFetcher { name, source, algorithms, times, fetched: Mutex::default() };
        Self { fetcher: Arc::new(fetcher), fetching: Arc::default(), fetches: Mutex::default() }
    }

    /// The key for a token with this `kid` and algorithm, fetched if it may be.
    pub(super) async fn key(
        &self,
        kid: Option<&str>,
        algorithm: SignatureAlgorithm,
        now: DateTime<Utc>,
    ) -> Result<Key, TokenRefusal> {
        let times = &self.fetcher.times;
        if let Some((set, age)) = self.fetcher.held(now) {
            match set.find(kid, algorithm) {
                Ok(key) if age < times.refresh => return Ok(key.clone()),
                Ok(key) if age < times.refresh * 2 => {
                    self.begin(now);
                    return Ok(key.clone());
                }
                // A set that is due is fetched again first, because the new set may have another answer.
                Err(Missing::Never(refusal)) if age < times.refresh => return Err(refusal),
                Ok(_) | Err(Missing::Unknown | Missing::Never(_)) => {}
            }
        }
        self.begin(now);
        // Waits for the running fetch, whoever began it. Its time-out bounds the wait.
        drop(self.fetching.lock().await);
        let (set, _) = self
            .fetcher
            .held(now)
            .ok_or(TokenRefusal::invalid("the keys of the token's issuer are not available"))?;
        set.find(kid, algorithm).cloned().map_err(|missing| match missing {
            Missing::Unknown => TokenRefusal::invalid("the token's issuer has no key with its kid"),
            Missing::Never(refusal) => refusal,
        })
    }

    /// Begins a fetch unless one is running or the last one was too recent.
    fn begin(&self, now: DateTime<Utc>) {
        let Ok(turn) = self.fetching.clone().try_lock_owned() else { return };
        {
            let mut fetched = self.fetcher.fetched();
            // If the clock was set back, nobody waits for it to catch up.
            let recent = |at: DateTime<Utc>| at <= now && now - at < self.fetcher.times.floor;
            if fetched.attempted.is_some_and(recent) {
                return;
            }
            fetched.attempted = Some(now);
        }
        let fetcher = self.fetcher.clone();
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        while fetches.try_join_next().is_some() {}
        fetches.spawn(async move {
            fetcher.fetch(now).await;
            drop(turn);
        });
    }
}

impl KeyFetcher {
    fn fetched(&self) -> MutexGuard<'_, FetchedKeys> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last set and its age, while it may be used.
    fn held(&self, now: DateTime<Utc>) -> Option<(Arc<KeySet>, TimeDelta)> {
        let fetched = self.fetched();
        let (set, at) = fetched.held.as_ref()?;
        // A set from the future is due: the clock was set back.
        let age = if *at <= now { now - *at } else { self.times.refresh };
        (age < self.times.keep).then(|| (set.clone(), age))
    }

    async fn fetch(&self, now: DateTime<Utc>) {
        let name = self.name.as_str();
        let fetched = match tokio::time::timeout(self.times.timeout, self.source.fetch()).await {
            Ok(Ok(bytes)) => KeySet::read(&bytes, &self.algorithms),
            Ok(Err(error)) => Err(error_chain(&*error)),
            Err(_) => Err("the keys did not arrive in time".into()),
        };
        match fetched {
            Ok(set) => {
                tracing::info!(issuer = name, keys = set.0.len(), "an issuer's keys were read");
                self.fetched().held = Some((Arc::new(set), now));
            }
            Err(error) => tracing::warn!(issuer = name, error, "an issuer's keys could not be fetched"),
        }
    }
}
