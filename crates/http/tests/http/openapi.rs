//! Our OpenAPI document: checked in, complete, and never less than the published ones.

use muster_http::{document, route_table};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

fn repository() -> PathBuf {
    PathBuf::from("../..")
}

fn ours() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// `UPDATE_OPENAPI=1 cargo test -p muster-http openapi` rewrites it.
#[test]
fn the_checked_file_is_the_document() {
    let path = repository().join("openapi.json");
    let document = document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let checked = fs::read_to_string(&path).unwrap_or_default();
    assert!(checked == document, "openapi.json is stale: run the test with UPDATE_OPENAPI=1");
}

#[tokio::test]
async fn the_document_is_served() {
    let world = crate::world::World::new().await;
    assert_eq!(world.ask("GET /openapi.json", &[], "").await.json(), ours());
}

#[test]
fn every_route_is_an_operation_and_the_other_way_round() {
    let operations: BTreeSet<_> = operations(&ours()).into_keys().collect();
    let routes: BTreeSet<_> =
        route_table().into_iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(operations, routes);
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(value: &Value, document: &Value) {
        if let Some(reference) = value["$ref"].as_str() {
            assert!(
                document.pointer(reference.trim_start_matches('#')).is_some(),
                "{reference} is not there"
            );
        }
        match value {
            Value::Object(object) => object.values().for_each(|value| follow(value, document)),
            Value::Array(items) => items.iter().for_each(|value| follow(value, document)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = ours();
    follow(&document, &document);
}

#[test]
fn everything_is_described() {
    let document = ours();
    let mut silent = Vec::new();
    let text = |value: &Value, key: &str| value[key].as_str().is_some_and(|text| !text.trim().is_empty());
    let mut ids = BTreeSet::new();
    for (line, operation) in operations(&document) {
        for key in ["summary", "description"] {
            if !text(&operation, key) {
                silent.push(format!("{line}: {key}"));
            }
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{line}: its id is taken");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if !text(parameter, "description") {
                silent.push(format!("{line}: parameter {}", parameter["name"]));
            }
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !text(response, "description") {
                silent.push(format!("{line}: status {status}"));
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if !text(schema, "description") {
            silent.push(format!("schema {name}"));
        }
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            let described = text(schema, "description")
                || schema["oneOf"].as_array().is_some_and(|of| of.iter().any(|one| text(one, "description")));
            if !described {
                silent.push(format!("schema {name}: property {property}"));
            }
        }
    }
    assert!(silent.is_empty(), "without a description: {silent:#?}");
}

/// What generators of clients ask for (OpenAPI Generator 7 was tried with Go, Java and Python).
#[test]
fn generators_of_clients_can_use_it() {
    let document = ours();
    let licence = &document["info"]["license"];
    assert_eq!(
        (&licence["name"], &licence["identifier"]),
        (&"MIT OR Apache-2.0".into(), &"MIT OR Apache-2.0".into())
    );
    assert_eq!(document["servers"][0]["url"], "http://127.0.0.1:8080");
    // Of named enumerations Go makes constants of one package: values that two of them share would clash.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["enum"].is_null(), "{name} is an enumeration with a name of its own");
    }
    let open: Vec<_> = operations(&document)
        .into_iter()
        .filter(|(line, operation)| {
            operation["security"].as_array().unwrap_or_else(|| panic!("{line}")).is_empty()
        })
        .map(|(line, _)| line)
        .collect();
    let expected = [
        "GET /health/live",
        "GET /health/ready",
        "GET /livez",
        "GET /openapi.json",
        "GET /readyz",
        "POST /oauth/token",
    ];
    assert_eq!(open, expected);
}

#[test]
fn ours_has_everything_that_the_published_documents_have() {
    let files = [
        ("reports-v1.yaml", "", 400),
        ("reports-v2024.yaml", "/v2024", 400),
        ("task-status-v1.yaml", "", 150),
        ("search-v1.yaml", "", 300),
        ("saved-searches-v1.yaml", "", 200),
        ("scheduled-searches-v1.yaml", "", 200),
        ("identity-history-v1.yaml", "", 400),
        ("sod-policies-v1.yaml", "", 300),
    ];
    for (file, prefix, compared_min) in files {
        let text = fs::read_to_string(repository().join("tests/published").join(file)).unwrap();
        let published: Value = serde_saphyr::from_str(&text).unwrap();
        let ours = ours();
        let mut comparison = Comparison::with(&ours);
        comparison.documents(&published, prefix);
        assert!(comparison.lacks.is_empty(), "{file}: ours lacks {:#?}", comparison.lacks);
        // The number guards against a comparison that silently compares nothing.
        assert!(
            comparison.compared > compared_min,
            "{file}: only {} things were compared",
            comparison.compared
        );
    }
}

/// The comparison itself finds what is taken away.
#[test]
fn a_document_that_lacks_something_is_found_out() {
    let document = ours();
    let mut comparison = Comparison::with(&document);
    comparison.documents(&document, "");
    assert!(comparison.lacks.is_empty(), "a document has all of itself: {:#?}", comparison.lacks);
    for (pointer, key) in [
        ("/paths", "/v3/reports/run"),
        ("/paths/~1v3~1reports~1{taskResultId}/get/responses", "404"),
        ("/paths/~1v3~1reports~1{taskResultId}/get/responses/200/content", "application/pdf"),
        ("/paths/~1v3~1reports~1{taskResultId}/get/responses/200/headers", "Content-Disposition"),
        ("/paths/~1v3~1reports~1run/post", "requestBody"),
        ("/components/schemas/ReportResults/properties", "rows"),
        ("/components/schemas/TaskResultDetails/properties", "completionStatus"),
        ("/components/schemas/SearchExportArguments/properties", "sort"),
        ("/paths/~1task-status~1v1~1{id}", "patch"),
        ("/components/schemas/TaskStatus/properties", "percentComplete"),
        ("/paths/~1search~1v1~1aggregate/post/responses/200/content", "text/csv"),
        ("/components/schemas/SubSearchAggregationSpecification/properties", "subAggregation"),
        ("/paths/~1saved-searches~1v1~1{id}", "put"),
        ("/components/schemas/SavedSearch/properties", "orderBy"),
        ("/components/schemas/ScheduledSearch/properties", "emailEmptyResults"),
        ("/components/schemas/SodPolicy/properties", "conflictingAccessCriteria"),
        ("/paths/~1sod-violation-report~1v1~1{reportResultId}~1download", "get"),
        ("/components/schemas/AccessItemRoleResponse/properties", "revocable"),
        ("/components/schemas/StatusChange/properties", "newStatus"),
        ("/paths/~1v2025~1historical-identities~1{id}~1compare~1{accessType}", "get"),
    ] {
        let mut ours = document.clone();
        let removed = ours.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
        assert!(removed.is_some(), "{pointer} has no {key}");
        let mut comparison = Comparison::with(&ours);
        comparison.documents(&document, "");
        assert!(!comparison.lacks.is_empty(), "{key} was taken away unnoticed");
    }
    let mut ours = document.clone();
    ours["components"]["schemas"]["ReportDetails"]["properties"]["reportType"]["enum"]
        .as_array_mut()
        .unwrap()
        .pop();
    let mut comparison = Comparison::with(&ours);
    comparison.documents(&document, "");
    assert!(comparison.lacks.iter().any(|lack| lack.contains("UNCORRELATED_ACCOUNTS")));
}

/// Operations by `METHOD path`.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.insert(format!("{} {path}", method.to_uppercase()), operation.clone());
        }
    }
    operations
}

struct Comparison<'a> {
    ours: &'a Value,
    /// What the published document has and ours has not, with its place.
    lacks: Vec<String>,
    compared: usize,
    /// Pairs of references whose schemas have been compared: many answers share them.
    followed: BTreeSet<(String, String)>,
}

/// A method and a path without the names of the path's parameters, which no request has. The published document calls the
/// last one of `/{id}/compare/{access-type}` otherwise in its list of parameters.
fn nameless(line: &str) -> String {
    let parts = line.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

impl<'a> Comparison<'a> {
    fn with(ours: &'a Value) -> Self {
        Self { ours, lacks: Vec::new(), compared: 0, followed: BTreeSet::new() }
    }

    fn documents(&mut self, published: &Value, prefix: &str) {
        let ours: BTreeMap<_, _> =
            operations(self.ours).into_iter().map(|(line, own)| (nameless(&line), own)).collect();
        for (line, operation) in operations(published) {
            let (method, path) = line.split_once(' ').unwrap();
            let line = format!("{method} {prefix}{path}");
            match ours.get(&nameless(&line)) {
                Some(own) => self.operation(&line, &operation, own, published),
                None => self.lacks.push(line),
            }
        }
    }

    fn check(&mut self, has: bool, place: impl FnOnce() -> String) {
        self.compared += 1;
        if !has {
            self.lacks.push(place());
        }
    }

    fn operation(&mut self, line: &str, published: &Value, own: &Value, document: &Value) {
        for parameter in published["parameters"].as_array().into_iter().flatten() {
            let (name, place) = (&parameter["name"], &parameter["in"]);
            let at = format!("{line}, parameter {name}");
            let found = own["parameters"].as_array().into_iter().flatten();
            let found = found.filter(|p| p["name"] == *name && p["in"] == *place).collect::<Vec<_>>();
            self.check(found.len() == 1, || at.clone());
            let Some(found) = found.first() else { continue };
            let required = parameter["required"].as_bool().unwrap_or(false);
            self.check(found["required"].as_bool().unwrap_or(false) == required, || {
                format!("{at}: required {required}")
            });
            self.schema(&at, &parameter["schema"], &found["schema"], document);
        }
        if let Some(body) = published.get("requestBody") {
            let at = format!("{line}, request body");
            self.check(body["required"] == own["requestBody"]["required"], || format!("{at}: required"));
            self.content(&at, body, &own["requestBody"], document);
        }
        for (status, response) in published["responses"].as_object().into_iter().flatten() {
            let at = format!("{line}, status {status}");
            let found = own["responses"].get(status);
            self.check(found.is_some(), || at.clone());
            let Some(found) = found else { continue };
            self.content(&at, response, found, document);
            for header in response["headers"].as_object().into_iter().flat_map(Map::keys) {
                let has = found["headers"]
                    .as_object()
                    .is_some_and(|own| own.keys().any(|h| h.eq_ignore_ascii_case(header)));
                self.check(has, || format!("{at}, header {header}"));
            }
        }
        for scheme in published["security"].as_array().into_iter().flatten() {
            let has = own["security"].as_array().is_some_and(|own| own.contains(scheme));
            self.check(has, || format!("{line}, security {scheme}"));
        }
    }

    fn content(&mut self, at: &str, published: &Value, own: &Value, document: &Value) {
        for (media_type, content) in published["content"].as_object().into_iter().flatten() {
            let at = format!("{at}, {media_type}");
            let found = own["content"].get(media_type);
            self.check(found.is_some(), || at.clone());
            if let Some(found) = found {
                self.schema(&at, &content["schema"], &found["schema"], document);
            }
        }
    }

    fn schema(&mut self, at: &str, published: &Value, own: &Value, document: &Value) {
        if let (Some(theirs), Some(own)) = (published["$ref"].as_str(), own["$ref"].as_str())
            && !self.followed.insert((theirs.to_owned(), own.to_owned()))
        {
            return;
        }
        let published = SchemaFacts::of(published, document);
        let own = SchemaFacts::of(own, self.ours);
        for alternative in &published.alternatives {
            // Alternatives are told apart by their titles: others cannot be compared.
            let Some(title) = resolve(alternative, document)["title"].as_str() else { continue };
            let own_document = self.ours;
            let found = own.alternatives.iter().map(|own| resolve(own, own_document));
            let found = found.filter(|own| own["title"] == title).cloned().collect::<Vec<_>>();
            self.check(found.len() == 1, || format!("{at}, alternative {title}"));
            if let Some(found) = found.first() {
                self.schema(&format!("{at}, {title}"), resolve(alternative, document), found, document);
            }
        }
        if !published.kind.is_empty() {
            self.check(own.kind == published.kind, || {
                format!("{at}: type {} (ours {})", published.kind, own.kind)
            });
        }
        if !published.format.is_empty() {
            self.check(own.format == published.format, || format!("{at}: format {}", published.format));
        }
        // Of a schema without a type nothing is known, null included.
        if !published.kind.is_empty() {
            self.check(own.nullable == published.nullable, || {
                format!("{at}: nullable {}", published.nullable)
            });
        }
        for value in &published.values {
            self.check(own.values.contains(value), || format!("{at}: value {value}"));
        }
        self.check(own.values.is_subset(&published.values), || format!("{at}: ours has further values"));
        for name in &published.required {
            self.check(own.required.contains(name), || format!("{at}: required {name}"));
        }
        // Less may be required of a request than published, and never more; of an answer neither.
        self.check(own.required.is_subset(&published.required), || format!("{at}: ours requires more"));
        for (name, schema) in &published.properties {
            let at = format!("{at}.{name}");
            let found = own.properties.get(name).cloned();
            self.check(found.is_some(), || at.clone());
            if let Some(found) = found {
                self.schema(&at, schema, &found, document);
            }
        }
        if let Some(items) = &published.items {
            let at = format!("{at}[]");
            self.check(own.items.is_some(), || at.clone());
            if let Some(own) = &own.items {
                self.schema(&at, items, own, document);
            }
        }
    }
}

/// A schema whatever the dialect: OpenAPI 3.0 says `nullable`, 3.1 has a type `null`.
#[derive(Default)]
struct SchemaFacts {
    kind: String,
    format: String,
    nullable: bool,
    values: BTreeSet<String>,
    required: BTreeSet<String>,
    properties: BTreeMap<String, Value>,
    items: Option<Value>,
    alternatives: Vec<Value>,
}

fn resolve<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

impl SchemaFacts {
    fn of(schema: &Value, document: &Value) -> Self {
        let schema = resolve(schema, document);
        let alternatives = ["oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
        let (null, alternatives): (Vec<_>, Vec<_>) =
            alternatives.cloned().partition(|alternative| alternative["type"] == "null");
        if let ([_], [only]) = (null.as_slice(), alternatives.as_slice()) {
            return Self { nullable: true, ..Self::of(only, document) };
        }
        let texts = |key: &str| {
            let values = schema[key].as_array().into_iter().flatten();
            values.filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let mut types = texts("type");
        types.extend(schema["type"].as_str().map(str::to_owned));
        let nullable = types.remove("null") || !null.is_empty() || schema["nullable"] == true;
        Self {
            kind: types.into_iter().collect::<Vec<_>>().join(","),
            format: schema["format"].as_str().unwrap_or_default().to_owned(),
            nullable,
            values: texts("enum"),
            required: texts("required"),
            properties: schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), schema.clone()))
                .collect(),
            items: schema.get("items").cloned(),
            alternatives,
        }
    }
}
