//! Scheduled searches over HTTP.

use crate::saved_searches::{person, whole};
use crate::world::{Answer, World};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::UserLevel;
use muster_reports::ports::{Clock, ScheduleStore};
use muster_testkit::build;
use serde_json::{Value, json};

const PREFIXES: [&str; 5] = [
    "/v3/scheduled-searches",
    "/v2024/scheduled-searches",
    "/v2025/scheduled-searches",
    "/v2026/scheduled-searches",
    "/scheduled-searches/v1",
];
const V3: &str = "/v3/scheduled-searches";

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

/// The id of a saved search of the caller.
async fn saved(world: &World, caller: &Caller) -> String {
    let made = ask(world, caller, "POST /v3/saved-searches", &whole()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

/// The published example of a daily search.
fn daily(saved: &str) -> Value {
    json!({
        "savedSearchId": saved, "enabled": true,
        "schedule": {"type": "DAILY", "hours": {"type": "LIST", "values": ["9"]}},
        "recipients": [{"type": "IDENTITY", "id": "i1"}],
    })
}

fn with(mut body: Value, change: &Value) -> Value {
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_search_is_scheduled_changed_and_removed_in_every_version() {
    let world = World::new().await;
    let ada = build::user();
    let owner = ada.user.as_ref().unwrap().id.clone();
    let saved = saved(&world, &ada).await;
    for prefix in PREFIXES {
        let made = ask(&world, &ada, &format!("POST {prefix}"), &daily(&saved)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let now = "2026-03-02T09:00:00.000Z";
        let expected = json!({
            "id": made.json()["id"], "owner": {"type": "IDENTITY", "id": owner}, "ownerId": owner,
            "name": null, "description": null, "savedSearchId": saved, "created": now, "modified": now,
            // The service's time zone in these tests.
            "schedule": {
                "type": "DAILY", "hours": {"type": "LIST", "values": ["9"]}, "timeZoneId": "Europe/Berlin",
            },
            "recipients": [{"type": "IDENTITY", "id": "i1"}],
            "enabled": true, "emailEmptyResults": false, "displayQueryDetails": false,
        });
        assert_eq!(made.json(), expected, "{prefix}");
        let path = format!("{prefix}/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.json(), expected);
        assert_eq!(ask(&world, &ada, &format!("GET {prefix}"), &Value::Null).await.json(), json!([expected]));

        // Underneath, it is a schedule. It is ten o'clock in Berlin.
        let schedules = ask(&world, &ada, "GET /muster/v1/schedules", &Value::Null).await.json();
        assert_eq!(schedules[0]["id"], expected["id"]);
        assert_eq!(
            (&schedules[0]["reportId"], &schedules[0]["nextRun"]),
            (&json!("SEARCH_EXPORT"), &json!("2026-03-03T08:00:00.000Z"))
        );

        let weekly = json!({
            "name": "Weekly", "emailEmptyResults": true,
            "schedule": {
                "type": "WEEKLY", "hours": {"type": "RANGE", "values": ["9", "18"], "interval": 3},
                "days": {"type": "LIST", "values": ["MON", "FRI"]}, "timeZoneId": "UTC",
            },
        });
        let put = ask(&world, &ada, &format!("PUT {path}"), &with(expected.clone(), &weekly)).await;
        assert_eq!(put.json(), with(expected.clone(), &weekly), "{}", put.text());
        let operations = json!([
            {"op": "replace", "path": "/enabled", "value": false},
            {"op": "replace", "path": "/schedule/hours/values/0", "value": "10"},
            {"op": "remove", "path": "/name"},
            {"op": "add", "path": "/displayQueryDetails", "value": true},
        ]);
        let patched = ask(&world, &ada, &format!("PATCH {path}"), &operations).await.json();
        assert_eq!(patched["schedule"]["hours"]["values"], json!(["10", "18"]));
        assert_eq!((&patched["enabled"], &patched["name"]), (&json!(false), &Value::Null));
        assert_eq!(patched["displayQueryDetails"], json!(true));
        let entry = &world.store.schedules(&build::tenant()).await.unwrap()[0];
        assert_eq!((entry.paused, entry.due), (true, None), "nothing falls due");
        let [told] = entry.notify.as_slice() else { panic!("one recipient: {:?}", entry.notify) };
        assert_eq!(told.to.address(), "ann@example.com");
        assert_eq!((told.empty_results, told.query_details, told.attach), (true, true, None));

        assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), &Value::Null).await.status, 204);
        assert_eq!(ask(&world, &ada, &format!("GET {path}"), &Value::Null).await.status, 404);
    }
    let told: Vec<_> = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = told.iter().skip(1).take(4).map(|event| event.details.as_str()).collect();
    assert_eq!(
        told,
        [
            "scheduled search added: DAILY hours 9 Europe/Berlin",
            "scheduled search changed: WEEKLY days MON,FRI hours 9-18/3 UTC",
            "scheduled search changed: WEEKLY days MON,FRI hours 10-18/3 UTC",
            "scheduled search removed",
        ]
    );
}

/// The examples of the published document.
#[tokio::test]
async fn every_published_kind_of_schedule_is_taken() {
    let world = World::new().await;
    let ada = build::user();
    let saved = saved(&world, &ada).await;
    let hours = json!({"type": "LIST", "values": ["9"]});
    let days = |values: &[&str]| json!({"type": "LIST", "values": values});
    for (schedule, due) in [
        (json!({"type": "DAILY", "hours": hours}), "2026-03-03T08:00:00Z"),
        (
            json!({"type": "WEEKLY", "hours": hours, "days": {"type": "RANGE", "values": ["WED", "SUN"]}}),
            "2026-03-04T08:00:00Z",
        ),
        (
            json!({"type": "MONTHLY", "hours": hours, "days": days(&["1", "7", "14", "L"])}),
            "2026-03-07T08:00:00Z",
        ),
        (
            json!({"type": "ANNUALLY", "hours": hours, "days": days(&["L"]), "months": {"type": "RANGE", "values": ["1", "12"], "interval": 3}}),
            "2026-04-30T07:00:00Z",
        ),
        (
            json!({"type": "CALENDAR", "hours": hours, "days": days(&["2026-01-22", "2026-12-24"])}),
            "2026-12-24T08:00:00Z",
        ),
        (
            json!({"type": "DAILY", "hours": hours, "timeZoneId": "America/Chicago", "expiration": "2026-03-02T15:00:00Z"}),
            "2026-03-02T15:00:00Z",
        ),
    ] {
        let body = with(daily(&saved), &json!({ "schedule": schedule }));
        let made = ask(&world, &ada, &format!("POST {V3}"), &body).await;
        assert_eq!(made.status, 201, "{schedule}: {}", made.text());
        let entry = &world.store.schedules(&build::tenant()).await.unwrap()[0];
        assert_eq!(entry.due, Some(due.parse().unwrap()), "{schedule}");
        let path = format!("{V3}/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), &Value::Null).await.status, 204);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let world = World::new().await;
    let ada = build::user();
    let saved = saved(&world, &ada).await;
    for (change, status, expected) in [
        (json!({"savedSearch": "x"}), 400, "the body has the unknown member \"savedSearch\""),
        (json!({"savedSearchId": null}), 400, "savedSearchId is missing"),
        (json!({"savedSearchId": "none"}), 404, "there is no saved search \"none\""),
        (json!({"recipients": null}), 400, "recipients is missing"),
        (json!({"recipients": [{"type": "IDENTITY", "id": "nobody"}]}), 400, "recipient \"nobody\""),
        (json!({"schedule": null}), 400, "schedule is missing"),
        (json!({"schedule": {"cron": "0 6 * * *"}}), 400, "schedule.cron is not published"),
        (json!({"schedule": {"hours": {"type": "LIST", "values": ["9"]}}}), 400, "schedule.type is missing"),
        (json!({"schedule": {"type": "HOURLY"}}), 400, "schedule: unknown variant `HOURLY`"),
        (json!({"schedule": {"type": "DAILY"}}), 400, "schedule.hours: a DAILY schedule needs it"),
        (
            json!({"schedule": {"type": "DAILY", "hours": {"type": "LIST", "values": ["24"]}}}),
            400,
            "schedule.hours: \"24\" is not valid",
        ),
        (
            json!({"schedule": {"type": "CALENDAR", "days": {"type": "LIST", "values": ["2026-03-01"]}, "hours": {"type": "LIST", "values": ["9"]}}}),
            400,
            "schedule: CALENDAR days 2026-03-01 hours 9 Europe/Berlin has no time to come",
        ),
        (json!({"enabled": "yes"}), 400, "enabled is a text: expected true or false"),
    ] {
        let refused = ask(&world, &ada, &format!("POST {V3}"), &with(daily(&saved), &change)).await;
        assert_eq!(refused.status, status, "{change}: {}", refused.text());
        assert!(refused.cause().starts_with(expected), "{change}: {}", refused.cause());
    }
    assert!(world.store.schedules(&build::tenant()).await.unwrap().is_empty());
    for _ in 0..10 {
        assert_eq!(ask(&world, &ada, &format!("POST {V3}"), &daily(&saved)).await.status, 201);
    }
    let refused = ask(&world, &ada, &format!("POST {V3}"), &daily(&saved)).await;
    assert!(refused.cause().starts_with("the saved search has 10 scheduled searches already"));
}

#[tokio::test]
async fn one_sees_own_scheduled_searches_and_a_recipient_unsubscribes() {
    let world = World::new().await;
    let (rosa, i1) = (person("rosa", UserLevel::ReportAdmin), person("i1", UserLevel::User));
    let karl = person("karl", UserLevel::ReportAdmin);
    for caller in [&rosa, &i1, &karl] {
        world.credential(caller.clone(), true).await;
    }
    let saved = saved(&world, &rosa).await;
    let made = ask(&world, &rosa, &format!("POST {V3}"), &daily(&saved)).await.json();
    let path = format!("{V3}/{}", made["id"].as_str().unwrap());
    // Somebody else's saved search cannot be scheduled.
    assert_eq!(ask(&world, &karl, &format!("POST {V3}"), &daily(&saved)).await.status, 404);
    for (caller, sees) in [(&rosa, true), (&karl, false), (&i1, false), (&build::user(), true)] {
        for (query, sees) in [
            ("", sees),
            ("&filters=owner.id%20eq%20%22rosa%22", sees),
            ("&filters=owner.id%20eq%20%22karl%22", false),
            (&format!("&filters=savedSearchId%20eq%20%22{saved}%22"), sees),
            ("&filters=savedSearchId%20eq%20%22none%22", false),
            ("&offset=1", sees),
        ] {
            let answer = ask(&world, caller, &format!("GET {V3}?count=true{query}"), &Value::Null).await;
            assert_eq!(answer.header("x-total-count"), if sees { "1" } else { "0" }, "{query}");
            let shown = usize::from(sees && !query.contains("offset"));
            assert_eq!(answer.json().as_array().map(Vec::len), Some(shown), "{query}");
        }
        let status = if sees { 200 } else { 404 };
        assert_eq!(ask(&world, caller, &format!("GET {path}"), &Value::Null).await.status, status);
    }
    let line = format!("POST {path}/unsubscribe");
    let recipient = |id: &str| json!({"type": "IDENTITY", "id": id});
    assert_eq!(ask(&world, &karl, &line, &recipient("i1")).await.status, 404);
    let absent = ask(&world, &rosa, &line, &recipient("i2")).await;
    assert_eq!(absent.cause(), "the scheduled search has no recipient \"i2\"");
    assert_eq!(ask(&world, &i1, &line, &recipient("i1")).await.status, 204);
    assert_eq!(
        ask(&world, &rosa, &format!("GET {path}"), &Value::Null).await.json()["recipients"],
        json!([])
    );
    assert_eq!(ask(&world, &i1, &line, &recipient("i1")).await.status, 404);
}

#[tokio::test]
async fn a_scheduled_search_is_executed_at_once() {
    let world = World::new().await;
    let ada = build::user();
    let (saved, other) = (saved(&world, &ada).await, saved(&world, &ada).await);
    let disabled = with(daily(&saved), &json!({"enabled": false}));
    let made = ask(&world, &ada, &format!("POST {V3}"), &disabled).await.json();
    let body = json!({"scheduleId": made["id"]});
    let refused = ask(&world, &ada, &format!("POST /v3/saved-searches/{other}/execute"), &body).await;
    assert!(refused.cause().ends_with("expected a scheduled search of this saved search"));
    let line = format!("POST /v3/saved-searches/{saved}/execute");
    assert_eq!(ask(&world, &ada, &line, &body).await.status, 202);
    let entry = &world.store.schedules(&build::tenant()).await.unwrap()[0];
    let runs = world.store.runs_of(&build::tenant(), &entry.id, 9).await.unwrap();
    assert_eq!((runs.len(), runs[0].due), (1, world.clock.now()));
    assert_eq!(ask(&world, &ada, &line, &body).await.status, 400, "one goes on");
}
