//! Notifications over HTTP: who is told, and what became of it.

use crate::world::{Answer, World, user_as};
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{UserIdentity, UserLevel};
use muster_reports::notification::DeliveryStep;
use muster_reports::notify::NotifyPolicy;
use muster_reports::ports::{Clock, NotificationStore};
use muster_reports::service::Limits;
use muster_testkit::build;
use serde_json::{Value, json};
use std::time::Duration;

async fn ask(world: &World, caller: &Caller, line: &str, body: &Value) -> Answer {
    let bearer = world.bearer(caller);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    world.ask(line, &headers, body.to_string()).await
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

async fn world() -> World {
    world_that_attaches(0).await
}

async fn world_that_attaches(attachment_bytes_max: u64) -> World {
    let notify = NotifyPolicy {
        email: true,
        domains: vec!["example.com".into()],
        attachment_bytes_max,
        internal_networks: false,
    };
    World::with_limits(Limits { notify, ..Limits::default() }).await
}

const RUN: &str = "POST /muster/v1/reports/IDENTITIES/run";
const LIST: &str = "GET /muster/v1/notifications";

#[tokio::test]
async fn the_recipients_of_a_start_are_told_how_it_ends() {
    let world = world().await;
    let (rosa, other) = (reporter("client-of-rosa"), reporter("client-of-other"));
    for caller in [&rosa, &other] {
        world.credential(caller.clone(), true).await;
    }
    let notify = json!([
        {"email": "ada@example.com", "on": ["success", "failure"], "queryDetails": true},
        {"webhook": "https://hooks.example.org/t/secret", "on": ["warning"]},
    ]);
    let started = ask(&world, &rosa, RUN, &json!({"notify": notify})).await;
    assert_eq!(started.status, 200, "{}", started.text());
    world.finish(b"x", Vec::new()).await;
    let listed = ask(&world, &rosa, LIST, &json!(null)).await.json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let expected = json!([{
        "id": id,
        "channel": "email",
        "recipient": "ada@example.com",
        "clientId": "client-of-rosa",
        "state": "waiting",
        "attempts": 0,
        "created": "2026-03-02T09:00:00.342Z",
        "next": "2026-03-02T09:00:00.342Z",
        "notice": {
            "type": "report.succeeded",
            "timestamp": "2026-03-02T09:00:00.342Z",
            "data": {
                "name": listed[0]["notice"]["data"]["name"],
                "reportId": "IDENTITIES",
                "taskResultId": started.json()["id"],
                "rows": 37,
                "files": [{
                    "format": "CSV",
                    "bytes": 1,
                    "rows": 37,
                    "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                }],
                "arguments": listed[0]["notice"]["data"]["arguments"],
            },
        },
    }]);
    assert_eq!(listed, expected);
    assert!(listed[0]["notice"]["data"]["arguments"].is_object());

    // Others do not see it; an administrator does.
    assert_eq!(ask(&world, &other, LIST, &json!(null)).await.json(), json!([]));
    assert_eq!(ask(&world, &build::user(), LIST, &json!(null)).await.json(), listed);
    let retry = format!("POST /muster/v1/notifications/{id}/retry");
    assert_eq!(ask(&world, &other, &retry, &json!(null)).await.status, 404);
    let early = ask(&world, &rosa, &retry, &json!(null)).await;
    let cause = format!("notification {id} is waiting: expected one that failed");
    assert_eq!((early.status.as_u16(), early.cause()), (400, cause));

    let lease = Duration::from_secs(60);
    let claim = world.store.claim_notification(world.clock.now(), lease).await.unwrap().unwrap();
    let failed = DeliveryStep::Failed { reason: "no such mailbox".into() };
    assert!(world.store.step_notification(&claim, &failed, world.clock.now()).await.unwrap());
    let listed = ask(&world, &rosa, LIST, &json!(null)).await.json();
    assert_eq!((&listed[0]["state"], &listed[0]["error"]), (&json!("failed"), &json!("no such mailbox")));
    let again = ask(&world, &rosa, &retry, &json!(null)).await.json();
    assert_eq!((&again["state"], &again["attempts"]), (&json!("waiting"), &json!(0)));
    let events = world.store.recorded(AuditOperation::ConfigurationChanged);
    assert_eq!(events.last().unwrap().details, format!("notification {id} sent again by hand"));
}

#[tokio::test]
async fn a_schedule_has_its_recipients_and_a_webhook_is_shown_without_its_path() {
    let world = world().await;
    let webhook = json!({"webhook": "https://hooks.example.org/t/secret", "on": ["failure", "change"],
        "emptyResults": false});
    let body = json!({"name": "Morning", "reportId": "IDENTITIES", "schedule": {"cron": "0 6 * * *"},
        "notify": [webhook]});
    let made = ask(&world, &build::user(), "POST /muster/v1/schedules", &body).await;
    let expected = json!([{"webhook": "https://hooks.example.org/t/secret", "on": ["failure", "change"],
        "emptyResults": false, "queryDetails": false}]);
    assert_eq!((made.status.as_u16(), &made.json()["notify"]), (201, &expected));
    let notify = json!([{"webhook": "https://hooks.example.org/t/secret"}]);
    ask(&world, &build::user(), RUN, &json!({"notify": notify})).await;
    world.finish(b"x", Vec::new()).await;
    let listed = ask(&world, &build::user(), LIST, &json!(null)).await;
    assert_eq!(listed.json()[0]["recipient"], "https://hooks.example.org");
    assert!(!listed.text().contains("secret"), "{}", listed.text());
}

/// It would be found out at the end of the run otherwise. Both operations refuse it: the argument is ours.
#[tokio::test]
async fn a_format_that_a_report_lacks_is_refused_at_the_start() {
    let world = world().await;
    let formats = r#""arguments":{"query":"*","extraFormats":["XLSX"]}}"#;
    for (line, body) in [
        ("POST /v2024/reports/run", format!(r#"{{"reportType":"SEARCH_EXPORT",{formats}"#)),
        ("POST /muster/v1/reports/SEARCH_EXPORT/run", format!("{{{formats}")),
    ] {
        let refused = world.ask_as_user(line, &body).await;
        let words = "does not have: it is written as CSV, in a zip archive";
        let cause = format!("argument \"extraFormats\" is about formats that SEARCH_EXPORT {words}");
        assert_eq!((refused.status.as_u16(), refused.cause()), (400, cause), "{line}");
    }
}

/// As above.
#[tokio::test]
async fn a_file_that_the_run_does_not_write_is_not_attached() {
    let world = world_that_attaches(1).await;
    let notify = json!([{"email": "ada@example.com", "attach": "XLSX"}]);
    let body = |arguments: Value| json!({"notify": notify, "arguments": arguments});
    let schedule = |arguments: Value| {
        json!({"name": "M", "reportId": "IDENTITIES", "schedule": {"cron": "0 6 * * *"}, "notify": notify,
            "arguments": arguments})
    };
    let (none, some) = (json!({}), json!({"extraFormats": ["XLSX"]}));
    for (line, without, with, status) in [
        (RUN, body(none.clone()), body(some.clone()), 200),
        ("POST /muster/v1/schedules", schedule(none), schedule(some), 201),
    ] {
        let refused = ask(&world, &build::user(), line, &without).await;
        let words = "attach is XLSX, which the report is not written in: expected one of CSV, PDF";
        assert_eq!(
            (refused.status.as_u16(), refused.cause()),
            (400, format!("notify[0]: {words}")),
            "{line}"
        );
        assert_eq!(ask(&world, &build::user(), line, &with).await.status, status, "{line}");
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_delivered_is_refused_with_its_place() {
    let world = world().await;
    let good = json!({"email": "ada@example.com"});
    for (notify, cause) in [
        (json!({"email": "a@b"}), "notify is an object: expected a list"),
        (
            json!([good, {"email": "a b@example.com"}]),
            "notify[1]: email is \"a b@example.com\": expected one address",
        ),
        (json!([{"email": "ada@example.org"}]), "notify[0]: \"ada@example.org\" is at none of the domains"),
        (json!([{"webhook": "http://example.com"}]), "notify[0]: the webhook has plain HTTP"),
        (json!([{"email": "ada@example.com", "attach": "CSV"}]), "notify[0]: files are not attached"),
        (json!([good, good]), "notify[1]: ada@example.com has an entry already"),
        (json!([{"email": "ada@example.com", "when": "now"}]), "notify[0]: unknown field `when`"),
    ] {
        let schedule = json!({"name": "M", "reportId": "IDENTITIES", "schedule": {"cron": "0 6 * * *"},
            "notify": notify});
        for (line, body) in [(RUN, json!({"notify": notify})), ("POST /muster/v1/schedules", schedule)] {
            let refused = ask(&world, &build::user(), line, &body).await;
            assert_eq!(refused.status, 400, "{line} {notify}");
            assert!(refused.cause().starts_with(cause), "{cause}: {}", refused.cause());
        }
    }
    assert_eq!(world.store.recorded(AuditOperation::Start).len(), 0);
}
