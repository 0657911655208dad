//! What an auditor sees: named reports, snapshots of a period, until a time.

use crate::world::{ACCOUNTS, Answer, SECRET, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::caller::UserLevel;
use muster_reports::ids::{ClientId, ReportId};
use muster_reports::ports::Clock;
use muster_testkit::build;
use serde_json::{Value, json};

const SECOND: &str = "0000000000000000000000000000aaaa";
const THIRD: &str = "0000000000000000000000000000bbbb";

/// Snapshots of the 2nd (`snapshot-1`), 3rd and 4th of March 2026, each at nine, and an auditor of the 3rd.
async fn world() -> (World, Caller) {
    let world = World::new().await;
    for (id, days) in [(SECOND, 1), (THIRD, 2)] {
        let manifest = build::manifest(id, world.clock.now() + TimeDelta::days(days));
        world.store.put_snapshot(&build::tenant(), &manifest);
    }
    let day = world.clock.now() + TimeDelta::days(1);
    let auditor = build::auditor(day, day + TimeDelta::hours(1));
    world.credential(auditor.clone(), true).await;
    (world, auditor)
}

async fn ask(world: &World, caller: &Caller, line: &str, body: Value) -> Answer {
    let bearer = world.bearer(caller);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.ask(line, &headers, body).await
}

/// Starts a report over a snapshot as the administrator, and ends it.
async fn finished(world: &World, report: &str, as_of: &str) -> String {
    let arguments = match report {
        "ACCOUNTS" => json!({"application": build::SOURCE, "sourceName": "Active Directory"}),
        "leavers" => json!({"since": "2026"}),
        _ => json!({}),
    };
    let line = format!("POST /muster/v1/reports/{report}/run");
    let started = world.ask_as_user(&line, &json!({"arguments": arguments, "asOf": as_of}).to_string()).await;
    assert_eq!(started.status, 200, "{}", started.text());
    world.finish(b"x", Vec::new()).await;
    started.json()["id"].as_str().unwrap().to_owned()
}

fn ids(list: &Answer) -> Vec<String> {
    list.json().as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn results_of_other_reports_and_other_times_are_not_there() {
    let (world, auditor) = world().await;
    let before = finished(&world, "ACCOUNTS", "2026-03-02").await;
    let within = finished(&world, "ACCOUNTS", SECOND).await;
    let after = finished(&world, "ACCOUNTS", THIRD).await;
    let other = finished(&world, "IDENTITIES", SECOND).await;
    let named = finished(&world, "leavers", SECOND).await;
    for (id, seen) in [(&before, false), (&within, true), (&after, false), (&other, false), (&named, true)] {
        let result = ask(&world, &auditor, &format!("GET /v2024/reports/{id}/result"), Value::Null).await;
        assert_eq!(result.text() != "{}", seen, "{id}");
        let refused = if seen { 200 } else { 404 };
        for line in [
            format!("GET /v2024/reports/{id}?fileFormat=CSV"),
            format!("GET /muster/v1/reports/{id}/result"),
            format!("GET /reports/v1/{id}/cover"),
            format!("GET /muster/v1/reports/{id}/evidence"),
            format!("GET /muster/v1/reports/{id}/files/csv"),
        ] {
            assert_eq!(ask(&world, &auditor, &line, Value::Null).await.status, refused, "{line}");
        }
        let compared = format!("GET /muster/v1/reports/{within}/compare/{id}");
        let expected = match (seen, id == &named) {
            (false, _) => 404,
            (true, true) => 400,
            (true, false) => 200,
        };
        assert_eq!(ask(&world, &auditor, &compared, Value::Null).await.status, expected, "{compared}");
    }
    let list = ask(&world, &auditor, "GET /muster/v1/results", Value::Null).await;
    assert_eq!(ids(&list), [named, within]);
    let reports = ask(&world, &auditor, "GET /muster/v1/reports", Value::Null).await;
    assert_eq!(ids(&reports), ["ACCOUNTS", "leavers"]);
    let snapshots = ask(&world, &auditor, "GET /muster/v1/snapshots", Value::Null).await;
    assert_eq!(ids(&snapshots), [SECOND]);
    let sources = ask(&world, &auditor, "GET /muster/v1/sources", Value::Null).await.json();
    // The sources as that snapshot has them, not as the newest has them.
    assert_eq!(sources[0]["ended"], "2026-03-03T09:00:00.000Z");
}

/// The last hundred runs may all be of another time.
#[tokio::test]
async fn the_list_has_old_runs_behind_many_others() {
    let (world, auditor) = world().await;
    let within = finished(&world, "ACCOUNTS", SECOND).await;
    for _ in 0..101 {
        finished(&world, "IDENTITIES", THIRD).await;
        world.clock.advance(TimeDelta::seconds(1));
    }
    let list = ask(&world, &auditor, "GET /muster/v1/results", Value::Null).await;
    assert_eq!(ids(&list), [within]);
}

#[tokio::test]
async fn a_run_is_of_a_named_report_and_of_the_period() {
    let (world, auditor) = world().await;
    let run = |report: &str| format!("POST /muster/v1/reports/{report}/run");
    let since = json!({"since": "2026"});
    let refused = "an auditor may see the named reports only: expected one of ACCOUNTS, leavers";
    let outside = "the snapshot is not of the auditor's period: expected one of 2026-03-03T09:00:00Z to \
        2026-03-03T10:00:00Z, named by asOf";
    for (report, body, status, cause) in [
        ("leavers", json!({"arguments": since, "asOf": SECOND}), 200, ""),
        ("leavers", json!({"arguments": since, "asOf": "2026-03-03"}), 200, ""),
        ("leavers", json!({"arguments": since}), 403, outside),
        ("leavers", json!({"arguments": since, "asOf": THIRD}), 403, outside),
        ("leavers", json!({"arguments": since, "asOf": "2026-03-02"}), 403, outside),
        ("IDENTITIES", json!({"asOf": SECOND}), 403, refused),
        (
            "leavers",
            json!({"arguments": since, "asOf": SECOND, "notify": [{"email": "a@example.com"}]}),
            403,
            "an auditor may not have others told: expected no notify",
        ),
    ] {
        let answer = ask(&world, &auditor, &run(report), body.clone()).await;
        let found = if answer.status == 200 { String::new() } else { answer.cause() };
        assert_eq!((answer.status.as_u16(), found.as_str()), (status, cause), "{report} {body}");
    }
    // The published operation reads the newest snapshot.
    let body = serde_json::from_str(ACCOUNTS).unwrap();
    assert_eq!(ask(&world, &auditor, "POST /v2024/reports/run", body).await.cause(), outside);
}

/// An equal run over the snapshot before, which is not of the period, is not handed to him.
#[tokio::test]
async fn a_live_run_of_another_time_is_not_joined() {
    let world = World::new().await;
    let first = world.start().await;
    let next = build::manifest(SECOND, world.clock.now() + TimeDelta::days(1));
    world.store.put_snapshot(&build::tenant(), &next);
    let auditor = build::auditor(next.created, next.created);
    world.credential(auditor.clone(), true).await;
    let body: Value = serde_json::from_str(ACCOUNTS).unwrap();
    let answer = ask(&world, &auditor, "POST /v2024/reports/run", body.clone()).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains(&first), "{}", answer.text());
    world.finish(b"x", Vec::new()).await;
    assert_eq!(ask(&world, &auditor, "POST /v2024/reports/run", body).await.status, 200);
}

/// He is told his limits.
#[tokio::test]
async fn an_auditor_knows_his_limits() {
    let (world, auditor) = world().await;
    let told = ask(&world, &auditor, "GET /muster/v1/caller", Value::Null).await.json();
    let expected = json!({
        "client": "client-of-an-auditor", "name": "ada.lovelace", "user": true, "levels": ["AUDITOR"],
        "scopes": ["sp:scopes:all"],
        "auditor": {
            "from": "2026-03-03T09:00:00.000Z", "to": "2026-03-03T10:00:00.000Z", "reports": ["ACCOUNTS", "leavers"],
            "ends": "2026-04-02T10:00:00.000Z",
        },
    });
    assert_eq!(told, expected);
    let job = ask(&world, &build::application(), "GET /muster/v1/caller", Value::Null).await.json();
    let expected = json!({
        "client": "client-of-a-job", "name": "client-of-a-job", "user": false, "levels": [],
        "scopes": ["sp:scopes:all"],
    });
    assert_eq!(job, expected);
}

/// After the end: no token, no use of a live one, also of one that claims to hold longer.
#[tokio::test]
async fn access_ends() {
    let (world, auditor) = world().await;
    let client = auditor.client.as_str();
    let ends = auditor.auditor().unwrap().ends;
    let credentials = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let token = async || world.ask("POST /oauth/token", &form, credentials.clone()).await;
    world.clock.set(ends - TimeDelta::seconds(90));
    let granted = token().await.json();
    assert_eq!(granted["expires_in"], 90, "it holds until the end of access");
    let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
    let use_it =
        async || world.ask("GET /muster/v1/results", &[("authorization", bearer.as_str())], "").await.status;
    assert_eq!(use_it().await, 200);
    world.clock.set(ends);
    assert_eq!(use_it().await, 401);
    let refused = token().await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"].as_str()),
        (400, Some("unauthorized_client"))
    );
    let why = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(why.starts_with("the auditor's access has ended at 2026-04-02T10:00:00"), "{why}");
    // The wrong secret learns nothing.
    let wrong = credentials.replace(SECRET, "wrong");
    let wrong = world.ask("POST /oauth/token", &form, wrong).await.json();
    assert_eq!(wrong["error_description"], "unknown client, wrong secret, or disabled client");
}

/// A level without limits, as a token of an outside issuer may have it.
#[tokio::test]
async fn the_level_alone_gives_nothing() {
    let world = World::new().await;
    let mut bare = Caller { client: ClientId::new("bare"), ..build::user() };
    bare.user.as_mut().unwrap().levels = vec![UserLevel::OrgAdmin, UserLevel::Auditor];
    world.credential(bare.clone(), true).await;
    for line in ["GET /muster/v1/results", "GET /task-status/v1", "GET /muster/v1/schedules"] {
        let answer = ask(&world, &bare, line, Value::Null).await;
        assert_eq!(answer.status, 403, "{line}");
        assert!(answer.cause().starts_with("the level AUDITOR needs"), "{}", answer.cause());
    }
}

/// A period may begin before the auditor's, and then it shows what he may not see.
#[tokio::test]
async fn the_beginning_of_a_report_over_a_period_is_of_the_auditors_period_too() {
    let (world, _) = world().await;
    let day = world.clock.now() + TimeDelta::days(1);
    let mut auditor = build::auditor(day, day + TimeDelta::days(2));
    auditor.client = ClientId::new("client-of-another-auditor");
    let limits = auditor.user.as_mut().unwrap().audit.as_mut().unwrap();
    limits.reports.insert(ReportId::new("ACCESS_CHANGES"));
    world.credential(auditor.clone(), true).await;
    let run = "POST /muster/v1/reports/ACCESS_CHANGES/run";
    let outside = ask(&world, &auditor, run, json!({"arguments": {"since": "2026-03-02"}})).await;
    assert_eq!(outside.status, 403, "{}", outside.text());
    let body = json!({"arguments": {"since": "2026-03-02"}}).to_string();
    let of_others = world.ask_as_user(run, &body).await.json()["id"].as_str().unwrap().to_owned();
    world.finish(b"x", Vec::new()).await;
    let within = ask(&world, &auditor, run, json!({})).await;
    assert_eq!(within.status, 200, "{}", within.text());
    let within = within.json()["id"].as_str().unwrap().to_owned();
    world.finish(b"x", Vec::new()).await;
    for (id, status) in [(&of_others, 404), (&within, 200)] {
        let line = format!("GET /muster/v1/reports/{id}/files/csv");
        assert_eq!(ask(&world, &auditor, &line, Value::Null).await.status, status, "{id}");
    }
    let list = ask(&world, &auditor, "GET /muster/v1/results", Value::Null).await;
    assert_eq!(ids(&list), [within]);
}
