//! What administrators look at, and why an account is whose it is.

use crate::world::{Answer, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::DataScope;
use muster_reports::ids::ClientId;
use muster_reports::ports::Clock;
use muster_testkit::build;
use serde_json::{Value, json};

async fn get(world: &World, line: &str) -> Value {
    let answer = world.ask_as_user(&format!("GET {line}"), "").await;
    assert_eq!(answer.status, 200, "{line}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_link_is_explained_rule_by_rule() {
    let world = World::new().await;
    let address = "/muster/v1/links/explanation?source=Active%20Directory&nativeIdentity=";
    let explained = get(&world, &format!("{address}ada")).await;
    let identity = json!({"id": "i1", "name": "ada.lovelace"});
    assert_eq!(explained["snapshot"], "snapshot-1");
    assert_eq!(explained["source"], "Active Directory");
    assert_eq!(explained["rules"][0]["near"][0]["differIn"], "case");
    assert_eq!(explained["rules"][1]["candidates"], json!([identity]));
    assert_eq!(explained["verdict"], json!({"situation": "LINKED", "identity": "i1", "rule": "uid = login"}));
    assert_eq!((&explained["agrees"], explained.get("missingSince")), (&json!(true), None));
    for (query, status, cause) in [
        ("bob".to_owned(), 404, "has no account \"bob\""),
        ("ada&asOf=2020-01-01".to_owned(), 404, "there is no snapshot"),
        ("ada&asOf=soon".to_owned(), 400, "expected a snapshot id"),
        (String::new(), 400, "nativeIdentity is missing"),
    ] {
        let answer = world.ask_as_user(&format!("GET {address}{query}"), "").await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.cause().contains(cause), "{query}: {}", answer.cause());
    }
    let unknown = "GET /muster/v1/links/explanation?source=Aktive%20Directory&nativeIdentity=ada";
    assert_eq!(world.ask_as_user(unknown, "").await.status, 404);
}

/// The source is named by its id or its name. It does not exist for who sees other sources only.
#[tokio::test]
async fn refused_records_are_listed_by_line() {
    let world = World::new().await;
    let address = format!("/muster/v1/sources/{}/refused-records", build::SOURCE);
    let expected = json!([
        {"line": 3, "reason": format!("of {}", build::SOURCE)},
        {"line": 5, "nativeIdentity": "ada", "reason": format!("of {}", build::SOURCE)},
    ]);
    assert_eq!(get(&world, &address).await, expected);
    assert_eq!(
        get(&world, "/muster/v1/sources/Active%20Directory/refused-records?limit=1").await,
        json!([expected[0]])
    );
    let refused = build::manifest("m", build::start_of_time()).source(build::SOURCE).unwrap().rejected;
    let answer = world.ask_as_user(&format!("GET {address}?limit=0"), "").await;
    assert_eq!((answer.json(), answer.header("x-total-count")), (json!([]), &*refused.to_string()));
    for (line, status) in [("limit=1001", 400), ("limit=-1", 400), ("limit=x", 400)] {
        let answer = world.ask_as_user(&format!("GET {address}?{line}"), "").await;
        assert_eq!(answer.status, status, "{line}");
    }
    let unknown = world.ask_as_user("GET /muster/v1/sources/Aktive%20Directory/refused-records", "").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.cause().contains("the nearest name is \"Active Directory\""), "{}", unknown.cause());

    let elsewhere = Caller {
        client: ClientId::new("elsewhere"),
        data_scope: DataScope::of_sources(["another"]).unwrap(),
        ..build::user()
    };
    world.credential(elsewhere.clone(), true).await;
    let bearer = world.bearer(&elsewhere);
    let hidden = world.ask(&format!("GET {address}"), &[("authorization", bearer.as_str())], "").await;
    assert_eq!(hidden.status, 404);
    assert!(!hidden.text().contains("Active Directory"), "{}", hidden.text());
}

#[tokio::test]
async fn the_fields_of_searches_are_those_that_a_caller_sees() {
    let world = World::new().await;
    let all = get(&world, "/muster/v1/search-fields").await;
    assert_eq!(all, json!([{"index": "identities", "fields": ["name", DataScope::Everything.to_string()]}]));
}

#[tokio::test]
async fn snapshots_are_compared_and_pinned_with_an_event() {
    let world = World::new().await;
    let later = build::manifest("snapshot-2", world.clock.now() + TimeDelta::days(1));
    world.store.put_snapshot(&build::tenant(), &later);
    let compared = get(&world, "/muster/v1/snapshots/snapshot-1/compare/2026-03-03").await;
    let expected = json!({"old": "snapshot-1", "new": "snapshot-2", "differences": [
        {"object": "account", "change": "changed", "count": 1},
        {"object": "account", "change": "changed", "attribute": "department", "count": 1},
    ]});
    assert_eq!(compared, expected);
    let none = world.ask_as_user("GET /muster/v1/snapshots/snapshot-1/compare/nothing", "").await;
    assert_eq!(none.status, 404);

    let pin = "PUT /muster/v1/snapshots/snapshot-1/pin";
    for (body, cause) in [
        ("{}", "reason is missing"),
        (r#"{"reason":" "}"#, "expected 1 to 500"),
        (r#"{"reason":"a","by":"b"}"#, "unknown member"),
    ] {
        let refused = world.ask_as_user(pin, body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.cause().contains(cause), "{body}: {}", refused.cause());
    }
    let pinned = world.ask_as_user(pin, r#"{"reason":"year end"}"#).await.json();
    assert_eq!(
        (&pinned["pin"]["by"], &pinned["pin"]["reason"]),
        (&json!("ada.lovelace"), &json!("year end"))
    );
    let unpinned = world.ask_as_user("DELETE /muster/v1/snapshots/snapshot-1/pin", "").await.json();
    assert_eq!(unpinned.get("pin"), None);
    let events = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = events.iter().map(|event| (event.report.as_str(), event.details.as_str())).collect();
    let expected = [
        ("snapshot-1", "snapshot pinned by ada.lovelace: year end"),
        ("snapshot-1", "snapshot no longer pinned"),
    ];
    assert_eq!(told, expected);
    // Without an event, nothing is done.
    world.store.refuse_audit(true);
    assert_eq!(world.ask_as_user(pin, r#"{"reason":"again"}"#).await.status, 500);
    assert_eq!(get(&world, "/muster/v1/snapshots").await[1].get("pin"), None);
}

#[tokio::test]
async fn clients_are_listed_without_their_secrets() {
    let world = World::new().await;
    let day = world.clock.now();
    world.credential(build::auditor(day, day), false).await;
    let clients = get(&world, "/muster/v1/clients").await;
    let of = |id: &str| clients.as_array().unwrap().iter().find(|client| client["id"] == id).unwrap().clone();
    let auditor = of("client-of-an-auditor");
    assert_eq!((&auditor["levels"], &auditor["enabled"]), (&json!(["AUDITOR"]), &json!(false)));
    assert_eq!(
        auditor["limits"],
        "2026-03-02T09:00:00Z to 2026-03-02T09:00:00Z, reports ACCOUNTS leavers, until 2026-04-01T09:00:00Z"
    );
    assert_eq!((&of("client-of-a-job")["user"], of("client-of-a-job").get("limits")), (&json!(false), None));
    assert!(!clients.to_string().contains("hmac") && !clients.to_string().contains("secret"));
}

fn sequences(trail: &Value) -> Vec<u64> {
    trail["events"].as_array().unwrap().iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_audit_trail_is_read_from_its_end() {
    let world = World::new().await;
    let empty = get(&world, "/muster/v1/audit-events").await;
    assert_eq!(empty, json!({"last": 0, "backlog": 0, "events": []}));
    for _ in 0..3 {
        world.start().await;
        world.finish(b"x", Vec::new()).await;
    }
    // A start and an end for each.
    let trail = get(&world, "/muster/v1/audit-events?limit=4").await;
    assert_eq!((trail["last"].as_u64(), sequences(&trail)), (Some(6), vec![6, 5, 4, 3]));
    let newest = &trail["events"][0];
    assert_eq!((&newest["operation"], &newest["about"]), (&json!("ended"), &json!("Account Export")));
    assert_eq!(newest["hash"].as_str().unwrap().len(), 64);
    let before = get(&world, "/muster/v1/audit-events?limit=4&before=3").await;
    assert_eq!(sequences(&before), [2, 1]);
    assert!(sequences(&get(&world, "/muster/v1/audit-events?before=1").await).is_empty());
    // The second task: its start and its end, and no other's.
    let second = trail["events"][2]["task"].as_str().unwrap();
    let of_task = get(&world, &format!("/muster/v1/audit-events?task={second}")).await;
    assert_eq!((sequences(&of_task), of_task["last"].as_u64()), (vec![4, 3], Some(6)));
    let first = get(&world, &format!("/muster/v1/audit-events?task={second}&before=4")).await;
    assert_eq!(sequences(&first), [3]);
    assert!(sequences(&get(&world, "/muster/v1/audit-events?task=nothing").await).is_empty());
    for wrong in ["limit=251", "before=-1", "before=x"] {
        let refused = world.ask_as_user(&format!("GET /muster/v1/audit-events?{wrong}"), "").await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_installation_is_told() {
    let world = World::new().await;
    let told = get(&world, "/muster/v1/installation").await;
    let expected = json!({
        "version": "1.2.3", "database": "SQLite", "disks": [{"folder": "data", "freeBytes": 7}],
        "keys": [{"purpose": "access tokens", "since": "2026-03-02T09:00:00.000Z"}],
        "limits": [{"setting": "rate_limit.requests", "value": 100, "unit": "requests"}],
        "issuers": [{"name": "corp", "signIn": true}],
    });
    assert_eq!(told, expected);
}

/// What is beyond the rows of some sources is not for those who see these only.
#[tokio::test]
async fn who_sees_some_sources_only_is_refused() {
    let world = World::new().await;
    let limited = Caller {
        client: ClientId::new("limited"),
        data_scope: DataScope::of_sources([build::SOURCE]).unwrap(),
        ..build::user()
    };
    world.credential(limited.clone(), true).await;
    let bearer = world.bearer(&limited);
    for line in [
        "GET /muster/v1/links/explanation?source=x&nativeIdentity=ada",
        "GET /muster/v1/snapshots/snapshot-1/compare/snapshot-1",
        "DELETE /muster/v1/snapshots/snapshot-1/pin",
        "GET /muster/v1/clients",
        "GET /muster/v1/audit-events",
        "GET /muster/v1/installation",
    ] {
        let answer: Answer = world.ask(line, &[("authorization", bearer.as_str())], "").await;
        assert_eq!(answer.status, 403, "{line}");
    }
}
