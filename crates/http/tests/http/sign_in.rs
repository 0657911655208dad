//! Signing in at an external issuer: what is sent to it, and what of its answers is accepted.

use crate::world::World;
use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use http_body_util::BodyExt;
use muster_http::{
    Attempt, ClaimRules, ExternalIssuer, ExternalIssuers, KeySource, KeyTimes, SignInSettings, SignInToken,
    SignatureAlgorithm, SignedIn, TenantRule,
};
use muster_reports::error::Category;
use muster_reports::ports::Clock;
use muster_testkit::build;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

const ATTEMPT: Attempt<'static> = Attempt {
    state: "5ta7e",
    nonce: "n0nce",
    verifier: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};
const AUDIENCE: &str = "https://reports.example.org";
const CLIENT: &str = "muster console";
const SECRET: &str = "a+b c%";
const REDIRECT: &str = "https://reports.example.org/ui/sign-in/at/corp/answer";

struct Published(String);

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.clone().into_bytes())
    }
}

/// What the issuer answers, and what it was asked last at its token endpoint: credentials and form.
#[derive(Default)]
struct Behaviour {
    document: Value,
    tokens: (u16, Value),
    asked: (String, BTreeMap<String, String>),
}

struct Issuer {
    address: String,
    pair: Ed25519KeyPair,
    behaviour: Arc<Mutex<Behaviour>>,
    world: World,
}

async fn answer(behaviour: Arc<Mutex<Behaviour>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut behaviour = behaviour.lock().unwrap();
    let (status, answer) = match parts.uri.path() {
        "/.well-known/openid-configuration" => (200, behaviour.document.clone()),
        "/token" => {
            let credentials = parts.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
            behaviour.asked = (credentials.to_owned(), serde_urlencoded::from_bytes(&body).unwrap());
            behaviour.tokens.clone()
        }
        _ => (404, Value::Null),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(answer.to_string())).unwrap()
}

impl Issuer {
    async fn with(change: impl FnOnce(&mut SignInSettings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let shared = behaviour.clone();
        let router = Router::new().fallback(move |request: Request| answer(shared.clone(), request));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = BASE64.encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]});
        let mut sign_in = SignInSettings {
            title: "Corp".into(),
            client_id: CLIENT.into(),
            client_secret: Some(SECRET.into()),
            scopes: vec!["openid".into(), "sp:scopes:all".into()],
            resource: None,
            token: SignInToken::Access,
            redirect: REDIRECT.into(),
            after_sign_out: "https://reports.example.org/ui/sign-in".into(),
            timeout: Duration::from_secs(20),
        };
        change(&mut sign_in);
        let issuer = ExternalIssuer {
            name: "corp".into(),
            issuer: address.clone(),
            audiences: vec![AUDIENCE.into()],
            algorithms: vec![SignatureAlgorithm::EdDsa],
            leeway: TimeDelta::seconds(30),
            claims: ClaimRules::usual(TenantRule::Always(build::tenant())),
            keys: Arc::new(Published(set.to_string())),
            key_times: KeyTimes::default(),
            sign_in: Some(sign_in),
        };
        let world = World::with_wiring(|_| {}, ExternalIssuers::new(vec![issuer]).unwrap()).await;
        let issuer = Self { address, pair, behaviour, world };
        issuer.behaviour.lock().unwrap().document = json!({
            "issuer": issuer.address, "authorization_endpoint": format!("{}/auth?prompt=login", issuer.address),
            "token_endpoint": format!("{}/token", issuer.address),
            "end_session_endpoint": format!("{}/out", issuer.address),
            "code_challenge_methods_supported": ["S256"],
        });
        issuer.grants(json!({}), json!({}));
        issuer
    }

    fn token(&self, mut claims: Value, changes: &Value) -> String {
        let now = self.world.clock.now().timestamp();
        claims["iss"] = json!(self.address);
        claims["sub"] = json!("grace");
        claims["exp"] = json!(now + 300);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let signed = format!(
            "{}.{}",
            BASE64.encode(r#"{"alg":"EdDSA","kid":"1"}"#),
            BASE64.encode(claims.to_string())
        );
        format!("{signed}.{}", BASE64.encode(self.pair.sign(signed.as_bytes())))
    }

    /// Grants tokens whose claims have these changes.
    fn grants(&self, access: Value, identity: Value) {
        let rights = json!({
            "aud": AUDIENCE, "client_id": CLIENT, "scope": "sp:scopes:all", "levels": ["ORG_ADMIN"],
        });
        let access = self.token(rights, &access);
        let identity = self.token(json!({"aud": CLIENT, "nonce": ATTEMPT.nonce}), &identity);
        self.answers(200, json!({"access_token": access, "id_token": identity, "token_type": "Bearer"}));
    }

    fn answers(&self, status: u16, tokens: Value) {
        self.behaviour.lock().unwrap().tokens = (status, tokens);
    }

    fn document(&self, changes: Value) {
        let mut behaviour = self.behaviour.lock().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            behaviour.document[name] = value.clone();
        }
        // What is kept is too old then.
        self.world.clock.advance(TimeDelta::minutes(11));
    }

    async fn finish(&self, iss: Option<&str>) -> Result<SignedIn, (Category, String)> {
        let finished = self.world.sign_ins.finish("corp", "c0de", iss, ATTEMPT).await;
        finished.map_err(|error| (error.category, error.message))
    }

    async fn refusal(&self) -> String {
        let (category, message) = self.finish(None).await.unwrap_err();
        assert_eq!(category, Category::Forbidden, "{message}");
        message
    }
}

#[tokio::test]
async fn a_code_is_exchanged_with_its_verifier_for_a_token_that_every_route_accepts() {
    let issuer = Issuer::with(|_| {}).await;
    assert_eq!(issuer.world.sign_ins.offered(), [("corp".to_owned(), "Corp".to_owned())]);
    let address = issuer.world.sign_ins.begin("corp", ATTEMPT).await.unwrap();
    let (endpoint, query) = address.split_once('?').unwrap();
    assert_eq!(endpoint, format!("{}/auth", issuer.address));
    let sent: BTreeMap<String, String> = serde_urlencoded::from_str(query).unwrap();
    // RFC 7636, section 4.2, by the digest alone.
    let challenge = BASE64.encode(Sha256::digest(ATTEMPT.verifier));
    let expected = [
        ("prompt", "login"),
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", "openid sp:scopes:all"),
        ("state", "5ta7e"),
        ("nonce", "n0nce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(sent, BTreeMap::from(expected));

    let signed_in = issuer.finish(None).await.unwrap();
    assert_eq!((signed_in.expires - issuer.world.clock.now()).num_seconds(), 300);
    let (credentials, form) = issuer.behaviour.lock().unwrap().asked.clone();
    // Each half is encoded as in a form (RFC 6749, section 2.3.1).
    let basic = STANDARD.encode("muster%20console:a%2Bb%20c%25");
    assert_eq!(credentials, format!("Basic {basic}"));
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "c0de"),
        ("redirect_uri", REDIRECT),
        ("code_verifier", ATTEMPT.verifier),
    ];
    assert_eq!(form, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    let bearer = format!("Bearer {}", signed_in.token);
    let who =
        issuer.world.ask("GET /muster/v1/caller", &[("authorization", bearer.as_str())], "").await.json();
    assert_eq!((&who["name"], &who["client"]), (&json!("grace"), &json!(format!("corp:{CLIENT}"))));

    let out = issuer.world.sign_ins.sign_out_address("corp").await.unwrap().unwrap();
    let expected = format!(
        "{}/out?client_id=muster+console&post_logout_redirect_uri=https%3A%2F%2Freports.example.org%2Fui%2Fsign-in",
        issuer.address
    );
    assert_eq!(out, expected);
}

#[tokio::test]
async fn clients_without_a_secret_and_issuers_without_basic_are_served() {
    let public = Issuer::with(|settings| {
        settings.client_secret = None;
        settings.resource = Some(AUDIENCE.into());
    })
    .await;
    public.finish(None).await.unwrap();
    let (credentials, form) = public.behaviour.lock().unwrap().asked.clone();
    assert_eq!((credentials.as_str(), form["client_id"].as_str()), ("", CLIENT));
    assert_eq!((form["resource"].as_str(), form.get("client_secret")), (AUDIENCE, None));
    let posting = Issuer::with(|_| {}).await;
    posting.document(json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    posting.grants(json!({}), json!({}));
    posting.finish(None).await.unwrap();
    let (credentials, form) = posting.behaviour.lock().unwrap().asked.clone();
    assert_eq!((credentials.as_str(), form["client_secret"].as_str()), ("", SECRET));
}

#[tokio::test]
async fn what_is_not_for_this_attempt_is_refused() {
    let issuer = Issuer::with(|_| {}).await;
    for (access, identity, reason) in [
        (json!({}), json!({"nonce": "other"}), "its nonce differs"),
        (json!({}), json!({"nonce": null}), "its nonce differs"),
        (json!({}), json!({"aud": AUDIENCE}), "the identity token is not accepted: the token's aud"),
        (json!({}), json!({"aud": [CLIENT, "x"]}), "several audiences and no azp"),
        (
            json!({}),
            json!({"iss": "https://evil.example"}),
            "the identity token is not accepted: the token's iss",
        ),
        (json!({}), json!({"exp": 0}), "the identity token is not accepted: the token has expired"),
        (json!({"aud": "x"}), json!({}), "the token for the API is not accepted: the token's aud"),
        (json!({"client_id": null}), json!({}), "the token for the API is not accepted: no claim"),
    ] {
        issuer.grants(access.clone(), identity.clone());
        let told = issuer.refusal().await;
        assert!(told.contains(reason), "{access} {identity}: {told}");
    }
    issuer.answers(200, json!({"access_token": "opaque"}));
    assert!(issuer.refusal().await.contains("no identity token"));
    issuer.answers(400, json!({"error": "invalid_grant"}));
    assert!(issuer.refusal().await.contains("did not exchange the code"));
    issuer.answers(200, json!([1]));
    assert!(issuer.refusal().await.contains("cannot be read"));
    let unknown = issuer.world.sign_ins.begin("nobody", ATTEMPT).await.unwrap_err();
    assert_eq!(unknown.category, Category::NotFound);
}

/// RFC 9207: who leads back must be who was asked.
#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let issuer = Issuer::with(|_| {}).await;
    let named = issuer.address.clone();
    assert!(issuer.finish(Some(&named)).await.is_ok());
    assert_eq!(issuer.finish(Some("https://evil.example")).await.unwrap_err().0, Category::Forbidden);
    issuer.document(json!({"authorization_response_iss_parameter_supported": true}));
    issuer.grants(json!({}), json!({}));
    assert_eq!(issuer.finish(None).await.unwrap_err().0, Category::Forbidden);
    assert!(issuer.finish(Some(&named)).await.is_ok());
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_used() {
    let issuer = Issuer::with(|_| {}).await;
    assert!(issuer.world.sign_ins.begin("corp", ATTEMPT).await.is_ok());
    issuer.document(json!({"issuer": "https://evil.example"}));
    let refused = issuer.world.sign_ins.begin("corp", ATTEMPT).await.unwrap_err();
    assert_eq!(refused.category, Category::Unavailable);
    assert!(refused.message.contains("evil.example"), "{}", refused.message);
}

/// An issuer whose access tokens are for another service: the identity token is used.
#[tokio::test]
async fn the_identity_token_can_be_the_one_that_is_used() {
    let issuer = Issuer::with(|settings| settings.token = SignInToken::Identity).await;
    // Its audience is the client, which is not an audience of this service here.
    assert!(issuer.refusal().await.contains("the token for the API is not accepted: the token's aud"));
    issuer.grants(json!({}), json!({"aud": [CLIENT, AUDIENCE], "azp": CLIENT}));
    assert!(issuer.finish(None).await.is_ok());
}
