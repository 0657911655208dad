//! An event as a document of the published service's shape (EventDocument in tests/published/search-document-schemas.yaml).

use chrono::SecondsFormat;
use muster_reports::audit::AuditEvent;
use serde_json::{Value, json};

/// The document, as searches find it too, with the attributes that say where it comes from.
pub(crate) fn of(event: &AuditEvent, org: &str, pod: &str) -> Value {
    let published = event.operation.published();
    let time = event.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({
        "id": event.id,
        "name": published.name,
        "created": time,
        "synced": time,
        "action": published.action,
        "technicalName": published.action,
        "type": published.kind,
        "operation": published.operation,
        "status": published.status,
        "actor": { "name": event.caller.launcher() },
        "target": { "name": event.report },
        "stack": "muster",
        "trackingNumber": event.task.as_str(),
        "details": event.details,
        "attributes": {
            "org": org,
            "pod": pod,
            "clientId": event.caller.client.as_str(),
        },
        "objects": [published.kind],
        "_type": "event",
        "_version": "v2",
    })
}
