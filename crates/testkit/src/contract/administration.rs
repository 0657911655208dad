//! The suites of the smaller ports: snapshots, credentials, registry, audit trail.

use super::at;
use crate::build;
use muster_reports::audit::{AuditHead, AuditOperation, AuditRecord};
use muster_reports::error::{Category, Result};
use muster_reports::ids::{ClientId, SnapshotId, SourceId, TenantId};
use muster_reports::ports::{
    AuditEvent, AuditTrail, Credential, Credentials, ManualLink, RegisteredSource, Registry,
    SnapshotCatalogue,
};
use std::sync::Arc;

fn refused<T>(outcome: Result<T>, text: &str) {
    let error = outcome.err().expect("it is refused");
    assert_eq!(error.category, Category::Invalid);
    assert!(error.message.contains(text), "{:?} names {text:?}", error.message);
}

/// Everything that is promised of a [`SnapshotCatalogue`].
pub async fn snapshot_catalogue_contract(make: impl AsyncFn() -> Arc<dyn SnapshotCatalogue>) {
    let store = make().await;
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let newest = async |tenant: &TenantId| store.newest(tenant).await.expect("the store answers");
    assert!(newest(&acme).await.is_none());
    let first = build::manifest("one", at(10));
    store.publish(&acme, &first).await.expect("it is published");
    assert_eq!(newest(&acme).await.as_deref(), Some(&first));
    // The order of publication counts, not the time in the manifest.
    let second = build::manifest("two", at(5));
    store.publish(&acme, &second).await.expect("it is published");
    assert_eq!(newest(&acme).await.as_deref(), Some(&second));
    assert_eq!(newest(&acme).await.as_deref(), Some(&second), "asking does not change it");
    let one = store.snapshot(&acme, &SnapshotId::new("one")).await.expect("the store answers");
    assert_eq!(one.as_deref(), Some(&first), "an older one is still there");
    let none = store.snapshot(&acme, &SnapshotId::new("three")).await.expect("the store answers");
    assert!(none.is_none());

    assert!(newest(&globex).await.is_none(), "another tenant sees nothing");
    let none = store.snapshot(&globex, &SnapshotId::new("one")).await.expect("the store answers");
    assert!(none.is_none());
    let same_id = build::manifest("one", at(20));
    store.publish(&globex, &same_id).await.expect("ids are a tenant's own");
    assert_eq!(newest(&globex).await.as_deref(), Some(&same_id));
    assert_eq!(newest(&acme).await.as_deref(), Some(&second));

    refused(store.publish(&acme, &build::manifest("one", at(30))).await, "one");
    assert_eq!(newest(&acme).await.as_deref(), Some(&second), "a published snapshot never changes");
}

/// Everything that is promised of [`Credentials`].
pub async fn credentials_contract(make: impl AsyncFn() -> Arc<dyn Credentials>) {
    let store = make().await;
    let find =
        async |client: &str| store.credential(&ClientId::new(client)).await.expect("the store answers");
    assert_eq!(find("one").await, None);
    let one = build::credential("one", at(0));
    let mut two = Credential { enabled: false, secret_hmac: [0xff; 32], ..build::credential("two", at(1)) };
    two.token_lifetime_s = Some(u32::MAX);
    two.caller = build::application();
    two.caller.client = ClientId::new("two");
    two.caller.tenant = TenantId::new("globex");
    store.create(&one).await.expect("it is kept");
    store.create(&two).await.expect("it is kept");
    assert_eq!(find("one").await, Some(one.clone()));
    assert_eq!(find("two").await, Some(two.clone()), "whatever its tenant");
    assert_eq!(find("ONE").await, None, "ids are compared exactly");

    let mut thief = Credential { description: "mine now".into(), ..two };
    thief.caller.client = ClientId::new("one");
    refused(store.create(&thief).await, "one");
    assert_eq!(find("one").await, Some(one));
}

/// Everything that is promised of a [`Registry`].
pub async fn registry_contract(make: impl AsyncFn() -> Arc<dyn Registry>) {
    let store = make().await;
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    sources(&*store, &acme, &globex).await;
    links(&*store, &acme, &globex).await;
}

async fn sources(store: &dyn Registry, acme: &TenantId, globex: &TenantId) {
    let names = async |tenant: &TenantId| -> Vec<String> {
        let sources = store.sources(tenant).await.expect("the store answers");
        sources.into_iter().map(|source| source.name).collect()
    };
    assert!(names(acme).await.is_empty());
    for (id, name) in [("s3", "beta"), ("s1", "Zeta"), ("s2", "alpha")] {
        store.put_source(acme, &build::registered_source(id, name)).await.expect("it is kept");
    }
    assert_eq!(names(acme).await, ["Zeta", "alpha", "beta"], "by name, capitals first");
    let replaced = RegisteredSource {
        definition: "{}".into(),
        base_dir: "/elsewhere".into(),
        ..build::registered_source("s2", "gamma")
    };
    store.put_source(acme, &replaced).await.expect("it replaces the one with its id");
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"]);
    assert_eq!(store.sources(acme).await.expect("the store answers")[2], replaced);

    refused(store.put_source(acme, &build::registered_source("s9", "beta")).await, "beta");
    refused(store.put_source(acme, &build::registered_source("s2", "beta")).await, "beta");
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"], "a refusal changes nothing");

    assert!(names(globex).await.is_empty(), "another tenant sees nothing");
    store
        .put_source(globex, &build::registered_source("s1", "beta"))
        .await
        .expect("names are a tenant's own");
    assert_eq!(names(globex).await, ["beta"]);
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"]);
}

async fn links(store: &dyn Registry, acme: &TenantId, globex: &TenantId) {
    let link = |source: &str, native: &str, name: &str| ManualLink {
        source: SourceId::new(source),
        native_identity: native.into(),
        identity_name: name.into(),
    };
    let found = async |tenant: &TenantId| store.links(tenant).await.expect("the store answers");
    store.put_links(acme, &[]).await.expect("no links are no error");
    assert!(found(acme).await.is_empty());
    let many =
        [link("s2", "a", "ada"), link("s1", "b", "bob"), link("s1", "B", "bea"), link("s1", "b", "ben")];
    store.put_links(acme, &many).await.expect("they are kept");
    let ordered = [link("s1", "B", "bea"), link("s1", "b", "ben"), link("s2", "a", "ada")];
    assert_eq!(found(acme).await, ordered, "by source and account; of one account the last");
    store.put_links(acme, &[link("s2", "a", "alan")]).await.expect("it replaces the account's");
    assert_eq!(found(acme).await[2], link("s2", "a", "alan"));
    assert!(found(globex).await.is_empty(), "another tenant sees nothing");
    // More than one statement's worth, backwards.
    let thousands: Vec<_> =
        (0..2_345).rev().map(|n| link("s", &format!("{n:05}"), &format!("i{n}"))).collect();
    store.put_links(globex, &thousands).await.expect("they are kept");
    let found = found(globex).await;
    assert_eq!((found.len(), &found[2_344]), (2_345, &link("s", "02344", "i2344")));
}

/// Everything that is promised of an [`AuditTrail`].
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
    let mut expected = Vec::new();
    for (number, operation) in (1..).zip(AuditOperation::ALL) {
        let mut event = build::audit_event(&format!("event-{number}"), at(-number));
        event.operation = operation;
        event.details = "naïve \"quotes\" \0\n".into();
        if operation == AuditOperation::Start {
            event.caller = build::application();
        }
        // Some callers came with a trace, with one and more about it, or before there were traces.
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
            | AuditOperation::FilesRemoved => None,
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

    // Each tenant's chain counts for itself, and a page goes on where the last one ended.
    let all = page(&acme, 0, 100).await;
    let count = AuditOperation::ALL.len() as u64;
    assert_eq!(all.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
    let globex_ids: Vec<_> = events(&globex).await.into_iter().map(|event| event.id).collect();
    assert_eq!(globex_ids, (1..=count).map(|number| format!("globex-{number}")).collect::<Vec<_>>());
    assert_eq!(page(&acme, 0, 2).await, all[..2]);
    assert_eq!(page(&acme, 2, 2).await, all[2..4]);
    assert!(page(&acme, count, 2).await.is_empty());

    // The events of one task are those of the chain, with all that their hashes cover.
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

    for sequence in [1, count] {
        store.holds_from(&acme, sequence).await.expect("it is as it was recorded");
    }
    store.can_go_on(&acme).await.expect("it holds at its end");
    assert!(store.holds_from(&acme, count + 2).await.is_err(), "there is no such event");

    // The chain is the same wherever it is kept.
    let mut head = AuditHead::empty();
    for chained in all {
        let caller = serde_json::to_string(&chained.event.caller).expect("a caller has a JSON form");
        let record = AuditRecord::behind(&head, &chained.event, caller);
        assert_eq!((record.sequence, &record.hash), (chained.sequence, &chained.hash));
        head = AuditHead { sequence: record.sequence, hash: record.hash };
    }
}
