//! A run of a schedule is a trace.

use super::*;

/// The trace of each task that was started, oldest first.
async fn started(world: &World) -> Vec<Trace> {
    let mut tasks = world.tasks().await;
    tasks.sort_by_key(|task| task.created);
    tasks.into_iter().map(|task| task.requester.trace.unwrap()).collect()
}

#[tokio::test]
async fn a_run_begins_a_trace_and_its_attempts_are_spans_of_it() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("hourly", report(false), HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    world.end_tasks(fails).await;
    // The failure is seen, and a minute later the second attempt is made.
    world.advance(TimeDelta::minutes(1)).await;
    world.advance(TimeDelta::minutes(1)).await;
    world.end_tasks(succeeds).await;
    world.advance(TimeDelta::minutes(58)).await;
    let [first, second, next] = &started(&world).await[..] else { panic!("{:?}", world.runs(&entry).await) };
    assert_eq!(first.id(), second.id(), "one run, one trace");
    assert_ne!(first.span(), second.span(), "an attempt is a span");
    assert_ne!(first.id(), next.id(), "another run, another trace");
    // Whether it is recorded is decided once, where it begins.
    assert!([first, second, next].iter().all(|trace| trace.is_sampled()));
    // The end of a report is in the trail, in the same trace.
    let ended = |trace: &Trace| {
        let events = world.store.audit_events();
        events.iter().filter(|event| event.caller.trace.as_ref() == Some(trace)).count()
    };
    assert!(ended(first) > 0 && ended(second) > 0);
}

/// A node that goes on with the run of a dead one goes on in its trace.
#[tokio::test]
async fn the_trace_follows_from_the_run() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("hourly", report(false), HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let run = world.runs(&entry).await.remove(0);
    let [trace] = &started(&world).await[..] else { panic!("one task is started") };
    assert_eq!(run.trace().with_sampled(true), *trace);
}
