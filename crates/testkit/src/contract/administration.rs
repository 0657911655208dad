//! Test suites for the catalogue of snapshots and for the audit trail.

use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditHead, AuditOperation, AuditRecord};
use muster_reports::error::{Category, Result};
use muster_reports::ids::{SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, SnapshotCatalogue};
use muster_reports::retention::AsOf;
use muster_reports::snapshot::SnapshotManifest;
use std::sync::Arc;

pub(super) fn refused<T>(outcome: Result<T>, text: &str) {
    let error = outcome.err().expect("it is refused");
    assert_eq!(error.category, Category::Invalid);
    assert!(error.message.contains(text), "{:?} names {text:?}", error.message);
}

/// Everything that a [`SnapshotCatalogue`] promises.
pub async fn snapshot_catalogue_contract(make: impl AsyncFn() -> Arc<dyn SnapshotCatalogue>) {
    let store = make().await;
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let newest = async |tenant: &TenantId| store.newest(tenant).await.expect("the store answers");
    assert!(newest(&acme).await.is_none());
    let first = build::manifest("one", at(10));
    acts::publish(&*store, &acme, &first).await.expect("it is published");
    assert_eq!(newest(&acme).await.as_deref(), Some(&first));
    // The order of publication counts, not the time in the manifest.
    let second = build::manifest("two", at(5));
    acts::publish(&*store, &acme, &second).await.expect("it is published");
    assert_eq!(newest(&acme).await.as_deref(), Some(&second));
    assert_eq!(newest(&acme).await.as_deref(), Some(&second), "asking does not change it");
    let find = async |tenant: &TenantId, id: &str| {
        let found = store.as_of(tenant, &AsOf::Snapshot(SnapshotId::new(id))).await;
        found.expect("the store answers").map(|snapshot| SnapshotManifest::clone(&snapshot.manifest))
    };
    assert_eq!(find(&acme, "one").await.as_ref(), Some(&first), "an older one is still there");
    assert_eq!(find(&acme, "three").await, None);

    assert!(newest(&globex).await.is_none(), "another tenant sees nothing");
    assert_eq!(find(&globex, "one").await, None);
    let same_id = build::manifest("one", at(20));
    acts::publish(&*store, &globex, &same_id).await.expect("ids are a tenant's own");
    assert_eq!(newest(&globex).await.as_deref(), Some(&same_id));
    assert_eq!(newest(&acme).await.as_deref(), Some(&second));

    refused(acts::publish(&*store, &acme, &build::manifest("one", at(30))).await, "one");
    assert_eq!(newest(&acme).await.as_deref(), Some(&second), "a published snapshot never changes");
}

/// Everything that an [`AuditTrail`] promises.
pub async fn audit_trail_contract(make: impl AsyncFn() -> Arc<dyn AuditTrail>) {
    let store = make().await;
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let page = async |tenant: &TenantId, after, limit| {
        store.events(tenant, after, limit).await.expect("the store answers")
    };
    let events = async |tenant: &TenantId| -> Vec<AuditEvent> {
        page(tenant, 0, 100).await.into_iter().map(|chained| chained.event).collect()
    };
    assert!(events(&acme).await.is_empty());
    let last = async |tenant: &TenantId| store.last_sequence(tenant).await.expect("the store answers");
    assert_eq!(last(&acme).await, 0);
    let mut expected = Vec::new();
    // Only a reseal records a reseal.
    let operations =
        || AuditOperation::ALL.into_iter().filter(|operation| *operation != AuditOperation::Resealed);
    for (number, operation) in (1..).zip(operations()) {
        let mut event = build::audit_event(&format!("event-{number}"), at(-number));
        event.operation = operation;
        event.details = "naïve \"quotes\" \0\n".into();
        if operation == AuditOperation::Start {
            event.caller = build::application();
        }
        // Some callers have a trace, some a trace with a state. Events from before traces have none.
        event.caller.trace = match operation {
            AuditOperation::Start | AuditOperation::Cancel => {
                Some(build::trace(Some("rojo=00f067aa0ba902b7")))
            }
            AuditOperation::Download => Some(build::trace(None)),
            AuditOperation::ReadResult
            | AuditOperation::Refused
            | AuditOperation::CredentialCreated
            | AuditOperation::CredentialDisabled
            | AuditOperation::ConfigurationChanged
            | AuditOperation::Ended
            | AuditOperation::EndedFailed
            | AuditOperation::RefreshStarted
            | AuditOperation::RefreshFailed
            | AuditOperation::SnapshotPublished
            | AuditOperation::SnapshotExpired
            | AuditOperation::FilesRemoved
            | AuditOperation::ResultNotRemoved
            | AuditOperation::ResultExpired
            | AuditOperation::ResultHeld
            | AuditOperation::NotificationFailed
            | AuditOperation::Resealed
            | AuditOperation::BackupTaken
            | AuditOperation::Restored
            | AuditOperation::ReviewChanged
            | AuditOperation::ReviewDecided
            | AuditOperation::ViolationsChecked => None,
        };
        store.record(&event).await.expect("it is recorded");
        expected.push(event);
        assert_eq!(events(&acme).await, expected, "in the order of recording, whatever their times");
        let mut elsewhere = build::audit_event(&format!("globex-{number}"), at(number));
        elsewhere.caller.tenant = globex.clone();
        store.record(&elsewhere).await.expect("it is recorded");
    }
    let other = AuditEvent { details: "another story".into(), ..expected[0].clone() };
    refused(store.record(&other).await, "event-1");
    assert_eq!(events(&acme).await, expected, "an event never changes");

    // Each tenant's chain has its own numbers, and a page continues after the last one.
    let all = page(&acme, 0, 100).await;
    let count = operations().count() as u64;
    assert_eq!(all.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
    let globex_ids: Vec<_> = events(&globex).await.into_iter().map(|event| event.id).collect();
    assert_eq!(globex_ids, (1..=count).map(|number| format!("globex-{number}")).collect::<Vec<_>>());
    assert_eq!((last(&acme).await, last(&globex).await), (count, count));
    assert_eq!(last(&TenantId::new("nobody")).await, 0);
    assert_eq!(page(&acme, 0, 2).await, all[..2]);
    assert_eq!(page(&acme, 2, 2).await, all[2..4]);
    assert!(page(&acme, count, 2).await.is_empty());

    // The events of one task are those of the chain, with everything that their hashes cover.
    let mut elsewhere = build::audit_event("of another task", at(0));
    elsewhere.task = build::task_id(2);
    store.record(&elsewhere).await.expect("it is recorded");
    let of_task = async |tenant: &TenantId, task: u64, after, limit| {
        store.records_of(tenant, &build::task_id(task), after, limit).await.expect("the store answers")
    };
    let records = of_task(&acme, 1, 0, 100).await;
    assert_eq!(
        records.iter().map(|record| record.sequence).collect::<Vec<_>>(),
        (1..=count).collect::<Vec<_>>()
    );
    for (record, chained) in records.iter().zip(&all) {
        assert_eq!((&record.hash, &record.id), (&chained.hash, &chained.event.id));
        assert_eq!(record.content_hash(), record.hash);
    }
    assert_eq!(of_task(&acme, 1, 1, 2).await, records[1..3]);
    let other = of_task(&acme, 2, 0, 100).await;
    assert_eq!((other.len(), other[0].sequence), (1, count + 1));
    assert_eq!(other[0].previous, all[all.len() - 1].hash);
    assert_eq!(of_task(&globex, 1, 0, 100).await.len(), all.len());

    // The same events for people: the last first.
    let for_people = async |tenant: &TenantId, task: u64, before, limit| {
        let found = store.events_of(tenant, &build::task_id(task), before, limit).await;
        found.expect("the store answers").iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    assert_eq!(for_people(&acme, 1, u64::MAX, 100).await, (1..=count).rev().collect::<Vec<_>>());
    assert_eq!(for_people(&acme, 1, 4, 2).await, [3, 2]);
    assert_eq!(for_people(&acme, 2, u64::MAX, 100).await, [count + 1]);
    assert!(for_people(&globex, 2, u64::MAX, 100).await.is_empty());

    for sequence in [1, count] {
        store.holds_from(&acme, sequence).await.expect("it is as it was recorded");
    }
    store.can_go_on(&acme).await.expect("it holds at its end");
    assert!(store.holds_from(&acme, count + 2).await.is_err(), "there is no such event");

    // Every store has the same chain.
    let mut head = AuditHead::empty();
    for chained in all {
        let caller = serde_json::to_string(&chained.event.caller).expect("a caller has a JSON form");
        let record = AuditRecord::after(&head, &chained.event, caller);
        assert_eq!((record.sequence, &record.hash), (chained.sequence, &chained.hash));
        head = AuditHead { sequence: record.sequence, hash: record.hash };
    }
}
