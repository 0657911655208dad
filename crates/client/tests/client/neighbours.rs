//! The operations around reports, and what is repeated.

use super::told::{Answer, Service, answer, status};
use futures_util::{StreamExt, TryStreamExt};
use muster_client::wire::{
    AccessItemResponse, AccessItemType, IdentityEvent, NewSavedSearch, SearchArguments, SearchIndex,
};
use muster_client::{EventFilter, IdentityFilter, Interval, Paging, SnapshotPair, TaskFilter, search_for};
use serde_json::{Value, json};

fn task(number: usize) -> Value {
    json!({
        "id": format!("{number}"), "type": "QUARTZ", "uniqueName": "Accounts", "description": "", "parentName": null,
        "launcher": "ada", "created": "2026-01-01T00:00:00.000Z", "modified": null, "launched": null, "completed": null,
        "completionStatus": null, "messages": [], "returns": [], "attributes": {}, "progress": null,
        "percentComplete": 7,
    })
}

#[tokio::test]
async fn all_pages_of_a_list_are_fetched() {
    let service = Service::start(|asked, _| {
        assert!(
            asked.line.starts_with("GET /task-status/v1?filters=completionStatus+isnull&"),
            "{}",
            asked.line
        );
        let (first, last) = if asked.line.contains("offset=250") { (250, 253) } else { (0, 250) };
        answer(Value::Array((first..last).map(task).collect()))
    })
    .await;
    let live = TaskFilter { live: true, ..TaskFilter::default() };
    let tasks: Vec<_> = service.client().tasks().stream(&live).unwrap().try_collect().await.unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| task.id.parse::<usize>().unwrap()).collect();
    assert_eq!(ids, (0..253).collect::<Vec<_>>());
    assert_eq!(service.lines().len(), 2);
}

#[tokio::test]
async fn a_page_has_the_number_of_all() {
    let service = Service::start(|_, _| answer(json!([task(1)])).with("x-total-count", "41")).await;
    let paging = Paging { offset: 5, limit: Some(1), count: true };
    let page = service.client().tasks().list_pending(paging).await.unwrap();
    assert_eq!((page.items.len(), page.total), (1, Some(41)));
    assert_eq!(service.lines(), ["GET /task-status/v1/pending-tasks?offset=5&limit=1&count=true"]);
}

#[tokio::test]
async fn a_task_is_ended_by_a_patch() {
    let service = Service::start(|_, _| answer(task(1))).await;
    service.client().tasks().terminate("a/b").await.unwrap();
    let asked = service.asked(0);
    assert_eq!(asked.line, "PATCH /task-status/v1/a%2Fb");
    assert_eq!(asked.header("content-type"), Some("application/json-patch+json"));
    assert_eq!(asked.body, json!([{"op": "replace", "path": "/completionStatus", "value": "TERMINATED"}]));
}

#[tokio::test]
async fn all_documents_are_found_page_by_page() {
    let service = Service::start(|asked, _| {
        let ids = match asked.body["searchAfter"][0].as_str() {
            None => 0..1_000,
            Some("0999") => 1_000..1_001,
            Some(other) => panic!("{other}"),
        };
        answer(ids.map(|id| json!({"id": format!("{id:04}")})).collect())
    })
    .await;
    let search = search_for([SearchIndex::Identities, SearchIndex::Roles], "name:a*");
    let stream = service.client().search().stream(&search).unwrap();
    let documents: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(documents.len(), 1_001);
    assert_eq!(documents[1_000].0["id"], "1000");
    assert_eq!(
        service.asked(0).body,
        json!({"indices": ["identities", "roles"], "query": {"query": "name:a*"}, "sort": ["id"]})
    );
    assert_eq!(service.lines(), ["POST /search/v1?limit=1000", "POST /search/v1?limit=1000"]);
}

/// Nobody fetches what nobody takes.
#[tokio::test]
async fn a_dropped_stream_asks_no_more() {
    let service =
        Service::start(|_, _| answer((0..1_000).map(|id| json!({"id": format!("{id:04}")})).collect())).await;
    let stream = service.client().search().stream(&search_for([SearchIndex::Events], "x")).unwrap();
    let taken: Vec<_> = stream.take(3).try_collect().await.unwrap();
    assert_eq!((taken.len(), service.lines().len()), (3, 1));
}

#[tokio::test]
async fn documents_are_counted_and_aggregated() {
    let service = Service::start(|asked, _| match asked.line.as_str() {
        "POST /search/v1/count" => status(204).with("x-total-count", "1234"),
        "POST /search/v1/aggregate?limit=1" => {
            answer(json!({"aggregations": {"n": {"value": 3}}, "hits": [{"id": "1"}]}))
        }
        "GET /search/v1/identities/7" => answer(json!({"id": "7"})),
        line => panic!("nobody asks {line}"),
    })
    .await;
    let api = service.client().search();
    let search = search_for([SearchIndex::Identities], "*");
    assert_eq!(api.count(&search).await.unwrap(), 1_234);
    let found = api.aggregate(&search, Paging::first(1)).await.unwrap();
    assert_eq!((&found.aggregations["n"]["value"], found.hits.len()), (&json!(3), 1));
    assert_eq!(api.get(&SearchIndex::Identities, "7").await.unwrap().0["id"], "7");
}

/// Twice kept would be there twice; twice read or replaced is the same.
#[tokio::test]
async fn only_what_may_be_done_twice_is_repeated() {
    let saved = || answer(json!({"indices": ["identities"], "query": "x", "id": "7"}));
    for (code, after, keeps, reads) in [
        (502, None, 1, 2),
        (504, None, 1, 2),
        (429, Some("0"), 2, 2),
        (503, Some("0"), 2, 2),
        (503, None, 1, 1),
        (500, None, 1, 1),
    ] {
        let service = Service::start(move |_, number| match (number, after) {
            (0, Some(seconds)) => status(code).with("retry-after", seconds),
            (0, None) => status(code),
            (_, _) => saved(),
        })
        .await;
        let kept = service.client().saved_searches().create(&NewSavedSearch::default()).await;
        assert_eq!((service.lines().len(), kept.is_ok()), (keeps, keeps > 1), "{code}");

        let service = Service::start(move |_, number| match (number, after) {
            (0, Some(seconds)) => status(code).with("retry-after", seconds),
            (0, None) => status(code),
            (_, _) => saved(),
        })
        .await;
        let read = service.client().saved_searches().get("7").await;
        assert_eq!((service.lines().len(), read.is_ok()), (reads, reads > 1), "{code}");
    }
}

/// The connection breaks when the request was read: nobody knows whether it was acted on.
#[tokio::test]
async fn a_broken_connection_is_not_a_reason_to_execute_twice() {
    let broken = || Answer::cut_after(answer(json!({"id": "a longer body"})), 1);
    let service = Service::start(move |_, _| broken()).await;
    let api = service.client().saved_searches();
    // The head of the answer has arrived: the service acted.
    api.execute("7", &SearchArguments::default()).await.unwrap();
    assert_eq!(service.lines(), ["POST /saved-searches/v1/7/execute"]);
}

#[tokio::test]
async fn the_history_of_an_identity_is_asked_as_published() {
    let service = Service::start(|asked, _| {
        assert_eq!(asked.header("x-sailpoint-experimental"), Some("true"));
        match asked.line.trim_start_matches("GET /historical-identities/v1") {
            "?starts-with-query=Ada&is-deleted=true&limit=2" => answer(json!([{"id": "i", "displayName": "Ada"}])),
            "/i/events?from=2026-01-01&eventTypes=AccessItemRemoved&accessItemTypes=account&accessItemTypes=role" => {
                answer(json!([{
                    "eventType": "AccessItemRemoved", "dateTime": "2026-02-01T00:00:00.000Z", "governanceEvent": null,
                    "accessItem": {"accessType": "account", "id": "a", "nativeIdentity": "ada"},
                }]))
            }
            "/i/compare/entitlement?snapshot1=2026-01-31&access-associated=false" => {
                answer(json!([{"id": "e", "eventType": "REMOVE", "displayName": "VPN"}]))
            }
            "/i/snapshot-summary?interval=month&time-zone=Europe%2FBerlin" => {
                answer(json!([{"name": "2026-03-01T00:00:00.000Z", "value": 2}]))
            }
            "/i/start-date" => answer(json!("2026-01-31T00:00:00.000Z")),
            "/i/snapshots/2026-01-31/access-items?type=app" => answer(json!([{"accessType": "app", "appRoleId": null}])),
            line => panic!("nobody asks {line}"),
        }
    })
    .await;
    let api = service.client().identity_history();
    let filter =
        IdentityFilter { starts_with: Some("Ada".into()), deleted: Some(true), ..IdentityFilter::default() };
    assert_eq!(api.list(&filter, Paging::first(2)).await.unwrap().items.len(), 1);
    let filter = EventFilter {
        from: Some("2026-01-01".into()),
        event_types: vec!["AccessItemRemoved".into()],
        access_item_types: vec![AccessItemType::Account, AccessItemType::Role],
    };
    let events = api.events("i", &filter, Paging::default()).await.unwrap().items;
    let [IdentityEvent::Removed(lost)] = &events[..] else { panic!("{events:?}") };
    assert!(
        matches!(&lost.access_item, AccessItemResponse::Account(account) if account.native_identity == "ada")
    );
    let snapshots = SnapshotPair { first: Some("2026-01-31".into()), second: None };
    let kind = AccessItemType::Entitlement;
    let lost = api.compare_type("i", &kind, &snapshots, Some(false), Paging::default()).await.unwrap();
    assert_eq!(lost.items[0].display_name.as_deref(), Some("VPN"));
    let months = api.events_by("i", Interval::Month, None, Some("Europe/Berlin"), Paging::default()).await;
    assert_eq!(months.unwrap().items[0].value, Some(2));
    assert_eq!(api.start_date("i").await.unwrap(), "2026-01-31T00:00:00.000Z");
    let apps = api.snapshot_access_items("i", "2026-01-31", Some(&AccessItemType::App)).await.unwrap();
    assert!(matches!(&apps[..], [AccessItemResponse::App(_)]), "{apps:?}");
}

/// What an access review is asked for, and what is sent once only.
#[tokio::test]
async fn a_review_is_asked_as_the_service_expects_it() {
    let review = json!({
        "id": "r", "name": "Spring", "state": "OPEN", "reviewers": "MANAGER", "snapshotId": "s", "frozenAt": "t", "digest": "d",
        "created": "t", "createdBy": "ada", "dueDays": 14, "commentRequired": false, "tell": false, "managed": true,
        "total": {"items": 1, "keep": 0, "revoke": 0, "undecided": 1}, "progress": [],
    });
    let outcome =
        json!({"taken": true, "new": 1, "changed": 0, "unchanged": 0, "undecided": 0, "refusedCount": 0});
    let service = Service::start(move |asked, _| match asked.line.as_str() {
        line if line.contains("/items?") || line == "GET /muster/v1/reviews" => answer(json!([])),
        line if line.contains("decisions") || line.starts_with("POST /muster/v1/reviews/a%2Fb/sheets") => {
            answer(outcome.clone())
        }
        _ => answer(review.clone()),
    })
    .await;
    let reviews = service.client().reviews();
    let new: muster_client::wire::NewReviewDetails =
        serde_json::from_value(json!({"name": "Spring", "reviewers": "MANAGER"})).unwrap();
    assert_eq!(reviews.create(&new).await.unwrap().total.undecided, 1);
    assert!(reviews.list().await.unwrap().is_empty());
    reviews.get("a/b").await.unwrap();
    let filter = muster_client::ReviewItemFilter {
        reviewer: Some("b&b".into()),
        undecided: true,
        after: 7,
        limit: Some(9),
    };
    assert!(reviews.items("a/b", &filter).await.unwrap().is_empty());
    let decisions = serde_json::from_value(json!({"decisions": [{"item": 1, "decision": "KEEP"}]})).unwrap();
    assert_eq!(reviews.decide("a/b", &decisions).await.unwrap().new, 1);
    assert!(reviews.sheets("a/b", "csv", Some("bob")).await.unwrap().starts_with(b"{"));
    assert!(reviews.read_sheet("a/b", b"PK").await.unwrap().taken);
    reviews.close("a/b").await.unwrap();
    assert_eq!(
        service.lines(),
        [
            "POST /muster/v1/reviews",
            "GET /muster/v1/reviews",
            "GET /muster/v1/reviews/a%2Fb",
            "GET /muster/v1/reviews/a%2Fb/items?after=7&limit=9&undecided=true&reviewer=b%26b",
            "POST /muster/v1/reviews/a%2Fb/decisions",
            "GET /muster/v1/reviews/a%2Fb/sheets?format=csv&reviewer=bob",
            "POST /muster/v1/reviews/a%2Fb/sheets",
            "POST /muster/v1/reviews/a%2Fb/close",
        ]
    );
    assert_eq!(
        service.asked(0).body,
        json!({"name": "Spring", "reviewers": "MANAGER", "privileged": false, "commentRequired": false, "tell": false})
    );
}
