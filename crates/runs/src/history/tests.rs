//! A week in six snapshots: people who stay, join, gain access, move, are disabled and leave. What each
//! answer says was worked out by hand from the files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::Searches;
use chrono::TimeDelta;
use muster_engine::EngineSettings;
use muster_engine::refresh::{LossLimits, RefreshRequest, SourceInput};
use muster_engine::search::SearchLanguage;
use muster_reports::error::Category;
use muster_reports::history::{AccessDetail, AccessItem, AccessType, Change, HistoryEvent, SeenIdentity};
use muster_reports::ids::SnapshotId;
use muster_reports::retention::RetentionPolicy;
use muster_reports::service::{EventSpan, Limits};
use muster_reports::{Caller, Catalogue, Reports};
use muster_sources::SourceDefinition;
use muster_testkit::build::{tenant, user};
use muster_testkit::{CountingIds, MemoryStore, TestClock, acts, definitions};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The files of each day, the first one 3 March 2026 at 9 o'clock.
const DAYS: [[&str; 2]; 6] = [
    // Ann and Cid are there.
    ["e1,Ann,Sales\ne3,Cid,Sales\n", "cn=ann,e1,false,Staff\n"],
    // Bob joins.
    ["e1,Ann,Sales\ne3,Cid,Sales\ne2,Bob,Sales\n", "cn=ann,e1,false,Staff\ncn=bob,e2,false,Staff\n"],
    // Bob becomes an administrator.
    ["e1,Ann,Sales\ne3,Cid,Sales\ne2,Bob,Sales\n", "cn=ann,e1,false,Staff\ncn=bob,e2,false,Staff;Admins\n"],
    // Bob moves to another department, and his account is disabled.
    ["e1,Ann,Sales\ne3,Cid,Sales\ne2,Bob,Finance\n", "cn=ann,e1,false,Staff\ncn=bob,e2,true,Staff;Admins\n"],
    // Bob leaves.
    ["e1,Ann,Sales\ne3,Cid,Sales\n", "cn=ann,e1,false,Staff\n"],
    // Cid gets another name.
    ["e1,Ann,Sales\ne3,Cyd,Sales\n", "cn=ann,e1,false,Staff\n"],
];

struct Organisation {
    dir: TempDir,
    engine: Arc<Engine>,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    histories: Arc<Histories>,
    reports: Reports,
}

impl Organisation {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = EngineSettings {
            tables_dir: dir.path().join("tables"),
            work_dir: dir.path().join("work"),
            memory_limit_bytes: 1 << 30,
            threads: 2,
        };
        let engine = Arc::new(Engine::open(settings).unwrap());
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
        let histories = Arc::new(Histories::new(engine.clone(), store.clone()));
        let reports = Reports {
            catalogue: Catalogue::built_in(),
            tasks: store.clone(),
            retention: store.clone(),
            refreshes: store.clone(),
            snapshots: store.clone(),
            reviews: store.clone(),
            policies: store.clone(),
            audit: store.clone(),
            queries: Arc::new(SearchLanguage::default()),
            documents: Arc::new(Searches::new(engine.clone(), store.clone(), clock.clone())),
            history: histories.clone(),
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            limits: Limits::default(),
        };
        Self { dir, engine, store, clock, histories, reports }
    }

    /// With the snapshots of all days.
    async fn with_history() -> Self {
        let organisation = Self::new();
        for (number, files) in (1..).zip(DAYS) {
            organisation.refresh(number, files).await;
        }
        organisation
    }

    async fn refresh(&self, number: u32, [hr, ad]: [&str; 2]) {
        self.clock.advance(TimeDelta::days(1));
        let source = |definition: &str, file: &str, content: String| {
            let path = self.dir.path().join(file);
            std::fs::write(&path, content).unwrap();
            SourceInput {
                definition: SourceDefinition::from_toml(definition, &path).unwrap(),
                base_dir: self.dir.path().to_owned(),
            }
        };
        let attributes = [
            ("uid", "id"),
            ("displayName", "shown"),
            ("lastname", "shown"),
            ("email", "id"),
            ("department", "dept"),
        ];
        let with_id = |id: &str, text: String| format!("id = {id:?}\n{text}");
        let people = with_id(HR_ID, definitions::people(&attributes));
        let accounts = with_id(AD_ID, definitions::accounts("AD", "ad.csv", ';'));
        let request = RefreshRequest {
            sources: vec![
                source(&people, "hr.csv", format!("id,shown,dept\n{hr}")),
                source(&accounts, "ad.csv", format!("dn,emp,off,groups\n{ad}")),
            ],
            links: Vec::new(),
            previous: self.store.newest(&tenant()).await.unwrap(),
            tenant: tenant(),
            audit: self.store.clone(),
            progress: Arc::default(),
            environment: Arc::new(|_| None),
            snapshot: SnapshotId::new(format!("{number:032x}")),
            attempt: format!("{number:032x}"),
            clock: self.clock.clone(),
            as_of: None,
            publish_incomplete: false,
            full: false,
            accept_missing: BTreeSet::new(),
            limits: LossLimits::default(),
            ignore_limits: false,
        };
        let outcome = self.engine.refresh(request).await.unwrap();
        self.store.put_snapshot(&tenant(), &outcome.manifest.unwrap());
    }

    async fn people(&self, caller: &Caller, query: PeopleQuery) -> Vec<String> {
        let query = PeopleQuery { limit: 250, ..query };
        let people = self.reports.historical_identities(caller, &query).await.unwrap();
        let shown = |one: ListedIdentity| {
            let left = one.deleted.map_or_else(String::new, |at| format!(" left {}", at.format("%d %H:%M")));
            format!("{}{left}{}", one.display_name.unwrap(), if one.active { "" } else { " inactive" })
        };
        people.into_iter().map(shown).collect()
    }

    async fn id_of(&self, name: &str) -> String {
        let query = PeopleQuery { starts_with: Some(name.into()), limit: 2, ..PeopleQuery::default() };
        let people = self.reports.historical_identities(&user(), &query).await.unwrap();
        assert_eq!(people.len(), 1, "{name}");
        people[0].id.clone()
    }

    async fn events(&self, caller: &Caller, id: &str) -> Vec<String> {
        let span = EventSpan { from: None, before: None };
        told(&self.reports.identity_events(caller, id, span).await.unwrap())
    }
}

fn march(day: u32, time: &str) -> DateTime<Utc> {
    format!("2026-03-{day:02}T{time}Z").parse().unwrap()
}

/// A caller who sees these sources only.
fn limited(sources: &[&str]) -> Caller {
    Caller { data_scope: DataScope::of_sources(sources.iter().copied()).unwrap(), ..user() }
}

const HR_ID: &str = "000000000000000000000000000000a1";
const AD_ID: &str = "000000000000000000000000000000a2";

/// Each event in a line; those of one snapshot and one kind sorted, because ids of entitlements are digests.
fn told(events: &[HistoryEvent]) -> Vec<String> {
    let item = |item: &AccessItem| {
        let source = item.source.name.as_deref().unwrap();
        format!("{} {source} {}", item.kind().as_str(), item.name.as_deref().unwrap())
    };
    let mut lines: Vec<(i64, String)> = Vec::new();
    for event in events {
        let day = event.at.format("%d").to_string();
        let line = match &event.change {
            Change::Attributes(changes) => {
                let one = |change: &muster_reports::history::AttributeChange| {
                    format!("{} {} > {}", change.name, change.before.join("+"), change.since.join("+"))
                };
                format!("{day} 1 {}", changes.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Change::Status { account, before, since } => {
                format!("{day} 2 {} {before:?} > {since:?}", item(account))
            }
            Change::Removed(lost) => format!("{day} 3 -{}", item(lost)),
            Change::Added(gained) => format!("{day} 4 +{}", item(gained)),
        };
        lines.push((-event.at.timestamp(), line));
    }
    assert!(lines.is_sorted_by_key(|(time, _)| *time), "the newest first: {lines:?}");
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// One organisation for all of it, because refreshes take most of the time.
#[tokio::test]
async fn a_week_is_remembered() {
    let organisation = &Organisation::with_history().await;
    events_are_the_differences_of_consecutive_snapshots(organisation).await;
    all_people_of_all_snapshots_are_listed(organisation).await;
    an_identity_is_what_it_was_at_a_date(organisation).await;
    two_snapshots_are_compared(organisation).await;
    what_has_expired_is_history_no_more(organisation).await;
}

async fn events_are_the_differences_of_consecutive_snapshots(organisation: &Organisation) {
    let (ann, bob, cid) =
        (organisation.id_of("Ann").await, organisation.id_of("bo").await, organisation.id_of("CY").await);
    let joined = ["04 4 +account AD cn=bob", "04 4 +account HR e2", "04 4 +entitlement AD Staff"];
    let worked = [
        "06 1 department Sales > Finance",
        "06 2 account AD cn=bob Enabled > Disabled",
        "05 4 +entitlement AD Admins",
    ];
    let left = [
        "07 3 -account AD cn=bob",
        "07 3 -account HR e2",
        "07 3 -entitlement AD Admins",
        "07 3 -entitlement AD Staff",
    ];
    let all: Vec<_> = left.iter().chain(&worked).chain(&joined).copied().collect();
    assert_eq!(organisation.events(&user(), &bob).await, all);
    assert_eq!(organisation.events(&user(), &ann).await, [""; 0]);
    assert_eq!(organisation.events(&user(), &cid).await, ["08 1 displayName Cid > Cyd, lastname Cid > Cyd"]);

    let since = async |from, before| {
        let span = EventSpan { from, before };
        told(&organisation.reports.identity_events(&user(), &bob, span).await.unwrap())
    };
    assert_eq!(since(Some(march(6, "09:00:00")), None).await, [&left[..], &worked[..2]].concat());
    assert_eq!(since(Some(march(6, "09:00:01")), None).await, left);
    assert_eq!(since(None, Some(march(5, "09:00:00"))).await, joined);
    assert_eq!(since(Some(march(20, "00:00:00")), None).await, [""; 0]);

    // A caller who sees the directory only sees nothing of HR, and loses sight of Bob when his account is gone.
    let of_ad = |lines: &[&str]| {
        lines.iter().filter(|line| !line.contains(" HR ")).map(|line| (*line).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(organisation.events(&limited(&[AD_ID]), &bob).await, of_ad(&all));
    let of_hr = ["07 3 -account HR e2", "06 1 department Sales > Finance", "04 4 +account HR e2"];
    assert_eq!(organisation.events(&limited(&[HR_ID]), &bob).await, of_hr);
    let unseen = organisation
        .reports
        .identity_events(&limited(&[AD_ID]), &cid, EventSpan { from: None, before: None })
        .await
        .unwrap_err();
    assert_eq!(unseen.message, format!("no kept snapshot has an identity {cid:?}"));
    assert_eq!(unseen.category, Category::NotFound);

    let bars = async |interval, zone: &str| {
        let zone = muster_reports::schedule::time_zone(zone).unwrap();
        let bars = organisation.reports.identity_event_counts(&user(), &bob, None, interval, zone).await;
        let bar = |(start, events): (DateTime<Utc>, u64)| format!("{} {events}", start.format("%m-%dT%H"));
        bars.unwrap().into_iter().map(bar).collect::<Vec<_>>()
    };
    use muster_reports::history::Interval::{Day, Month};
    assert_eq!(bars(Month, "UTC").await, ["03-01T00 10"]);
    assert_eq!(bars(Day, "UTC").await, ["03-07T00 4", "03-06T00 2", "03-05T00 1", "03-04T00 3"]);
    // At 9 o'clock in UTC it is 23 o'clock in Kiritimati: the day began there at 10 o'clock UTC of the day before.
    assert_eq!(
        bars(Day, "Pacific/Kiritimati").await,
        ["03-06T10 4", "03-05T10 2", "03-04T10 1", "03-03T10 3"]
    );
}

async fn all_people_of_all_snapshots_are_listed(organisation: &Organisation) {
    let everybody = PeopleQuery::default();
    let all = ["Ann", "Bob left 07 09:00 inactive", "Cyd"];
    assert_eq!(organisation.people(&user(), everybody.clone()).await, all);
    for (query, expected) in [
        (PeopleQuery { deleted: Some(true), ..everybody.clone() }, &all[1..2]),
        (PeopleQuery { deleted: Some(false), ..everybody.clone() }, &[all[0], all[2]]),
        (PeopleQuery { active: Some(false), ..everybody.clone() }, &all[1..2]),
        (PeopleQuery { active: Some(true), deleted: Some(true), ..everybody.clone() }, &[]),
        (PeopleQuery { starts_with: Some("BO".into()), ..everybody.clone() }, &all[1..2]),
        (PeopleQuery { starts_with: Some("'%".into()), ..everybody.clone() }, &[]),
        (PeopleQuery { offset: 1, ..everybody.clone() }, &all[1..]),
    ] {
        assert_eq!(organisation.people(&user(), query.clone()).await, expected, "{query:?}");
    }
    // Bob's last account in view is that of 6 March.
    let of_ad = organisation.people(&limited(&[AD_ID]), everybody.clone()).await;
    assert_eq!(of_ad, ["Ann", "Bob left 07 09:00 inactive"]);
    let of_hr = organisation.people(&limited(&[HR_ID]), everybody).await;
    assert_eq!(of_hr, all);
}

/// What an identity has, by type, and its department.
fn has(seen: &SeenIdentity) -> String {
    let counts = AccessType::ALL.map(|kind| seen.state.count(kind).to_string());
    let department = seen.state.attributes["department"].join("+");
    format!("{} {} {department}", seen.taken.format("%d"), counts.join(" "))
}

async fn an_identity_is_what_it_was_at_a_date(organisation: &Organisation) {
    let (reports, bob) = (&organisation.reports, organisation.id_of("Bob").await);
    let at = async |day, time| reports.identity_at(&user(), &bob, march(day, time)).await;
    assert_eq!(has(&at(4, "09:00:00").await.unwrap()), "04 0 2 0 1 0 Sales");
    assert_eq!(has(&at(5, "08:59:59").await.unwrap()), "04 0 2 0 1 0 Sales");
    assert_eq!(has(&at(5, "20:00:00").await.unwrap()), "05 0 2 0 2 0 Sales");
    assert_eq!(has(&at(6, "09:00:00.0005").await.unwrap()), "06 0 2 0 2 0 Finance");
    let gone = at(7, "09:00:00").await.unwrap();
    assert_eq!((has(&gone), gone.deleted), ("07 0 0 0 0 0 Finance".into(), Some(march(7, "09:00:00"))));
    assert_eq!(at(6, "09:00:00").await.unwrap().deleted, None);

    let refused = |outcome: Result<SeenIdentity>| {
        let error = outcome.unwrap_err();
        assert_eq!(error.category, Category::NotFound, "{error}");
        error.message
    };
    assert_eq!(
        refused(at(3, "08:59:59").await),
        "no snapshot is kept of 2026-03-03T08:59:59.000Z or before: the first kept one is of 2026-03-03T09:00:00.000Z"
    );
    assert_eq!(
        refused(at(3, "09:00:00").await),
        format!("the snapshot of 2026-03-03T09:00:00.000Z has no identity {bob:?}")
    );
    assert_eq!(
        refused(reports.historical_identity(&user(), "none").await),
        "no kept snapshot has an identity \"none\""
    );

    let last = reports.historical_identity(&user(), &bob).await.unwrap();
    assert_eq!((has(&last), last.deleted), ("08 0 0 0 0 0 Finance".into(), Some(march(7, "09:00:00"))));
    let last = reports.historical_identity(&limited(&[AD_ID]), &bob).await.unwrap();
    assert_eq!((has(&last), last.deleted), ("06 0 1 0 2 0 Finance".into(), Some(march(7, "09:00:00"))));
    assert_eq!(reports.identity_start(&user(), &bob).await.unwrap(), march(4, "09:00:00"));

    let items = reports.access_items_at(&user(), &bob, march(6, "12:00:00"), Some(AccessType::Account)).await;
    let account = |item: &Arc<AccessItem>| {
        let AccessDetail::Account { native_identity, entitlements, status } = &item.detail else {
            panic!("{:?} is not an account", item.detail)
        };
        format!("{native_identity} {entitlements} {status:?}")
    };
    let mut accounts: Vec<_> = items.unwrap().iter().map(account).collect();
    accounts.sort();
    assert_eq!(accounts, ["cn=bob 2 Disabled", "e2 0 Enabled"]);
    let all = reports.access_items_at(&user(), &bob, march(6, "12:00:00"), None).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(reports.access_items(&user(), &bob, AccessType::Account).await.unwrap().is_empty());

    let days = async |caller: &Caller, from: Option<u32>, before: Option<u32>| {
        let edge = |day: Option<u32>| day.map(|day| march(day, "00:00:00"));
        let snapshots = reports.identity_snapshots(caller, &bob, edge(from), edge(before)).await.unwrap();
        snapshots.iter().map(|taken| taken.format("%d").to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(days(&user(), None, None).await, "08 07 06 05 04");
    assert_eq!(days(&user(), Some(5), Some(6)).await, "05");
    assert_eq!(days(&user(), Some(3), Some(4)).await, "");
    assert_eq!(days(&limited(&[AD_ID]), None, None).await, "06 05 04");
}

async fn two_snapshots_are_compared(organisation: &Organisation) {
    let (reports, bob) = (&organisation.reports, organisation.id_of("Bob").await);
    let between = async |caller: &Caller, first, second| {
        let day = |day: Option<u32>| day.map(|day| march(day, "09:00:00"));
        let difference = reports.compare_access(caller, &bob, day(first), day(second)).await?;
        let names = |items: &[Arc<AccessItem>]| {
            let mut names: Vec<_> = items.iter().map(|item| item.name.clone().unwrap()).collect();
            names.sort();
            names.join(" ")
        };
        Ok::<_, Error>(format!("+{} -{}", names(&difference.added), names(&difference.removed)))
    };
    for (first, second, expected) in [
        (Some(4), Some(6), "+Admins -"),
        (Some(6), Some(4), "+ -Admins"),
        (Some(3), Some(4), "+Staff cn=bob e2 -"),
        (Some(5), None, "+ -Admins Staff cn=bob e2"),
        (None, Some(5), "+Admins -"),
        (None, Some(7), "+ -Admins Staff cn=bob e2"),
        (None, None, "+ -"),
        (Some(6), Some(6), "+ -"),
    ] {
        let found = between(&user(), first, second).await.unwrap();
        assert_eq!(found, expected, "{first:?} {second:?}");
    }
    assert_eq!(between(&limited(&[AD_ID]), Some(3), Some(4)).await.unwrap(), "+Staff cn=bob -");
    // In the first snapshot there was nobody to compare with, and no Bob.
    let none = between(&user(), None, Some(3)).await.unwrap_err();
    assert!(none.message.starts_with("the snapshot of 2026-03-03"), "{none}");
    assert_eq!(between(&user(), Some(2), None).await.unwrap_err().category, Category::NotFound);
}

async fn what_has_expired_is_history_no_more(organisation: &Organisation) {
    let (reports, bob) = (&organisation.reports, organisation.id_of("Bob").await);
    let policy = RetentionPolicy { keep_last: 4, keep_days: 0 };
    let now = organisation.clock.advance(TimeDelta::hours(1));
    assert_eq!(acts::expire(&*organisation.store, &tenant(), policy, now).await.unwrap().len(), 2);
    let events = organisation.events(&user(), &bob).await;
    assert_eq!(events.last().unwrap(), "06 2 account AD cn=bob Enabled > Disabled");
    let refused = reports.identity_at(&user(), &bob, march(4, "09:00:00")).await.unwrap_err();
    assert!(refused.message.ends_with("the first kept one is of 2026-03-05T09:00:00.000Z"), "{refused}");
    assert_eq!(reports.identity_start(&user(), &bob).await.unwrap(), march(4, "09:00:00"));
}

#[tokio::test]
async fn few_requests_run_at_a_time() {
    let mut organisation = Organisation::new();
    let id = "0123456789abcdef0123456789abcdef";
    let none = organisation.reports.historical_identity(&user(), id).await.unwrap_err();
    assert_eq!(none.category, Category::NotFound);
    assert!(none.message.starts_with("there is no snapshot of identities yet"), "{none}");

    organisation.refresh(1, DAYS[0]).await;
    let mut histories = Histories::new(organisation.engine.clone(), organisation.store.clone());
    histories.wait = Duration::ZERO;
    let all = histories.places.clone().acquire_many_owned(2).await.unwrap();
    organisation.histories = Arc::new(histories);
    let states =
        async || organisation.histories.states(&tenant(), &DataScope::Everything, id, Span::Newest).await;
    let refused = states().await.unwrap_err();
    assert_eq!(refused.category, Category::Unavailable);
    drop(all);
    assert_eq!(states().await.unwrap()[0].state, None);
}

/// 401 snapshots, of which only the manifests are looked at.
#[test]
fn a_request_reads_so_many_snapshots_and_no_more() {
    let day = |number: i64| march(1, "00:00:00") + TimeDelta::days(number);
    let snapshots: Vec<_> = (1..=400)
        .rev()
        .map(|number| Arc::new(muster_testkit::build::manifest(&format!("s{number}"), day(number))))
        .collect();
    let kept = |has_more| Kept { snapshots: snapshots.clone(), has_more };
    let count = |has_more, span| kept(has_more).of(span).map(|chosen| chosen.len());
    let refused = |span| count(true, span).unwrap_err().message;
    let too_many = "the request is about more than 400 snapshots: expected at most that many, such as those since a later \
                    time";
    assert_eq!(count(false, Span::Between(None, None)).unwrap(), 400);
    assert_eq!(refused(Span::Between(None, None)), too_many);
    assert_eq!(refused(Span::Between(Some(day(0)), None)), too_many);
    assert_eq!(refused(Span::Between(Some(day(1)), None)), too_many, "the snapshot before it is not known");
    assert_eq!(count(true, Span::Between(Some(day(2)), None)).unwrap(), 400);
    assert_eq!(count(true, Span::Between(Some(day(399)), None)).unwrap(), 3);
    assert_eq!(count(true, Span::Between(Some(day(10)), Some(day(20)))).unwrap(), 11);
    assert_eq!(count(true, Span::Between(Some(day(500)), None)).unwrap(), 1);
    assert_eq!(count(true, Span::At(day(1))).unwrap(), 1);
    assert_eq!(refused(Span::At(day(0))), too_many);
    assert_eq!(count(false, Span::At(day(0))).unwrap_err().category, Category::NotFound);
}
