//! Tokens that must be refused, and for the reason that they are about.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

const INVALID: TokenRefused = TokenRefused::Invalid;

fn hs256(key: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    move |message| mac.clone().chain_update(message).finalize().into_bytes().to_vec()
}

fn hs512(key: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha512>::new_from_slice(key).unwrap();
    move |message| mac.clone().chain_update(message).finalize().into_bytes().to_vec()
}

/// SubjectPublicKeyInfo of a 2048-bit RSA key, as PEM: what tools hand out as "the public key".
fn pem(pkcs1: &[u8]) -> String {
    // SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { pkcs1 } }, lengths of two bytes each.
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let bytes = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    };
    let der = bytes(0x30, &[&algorithm[..], &bytes(3, &[&[0], pkcs1].concat())].concat());
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// An issuer with an RSA key `r1` and a P-256 key `e1`, that signs with RS256 and ES256; and those keys.
fn issuer() -> (ExternalIssuers, TestKey, TestKey) {
    let (rsa, point) = (TestKey::new("r1", Private::rsa()), TestKey::new("e1", Private::p256()));
    let algorithms = [SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256];
    (issuers(settings(Published::of(&[&rsa, &point]), &algorithms)), rsa, point)
}

#[tokio::test]
async fn forged_signatures_and_headers_are_refused() {
    let (issuers, rsa, point) = issuer();
    let mallory = TestKey::new("r1", Private::rsa());
    let good = rsa.token("RS256", &claims());
    assert!(verified(&issuers, &good, start()).await.is_ok());
    let text = claims().to_string();
    let head = |changes: Value| with(json!({"alg": "RS256", "kid": "r1", "typ": "JWT"}), changes);
    let signed = |changes: Value| rsa.with_head(&head(changes), &claims());
    let unsigned = |head: &str| signer::token(head, &text, |_| Vec::new());
    let parts: Vec<&str> = good.split('.').collect();
    let public = rsa.private.public();
    let hs = |key: &[u8]| signer::token(r#"{"alg":"HS256","kid":"r1"}"#, &text, hs256(key));
    let untrusted = "the token's algorithm is not allowed for its issuer";
    let damaged = "the token does not have three parts, or its header is damaged";
    let broken = "the token's signature is not valid";
    let unfit = "the key that the token names is not for its algorithm";
    let extension = "the token has a crit, and no extension is supported";
    let purpose = "the token's typ is not that of an access token";
    let unknown = "the token's issuer has no key with its kid";
    let stranger = "not of this issuer";
    let point_head = json!({"alg": "ES256", "kid": "e1"}).to_string();
    let own = |name: &str, value: Value| mallory.with_head(&head(json!({ name: value })), &claims());
    let cases: Vec<(&str, String, &str)> = vec![
        ("no signature", unsigned(r#"{"alg":"none"}"#), untrusted),
        ("none in capitals", unsigned(r#"{"alg":"NONE"}"#), untrusted),
        ("none in mixed case", unsigned(r#"{"alg":"nOnE"}"#), untrusted),
        ("no alg", unsigned(r#"{"kid":"r1"}"#), damaged),
        ("alg of no text", unsigned(r#"{"alg":5,"kid":"r1"}"#), damaged),
        ("alg in lower case", rsa.with_texts(r#"{"alg":"rs256","kid":"r1"}"#, &text), untrusted),
        ("blank alg", unsigned(r#"{"alg":"","kid":"r1"}"#), untrusted),
        ("RSA key as secret, PEM", hs(pem(public).as_bytes()), untrusted),
        ("RSA key as secret, DER", hs(public), untrusted),
        ("RSA key as secret, JWK", hs(rsa.jwk.to_string().as_bytes()), untrusted),
        ("RSA key as secret, modulus", hs(rsa.jwk["n"].as_str().unwrap().as_bytes()), untrusted),
        ("HS512", signer::token(r#"{"alg":"HS512","kid":"r1"}"#, &text, hs512(public)), untrusted),
        (
            "HMAC under RS256",
            signer::token(r#"{"alg":"RS256","kid":"r1"}"#, &text, hs256(pem(public).as_bytes())),
            broken,
        ),
        ("blank secret", hs(b""), untrusted),
        ("PSS where PKCS #1 is pinned", rsa.token("PS256", &claims()), untrusted),
        ("a longer hash", rsa.token("RS512", &claims()), untrusted),
        ("ES256 with the RSA key", rsa.with_head(&head(json!({"alg": "ES256"})), &claims()), unfit),
        ("RS256 with the EC key", point.with_head(&head(json!({"kid": "e1"})), &claims()), unfit),
        ("another RSA key", mallory.token("RS256", &claims()), broken),
        (
            "another key of the issuer",
            signer::token(&head(json!({})).to_string(), &text, |m| point.private.sign("", m)),
            broken,
        ),
        ("no signature at all", format!("{}.{}.", parts[0], parts[1]), broken),
        ("signature of zeros", format!("{}.{}.{}", parts[0], parts[1], BASE64.encode([0; 256])), broken),
        ("EC signature of zeros", signer::token(&point_head, &text, |_| vec![0; 64]), broken),
        ("signature padded", format!("{good}="), broken),
        ("signature of another alphabet", format!("{}.{}.+/{}", parts[0], parts[1], parts[2]), broken),
        ("unknown kid", signed(json!({"kid": "r2"})), unknown),
        ("kid as a path", signed(json!({"kid": "../../../../dev/null"})), unknown),
        ("kid as SQL", signed(json!({"kid": "x' UNION SELECT 'r1"})), unknown),
        ("kid in capitals", signed(json!({"kid": "R1"})), unknown),
        ("blank kid", signed(json!({"kid": ""})), unknown),
        ("kid of no text", signed(json!({"kid": ["r1"]})), damaged),
        ("no kid", signed(json!({"kid": "-"})), "the token has no kid, and its issuer has several keys"),
        ("kid twice", rsa.with_texts(r#"{"alg":"RS256","kid":"r2","kid":"r1"}"#, &text), damaged),
        ("alg twice", rsa.with_texts(r#"{"alg":"none","alg":"RS256","kid":"r1"}"#, &text), damaged),
        ("own key in jwk", own("jwk", mallory.jwk.clone()), broken),
        ("own keys at jku", own("jku", json!("https://mallory.example/keys")), broken),
        ("own certificate in x5c", own("x5c", json!(["MIIB"])), broken),
        ("own certificate at x5u", own("x5u", json!("https://mallory.example/x")), broken),
        ("crit", signed(json!({"crit": ["exp"]})), extension),
        ("empty crit", signed(json!({"crit": []})), extension),
        ("crit null", signed(json!({"crit": null})), extension),
        ("unencoded payload", signed(json!({"b64": false, "crit": ["b64"]})), extension),
        ("logout token", signed(json!({"typ": "logout+jwt"})), purpose),
        ("proof of possession", signed(json!({"typ": "dpop+jwt"})), purpose),
        ("header of no JSON", rsa.with_texts("alg=RS256", &text), damaged),
        (
            "header is a list",
            signer::token(r#"["RS256","r1"]"#, &text, |m| rsa.private.sign("RS256", m)),
            damaged,
        ),
        ("four parts", format!("{good}.x"), damaged),
        ("five parts, as if encrypted", format!("{good}.x.y"), damaged),
        ("two parts", format!("{}.{}", parts[0], parts[1]), damaged),
        ("header padded", format!("{}=.{}.{}", parts[0], parts[1], parts[2]), damaged),
        ("blank in between", good.replacen('.', ". ", 1), stranger),
        ("one part", parts[0].to_owned(), stranger),
        ("claims of no JSON", rsa.with_texts(&head(json!({})).to_string(), "x"), stranger),
        ("claims are a list", rsa.with_texts(&head(json!({})).to_string(), "[1]"), stranger),
        ("oversized claims", rsa.token("RS256", &with(claims(), json!({"x": "y".repeat(12_300)}))), stranger),
    ];
    assert!(cases.len() >= 40, "{}", cases.len());
    for (name, token, reason) in cases {
        assert_eq!(verified(&issuers, &token, start()).await, Err((INVALID, reason)), "{name}");
    }
}

/// Signed as they should be, and still not for us or not for now.
#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let (issuers, rsa, _) = issuer();
    let now = start().timestamp();
    let expired = TokenRefused::Expired;
    let purpose = "the token's aud does not name this service";
    let cases = [
        ("expired", json!({"exp": now - 30}), expired, "the token has expired"),
        ("expired long ago", json!({"exp": 0}), expired, "the token has expired"),
        ("expired before it began", json!({"exp": -1e300}), expired, "the token has expired"),
        ("no exp", json!({"exp": "-"}), INVALID, "the token has no exp"),
        (
            "exp as a text",
            json!({"exp": (now + 600).to_string()}),
            INVALID,
            "the token's exp is not a valid time",
        ),
        ("exp null", json!({"exp": null}), INVALID, "the token's exp is not a valid time"),
        ("exp as a list", json!({"exp": [now + 600]}), INVALID, "the token's exp is not a valid time"),
        ("not yet valid", json!({"nbf": now + 31}), INVALID, "the token's nbf is in the future"),
        ("nbf as a text", json!({"nbf": "soon"}), INVALID, "the token's nbf is not a valid time"),
        ("made in the future", json!({"iat": now + 31}), INVALID, "the token's iat is in the future"),
        ("iat as a text", json!({"iat": "now"}), INVALID, "the token's iat is not a valid time"),
        ("another audience", json!({"aud": "https://other.example.org"}), INVALID, purpose),
        ("audience with a slash more", json!({"aud": format!("{AUDIENCE}/")}), INVALID, purpose),
        ("audience in capitals", json!({"aud": AUDIENCE.to_uppercase()}), INVALID, purpose),
        ("other audiences", json!({"aud": ["a", "b"]}), INVALID, purpose),
        ("no audiences", json!({"aud": []}), INVALID, purpose),
        ("audience of no text", json!({"aud": {"a": AUDIENCE}}), INVALID, purpose),
        ("no audience", json!({"aud": "-"}), INVALID, "the token has no aud"),
        ("expired and for others", json!({"exp": 0, "aud": "x"}), INVALID, purpose),
        ("another issuer", json!({"iss": "https://login.example.org"}), INVALID, "not of this issuer"),
        ("issuer as a list", json!({"iss": [ISS]}), INVALID, "not of this issuer"),
        ("no issuer", json!({"iss": "-"}), INVALID, "not of this issuer"),
    ];
    for (name, changes, told, reason) in cases {
        let token = rsa.token("RS256", &with(claims(), changes));
        assert_eq!(verified(&issuers, &token, start()).await, Err((told, reason)), "{name}");
    }
    for (name, changes) in [
        ("expired within the leeway", json!({"exp": now - 29})),
        ("begins within the leeway", json!({"nbf": now + 30, "iat": now + 30})),
        ("fractions", json!({"exp": now as f64 + 0.5, "iat": now as f64 - 0.5})),
        ("no nbf, no iat", json!({"nbf": "-", "iat": "-"})),
        ("one audience of several", json!({"aud": ["x", AUDIENCE]})),
    ] {
        let token = rsa.token("RS256", &with(claims(), changes));
        assert!(verified(&issuers, &token, start()).await.is_ok(), "{name}");
    }
    for typ in ["jwt", "at+jwt", "application/at+JWT"] {
        let head = json!({"alg": "RS256", "kid": "r1", "typ": typ});
        assert!(verified(&issuers, &rsa.with_head(&head, &claims()), start()).await.is_ok(), "{typ}");
    }
}

/// Of two claims of one name the last counts for every reader here, so that none can be shown another.
#[tokio::test]
async fn a_repeated_issuer_is_no_issuer() {
    let (issuers, rsa, _) = issuer();
    let text = claims().to_string();
    let twice = format!(r#"{{"iss":"x",{}"#, text.trim_start_matches('{'));
    let token = rsa.with_texts(r#"{"alg":"RS256","kid":"r1"}"#, &twice);
    assert_eq!(verified(&issuers, &token, start()).await, Err((INVALID, "not of this issuer")));
}
