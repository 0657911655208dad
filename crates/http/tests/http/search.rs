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
        r#"DocumentSearch { query: "name:a*", indices: ["identities", "roles"], sort: ["-name", "id"], fields: [], filters: {} }"#
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
    let whole = search(&world, "?limit=10000", &everything()).await;
    assert!(whole.json()[0]["page"].as_str().unwrap().contains("limit: 10000,"));
    let found = &search(&world, "?limit=0&offset=10000", &everything()).await.json()[0];
    assert!(found["page"].as_str().unwrap().starts_with("DocumentPage { offset: 10000, limit: 0,"));
}

/// Filters are clauses of the query that is searched for.
#[tokio::test]
async fn filters_and_fields_reach_the_search() {
    let world = World::new().await;
    let body = json!({
        "query": {"query": "john doe", "fields": ["name"]},
        "filters": {"created": {"type": "EXISTS", "exclude": true}},
    });
    let found = &search(&world, "", &body).await.json()[0];
    assert_eq!(
        found["search"],
        r#"DocumentSearch { query: "(john doe) AND NOT _exists_:created", indices: [], sort: [], fields: ["name"], filters: {} }"#
    );
}

#[tokio::test]
async fn what_is_typed_finds_values() {
    let world = World::new().await;
    let body = json!({
        "indices": ["identities"], "queryType": "TYPEAHEAD",
        "typeAheadQuery": {"query": "Work", "field": "source.name", "nestedType": "access", "size": 5},
    });
    let answer = search(&world, "", &body).await;
    assert_eq!(answer.status, 200);
    let texts = answer.json();
    assert!(
        texts[0].as_str().unwrap().starts_with(r#"DocumentSearch { query: "*", indices: ["identities"]"#)
    );
    assert_eq!(
        texts[1],
        r#"TypeAhead { text: "Work", field: "source.name", nested: Some("access"), size: 5, by_value: false, ascending: false }"#
    );
    let counted = world.ask_as_user("POST /v3/search/count", &body.to_string()).await;
    assert_eq!(counted.status, 400);
}

#[tokio::test]
async fn aggregations_answer_in_both_forms() {
    let world = World::new().await;
    let body = json!({
        "aggregationType": "SAILPOINT",
        "aggregations": {"bucket": {"name": "Cities", "field": "attributes.city", "size": 3}},
    });
    for prefix in PREFIXES {
        let line = format!("POST {prefix}/aggregate?limit=1&count=true");
        let answer = world.ask_as_user(&line, &body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-total-count")), (200, "7"), "{prefix}");
        let answer = answer.json();
        let asked = r#"Buckets { field: "attributes.city", size: 3, objects_min: 1 }"#;
        assert_eq!(
            answer["aggregations"],
            json!({"Cities": {
                "doc_count_error_upper_bound": 0, "sum_other_doc_count": 4,
                "buckets": [{"key": asked, "doc_count": 3, "average": {"value": 1.5}, "nested": {"doc_count": 2}}],
            }})
        );
        let hit = &answer["hits"][0];
        assert_eq!((&hit["_type"], &hit["id"]), (&json!("identity"), &json!("i1")));
        // Without a query, everything is aggregated.
        assert!(hit["search"].as_str().unwrap().contains(r#"query: "*""#));
        assert!(hit["page"].as_str().unwrap().contains("limit: 1,"));
    }
    let bearer = world.bearer(&build::user());
    let ask = async |accept: &str, body: &Value| {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        world.ask("POST /v3/search/aggregate", &headers, body.to_string()).await
    };
    let csv = ask("text/csv; q=0.9", &body).await;
    assert_eq!((csv.status.as_u16(), csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(csv.text(), "a,b\r\n");
    let dsl = json!({"aggregationsDsl": {"Cities": {"terms": {"field": "attributes.city"}}}});
    for (accept, body) in [("text/csv, application/json", &body), ("*/*", &body), ("text/csv", &dsl)] {
        assert!(ask(accept, body).await.json()["aggregations"]["Cities"].is_object(), "{accept}");
    }
    for (line, body, expected) in [
        ("", json!({}), "aggregationsDsl is missing"),
        ("?limit=251", body.clone(), "limit is \"251\": expected a whole number from 0 to 250"),
        (
            "",
            json!({"aggregationsDsl": {"A": {"terms": {"field": "x"}}, " ": {"terms": {"field": "x"}}}}),
            "the name of an aggregation is \" \"",
        ),
        (
            "",
            json!({"queryType": "TYPEAHEAD", "aggregationsDsl": {"A": {"avg": {"field": "x"}}}}),
            "queryType is",
        ),
    ] {
        let refused = world.ask_as_user(&format!("POST /v3/search/aggregate{line}"), &body.to_string()).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.cause().starts_with(expected), "{}", refused.cause());
    }
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
        ("?limit=10001", everything(), "limit is 10001: expected at most 10000"),
        ("?limit=x", everything(), "limit is \"x\": expected a whole number from 0 up"),
        ("?offset=-1", everything(), "offset is \"-1\": expected a whole number from 0 up"),
        ("?offset=9900", everything(), "offset is 9900 and limit is 250: expected a sum of at most 10000"),
        ("?count=yes", everything(), "count is \"yes\": expected true or false"),
        ("", json!({}), "query is missing"),
        (
            "",
            query(json!({"queryType": "DSL"})),
            "queryType is \"DSL\": expected SAILPOINT, TEXT or TYPEAHEAD",
        ),
        ("", query(json!({"queryType": "TYPEAHEAD"})), "query is given and queryType is TYPEAHEAD"),
        (
            "",
            query(json!({"filters": {"name": {"type": "IS"}}})),
            "filters, field \"name\": unknown variant `IS`",
        ),
        (
            "",
            query(json!({"query": {"query": "("}, "filters": {"name": {"type": "EXISTS"}}})),
            "column 2: found the end of the query",
        ),
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
    let aggregate = r#"{"aggregationsDsl": {"A": {"value_count": {"field": "id"}}}}"#;
    let bearer = world.bearer(&unnamed);
    let refused =
        world.ask("POST /v3/search/aggregate", &[("authorization", bearer.as_str())], aggregate).await;
    assert_eq!(refused.status, 403);
    for line in ["POST /v3/search", "POST /v3/search/count", "GET /v3/search/identities/i1"] {
        let refused = ask(&unnamed, line).await;
        assert_eq!(refused.status, 403, "{line}");
        assert!(refused.cause().starts_with("the caller may see rows of named sources only"), "{line}");
    }
    let refusals = world.store.recorded(AuditOperation::Refused);
    let details: Vec<_> = refusals.iter().map(|event| event.details.split(':').next().unwrap()).collect();
    assert_eq!(details, ["aggregate_search", "search", "count_search"]);
}
