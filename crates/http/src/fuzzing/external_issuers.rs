//! Tokens and keys of external issuers.

use super::now;
use crate::access_tokens::{PKCS8_PREFIX, TokenIssuer, TokenRefusal, TokenRefused};
use crate::external_issuers::{
    ClaimRules, ExternalIssuer, ExternalIssuers, KeySource, KeyTimes, SignatureAlgorithm, TenantRule,
};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use muster_reports::Caller;
use muster_reports::ids::TenantId;
use serde_json::{Map, Value, json};
use std::error::Error as StdError;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "muster";
const KID: &str = "k1";
const LEEWAY_S: i64 = 60;
/// Bytes of the key that is the issuer's, and of one that is not.
const SEEDS: [u8; 2] = [7, 8];

/// A key set that is always the same.
struct Published(Vec<u8>);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.clone())
    }
}

/// An issuer that publishes `keys`, and the service's own issuer.
struct Service {
    external: ExternalIssuers,
    own: TokenIssuer,
}

impl Service {
    fn new(keys: Vec<u8>) -> Self {
        let acme = TenantId::new("acme");
        let tenant = TenantRule::Claim {
            claims: vec!["tenant_id".into(), "/org/tenant".into()],
            ours: vec![acme.clone(), TenantId::new("globex")],
            names: [("ACME Corporation".to_owned(), acme)].into(),
        };
        let issuer = ExternalIssuer {
            name: "idp".into(),
            issuer: ISSUER.into(),
            audiences: vec![AUDIENCE.into()],
            algorithms: vec![SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256, SignatureAlgorithm::Rs256],
            leeway: TimeDelta::seconds(LEEWAY_S),
            claims: ClaimRules::usual(tenant),
            keys: Arc::new(Published(keys)),
            key_times: KeyTimes::default(),
            sign_in: None,
        };
        let external = ExternalIssuers::new(vec![issuer]).expect("the settings are sound");
        Self { external, own: TokenIssuer::new(&[9; 32]).expect("any 32 bytes are a key") }
    }

    /// Checks a token like that of a request: by the issuer that it names, or else by the service's own.
    fn verify(&self, runtime: &Runtime, token: &str) -> Result<Caller, TokenRefusal> {
        match self.external.issuer_of(token) {
            Some(issuer) => runtime.block_on(issuer.verify(token, now())),
            None => {
                self.own.verify(token, now()).map_err(|told| TokenRefusal { told, reason: "not one of ours" })
            }
        }
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    static SERVICE: Service = Service::new(key_set_of(SEEDS[0]));
}

fn verified(token: &str) -> Result<Caller, TokenRefusal> {
    RUNTIME.with(|runtime| SERVICE.with(|service| service.verify(runtime, token)))
}

fn key(seed: u8) -> EncodingKey {
    EncodingKey::from_ed_der(&[&PKCS8_PREFIX[..], &[seed; 32]].concat())
}

/// The public part of a key, as JSON.
fn public(seed: u8) -> Value {
    let jwk = Jwk::from_encoding_key(&key(seed), Algorithm::EdDSA).expect("any 32 bytes are a key");
    let mut jwk = serde_json::to_value(jwk).expect("a key is JSON");
    jwk["kid"] = json!(KID);
    jwk
}

fn key_set_of(seed: u8) -> Vec<u8> {
    json!({"keys": [public(seed)]}).to_string().into_bytes()
}

fn signed(seed: u8, head: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", BASE64.encode(head), BASE64.encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key(seed), Algorithm::EdDSA);
    format!("{message}.{}", signature.expect("any message can be signed"))
}

fn genuine(seed: u8) -> String {
    let head = json!({"alg": "EdDSA", "kid": KID, "typ": "JWT"}).to_string();
    let payload = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "i1", "client_id": "c1", "tenant_id": "acme",
        "scope": "sp:report:read", "exp": now().timestamp() + 60,
    });
    signed(seed, head.as_bytes(), payload.to_string().as_bytes())
}

/// A token: only the one that the issuer signed is accepted.
pub fn external_token(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    match verified(token) {
        Ok(_) => assert_eq!(token, genuine(SEEDS[0]), "a token was taken that was not issued"),
        Err(refusal) => {
            assert_ne!(token, genuine(SEEDS[0]), "{refusal}");
            assert_eq!(refusal.told, TokenRefused::Invalid, "{token}: only signed tokens expire");
        }
    }
}

/// A line with the header and one with the claims of a token that the issuer really signed.
///
/// An accepted token is for this service, valid now, in a tenant of this service, and gives no more rights than it
/// names.
pub fn external_claims(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (head, payload) = (&data[..at], &data[at + 1..]);
    // The signature of another key is never accepted.
    assert!(verified(&signed(SEEDS[1], head, payload)).is_err(), "a foreign signature was taken");
    let Ok(caller) = verified(&signed(SEEDS[0], head, payload)) else { return };
    let object = |bytes| serde_json::from_slice::<Map<String, Value>>(bytes).expect("an object was taken");
    let (head, claims) = (object(head), object(payload));
    assert_eq!(head["alg"], "EdDSA");
    assert!(!head.contains_key("crit"));
    assert!(head.get("kid").is_none_or(|kid| kid.is_null() || kid == KID));
    assert_eq!(claims["iss"], ISSUER);
    let audiences = claims["aud"].as_array().map_or(std::slice::from_ref(&claims["aud"]), Vec::as_slice);
    assert!(audiences.contains(&json!(AUDIENCE)));
    let time = now().timestamp() as f64;
    let leeway = LEEWAY_S as f64;
    assert!(claims["exp"].as_f64().is_some_and(|end| end > time - leeway));
    for begin in ["nbf", "iat"] {
        assert!(claims.get(begin).is_none_or(|begin| begin.as_f64().is_some_and(|at| at <= time + leeway)));
    }
    assert!(["acme", "globex"].contains(&caller.tenant.as_str()));
    let whole = Value::Object(claims).to_string();
    let client = caller.client.as_str().strip_prefix("idp:").expect("clients of an issuer bear its name");
    let user = caller.user.as_ref().map(|user| [user.id.as_str(), user.name.as_str()]);
    for text in user.into_iter().flatten().chain([client]) {
        assert!(!text.trim().is_empty() && text.len() <= 256 && !text.chars().any(char::is_control));
    }
    for scope in &caller.scopes {
        assert!(whole.contains(scope.as_str()), "{scope:?} comes from nowhere");
    }
}

/// A key set, and two tokens: each is accepted only if its own key is in the set.
pub fn key_set(data: &[u8]) {
    let service = Service::new(data.to_vec());
    for seed in SEEDS {
        let taken = RUNTIME.with(|runtime| service.verify(runtime, &genuine(seed))).is_ok();
        if taken {
            let set: Value = serde_json::from_slice(data).expect("a set that is used is JSON");
            let ours = public(seed)["x"].clone();
            let keys = set["keys"].as_array().expect("a set has keys");
            assert!(keys.iter().any(|key| key["x"] == ours), "a key that is not in the set was used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Otherwise fuzzing would begin with forgeries alone.
    #[test]
    fn what_is_good_is_among_the_kept_inputs() {
        for (target, wanted) in
            [("external_token", genuine(SEEDS[0]).into_bytes()), ("key_set", key_set_of(SEEDS[0]))]
        {
            let found = Cell::new(false);
            muster_testkit::corpus::replay(target, |input| found.set(found.get() || input == wanted));
            assert!(found.get(), "{target}: no kept input is {}", String::from_utf8_lossy(&wanted));
        }
        let taken = Cell::new(0);
        muster_testkit::corpus::replay("external_claims", |input| {
            let parts: Vec<_> = input.splitn(2, |byte| *byte == b'\n').collect();
            let token = parts.get(1).map(|payload| signed(SEEDS[0], parts[0], payload));
            taken.set(taken.get() + u32::from(token.is_some_and(|token| verified(&token).is_ok())));
        });
        assert!(taken.get() > 1, "no kept input is a token that is taken");
    }
}
