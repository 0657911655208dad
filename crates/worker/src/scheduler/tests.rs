//! The scheduler with fakes. Time moves only when a test moves it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use async_trait::async_trait;
use muster_reports::Catalogue;
use muster_reports::aggregation::{Aggregated, Aggregation, TypeAhead};
use muster_reports::audit::AuditOperation;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::error::Result;
use muster_reports::history::{ListedIdentity, PeopleQuery, SnapshotState, Span};
use muster_reports::ids::{
    ClientId, SavedSearchId, ScheduleId, SnapshotId, SodPolicyId, TaskId, TenantId, WorkerId,
};
use muster_reports::ports::{
    AuditTrail, Credential, DocumentSearcher, IdentityHistory, SnapshotCatalogue, SodPolicyStore, TaskStore,
};
use muster_reports::retention::AsOf;
use muster_reports::saved_search::SavedSearch;
use muster_reports::scheduled::{NewSchedule, ScheduledEntry, ScheduledPolicy, ScheduledSearch};
use muster_reports::search::{DocumentPage, DocumentSearch, FoundDocument, FoundPage, IndexFields};
use muster_reports::service::Limits;
use muster_reports::sod_policy::SodPolicy;
use muster_reports::task::AttemptEnd;
use muster_testkit::{AnyQuery, CountingIds, MemoryStore, TestClock, acts, build};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

mod policies;
mod traces;

const LEASE: Duration = Duration::from_secs(60);

/// No schedule searches, or reads the history of identities.
struct NoSearch;

#[async_trait]
impl DocumentSearcher for NoSearch {
    async fn page(
        &self,
        _: &Caller,
        _: &DataScope,
        _: &DocumentSearch,
        _: &DocumentPage,
    ) -> Result<FoundPage> {
        Err(Error::unavailable("there is no search"))
    }
    async fn aggregate(
        &self,
        _: &Caller,
        _: &DataScope,
        _: &DocumentSearch,
        _: &DocumentPage,
        _: &[Aggregation],
    ) -> Result<(FoundPage, Vec<(String, Aggregated)>)> {
        Err(Error::unavailable("there is no search"))
    }
    fn csv(&self, _: &[Aggregation], _: &[(String, Aggregated)]) -> Result<String> {
        Err(Error::unavailable("there is no search"))
    }
    async fn values_ahead(
        &self,
        _: &Caller,
        _: &DataScope,
        _: &DocumentSearch,
        _: &TypeAhead,
    ) -> Result<Vec<String>> {
        Err(Error::unavailable("there is no search"))
    }
    async fn fields(&self, _: &Caller, _: &DataScope) -> Result<Vec<IndexFields>> {
        Err(Error::unavailable("there is no search"))
    }
    async fn count(&self, _: &Caller, _: &DataScope, _: &DocumentSearch) -> Result<u64> {
        Err(Error::unavailable("there is no search"))
    }
    async fn document(&self, _: &Caller, _: &DataScope, _: &str, _: &str) -> Result<Option<FoundDocument>> {
        Err(Error::unavailable("there is no search"))
    }
}

#[async_trait]
impl IdentityHistory for NoSearch {
    async fn people(&self, _: &TenantId, _: &DataScope, _: &PeopleQuery) -> Result<Vec<ListedIdentity>> {
        Err(Error::unavailable("there is no history"))
    }
    async fn states(&self, _: &TenantId, _: &DataScope, _: &str, _: Span) -> Result<Vec<SnapshotState>> {
        Err(Error::unavailable("there is no history"))
    }
}

/// Publishes an empty refresh, once for each id, after it has failed as often as told.
struct Refreshing {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    failures: AtomicU32,
    asked: Mutex<Vec<SnapshotId>>,
}

#[async_trait]
impl Refresher for Refreshing {
    async fn refresh(&self, snapshot: &SnapshotId) -> Result<()> {
        self.asked.lock().unwrap().push(snapshot.clone());
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if fails.is_ok() {
            return Err(Error::unavailable("no snapshot was published because of HR"));
        }
        let tenant = build::tenant();
        if self.store.as_of(&tenant, &AsOf::Snapshot(snapshot.clone())).await?.is_none() {
            let manifest = build::manifest(snapshot.as_str(), self.clock.now());
            acts::publish(&*self.store, &tenant, &manifest).await?;
        }
        Ok(())
    }
}

/// Says of each trace that it is sampled.
struct Sampled;

impl Traces for Sampled {
    fn begin(&self, _: &Trace, _: Option<&str>) -> Option<bool> {
        Some(true)
    }
    fn follow(&self, _: &Trace) {}
    fn waited(&self, _: &'static str, _: &Trace, _: DateTime<Utc>, _: DateTime<Utc>) {}
}

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    refresher: Arc<Refreshing>,
    scheduler: Arc<Scheduler>,
}

/// A world with one snapshot and the credential of [`build::user`].
fn world(start: &str) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new(time(start))));
    store.put_snapshot(&build::tenant(), &build::manifest("first", clock.now()));
    store.put_credential(&build::credential(build::user().client.as_str(), clock.now()));
    let refresher = Arc::new(Refreshing {
        store: store.clone(),
        clock: clock.clone(),
        failures: AtomicU32::new(0),
        asked: Mutex::default(),
    });
    let reports = Reports {
        catalogue: Catalogue::built_in(),
        tasks: store.clone(),
        retention: store.clone(),
        refreshes: store.clone(),
        snapshots: store.clone(),
        reviews: store.clone(),
        policies: store.clone(),
        audit: store.clone(),
        queries: Arc::new(AnyQuery),
        documents: Arc::new(NoSearch),
        history: Arc::new(NoSearch),
        clock: clock.clone(),
        ids: Arc::new(CountingIds::default()),
        limits: Limits::default(),
    };
    let scheduler = Arc::new(Scheduler {
        schedules: store.clone(),
        reports: Arc::new(reports),
        credentials: store.clone(),
        saved_searches: store.clone(),
        refresher: refresher.clone(),
        clock: clock.clone(),
        traces: Arc::new(Sampled),
        settings: SchedulerSettings {
            poll: Duration::from_secs(2),
            lease: LEASE,
            attempts: RunAttempts { most: 3, pause: TimeDelta::minutes(1) },
        },
    });
    World { store, clock, refresher, scheduler }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn report(refresh_first: bool) -> ScheduledWork {
    let arguments = serde_json::json!({"correlatedOnly": false});
    ScheduledWork::Report {
        report: muster_reports::ids::ReportId::new("IDENTITIES"),
        arguments: arguments.as_object().unwrap().clone(),
        refresh_first,
    }
}

impl World {
    async fn schedule(&self, name: &str, work: ScheduledWork, form: &str) -> ScheduledEntry {
        self.schedule_of(build::user(), name, work, form).await
    }

    async fn schedule_of(
        &self,
        owner: Caller,
        name: &str,
        work: ScheduledWork,
        form: &str,
    ) -> ScheduledEntry {
        let form = serde_json::from_str(form).unwrap();
        let new = NewSchedule { name: name.into(), work, form, notify: Vec::new() };
        let id = ScheduleId::new(format!("id of {name}"));
        let entry = new.entry(id, owner, chrono_tz::Tz::UTC, self.clock.now()).unwrap();
        let event = acts::event(AuditOperation::ConfigurationChanged, &build::tenant(), self.clock.now());
        self.store.add_schedule(&entry, &event).await.unwrap();
        entry
    }

    async fn tick(&self) {
        tick(&self.scheduler).await;
    }

    /// Ends every task that waits.
    async fn end_tasks(&self, with: impl Fn(&TaskId) -> AttemptEnd) {
        let now = self.clock.now();
        while let Some(claim) = self.store.claim(&WorkerId::new("w"), now, LEASE).await.unwrap() {
            assert!(self.store.end_attempt(&claim.lease, with(&claim.task.id), now).await.unwrap());
        }
    }

    async fn runs(&self, entry: &ScheduledEntry) -> Vec<muster_reports::scheduled::ScheduledRun> {
        self.store.runs_of(entry.tenant(), &entry.id, 1_000).await.unwrap()
    }

    /// State and message of the last run.
    async fn last(&self, entry: &ScheduledEntry) -> (RunState, String) {
        let run = self.runs(entry).await.into_iter().next().unwrap();
        (run.state, run.message.unwrap_or_default())
    }

    async fn tasks(&self) -> Vec<muster_reports::Task> {
        self.store.last_tasks(&build::tenant(), 1_000).await.unwrap()
    }

    async fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.tick().await;
    }
}

/// What a node does at one time, until there is nothing more to do.
async fn tick(node: &Arc<Scheduler>) {
    let mut runs = JoinSet::new();
    node.take(&mut runs).await.unwrap();
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
}

fn succeeds(task: &TaskId) -> AttemptEnd {
    AttemptEnd::Done { result: build::task_result(task, 1, 3), messages: Vec::new() }
}

fn fails(_: &TaskId) -> AttemptEnd {
    AttemptEnd::Failed {
        message: muster_reports::message::Message::error("query_failed", "the query failed"),
    }
}

/// The week in which Berlin's clock is set forward, with an outage from Thursday 00:00 to Friday 12:00 UTC. The list was
/// made from a calendar.
#[tokio::test]
async fn a_week_is_as_a_calendar_has_it() {
    let world = world("2026-03-23T00:00:00Z");
    let zone = r#""timeZoneId":"Europe/Berlin""#;
    let office =
        world.schedule("office", report(false), &format!(r#"{{"cron":"0 6 * * MON-FRI",{zone}}}"#)).await;
    let night =
        world.schedule("night", ScheduledWork::Refresh, &format!(r#"{{"cron":"30 2 * * *",{zone}}}"#)).await;
    let form = r#"{"type":"WEEKLY","days":{"type":"LIST","values":["SUN","WED"]},
        "hours":{"type":"RANGE","values":["8","20"],"interval":6},"timeZoneId":"Europe/Berlin"}"#;
    let weekly = world.schedule("weekly", report(true), form).await;
    let (down, up) = (time("2026-03-26T00:00:00Z"), time("2026-03-27T12:00:00Z"));
    let mut begun = Vec::new();
    while world.clock.now() < time("2026-03-30T00:00:00Z") {
        let now = world.clock.now();
        if now < down || now >= up {
            world.tick().await;
            for (entry, name) in [(&office, "office"), (&night, "night"), (&weekly, "weekly")] {
                let last = world.runs(entry).await.into_iter().next();
                let line = last.map(|run| {
                    let missed = run
                        .missed_since
                        .map_or(String::new(), |at| at.format(" missed %a %H:%M").to_string());
                    format!("{name} {}{missed}", run.due.format("%a %H:%M"))
                });
                if let Some(line) = line.filter(|line| !begun.iter().any(|(_, known)| known == line)) {
                    begun.push((now.format("%a %H:%M").to_string(), line));
                }
            }
            world.end_tasks(succeeds).await;
        }
        world.clock.advance(TimeDelta::minutes(10));
    }
    world.tick().await;
    let lines: Vec<_> = begun.iter().map(|(at, line)| format!("{at}: {line}")).collect();
    let expected = [
        "Mon 01:30: night Mon 01:30",
        "Mon 05:00: office Mon 05:00",
        "Tue 01:30: night Tue 01:30",
        "Tue 05:00: office Tue 05:00",
        "Wed 01:30: night Wed 01:30",
        "Wed 05:00: office Wed 05:00",
        "Wed 07:00: weekly Wed 07:00",
        "Wed 13:00: weekly Wed 13:00",
        "Wed 19:00: weekly Wed 19:00",
        "Fri 12:00: office Fri 05:00 missed Thu 05:00",
        "Fri 12:00: night Fri 01:30 missed Thu 01:30",
        "Sat 01:30: night Sat 01:30",
        // 02:30 does not exist on this Sunday; the gap ends at 01:00 UTC. After it, Berlin is two hours ahead.
        "Sun 01:00: night Sun 01:00",
        "Sun 06:00: weekly Sun 06:00",
        "Sun 12:00: weekly Sun 12:00",
        "Sun 18:00: weekly Sun 18:00",
    ];
    assert_eq!(lines, expected);
    for entry in [&office, &night, &weekly] {
        assert!(world.runs(entry).await.iter().all(|run| run.state == RunState::Succeeded), "{}", entry.name);
    }
    // Four mornings and six times of the week made reports; six nights and the latter made snapshots.
    assert_eq!(world.tasks().await.len(), 4 + 6);
    let snapshots = world.store.catalogued(&build::tenant(), None, 100).await.unwrap();
    assert_eq!(snapshots.len(), 1 + 6 + 6, "the first one is older");
}

const HOURLY: &str = r#"{"cron":"0 * * * *"}"#;

#[tokio::test]
async fn a_run_has_the_rights_of_its_owner_now_and_says_when_it_was_due() {
    let world = world("2026-03-02T08:30:00Z");
    // What the owner could see when it made the schedule does not count.
    let limited = DataScope::of_sources([build::SOURCE]).unwrap();
    let now = Caller { client: ClientId::new("limited"), data_scope: limited.clone(), ..build::user() };
    let credential = Credential { caller: now.clone(), ..build::credential("limited", world.clock.now()) };
    world.store.put_credential(&credential);
    let then = Caller { data_scope: DataScope::Everything, ..now };
    let entry = world.schedule_of(then, "a", report(false), HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let task = world.tasks().await.remove(0);
    assert_eq!(task.requester.data_scope, limited);
    assert_eq!(task.messages[0].text, "run of the schedule \"a\", due at 2026-03-02T09:00:00+00:00 (UTC)");
    world.end_tasks(succeeds).await;
    world.advance(TimeDelta::seconds(2)).await;
    assert_eq!(world.last(&entry).await, (RunState::Succeeded, String::new()));
    assert_eq!(world.runs(&entry).await[0].task, Some(task.id));
}

#[tokio::test]
async fn a_disabled_client_has_nothing_run_and_is_told() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(true), HOURLY).await;
    let client = build::user().client;
    let event = acts::event(AuditOperation::CredentialDisabled, &build::tenant(), world.clock.now());
    assert!(world.store.disable(&client, &event).await.unwrap());
    world.advance(TimeDelta::minutes(30)).await;
    let reason = "the client client-of-ada of the schedule is disabled";
    assert_eq!(world.last(&entry).await, (RunState::Skipped, reason.to_owned()));
    let refused = world.store.recorded(AuditOperation::Refused);
    assert_eq!(refused[0].details, format!("schedule \"a\": {reason}"));
    assert!(world.tasks().await.is_empty() && world.refresher.asked.lock().unwrap().is_empty());
    world.advance(TimeDelta::hours(1)).await;
    assert_eq!(world.runs(&entry).await.len(), 2, "it falls due again");
}

#[tokio::test]
async fn a_run_fails_after_several_attempts_and_not_before() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(true), HOURLY).await;
    world.refresher.failures.store(2, Ordering::SeqCst);
    world.advance(TimeDelta::minutes(30)).await;
    let why = "no snapshot was published because of HR";
    assert_eq!(world.last(&entry).await, (RunState::Waiting, why.to_owned()));
    world.advance(TimeDelta::seconds(59)).await;
    assert_eq!(world.refresher.asked.lock().unwrap().len(), 1, "a minute has to pass");
    world.advance(TimeDelta::seconds(1)).await;
    world.advance(TimeDelta::minutes(2)).await;
    assert_eq!(world.last(&entry).await.0, RunState::Started, "the third attempt has its snapshot");
    world.end_tasks(fails).await;
    world.advance(TimeDelta::seconds(2)).await;
    let expected = (RunState::Failed, "the report failed (the query failed)".to_owned());
    assert_eq!(world.last(&entry).await, expected, "it was the third attempt");

    // The next run: each attempt has a task of its own.
    world.advance(TimeDelta::hours(1)).await;
    for minutes in [1, 2, 4] {
        world.end_tasks(fails).await;
        world.advance(TimeDelta::seconds(2)).await;
        world.advance(TimeDelta::minutes(minutes)).await;
    }
    assert_eq!(world.last(&entry).await.0, RunState::Failed);
    assert_eq!(world.tasks().await.len(), 1 + 3);
}

#[tokio::test]
async fn what_cannot_succeed_is_not_tried_again() {
    let world = world("2026-03-02T08:30:00Z");
    let arguments = serde_json::json!({"wrong": true}).as_object().unwrap().clone();
    let report = muster_reports::ids::ReportId::new("IDENTITIES");
    let work = ScheduledWork::Report { report, arguments, refresh_first: false };
    let entry = world.schedule("a", work, HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let (state, message) = world.last(&entry).await;
    assert!(state == RunState::Failed && message.contains("wrong"), "{state:?} {message}");
}

/// A scheduled search executes its saved search as it is at the time of the run, with the right to schedule searches.
#[tokio::test]
async fn a_scheduled_search_executes_its_saved_search() {
    let world = world("2026-03-02T08:30:00Z");
    let owner = build::user_with(Scope::ScheduledSearchManage, UserLevel::ReportAdmin);
    let client = ClientId::new("client of a scheduled search");
    let owner = Caller { client, ..owner };
    let credential = Credential { caller: owner.clone(), ..build::credential("x", world.clock.now()) };
    world.store.put_credential(&credential);
    let id = SavedSearchId::new("saved");
    let content = serde_json::json!({"name": "People", "indices": ["identities"], "query": "name:a*"});
    let search = SavedSearch {
        id: id.clone(),
        owner: "i".into(),
        content: serde_json::from_value(content).unwrap(),
        created: world.clock.now(),
        modified: world.clock.now(),
    };
    let event = || acts::event(AuditOperation::ConfigurationChanged, &build::tenant(), world.clock.now());
    world.store.add_saved_search(&search, &event()).await.unwrap();
    let work = ScheduledWork::Search(ScheduledSearch {
        saved_search: id.clone(),
        name: Some("Every hour".into()),
        description: None,
        recipients: vec!["i1".into()],
        email_empty_results: false,
        display_query_details: false,
        modified: world.clock.now(),
    });
    let entry = world.schedule_of(owner, "scheduled search", work, HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let tasks = world.tasks().await;
    assert_eq!((tasks.len(), tasks[0].report.as_str()), (1, "SEARCH_EXPORT"));
    assert_eq!(tasks[0].arguments.text("query"), Some("name:a*"));
    let note = &tasks[0].messages[0].text;
    assert!(note.starts_with("run of the schedule \"Every hour\", due at 2026-03-02T09:00:00"), "{note}");
    assert!(note.ends_with("execution of the saved search \"People\" (saved)"), "{note}");
    world.end_tasks(succeeds).await;
    world.advance(TimeDelta::seconds(2)).await;
    assert_eq!(world.last(&entry).await.0, RunState::Succeeded);

    let mut changed = search.clone();
    changed.content.query = "name:b*".into();
    assert!(world.store.replace_saved_search(&changed, &event()).await.unwrap());
    world.advance(TimeDelta::hours(1)).await;
    let queries: Vec<_> =
        world.tasks().await.iter().map(|task| task.arguments.text("query").unwrap().to_owned()).collect();
    assert!(queries.len() == 2 && queries.contains(&"name:b*".to_owned()), "{queries:?}");
    world.end_tasks(succeeds).await;

    assert!(world.store.remove_saved_search(&id, &event()).await.unwrap());
    world.advance(TimeDelta::hours(1)).await;
    assert_eq!(world.last(&entry).await, (RunState::Failed, "the saved search saved is gone".to_owned()));
}

#[tokio::test]
async fn a_run_that_goes_on_has_the_next_one_skipped() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(false), HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    world.advance(TimeDelta::hours(1)).await;
    assert_eq!(world.last(&entry).await, (RunState::Skipped, "the run before it had not ended".to_owned()));
    assert_eq!(world.tasks().await.len(), 1);
    world.end_tasks(succeeds).await;
    world.advance(TimeDelta::hours(1)).await;
    assert_eq!(world.tasks().await.len(), 2);
}

/// The steps of a node are made by hand up to each point at which it may die; then another node goes on.
#[tokio::test]
async fn a_node_that_dies_at_any_step_loses_and_doubles_nothing() {
    for died_after in ["claim", "begun", "refresh", "start", "started"] {
        let world = world("2026-03-02T08:30:00Z");
        let entry = world.schedule("a", report(true), HOURLY).await;
        let now = world.clock.advance(TimeDelta::minutes(30));
        world.store.fall_due(now).await.unwrap().unwrap();
        let claim = world.store.claim_run(now, LEASE).await.unwrap().unwrap();
        let step = async |step| world.store.step_run(&claim, &step, now).await.unwrap();
        let steps = ["claim", "begun", "refresh", "start", "started"];
        let reached = steps.iter().position(|name| *name == died_after).unwrap();
        let id = claim.run.task_id();
        if reached >= 1 {
            assert!(step(RunStep::Begun).await);
        }
        if reached >= 2 {
            world.refresher.refresh(&claim.run.snapshot_id()).await.unwrap();
        }
        if reached >= 3 {
            let work = [("correlatedOnly".to_owned(), (&serde_json::json!(false)).into())];
            let reports = &world.scheduler.reports;
            let report = entry.work.report().unwrap();
            let raw = RawArguments::from(work);
            let note = claim.run.note(&entry);
            let start = ScheduledStart { operation: Operation::Start, report, arguments: &raw };
            reports.start_scheduled(&build::user(), start, &id, note).await.unwrap();
        }
        if reached >= 4 {
            let look = now + TimeDelta::seconds(2);
            assert!(step(RunStep::Started { task: id.clone(), look }).await);
        }
        // Also where the report has ended before anybody looks.
        world.end_tasks(succeeds).await;
        world.advance(TimeDelta::seconds(60)).await;
        world.end_tasks(succeeds).await;
        world.advance(TimeDelta::seconds(60)).await;
        let tasks = world.tasks().await;
        assert_eq!(tasks.iter().map(|task| &task.id).collect::<Vec<_>>(), [&id], "{died_after}");
        assert_eq!(world.last(&entry).await, (RunState::Succeeded, String::new()), "{died_after}");
        let snapshots = world.store.catalogued(&build::tenant(), None, 100).await.unwrap();
        assert_eq!(snapshots.len(), 2, "{died_after}: the first one and that of the run");
    }
}

#[tokio::test]
async fn a_run_that_always_ends_its_process_is_given_up() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(true), HOURLY).await;
    let mut now = world.clock.advance(TimeDelta::minutes(30));
    world.store.fall_due(now).await.unwrap().unwrap();
    for _ in 0..13 {
        let claim = world.store.claim_run(now, LEASE).await.unwrap().unwrap();
        assert!(world.store.step_run(&claim, &RunStep::Begun, now).await.unwrap());
        now = world.clock.advance(TimeDelta::minutes(1));
    }
    world.tick().await;
    let expected = (RunState::Failed, "given up: it was begun 13 times and interrupted".to_owned());
    assert_eq!(world.last(&entry).await, expected);
}

#[tokio::test]
async fn many_nodes_make_one_run() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(true), HOURLY).await;
    world.clock.advance(TimeDelta::minutes(30));
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let node = world.scheduler.clone();
            tokio::spawn(async move { tick(&node).await })
        })
        .collect();
    for node in nodes {
        node.await.unwrap();
    }
    assert_eq!((world.tasks().await.len(), world.runs(&entry).await.len()), (1, 1));
    assert_eq!(world.runs(&entry).await[0].attempts, 1);
    assert_eq!(
        world.store.events(&build::tenant(), 0, 100).await.unwrap().len(),
        3,
        "schedule, snapshot, start"
    );
}

#[tokio::test]
async fn a_cancelled_report_ends_its_run() {
    let world = world("2026-03-02T08:30:00Z");
    let entry = world.schedule("a", report(false), HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let task = world.tasks().await.remove(0);
    acts::cancel(&*world.store, &build::tenant(), &task.id, world.clock.now()).await.unwrap();
    world.advance(TimeDelta::seconds(2)).await;
    assert_eq!(world.last(&entry).await, (RunState::Cancelled, "its report was cancelled".to_owned()));
}
