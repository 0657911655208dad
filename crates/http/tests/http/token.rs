//! The token endpoint.

use crate::world::{Answer, SECRET, World, user_as};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_testkit::build;
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const ID: &str = "client-of-ada";

async fn ask(world: &World, query: &str, content_type: &str, authorization: &str, body: &str) -> Answer {
    let mut headers = Vec::new();
    if !content_type.is_empty() {
        headers.push(("content-type", content_type));
    }
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    world.ask(&format!("POST /oauth/token{query}"), &headers, body.to_owned()).await
}

/// A multipart body whose part names are written as `quote` has it.
fn multipart(boundary: &str, quote: &str) -> String {
    [("grant_type", "client_credentials"), ("client_id", ID), ("client_secret", SECRET)]
        .map(|(name, value)| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name={quote}{name}{quote}\r\n\r\n{value}\r\n"
            )
        })
        .concat()
        + &format!("--{boundary}--\r\n")
}

#[tokio::test]
async fn every_encoding_that_clients_use_gets_a_token() {
    let world = World::new().await;
    let form = format!("grant_type=client_credentials&client_id={ID}&client_secret={SECRET}");
    let upper = form.replace("client_credentials", "CLIENT_CREDENTIALS");
    let credentials = format!("client_id={ID}&client_secret={SECRET}");
    let basic = format!("Basic {}", BASE64.encode(format!("{ID}:{SECRET}")));
    let encoded = format!("basic {}", BASE64.encode(format!("client%2Dof%2Dada:{SECRET}")));
    let grant = "?grant_type=client_credentials";
    let mixed = "grant_type=client_credentials&client_id=client-of-ada";
    let cases: [(&str, &str, &str, &str, &str); 13] = [
        ("urlencoded", "", FORM, "", &form),
        ("urlencoded with charset", "", "application/x-www-form-urlencoded; charset=utf-8", "", &form),
        ("grant in capitals", "", FORM, "", &upper),
        ("no content type", "", "", "", &form),
        ("multipart", "", "multipart/form-data; boundary=abc", "", &multipart("abc", "\"")),
        ("names unquoted", "", "multipart/form-data; boundary=abc", "", &multipart("abc", "")),
        ("boundary quoted", "", "multipart/form-data; boundary=\"a b\"", "", &multipart("a b", "")),
        (".NET", "", "multipart/form-data; boundary=\"6f1a-77\"", "", &multipart("6f1a-77", "")),
        ("grant in the query", grant, FORM, "", &credentials),
        ("basic", "", FORM, &basic, "grant_type=client_credentials"),
        ("basic, encoded, grant in the query", grant, "", &encoded, ""),
        ("basic with the same id", "", FORM, &basic, mixed),
        ("an old token along", "", FORM, "Bearer old", &form),
    ];
    for (name, query, content_type, authorization, body) in cases {
        let answer = ask(&world, query, content_type, authorization, body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        let used = world.ask("GET /v3/reports/x/result", &[("authorization", &bearer)], "").await;
        assert_eq!(used.status, 200, "{name}");
    }
}

#[tokio::test]
async fn the_answer_has_every_published_field() {
    let world = World::new().await;
    let body = format!("grant_type=client_credentials&client_id={ID}&client_secret={SECRET}");
    let answer = ask(&world, "", FORM, "", &body).await;
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let mut json = answer.json();
    let token = json["access_token"].take();
    assert_eq!(token.as_str().unwrap().split('.').count(), 3, "a JWT");
    assert_eq!(json["jti"].take().as_str().map(str::len), Some(32));
    assert_eq!(
        json,
        json!({
            "access_token": null,
            "token_type": "bearer",
            "expires_in": 43200,
            "scope": "sp:scopes:all",
            "tenant_id": "acme",
            "org": "acme-org",
            "pod": "pod-1",
            "identity_id": "1d3f0000000000000000000000000001",
            "user_name": "ada.lovelace",
            "strong_auth": false,
            "strong_auth_supported": false,
            "jti": null,
        })
    );
    let body = body.replace(ID, "client-of-a-job");
    let application = ask(&world, "", FORM, "", &body).await.json();
    assert_eq!((&application["identity_id"], &application["user_name"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn refusals_follow_rfc_6749() {
    let world = World::new().await;
    world.credential(user_as("disabled"), false).await;
    let grant = "grant_type=client_credentials";
    let both = format!("{grant}&client_id={ID}&client_secret={SECRET}");
    let basic = format!("Basic {}", BASE64.encode(format!("{ID}:{SECRET}")));
    let wrong = format!("Basic {}", BASE64.encode(format!("{ID}:wrong")));
    let longer = format!("Basic {}", BASE64.encode(format!("{ID}:{SECRET}&x=y")));
    let secret_in_query = format!("?{both}");
    let cases: [(&str, &str, &str, &str, u16, &str); 20] = [
        ("", FORM, "", "", 400, "invalid_request"),
        ("", FORM, "", "client_id=a&client_secret=b", 400, "invalid_request"),
        ("", FORM, "", grant, 400, "invalid_request"),
        ("", FORM, "", "grant_type=client_credentials&client_id=a", 400, "invalid_request"),
        ("", FORM, "", "grant_type=client_credentials&client_id=&client_secret=b", 400, "invalid_request"),
        ("", FORM, "", &format!("{both}&client_id={ID}"), 400, "invalid_request"),
        ("", FORM, "", &both.replace("client_cred", "pass"), 400, "unsupported_grant_type"),
        ("", "application/json", "", "{}", 400, "invalid_request"),
        ("", "multipart/form-data", "", "x", 400, "invalid_request"),
        ("", "multipart/form-data; boundary=x", "", "--x\r\nContent-", 400, "invalid_request"),
        ("", FORM, &basic, &both, 400, "invalid_request"),
        ("", FORM, "Basic ?", grant, 400, "invalid_request"),
        (&secret_in_query, "", "", "", 400, "invalid_request"),
        ("", FORM, "", &both.replace(SECRET, "wrong"), 401, "invalid_client"),
        ("", FORM, "", &both.replace(ID, "nobody"), 401, "invalid_client"),
        ("", FORM, "", &both.replace(ID, "disabled"), 401, "invalid_client"),
        ("", FORM, &wrong, grant, 401, "invalid_client"),
        ("", FORM, &longer, grant, 401, "invalid_client"),
        ("", FORM, "", &format!("{both}&scope=everything"), 400, "invalid_scope"),
        ("", FORM, "", &format!("{both}&scope=%22a%5C%C3%A9"), 400, "invalid_scope"),
    ];
    for (query, content_type, authorization, body, status, error) in cases {
        let answer = ask(&world, query, content_type, authorization, body).await;
        let json = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &json["error"]),
            (status, &json!(error)),
            "{query} {body}: {json}"
        );
        // Section 5.2 names the characters.
        let permitted = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        assert!(json["error_description"].as_str().is_some_and(|text| text.chars().all(permitted)), "{json}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let challenge = if status == 401 { "Basic realm=\"oauth\"" } else { "" };
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert!(!answer.text().contains(SECRET));
    }
}

#[tokio::test]
async fn credentials_in_the_query_are_taken_where_a_setting_allows_them() {
    let world = World::with(|settings| settings.allow_credentials_in_query = true).await;
    let query = format!("?grant_type=client_credentials&client_id={ID}&client_secret={SECRET}");
    assert_eq!(ask(&world, &query, "", "", "").await.status, 200);
}

#[tokio::test]
async fn fewer_scopes_may_be_asked_for_and_more_may_not() {
    let world = World::new().await;
    let mut reader = user_as("reader");
    reader.scopes = vec![muster_reports::caller::Scope::ReportRead];
    world.credential(reader, true).await;
    for (client, scope, status, granted) in [
        (ID, "sp:report:read", 200, "sp:report:read"),
        (ID, "sp:report:read sp:report:manage", 200, "sp:report:read sp:report:manage"),
        (ID, "sp:scopes:default", 200, "sp:scopes:all"),
        ("reader", "sp:scopes:default sp:report:read", 200, "sp:report:read"),
        // Scopes of other services are passed over, and never make a token that has more than was asked for.
        (ID, "idn:accounts:read sp:report:read openid", 200, "sp:report:read"),
        (ID, "idn:accounts:read openid", 400, ""),
        ("reader", "", 200, "sp:report:read"),
        ("reader", "sp:report:manage", 400, ""),
        ("reader", "sp:scopes:all", 400, ""),
    ] {
        let body =
            format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}&scope={scope}");
        let answer = ask(&world, "", FORM, "", &body).await;
        assert_eq!(answer.status, status, "{client} {scope}");
        if status == 200 {
            assert_eq!(answer.json()["scope"], granted);
        }
    }
}

#[tokio::test]
async fn a_credential_may_have_a_lifetime_of_its_own() {
    let world = World::new().await;
    let short = user_as("short");
    world.credential_holding(short, true, Some(60)).await;
    let body = format!("grant_type=client_credentials&client_id=short&client_secret={SECRET}");
    let answer = ask(&world, "", FORM, "", &body).await.json();
    assert_eq!(answer["expires_in"], 60);
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    for (seconds, status) in [(59, 200), (1, 401)] {
        world.clock.advance(chrono::TimeDelta::seconds(seconds));
        let used = world.ask("GET /v3/reports/x/result", &[("authorization", &bearer)], "").await;
        assert_eq!(used.status, status);
    }
}

#[tokio::test]
async fn a_compressed_request_is_refused() {
    let world = World::new().await;
    let body = format!("grant_type=client_credentials&client_id={ID}&client_secret={SECRET}");
    for (coding, status) in
        [("gzip", 415), ("identity, br", 415), ("identity", 200), ("Identity", 200), ("", 200)]
    {
        let headers = [("content-type", FORM), ("content-encoding", coding)];
        let answer = world.ask("POST /oauth/token", &headers, body.clone()).await;
        assert_eq!(answer.status, status, "{coding}");
    }
}

/// Wrong secrets in somebody's name do not keep that client out.
#[tokio::test]
async fn the_endpoint_has_a_limit_of_its_own() {
    let world = World::with(|settings| settings.token_rate_limit.requests = 2).await;
    let good = format!("grant_type=client_credentials&client_id={ID}&client_secret={SECRET}");
    let bad = good.replace(SECRET, "wrong");
    for (body, status) in [(&bad, 401), (&bad, 401), (&bad, 429), (&good, 200), (&good, 200), (&good, 429)] {
        let answer = ask(&world, "", FORM, "", body).await;
        assert_eq!(answer.status, status);
        if status == 429 {
            assert_eq!(answer.header("retry-after"), "10");
        }
    }
    let bearer = world.bearer(&build::user());
    let used = world.ask("GET /v3/reports/x/result", &[("authorization", &bearer)], "").await;
    assert_eq!(used.status, 200, "the limits of the report routes are apart");
}
