//! Several sources at once, over both databases.

use muster_reports::error::Category;
use muster_reports::ports::{AuditTrail, Registry};
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
