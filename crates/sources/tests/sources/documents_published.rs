//! The published schemas and examples of search documents, against what is here of them.
#![expect(clippy::wildcard_enum_match_arm, reason = "every other type of Arrow's fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use muster_sources::documents::{default_columns, schema};
use muster_sources::{DocumentType, DocumentsSettings};
use serde_json::Value;

use crate::documents::{read_file, read_named};

const EXAMPLES: &str = "search-document-examples.yaml";

/// A published file.
fn published(file: &str) -> (PathBuf, Value) {
    let path = Path::new("../../tests/published").join(file);
    let value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    (path, value)
}

#[test]
fn the_published_examples_load_unchanged_and_come_back_the_same() {
    let (path, mut expected) = published(EXAMPLES);
    let settings = DocumentsSettings { path: EXAMPLES.to_owned(), index: None };
    let read = read_file(&settings, path.parent().unwrap()).unwrap();
    assert_eq!(read.rejections, []);
    assert_eq!(read.summary.warnings, [""; 0]);
    assert!(read.summary.complete);
    assert_eq!(read.summary.bytes, std::fs::metadata(&path).unwrap().len());
    // The lines on which `summary` stands, as grep -n shows them.
    let found: Vec<_> = read.documents.iter().map(|(line, kind, _)| (*line, *kind)).collect();
    use DocumentType::{AccessProfiles, AccountActivities, Entitlements, Events, Identities, Roles};
    let kinds = [
        (2, Identities),
        (318, AccessProfiles),
        (354, Roles),
        (378, Entitlements),
        (400, Events),
        (428, AccountActivities),
    ];
    assert_eq!(found, kinds);

    let documents: Vec<_> = read.documents.iter().map(|(.., document)| document).collect();
    for (list, length) in [("accounts", 4), ("apps", 5), ("access", 8), ("tags", 2), ("visibleSegments", 1)] {
        assert_eq!(documents[0][list].as_array().unwrap().len(), length, "{list}");
    }
    assert_eq!(documents[0]["accounts"][1]["entitlementAttributes"]["memberOf"].as_array().unwrap().len(), 4);

    // What is spelt differently here, all of it.
    for path in ["/accessProfile/value/created", "/accessProfile/value/modified"] {
        let date = expected.pointer_mut(path).unwrap();
        *date = Value::from(date.as_str().unwrap().replace('Z', ".000Z"));
    }
    *expected.pointer_mut("/entitlement/value/containsDataAccess").unwrap() = Value::from(false);
    let segments = expected.pointer_mut("/identity/value/attributes/visibleSegments").unwrap();
    *segments = segments[0].take();
    for path in [
        "/accountActivity/value/accountRequests/0/attributeRequests/0/value",
        "/accountActivity/value/originalRequests/0/attributeRequests/0/value",
    ] {
        let value = expected.pointer_mut(path).unwrap();
        *value = Value::from(vec![value.take()]);
    }
    let names = ["identity", "accessProfile", "role", "entitlement", "event", "accountActivity"];
    for (found, name) in documents.into_iter().zip(names) {
        assert_eq!(*found, expected[name]["value"], "{name}");
    }
}

#[test]
fn the_published_examples_are_known_by_their_fields_alone() {
    let (_, examples) = published(EXAMPLES);
    let names = ["identity", "accessProfile", "accountActivity", "entitlement", "event", "role"];
    let lines: Vec<String> = names.iter().map(|name| examples[name]["value"].to_string()).collect();
    let read = read_named("a.ndjson", lines.join("\r\n").as_bytes(), None).unwrap();
    let found: Vec<_> = read.documents.iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(found, DocumentType::ALL);
}

/// The published schema's properties, those of its parts and alternatives among them.
fn properties<'a>(schema: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.push((name, property));
    }
    for part in ["allOf", "oneOf", "anyOf"] {
        for part in schema[part].as_array().into_iter().flatten() {
            properties(part, found);
        }
    }
}

/// Notes where a field differs from its published property.
fn compare(path: &str, published: &Value, field: &Field, faults: &mut Vec<String>) {
    let text = |key: &str| published[key].as_str().unwrap_or_default();
    let mut inner = Vec::new();
    properties(published, &mut inner);
    let is_date = text("format") == "date-time" || text("description").starts_with("ISO-8601 date-time");
    let fits = match field.data_type() {
        DataType::Utf8 => text("type") == "string" && !is_date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => is_date && zone.as_ref() == "UTC",
        DataType::Boolean => text("type") == "boolean",
        DataType::Int64 => text("type") == "integer",
        DataType::Map(..) => published["additionalProperties"] == Value::Bool(true) && inner.is_empty(),
        DataType::Struct(fields) => {
            compare_all(path, published, fields, faults);
            !inner.is_empty() && text("type") != "array"
        }
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) => {
                compare_all(path, &published["items"], fields, faults);
                text("type") == "array"
            }
            _ => {
                let either = &published["oneOf"];
                text("type") == "array" && published["items"]["type"] == "string"
                    || either[0]["type"] == "string" && either[1]["items"]["type"] == "string"
            }
        },
        _ => false,
    };
    if !fits {
        faults.push(format!("{path}: {}", field.data_type()));
    }
}

fn compare_all(path: &str, published: &Value, fields: &Fields, faults: &mut Vec<String>) {
    let mut expected = Vec::new();
    properties(published, &mut expected);
    for (name, property) in &expected {
        match fields.find(name) {
            Some((_, field)) => compare(&format!("{path}.{name}"), property, field, faults),
            None => faults.push(format!("{path}.{name}: missing")),
        }
    }
    for field in fields {
        if !expected.iter().any(|(name, _)| name == field.name()) {
            faults.push(format!("{path}.{}: not published", field.name()));
        }
    }
}

#[test]
fn the_schemas_are_the_published_ones_and_what_the_examples_add() {
    let (_, specification) = published("search-document-schemas.yaml");
    let documents = [
        ("IdentityDocument", DocumentType::Identities),
        ("AccessProfileDocument", DocumentType::AccessProfiles),
        ("AccountActivityDocument", DocumentType::AccountActivities),
        ("EntitlementDocument", DocumentType::Entitlements),
        ("EventDocument", DocumentType::Events),
        ("RoleDocument", DocumentType::Roles),
    ];
    let mut faults = Vec::new();
    for (name, document_type) in documents {
        let published = &specification["components"]["schemas"][name];
        compare_all(name, published, schema(document_type).fields(), &mut faults);
    }
    // Found by comparing the examples with the schemas.
    let beyond = [
        "IdentityDocument.access.enabled",
        "IdentityDocument.access.requestable",
        "IdentityDocument.access.requestCommentsRequired",
        "IdentityDocument.access.cloudEligible",
        "IdentityDocument.access.cloudGoverned",
        "IdentityDocument.access.schema",
        "IdentityDocument.tagCount",
        "AccountActivityDocument.approvals.accountUuid",
        "AccountActivityDocument.originalRequests.accountUuid",
        "EntitlementDocument.description",
    ];
    let found: BTreeSet<_> = faults.into_iter().collect();
    assert_eq!(found, beyond.iter().map(|path| format!("{path}: not published")).collect());
}

/// The field that a dotted path names; a free map has every name.
fn has_path(fields: &Fields, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    match (fields.find(name).map(|(_, field)| field.data_type()), rest) {
        (Some(_), None) => true,
        (Some(DataType::Struct(fields)), Some(rest)) => has_path(fields, rest),
        (Some(DataType::Map(..)), Some(rest)) => !rest.contains('.'),
        _ => false,
    }
}

#[test]
fn every_default_column_is_a_field() {
    for document_type in DocumentType::ALL {
        let columns = default_columns(document_type);
        assert_eq!(columns[0], "id");
        let distinct: BTreeSet<_> = columns.iter().collect();
        assert_eq!(distinct.len(), columns.len());
        for column in columns {
            assert!(has_path(schema(document_type).fields(), column), "{document_type:?}: {column}");
        }
    }
}

#[test]
fn the_page_lists_the_default_columns() {
    let page = std::fs::read_to_string("../../docs/search.md").unwrap();
    for document_type in DocumentType::ALL {
        let columns: Vec<_> =
            default_columns(document_type).iter().map(|column| format!("`{column}`")).collect();
        let row = format!("| `{}` | {} |\n", document_type.index_name(), columns.join(", "));
        assert!(page.contains(&row), "expected in docs/search.md: {row}");
    }
}

#[test]
fn every_field_is_nullable_and_ids_are_compared_whole() {
    fn walk(path: &str, fields: &Fields, keys: &mut BTreeSet<String>) {
        for field in fields {
            let path = format!("{path}.{}", field.name());
            assert!(field.is_nullable(), "{path}");
            match field.data_type() {
                DataType::Struct(fields) => walk(&path, fields, keys),
                DataType::List(item) => {
                    if let DataType::Struct(fields) = item.data_type() {
                        walk(&path, fields, keys);
                    }
                }
                _ => {}
            }
            if field.metadata().get("muster.kind").is_some_and(|kind| kind == "keyword") {
                assert_eq!(field.data_type(), &DataType::Utf8, "{path}");
                keys.insert(path);
            }
        }
    }
    let mut keys = BTreeSet::new();
    for document_type in [DocumentType::Entitlements, DocumentType::AccountActivities] {
        let schema = schema(document_type);
        assert_eq!(schema.field(0).name(), "id");
        walk("", schema.fields(), &mut keys);
    }
    let expected = [
        ".accountRequests.accountId",
        ".accountRequests.provisioningTarget.id",
        ".accountRequests.result.ticketId",
        ".accountRequests.source.id",
        ".approvals.accountUuid",
        ".approvals.owner.id",
        ".approvals.source.id",
        ".expansionItems.accountId",
        ".expansionItems.id",
        ".expansionItems.source.id",
        ".hash",
        ".id",
        ".originalRequests.accountId",
        ".originalRequests.accountUuid",
        ".originalRequests.source.id",
        ".recipient.id",
        ".requester.id",
        ".segments.id",
        ".source.id",
    ];
    assert_eq!(keys.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn names_of_kinds() {
    let names = ["identities", "accessprofiles", "accountactivities", "entitlements", "events", "roles"];
    assert_eq!(DocumentType::ALL.map(DocumentType::index_name), names);
    for (name, document_type) in names.into_iter().zip(DocumentType::ALL) {
        assert_eq!(DocumentType::from_index_name(name), Some(document_type));
        assert_eq!(serde_json::to_value(document_type).unwrap(), name);
    }
    assert_eq!(DocumentType::from_index_name("Roles"), None);
}
