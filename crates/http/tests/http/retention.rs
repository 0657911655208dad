//! Results whose files expire or are held, over HTTP.

use crate::world::{ACCOUNTS, World};
use chrono::TimeDelta;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, ResultRetention};
use muster_reports::result_life::ResultPolicy;
use muster_reports::retention::Pin;
use muster_reports::service::Limits;
use muster_testkit::{acts, build};
use serde_json::json;

const POLICY: ResultPolicy = ResultPolicy { keep_days: Some(30), keep_last: 1 };

/// A world with two results of one report: the earlier one and the later one.
async fn world() -> (World, String, String) {
    let world = World::with_limits(Limits { results: POLICY, ..Limits::default() }).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let bearer = world.bearer(&build::user());
        let started = world.ask("POST /v3/reports/run", &[("authorization", &bearer)], ACCOUNTS).await;
        world.finish(b"x", Vec::new()).await;
        ids.push(started.json()["id"].as_str().unwrap().to_owned());
    }
    let later = ids.pop().unwrap();
    (world, ids.pop().unwrap(), later)
}

async fn get(world: &World, path: &str) -> crate::world::Answer {
    let bearer = world.bearer(&build::user());
    world.ask(&format!("GET {path}"), &[("authorization", &bearer)], "").await
}

#[tokio::test]
async fn an_answer_says_how_long_files_are_kept() {
    let (world, old, new) = world().await;
    // The earlier one ended 342 ms after the start of the test's time.
    let expires = "2026-04-01T09:00:00.342Z";
    let list = get(&world, "/muster/v1/results").await.json();
    assert_eq!((&list[0]["id"], &list[0]["expires"]), (&json!(new), &json!(null)), "it is the newest");
    assert_eq!((&list[1]["id"], &list[1]["expires"]), (&json!(old), &json!(expires)));
    let task = get(&world, &format!("/muster/v1/reports/{old}/result")).await.json();
    assert_eq!(task["attributes"]["expires"], expires);

    let hold = Pin { by: "ada".into(), reason: "case 7".into(), at: world.clock.now() };
    let event = acts::event(AuditOperation::ResultHeld, &build::tenant(), world.clock.now());
    let event = AuditEvent { task: TaskId::new(&old), ..event };
    world.store.hold(&event, Some(&hold)).await.unwrap();
    let held = json!({"by": "ada", "reason": "case 7", "at": "2026-03-02T09:00:00.684Z"});
    let list = get(&world, "/muster/v1/results").await.json();
    assert_eq!((&list[1]["expires"], &list[1]["hold"]), (&json!(null), &held));
    let task = get(&world, &format!("/muster/v1/reports/{old}/result")).await.json();
    assert_eq!(task["attributes"]["hold"], held);
    // The published answers stay as they are.
    let published = get(&world, &format!("/v3/reports/{old}/result")).await.json();
    assert_eq!(published["availableFormats"], json!(["CSV"]));
    assert!(published.get("hold").is_none() && published.get("expires").is_none());
}

#[tokio::test]
async fn an_expired_file_is_not_found_and_its_record_stays() {
    let (world, old, new) = world().await;
    let now = world.clock.advance(TimeDelta::days(30));
    let expired = world.store.expire_results(&build::tenant(), POLICY, now, 10).await.unwrap();
    assert_eq!(expired, [TaskId::new(&old)]);
    for path in [
        format!("/v3/reports/{old}?fileFormat=csv"),
        format!("/muster/v1/reports/{old}/files/csv"),
        format!("/muster/v1/reports/{old}/evidence"),
        format!("/muster/v1/reports/{old}/compare/{new}"),
    ] {
        let answer = get(&world, &path).await;
        assert_eq!(answer.status, 404, "{path}");
        let expected =
            format!("report result {old} expired at 2026-04-01T09:00:00Z: its files are not kept any more");
        assert_eq!(answer.cause(), expected, "{path}");
    }
    let published = get(&world, &format!("/v3/reports/{old}/result")).await.json();
    assert_eq!((&published["status"], &published["availableFormats"]), (&json!("SUCCESS"), &json!([])));
    assert_eq!(get(&world, &format!("/v3/reports/{old}/cover")).await.status, 200, "the cover stays");
    let task = get(&world, &format!("/muster/v1/reports/{old}/result")).await.json();
    assert_eq!(task["attributes"]["expired"], "2026-04-01T09:00:00.684Z");
    assert_eq!(get(&world, &format!("/v3/reports/{new}?fileFormat=csv")).await.status, 200);
}
