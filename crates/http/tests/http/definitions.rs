//! Definitions of custom reports over HTTP.

use crate::world::{Answer, World, user_as};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, UserIdentity, UserLevel};
use muster_testkit::build;
use serde_json::{Value, json};

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

fn text(version: u32, name: &str) -> String {
    format!(
        "id = \"mine\"\nversion = {version}\nname = \"{name}\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
         order_by = [\"n\"]\nquery = \"q\"\npopulation = \"p\"\n[[columns]]\nname = \"n\"\nlabel = \"N\"\nmeaning = \"m\"\n"
    )
}

const ALL: &str = "/muster/v1/report-definitions";

#[tokio::test]
async fn a_definition_is_added_started_changed_and_removed() {
    let world = World::new().await;
    let ada = build::user();
    let run = "POST /muster/v1/reports/mine/run";
    assert_eq!(ask(&world, &ada, run, &Value::Null).await.status, 404);

    let added = ask(&world, &ada, &format!("POST {ALL}"), &json!({"text": text(1, "One")})).await;
    assert_eq!(added.status, 201, "{}", added.text());
    // It is the digest of the report, too.
    let digest = added.json()["sha256"].clone();
    let mut expected = json!({
        "id": "mine", "version": 1, "added": "2026-03-02T09:00:00.000Z", "addedBy": "ada.lovelace", "sha256": digest,
        "text": text(1, "One"),
    });
    assert_eq!(added.json(), expected);
    assert_eq!(
        ask(&world, &ada, &format!("GET {ALL}/mine"), &Value::Null).await.json(),
        json!([expected.clone()])
    );
    expected.as_object_mut().unwrap().remove("text");
    assert_eq!(ask(&world, &ada, &format!("GET {ALL}"), &Value::Null).await.json(), json!([expected]));
    let reports = ask(&world, &ada, "GET /muster/v1/reports", &Value::Null).await.json();
    let mine = reports.as_array().unwrap().iter().find(|report| report["id"] == "mine").unwrap();
    assert_eq!((&mine["name"], &mine["builtIn"], &mine["digest"]), (&json!("One"), &json!(false), &digest));
    assert_eq!(ask(&world, &ada, run, &Value::Null).await.status, 200);

    let other = ask(&world, &ada, &format!("POST {ALL}"), &json!({"text": text(1, "Other")})).await;
    assert_eq!(other.status, 400);
    assert!(other.cause().contains("expected a greater version"), "{}", other.text());
    let second = ask(&world, &ada, &format!("POST {ALL}"), &json!({"text": text(2, "Two")})).await;
    assert_eq!(second.status, 201);
    let versions = ask(&world, &ada, &format!("GET {ALL}/mine"), &Value::Null).await.json();
    let versions: Vec<_> = versions.as_array().unwrap().iter().map(|kept| kept["version"].clone()).collect();
    assert_eq!(versions, [2, 1]);

    assert_eq!(ask(&world, &ada, &format!("DELETE {ALL}/mine"), &Value::Null).await.status, 204);
    for line in [format!("DELETE {ALL}/mine"), format!("GET {ALL}/mine"), run.to_owned()] {
        assert_eq!(ask(&world, &ada, &line, &Value::Null).await.status, 404, "{line}");
    }
    assert_eq!(ask(&world, &ada, &format!("GET {ALL}"), &Value::Null).await.json(), json!([]));
    let told = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = told.iter().map(|event| (event.report.as_str(), event.details.clone())).collect();
    let added = |version: u32, sha: &Value| {
        ("mine", format!("definition added, version {version}, sha-256 {}", sha.as_str().unwrap()))
    };
    assert_eq!(
        told,
        [added(1, &digest), added(2, &second.json()["sha256"]), ("mine", "definition removed".to_owned())]
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_said_and_nothing_is_kept() {
    let world = World::new().await;
    let ada = build::user();
    let wrong = text(1, "One")
        .replace("formats = [\"CSV\"]", "formats = []")
        .replace("order_by = [\"n\"]", "order_by = []");
    let check = json!({"text": wrong, "checkOnly": true});
    let checked = ask(&world, &ada, &format!("POST {ALL}"), &check).await;
    assert_eq!(checked.status, 200);
    assert_eq!(
        checked.json(),
        json!({"faults": [
            {"key": "formats", "line": 6, "reason": "formats is empty: expected at least one of CSV, PDF"},
            {"key": "order_by", "line": 7, "reason": "order_by is empty: expected sort keys, the last of them unique"},
        ]})
    );
    let refused = ask(&world, &ada, &format!("POST {ALL}"), &json!({"text": wrong})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.cause().contains("line 6: formats: ") && refused.cause().contains("line 7: order_by: "));
    let sound = json!({"text": text(1, "One"), "checkOnly": true});
    assert_eq!(ask(&world, &ada, &format!("POST {ALL}"), &sound).await.json(), json!({"faults": []}));
    for (body, cause) in [
        (json!({}), "text is missing: expected a definition, as TOML"),
        (json!({"text": 5}), "text is a number: expected a text"),
        (json!({"text": "", "checkOnly": 1}), "checkOnly is a number: expected true or false"),
        (json!({"test": ""}), "the body has the unknown member"),
    ] {
        let answer = ask(&world, &ada, &format!("POST {ALL}"), &body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.cause().contains(cause), "{}", answer.text());
    }
    assert_eq!(ask(&world, &ada, &format!("GET {ALL}"), &Value::Null).await.json(), json!([]));
    assert!(world.store.recorded(AuditOperation::ConfigurationChanged).is_empty());
}

/// A definition decides what others see, so it takes a caller who may see everything.
#[tokio::test]
async fn callers_with_a_data_scope_add_nothing() {
    let world = World::new().await;
    let user = UserIdentity { id: "s".into(), name: "sam".into(), levels: vec![UserLevel::OrgAdmin] };
    let scope = DataScope::of_sources([build::SOURCE]).unwrap();
    let sam = Caller { user: Some(user), data_scope: scope, ..user_as("client-of-sam") };
    world.credential(sam.clone(), true).await;
    let refused = ask(&world, &sam, &format!("POST {ALL}"), &json!({"text": text(1, "One")})).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
}
