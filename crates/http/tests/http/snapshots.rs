//! Sources and snapshots, as a caller may see them.

use crate::world::World;
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::ids::{ClientId, SnapshotId};
use muster_reports::ports::{Clock, SnapshotCatalogue};
use muster_reports::retention::Pin;
use muster_testkit::build;
use serde_json::{Value, json};

const HR: &str = "2c9180897e7742b2017e781782f70500";

async fn get(world: &World, caller: &Caller, path: &str) -> Value {
    let bearer = world.bearer(caller);
    let answer = world.ask(&format!("GET {path}"), &[("authorization", &bearer)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The member of each entry.
fn each<'a>(list: &'a Value, member: &str) -> Vec<&'a Value> {
    list.as_array().unwrap().iter().map(|entry| &entry[member]).collect()
}

#[tokio::test]
async fn sources_are_listed_by_name_with_their_last_read() {
    let world = World::new().await;
    let listed = get(&world, &build::user(), "/muster/v1/sources").await;
    assert_eq!(each(&listed, "name"), ["Active Directory", "HR"]);
    assert_eq!(each(&listed, "id"), [build::SOURCE, HR]);
    assert_eq!(each(&listed, "authoritative"), [false, true]);
    let expected = build::source_run(HR, "HR", true, world.clock.now());
    assert_eq!(listed[1]["read"], json!(expected.read));
    assert_eq!(listed[1]["complete"], json!(expected.complete));
}

#[tokio::test]
async fn snapshots_are_listed_with_their_pins_the_last_one_first() {
    let world = World::new().await;
    let later = build::manifest("snapshot-2", world.clock.now() + TimeDelta::hours(1));
    world.store.put_snapshot(&build::tenant(), &later);
    let pin = Pin { by: "ada".into(), reason: "audit 2026".into(), at: world.clock.now() };
    world.store.pin(&build::tenant(), &SnapshotId::new("snapshot-1"), Some(&pin)).await.unwrap();
    let listed = get(&world, &build::user(), "/muster/v1/snapshots").await;
    assert_eq!(each(&listed, "id"), ["snapshot-2", "snapshot-1"]);
    assert_eq!(listed[0]["rows"], json!({"accounts": 93, "identities": 50}));
    assert_eq!((&listed[0]["pin"], &listed[1]["pin"]["reason"]), (&Value::Null, &json!("audit 2026")));
    assert_eq!(listed[0]["expired"], Value::Null);
}

#[tokio::test]
async fn a_data_scope_hides_other_sources_and_the_numbers_of_all() {
    let world = World::new().await;
    let people = Caller {
        client: ClientId::new("of-people"),
        data_scope: DataScope::of_sources([HR]).unwrap(),
        ..build::user_with(Scope::All, UserLevel::SourceAdmin)
    };
    // A source administrator without sources sees none.
    let nobody = Caller {
        client: ClientId::new("of-nothing"),
        data_scope: DataScope::Everything,
        ..build::user_with(Scope::All, UserLevel::SourceAdmin)
    };
    for caller in [&people, &nobody] {
        world.credential(caller.clone(), true).await;
    }
    assert_eq!(each(&get(&world, &people, "/muster/v1/sources").await, "name"), ["HR"]);
    assert_eq!(get(&world, &nobody, "/muster/v1/sources").await, json!([]));
    for caller in [&people, &nobody] {
        let listed = get(&world, caller, "/muster/v1/snapshots").await;
        assert_eq!(each(&listed, "id"), ["snapshot-1"]);
        assert_eq!([&listed[0]["rows"], &listed[0]["bytes"]], [&Value::Null; 2]);
    }
}
