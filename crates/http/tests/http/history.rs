//! The history of identities: what reaches it, and what its answers look like.

use crate::world::{Answer, World, user_as};
use chrono::{DateTime, Utc};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::history::{
    AccessDetail, AccessItem, AccessSource, AccountStatus, IdentityState, SnapshotState, Span,
};
use muster_testkit::build;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const PREFIXES: [&str; 4] = [
    "/v2024/historical-identities",
    "/v2025/historical-identities",
    "/v2026/historical-identities",
    "/historical-identities/v1",
];

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn item(id: &str, source: Option<&str>, detail: AccessDetail) -> Arc<AccessItem> {
    let source =
        AccessSource { id: source.map(|name| format!("id of {name}")), name: source.map(str::to_owned) };
    Arc::new(AccessItem { id: id.into(), name: Some(format!("the {id}")), source, description: None, detail })
}

fn account(status: AccountStatus) -> Arc<AccessItem> {
    let detail = AccessDetail::Account { native_identity: "cn=ann".into(), entitlements: 2, status };
    item("a1", Some("AD"), detail)
}

fn access_profile() -> Arc<AccessItem> {
    let detail = AccessDetail::AccessProfile {
        entitlements: 12,
        apps: vec![(Some("c1".into()), Some("Payroll".into()))],
        standalone: Some(true),
        revocable: None,
    };
    item("p1", Some("AD"), detail)
}

fn entitlement() -> Arc<AccessItem> {
    let detail = AccessDetail::Entitlement {
        attribute: "memberOf".into(),
        value: "Staff".into(),
        kind: Some("group".into()),
        standalone: None,
        privileged: Some(false),
        governed: None,
    };
    item("e1", Some("AD"), detail)
}

fn state(department: &[&str], access: Vec<Arc<AccessItem>>) -> Arc<IdentityState> {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Arc::new(IdentityState {
        display_name: Some("Ann".into()),
        created: Some(time("2025-12-24T08:00:00Z")),
        left: None,
        attributes: [("department".to_owned(), values(department)), ("city".to_owned(), values(&["Rome"]))]
            .into(),
        access,
    })
}

/// What three snapshots have of an identity, in the part of the tenant's data that the test's fake shows.
pub fn states(id: &str, span: Span) -> Vec<SnapshotState> {
    let taken = ["2026-03-01T09:00:00.123456Z", "2026-02-01T09:00:00Z", "2026-01-01T09:00:00Z"].map(time);
    if id != "i1" {
        return vec![SnapshotState { taken: taken[0], state: None }];
    }
    let role = item("r1", None, AccessDetail::Role { revocable: None });
    let app = item("c1", None, AccessDetail::App);
    let disabled = account(AccountStatus::Disabled);
    let all = [
        state(
            &["Finance"],
            vec![access_profile(), disabled.clone(), app.clone(), entitlement(), role.clone()],
        ),
        state(&["Sales", "Finance"], vec![account(AccountStatus::Enabled), role]),
        state(&["Sales"], vec![account(AccountStatus::Enabled), entitlement()]),
    ];
    let states = taken.into_iter().zip(all).map(|(taken, state)| SnapshotState { taken, state: Some(state) });
    match span {
        Span::Newest => states.take(1).collect(),
        Span::At(moment) => states.filter(|state| state.taken <= moment).take(1).collect(),
        Span::Between(..) => states.collect(),
    }
}

async fn get(world: &World, rest: &str) -> Answer {
    world.ask_as_user(&format!("GET /historical-identities/v1{rest}"), "").await
}

/// The JSON of an answer that must be 200.
async fn body(world: &World, rest: &str) -> Value {
    let answer = get(world, rest).await;
    assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn the_operations_answer_alike_in_every_version() {
    let world = World::new().await;
    for rest in [
        "",
        "/i1",
        "/i1/access-items?count=true",
        "/i1/snapshots?count=true",
        "/i1/snapshots/2026-02-01T09:00:00Z",
        "/i1/snapshots/2026-02-01/access-items",
        "/i1/events?limit=3&offset=1&count=true",
        "/i1/snapshot-summary",
        "/i1/start-date",
        "/i1/compare",
        "/i1/compare/entitlement",
    ] {
        let expected = get(&world, rest).await;
        assert_eq!(expected.status, 200, "{rest}: {}", expected.text());
        for prefix in PREFIXES {
            let answer = world.ask_as_user(&format!("GET {prefix}{rest}"), "").await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.json()), "{prefix}{rest}");
            assert_eq!(answer.header("x-total-count"), expected.header("x-total-count"), "{prefix}{rest}");
        }
        let nobody = rest.replacen("/i1", "/i2", 1);
        let status = get(&world, &nobody).await.status;
        assert_eq!(status, if rest.is_empty() { 200 } else { 404 }, "{nobody}");
    }
    // Version 3 has no such operations.
    assert_eq!(world.ask_as_user("GET /v3/historical-identities", "").await.status, 404);
    assert_eq!(get(&world, "/i2").await.cause(), "no kept snapshot has an identity \"i2\"");
}

#[tokio::test]
async fn answers_have_the_published_members() {
    let world = World::new().await;
    assert_eq!(
        body(&world, "/i1").await,
        json!({
            "id": "i1", "displayName": "Ann", "snapshot": "2026-03-01T09:00:00.123Z",
            "accessItemCount": {"accessProfile": 1, "account": 1, "app": 1, "entitlement": 1, "role": 1},
            "attributes": {"department": "Finance", "city": "Rome"},
        })
    );
    let february = body(&world, "/i1/snapshots/2026-02-01T09:00:00Z").await;
    assert_eq!(february["attributes"]["department"], json!(["Sales", "Finance"]));
    assert_eq!(body(&world, "/i1/start-date").await, json!("2025-12-24T08:00:00.000Z"));
    assert_eq!(
        body(&world, "/i1/snapshots").await,
        json!([
            {"snapshot": "2026-03-01T09:00:00.123Z"},
            {"snapshot": "2026-02-01T09:00:00.000Z"},
            {"snapshot": "2026-01-01T09:00:00.000Z"},
        ])
    );
    let account = json!({
        "id": "a1", "accessType": "account", "displayName": "the a1", "sourceName": "AD", "sourceId": "id of AD",
        "nativeIdentity": "cn=ann", "entitlementCount": 2,
    });
    let profile = json!({
        "id": "p1", "accessType": "accessProfile", "displayName": "the p1", "sourceName": "AD", "sourceId": "id of AD",
        "entitlementCount": 12, "description": null, "startDate": null, "removeDate": null, "standalone": true,
        "revocable": null, "appRefs": [{"cloudAppId": "c1", "cloudAppName": "Payroll"}],
    });
    let entitlement = json!({
        "id": "e1", "accessType": "entitlement", "displayName": "the e1", "sourceName": "AD", "sourceId": "id of AD",
        "attribute": "memberOf", "value": "Staff", "type": "group", "description": null, "standalone": null,
        "privileged": false, "cloudGoverned": null,
    });
    let role = json!({
        "id": "r1", "accessType": "role", "displayName": "the r1", "sourceName": null, "startDate": null,
        "revocable": false,
    });
    let app = json!({
        "id": "c1", "accessType": "app", "displayName": "the c1", "sourceName": null, "appRoleId": null,
    });
    assert_eq!(body(&world, "/i1/access-items").await, json!([account]));
    assert_eq!(body(&world, "/i1/access-items?type=role").await, json!([role]));
    assert_eq!(
        body(&world, "/i1/snapshots/2026-03-01/access-items").await,
        json!([profile, account, app, entitlement, role])
    );
    assert_eq!(body(&world, "/i1/snapshots/2026-03-01/access-items?type=app").await, json!([app]));
    assert_eq!(
        body(&world, "/i1/compare?snapshot1=2026-01-01&snapshot2=2026-03-01").await,
        json!([{"accessItemDiff": {
            "accessProfile": {"accessAdded": 1, "accessRemoved": 0},
            "account": {"accessAdded": 0, "accessRemoved": 0},
            "app": {"accessAdded": 1, "accessRemoved": 0},
            "entitlement": {"accessAdded": 0, "accessRemoved": 0},
            "role": {"accessAdded": 1, "accessRemoved": 0},
        }}])
    );
    assert_eq!(
        body(
            &world,
            "/i1/compare?snapshot1=2026-01-01&snapshot2=2026-02-01&accessItemTypes=entitlement,role"
        )
        .await,
        json!([{"accessItemDiff": {
            "entitlement": {"accessAdded": 0, "accessRemoved": 1}, "role": {"accessAdded": 1, "accessRemoved": 0},
        }}])
    );
    let role_added = json!({"id": "r1", "eventType": "ADD", "displayName": "the r1"});
    let compare = "/i1/compare/role?snapshot1=2026-01-01&snapshot2=2026-02-01";
    assert_eq!(body(&world, compare).await, json!([role_added]));
    assert_eq!(body(&world, &format!("{compare}&access-associated=true")).await, json!([role_added]));
    assert_eq!(body(&world, &format!("{compare}&access-associated=false")).await, json!([]));
    assert_eq!(
        body(&world, "/i1/compare/entitlement?snapshot1=2026-01-01&snapshot2=2026-02-01").await,
        json!([{"id": "e1", "eventType": "REMOVE", "displayName": "the e1", "sourceName": "AD"}])
    );

    let events = body(&world, "/i1/events").await;
    let event = |kind: &str, at: &str, more: Value| {
        let mut event = json!({"eventType": kind, "dateTime": at, "identityId": "i1"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let (march, february) = ("2026-03-01T09:00:00.123Z", "2026-02-01T09:00:00.000Z");
    let gained = |at, item: &Value, kind: &str| {
        let more = json!({"accessItem": item, "governanceEvent": null, "accessItemType": kind});
        event("AccessItemAssociated", at, more)
    };
    let department = |before: &str, since: &str| json!({"attributeChanges": [{"name": "department", "previousValue": before, "newValue": since}]});
    assert_eq!(
        events,
        json!([
            event("AttributesChanged", march, department("Sales; Finance", "Finance")),
            event(
                "AccountStatusChanged",
                march,
                json!({
                    "account": account, "statusChange": {"previousStatus": "enabled", "newStatus": "disabled"},
                })
            ),
            gained(march, &profile, "accessProfile"),
            gained(march, &app, "app"),
            gained(march, &entitlement, "entitlement"),
            event("AttributesChanged", february, department("Sales", "Sales; Finance")),
            event(
                "AccessItemRemoved",
                february,
                json!({
                    "accessItem": entitlement, "governanceEvent": null, "accessItemType": "entitlement",
                })
            ),
            gained(february, &role, "role"),
        ])
    );
    assert_eq!(
        body(&world, "/i1/snapshot-summary").await,
        json!([{"name": "2026-03-01T00:00:00.000Z", "value": 5}, {"name": "2026-02-01T00:00:00.000Z", "value": 3}])
    );
    let zone = "/i1/snapshot-summary?interval=day&time-zone=Pacific/Kiritimati&limit=1";
    assert_eq!(body(&world, zone).await, json!([{"name": "2026-02-28T10:00:00.000Z", "value": 5}]));
}

#[tokio::test]
async fn the_history_gets_what_was_asked() {
    let world = World::new().await;
    let listed =
        body(&world, "?starts-with-query=An+n&is-deleted=TRUE&is-active=false&limit=7&offset=3&count=true");
    let listed = &listed.await[0];
    assert_eq!(
        listed["displayName"],
        "PeopleQuery { starts_with: Some(\"An n\"), deleted: Some(true), active: Some(false), offset: 3, limit: 7 }"
    );
    assert_eq!((&listed["firstName"], &listed["lastName"]), (&json!("acme everything"), &Value::Null));
    assert_eq!(
        (&listed["active"], &listed["deletedDate"]),
        (&json!(false), &json!("2026-03-01T09:00:00.123Z"))
    );
    let answer = get(&world, "?count=true").await;
    assert_eq!(answer.header("x-total-count"), "", "the published list is never counted");
    assert_eq!(
        answer.json()[0]["displayName"],
        "PeopleQuery { starts_with: None, deleted: None, active: None, offset: 0, limit: 250 }"
    );

    let asked = async |rest: &str| {
        body(&world, rest).await;
        world.maker.span.lock().unwrap().clone().unwrap().1
    };
    let [day, next, month] =
        ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"].map(time);
    assert_eq!(asked("/i1/snapshots").await, Span::Between(None, None));
    assert_eq!(asked("/i1/snapshots?start=2026-01-31").await, Span::Between(Some(day), None));
    assert_eq!(
        asked("/i1/snapshots?start=2026-01-31&interval=day").await,
        Span::Between(Some(day), Some(next))
    );
    assert_eq!(
        asked("/i1/snapshots?start=2026-01-31&interval=month").await,
        Span::Between(Some(day), Some(month))
    );
    assert_eq!(asked("/i1/events?from=2026-01-31T01:00:00%2B01:00").await, Span::Between(Some(day), None));
    assert_eq!(asked("/i1/snapshot-summary?before=2026-02-28").await, Span::Between(None, Some(month)));
    assert_eq!(
        asked("/i1/snapshots/2026-02-27T23:59:59.999Z").await,
        Span::At(time("2026-02-27T23:59:59.999Z"))
    );
    assert_eq!(asked("/i1/snapshots/2026-02-27").await, Span::At(time("2026-02-27T23:59:59.999Z")));
    assert_eq!(asked("/i1/access-items").await, Span::Newest);

    let types = async |query: &str| {
        let events = body(&world, &format!("/i1/events?{query}")).await;
        let event = |event: &Value| {
            let kind = event["eventType"].as_str().unwrap();
            format!("{kind} {}", event["accessItemType"].as_str().unwrap_or("-"))
        };
        events.as_array().unwrap().iter().map(event).collect::<Vec<_>>()
    };
    let added = "AccessItemAssociated";
    let roles = [format!("{added} role")];
    assert_eq!(types("eventTypes=AccessAddedEvent&accessItemTypes=role").await, roles);
    assert_eq!(types("eventTypes=AccessItemAssociated,IdentityCertified&accessItemTypes=role").await, roles);
    let removed = ["AccessItemRemoved entitlement".to_owned(), format!("{added} role")];
    assert_eq!(
        types("eventTypes=AccessRemovedEvent&eventTypes=AccessItemAssociated&accessItemTypes=role&offset=1")
            .await,
        [""; 0]
    );
    assert_eq!(types("eventTypes=AccessRemovedEvent,AccessAddedEvent&offset=3").await, removed);
    assert_eq!(types("eventTypes=AccountStatusChanged").await, ["AccountStatusChanged -"]);
    assert_eq!(types("eventTypes=IdentityCertified").await, [""; 0]);
    let attributes = ["AttributesChanged -", "AttributesChanged -"];
    assert_eq!(types("accessItemTypes=app&eventTypes=AttributesChanged").await, attributes);
}

#[tokio::test]
async fn lists_have_parts_and_are_counted() {
    let world = World::new().await;
    for (rest, total) in [
        ("/i1/access-items?", "1"),
        ("/i1/snapshots?", "3"),
        ("/i1/events?", "8"),
        ("/i1/events?eventTypes=AttributesChanged&", "2"),
        ("/i1/snapshot-summary?", "2"),
        ("/i1/compare?", "1"),
        ("/i1/compare/role?snapshot1=2026-01-01&", "1"),
    ] {
        let all = get(&world, rest).await;
        assert_eq!(all.header("x-total-count"), "", "{rest}");
        assert_eq!(all.json().as_array().unwrap().len().to_string(), total, "{rest}");
        let one = get(&world, &format!("{rest}limit=1&offset=0&count=true")).await;
        assert_eq!((one.header("x-total-count"), &one.json()[0]), (total, &all.json()[0]), "{rest}");
        assert_eq!(one.json().as_array().unwrap().len(), 1, "{rest}");
        let beyond = get(&world, &format!("{rest}offset=250&count=true")).await;
        assert_eq!((beyond.header("x-total-count"), beyond.json()), (total, json!([])), "{rest}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let types = "expected one of accessProfile, account, app, entitlement, role";
    for (rest, expected) in [
        ("?limit=251", "limit is \"251\": expected a whole number from 0 to 250".to_owned()),
        ("?is-deleted=yes", "is-deleted is \"yes\": expected true or false".into()),
        (
            "/i1/access-items?type=roles",
            format!("type: \"roles\" is not a type of access item: the nearest name is \"role\"; {types}"),
        ),
        (
            "/i1/snapshots?start=today",
            "start is \"today\": expected a time such as 2026-03-31T12:00:00Z, or a date".into(),
        ),
        ("/i1/snapshots?interval=day", "interval has no start: expected the parameter start too".into()),
        (
            "/i1/snapshots?start=2026-01-01&interval=week",
            "interval is \"week\": expected day or month".into(),
        ),
        ("/i1/snapshots/newest", "date is \"newest\": expected a time such as".into()),
        ("/i1/snapshots/2026-02-30/access-items", "date is \"2026-02-30\": expected a time such as".into()),
        (
            "/i1/events?eventTypes=AccessAdded",
            "eventTypes has \"AccessAdded\", which is not a type of event".into(),
        ),
        (
            "/i1/events?accessItemTypes=account,x",
            format!("accessItemTypes: \"x\" is not a type of access item; {types}"),
        ),
        (
            "/i1/snapshot-summary?time-zone=Mars",
            "\"Mars\" is not a time zone: expected a name of the IANA".into(),
        ),
        // What the published SDKs send: they do not fill in this part of their path.
        (
            "/i1/compare/%7Baccess-type%7D",
            format!("the path: \"{{access-type}}\" is not a type of access item; {types}"),
        ),
        ("/i1/compare/role?snapshot1=x", "snapshot1 is \"x\": expected a time such as".into()),
        (
            "/i1/compare/role?access-associated=null",
            "access-associated is \"null\": expected true or false".into(),
        ),
    ] {
        let answer = get(&world, rest).await;
        assert_eq!(answer.status, 400, "{rest}: {}", answer.text());
        assert!(answer.cause().starts_with(&expected), "{rest}: {}", answer.cause());
    }
    world.maker.refuses.store(true, Ordering::SeqCst);
    let answer = get(&world, "/i1/events").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"));
}

#[tokio::test]
async fn a_limited_caller_asks_for_its_own_sources() {
    let world = World::new().await;
    let limited = Caller {
        data_scope: DataScope::of_sources(["s1"]).unwrap(),
        ..Caller {
            client: user_as("limited").client,
            ..build::user_with(Scope::IdentityHistoryRead, UserLevel::SourceAdmin)
        }
    };
    let unnamed =
        Caller { client: user_as("unnamed").client, data_scope: DataScope::Everything, ..limited.clone() };
    for caller in [&limited, &unnamed] {
        world.credential(caller.clone(), true).await;
    }
    let ask = async |caller: &Caller, rest: &str| {
        let bearer = world.bearer(caller);
        let line = format!("GET /v2025/historical-identities{rest}");
        world.ask(&line, &[("authorization", bearer.as_str())], "").await
    };
    assert_eq!(ask(&limited, "").await.json()[0]["firstName"], "acme sources s1");
    assert_eq!(ask(&limited, "/i1/events").await.status, 200);
    let (scope, _) = world.maker.span.lock().unwrap().clone().unwrap();
    assert_eq!(scope, limited.data_scope);
    for rest in ["", "/i1", "/i1/events", "/i1/compare", "/i1/snapshots/2026-02-01/access-items"] {
        let refused = ask(&unnamed, rest).await;
        assert_eq!(refused.status, 403, "{rest}");
        assert!(refused.cause().starts_with("the caller may see rows of named sources only"), "{rest}");
    }
    // The published document gives this operation to three levels, and this is none of them.
    assert!(ask(&limited, "/i1/access-items").await.cause().starts_with("the user has none of the levels"));
    let refusals = world.store.recorded(AuditOperation::Refused);
    let details: Vec<_> = refusals.iter().map(|event| event.details.split(':').next().unwrap()).collect();
    assert_eq!(details, ["read_history", "list_access"]);
}
