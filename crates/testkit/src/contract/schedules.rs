//! Schedules, when they fall due, and who runs them.

use super::{LEASE, at};
use crate::{acts, build};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::Caller;
use muster_reports::error::Category;
use muster_reports::ids::{ClientId, SavedSearchId, ScheduleId, TenantId};
use muster_reports::ports::{AuditTrail, ScheduleStore};
use muster_reports::scheduled::{
    FallenDue, RUNS_KEPT, RunState, RunStep, ScheduledEntry, ScheduledRun, ScheduledSearch, ScheduledWork,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that a [`ScheduleStore`] promises.
pub async fn schedule_store_contract<S: ScheduleStore + AuditTrail + 'static>(
    make: impl AsyncFn() -> Arc<S>,
) {
    schedules_are_kept_paused_and_removed(&*make().await).await;
    a_due_schedule_has_one_run(&*make().await).await;
    many_nodes_make_one_run(make().await).await;
    a_run_that_goes_on_has_the_next_one_skipped(&*make().await).await;
    a_lost_claim_changes_nothing(&*make().await).await;
    a_run_can_be_made_at_any_time(&*make().await).await;
    the_last_runs_are_remembered(&*make().await).await;
}

/// A refresh every hour, due first at nine o'clock, when the time begins.
fn hourly(name: &str) -> ScheduledEntry {
    ScheduledEntry {
        id: ScheduleId::new(format!("id of {name}")),
        name: name.into(),
        owner: build::user(),
        work: ScheduledWork::Refresh,
        form: serde_json::from_str(r#"{"cron":"0 * * * *","timeZoneId":"UTC"}"#).expect("it is a form"),
        notify: Vec::new(),
        paused: false,
        created: at(-60),
        due: Some(at(0)),
    }
}

fn event(tenant: &TenantId) -> AuditEvent {
    acts::event(AuditOperation::ConfigurationChanged, tenant, at(0))
}

async fn add(store: &dyn ScheduleStore, entry: &ScheduledEntry) {
    store.add_schedule(entry, &event(entry.tenant())).await.expect("it is kept");
}

async fn runs(store: &dyn ScheduleStore, entry: &ScheduledEntry) -> Vec<ScheduledRun> {
    store.runs_of(entry.tenant(), &entry.id, 1_000).await.expect("the store answers")
}

async fn fall_due(store: &dyn ScheduleStore, now: DateTime<Utc>) -> Option<ScheduledRun> {
    store.fall_due(now).await.expect("the store answers")
}

fn hour(number: i64) -> DateTime<Utc> {
    at(number * 3_600)
}

fn ended(state: RunState) -> RunStep {
    RunStep::Ended { state, message: None }
}

async fn schedules_are_kept_paused_and_removed<S: ScheduleStore + AuditTrail>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let work = ScheduledWork::Report {
        report: muster_reports::ids::ReportId::new("ACCOUNTS"),
        arguments: serde_json::from_str(r#"{"application":"x \u0000","n":[1,null]}"#)
            .expect("it is an object"),
        refresh_first: true,
    };
    let zoo = ScheduledEntry { work, ..hourly("zoo") };
    let ant = ScheduledEntry { due: None, paused: true, ..hourly("ant") };
    let theirs =
        ScheduledEntry { owner: Caller { tenant: globex.clone(), ..build::user() }, ..hourly("zoo") };
    for entry in [&zoo, &ant, &theirs] {
        add(store, entry).await;
    }
    let kept = async |tenant| store.schedules(tenant).await.expect("the store answers");
    assert_eq!(kept(&acme).await, [ant.clone(), zoo.clone()], "by name");
    assert_eq!(kept(&globex).await, [theirs]);
    let again = ScheduledEntry { id: ScheduleId::new("x"), ..hourly("zoo") };
    let again = store.add_schedule(&again, &event(&acme)).await;
    let error = again.expect_err("the name is taken");
    assert!(error.category == Category::Invalid && error.message.contains("\"zoo\""), "{error}");

    let pause = async |id: &ScheduleId, paused, due| {
        store.pause_schedule(id, paused, due, &event(&acme)).await.expect("the store answers")
    };
    assert!(pause(&zoo.id, true, None).await && pause(&ant.id, false, Some(hour(3))).await);
    assert!(!pause(&ScheduleId::new("none"), true, None).await);
    let states: Vec<_> = kept(&acme).await.into_iter().map(|entry| (entry.paused, entry.due)).collect();
    assert_eq!(states, [(false, Some(hour(3))), (true, None)]);
    let search = ScheduledWork::Search(ScheduledSearch {
        saved_search: SavedSearchId::new("saved"),
        name: Some("Every \u{0} day".into()),
        description: None,
        recipients: vec!["i1".into()],
        email_empty_results: true,
        display_query_details: false,
        modified: at(7),
    });
    let form = serde_json::from_str(r#"{"cron":"5 * * * *","timeZoneId":"UTC"}"#).expect("it is a form");
    let changed = ScheduledEntry {
        work: search,
        form,
        paused: true,
        due: Some(hour(9)),
        name: "another".into(),
        owner: Caller { client: ClientId::new("another"), ..build::user() },
        created: at(99),
        ..ant.clone()
    };
    let replace =
        async |entry| store.replace_schedule(entry, &event(&acme)).await.expect("the store answers");
    assert!(replace(&changed).await);
    let (name, owner, created) = (ant.name.clone(), ant.owner.clone(), ant.created);
    let expected = ScheduledEntry { name, owner, created, ..changed.clone() };
    assert_eq!(kept(&acme).await[0], expected, "name, owner and time of creation stay");
    assert!(!replace(&ScheduledEntry { id: ScheduleId::new("none"), ..changed.clone() }).await);

    let remove =
        async |id: &ScheduleId| store.remove_schedule(id, &event(&acme)).await.expect("the store answers");
    assert!(remove(&zoo.id).await && !remove(&zoo.id).await);
    assert_eq!((kept(&acme).await.len(), kept(&globex).await.len()), (1, 1));
    let events = store.events(&acme, 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 6, "two added, one paused, one resumed, one changed, one removed");
}

async fn a_due_schedule_has_one_run(store: &dyn ScheduleStore) {
    let entry = hourly("a");
    add(store, &entry).await;
    assert_eq!(fall_due(store, at(-1)).await, None);
    let run = fall_due(store, hour(0)).await.expect("it is due");
    assert_eq!((run.due, run.missed_since, run.state), (hour(0), None, RunState::Waiting));
    assert_eq!(fall_due(store, hour(0)).await, None, "once");
    let claim = store.claim_run(hour(0), LEASE).await.expect("the store answers").expect("there is a run");
    assert_eq!((&claim.run, &claim.entry.name, claim.epoch), (&run, &entry.name, 1));
    assert!(store.step_run(&claim, &ended(RunState::Succeeded), at(5)).await.expect("the store answers"));

    // Nobody looked for four hours and a half: the last of the missed times is run.
    let late = hour(4) + TimeDelta::minutes(30);
    let run = fall_due(store, late).await.expect("it is due");
    assert_eq!((run.due, run.missed_since), (hour(4), Some(hour(1))));
    assert_eq!(fall_due(store, late).await, None);
    let kept = store.schedules(&build::tenant()).await.expect("the store answers");
    assert_eq!(kept[0].due, Some(hour(5)));
    assert_eq!(runs(store, &entry).await.iter().map(|run| run.due).collect::<Vec<_>>(), [hour(4), hour(0)]);
    // A clock that is set back makes no second run of a due time.
    let due = Some(hour(4));
    store.pause_schedule(&entry.id, false, due, &event(entry.tenant())).await.expect("the store answers");
    assert_eq!(fall_due(store, hour(4)).await, None);
    assert_eq!(runs(store, &entry).await.len(), 2);
}

async fn many_nodes_make_one_run<S: ScheduleStore + 'static>(store: Arc<S>) {
    for name in ["a", "b", "c"] {
        add(&*store, &hourly(name)).await;
    }
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut made = Vec::new();
                while let Some(run) = store.fall_due(hour(0)).await.expect("the store answers") {
                    made.push(run.schedule.to_string());
                }
                while let Some(claim) = store.claim_run(hour(0), LEASE).await.expect("the store answers") {
                    made.push(format!("claim of {}", claim.run.schedule));
                }
                made
            })
        })
        .collect();
    let mut made = Vec::new();
    for node in asked {
        made.extend(node.await.expect("it does not panic"));
    }
    let distinct: BTreeSet<_> = made.iter().collect();
    assert_eq!((made.len(), distinct.len()), (6, 6), "{made:?}");
}

async fn a_run_that_goes_on_has_the_next_one_skipped(store: &dyn ScheduleStore) {
    let entry = hourly("a");
    add(store, &entry).await;
    fall_due(store, hour(0)).await.expect("it is due");
    let claim = store.claim_run(hour(0), LEASE).await.expect("the store answers").expect("there is a run");
    let started = RunStep::Started { task: build::task_id(7), look: hour(0) + TimeDelta::seconds(2) };
    assert!(store.step_run(&claim, &RunStep::Begun, hour(0)).await.expect("the store answers"));
    assert!(store.step_run(&claim, &started, hour(0)).await.expect("the store answers"));
    let skipped = fall_due(store, hour(1)).await.expect("it is due");
    assert_eq!((skipped.state, skipped.ended), (RunState::Skipped, Some(hour(1))));
    assert_eq!(skipped.message.as_deref(), Some("the run before it had not ended"));
    let again = store.claim_run(hour(1), LEASE).await.expect("the store answers").expect("the first goes on");
    assert_eq!((again.run.due, again.run.attempts, again.epoch), (hour(0), 1, 2));
    assert_eq!(again.run.task, Some(build::task_id(7)));
    let retry = RunStep::Retry { message: "not now".into(), not_before: hour(2) + TimeDelta::minutes(1) };
    assert!(store.step_run(&again, &retry, hour(1)).await.expect("the store answers"));
    let skipped = fall_due(store, hour(2)).await.expect("it is due");
    assert_eq!(skipped.state, RunState::Skipped, "it waits for another attempt");
    assert_eq!(store.claim_run(hour(2), LEASE).await.expect("the store answers"), None);
    let late = hour(2) + TimeDelta::minutes(1);
    let last = store.claim_run(late, LEASE).await.expect("the store answers").expect("its time has come");
    assert_eq!((last.run.state, last.run.message.as_deref()), (RunState::Waiting, Some("not now")));
    assert!(store.step_run(&last, &ended(RunState::Failed), late).await.expect("the store answers"));
    assert_eq!(fall_due(store, hour(3)).await.map(|run| run.state), Some(RunState::Waiting));
}

async fn a_lost_claim_changes_nothing(store: &dyn ScheduleStore) {
    let entry = hourly("a");
    add(store, &entry).await;
    fall_due(store, hour(0)).await.expect("it is due");
    let claim = async |now| store.claim_run(now, LEASE).await.expect("the store answers");
    let lost = claim(hour(0)).await.expect("there is a run");
    assert_eq!(claim(at(29)).await, None, "the first node has it");
    assert!(store.renew_run(&lost, at(20), LEASE).await.expect("the store answers"));
    assert_eq!(claim(at(49)).await, None);
    let taken = claim(at(50)).await.expect("the lease has run out");
    assert_eq!((taken.epoch, taken.run.attempts), (2, 0));
    assert!(!store.renew_run(&lost, at(50), LEASE).await.expect("the store answers"));
    assert!(!store.step_run(&lost, &ended(RunState::Failed), at(50)).await.expect("the store answers"));
    assert!(store.step_run(&taken, &ended(RunState::Warned), at(51)).await.expect("the store answers"));
    assert!(
        !store.step_run(&taken, &ended(RunState::Failed), at(52)).await.expect("the store answers"),
        "once"
    );
    let runs = runs(store, &entry).await;
    assert_eq!((runs[0].state, runs[0].ended), (RunState::Warned, Some(at(51))));
    assert_eq!(claim(hour(9)).await, None, "an ended run is nobody's");
}

async fn a_run_can_be_made_at_any_time(store: &dyn ScheduleStore) {
    let entry = ScheduledEntry { paused: true, due: None, ..hourly("a") };
    add(store, &entry).await;
    let run = async |id: &ScheduleId, tenant: &TenantId, now| {
        store.run_schedule(id, FallenDue { due: now, missed_since: None }, &event(tenant)).await
    };
    let refused = async |id: &ScheduleId, tenant: &TenantId, now| {
        run(id, tenant, now).await.err().map(|error| error.category)
    };
    let acme = build::tenant();
    assert_eq!(refused(&ScheduleId::new("none"), &acme, at(7)).await, Some(Category::NotFound));
    assert_eq!(refused(&entry.id, &TenantId::new("globex"), at(7)).await, Some(Category::NotFound));
    assert_eq!(run(&entry.id, &acme, at(7)).await.expect("it is made").due, at(7));
    assert_eq!(refused(&entry.id, &acme, at(8)).await, Some(Category::Invalid), "one goes on");
    let claim = store.claim_run(at(8), LEASE).await.expect("the store answers").expect("there is a run");
    assert!(store.step_run(&claim, &ended(RunState::Succeeded), at(9)).await.expect("the store answers"));
    assert_eq!(
        refused(&entry.id, &acme, at(7)).await,
        Some(Category::Invalid),
        "there is a run of this moment"
    );
    assert_eq!(run(&entry.id, &acme, at(9)).await.expect("it is made").due, at(9));
}

async fn the_last_runs_are_remembered(store: &dyn ScheduleStore) {
    let entry = hourly("a");
    add(store, &entry).await;
    for number in 0..i64::from(RUNS_KEPT) + 5 {
        fall_due(store, hour(number)).await.expect("it is due");
        let claim = store.claim_run(hour(number), LEASE).await.expect("the store answers");
        let claim = claim.expect("there is a run");
        assert!(
            store
                .step_run(&claim, &ended(RunState::Succeeded), hour(number))
                .await
                .expect("the store answers")
        );
    }
    let runs = runs(store, &entry).await;
    assert_eq!(runs.len(), RUNS_KEPT as usize);
    assert_eq!((runs[0].due, runs[99].due), (hour(104), hour(5)));
    assert_eq!(store.runs_of(entry.tenant(), &entry.id, 2).await.expect("the store answers").len(), 2);
}
