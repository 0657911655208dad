//! Saved searches over HTTP.

use crate::world::{Answer, World, user_as};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::notify::NotifyPolicy;
use muster_reports::ports::{Clock, TaskStore};
use muster_reports::service::Limits;
use muster_testkit::build;
use serde_json::{Value, json};

const PREFIXES: [&str; 5] = [
    "/v3/saved-searches",
    "/v2024/saved-searches",
    "/v2025/saved-searches",
    "/v2026/saved-searches",
    "/saved-searches/v1",
];

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

/// A user with an identity and a client of its own, who administers nothing.
pub fn person(id: &str, level: UserLevel) -> Caller {
    let user =
        UserIdentity { id: id.into(), name: format!("name of {id}"), levels: vec![level], audit: None };
    Caller { user: Some(user), ..user_as(&format!("client of {id}")) }
}

pub fn whole() -> Value {
    json!({
        "name": "Disabled accounts", "description": "Accounts that are disabled.",
        "indices": ["identities"], "query": "@accounts(disabled:true)",
        "columns": {"identity": [{"field": "displayName", "header": "Display Name"}, {"field": "email"}]},
        "fields": ["name"], "orderBy": {"identity": ["lastName", "-firstName"]}, "sort": ["displayName"],
        "filters": {"protected": {"type": "TERMS", "terms": ["true"], "exclude": true}},
    })
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_saved_search_is_kept_read_replaced_and_removed_in_every_version() {
    let world = World::new().await;
    let ada = build::user();
    let owner = ada.user.as_ref().unwrap().id.clone();
    for prefix in PREFIXES {
        let made = ask(&world, &ada, &format!("POST {prefix}"), &whole()).await;
        let path = format!("{prefix}/{}", id_of(&made));
        let mut expected = whole();
        let now = world.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        expected.as_object_mut().unwrap().extend(
            json!({
                "id": made.json()["id"], "owner": {"type": "IDENTITY", "id": owner}, "ownerId": owner,
                "public": false, "created": now, "modified": now,
            })
            .as_object()
            .unwrap()
            .clone(),
        );
        assert_eq!(made.json(), expected, "{prefix}");
        assert_eq!(ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.json(), expected);

        // A client sends back what it got, changed.
        world.clock.advance(TimeDelta::minutes(1));
        let mut changed = expected.clone();
        changed["name"] = json!("Renamed");
        changed.as_object_mut().unwrap().remove("filters");
        let put = ask(&world, &ada, &format!("PUT {path}"), &changed).await;
        assert_eq!(put.status, 200, "{}", put.text());
        let later = world.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        changed["modified"] = json!(later);
        assert_eq!(put.json(), changed);
        assert_eq!(ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.json(), changed);
        let stolen = json!({"indices": ["roles"], "query": "*", "ownerId": "mallory"});
        let refused = ask(&world, &ada, &format!("PUT {path}"), &stolen).await;
        assert_eq!(refused.status, 400);
        assert!(refused.cause().starts_with("owner is \"mallory\": expected"), "{}", refused.cause());

        assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), &Value::Null).await.status, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(ask(&world, &ada, &format!("{method} {path}"), &Value::Null).await.status, 404);
        }
    }
    let told: Vec<_> = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = told.iter().take(3).map(|event| event.details.split(':').next().unwrap()).collect();
    assert_eq!(told, ["saved search added", "saved search changed", "saved search removed"]);
}

#[tokio::test]
async fn one_sees_own_saved_searches_and_an_administrator_all() {
    let world = World::new().await;
    let (rosa, karl) = (person("rosa", UserLevel::User), person("karl", UserLevel::ReportAdmin));
    let limited = Caller {
        data_scope: DataScope::of_sources([build::SOURCE]).unwrap(),
        ..person("lise", UserLevel::OrgAdmin)
    };
    for caller in [&rosa, &karl, &limited] {
        world.credential(caller.clone(), true).await;
    }
    let mut ids = Vec::new();
    for number in 0..3 {
        let body = json!({"name": format!("search {number}"), "indices": ["*"], "query": "*"});
        ids.push(id_of(&ask(&world, &rosa, "POST /v3/saved-searches", &body).await));
        world.clock.advance(TimeDelta::minutes(1));
    }
    let karls = id_of(&ask(&world, &karl, "POST /v3/saved-searches", &whole()).await);
    let list = async |caller: &Caller, query: &str| {
        let answer =
            ask(&world, caller, &format!("GET /v3/saved-searches?count=true{query}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = answer.json();
        let found: Vec<_> =
            found.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        (found, answer.header("x-total-count").to_owned())
    };
    let all = [ids.as_slice(), std::slice::from_ref(&karls)].concat();
    let of_rosa = "&filters=owner.id%20eq%20%22rosa%22";
    assert_eq!(list(&rosa, "").await, (ids.clone(), "3".into()));
    assert_eq!(list(&rosa, "&offset=1&limit=1").await, (vec![ids[1].clone()], "3".into()));
    assert_eq!(list(&rosa, of_rosa).await, (ids.clone(), "3".into()));
    assert_eq!(list(&karl, "").await, (vec![karls.clone()], "1".into()));
    assert_eq!(list(&karl, of_rosa).await, (Vec::new(), "0".into()));
    assert_eq!(list(&build::user(), "").await, (all, "4".into()));
    assert_eq!(list(&build::user(), of_rosa).await, (ids.clone(), "3".into()));
    // An administrator of some sources is none of the tenant.
    assert_eq!(list(&limited, "").await, (Vec::new(), "0".into()));

    let path = format!("/v3/saved-searches/{}", ids[0]);
    let execution = json!({"owner": {"type": "IDENTITY", "id": "rosa"}, "recipients": [{"type": "IDENTITY", "id": "i1"}]});
    for (line, body) in [
        (format!("GET {path}"), Value::Null),
        (format!("PUT {path}"), whole()),
        (format!("DELETE {path}"), Value::Null),
        (format!("POST {path}/execute"), execution),
    ] {
        let refused = ask(&world, &karl, &line, &body).await;
        assert_eq!(refused.status, 404, "{line}: {}", refused.text());
        assert_eq!(refused.cause(), format!("there is no saved search \"{}\"", ids[0]), "{line}");
    }
    for (query, expected) in [
        ("filters=name%20eq%20%22x%22", "there is no field \"name\""),
        ("filters=owner.id%20in%20(%22x%22)", "expected an operator of owner.id, one of eq"),
        ("filters=owner.id%20eq%20%22x%22%20and%20owner.id%20eq%20%22y%22", "owner.id is asked for twice"),
        ("limit=251", "limit is \"251\""),
    ] {
        let refused = ask(&world, &rosa, &format!("GET /v3/saved-searches?{query}"), &Value::Null).await;
        assert!(refused.status == 400 && refused.cause().contains(expected), "{query}: {}", refused.text());
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let world = World::new().await;
    let ada = build::user();
    for (change, expected) in [
        (json!({"qeury": "x"}), "the body has the unknown member \"qeury\": the nearest name is \"query\""),
        (json!({"query": null}), "query is missing: expected the text of the query"),
        (json!({"indices": null}), "indices is missing: expected names of indices"),
        (json!({"indices": ["people"]}), "indices has \"people\": expected some of"),
        (json!({"query": 7}), "query: invalid type: integer `7`, expected a string"),
        (json!({"query": "("}), "query: column 2: found the end of the query"),
        (json!({"columns": {"identity": [{"name": "x"}]}}), "columns: unknown field `name`"),
        (json!({"columns": {"person": []}}), "columns has the type \"person\""),
        (json!({"filters": {"x": {"type": "RANGE"}}}), "filters, field \"x\": type is RANGE: expected range"),
        (json!({"public": true}), "public is true: expected false"),
        (json!({"owner": {"type": "ROLE", "id": "x"}}), "owner.type is \"ROLE\": expected IDENTITY"),
    ] {
        let mut body = whole();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = ask(&world, &ada, "POST /v3/saved-searches", &body).await;
        assert_eq!(refused.status, 400, "{change}: {}", refused.text());
        assert!(refused.cause().starts_with(expected), "{change}: {}", refused.cause());
    }
}

/// An execution is a run of SEARCH_EXPORT with the caller's rights.
#[tokio::test]
async fn an_execution_starts_an_export() {
    let world = World::new().await;
    let karl = Caller {
        scopes: vec![Scope::SavedSearchManage],
        data_scope: DataScope::of_sources([build::SOURCE]).unwrap(),
        ..person("karl", UserLevel::SourceAdmin)
    };
    world.credential(karl.clone(), true).await;
    let id = id_of(&ask(&world, &karl, "POST /v3/saved-searches", &whole()).await);
    let line = format!("POST /v3/saved-searches/{id}/execute");
    let execution = json!({
        "owner": {"type": "IDENTITY", "id": "karl"}, "recipients": [{"type": "IDENTITY", "id": "i1"}],
    });
    let accepted = ask(&world, &karl, &line, &execution).await;
    assert_eq!((accepted.status.as_u16(), accepted.body.len()), (202, 0), "{}", accepted.text());
    let tasks = world.store.last_tasks(&build::tenant(), 9).await.unwrap();
    let [task] = tasks.as_slice() else { panic!("one task: {tasks:?}") };
    assert_eq!((task.report.as_str(), task.requester.client.as_str()), ("SEARCH_EXPORT", "client of karl"));
    assert_eq!(task.requester.data_scope, karl.data_scope);
    let text = |name: &str| task.arguments.text(name).unwrap_or_default();
    assert_eq!(text("query"), "(@accounts(disabled:true)) AND NOT protected.exact:(\"true\")");
    assert_eq!(text("columns"), "displayName,email");
    let texts = |name: &str| task.arguments.texts(name).unwrap().join(" ");
    assert_eq!(
        (texts("indices"), texts("sort"), texts("fields")),
        ("identities".into(), "lastName -firstName".into(), "name".into())
    );
    let note = &task.messages[0].text;
    assert!(note.starts_with("execution of the saved search \"Disabled accounts\""), "{note}");
    assert!(note.ends_with("not the headers of the saved search"), "{note}");

    for (body, expected) in [
        (json!({}), "scheduleId is missing, and owner or recipients too"),
        (json!({"owner": execution["owner"]}), "scheduleId is missing, and owner or recipients too"),
        (json!({"schedule": "x"}), "the body has the unknown member \"schedule\""),
        (
            json!({"owner": {"type": "IDENTITY", "id": "ada"}, "recipients": execution["recipients"]}),
            "owner is \"ada\": expected \"karl\"",
        ),
        (json!({"owner": execution["owner"], "recipients": []}), "recipients has 0 items: expected 1 to 100"),
        (
            json!({"owner": execution["owner"], "recipients": [{"type": "ROLE", "id": "i1"}]}),
            "recipients, item 0.type is \"ROLE\"",
        ),
        (
            json!({"owner": execution["owner"], "recipients": [{"type": "IDENTITY", "id": "nobody"}]}),
            "recipient \"nobody\": expected the id of an identity that the caller may see",
        ),
        (
            json!({"owner": execution["owner"], "recipients": [{"type": "IDENTITY", "id": "v1"}]}),
            "recipient \"v1\" has no e-mail address",
        ),
    ] {
        let refused = ask(&world, &karl, &line, &body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
        assert!(refused.cause().starts_with(expected), "{body}: {}", refused.cause());
    }
    let unknown = ask(&world, &karl, &line, &json!({"scheduleId": "none"})).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.cause()),
        (404, "there is no scheduled search \"none\"".into())
    );
    assert_eq!(world.store.last_tasks(&build::tenant(), 9).await.unwrap().len(), 1);
}

/// The settings decide where mail may go.
#[tokio::test]
async fn a_recipient_that_gets_no_mail_is_refused() {
    let notify = NotifyPolicy { domains: vec!["example.org".into()], ..NotifyPolicy::default() };
    let world = World::with_limits(Limits { notify, ..Limits::default() }).await;
    let ada = build::user();
    let owner = ada.user.as_ref().unwrap().id.clone();
    let id = id_of(&ask(&world, &ada, "POST /v3/saved-searches", &whole()).await);
    let body =
        json!({"owner": {"type": "IDENTITY", "id": owner}, "recipients": [{"type": "IDENTITY", "id": "i1"}]});
    let refused = ask(&world, &ada, &format!("POST /v3/saved-searches/{id}/execute"), &body).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.cause().starts_with("recipient \"i1\" cannot be told: \"ann@example.com\" is at none"),
        "{}",
        refused.cause()
    );
}
