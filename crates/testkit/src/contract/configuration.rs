//! Test suites for changes by administrators: credentials, registered sources and manual links, each with its event.

use super::administration::refused;
use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{ClientId, SourceId, TenantId};
use muster_reports::ports::{AuditTrail, Credential, Credentials, ManualLink, RegisteredSource, Registry};
use std::sync::Arc;

/// A store of what administrators change, with the audit trail that records the changes.
pub trait Administered: AuditTrail + Credentials + Registry {}
impl<T: AuditTrail + Credentials + Registry> Administered for T {}

/// Everything that [`Credentials`] promises.
pub async fn credentials_contract(make: impl AsyncFn() -> Arc<dyn Administered>) {
    credentials_are_found_and_listed(&*make().await).await;
    credentials_change_with_their_events(&*make().await).await;
}

/// Everything that a [`Registry`] promises.
pub async fn registry_contract(make: impl AsyncFn() -> Arc<dyn Administered>) {
    let store = make().await;
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    sources(&*store, &acme, &globex).await;
    links(&*store, &acme, &globex).await;
    several_sources_are_registered_at_once(&*make().await).await;
    a_source_is_removed_with_its_links(&*make().await).await;
}

/// An event of the tests' tenant, recorded with a change.
fn event(id: &str) -> AuditEvent {
    AuditEvent { operation: AuditOperation::ConfigurationChanged, ..build::audit_event(id, at(0)) }
}

/// The ids of the events of a tenant.
async fn recorded(store: &dyn Administered, tenant: &TenantId) -> Vec<String> {
    let events = store.events(tenant, 0, 100).await.expect("the store answers");
    events.into_iter().map(|chained| chained.event.id).collect()
}

async fn find(store: &dyn Administered, client: &str) -> Option<Credential> {
    store.credential(&ClientId::new(client)).await.expect("the store answers")
}

async fn credentials_are_found_and_listed(store: &dyn Administered) {
    assert_eq!(find(store, "one").await, None);
    let one = build::credential("one", at(2));
    let mut two = Credential { enabled: false, secret_hmac: [0xff; 32], ..build::credential("two", at(1)) };
    two.token_lifetime_s = Some(u32::MAX);
    two.caller = build::application();
    two.caller.client = ClientId::new("two");
    two.caller.tenant = TenantId::new("globex");
    let (mut three, four) = (build::credential("three", at(1)), build::credential("four", at(2)));
    three.caller = build::auditor(at(0), at(60));
    three.caller.client = ClientId::new("three");
    for credential in [&one, &two, &three, &four] {
        acts::create(store, credential).await.expect("it is kept");
    }
    assert_eq!(find(store, "one").await.as_ref(), Some(&one));
    assert_eq!(find(store, "two").await.as_ref(), Some(&two), "whatever its tenant");
    assert_eq!(find(store, "ONE").await, None, "ids are compared exactly");
    let listed = async |tenant| store.credentials(&tenant).await.expect("the store answers");
    assert_eq!(
        listed(build::tenant()).await,
        [three, four, one.clone()],
        "the oldest first, then by client id"
    );
    assert_eq!(listed(TenantId::new("globex")).await, std::slice::from_ref(&two));
    assert_eq!(listed(TenantId::new("nobody")).await, []);

    let mut thief = Credential { description: "mine now".into(), ..two };
    thief.caller.client = ClientId::new("one");
    refused(acts::create(store, &thief).await, "one");
    assert_eq!(find(store, "one").await, Some(one));
}

async fn credentials_change_with_their_events(store: &dyn Administered) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let one = build::credential("one", at(0));
    store.create(&one, &event("created")).await.expect("it is kept");
    refused(store.create(&build::credential("two", at(0)), &event("created")).await, "created");
    assert_eq!(find(store, "two").await, None, "neither or both");
    refused(store.create(&one, &event("again")).await, "one");
    assert_eq!(recorded(store, &acme).await, ["created"]);

    let disable = async |client: &str, event| store.disable(&ClientId::new(client), &event).await;
    assert!(!disable("nobody", event("d0")).await.expect("the store answers"));
    let elsewhere = acts::event(AuditOperation::CredentialDisabled, &globex, at(0));
    assert!(!disable("one", elsewhere).await.expect("the store answers"), "another tenant's event");
    refused(disable("one", event("created")).await, "created");
    assert_eq!(find(store, "one").await.as_ref(), Some(&one), "nothing of all this changed it");
    assert!(disable("one", event("d1")).await.expect("the store answers"));
    assert_eq!(find(store, "one").await, Some(Credential { enabled: false, ..one }));
    assert!(disable("one", event("d2")).await.expect("the store answers"), "it is still the tenant's");
    assert_eq!(recorded(store, &acme).await, ["created", "d1", "d2"]);
    assert!(recorded(store, &globex).await.is_empty());
}

async fn sources(store: &dyn Administered, acme: &TenantId, globex: &TenantId) {
    let put =
        async |tenant: &TenantId, source: RegisteredSource| acts::put_sources(store, tenant, &[source]).await;
    let names = async |tenant: &TenantId| -> Vec<String> {
        let sources = store.sources(tenant).await.expect("the store answers");
        sources.into_iter().map(|source| source.name).collect()
    };
    assert!(names(acme).await.is_empty());
    for (id, name) in [("s3", "beta"), ("s1", "Zeta"), ("s2", "alpha")] {
        put(acme, build::registered_source(id, name)).await.expect("it is kept");
    }
    assert_eq!(names(acme).await, ["Zeta", "alpha", "beta"], "by name, capitals first");
    let replaced = RegisteredSource {
        definition: "{}".into(),
        base_dir: "/elsewhere".into(),
        ..build::registered_source("s2", "gamma")
    };
    put(acme, replaced.clone()).await.expect("it replaces the one with its id");
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"]);
    assert_eq!(store.sources(acme).await.expect("the store answers")[2], replaced);

    refused(put(acme, build::registered_source("s9", "beta")).await, "beta");
    refused(put(acme, build::registered_source("s2", "beta")).await, "beta");
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"], "a refusal changes nothing");

    assert!(names(globex).await.is_empty(), "another tenant sees nothing");
    put(globex, build::registered_source("s1", "beta")).await.expect("names are a tenant's own");
    assert_eq!(names(globex).await, ["beta"]);
    assert_eq!(names(acme).await, ["Zeta", "beta", "gamma"]);
}

fn link(source: &str, native: &str, name: &str) -> ManualLink {
    ManualLink { source: SourceId::new(source), native_identity: native.into(), identity_name: name.into() }
}

async fn links(store: &dyn Administered, acme: &TenantId, globex: &TenantId) {
    let found = async |tenant: &TenantId| store.links(tenant).await.expect("the store answers");
    acts::put_links(store, acme, &[]).await.expect("an empty list of links is accepted");
    assert!(found(acme).await.is_empty());
    let many =
        [link("s2", "a", "ada"), link("s1", "b", "bob"), link("s1", "B", "bea"), link("s1", "b", "ben")];
    store.put_links(&many, &event("links")).await.expect("they are kept");
    let ordered = [link("s1", "B", "bea"), link("s1", "b", "ben"), link("s2", "a", "ada")];
    assert_eq!(found(acme).await, ordered, "by source and account; of one account the last");
    acts::put_links(store, acme, &[link("s2", "a", "alan")]).await.expect("it replaces the account's");
    assert_eq!(found(acme).await[2], link("s2", "a", "alan"));
    refused(store.put_links(&[link("s2", "a", "anna")], &event("links")).await, "links");
    assert_eq!(found(acme).await[2], link("s2", "a", "alan"), "neither the link nor its event");
    assert!(found(globex).await.is_empty(), "another tenant sees nothing");
    // More links than one statement takes, in reverse order.
    let thousands: Vec<_> =
        (0..2_345).rev().map(|n| link("s", &format!("{n:05}"), &format!("i{n}"))).collect();
    acts::put_links(store, globex, &thousands).await.expect("they are kept");
    let found = found(globex).await;
    assert_eq!((found.len(), &found[2_344]), (2_345, &link("s", "02344", "i2344")));
}

/// Either all of them are registered or none, even if they exchange names.
async fn several_sources_are_registered_at_once(store: &dyn Administered) {
    let tenant = build::tenant();
    let names = async || -> Vec<(String, String)> {
        let sources = store.sources(&tenant).await.expect("the store answers");
        sources.into_iter().map(|source| (source.id.as_str().to_owned(), source.name)).collect()
    };
    let source = build::registered_source;
    let three = [source("s1", "HR"), source("s2", "Directory"), source("s3", "Payroll")];
    store.put_sources(&three, &event("one")).await.expect("they are kept");
    assert_eq!(recorded(store, &tenant).await, ["one"], "one event for all of them");

    let exchanged = [source("s1", "Directory"), source("s2", "HR"), source("s4", "Badges")];
    store.put_sources(&exchanged, &event("two")).await.expect("they are kept");
    let expected = [("s4", "Badges"), ("s1", "Directory"), ("s2", "HR"), ("s3", "Payroll")]
        .map(|(id, name)| (id.to_owned(), name.to_owned()));
    assert_eq!(names().await, expected);

    // The last one takes the name of a source that keeps it, so nothing is registered.
    let doubled = [source("s1", "One"), source("s5", "Five"), source("s2", "Payroll")];
    refused(store.put_sources(&doubled, &event("three")).await, "another source is named \"Payroll\"");
    refused(store.put_sources(&[source("s6", "Six")], &event("two")).await, "two");
    assert_eq!(names().await, expected);
    assert_eq!(recorded(store, &tenant).await, ["one", "two"]);
    store.put_sources(&[], &event("four")).await.expect("an empty list of sources is accepted");
}

/// A source is removed together with its links, or not at all. Links of other sources stay.
async fn a_source_is_removed_with_its_links(store: &dyn Administered) {
    let (tenant, other) = (build::tenant(), TenantId::new("other"));
    let source = build::registered_source;
    for tenant in [&tenant, &other] {
        let sources = [source("s1", "HR"), source("s2", "Directory")];
        acts::put_sources(store, tenant, &sources).await.expect("they are kept");
        let links = [link("s1", "a", "ada"), link("s1", "b", "ada"), link("s2", "c", "ada")];
        acts::put_links(store, tenant, &links).await.expect("they are kept");
    }
    let kept = async |tenant: &TenantId| {
        let sources = store.sources(tenant).await.expect("the store answers");
        let links = store.links(tenant).await.expect("the store answers");
        let names = sources.into_iter().map(|source| source.name);
        names.chain(links.into_iter().map(|link| link.native_identity)).collect::<Vec<_>>().join(" ")
    };
    let remove = async |id: &str, links, event| store.remove_source(&SourceId::new(id), links, &event).await;
    let unlink = async |id: &str, accounts: Option<&[String]>, event: AuditEvent| {
        store.remove_links(&SourceId::new(id), accounts, &event).await.expect("they are removed")
    };

    refused(remove("s1", false, event("one")).await, "2 accounts of the source are linked by hand");
    let before = recorded(store, &tenant).await;
    refused(remove("s1", true, AuditEvent { id: before[0].clone(), ..event("") }).await, &before[0]);
    assert_eq!(kept(&tenant).await, "Directory HR a b c");

    assert_eq!(remove("s1", true, event("two")).await.expect("it is removed"), 2);
    assert_eq!(kept(&tenant).await, "Directory c");
    refused(remove("s1", true, event("three")).await, "no source with id s1 is registered");
    assert_eq!(remove("s2", true, event("four")).await.expect("it is removed"), 1);
    assert_eq!(kept(&tenant).await, "");
    assert_eq!(kept(&other).await, "Directory HR a b c");
    assert_eq!(recorded(store, &tenant).await[before.len()..], ["two", "four"]);

    // Links alone: some of a source, then all of it. What removes nothing is not recorded.
    let links =
        [link("s1", "a", "ada"), link("s1", "b", "ada"), link("s1", "d", "ada"), link("s2", "a", "ada")];
    acts::put_links(store, &tenant, &links).await.expect("they are kept");
    let put = recorded(store, &tenant).await.len();
    assert_eq!(unlink("s1", Some(&["b".to_owned(), "x".to_owned()]), event("five")).await, 1);
    assert_eq!(kept(&tenant).await, "a d a");
    assert_eq!(unlink("s1", Some(&["x".to_owned()]), event("six")).await, 0);
    assert_eq!(unlink("s1", None, event("seven")).await, 2);
    assert_eq!(kept(&tenant).await, "a");
    assert_eq!(recorded(store, &tenant).await[put..], ["five", "seven"]);
}
