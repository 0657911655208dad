//! When keys are fetched, how long they are used, and which of a set can be used at all.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::time::Duration;

const UNKNOWN: &str = "the token's issuer has no key with its kid";
const NONE: &str = "the keys of the token's issuer are not available";

fn ed(kid: &str) -> TestKey {
    TestKey::new(kid, Private::ed())
}

fn token(key: &TestKey) -> String {
    // Long enough for every time here.
    key.token("EdDSA", &with(claims(), json!({"exp": start().timestamp() + 100_000})))
}

async fn reason(issuers: &ExternalIssuers, key: &TestKey, now: DateTime<Utc>) -> &'static str {
    verified(issuers, &token(key), now).await.err().map_or("", |(_, reason)| reason)
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_a_withdrawn_one_dies() {
    let (old, new) = (ed("k1"), ed("k2"));
    let published = Published::of(&[&old]);
    let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
    assert_eq!(reason(&issuers, &old, start()).await, "");
    published.publish(&[&old, &new]);
    assert_eq!(reason(&issuers, &new, after(30)).await, "", "fetched because k2 was not known");
    assert_eq!(reason(&issuers, &old, after(31)).await, "");
    assert_eq!(published.fetches(), 2);
    published.publish(&[&new]);
    assert_eq!(reason(&issuers, &old, after(329)).await, "", "not due yet");
    assert_eq!(published.fetches(), 2);
    assert_eq!(reason(&issuers, &old, after(630)).await, UNKNOWN, "due for long: waits for the fetch");
    assert_eq!(reason(&issuers, &new, after(630)).await, "");
    assert_eq!(published.fetches(), 3);
}

/// Due, but not for long: the request goes on with what is known while the fetch is under way.
#[tokio::test]
async fn nobody_waits_for_keys_that_are_only_due() {
    let key = ed("k1");
    let published = Published::of(&[&key]);
    let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
    assert_eq!(reason(&issuers, &key, start()).await, "");
    let closed = published.gate.lock().await;
    assert_eq!(reason(&issuers, &key, after(300)).await, "");
    assert_eq!(reason(&issuers, &key, after(301)).await, "");
    drop(closed);
    while published.fetches() < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn unknown_kids_cause_one_fetch_in_the_floor() {
    let (key, strange) = (ed("k1"), ed("k9"));
    let published = Published::of(&[&key]);
    let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
    for second in 0..30 {
        for _ in 0..20 {
            assert_eq!(reason(&issuers, &strange, after(second)).await, UNKNOWN);
        }
    }
    assert_eq!(published.fetches(), 1);
    assert_eq!(reason(&issuers, &strange, after(30)).await, UNKNOWN);
    assert_eq!(published.fetches(), 2);
    assert_eq!(reason(&issuers, &key, after(31)).await, "", "the issuer's own tokens go on");
}

#[tokio::test]
async fn many_at_once_share_one_fetch() {
    let key = ed("k1");
    let published = Published::of(&[&key]);
    let issuers = Arc::new(issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa])));
    let closed = published.gate.lock().await;
    let token = token(&key);
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (issuers, token) = (issuers.clone(), token.clone());
            tokio::spawn(async move { verified(&issuers, &token, start()).await.is_ok() })
        })
        .collect();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    drop(closed);
    for asked in asking {
        assert!(asked.await.unwrap());
    }
    assert_eq!(published.fetches(), 1);
}

/// Whoever hangs up while keys are fetched neither stops the fetch nor makes room for another.
#[tokio::test]
async fn a_fetch_goes_on_without_the_one_who_asked() {
    let key = ed("k1");
    let published = Published::of(&[&key]);
    let issuers = Arc::new(issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa])));
    let closed = published.gate.lock().await;
    let asking = tokio::spawn({
        let (issuers, token) = (issuers.clone(), token(&key));
        async move { verified(&issuers, &token, start()).await.is_ok() }
    });
    while published.fetches() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    drop(closed);
    assert_eq!(reason(&issuers, &key, after(1)).await, "");
    assert_eq!(published.fetches(), 1);
}

#[tokio::test]
async fn an_unreachable_set_leaves_the_last_keys_for_an_hour() {
    let key = ed("k1");
    let published = Published::of(&[&key]);
    let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
    assert_eq!(reason(&issuers, &key, start()).await, "");
    published.go_away();
    for second in (300..3600).step_by(100) {
        assert_eq!(reason(&issuers, &key, after(second)).await, "", "after {second} s");
    }
    assert!(published.fetches() > 2);
    assert_eq!(reason(&issuers, &key, after(3_600)).await, NONE);
    published.publish(&[&key]);
    assert_eq!(reason(&issuers, &key, after(3_601)).await, NONE, "within the floor");
    assert_eq!(reason(&issuers, &key, after(3_700)).await, "");
}

#[tokio::test]
async fn a_set_that_does_not_arrive_in_time_is_given_up() {
    let key = ed("k1");
    let published = Published::of(&[&key]);
    let mut settings = settings(published.clone(), &[SignatureAlgorithm::EdDsa]);
    settings.key_times.timeout = Duration::from_millis(5);
    let issuers = issuers(settings);
    let closed = published.gate.lock().await;
    assert_eq!(reason(&issuers, &key, start()).await, NONE);
    drop(closed);
    assert_eq!(reason(&issuers, &key, after(30)).await, "");
}

#[tokio::test]
async fn a_damaged_set_is_as_good_as_none() {
    let key = ed("k1");
    let many: Vec<_> =
        (0..101).map(|number| with(key.jwk.clone(), json!({"kid": number.to_string()}))).collect();
    let padded = format!("{}{}", " ".repeat(KEY_SET_BYTES_MAX), json!({"keys": [key.jwk]}));
    for text in ["", "<html>", "{}", "[]", "{\"keys\": {}}", &json!({"keys": many}).to_string(), &padded] {
        let published = Published::of(&[&key]);
        let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
        published.text(text);
        assert_eq!(reason(&issuers, &key, start()).await, NONE);
        published.publish(&[&key]);
        assert_eq!(reason(&issuers, &key, after(30)).await, "");
        published.text(text);
        assert_eq!(reason(&issuers, &key, after(700)).await, "", "the last good one is kept");
    }
}

/// A key is used for what it was published for, and only with an algorithm of its type.
#[tokio::test]
async fn keys_for_other_uses_are_left_out() {
    let key = ed("k1");
    for (name, changes, reason_of_refusal) in [
        ("plain", json!({"use": "-"}), ""),
        ("to verify", json!({"use": "-", "key_ops": ["verify"]}), ""),
        ("of its algorithm", json!({"alg": "EdDSA"}), ""),
        ("with a certificate", json!({"x5c": ["MIIB"], "x5t": "x"}), ""),
        ("to encrypt", json!({"use": "enc"}), UNKNOWN),
        ("to derive", json!({"use": "-", "key_ops": ["deriveKey"]}), UNKNOWN),
        ("of another algorithm", json!({"alg": "ES256"}), UNKNOWN),
        ("of a symmetric algorithm", json!({"alg": "HS256"}), UNKNOWN),
        ("of an unknown algorithm", json!({"alg": "XYZ"}), UNKNOWN),
        ("of another curve", json!({"crv": "X25519"}), UNKNOWN),
        ("of another type", json!({"kty": "oct", "k": "c2VjcmV0"}), UNKNOWN),
        ("of an unknown type", json!({"kty": "AKP"}), UNKNOWN),
        ("without its point", json!({"x": "-"}), UNKNOWN),
        ("of no base64", json!({"x": "***"}), UNKNOWN),
        ("too short", json!({"x": "AAAA"}), "the token's signature is not valid"),
        ("without a kid", json!({"kid": "-"}), UNKNOWN),
    ] {
        let published = Published::default();
        published.text(&json!({"keys": [with(key.jwk.clone(), changes)]}).to_string());
        let issuers = issuers(settings(Arc::new(published), &[SignatureAlgorithm::EdDsa]));
        assert_eq!(reason(&issuers, &key, start()).await, reason_of_refusal, "{name}");
    }
}

#[tokio::test]
async fn small_rsa_keys_are_no_keys() {
    let rsa = TestKey::new("r1", Private::rsa());
    let n = BASE64.decode(rsa.jwk["n"].as_str().unwrap()).unwrap();
    let small = with(rsa.jwk.clone(), json!({"n": BASE64.encode(&n[..128])}));
    let published = Published::default();
    published.text(&json!({"keys": [small]}).to_string());
    let issuers = issuers(settings(Arc::new(published), &[SignatureAlgorithm::Rs256]));
    let token = rsa.token("RS256", &claims());
    let refused = verified(&issuers, &token, start()).await.unwrap_err();
    assert_eq!(refused, (TokenRefused::Invalid, UNKNOWN));
}

#[tokio::test]
async fn a_token_without_a_kid_needs_an_issuer_with_one_key() {
    let (one, two) = (ed("k1"), ed("k2"));
    let published = Published::of(&[&one]);
    let issuers = issuers(settings(published.clone(), &[SignatureAlgorithm::EdDsa]));
    let token = one.with_head(&json!({"alg": "EdDSA"}), &claims());
    assert!(verified(&issuers, &token, start()).await.is_ok());
    published.publish(&[&one, &two]);
    let several = "the token has no kid, and its issuer has several keys";
    assert_eq!(
        verified(&issuers, &token, after(620)).await,
        Err((TokenRefused::Invalid, several)),
        "the newer set is waited for"
    );
    published.publish(&[&one, &TestKey::new("k1", Private::ed())]);
    let named = one.token("EdDSA", &with(claims(), json!({"exp": start().timestamp() + 9_999})));
    assert_eq!(
        verified(&issuers, &named, after(1_300)).await,
        Err((TokenRefused::Invalid, "several keys have the token's kid"))
    );
}
