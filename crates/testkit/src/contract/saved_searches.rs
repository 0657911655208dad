//! Saved searches: what is kept, and who has it.

use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{SavedSearchId, TenantId};
use muster_reports::ports::{AuditTrail, SavedSearchStore};
use muster_reports::saved_search::{SavedSearch, SavedSearchContent, SavedSearchQuery};
use std::sync::Arc;

/// Everything that a [`SavedSearchStore`] promises.
pub async fn saved_search_store_contract<S: SavedSearchStore + AuditTrail + 'static>(
    make: impl AsyncFn() -> Arc<S>,
) {
    a_saved_search_is_kept_changed_and_removed(&*make().await).await;
    pages_join_to_the_whole_list(&*make().await).await;
    what_is_not_recorded_is_not_done(&*make().await).await;
}

fn event(tenant: &TenantId) -> AuditEvent {
    acts::event(AuditOperation::ConfigurationChanged, tenant, at(0))
}

/// Every member that a content can have, and characters that databases dislike.
fn content(name: &str) -> SavedSearchContent {
    let text = r#"{"indices": ["identities", "*"], "query": "a\u0000 \"b\"", "description": "d",
        "columns": {"identity": [{"field": "name", "header": "Name"}, {"field": "email"}]},
        "fields": ["name"], "orderBy": {"identity": ["-name"]}, "sort": ["name"],
        "filters": {"created": {"type": "RANGE", "range": {"upper": {"value": "2026", "inclusive": true}}}}}"#;
    let content: SavedSearchContent = serde_json::from_str(text).expect("it is a content");
    SavedSearchContent { name: Some(name.into()), ..content }
}

fn search(id: &str, owner: &str, created: i64) -> SavedSearch {
    SavedSearch {
        id: SavedSearchId::new(id),
        owner: owner.into(),
        content: content(id),
        created: at(created),
        modified: at(created),
    }
}

async fn add(store: &dyn SavedSearchStore, tenant: &TenantId, search: &SavedSearch) {
    store.add_saved_search(search, &event(tenant)).await.expect("it is kept");
}

async fn look(store: &dyn SavedSearchStore, tenant: &TenantId, id: &SavedSearchId) -> Option<SavedSearch> {
    store.saved_search(tenant, id).await.expect("the store answers")
}

async fn a_saved_search_is_kept_changed_and_removed<S: SavedSearchStore + AuditTrail>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let kept = search("one", "ada", 0);
    add(store, &acme, &kept).await;
    assert_eq!(look(store, &acme, &kept.id).await.as_ref(), Some(&kept));
    assert_eq!(look(store, &globex, &kept.id).await, None, "another tenant has none");
    // Both tenants may have the same id.
    let theirs = search("one", "grace", 1);
    add(store, &globex, &theirs).await;

    let changed = SavedSearch {
        owner: "mallory".into(),
        content: SavedSearchContent {
            indices: vec!["roles".into()],
            query: "*".into(),
            ..SavedSearchContent::default()
        },
        created: at(50),
        modified: at(60),
        ..kept.clone()
    };
    assert!(store.replace_saved_search(&changed, &event(&acme)).await.expect("the store answers"));
    let expected = SavedSearch { content: changed.content.clone(), modified: at(60), ..kept.clone() };
    assert_eq!(look(store, &acme, &kept.id).await, Some(expected), "owner and time of creation stay");
    assert_eq!(look(store, &globex, &kept.id).await.as_ref(), Some(&theirs));

    assert!(store.remove_saved_search(&kept.id, &event(&acme)).await.expect("the store answers"));
    assert_eq!(look(store, &acme, &kept.id).await, None);
    assert_eq!(look(store, &globex, &kept.id).await.as_ref(), Some(&theirs));
    let events = store.events(&acme, 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 3, "each change has its event");
    assert!(!store.remove_saved_search(&kept.id, &event(&acme)).await.expect("the store answers"));
    assert!(!store.replace_saved_search(&changed, &event(&acme)).await.expect("the store answers"));
    let events = store.events(&acme, 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 3, "what changes nothing has no event");
}

async fn pages_join_to_the_whole_list<S: SavedSearchStore>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    // Two have the same time: the id decides.
    for (id, owner, created) in
        [("d", "ada", 3), ("b", "grace", 1), ("c", "ada", 1), ("a", "ada", 2), ("e", "grace", 4)]
    {
        add(store, &acme, &search(id, owner, created)).await;
    }
    add(store, &globex, &search("x", "ada", 0)).await;
    for (owner, expected) in [(None, "b c a d e"), (Some("ada"), "c a d"), (Some("nobody"), "")] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        let mut found = Vec::new();
        for offset in [0, 2, 4, 6] {
            let wanted =
                SavedSearchQuery { owner: owner.map(str::to_owned), offset, limit: 2, counted: offset > 0 };
            let page = store.saved_searches(&acme, &wanted).await.expect("the store answers");
            assert_eq!(page.total, (offset > 0).then_some(expected.len() as u64));
            found.extend(page.searches.into_iter().map(|search| search.id.to_string()));
        }
        assert_eq!(found, expected, "{owner:?}");
    }
}

async fn what_is_not_recorded_is_not_done<S: SavedSearchStore>(store: &S) {
    let acme = build::tenant();
    let taken = event(&acme);
    store.add_saved_search(&search("one", "ada", 0), &taken).await.expect("it is kept");
    // The id of the event is taken, so none of these can be recorded.
    assert!(store.add_saved_search(&search("two", "ada", 0), &taken).await.is_err());
    assert!(store.replace_saved_search(&search("one", "ada", 9), &taken).await.is_err());
    assert!(store.remove_saved_search(&SavedSearchId::new("one"), &taken).await.is_err());
    let everything = SavedSearchQuery { limit: 10, ..SavedSearchQuery::default() };
    let page = store.saved_searches(&acme, &everything).await.expect("the store answers");
    assert_eq!(page.searches, [search("one", "ada", 0)]);
}
