//! What the audit trail says of requests, and what is refused for its sake.

use crate::world::{ACCOUNTS, Header, World};
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{Scope, UserLevel};
use muster_reports::ids::WorkerId;
use muster_reports::ports::RelayLog;
use muster_reports::service::Limits;
use muster_testkit::{Counts, build};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn starts_and_cancels_are_recorded_with_their_task() {
    let world = World::new().await;
    let started = world.ask_as_user("POST /v2024/reports/run", ACCOUNTS).await.json();
    world.ask_as_user("POST /v2024/reports/run", ACCOUNTS).await;
    let id = started["id"].as_str().unwrap();
    for status in [204, 204] {
        let answer = world.ask_as_user(&format!("POST /v3/reports/{id}/cancel"), "").await;
        assert_eq!(answer.status, status);
    }
    let events = world.store.audit_events();
    let seen: Vec<_> = events.iter().map(|event| (event.operation, event.task.as_str())).collect();
    use AuditOperation::{Cancel, Start};
    assert_eq!(seen, [(Start, id), (Start, id), (Cancel, id)], "what changed nothing is not recorded");
    let definition = started["attributes"]["taskDefinitionId"].as_str().unwrap();
    assert_eq!(events[0].details, format!("definition {definition}"));
    assert!(events.iter().all(|event| untraced(&event.caller) == build::user()));
}

/// The caller without the trace of its request.
fn untraced(caller: &Caller) -> Caller {
    Caller { trace: None, ..caller.clone() }
}

#[tokio::test]
async fn an_event_has_the_trace_that_its_request_brought() {
    let world = World::new().await;
    let bearer = world.bearer(&build::user());
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let start = async |headers: &[Header<'_>]| {
        let always = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let headers = [&always, headers].concat();
        assert_eq!(world.ask("POST /v3/reports/run", &headers, ACCOUNTS).await.status, 200);
        let event = world.store.audit_events().pop().unwrap();
        let trace = event.caller.trace.unwrap();
        (trace.parent_header(), trace.state_header().map(str::to_owned))
    };
    let (parent, state) = start(&[
        ("traceparent", given),
        ("tracestate", "rojo=00f067aa0ba902b7"),
        ("tracestate", "congo=t61"),
    ])
    .await;
    assert_eq!(state.as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61"));
    let (parent, span) = (parent.split('-').collect::<Vec<_>>(), "00f067aa0ba902b7");
    assert_eq!((parent[1], parent[3]), ("4bf92f3577b34da6a3ce929d0e0e4736", "01"));
    assert!(parent[2] != span && parent[2] != "0000000000000000" && parent[2].len() == 16, "{parent:?}");

    // Without one, or with one that is not valid, each request has a trace of its own.
    let mut seen = BTreeSet::new();
    let invalid = given.replace("01", "0X");
    for headers in
        [&[][..], &[("traceparent", invalid.as_str()), ("tracestate", "a=1")], &[("tracestate", "a=1")]]
    {
        let (parent, state) = start(headers).await;
        assert_eq!(state, None);
        let id = parent.split('-').nth(1).unwrap().to_owned();
        assert!(id.len() == 32 && id != "4bf92f3577b34da6a3ce929d0e0e4736", "{parent}");
        assert!(seen.insert(id), "{parent}");
    }
}

#[tokio::test]
async fn a_start_or_cancel_that_cannot_be_recorded_does_not_happen() {
    let world = World::new().await;
    let id = world.ask_as_user("POST /v2024/reports/run", ACCOUNTS).await.json()["id"].clone();
    world.store.refuse_audit(true);
    let cancel = format!("POST /v3/reports/{}/cancel", id.as_str().unwrap());
    assert_eq!(world.ask_as_user(&cancel, "").await.status, 500);
    let other = ACCOUNTS.replace("ACCOUNTS", "IDENTITIES");
    assert_eq!(world.ask_as_user("POST /v2024/reports/run", &other).await.status, 500);
    world.store.refuse_audit(false);
    assert_eq!(world.ask_as_user(&cancel, "").await.status, 204, "it was live still");
}

#[tokio::test]
async fn refusals_are_recorded_once_a_minute_with_their_number() {
    let world = World::new().await;
    let reader = build::user_with(Scope::All, UserLevel::User);
    let bearer = world.bearer(&reader);
    let refused = async || {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.ask("POST /v3/reports/run", &headers, ACCOUNTS).await;
        assert_eq!(answer.status, 403);
    };
    for _ in 0..7 {
        refused().await;
    }
    world.clock.advance(TimeDelta::seconds(60));
    refused().await;
    let events = world.store.recorded(AuditOperation::Refused);
    assert_eq!(events.len(), 2);
    assert!(events[0].details.starts_with("start: the user has none of the levels"), "{}", events[0].details);
    assert!(events[1].details.ends_with("; 6 more since the last event"), "{}", events[1].details);
    assert_eq!(untraced(&events[0].caller), reader);
    // Who is not known is in no tenant's trail.
    assert_eq!(
        world.ask("POST /v3/reports/run", &[("authorization", "Bearer x")], ACCOUNTS).await.status,
        401
    );
    assert_eq!(world.store.recorded(AuditOperation::Refused).len(), 2);
}

#[tokio::test]
async fn every_download_is_recorded_where_that_is_set() {
    let world = World::with_limits(Limits { audit_every_download: true, ..Limits::default() }).await;
    let id = world.finished(b"x").await;
    let line = format!("GET /v3/reports/{id}?fileFormat=csv");
    assert_eq!(world.ask_as_user(&line, "").await.status, 200);
    assert_eq!(world.store.recorded(AuditOperation::Download).len(), 1);
    world.store.refuse_audit(true);
    let refused = world.ask_as_user(&line, "").await;
    assert_eq!(refused.status, 500);
    assert!(refused.json().is_object(), "no byte of the file");
}

#[tokio::test]
async fn recorded_downloads_wait_for_the_relay() {
    let world = World::with_limits(Limits { audit_backlog_max: Some(3), ..Limits::default() }).await;
    let id = world.finished(b"x").await;
    let get =
        async |flag: &str| world.ask_as_user(&format!("GET /v3/reports/{id}?fileFormat=csv{flag}"), "").await;
    // The start is one event, the end of the report another, the first download the third.
    assert_eq!(get("&auditable=true").await.status, 200);
    let counts = Counts::default();
    let refused = {
        let _counted = metrics::set_default_local_recorder(&counts);
        get("&auditable=true").await
    };
    assert_eq!(refused.status, 503);
    assert_eq!(counts.all().get("audit_backlog"), Some(&1));
    assert_eq!(get("").await.status, 200, "one that is not to be recorded waits for nobody");
    let (relay, tenant, now) = (WorkerId::new("relay"), build::tenant(), build::start_of_time());
    assert!(world.store.lead(&relay, now, Duration::from_secs(1)).await.unwrap());
    assert!(world.store.mark(&relay, &tenant, 1, Vec::new(), now).await.unwrap());
    assert_eq!(get("&auditable=true").await.status, 200);
}
