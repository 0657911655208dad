//! Requests that nobody sends in good faith: no answer is a fault of the service.

use crate::world::{Answer, World, path_of};
use axum::http::StatusCode;
use muster_http::route_table;
use muster_testkit::build;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

async fn patient() -> World {
    World::with(|settings| {
        settings.rate_limit.requests = usize::MAX;
        settings.tenant_rate_limit.requests = usize::MAX;
        settings.token_rate_limit.requests = usize::MAX;
    })
    .await
}

async fn run_with(world: &World, body: String) -> Answer {
    world.ask_as_user("POST /v3/reports/run", &body).await
}

#[tokio::test]
async fn deep_json_is_refused_and_not_followed() {
    let world = World::new().await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [100, 127, 128, 10_000, 100_000] {
            let inner = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let body = format!(r#"{{"reportType":"IDENTITIES","arguments":{{"x":{inner}}}}}"#);
            let answer = run_with(&world, body).await;
            // A hundred levels are foreign and ignored; past 127, arguments and body included, nothing is read.
            let expected = if depth == 100 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            assert_eq!(answer.status, expected, "{open} {depth}");
        }
    }
}

#[tokio::test]
async fn heads_have_a_size() {
    let world = World::new().await;
    let bearer = world.bearer(&build::user());
    let auth = ("authorization", bearer.as_str());
    let path = "/v3/reports/x/result?a=";
    let fits = format!("GET {path}{}", "b".repeat(8_192 - path.len()));
    assert_eq!(world.ask(&fits, &[auth], "").await.status, 200);
    let answer = world.ask(&format!("{fits}b"), &[auth], "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["detailCode"]), (414, &json!("414 URI Too Long")));
    let room = 32_768 - "authorization".len() - bearer.len() - "x-padding".len() - "hostlocalhost".len();
    let padding = "p".repeat(room + 1);
    let line = "GET /v3/reports/x/result";
    assert_eq!(world.ask(line, &[auth, ("x-padding", &padding[1..])], "").await.status, 200);
    let answer = world.ask(line, &[auth, ("x-padding", &padding)], "").await;
    assert_eq!(answer.status, 431);
    assert_eq!(answer.json()["trackingId"].as_str().map(str::len), Some(32));
    // A token that is too large is refused unread.
    let token = format!("Bearer {}", "x".repeat(16 * 1024 + 1));
    assert_eq!(world.ask(line, &[("authorization", &token)], "").await.status, 401);
}

#[tokio::test]
async fn long_client_ids_are_not_remembered() {
    let world = World::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("grant_type=client_credentials&client_secret=s&client_id={}", "c".repeat(257));
    let answer = world.ask("POST /oauth/token", &form, body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
}

/// JSON of any shape, with the names that are read among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(build::SOURCE)),
        prop_oneof!["ACCOUNTS", "IDENTITIES", "ORPHAN_IDENTITIES", "SEARCH_EXPORT", "CSV"]
            .prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop_oneof![
            "reportType",
            "arguments",
            "application",
            "sourceName",
            "selectedFormats",
            "query",
            "since"
        ],
        any::<String>(),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let start = |kind: &str, arguments: Value| json!({"reportType": kind, "arguments": arguments});
    prop_oneof![
        vec(any::<u8>(), 0..300),
        any_json().prop_map(|json| json.to_string().into_bytes()),
        (prop_oneof!["ACCOUNTS", "SEARCH_EXPORT", "UNCORRELATED_ACCOUNTS", "X"], any_json())
            .prop_map(move |(kind, arguments)| start(&kind, arguments).to_string().into_bytes()),
        ("[a-z_]{0,12}=[ -~]{0,30}(&(grant_type|client_id|client_secret|scope)=[ -~]{0,20}){0,4}")
            .prop_map(String::into_bytes),
    ]
}

/// Names that are read, with values of any bytes that a header can have.
fn any_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        "content-type",
        "accept",
        "range",
        "if-range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "content-length",
        "transfer-encoding",
        "host",
        "expect",
        "authorization",
        "[a-z-]{1,20}",
    ];
    let byte = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    let value = prop_oneof![
        vec(byte, 0..60),
        "bytes=[0-9]{0,25}-[0-9]{0,25}(,[0-9]{0,3}-[0-9]{0,3})?".prop_map(String::into_bytes),
        "(multipart/form-data; boundary=[ -~]{0,80}|application/(json|x-www-form-urlencoded))"
            .prop_map(String::into_bytes),
        "(Bearer|Basic) [A-Za-z0-9+/=._-]{0,80}".prop_map(String::into_bytes),
    ];
    vec((name, value), 0..6)
}

#[derive(Debug, Clone)]
struct Hostile {
    route: usize,
    method: String,
    id: Vec<u8>,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Whether a token of a user with every right comes along.
    known: bool,
}

fn any_request(routes: usize) -> impl Strategy<Value = Hostile> {
    let query = prop_oneof![
        "([a-zA-Z]{1,8}=[A-Za-z0-9%+&=;._~!$'()*,:@/?-]{0,40}&?){0,4}",
        "(fileFormat|name|auditable|completed)=(%[0-9a-fA-F]{2}|[a-z]){0,20}",
        vec(any::<u8>(), 0..40).prop_map(|bytes| percent_encode(&bytes, NON_ALPHANUMERIC).to_string()),
    ];
    let method =
        prop_oneof![4 => "", 1 => "GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS|TRACE|CONNECT|[A-Z]{1,10}"];
    let known = proptest::bool::weighted(0.8);
    (0..routes, method, vec(any::<u8>(), 1..40), query, any_headers(), any_body(), known).prop_map(
        |(route, method, id, query, headers, body, known)| Hostile {
            route,
            method,
            id,
            query,
            headers,
            body,
            known,
        },
    )
}

/// Any bytes on any route: never a 5xx, a panic or a body that is not what its type says.
#[test]
fn no_request_is_a_fault_of_ours() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (world, finished) = runtime.block_on(async {
        let world = patient().await;
        let finished = world.finished(b"a,b\n1,2\n").await;
        (world, finished)
    });
    let table = route_table();
    let bearer = world.bearer(&build::user());
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&any_request(table.len()), |hostile| {
            let route = &table[hostile.route];
            let method = if hostile.method.is_empty() { route.method } else { &hostile.method };
            // Now and then the id of a file that is there.
            let id = match hostile.id.len() % 3 {
                0 => finished.clone(),
                _ => percent_encode(&hostile.id, NON_ALPHANUMERIC).to_string(),
            };
            let line = format!("{method} {}?{}", path_of(route, &id), hostile.query);
            let mut request = axum::http::Request::builder().method(method).uri(&line[method.len() + 1..]);
            // Without one host nothing else of the request is looked at.
            request = request.header("host", "localhost");
            if hostile.known {
                request = request.header("authorization", &bearer);
            }
            for (name, value) in &hostile.headers {
                if !(hostile.known && name == "authorization") {
                    request = request.header(name.as_str(), value.as_slice());
                }
            }
            let Ok(request) = request.body(hostile.body.into()) else { return Ok(()) };
            let answer = runtime.block_on(world.send(request));
            prop_assert!(answer.status.as_u16() < 500, "{line}: {} {}", answer.status, answer.text());
            if answer.status.is_client_error() && method != "HEAD" {
                prop_assert_eq!(answer.header("content-type"), "application/json");
                prop_assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{}", line);
            }
            Ok(())
        })
        .unwrap();
}
