//! Schedules over HTTP.

use crate::world::{Answer, World, user_as};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{UserIdentity, UserLevel};
use muster_reports::ports::{Clock, ScheduleStore};
use muster_testkit::build;
use serde_json::{Value, json};

const MORNING: &str = r#"{"name":"Morning","reportId":"IDENTITIES","arguments":{"correlatedOnly":true},
    "schedule":{"cron":"0 6 * * MON-FRI"}}"#;

async fn ask(world: &World, caller: &Caller, line: &str, body: &str) -> Answer {
    let bearer = world.bearer(caller);
    world
        .ask(
            line,
            &[("authorization", bearer.as_str()), ("content-type", "application/json")],
            body.to_owned(),
        )
        .await
}

/// A user who may start reports and administers nothing.
fn reporter(client: &str) -> Caller {
    let user = UserIdentity {
        id: "r".into(),
        name: "rosa".into(),
        levels: vec![UserLevel::ReportAdmin],
        audit: None,
    };
    Caller { user: Some(user), ..user_as(client) }
}

#[tokio::test]
async fn a_schedule_is_made_shown_paused_run_and_deleted() {
    let world = World::new().await;
    let ada = build::user();
    let made = ask(&world, &ada, "POST /muster/v1/schedules", MORNING).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut expected = json!({
        "id": made.json()["id"],
        "name": "Morning",
        "owner": "ada.lovelace",
        "clientId": "client-of-ada",
        "reportId": "IDENTITIES",
        "arguments": {"correlatedOnly": true},
        "refresh": false,
        // The service's time zone in these tests.
        "schedule": {"cron": "0 6 * * MON-FRI", "timeZoneId": "Europe/Berlin"},
        "notify": [],
        "paused": false,
        "created": "2026-03-02T09:00:00.000Z",
        // It is Monday, ten o'clock in Berlin.
        "nextRun": "2026-03-03T05:00:00.000Z",
    });
    assert_eq!(made.json(), expected);
    assert_eq!(ask(&world, &ada, "GET /muster/v1/schedules", "").await.json(), json!([expected]));
    let path = format!("/muster/v1/schedules/{}", made.json()["id"].as_str().unwrap());
    let paused = ask(&world, &ada, &format!("PATCH {path}"), r#"{"paused":true}"#).await;
    assert_eq!((paused.status.as_u16(), &paused.json()["paused"]), (200, &json!(true)));
    assert!(paused.json().get("nextRun").is_none());

    world.clock.advance(TimeDelta::minutes(30));
    let run = ask(&world, &ada, &format!("POST {path}/run"), "").await.json();
    let due = "2026-03-02T09:30:00.000Z";
    assert_eq!(run, json!({"due": due, "state": "waiting", "attempts": 0}));
    let again = ask(&world, &ada, &format!("POST {path}/run"), "").await;
    assert_eq!(
        (again.status.as_u16(), again.cause().as_str()),
        (400, "a run of the schedule goes on: expected none")
    );
    expected["paused"] = json!(true);
    expected["runs"] = json!([run]);
    expected.as_object_mut().unwrap().remove("nextRun");
    assert_eq!(ask(&world, &ada, &format!("GET {path}"), "").await.json(), expected);
    let resumed = ask(&world, &ada, &format!("PATCH {path}"), r#"{"paused":false}"#).await.json();
    assert_eq!(resumed["nextRun"], "2026-03-03T05:00:00.000Z");

    assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), "").await.status, 204);
    assert_eq!(ask(&world, &ada, &format!("DELETE {path}"), "").await.status, 404);
    let told: Vec<_> = world.store.recorded(AuditOperation::ConfigurationChanged);
    let told: Vec<_> = told.iter().map(|event| (event.report.as_str(), event.details.as_str())).collect();
    let details = [
        "schedule added: 0 6 * * MON-FRI Europe/Berlin",
        "schedule paused",
        "schedule run by hand",
        "schedule resumed",
        "schedule removed",
    ];
    assert_eq!(told, details.map(|details| ("Morning", details)));
}

#[tokio::test]
async fn one_sees_own_schedules_and_an_administrator_all() {
    let world = World::new().await;
    let (rosa, other) = (reporter("client-of-rosa"), reporter("client-of-another"));
    for caller in [&rosa, &other] {
        world.credential(caller.clone(), true).await;
    }
    let made = ask(&world, &rosa, "POST /muster/v1/schedules", MORNING).await.json();
    let path = format!("/muster/v1/schedules/{}", made["id"].as_str().unwrap());
    for (caller, sees) in
        [(&rosa, true), (&other, false), (&build::user(), true), (&build::application(), false)]
    {
        let list = ask(&world, caller, "GET /muster/v1/schedules", "").await.json();
        assert_eq!(list.as_array().map(Vec::len), Some(usize::from(sees)), "{}", caller.client);
        let status = if sees { 200 } else { 404 };
        assert_eq!(ask(&world, caller, &format!("GET {path}"), "").await.status, status, "{}", caller.client);
        let change = ask(&world, caller, &format!("PATCH {path}"), r#"{"paused":false}"#).await;
        assert_eq!(change.status, status, "{}", caller.client);
    }
    let taken = ask(&world, &other, "POST /muster/v1/schedules", MORNING).await;
    assert_eq!((taken.status.as_u16(), taken.cause().contains("\"Morning\" already")), (400, true));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let world = World::new().await;
    let ada = build::user();
    let body = |change: &dyn Fn(&mut Value)| {
        let mut body: Value = serde_json::from_str(MORNING).unwrap();
        change(&mut body);
        body.to_string()
    };
    for (body, expected) in [
        (String::new(), "reportId is missing: expected a text"),
        (body(&|body| body["nam"] = json!(1)), "the body has the unknown member \"nam\""),
        (body(&|body| body["name"] = json!(7)), "name is a number: expected a text"),
        (body(&|body| body["name"] = json!("x".repeat(51))), "expected a name of 1 to 50 characters"),
        (body(&|body| body["arguments"] = json!({"correlatedOnly": "x"})), "correlatedOnly"),
        (body(&|body| body["schedule"] = json!("daily")), "schedule is a text: expected an object"),
        (body(&|body| body["schedule"] = json!({"cron": "0 25 * * *"})), "\"25\" is not valid as hour"),
        (body(&|body| body["schedule"] = json!({"cron": "0 6 * * *", "x": 1})), "unknown field `x`"),
        (body(&|body| body["schedule"]["timeZoneId"] = json!("Mars")), "schedule.timeZoneId: \"Mars\""),
        (
            body(&|body| body["schedule"]["expiration"] = json!("2020-01-01T00:00:00Z")),
            "0 6 * * MON-FRI Europe/Berlin has no time to come",
        ),
    ] {
        let answer = ask(&world, &ada, "POST /muster/v1/schedules", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.cause().contains(expected), "{body}: {}", answer.cause());
    }
    let unknown = body(&|body| body["reportId"] = json!("ACOUNTS"));
    let answer = ask(&world, &ada, "POST /muster/v1/schedules", &unknown).await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.cause().contains("there is no report \"ACOUNTS\": the nearest name is \"ACCOUNTS\""),
        "{}",
        answer.cause()
    );
    assert!(world.store.schedules(&build::tenant()).await.unwrap().is_empty());
    assert!(world.store.fall_due(world.clock.now() + TimeDelta::days(9)).await.unwrap().is_none());
}
