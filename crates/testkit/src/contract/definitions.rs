//! Definitions of custom reports: their versions, and what is there.

use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{ReportId, TenantId};
use muster_reports::kept_definition::{Addition, DEFINITION_BYTES_MAX, KeptDefinition};
use muster_reports::ports::{AuditTrail, DefinitionStore};
use std::sync::Arc;

/// Everything that a [`DefinitionStore`] promises.
pub async fn definition_store_contract<S: DefinitionStore + AuditTrail + 'static>(
    make: impl AsyncFn() -> Arc<S>,
) {
    versions_are_kept_and_the_newest_runs(&*make().await).await;
    a_removed_report_keeps_its_versions(&*make().await).await;
    what_is_not_recorded_is_not_done(&*make().await).await;
}

fn event(tenant: &TenantId) -> AuditEvent {
    acts::event(AuditOperation::ConfigurationChanged, tenant, at(0))
}

fn kept(id: &str, version: u32, text: &str) -> KeptDefinition {
    KeptDefinition {
        id: ReportId::new(id),
        version,
        text: text.into(),
        added: at(i64::from(version)),
        added_by: "ada".into(),
        removed: None,
    }
}

async fn add<S: DefinitionStore>(store: &S, tenant: &TenantId, kept: &KeptDefinition) -> Addition {
    store.add_definition(kept, &event(tenant)).await.expect("it is kept")
}

/// The reports that are there, with their versions.
async fn there<S: DefinitionStore>(store: &S, tenant: &TenantId) -> Vec<(String, u32)> {
    let found = store.definitions(tenant).await.expect("the store answers");
    found.into_iter().map(|kept| (kept.id.to_string(), kept.version)).collect()
}

async fn recorded<S: AuditTrail>(store: &S, tenant: &TenantId) -> usize {
    store.events(tenant, 0, 100).await.expect("the store answers").len()
}

async fn versions_are_kept_and_the_newest_runs<S: DefinitionStore + AuditTrail>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let [one, two, ten] = [1, 2, 10].map(|version| kept("b", version, &format!("text {version} \u{0} ü")));
    assert_eq!(add(store, &acme, &one).await, Addition::New);
    assert_eq!(add(store, &acme, &kept("a", 7, "a")).await, Addition::New);
    assert_eq!(add(store, &globex, &kept("b", 3, "theirs")).await, Addition::New);
    assert_eq!(there(store, &acme).await, [("a".to_owned(), 7), ("b".to_owned(), 1)]);

    // The same text is no change, and no event.
    assert_eq!(add(store, &acme, &one).await, Addition::Unchanged);
    assert_eq!(recorded(store, &acme).await, 2);
    // Another text needs a greater version.
    for wrong in [kept("b", 1, "other"), kept("a", 6, "a")] {
        let refused = store.add_definition(&wrong, &event(&acme)).await.expect_err("it is refused");
        assert!(refused.message.contains("expected a greater version"), "{refused}");
    }
    assert_eq!(add(store, &acme, &ten).await, Addition::New);
    assert!(store.add_definition(&two, &event(&acme)).await.is_err(), "an older version is not added later");
    assert_eq!(there(store, &acme).await, [("a".to_owned(), 7), ("b".to_owned(), 10)]);
    let versions = store.definition_versions(&acme, &one.id).await.expect("the store answers");
    assert_eq!(versions, [ten, one]);
    assert_eq!(store.definition_versions(&acme, &ReportId::new("c")).await.expect("the store answers"), []);
    assert_eq!(recorded(store, &acme).await, 3);

    let long = kept("long", 1, &"x".repeat(DEFINITION_BYTES_MAX));
    assert_eq!(add(store, &globex, &long).await, Addition::New);
}

async fn a_removed_report_keeps_its_versions<S: DefinitionStore + AuditTrail>(store: &S) {
    let acme = build::tenant();
    let [one, two, three] = [1, 2, 3].map(|version| kept("a", version, &format!("text {version}")));
    add(store, &acme, &one).await;
    add(store, &acme, &two).await;
    let remove = async |at_second| {
        store.remove_definition(&one.id, at(at_second), &event(&acme)).await.expect("the store answers")
    };
    assert!(remove(50).await);
    assert!(!remove(60).await, "it is not there any more");
    assert_eq!(there(store, &acme).await, []);
    let versions = store.definition_versions(&acme, &one.id).await.expect("the store answers");
    let gone = |kept: &KeptDefinition| KeptDefinition { removed: Some(at(50)), ..kept.clone() };
    assert_eq!(versions, [gone(&two), gone(&one)]);
    assert_eq!(recorded(store, &acme).await, 3);

    // It is there again with the same text, and after another removal with a newer one.
    assert_eq!(add(store, &acme, &two).await, Addition::Restored);
    assert_eq!(there(store, &acme).await, [("a".to_owned(), 2)]);
    assert!(remove(70).await);
    assert_eq!(add(store, &acme, &three).await, Addition::New);
    assert_eq!(there(store, &acme).await, [("a".to_owned(), 3)]);
    let versions = store.definition_versions(&acme, &one.id).await.expect("the store answers");
    assert_eq!(versions, [three, two, one]);
}

async fn what_is_not_recorded_is_not_done<S: DefinitionStore>(store: &S) {
    let acme = build::tenant();
    let taken = event(&acme);
    let one = kept("a", 1, "text");
    store.add_definition(&one, &taken).await.expect("it is kept");
    // The id of the event is taken, so none of these can be recorded.
    assert!(store.add_definition(&kept("a", 2, "text"), &taken).await.is_err());
    assert!(store.remove_definition(&one.id, at(9), &taken).await.is_err());
    assert_eq!(there(store, &acme).await, [("a".to_owned(), 1)]);
}
