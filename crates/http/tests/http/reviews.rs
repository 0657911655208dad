//! Access reviews over HTTP: who sees and does what, and what is refused.

use crate::world::{Answer, World, user_as};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, UserIdentity, UserLevel};
use muster_testkit::build;
use serde_json::{Value, json};

const ALL: &str = "/muster/v1/reviews";

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

/// A user of the test's people (`crates/http/tests/http/world/reviewed.rs`), whose identity is `id-` and the name.
async fn user(world: &World, name: &str, level: UserLevel) -> Caller {
    user_in(world, name, level, DataScope::Everything).await
}

/// As [`user`], for somebody who sees these rows.
async fn user_in(world: &World, name: &str, level: UserLevel, data_scope: DataScope) -> Caller {
    let user = UserIdentity { id: format!("id-{name}"), name: name.into(), levels: vec![level], audit: None };
    let caller = Caller { user: Some(user), data_scope, ..user_as(&format!("reviewing-{name}")) };
    world.credential(caller.clone(), true).await;
    caller
}

fn plan() -> Value {
    json!({"name": "Spring", "reviewers": "MANAGER", "fallback": "cleo", "commentRequired": true, "dueDays": 30})
}

async fn created(world: &World, caller: &Caller) -> (String, Value) {
    let answer = ask(world, caller, &format!("POST {ALL}"), &plan()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    (answer.json()["id"].as_str().unwrap().to_owned(), answer.json())
}

fn numbers(items: &Answer) -> Vec<u64> {
    items.json().as_array().unwrap().iter().map(|item| item["item"].as_u64().unwrap()).collect()
}

/// Items: 1 and 2 are ada's, whom bob leads; 3 is bob's, whom cleo leads; 4 is cleo's, whom nobody leads.
#[tokio::test]
async fn a_review_is_created_decided_and_closed() {
    let world = World::new().await;
    let root = build::user();
    let (id, review) = created(&world, &root).await;
    let progress = |review: &Value| {
        let of = |one: &Value| {
            format!("{} {} {}", one["reviewer"].as_str().unwrap_or("-"), one["items"], one["undecided"])
        };
        review["progress"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(progress(&review), ["bob 2 2", "cleo 1 1", "- 1 1"]);
    assert_eq!(
        (&review["state"], &review["snapshotId"], &review["managed"]),
        (&json!("OPEN"), &json!("snapshot-1"), &json!(true))
    );
    let bob = user(&world, "bob", UserLevel::User).await;
    let cleo = user(&world, "cleo", UserLevel::CertAdmin).await;
    let items = |more: &str| format!("GET {ALL}/{id}/items{more}");
    assert_eq!(numbers(&ask(&world, &root, &items(""), &Value::Null).await), [1, 2, 3, 4]);
    assert_eq!(numbers(&ask(&world, &root, &items("?after=1&limit=2"), &Value::Null).await), [2, 3]);
    assert_eq!(numbers(&ask(&world, &root, &items("?reviewer=bob"), &Value::Null).await), [1, 2]);
    assert_eq!(
        numbers(&ask(&world, &bob, &items(""), &Value::Null).await),
        [1, 2],
        "a reviewer sees their own"
    );

    let decide = format!("POST {ALL}/{id}/decisions");
    let decided = |item: u32, decision: &str, comment: Option<&str>| json!({"item": item, "decision": decision, "comment": comment});
    let both = json!({"decisions": [decided(1, "KEEP", None), decided(2, "revoke", Some(" left "))]});
    let answer = ask(&world, &bob, &decide, &both).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json(),
        json!({"taken": true, "new": 2, "changed": 0, "unchanged": 0, "undecided": 0, "refusedCount": 0})
    );
    let again = ask(&world, &bob, &decide, &both).await.json();
    assert_eq!((&again["new"], &again["unchanged"]), (&json!(0), &json!(2)));
    let shown = ask(&world, &bob, &items("?undecided=false"), &Value::Null).await.json();
    let second = &shown[1];
    assert_eq!(
        (&second["decision"], &second["decidedBy"], &second["comment"], &second["seconds"]),
        (&json!("REVOKE"), &json!("bob"), &json!("left"), &json!(0))
    );
    // All or nothing: item 3 is not bob's.
    let mixed = json!({"decisions": [decided(1, "REVOKE", Some("x")), decided(3, "KEEP", None)]});
    assert_eq!(ask(&world, &bob, &decide, &mixed).await.status, 404);
    let cause = "item 3: expected the number of an item that the caller reviews";
    assert_eq!(ask(&world, &bob, &decide, &mixed).await.cause(), cause);
    // Who manages the review decides for others, and never about access of their own.
    let own = ask(
        &world,
        &cleo,
        &decide,
        &json!({"decisions": [decided(3, "KEEP", None), decided(4, "KEEP", None)]}),
    )
    .await;
    assert_eq!(
        (own.status.as_u16(), own.cause().as_str()),
        (403, "item 4 is access of \"cleo\" and nobody reviews their own: expected another reviewer")
    );
    let other = ask(&world, &cleo, &decide, &json!({"decisions": [decided(3, "KEEP", None)]})).await;
    assert_eq!(other.status, 200, "{}", other.text());

    let closed = ask(&world, &root, &format!("POST {ALL}/{id}/close"), &Value::Null).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    let closed = closed.json();
    assert_eq!(
        (&closed["state"], &closed["closedBy"], &closed["due"], &closed["total"]["undecided"]),
        (&json!("CLOSED"), &json!("ada.lovelace"), &json!("2026-04-01T09:00:00.000Z"), &json!(1))
    );
    for line in [decide.clone(), format!("POST {ALL}/{id}/close")] {
        let refused = ask(&world, &root, &line, &json!({"decisions": [decided(1, "KEEP", None)]})).await;
        assert_eq!(refused.status, 400);
        assert!(refused.cause().contains("was closed by \"ada.lovelace\""), "{}", refused.cause());
    }
    let told: Vec<_> = world.store.recorded(AuditOperation::ReviewDecided);
    let told: Vec<_> =
        told.iter().map(|event| (event.caller.launcher().to_owned(), event.details.clone())).collect();
    let details = |text: &str| format!("access review {id}, decided: {text}");
    assert_eq!(
        told,
        [
            ("bob".to_owned(), details("REVOKE 2; KEEP 1")),
            ("cleo".to_owned(), details("REVOKE none; KEEP 3")),
        ]
    );
    let changed = world.store.recorded(AuditOperation::ReviewChanged);
    assert_eq!(changed.len(), 2);
    assert!(changed[0].details.contains("4 items of which 1 without a reviewer"), "{}", changed[0].details);
    assert!(changed[1].details.ends_with("closed: 2 kept, 1 revoked, 1 undecided"), "{}", changed[1].details);
}

#[tokio::test]
async fn sheets_are_given_and_read_and_recorded() {
    let world = World::new().await;
    let root = build::user();
    let (id, _) = created(&world, &root).await;
    let sheets = format!("{ALL}/{id}/sheets");
    let head = ask(&world, &root, &format!("HEAD {sheets}?format=csv"), &Value::Null).await;
    assert_eq!((head.status.as_u16(), head.header("content-type")), (200, "application/zip"));
    let downloads = || world.store.recorded(AuditOperation::Download).len();
    assert_eq!(downloads(), 0, "a HEAD gives nothing");
    let archive = ask(&world, &root, &format!("GET {sheets}?format=CSV&reviewer=bob"), &Value::Null).await;
    assert_eq!((archive.status.as_u16(), archive.text().as_str()), (200, "csv of items 1 2\n"));
    assert_eq!(archive.header("content-disposition"), format!("attachment;filename=\"review-{id}.zip\""));
    let recorded = world.store.recorded(AuditOperation::Download);
    assert!(recorded[0].details.starts_with(&format!("sheets of access review {id} as CSV, sha-256 ")));
    for (more, status, cause) in [
        ("?format=ods", 400, "format is \"ods\": expected xlsx or csv"),
        ("?reviewer=nobody", 404, "reviewer is \"nobody\": expected the name of a reviewer of the review"),
    ] {
        let refused = ask(&world, &root, &format!("GET {sheets}{more}"), &Value::Null).await;
        assert_eq!((refused.status.as_u16(), refused.cause().as_str()), (status, cause));
    }
    assert_eq!(downloads(), 1);

    let bearer = world.bearer(&root);
    let send = async |text: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/octet-stream")];
        world.ask(&format!("POST {sheets}"), &headers, text.to_owned()).await
    };
    // The sheets of this test are lines of item, decision and comment; what they have else is as it was sent.
    let taken = send("1,KEEP,\n2,,\n").await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        taken.json(),
        json!({"taken": true, "reviewer": "bob", "new": 1, "changed": 0, "unchanged": 0, "undecided": 1, "refusedCount": 0})
    );
    let events = world.store.audit_events().len();
    assert_eq!(send("1,KEEP,\n2,,\n").await.json()["unchanged"], 1);
    assert_eq!(world.store.audit_events().len(), events, "the same sheet again changes nothing");
    let refused = send("1,KEEP,\n2,REVOKE,\n1,KEEP,\n").await.json();
    assert_eq!((&refused["taken"], &refused["refusedCount"]), (&json!(false), &json!(2)));
    assert_eq!(
        refused["refused"],
        json!([
            {"line": 3, "reason": "comment is missing: expected one, because this review wants a comment for each REVOKE"},
            {"line": 4, "reason": "item 1 is on line 2 already: expected each once"},
        ])
    );
    assert_eq!(send("not a sheet").await.status, 400);
    let items = ask(&world, &root, &format!("GET {ALL}/{id}/items"), &Value::Null).await.json();
    let first = &items[0];
    assert_eq!(
        (&first["decidedBy"], &first["seconds"]),
        (&json!("bob"), &Value::Null),
        "a sheet does not say how long it took"
    );
    assert_eq!(first["sheet"].as_str().map(str::len), Some(64));
}

/// A review, and what one may not see of it, is not there.
#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let world = World::new().await;
    let root = build::user();
    let (id, _) = created(&world, &root).await;
    let ada = user(&world, "ada", UserLevel::User).await;
    // May manage reviews, and not see the rows of this one.
    let narrow = DataScope::of_sources(["2c9180897e7742b2017e781782f70500"]).unwrap();
    let narrow = user_in(&world, "narrow", UserLevel::OrgAdmin, narrow).await;
    for caller in [&ada, &narrow] {
        for line in ["GET /muster/v1/reviews/ID", "GET /muster/v1/reviews/ID/items"] {
            let line = line.replace("ID", &id);
            assert_eq!(ask(&world, caller, &line, &Value::Null).await.status, 404, "{line}");
        }
        assert_eq!(ask(&world, caller, &format!("GET {ALL}"), &Value::Null).await.json(), json!([]));
        let decisions = json!({"decisions": [{"item": 1, "decision": "KEEP"}]});
        let decide = format!("POST {ALL}/{id}/decisions");
        assert_eq!(ask(&world, caller, &decide, &decisions).await.status, 404);
    }
    for line in ["POST ALL/ID/close", "GET ALL/ID/sheets", "POST ALL/ID/sheets"] {
        let line = line.replace("ALL", ALL).replace("ID", &id);
        assert_eq!(ask(&world, &narrow, &line, &Value::Null).await.status, 404, "{line}");
        assert_eq!(ask(&world, &ada, &line, &Value::Null).await.status, 403, "{line}");
    }
    // A reviewer whose rows are limited sees none of the others.
    let other = DataScope::of_sources(["2c9180897e7742b2017e781782f70500"]).unwrap();
    let bob = user_in(&world, "bob", UserLevel::User, other).await;
    assert_eq!(ask(&world, &bob, &format!("GET {ALL}/{id}"), &Value::Null).await.status, 404);
}

#[tokio::test]
async fn bodies_are_refused_with_their_place() {
    let world = World::new().await;
    let root = build::user();
    let (id, _) = created(&world, &root).await;
    for (change, cause) in [
        (json!({"reviewers": "ME"}), "reviewers: it is \"ME\": expected MANAGER, SOURCE_OWNER or LIST"),
        (json!({"reviewers": 1}), "reviewers is a number: expected a text"),
        (json!({"name": " "}), "name is blank or has more than 200 characters: expected a name"),
        (json!({"dueDays": -1}), "dueDays is a number: expected a whole number"),
        (json!({"dueDays": 400}), "dueDays is 400: expected 0 to 366"),
        (json!({"reviewers": "LIST"}), "list is empty: expected lines with reviewers"),
        (json!({"list": [{"reviewer": "bob"}]}), "list is given: expected none with the reviewers MANAGER"),
        (json!({"list": [1]}), "list, item 0 is a number: expected an object"),
        (json!({"list": [{}]}), "list, item 0: reviewer is missing: expected a text"),
        (json!({"sources": "Fax"}), "sources is a text: expected a list"),
        (json!({"privileged": "yes"}), "privileged is a text: expected true or false"),
        (json!({"asOf": "May"}), "asOf"),
        (json!({"colour": 1}), "the body has the unknown member \"colour\""),
    ] {
        let mut body = plan();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = ask(&world, &root, &format!("POST {ALL}"), &body).await;
        assert_eq!(refused.status, 400, "{change}");
        if cause != "asOf" {
            assert!(refused.cause().starts_with(cause), "{change}: {}", refused.cause());
        }
    }
    // What is named and is not there. Who sees the rows of one source sees no other.
    let narrow = DataScope::of_sources(["2c9180897e7742b2017e781782f705b9"]).unwrap();
    let narrow = user_in(&world, "narrow", UserLevel::OrgAdmin, narrow).await;
    let nobody = "fallback is \"zed\": expected the name of an identity of the snapshot";
    for (caller, change, cause) in [
        (&root, json!({"fallback": "zed"}), nobody),
        (&root, json!({"sources": ["Fax"]}), "sources: no source is named \"Fax\" or has that id"),
        (&narrow, json!({"sources": ["HR"]}), "sources: no source is named \"HR\" or has that id"),
    ] {
        let mut body = plan();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = ask(&world, caller, &format!("POST {ALL}"), &body).await;
        assert_eq!(refused.status, 404, "{change}");
        assert!(refused.cause().starts_with(cause), "{change}: {}", refused.cause());
    }
    for (body, cause) in [
        (json!({}), "decisions has 0 items: expected 1 to 10000"),
        (json!({"decisions": [1]}), "decisions, item 0 is a number: expected an object"),
        (
            json!({"decisions": [{"item": "1", "decision": "KEEP"}]}),
            "decisions, item 0: item is a text: expected a whole number",
        ),
        (json!({"decisions": [{"item": 1}]}), "decisions, item 0: decision is missing: expected a text"),
        (
            json!({"decisions": [{"item": 1, "decision": "NO"}]}),
            "decisions, item 0: decision is \"NO\": expected KEEP, REVOKE or nothing",
        ),
        (json!({"decisions": [{"item": 1, "decision": "REVOKE"}]}), "item 1: comment is missing"),
        (
            json!({"decisions": [{"item": 1, "decision": "KEEP"}, {"item": 1, "decision": "KEEP"}]}),
            "item 1 is named twice: expected each once",
        ),
    ] {
        let refused = ask(&world, &root, &format!("POST {ALL}/{id}/decisions"), &body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.cause().starts_with(cause), "{body}: {}", refused.cause());
    }
    for more in ["?limit=0", "?limit=1001", "?after=x", "?undecided=perhaps"] {
        assert_eq!(
            ask(&world, &root, &format!("GET {ALL}/{id}/items{more}"), &Value::Null).await.status,
            400
        );
    }
    assert!(world.store.recorded(AuditOperation::ReviewDecided).is_empty());
}
