//! The published search operations: what reaches the search, and what its documents look like.

use crate::world::{Answer, World, user_as};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_testkit::build;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const PREFIXES: [&str; 5] = ["/v3/search", "/v2024/search", "/v2025/search", "/v2026/search", "/search/v1"];

async fn search(world: &World, query: &str, body: &Value) -> Answer {
    world.ask_as_user(&format!("POST /v3/search{query}"), &body.to_string()).await
}

fn everything() -> Value {
    json!({"query": {"query": "*"}})
}

#[tokio::test]
async fn the_operations_answer_alike_in_every_version() {
    let world = World::new().await;
    for prefix in PREFIXES {
        let body = everything().to_string();
        let answer = world.ask_as_user(&format!("POST {prefix}"), &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-total-count")), (200, ""), "{prefix}");
        let answer = world.ask_as_user(&format!("POST {prefix}/?count=true"), &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-total-count")), (200, "7"), "{prefix}");
        let answer = world.ask_as_user(&format!("POST {prefix}/count"), &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-total-count")), (204, "7"), "{prefix}");
        assert!(answer.body.is_empty());
        let answer = world.ask_as_user(&format!("GET {prefix}/identities/i1"), "").await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"id": "i1", "name": "ann"})));
        let answer = world.ask_as_user(&format!("GET {prefix}/identities/i2"), "").await;
        assert_eq!(answer.status, 404, "{prefix}");
        assert_eq!(answer.cause(), "there is no document \"i2\" in \"identities\"");
        let answer = world.ask_as_user(&format!("GET {prefix}/*/i1"), "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.cause().as_str()),
            (400, "index is \"*\": expected the name of one index")
        );
    }
}

/// The fields that the published examples of search results have, in addition to those of the document.
#[tokio::test]
async fn documents_say_what_they_are() {
    let world = World::new().await;
    let documents = search(&world, "", &everything()).await.json();
    let person = &documents[0];
    assert_eq!((&person["id"], &person["name"]), (&json!("i1"), &json!("ann")));
    for (name, expected) in [
        ("_type", "identity"),
        ("type", "identity"),
        ("_version", "v2"),
        ("org", "acme-org"),
        ("pod", "pod-1"),
    ] {
        assert_eq!(person[name], expected, "{name}");
    }
    // The type of an event is one of its own fields.
    assert_eq!((&documents[1]["_type"], &documents[1]["type"]), (&json!("event"), &json!("AUTH")));
}

#[tokio::test]
async fn the_search_gets_what_was_asked() {
    let world = World::new().await;
    let body = json!({
        "indices": ["identities", "roles"], "query": {"query": "name:a*"}, "sort": ["-name", "id"],
        "searchAfter": ["ann", null], "includeNested": false,
        "queryResultFilter": {"includes": ["name"], "excludes": ["source.id"]},
    });
    let found = &search(&world, "?limit=10&offset=0&count=TRUE", &body).await.json()[0];
    assert_eq!(
        found["search"],
        r#"DocumentSearch { query: "name:a*", indices: ["identities", "roles"], sort: ["-name", "id"] }"#
    );
    assert_eq!(
        found["page"],
        "DocumentPage { offset: 0, limit: 10, after: [Some(\"ann\"), None], counted: true, fields: ShownFields { \
         includes: [\"name\"], excludes: [\"source.id\"], nested: false } }"
    );
    let found = &search(&world, "", &everything()).await.json()[0];
    assert_eq!(
        found["page"],
        "DocumentPage { offset: 0, limit: 250, after: [], counted: false, fields: ShownFields { includes: [], \
         excludes: [], nested: true } }"
    );
    let found = &search(&world, "?limit=0&offset=10000", &everything()).await.json()[0];
    assert!(found["page"].as_str().unwrap().starts_with("DocumentPage { offset: 10000, limit: 0,"));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let query = |change: Value| {
        let mut body = everything();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (parameters, body, expected) in [
        ("?limit=251", everything(), "limit is 251: expected at most 250"),
        ("?limit=x", everything(), "limit is \"x\": expected a whole number from 0 up"),
        ("?offset=-1", everything(), "offset is \"-1\": expected a whole number from 0 up"),
        ("?offset=9900", everything(), "offset is 9900 and limit is 250: expected a sum of at most 10000"),
        ("?count=yes", everything(), "count is \"yes\": expected true or false"),
        ("", json!({}), "query is missing"),
        ("", query(json!({"queryType": "TYPEAHEAD"})), "queryType is \"TYPEAHEAD\": expected SAILPOINT"),
        ("", query(json!({"filters": {"name": {"type": "EXISTS"}}})), "filters is not supported"),
        ("", query(json!({"searchAfter": ["x"]})), "searchAfter has 1 values and sort has 0 fields"),
        (
            "?offset=1",
            query(json!({"sort": ["id"], "searchAfter": ["x"]})),
            "offset is 1 and there is searchAfter",
        ),
        ("", query(json!({"sort": vec!["name"; 33]})), "sort has 33 items: expected at most 32"),
        ("", query(json!({"query": {"query": "("}})), "column 2: found the end of the query"),
    ] {
        let answer = search(&world, parameters, &body).await;
        assert_eq!(answer.status, 400, "{parameters} {body}");
        assert!(answer.cause().starts_with(expected), "{}", answer.cause());
        assert_eq!(answer.json()["detailCode"], "400.1 Bad Request Content");
    }
    assert_eq!(world.ask_as_user("POST /v3/search", "").await.status, 400);
    let counted = world.ask_as_user("POST /v3/search/count", r#"{"queryType":"DSL"}"#).await;
    assert!(counted.cause().starts_with("queryType is"));
}

#[tokio::test]
async fn a_search_that_has_no_place_can_be_repeated() {
    let world = World::new().await;
    world.maker.refuses.store(true, Ordering::SeqCst);
    let answer = search(&world, "", &everything()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"));
}

#[tokio::test]
async fn a_limited_caller_searches_its_own_sources() {
    let world = World::new().await;
    let limited = Caller {
        data_scope: DataScope::of_sources(["s1"]).unwrap(),
        ..Caller {
            client: user_as("limited").client,
            ..build::user_with(Scope::SearchRead, UserLevel::SourceAdmin)
        }
    };
    let unnamed =
        Caller { client: user_as("unnamed").client, data_scope: DataScope::Everything, ..limited.clone() };
    let ask = async |caller: &Caller, line: &str| {
        let bearer = world.bearer(caller);
        world.ask(line, &[("authorization", bearer.as_str())], everything().to_string()).await
    };
    for caller in [&limited, &unnamed] {
        world.credential(caller.clone(), true).await;
    }
    assert_eq!(ask(&limited, "POST /v3/search").await.json()[0]["scope"], "sources s1");
    for line in ["POST /v3/search", "POST /v3/search/count", "GET /v3/search/identities/i1"] {
        let refused = ask(&unnamed, line).await;
        assert_eq!(refused.status, 403, "{line}");
        assert!(refused.cause().starts_with("the caller may see rows of named sources only"), "{line}");
    }
    let refusals = world.store.recorded(AuditOperation::Refused);
    let details: Vec<_> = refusals.iter().map(|event| event.details.split(':').next().unwrap()).collect();
    assert_eq!(details, ["search", "count_search"]);
}
