#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! Tokens as a good and as a hostile issuer would make them, signed for real.

mod claims;
mod fetching;
mod forged;
mod signer;

use super::*;
use muster_reports::ids::TenantId;
use serde_json::json;
use signer::{Private, TestKey};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const ISS: &str = "https://login.example.org/";
const AUDIENCE: &str = "https://reports.example.org";

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// A set that can be changed, taken away or held back, and counts how often it was asked for.
#[derive(Default)]
struct Published {
    set: Mutex<Option<String>>,
    fetches: AtomicUsize,
    /// While this is locked, no fetch ends.
    gate: tokio::sync::Mutex<()>,
}

#[async_trait::async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.lock().await;
        self.set.lock().unwrap().clone().map(String::into_bytes).ok_or_else(|| "cannot be reached".into())
    }
}

impl Published {
    fn of(keys: &[&TestKey]) -> Arc<Self> {
        let published = Self::default();
        published.publish(keys);
        Arc::new(published)
    }

    fn publish(&self, keys: &[&TestKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk.clone()).collect();
        self.text(&json!({ "keys": keys }).to_string());
    }

    fn text(&self, text: &str) {
        *self.set.lock().unwrap() = Some(text.to_owned());
    }

    fn go_away(&self) {
        *self.set.lock().unwrap() = None;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

/// An issuer over these keys that signs with these algorithms, its tokens always of the tenant `acme`.
fn settings(keys: Arc<dyn KeySource>, algorithms: &[SignatureAlgorithm]) -> ExternalIssuer {
    ExternalIssuer {
        name: "corp".into(),
        issuer: ISS.into(),
        audiences: vec![AUDIENCE.into()],
        algorithms: algorithms.to_vec(),
        leeway: TimeDelta::seconds(30),
        claims: ClaimRules::usual(TenantRule::Always(TenantId::new("acme"))),
        keys,
        key_times: KeyTimes::default(),
        sign_in: None,
    }
}

fn issuers(settings: ExternalIssuer) -> ExternalIssuers {
    ExternalIssuers::new(vec![settings]).unwrap()
}

/// Claims of a good token made at [`start`], for ten minutes.
fn claims() -> Value {
    json!({
        "iss": ISS,
        "aud": AUDIENCE,
        "sub": "u-17",
        "client_id": "portal",
        "scope": "openid sp:report:manage",
        "iat": start().timestamp(),
        "nbf": start().timestamp(),
        "exp": start().timestamp() + 600,
    })
}

/// `base` with these members; `-` takes one out.
fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        let object = base.as_object_mut().unwrap();
        if value == "-" {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    base
}

/// What becomes of a token: the caller, or what is told and what is logged.
async fn verified(
    issuers: &ExternalIssuers,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Caller, (TokenRefused, &'static str)> {
    let issuer = issuers.issuer_of(token).ok_or((TokenRefused::Invalid, "not of this issuer"))?;
    issuer.verify(token, now).await.map_err(|refusal| (refusal.told, refusal.reason))
}

#[tokio::test]
async fn a_token_of_every_algorithm_is_accepted() {
    use SignatureAlgorithm::{EdDsa, Es256, Es384};
    let rsa = Private::rsa();
    for algorithm in SignatureAlgorithm::ALL {
        let key = match algorithm {
            EdDsa => TestKey::new("k1", Private::ed()),
            Es256 => TestKey::new("k1", Private::p256()),
            Es384 => TestKey::new("k1", Private::p384()),
            SignatureAlgorithm::Rs256
            | SignatureAlgorithm::Rs384
            | SignatureAlgorithm::Rs512
            | SignatureAlgorithm::Ps256
            | SignatureAlgorithm::Ps384
            | SignatureAlgorithm::Ps512 => TestKey::new("k1", rsa.clone()),
        };
        let issuers = issuers(settings(Published::of(&[&key]), &[algorithm]));
        let token = key.token(algorithm.as_str(), &claims());
        let caller = verified(&issuers, &token, start()).await;
        assert_eq!(caller.unwrap().client.as_str(), "corp:portal", "{algorithm:?}");
        // One bit of the signature, then one of the claims.
        for part in [2, 1] {
            let changed = signer::one_bit(&token, part);
            assert!(verified(&issuers, &changed, start()).await.is_err(), "{algorithm:?} {part}");
        }
    }
}

#[test]
fn settings_that_would_trust_too_much_are_refused() {
    let key = TestKey::new("k1", Private::ed());
    let good = || settings(Published::of(&[&key]), &[SignatureAlgorithm::EdDsa]);
    let refused = |issuers: Vec<ExternalIssuer>| match ExternalIssuers::new(issuers) {
        Ok(_) => String::new(),
        Err(error) => error.message,
    };
    assert_eq!(refused(vec![good()]), "");
    assert!(refused(vec![good(), good()]).contains("another issuer has the same name"));
    type Change = fn(&mut ExternalIssuer);
    let cases: [(&str, Change); 7] = [
        ("the name is not valid", |s| s.name = "a:b".into()),
        ("expected the iss of its tokens", |s| s.issuer = "muster".into()),
        ("expected the iss of its tokens", |s| s.issuer = " ".into()),
        ("audience is empty", |s| s.audiences = Vec::new()),
        ("audience is empty", |s| s.audiences = vec!["a".into(), String::new()]),
        ("algorithms is empty", |s| s.algorithms = Vec::new()),
        ("no claim names the client", |s| s.claims.client = Vec::new()),
    ];
    for (expected, change) in cases {
        let mut settings = good();
        change(&mut settings);
        let error = refused(vec![settings]);
        assert!(error.contains(expected), "{error}");
    }
}

/// What configuration files may name; `HS256` and `none` are not variants.
#[test]
fn only_asymmetric_algorithms_can_be_named() {
    for algorithm in SignatureAlgorithm::ALL {
        let name = json!(algorithm.as_str());
        assert_eq!(serde_json::from_value::<SignatureAlgorithm>(name).unwrap(), algorithm);
    }
    for name in ["HS256", "HS384", "HS512", "none", "None", "rs256", ""] {
        assert!(serde_json::from_value::<SignatureAlgorithm>(json!(name)).is_err(), "{name}");
    }
}
