//! Policies for separation of duties: what is kept, and what is known of their reports.

use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{SodPolicyId, TaskId, TenantId};
use muster_reports::ports::{AuditTrail, SodPolicyStore};
use muster_reports::sod_policy::{SodPolicy, SodPolicyContent};
use std::sync::Arc;

/// Everything that a [`SodPolicyStore`] promises.
pub async fn sod_policy_store_contract<S: SodPolicyStore + AuditTrail + 'static>(
    make: impl AsyncFn() -> Arc<S>,
) {
    a_policy_is_kept_changed_and_removed(&*make().await).await;
    policies_are_listed_as_they_were_made(&*make().await).await;
    a_name_is_of_one_policy(&*make().await).await;
    the_last_report_of_a_policy_is_known(&*make().await).await;
    what_is_not_recorded_is_not_done(&*make().await).await;
}

fn event(tenant: &TenantId) -> AuditEvent {
    acts::event(AuditOperation::ConfigurationChanged, tenant, at(0))
}

/// Every member that a content can have, and characters that databases dislike.
fn content(name: &str) -> SodPolicyContent {
    let text = r#"{"name": "a\u0000 \"b\"", "description": "d", "level": "LOW", "state": "NOT_ENFORCED", "tags": ["t"],
        "ownerRef": {"type": "IDENTITY", "id": "i", "name": "Ada"}, "secondaryOwnerRefs": [{"id": "j"}],
        "allowedControls": [{"type": "COMPENSATING_CONTROL", "id": "c"}], "externalPolicyReference": "x",
        "policyQuery": "q", "compensatingControls": "c", "correctionAdvice": "a", "type": "CONFLICTING_ACCESS_BASED",
        "violationOwnerAssignmentConfig": {"assignmentRule": "MANAGER", "ownerRef": {"type": "IDENTITY"}},
        "conflictingAccessCriteria": {
          "leftCriteria": {"name": "in", "criteriaList": [{"type": "ENTITLEMENT", "id": "e", "name": "E"}]},
          "rightCriteria": {"criteriaList": [{"source": "s", "value": "v"}, {"query": "*"}]}}}"#;
    let content: SodPolicyContent = serde_json::from_str(text).expect("it is a content");
    SodPolicyContent { name: format!("{} {name}", content.name), ..content }
}

fn policy(id: &str, created: i64) -> SodPolicy {
    let exception = r#"[{"identity": "ada", "owner": "Bob", "reason": "a\u0000", "ends": "2026-01-31"}]"#;
    SodPolicy {
        id: SodPolicyId::new(id),
        content: content(id),
        exceptions: serde_json::from_str(exception).expect("these are exceptions"),
        creator: "ada".into(),
        modifier: None,
        created: at(created),
        modified: at(created),
    }
}

async fn add(store: &dyn SodPolicyStore, tenant: &TenantId, policy: &SodPolicy) {
    store.add_sod_policy(policy, &event(tenant)).await.expect("it is kept");
}

async fn look(store: &dyn SodPolicyStore, tenant: &TenantId, id: &str) -> Option<SodPolicy> {
    store.sod_policy(tenant, &SodPolicyId::new(id)).await.expect("the store answers")
}

async fn a_policy_is_kept_changed_and_removed<S: SodPolicyStore + AuditTrail>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let kept = policy("one", 0);
    add(store, &acme, &kept).await;
    assert_eq!(look(store, &acme, "one").await.as_ref(), Some(&kept));
    assert_eq!(look(store, &globex, "one").await, None, "another tenant has none");
    // Both tenants may have the same id and the same name.
    let theirs = SodPolicy { creator: "grace".into(), ..policy("one", 1) };
    add(store, &globex, &theirs).await;

    let changed = SodPolicy {
        creator: "mallory".into(),
        content: SodPolicyContent {
            name: "n".into(),
            policy_query: Some("*".into()),
            ..SodPolicyContent::default()
        },
        exceptions: Vec::new(),
        modifier: Some("bob".into()),
        created: at(50),
        modified: at(60),
        ..kept.clone()
    };
    assert!(store.replace_sod_policy(&changed, &event(&acme)).await.expect("the store answers"));
    let expected = SodPolicy { creator: "ada".into(), created: at(0), ..changed.clone() };
    assert_eq!(look(store, &acme, "one").await, Some(expected), "creator and time of creation stay");
    assert_eq!(look(store, &globex, "one").await.as_ref(), Some(&theirs));

    assert!(store.remove_sod_policy(&kept.id, &event(&acme)).await.expect("the store answers"));
    assert_eq!(look(store, &acme, "one").await, None);
    assert_eq!(look(store, &globex, "one").await.as_ref(), Some(&theirs));
    let events = store.events(&acme, 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 3, "each change has its event");
    assert!(!store.remove_sod_policy(&kept.id, &event(&acme)).await.expect("the store answers"));
    assert!(!store.replace_sod_policy(&changed, &event(&acme)).await.expect("the store answers"));
    let events = store.events(&acme, 0, 100).await.expect("the store answers");
    assert_eq!(events.len(), 3, "what changes nothing has no event");
}

async fn policies_are_listed_as_they_were_made<S: SodPolicyStore>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    // Two have the same time: the id decides.
    for (id, created) in [("d", 3), ("b", 1), ("c", 1), ("a", 2)] {
        add(store, &acme, &policy(id, created)).await;
    }
    add(store, &globex, &policy("x", 0)).await;
    let found = store.sod_policies(&acme).await.expect("the store answers");
    let ids: Vec<_> = found.iter().map(|policy| policy.id.as_str()).collect();
    assert_eq!(ids, ["b", "c", "a", "d"]);
    assert_eq!(found[0], policy("b", 1));
}

async fn a_name_is_of_one_policy<S: SodPolicyStore>(store: &S) {
    let acme = build::tenant();
    let (one, two) = (policy("one", 0), policy("two", 1));
    add(store, &acme, &one).await;
    add(store, &acme, &two).await;
    let taken = SodPolicy { content: one.content.clone(), ..policy("three", 2) };
    assert!(store.add_sod_policy(&taken, &event(&acme)).await.is_err());
    let taken = SodPolicy { content: one.content.clone(), ..two.clone() };
    assert!(store.replace_sod_policy(&taken, &event(&acme)).await.is_err());
    assert!(store.replace_sod_policy(&one, &event(&acme)).await.expect("its own name is no other's"));
    assert_eq!(store.sod_policies(&acme).await.expect("the store answers"), [one, two]);
}

async fn the_last_report_of_a_policy_is_known<S: SodPolicyStore>(store: &S) {
    let (acme, globex) = (build::tenant(), TenantId::new("globex"));
    let one = policy("one", 0);
    add(store, &acme, &one).await;
    let last = async |tenant: &TenantId, policy: Option<&SodPolicyId>| {
        store.sod_report(tenant, policy).await.expect("the store answers").map(|task| task.to_string())
    };
    assert_eq!((last(&acme, None).await, last(&acme, Some(&one.id)).await), (None, None));
    for (policy, task) in [(None, "t1"), (Some(&one.id), "t2"), (Some(&one.id), "t3")] {
        store.keep_sod_report(&acme, policy, &TaskId::new(task)).await.expect("it is kept");
    }
    assert_eq!(last(&acme, None).await.as_deref(), Some("t1"));
    assert_eq!(last(&acme, Some(&one.id)).await.as_deref(), Some("t3"));
    assert_eq!(last(&globex, None).await, None);
    assert!(store.remove_sod_policy(&one.id, &event(&acme)).await.expect("the store answers"));
    assert_eq!(last(&acme, Some(&one.id)).await, None, "it is forgotten with the policy");
    assert_eq!(last(&acme, None).await.as_deref(), Some("t1"));
}

async fn what_is_not_recorded_is_not_done<S: SodPolicyStore>(store: &S) {
    let acme = build::tenant();
    let taken = event(&acme);
    store.add_sod_policy(&policy("one", 0), &taken).await.expect("it is kept");
    // The id of the event is taken, so none of these can be recorded.
    assert!(store.add_sod_policy(&policy("two", 0), &taken).await.is_err());
    let changed = SodPolicy { exceptions: Vec::new(), ..policy("one", 0) };
    assert!(store.replace_sod_policy(&changed, &taken).await.is_err());
    assert!(store.remove_sod_policy(&SodPolicyId::new("one"), &taken).await.is_err());
    assert_eq!(store.sod_policies(&acme).await.expect("the store answers"), [policy("one", 0)]);
}
