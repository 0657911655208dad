//! Searches over an organisation that is refreshed between the pages.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use chrono::TimeDelta;
use muster_engine::EngineSettings;
use muster_engine::refresh::{LossLimits, RefreshRequest, SourceInput};
use muster_reports::aggregation::AggregationKind;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::SnapshotId;
use muster_reports::retention::RetentionPolicy;
use muster_sources::SourceDefinition;
use muster_testkit::build::{audit_event, tenant, user};
use muster_testkit::{MemoryStore, TestClock};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tempfile::TempDir;

const HR: &str = r#"
name = "HR"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "displayName"
from = "shown"
[[profile.attributes]]
name = "lastname"
from = "shown"
[[profile.attributes]]
name = "email"
from = "id"
"#;

struct Organisation {
    dir: TempDir,
    engine: Arc<Engine>,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    searches: Searches,
    refreshes: u32,
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
        let searches = Searches::new(engine.clone(), store.clone(), clock.clone());
        Self { dir, engine, store, clock, searches, refreshes: 0 }
    }

    /// Publishes a snapshot of these people: id and shown name.
    async fn refresh(&mut self, people: &BTreeMap<String, String>) {
        self.clock.advance(TimeDelta::minutes(1));
        self.refreshes += 1;
        let mut text = "id,shown\n".to_owned();
        for (id, shown) in people {
            writeln!(text, "{id},{shown}").unwrap();
        }
        let path = self.dir.path().join("hr.csv");
        std::fs::write(&path, text).unwrap();
        let request = RefreshRequest {
            sources: vec![SourceInput {
                definition: SourceDefinition::from_toml(HR, &path).unwrap(),
                base_dir: self.dir.path().to_owned(),
            }],
            links: Vec::new(),
            previous: self.store.newest(&tenant()).await.unwrap(),
            tenant: tenant(),
            audit: self.store.clone(),
            environment: Arc::new(|_| None),
            snapshot: SnapshotId::new(format!("{:032x}", self.refreshes)),
            attempt: format!("{:032x}", self.refreshes),
            clock: self.clock.clone(),
            as_of: None,
            publish_incomplete: false,
            full: false,
            accept_missing: BTreeSet::new(),
            limits: LossLimits::default(),
            ignore_limits: false,
            progress: Arc::default(),
        };
        let outcome = self.engine.refresh(request).await.unwrap();
        self.store.put_snapshot(&tenant(), &outcome.manifest.unwrap());
    }

    async fn page(
        &self,
        search: &DocumentSearch,
        limit: u32,
        after: &[Option<String>],
    ) -> Result<Vec<FoundDocument>> {
        let page = DocumentPage { limit, after: after.to_vec(), ..DocumentPage::default() };
        Ok(self.searches.page(&user(), &DataScope::Everything, search, &page).await?.documents)
    }
}

fn people(count: usize, shown: impl Fn(usize) -> String) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("p{number:05}"), shown(number))).collect()
}

fn identities(query: &str, sort: &[&str]) -> DocumentSearch {
    DocumentSearch {
        query: query.into(),
        indices: vec!["identities".into()],
        sort: sort.iter().map(|key| (*key).to_owned()).collect(),
        ..DocumentSearch::default()
    }
}

fn text<'a>(document: &'a FoundDocument, name: &str) -> &'a str {
    document.fields[name].as_str().unwrap()
}

fn value(document: &FoundDocument, name: &str) -> Vec<Option<String>> {
    vec![Some(text(document, name).to_owned())]
}

/// As the published paginators do it: one sort key, whose values three people share, and the value of the last document.
#[tokio::test]
async fn pages_have_every_document_once_while_refreshes_go_on() {
    let mut organisation = Organisation::new();
    // 20,000 people share 7,000 names.
    let mut people = people(20_000, |number| format!("n{:05}", number % 7_000));
    organisation.refresh(&people).await;
    let search = identities("name:*", &["-displayName"]);
    let mut expected: Vec<_> = people.iter().map(|(id, shown)| (shown.clone(), id.clone())).collect();
    let (mut found, mut after) = (Vec::new(), Vec::new());
    for number in 0.. {
        // Names move from the part that was not read to the part that was, people leave, and others come.
        if number % 20 == 10 {
            for at in (number..20_000).step_by(97) {
                people.insert(format!("p{at:05}"), if at % 2 == 0 { "zzz".into() } else { "aaa".into() });
                people.insert(format!("q{at:05}"), format!("n{:05}", at % 7_000));
                people.remove(&format!("p{:05}", (at + 50) % 20_000));
            }
            organisation.refresh(&people).await;
        }
        let page = organisation.page(&search, 250, &after).await.unwrap();
        after = page.last().map(|last| value(last, "displayName")).unwrap_or_default();
        let is_last = page.len() < 250;
        found.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(organisation.refreshes, 5, "refreshes before pages 10, 30, 50 and 70");
    let shown: Vec<_> = found.iter().map(|document| text(document, "displayName")).collect();
    assert!(shown.windows(2).all(|two| two[0] >= two[1]), "in order");
    let mut found: Vec<_> = found
        .iter()
        .map(|document| (text(document, "displayName").to_owned(), text(document, "name").to_owned()))
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found.len(), 20_000);
    assert!(found == expected, "the documents of the first snapshot, each once");
    // The next search reads the newest snapshot.
    let page = organisation.page(&search, 250, &[]).await.unwrap();
    assert_eq!(text(&page[0], "displayName"), "zzz");
}

/// The largest published page, and aggregations of the snapshot that the page is of, while a refresh is made.
#[tokio::test]
async fn a_page_may_have_ten_thousand_documents_and_aggregations_are_of_its_snapshot() {
    let mut organisation = Organisation::new();
    organisation.refresh(&people(12_000, |number| format!("n{}", number % 3))).await;
    let search = identities("name:*", &["name"]);
    let first = organisation.page(&search, 10_000, &[]).await.unwrap();
    assert_eq!((first.len(), text(&first[9_999], "name")), (10_000, "p09999"));
    organisation.refresh(&people(12_000, |number| format!("m{}", number % 4))).await;
    let count = Aggregation {
        name: "shown".into(),
        kind: AggregationKind::Buckets { field: "displayName".into(), size: 2, objects_min: 1 },
        inner: Vec::new(),
    };
    let aggregate = async |after: Vec<Option<String>>| {
        let page = DocumentPage { limit: 10_000, after, counted: true, ..DocumentPage::default() };
        let (caller, scope) = (user(), DataScope::Everything);
        let found =
            organisation.searches.aggregate(&caller, &scope, &search, &page, std::slice::from_ref(&count));
        let (page, aggregated) = found.await.unwrap();
        let Some((name, Aggregated::Buckets { buckets, other_objects })) = aggregated.into_iter().next()
        else {
            panic!("buckets")
        };
        assert_eq!(name, "shown");
        let counts: Vec<_> = buckets.into_iter().map(|bucket| bucket.objects).collect();
        (page.documents.len(), page.total, counts, other_objects)
    };
    // The following page of the first snapshot, and the first page of the newest one.
    assert_eq!(
        aggregate(value(&first[9_999], "name")).await,
        (2_000, Some(12_000), vec![4_000, 4_000], 4_000)
    );
    assert_eq!(aggregate(Vec::new()).await, (10_000, Some(12_000), vec![3_000, 3_000], 6_000));
}

#[tokio::test]
async fn a_page_that_cannot_be_continued_is_refused() {
    let mut organisation = Organisation::new();
    organisation.refresh(&people(10, |number| format!("n{}", number / 5))).await;
    let refused = async |organisation: &Organisation, search: &DocumentSearch, after: &[&str]| {
        let after: Vec<_> = after.iter().map(|value| Some((*value).to_owned())).collect();
        let error = organisation.page(search, 2, &after).await.unwrap_err();
        assert_eq!(error.category, Category::Invalid);
        error.message
    };
    let by_name = identities("*", &["name"]);
    let unknown = "searchAfter names no page of this search that this process knows";
    assert!(refused(&organisation, &by_name, &["p00001"]).await.starts_with(unknown), "no page was read");
    organisation.page(&by_name, 2, &[]).await.unwrap();
    assert!(refused(&organisation, &by_name, &["p00002"]).await.starts_with(unknown), "no page ends there");
    assert!(
        refused(&organisation, &identities("name:p*", &["name"]), &["p00001"]).await.starts_with(unknown)
    );
    let next = organisation.page(&by_name, 2, &[Some("p00001".into())]).await.unwrap();
    assert_eq!(next.iter().map(|found| text(found, "name")).collect::<Vec<_>>(), ["p00002", "p00003"]);

    // Two pages end with a name that five people share.
    let shared = identities("*", &["displayName"]);
    let first = organisation.page(&shared, 2, &[]).await.unwrap();
    organisation.page(&shared, 2, &value(&first[1], "displayName")).await.unwrap();
    assert!(refused(&organisation, &shared, &["n0"]).await.contains("such as id"));
    let with_id = identities("*", &["displayName", "id"]);
    let (mut found, mut after) = (Vec::new(), Vec::new());
    loop {
        let page = organisation.page(&with_id, 2, &after).await.unwrap();
        let Some(last) = page.last() else { break };
        after = [value(last, "displayName"), value(last, "id")].concat();
        found.extend(page.iter().map(|document| text(document, "id").to_owned()));
    }
    assert_eq!((found.len(), found.iter().collect::<BTreeSet<_>>().len()), (10, 10));

    organisation.clock.advance(TimeDelta::minutes(10));
    assert!(refused(&organisation, &by_name, &["p00003"]).await.starts_with(unknown), "it was too long ago");

    // The snapshot of the first page expires.
    organisation.page(&by_name, 2, &[]).await.unwrap();
    organisation.refresh(&people(9, |_| "other".into())).await;
    let policy = RetentionPolicy { keep_last: 1, keep_days: 0 };
    let event = AuditEvent {
        operation: AuditOperation::SnapshotExpired,
        ..audit_event("expiry", organisation.clock.now())
    };
    assert_eq!(organisation.store.expire(&event, policy).await.unwrap().len(), 1);
    assert!(refused(&organisation, &by_name, &["p00001"]).await.contains("is not kept any more"));
}

#[tokio::test]
async fn only_so_many_searches_run_and_a_dropped_one_gives_its_place_back() {
    let mut organisation = Organisation::new();
    organisation.refresh(&people(3, |_| "x".into())).await;
    organisation.searches.wait = Duration::ZERO;
    let search = identities("*", &[]);
    let count = async |organisation: &Organisation| {
        organisation.searches.count(&user(), &DataScope::Everything, &search).await
    };
    let held = [organisation.searches.place().await.unwrap(), organisation.searches.place().await.unwrap()];
    let refused = count(&organisation).await.unwrap_err();
    assert_eq!(refused.category, Category::Unavailable);
    drop(held);
    assert_eq!(count(&organisation).await.unwrap(), 3);
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let searches = &organisation.searches;
    let endless = searches.run(async move {
        let _ = begun.send(());
        std::future::pending::<Result<()>>().await
    });
    tokio::select! {
        _ = endless => panic!("it has no end"),
        _ = has_begun => {}
    }
    // Its task ends at once, on another thread.
    organisation.searches.wait = Duration::from_secs(60);
    let all = organisation.searches.places.clone().acquire_many_owned(2);
    let _ = tokio::time::timeout(Duration::from_secs(60), all).await.unwrap().unwrap();
}

#[tokio::test]
async fn documents_have_the_published_form() {
    let mut organisation = Organisation::new();
    organisation.refresh(&people(3, |number| format!("Person {number}"))).await;
    let found = organisation.page(&identities("name:p00001", &[]), 250, &[]).await.unwrap();
    let [person] = &found[..] else { panic!("one person: {found:?}") };
    assert_eq!((person.type_name, text(person, "displayName")), ("identity", "Person 1"));
    let fields = &person.fields;
    assert_eq!(fields["attributes"]["uid"], "p00001");
    assert_eq!((&fields["accountCount"], &fields["protected"]), (&1.into(), &false.into()));
    assert_eq!(fields["accounts"][0]["source"]["name"], "HR");
    assert_eq!(fields["accounts"][0]["accountAttributes"]["shown"], "Person 1");
    assert_eq!(fields["source"]["name"], "HR");
    assert!(!fields.contains_key("manager"), "nothing is known of it");
    assert_eq!(fields["created"].as_str().unwrap().len(), "2026-01-01T00:00:00.000Z".len());

    let by_id = async |index: &str, id: &str| {
        organisation.searches.document(&user(), &DataScope::Everything, index, id).await
    };
    let id = text(person, "id");
    assert_eq!(by_id("identities", id).await.unwrap().as_ref(), Some(person));
    assert_eq!(by_id("roles", id).await.unwrap(), None);
    assert_eq!(by_id("identities", "none").await.unwrap(), None);
    assert_eq!(by_id("people", id).await.unwrap_err().category, Category::Invalid);

    let shown =
        ShownFields { includes: vec!["name".into(), "acc*".into()], nested: false, ..ShownFields::default() };
    let page = DocumentPage { limit: 1, counted: true, fields: shown, ..DocumentPage::default() };
    let search = identities("*", &["-name"]);
    let found = organisation.searches.page(&user(), &DataScope::Everything, &search, &page).await.unwrap();
    assert_eq!(found.total, Some(3));
    let names: Vec<_> = found.documents[0].fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["accessCount", "accessProfileCount", "accountCount", "name"]);
    assert_eq!(text(&found.documents[0], "name"), "p00002");
}
