//! Sources that are registered at once, and removed, over both databases.

use muster_reports::error::Category;
use muster_reports::ids::{SourceId, TenantId};
use muster_reports::ports::{AuditTrail, ManualLink, Registry};
use muster_store::Store;
use muster_testkit::build;

/// All of them or none, whichever names they exchange.
pub(crate) async fn several_sources_are_registered_at_once(store: &Store) {
    let tenant = build::tenant();
    let names = async || -> Vec<(String, String)> {
        let sources = store.sources(&tenant).await.unwrap();
        sources.into_iter().map(|source| (source.id.as_str().to_owned(), source.name)).collect()
    };
    let events = async || store.events(&tenant, 0, 100).await.unwrap().len();
    let source = build::registered_source;
    let now = build::start_of_time();
    let three = [source("s1", "HR"), source("s2", "Directory"), source("s3", "Payroll")];
    store.register_sources(&tenant, &three, Some(&build::audit_event("one", now))).await.unwrap();
    assert_eq!(events().await, 1, "one event for all of them");

    let exchanged = [source("s1", "Directory"), source("s2", "HR"), source("s4", "Badges")];
    store.register_sources(&tenant, &exchanged, None).await.unwrap();
    let expected = [("s4", "Badges"), ("s1", "Directory"), ("s2", "HR"), ("s3", "Payroll")]
        .map(|(id, name)| (id.to_owned(), name.to_owned()));
    assert_eq!(names().await, expected);

    // The last of them takes the name of one that keeps it: nothing of all this is kept.
    let refused = [source("s1", "One"), source("s5", "Five"), source("s2", "Payroll")];
    let event = build::audit_event("two", now);
    let error = store.register_sources(&tenant, &refused, Some(&event)).await.unwrap_err();
    assert_eq!(
        (error.category, error.message.as_str()),
        (Category::Invalid, "another source is named \"Payroll\"")
    );
    assert_eq!(names().await, expected);
    assert_eq!(events().await, 1);
    store.register_sources(&tenant, &[], None).await.unwrap();
}

/// A source goes with its links or not at all, and nobody else's.
pub(crate) async fn a_source_is_removed_with_its_links(store: &Store) {
    let (tenant, other) = (build::tenant(), TenantId::new("other"));
    let source = build::registered_source;
    let link = |source: &str, account: &str| ManualLink {
        source: SourceId::new(source),
        native_identity: account.into(),
        identity_name: "ada".into(),
    };
    for tenant in [&tenant, &other] {
        store.register_sources(tenant, &[source("s1", "HR"), source("s2", "Directory")], None).await.unwrap();
        store.put_links(tenant, &[link("s1", "a"), link("s1", "b"), link("s2", "c")]).await.unwrap();
    }
    let kept = async |tenant: &TenantId| {
        let sources = store.sources(tenant).await.unwrap().into_iter().map(|source| source.name);
        let links = store.links(tenant).await.unwrap().into_iter().map(|link| link.native_identity);
        sources.chain(links).collect::<Vec<_>>().join(" ")
    };
    let events = async || store.events(&tenant, 0, 100).await.unwrap().len();
    let event = |id: &str| build::audit_event(id, build::start_of_time());
    let (hr, directory) = (SourceId::new("s1"), SourceId::new("s2"));

    let refused = store.remove_source(&tenant, &hr, false, Some(&event("one"))).await.unwrap_err();
    assert_eq!(refused.category, Category::Invalid);
    assert!(refused.message.starts_with("2 accounts of the source are linked by hand"), "{refused:?}");
    assert_eq!((kept(&tenant).await.as_str(), events().await), ("Directory HR a b c", 0));

    assert_eq!(store.remove_source(&tenant, &hr, true, Some(&event("two"))).await.unwrap(), 2);
    assert_eq!((kept(&tenant).await.as_str(), events().await), ("Directory c", 1));
    let unknown = store.remove_source(&tenant, &hr, true, Some(&event("three"))).await.unwrap_err();
    assert_eq!(unknown.message, "no source with id s1 is registered");
    assert_eq!(store.remove_source(&tenant, &directory, true, None).await.unwrap(), 1);
    assert_eq!((kept(&tenant).await.as_str(), events().await), ("", 1));
    assert_eq!(kept(&other).await, "Directory HR a b c");
}
