//! Tokens of an external issuer, over HTTP.

use crate::world::{ACCOUNTS, World, line_of};
use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use muster_http::{
    Access, ClaimRules, ExternalIssuer, ExternalIssuers, KeySource, KeyTimes, SignatureAlgorithm, TenantRule,
    route_table,
};
use muster_reports::ids::TenantId;
use muster_testkit::build;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;

struct Published(String);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.clone().into_bytes())
    }
}

struct Corporation(Ed25519KeyPair);

impl Corporation {
    async fn trusted() -> (Self, World) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = BASE64.encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]});
        let issuer = ExternalIssuer {
            name: "corp".into(),
            issuer: "https://login.example.org".into(),
            audiences: vec!["muster".into()],
            algorithms: vec![SignatureAlgorithm::EdDsa],
            leeway: TimeDelta::seconds(30),
            claims: ClaimRules::usual(TenantRule::Claim {
                claims: vec!["tenant_id".into()],
                ours: vec![build::tenant(), TenantId::new("umbrella")],
                names: [].into(),
            }),
            keys: Arc::new(Published(set.to_string())),
            key_times: KeyTimes::default(),
            sign_in: None,
        };
        let issuers = ExternalIssuers::new(vec![issuer]).unwrap();
        (Self(pair), World::with_wiring(|_| {}, issuers).await)
    }

    /// A token of a user with every right, unless `changes` say otherwise.
    fn bearer(&self, world: &World, changes: Value) -> String {
        let now = muster_reports::ports::Clock::now(&*world.clock).timestamp();
        let mut claims = json!({
            "iss": "https://login.example.org", "aud": "muster", "exp": now + 300, "sub": "grace", "client_id": "portal",
            "scope": "sp:scopes:all", "levels": ["ORG_ADMIN"], "tenant_id": build::TENANT,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let head = BASE64.encode(r#"{"alg":"EdDSA","kid":"1"}"#);
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        format!("Bearer {signed}.{}", BASE64.encode(self.0.sign(signed.as_bytes())))
    }
}

#[tokio::test]
async fn every_route_takes_a_token_of_the_issuer() {
    let (corporation, world) = Corporation::trusted().await;
    let (good, bad) =
        (corporation.bearer(&world, json!({})), corporation.bearer(&world, json!({"aud": "x"})));
    for route in route_table() {
        if route.access == Access::Open {
            continue;
        }
        let line = line_of(&route, "x");
        let answer = world.ask(&line, &[("authorization", &good)], "").await;
        assert!(![401, 403, 500].contains(&answer.status.as_u16()), "{line}: {}", answer.text());
        let answer = world.ask(&line, &[("authorization", &bad)], "").await;
        assert_eq!(answer.status, 401, "{line}");
        assert_eq!(answer.text(), r#"{"error":"JWT validation failed: JWT is not valid"}"#);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn its_users_and_applications_have_the_rights_that_its_claims_say() {
    let (corporation, world) = Corporation::trusted().await;
    let started = world.start().await;
    let run = "POST /v3/reports/run";
    let cancel = &format!("POST /v3/reports/{started}/cancel");
    let result = &format!("GET /v3/reports/{started}/result");
    let application = json!({"sub": "portal"});
    for (line, changes, status) in [
        (run, json!({}), 200),
        (run, json!({"levels": ["USER"]}), 403),
        (run, json!({"levels": ["SOME_ADMIN"]}), 403),
        (run, json!({"scope": "sp:report:read"}), 403),
        (run, json!({"scope": "openid profile"}), 403),
        (run, application.clone(), 200),
        (result, json!({"scope": "sp:report:read", "levels": []}), 200),
        (cancel, application, 403),
        (cancel, json!({"scope": "sp:report:read"}), 403),
        (cancel, json!({}), 204),
        (result, json!({"tenant_id": "elsewhere"}), 401),
        (result, json!({"tenant_id": null}), 401),
        (result, json!({"exp": 0}), 401),
    ] {
        let bearer = corporation.bearer(&world, changes.clone());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.ask(line, &headers, ACCOUNTS).await;
        assert_eq!(answer.status, status, "{line} {changes}: {}", answer.text());
    }
    let bearer = corporation.bearer(&world, json!({"tenant_id": "umbrella"}));
    let answer = world.ask(result, &[("authorization", &bearer)], "").await;
    assert_eq!(answer.text(), "{}", "another tenant of this service does not see it");
    let expired = corporation.bearer(&world, json!({"exp": 0}));
    let answer = world.ask(result, &[("authorization", &expired)], "").await;
    assert_eq!(answer.text(), r#"{"error":"JWT validation failed: JWT is expired"}"#);
}

/// A client of the issuer that has the id of one of our clients is another client.
#[tokio::test]
async fn its_clients_are_not_ours() {
    let (corporation, world) = Corporation::trusted().await;
    let bearer =
        corporation.bearer(&world, json!({"client_id": "client-of-ada", "user_name": "grace.hopper"}));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for _ in 0..100 {
        assert_eq!(world.ask("GET /v3/reports/x/result", &headers, "").await.status, 200);
    }
    assert_eq!(world.ask("GET /v3/reports/x/result", &headers, "").await.status, 429);
    assert_eq!(world.ask_as_user("GET /v3/reports/x/result", "").await.status, 200, "counted apart");
    let started = world.ask("POST /v2024/reports/run", &headers, ACCOUNTS).await.json();
    assert_eq!(started["launcher"], "grace.hopper");
}
