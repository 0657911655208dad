//! Policies for separation of duties as published, and operations that only Muster has.

use super::told::{Service, answer, bytes, status};
use muster_client::wire::{JsonPatchOperation, MultiPolicyRequest, SodPolicy};
use muster_client::{Error, Paging};
use serde_json::json;

#[tokio::test]
async fn policies_are_asked_as_published() {
    let policy = json!({"id": "p/1", "name": "Pay and create vendors", "type": "CONFLICTING_ACCESS_BASED"});
    let report = json!({"type": "REPORT_RESULT", "id": "r", "name": "x", "status": "PENDING"});
    let exception =
        json!({"identity": "grace", "owner": "ada", "reason": "small branch", "ends": "2026-12-31"});
    let exceptions = json!([exception]);
    let service = Service::start(move |asked, _| match asked.line.as_str() {
        line if line.contains("/download") => bytes("PK"),
        line if line.ends_with("/exceptions") => answer(exceptions.clone()),
        line if line.starts_with("DELETE") => status(204),
        line if line.contains("report") || line.ends_with("/evaluate") => answer(report.clone()),
        line if line.starts_with("GET /sod-policies/v1?") => {
            answer(json!([policy])).with("x-total-count", "7")
        }
        _ => answer(policy.clone()),
    })
    .await;
    let policies = service.client().sod_policies();
    let new = SodPolicy { name: Some("Pay and create vendors".into()), ..SodPolicy::default() };
    let kept = policies.create(&new).await.unwrap();
    let paging = Paging { count: true, ..Paging::first(2) };
    let page = policies.list(Some("name eq \"a b\""), paging).await.unwrap();
    assert_eq!((page.items, page.total), (vec![kept.clone()], Some(7)));
    policies.get("p/1").await.unwrap();
    policies.replace("p/1", &kept).await.unwrap();
    let patch = json!([{"op": "replace", "path": "/level", "value": "LOW"}]);
    let patch: Vec<JsonPatchOperation> = serde_json::from_value(patch).unwrap();
    policies.update("p/1", &patch).await.unwrap();
    policies.delete("p/1").await.unwrap();
    for started in [
        policies.run("p/1").await.unwrap(),
        policies.evaluate("p/1").await.unwrap(),
        policies.run_all(&["p/1".into()]).await.unwrap(),
        policies.run_all(&[]).await.unwrap(),
        policies.last_report("p/1").await.unwrap(),
        policies.last_report_of_all().await.unwrap(),
        policies.report("r").await.unwrap(),
    ] {
        assert_eq!(started.id.as_deref(), Some("r"));
    }
    let mut archive = Vec::new();
    policies.download("r", None, &mut archive).await.unwrap();
    policies.download("r", Some("a b"), &mut archive).await.unwrap();
    assert_eq!(archive, b"PKPK");
    let exceptions = policies.exceptions("p/1").await.unwrap();
    assert_eq!(policies.replace_exceptions("p/1", &exceptions).await.unwrap(), exceptions);
    assert_eq!(
        service.lines(),
        [
            "POST /sod-policies/v1",
            "GET /sod-policies/v1?filters=name+eq+%22a+b%22&limit=2&count=true",
            "GET /sod-policies/v1/p%2F1",
            "PUT /sod-policies/v1/p%2F1",
            "PATCH /sod-policies/v1/p%2F1",
            "DELETE /sod-policies/v1/p%2F1",
            "POST /sod-policies/v1/p%2F1/violation-report/run",
            "POST /sod-policies/v1/p%2F1/evaluate",
            "POST /sod-violation-report/v1/run",
            "POST /sod-violation-report/v1/run",
            "GET /sod-policies/v1/p%2F1/violation-report",
            "GET /sod-violation-report/v1",
            "GET /sod-policies/v1/sod-violation-report-status/r",
            "GET /sod-violation-report/v1/r/download",
            "GET /sod-violation-report/v1/r/download/a%20b",
            "GET /muster/v1/sod-policies/p%2F1/exceptions",
            "PUT /muster/v1/sod-policies/p%2F1/exceptions",
        ]
    );
    assert_eq!(service.asked(0).body, json!({"name": "Pay and create vendors"}));
    assert_eq!(service.asked(4).header("content-type"), Some("application/json-patch+json"));
    assert_eq!(service.asked(8).body, json!({"filteredPolicyList": ["p/1"]}));
    assert_eq!(service.asked(9).body, json!({}), "no list means all policies");
    assert_eq!(MultiPolicyRequest::default().filtered_policy_list, None);
}

/// A policy, a definition and a notification would be there twice.
#[tokio::test]
async fn what_would_be_done_twice_is_sent_once() {
    let service = Service::start(|_, _| status(502)).await;
    let client = service.client();
    let refused = |error: Error| error.refusal().unwrap().status;
    assert_eq!(refused(client.sod_policies().create(&SodPolicy::default()).await.unwrap_err()), 502);
    assert_eq!(refused(client.definitions().keep("x").await.unwrap_err()), 502);
    assert_eq!(refused(client.installation().retry_notification("n").await.unwrap_err()), 502);
    assert_eq!(service.lines().len(), 3);
}

#[tokio::test]
async fn definitions_are_checked_and_kept() {
    let kept = json!({"id": "A", "version": 2, "added": "t", "addedBy": "ada", "sha256": "s"});
    let service = Service::start(move |asked, _| match (asked.line.as_str(), &asked.body["checkOnly"]) {
        ("POST /muster/v1/report-definitions", check) if *check == json!(true) => {
            answer(json!({"faults": [{"key": "row", "line": 2, "reason": "is empty"}]}))
        }
        ("POST /muster/v1/report-definitions", _) => answer(kept.clone()).with_status(201),
        ("DELETE /muster/v1/report-definitions/A", _) => status(204),
        (_, _) => answer(json!([kept])),
    })
    .await;
    let definitions = service.client().definitions();
    assert_eq!(definitions.check("row = \"\"").await.unwrap().faults[0].line, Some(2));
    assert_eq!(definitions.keep("id = \"A\"").await.unwrap().version, 2);
    assert_eq!(definitions.list().await.unwrap(), definitions.versions("A").await.unwrap());
    definitions.remove("A").await.unwrap();
    assert_eq!(service.asked(1).body, json!({"text": "id = \"A\""}));
}

#[tokio::test]
async fn an_installation_is_asked_by_its_routes() {
    let trail = json!({"last": 0, "backlog": 0, "events": []});
    let service = Service::start(move |asked, _| match asked.line.as_str() {
        line if line.contains("audit-events") => answer(trail.clone()),
        line if line.contains("compare") || line.contains("installation") => answer(json!({})),
        _ => answer(json!([])),
    })
    .await;
    let api = service.client().installation();
    assert!(api.sources().await.unwrap().is_empty());
    assert!(api.refused_records("a/b", 5).await.unwrap().is_empty());
    assert!(api.snapshots().await.unwrap().is_empty());
    assert!(api.clients().await.unwrap().is_empty());
    assert!(api.notifications().await.unwrap().is_empty());
    assert!(api.search_fields().await.unwrap().is_empty());
    // What is asked counts here, whatever the answer is.
    let _ = api.compare_snapshots("a", "b").await;
    let _ = api.explain_link("HR", "CN=a,O=b").await;
    let _ = api.pin_snapshot("s", "year end").await;
    let _ = api.unpin_snapshot("s").await;
    let _ = api.audit_events(Some(7), 2).await;
    let _ = (api.caller().await, api.installation().await, api.task_counts().await);
    assert_eq!(
        service.lines(),
        [
            "GET /muster/v1/sources",
            "GET /muster/v1/sources/a%2Fb/refused-records?limit=5",
            "GET /muster/v1/snapshots",
            "GET /muster/v1/clients",
            "GET /muster/v1/notifications",
            "GET /muster/v1/search-fields",
            "GET /muster/v1/snapshots/a/compare/b",
            "GET /muster/v1/links/explanation?source=HR&nativeIdentity=CN%3Da%2CO%3Db",
            "PUT /muster/v1/snapshots/s/pin",
            "DELETE /muster/v1/snapshots/s/pin",
            "GET /muster/v1/audit-events?before=7&limit=2",
            "GET /muster/v1/caller",
            "GET /muster/v1/installation",
            "GET /muster/v1/task-counts",
        ]
    );
}
