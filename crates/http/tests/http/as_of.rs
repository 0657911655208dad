//! Reports as of a past snapshot: our parameter on our route; the published operation reads the newest.

use crate::world::World;
use chrono::TimeDelta;
use muster_reports::ids::TaskId;
use muster_reports::ports::{Clock, TaskStore};
use muster_reports::retention::RetentionPolicy;
use muster_testkit::{acts, build};
use serde_json::{Value, json};

const OWN: &str = "POST /muster/v1/reports/IDENTITIES/run";
const OLD: &str = "0000000000000000000000000000aaaa";
const NEW: &str = "0000000000000000000000000000bbbb";

/// Three snapshots: the world's own "snapshot-1" of 2 March 2026 at nine, and one on each of the days after.
async fn world() -> World {
    let world = World::new().await;
    for (id, days) in [(OLD, 1), (NEW, 2)] {
        let manifest = build::manifest(id, world.clock.now() + TimeDelta::days(days));
        world.store.put_snapshot(&build::tenant(), &manifest);
    }
    world
}

async fn start(world: &World, line: &str, body: Value) -> (String, String) {
    let answer = world.ask_as_user(line, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{body} {}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let task = world.store.task(&build::tenant(), &TaskId::new(&id)).await.unwrap().unwrap();
    (id, task.snapshot.to_string())
}

#[tokio::test]
async fn a_report_reads_the_snapshot_that_is_asked_for() {
    let world = world().await;
    for (as_of, snapshot) in [
        (json!(OLD), OLD),
        (json!("2026-03-03"), OLD),
        (json!("2026-03-03T09:00:00Z"), OLD),
        (json!("2026-03-03T08:59:59Z"), "snapshot-1"),
        (json!("2026-12-31"), NEW),
        (Value::Null, NEW),
    ] {
        let (_, read) = start(&world, OWN, json!({"arguments": {}, "asOf": as_of})).await;
        assert_eq!(read, snapshot, "{as_of}");
    }
}

#[tokio::test]
async fn the_snapshot_is_part_of_what_makes_tasks_equal() {
    let world = world().await;
    let own = async |as_of: &str| start(&world, OWN, json!({"asOf": as_of})).await.0;
    let published = async || {
        start(&world, "POST /v2024/reports/run", json!({"reportType": "IDENTITIES", "arguments": {}})).await
    };
    let (newest, read) = published().await;
    assert_eq!(read, NEW);
    let old = own(OLD).await;
    assert_eq!(own("2026-03-03").await, old, "the same snapshot, however it was named");
    let older = own("2026-03-02").await;
    let by_name = own(NEW).await;
    let mut ids = vec![&newest, &old, &older, &by_name];
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "a task as of a snapshot is never the one over the newest");
    assert_eq!(start(&world, OWN, json!({})).await.0, newest, "without asOf it is the published one");
    assert_eq!(published().await.0, newest);
    // The published operation does not know the word: what is foreign is ignored.
    let body = json!({"reportType": "IDENTITIES", "arguments": {}, "asOf": OLD});
    assert_eq!(start(&world, "POST /v2024/reports/run", body).await.0, newest);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words() {
    let world = world().await;
    let policy = RetentionPolicy { keep_last: 1, keep_days: 0 };
    // Nine o'clock on 7 March: all three are past.
    let now = world.clock.now() + TimeDelta::days(5);
    acts::expire(&*world.store, &build::tenant(), policy, now).await.unwrap();
    for (as_of, status, words) in [
        (json!("yesterday"), 400, "expected a snapshot id of 32 hex digits, a date"),
        (json!(7), 400, "asOf is a number: expected a text"),
        (json!("2026-01-01"), 404, "there was no snapshot yet at 2026-01-01T23:59:59"),
        (json!("ffffffffffffffffffffffffffffffff"), 404, "there is no snapshot \"ffff"),
        (json!(OLD), 404, "expired at 2026-03-07T09:00:00"),
    ] {
        let answer = world.ask_as_user(OWN, &json!({"asOf": as_of}).to_string()).await;
        assert_eq!(answer.status, status, "{as_of} {}", answer.text());
        assert!(answer.text().contains(words.replace('"', "\\\"").as_str()), "{as_of} {}", answer.text());
    }
}

/// The period begins with the snapshot before the reported one, or with the one that is named, and the task has its id.
#[tokio::test]
async fn a_period_begins_with_a_snapshot_that_the_task_names() {
    let world = world().await;
    let line = "POST /muster/v1/reports/ACCESS_CHANGES/run";
    for (body, begins) in [
        (json!({}), OLD),
        (json!({"asOf": OLD}), "snapshot-1"),
        (json!({"arguments": {"since": "2026-03-02"}}), "snapshot-1"),
        (json!({"arguments": {"since": OLD.to_uppercase()}}), OLD),
        (json!({"arguments": {"since": "2026-03-03T09:00:00Z"}, "asOf": NEW}), OLD),
    ] {
        let (id, _) = start(&world, line, body.clone()).await;
        let task = world.store.task(&build::tenant(), &TaskId::new(&id)).await.unwrap().unwrap();
        assert_eq!(task.arguments.text("since"), Some(begins), "{body}");
    }
    for (body, status, words) in [
        (json!({"arguments": {"since": "soon"}}), 400, "expected the id of a snapshot, a day such as"),
        (json!({"arguments": {"since": NEW}}), 400, "expected one that was made before the reported one"),
        (
            json!({"arguments": {"since": "2026-03-09"}}),
            400,
            "expected one that was made before the reported one",
        ),
        (
            json!({"arguments": {"since": "2026-01-01"}}),
            404,
            "there was no snapshot yet at 2026-01-01T23:59:59",
        ),
        (json!({"asOf": "2026-03-02"}), 404, "there is no kept snapshot before snapshot-1"),
    ] {
        let answer = world.ask_as_user(line, &body.to_string()).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text());
        assert!(answer.text().contains(words), "{body} {}", answer.text());
    }
}
