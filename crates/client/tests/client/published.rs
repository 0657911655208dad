//! Answers of another service of this contract: made from the published descriptions, with every member that they
//! name, and read by the SDK.

use muster_client::wire::{
    AccessItemDiff, AccessItemResponse, AggregationResult, IdentityCompareResponse, IdentityEvent,
    IdentityHistoryResponse, IdentityListItem, IdentitySnapshotSummaryResponse, MetricResponse,
    ReportResultReference, ReportResults, SavedSearch, ScheduledSearch, SearchDocument, SodPolicy,
    TaskResultDetails, TaskStatus,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::Path;

struct Description(Value);

impl Description {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/published");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        Self(serde_saphyr::from_str(&text).unwrap())
    }

    /// What an operation answers, one for each form that its schema allows.
    fn answers(&self, method: &str, path: &str, status: &str) -> Vec<Value> {
        let content = &self.0["paths"][path][method]["responses"][status]["content"]["application/json"];
        let schema = &content["schema"];
        assert!(schema.is_object(), "{method} {path} has no answer {status}");
        self.examples(schema)
    }

    fn examples(&self, schema: &Value) -> Vec<Value> {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            return self.examples(self.0.pointer(pointer).unwrap());
        }
        if let Some(any) = ["anyOf", "oneOf"].into_iter().find_map(|key| schema[key].as_array()) {
            return any.iter().flat_map(|schema| self.examples(schema)).collect();
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut whole = vec![Map::new()];
            for part in all {
                let parts = self.examples(part);
                let joined = whole.iter().flat_map(|whole| {
                    parts.iter().map(|part| {
                        let mut both = whole.clone();
                        both.extend(part.as_object().cloned().unwrap_or_default());
                        both
                    })
                });
                whole = joined.collect();
            }
            return whole.into_iter().map(Value::Object).collect();
        }
        if let Some(properties) = schema["properties"].as_object() {
            let forms: Vec<_> =
                properties.iter().map(|(name, schema)| (name, self.examples(schema))).collect();
            let most = forms.iter().map(|(_, forms)| forms.len()).max().unwrap_or(1);
            let object = |number: usize| {
                let members = forms.iter().filter(|(_, forms)| !forms.is_empty());
                let members =
                    members.map(|(name, forms)| ((*name).clone(), forms[number % forms.len()].clone()));
                let mut object: Map<_, _> = members.collect();
                // The title says what it is, and one member does.
                let title = schema["title"].as_str().unwrap_or_default();
                for (tag, kind) in [("eventType", title.replace(' ', "")), ("accessType", access_type(title))]
                {
                    object.entry(tag).and_modify(|value| *value = kind.into());
                }
                Value::Object(object)
            };
            return (0..most).map(object).collect();
        }
        if !schema["example"].is_null() {
            return vec![schema["example"].clone()];
        }
        let default = |value: Value| match schema["default"].is_null() {
            true => vec![value],
            false => vec![schema["default"].clone()],
        };
        match (schema["enum"][0].as_str(), schema["type"].as_str()) {
            (Some(first), _) => vec![first.into()],
            (None, Some("array")) => vec![Value::Array(self.examples(&schema["items"]))],
            (None, Some("string")) => default("2026-01-01T00:00:00.000Z".into()),
            (None, Some("integer" | "number")) => default(1.into()),
            (None, Some("boolean")) => default(true.into()),
            (None, Some("object")) => vec![json!({})],
            (None, _) => Vec::new(),
        }
    }
}

/// `accessProfile` of `Access Item Access Profile Response`.
fn access_type(title: &str) -> String {
    let name = title.trim_start_matches("Access Item ").trim_end_matches(" Response").replace(' ', "");
    let first = name.chars().take(1).flat_map(char::to_lowercase);
    first.chain(name.chars().skip(1)).collect()
}

/// Reads every answer of an operation.
#[track_caller]
fn read<T: DeserializeOwned>(file: &str, method: &str, path: &str, status: &str) -> Vec<T> {
    let answers = Description::read(file).answers(method, path, status);
    assert!(!answers.is_empty(), "{method} {path}");
    let read = answers.into_iter().map(|answer| {
        let text = answer.to_string();
        serde_json::from_value(answer).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"))
    });
    read.collect()
}

#[test]
fn published_answers_about_reports_are_read() {
    let task = &read::<TaskResultDetails>("reports-v1.yaml", "post", "/reports/v1/run", "200")[0];
    assert!(task.id.is_some() && task.description.is_some(), "{task:?}");
    let result =
        &read::<ReportResults>("reports-v1.yaml", "get", "/reports/v1/{taskResultId}/result", "200")[0];
    assert!(result.status.is_some() && result.rows.is_some(), "{result:?}");
}

#[test]
fn published_answers_about_tasks_and_searches_are_read() {
    let tasks = read::<Vec<TaskStatus>>("task-status-v1.yaml", "get", "/task-status/v1", "200");
    assert!(!tasks[0][0].id.is_empty());
    read::<TaskStatus>("task-status-v1.yaml", "patch", "/task-status/v1/{id}", "200");
    read::<AggregationResult>("search-v1.yaml", "post", "/search/v1/aggregate", "200");
    read::<Vec<SearchDocument>>("search-v1.yaml", "post", "/search/v1", "200");
    let saved = read::<SavedSearch>("saved-searches-v1.yaml", "post", "/saved-searches/v1", "201");
    assert!(saved[0].id.is_some(), "{saved:?}");
    let path = "/scheduled-searches/v1/{id}";
    read::<ScheduledSearch>("scheduled-searches-v1.yaml", "get", path, "200");
}

#[test]
fn published_answers_about_policies_are_read() {
    const FILE: &str = "sod-policies-v1.yaml";
    let policies = read::<Vec<SodPolicy>>(FILE, "get", "/sod-policies/v1", "200");
    assert!(
        policies.iter().flatten().all(|policy| policy.id.is_some() && policy.kind.is_some()),
        "{policies:?}"
    );
    for (method, path, code) in [
        ("post", "/sod-policies/v1", "201"),
        ("get", "/sod-policies/v1/{id}", "200"),
        ("put", "/sod-policies/v1/{id}", "200"),
        ("patch", "/sod-policies/v1/{id}", "200"),
    ] {
        read::<SodPolicy>(FILE, method, path, code);
    }
    for (method, path) in [
        ("post", "/sod-policies/v1/{id}/violation-report/run"),
        ("post", "/sod-policies/v1/{id}/evaluate"),
        ("get", "/sod-policies/v1/{id}/violation-report"),
        ("get", "/sod-policies/v1/sod-violation-report-status/{reportResultId}"),
        ("post", "/sod-violation-report/v1/run"),
        ("get", "/sod-violation-report/v1"),
    ] {
        let reports = read::<ReportResultReference>(FILE, method, path, "200");
        assert!(reports.iter().all(|report| report.status.is_some()), "{path}: {reports:?}");
    }
}

#[test]
fn published_answers_about_history_are_read() {
    const FILE: &str = "identity-history-v1.yaml";
    let of = |rest: &str| format!("/historical-identities/v1{rest}");
    read::<Vec<IdentityListItem>>(FILE, "get", &of(""), "200");
    read::<IdentityHistoryResponse>(FILE, "get", &of("/{id}"), "200");
    read::<Vec<IdentitySnapshotSummaryResponse>>(FILE, "get", &of("/{id}/snapshots"), "200");
    read::<Vec<MetricResponse>>(FILE, "get", &of("/{id}/snapshot-summary"), "200");
    read::<Vec<IdentityCompareResponse>>(FILE, "get", &of("/{id}/compare"), "200");
    read::<Vec<AccessItemDiff>>(FILE, "get", &of("/{id}/compare/{access-type}"), "200");
    read::<String>(FILE, "get", &of("/{id}/start-date"), "200");
    let items = read::<Vec<AccessItemResponse>>(FILE, "get", &of("/{id}/access-items"), "200");
    let kinds: std::collections::BTreeSet<_> = items.iter().flatten().map(kind).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["access profile", "account", "app", "entitlement", "role"]
    );
    let events = read::<Vec<IdentityEvent>>(FILE, "get", &of("/{id}/events"), "200");
    let others = events.iter().flatten().filter(|event| matches!(event, IdentityEvent::Other(_))).count();
    assert_eq!(others, 0, "{events:?}");
}

fn kind(item: &AccessItemResponse) -> &'static str {
    match item {
        AccessItemResponse::Entitlement(_) => "entitlement",
        AccessItemResponse::AccessProfile(_) => "access profile",
        AccessItemResponse::Account(_) => "account",
        AccessItemResponse::Role(_) => "role",
        AccessItemResponse::App(_) => "app",
        AccessItemResponse::Other(_) => "other",
    }
}
