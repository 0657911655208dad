//! Whole queries on documents: Elasticsearch's rules by hand, and the reference against the predicate.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Fields, Reference};
use crate::matching::{FieldKind, FieldTest, Predicate, Resolver, lower};
use crate::{Rounding, date_instant, parse};

/// Some of an identity's fields. `attributes` is a free map of texts.
const FIELDS: [(&str, FieldKind); 11] = [
    ("id", FieldKind::Keyword),
    ("name", FieldKind::Text),
    ("accountCount", FieldKind::Integer),
    ("inactive", FieldKind::Boolean),
    ("created", FieldKind::Date),
    ("attributes.*", FieldKind::Free),
    ("access.id", FieldKind::Keyword),
    ("access.name", FieldKind::Text),
    ("access.count", FieldKind::Integer),
    ("access.source.name", FieldKind::Text),
    ("manager.name", FieldKind::Text),
];

struct Schema;

impl Fields for Schema {
    fn kind(&self, path: &str) -> Option<FieldKind> {
        if path.strip_prefix("attributes.").is_some_and(|name| !name.is_empty()) {
            return Some(FieldKind::Free);
        }
        FIELDS.iter().find(|(field, _)| *field == path).map(|(_, kind)| *kind)
    }

    fn names(&self) -> Vec<String> {
        FIELDS.iter().map(|(field, _)| (*field).to_owned()).collect()
    }

    fn is_array(&self, path: &str) -> bool {
        path == "access"
    }
}

/// A field is its path from the document or element, a star matching any name.
impl Resolver for Schema {
    type Field = String;

    fn named(&self, array: Option<&str>, name: &str) -> Vec<(String, FieldKind)> {
        let inside = array.map_or_else(String::new, |array| format!("{array}."));
        let whole = format!("{inside}{name}");
        if !name.contains('*') {
            return self.kind(&whole).map(|kind| (name.to_owned(), kind)).into_iter().collect();
        }
        let mut fields = Vec::new();
        for (field, kind) in FIELDS {
            let Some(relative) = field.strip_prefix(&inside) else { continue };
            if field == "attributes.*" {
                // The patterns of these tests reach all attributes, or those of one beginning.
                if fits(&whole, "attributes.") || whole.starts_with("attributes.") {
                    let wanted = if whole.starts_with("attributes.") { name } else { field };
                    fields.push((wanted.to_owned(), kind));
                }
            } else if fits(&whole, field) {
                fields.push((relative.to_owned(), kind));
            }
        }
        fields
    }

    fn unnamed(&self, array: Option<&str>) -> Vec<(String, FieldKind)> {
        let words = |(field, kind)| (field, if kind == FieldKind::Free { FieldKind::Text } else { kind });
        self.named(array, "*").into_iter().map(words).collect()
    }

    fn existing(&self, array: Option<&str>, name: &str) -> Vec<String> {
        let below = self.named(array, &format!("{name}.*"));
        self.named(array, name).into_iter().chain(below).map(|(field, _)| field).collect()
    }

    fn is_array(&self, path: &str) -> bool {
        path == "access"
    }
}

/// Whether a name fits a pattern with at most one star.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).expect("a moment")
}

fn values<'a>(value: &'a Json, field: &str) -> Vec<&'a Json> {
    match value {
        Json::Null => Vec::new(),
        Json::Array(inside) => inside.iter().flat_map(|value| values(value, field)).collect(),
        Json::Object(entries) => {
            let (first, rest) = field.split_once('.').unwrap_or((field, ""));
            let entries = entries.iter().filter(|(name, _)| fits(first, name));
            entries.flat_map(|(_, value)| values(value, rest)).collect()
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) if field.is_empty() => vec![value],
        Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    }
}

fn satisfies(document: &Json, predicate: &Predicate<String>) -> bool {
    match predicate {
        Predicate::All => true,
        Predicate::Nothing => false,
        Predicate::And(parts) => parts.iter().all(|part| satisfies(document, part)),
        Predicate::Or(parts) => parts.iter().any(|part| satisfies(document, part)),
        Predicate::Not(part) => !satisfies(document, part),
        Predicate::Nested { path, element } => {
            let elements = document.get(path).and_then(Json::as_array);
            elements.into_iter().flatten().any(|document| satisfies(document, element))
        }
        Predicate::Test { fields, test } => {
            fields.iter().flat_map(|field| values(document, field)).any(|value| passes(value, test))
        }
    }
}

fn passes(value: &Json, test: &FieldTest) -> bool {
    match test {
        FieldTest::Exists => true,
        FieldTest::Text(test) => value.as_str().is_some_and(|text| test.matches(text)),
        FieldTest::Number(test) => value.as_i64().is_some_and(|number| test.matches(number)),
        FieldTest::Boolean(test) => value.as_bool().is_some_and(|value| test.matches(value)),
        FieldTest::Date(test) => moment(value).is_some_and(|moment| test.matches(moment)),
        FieldTest::Ranges(test) => {
            value.as_i64().or_else(|| moment(value)).is_some_and(|value| test.matches(value))
        }
    }
}

fn moment(value: &Json) -> Option<i64> {
    let read = |text| date_instant(text, now(), Rounding::Down).expect("a date in a document");
    value.as_str().map(|text| read(text).timestamp_millis())
}

/// Two people of the tests and what they have.
fn documents() -> [Json; 3] {
    [
        json!({
            "id": "2c91A", "name": "Ann Smith", "accountCount": 12, "inactive": false,
            "created": "2020-05-01T10:00:00.000Z",
            "attributes": {"city": "London", "job": "Payroll analyst", "empty": ""},
            "access": [
                {"id": "r1", "name": "Payroll Reader", "count": 1, "source": {"name": "Active Directory"}},
                {"id": "r2", "name": "Ledger Writer", "count": 5, "source": {"name": "SAP"}},
            ],
        }),
        json!({
            "id": "2c91B", "name": "Bob Payroll", "accountCount": 3, "inactive": true,
            "created": "2021-01-01T00:00:00.000Z", "manager": {"name": "Ann Smith"},
            "attributes": {"city": "New York"}, "access": [],
        }),
        json!({"id": "2c91C", "name": null, "unknown": "London"}),
    ]
}

/// Which of the three are found, both ways.
#[track_caller]
fn finds(query: &str, expected: &[usize]) {
    let tree = parse(query).expect(query);
    let reference = Reference::new(&tree, &Schema, now()).expect(query);
    let predicate = lower(&tree, &Schema, now()).expect(query);
    let found = |matches: &dyn Fn(&Json) -> bool| -> Vec<usize> {
        documents().iter().enumerate().filter(|(_, document)| matches(document)).map(|(at, _)| at).collect()
    };
    assert_eq!(found(&|document| reference.matches(document)), expected, "{query}, the reference");
    assert_eq!(found(&|document| satisfies(document, &predicate)), expected, "{query}, the predicate");
}

#[test]
fn lists_of_prohibitions_mean_everything_else() {
    // Elasticsearch, `Queries.fixNegativeQueryIfNeeded`, and a blank query in `QueryStringQueryParser.parse`.
    finds("", &[]);
    finds("*", &[0, 1, 2]);
    finds("*:*", &[0, 1, 2]);
    finds("NOT name:ann", &[1, 2]);
    finds("-name:ann -name:bob", &[2]);
    finds("name:bob (NOT name:payroll)", &[0, 1, 2]);
    finds("name:bob AND (NOT name:payroll)", &[]);
    finds("name:\"\"", &[]);
    finds("NOT unknown:london", &[0, 1, 2]);
}

#[test]
fn values_of_the_wrong_type_and_unknown_fields_match_nothing() {
    // The published rules of the search API; Elasticsearch's `newLenientFieldQuery` and `newUnmappedFieldQuery`.
    finds("unknown:london", &[]);
    finds("Name:ann", &[]);
    finds("accountCount:abc", &[]);
    finds("accountCount:1*", &[]);
    finds("NOT accountCount:abc", &[0, 1, 2]);
    finds("accountCount:>10", &[0]);
    finds("accountCount:(>=3 AND <12)", &[1]);
    finds("inactive:true", &[1]);
    finds("created:2020-05-01", &[0]);
    finds("created:[2020-05-02 TO now+7y]", &[1]);
}

#[test]
fn fields_exist_where_they_have_a_value() {
    // Elasticsearch, "Exists query": null and the empty list are not values, an empty text is one; the name may be
    // an object's.
    finds("name:*", &[0, 1]);
    finds("_exists_:attributes.empty", &[0]);
    finds("_exists_:access", &[0]);
    finds("_exists_:manager", &[1]);
    finds("_exists_:attributes.\\*", &[0, 1]);
    finds("NOT _exists_:name", &[2]);
    finds("unknown:*", &[]);
}

#[test]
fn words_without_a_field_are_looked_for_in_all() {
    finds("london", &[0]);
    finds("payroll", &[0, 1]);
    finds("\"active directory\"", &[0]);
    finds("12", &[0]);
    finds("2c91A", &[0]);
    finds("2c91a", &[]);
    // Each word in a field of its own.
    finds("ann AND ledger AND london", &[0]);
    finds("bob AND york", &[1]);
    finds("\"ann london\"", &[]);
}

#[test]
fn names_have_stars_paths_and_exact() {
    // Elasticsearch, query_string, "Multi field": the star is escaped.
    finds("attributes.\\*:london", &[0]);
    finds("\\*.name:smith", &[1]);
    finds("\\*name:smith", &[0, 1]);
    finds("attributes.c\\*:york", &[1]);
    finds("name.exact:\"Ann Smith\"", &[0]);
    finds("name.exact:\"ann smith\"", &[]);
    finds("name.exact:Ann", &[]);
    finds("attributes.city.exact:\"New York\"", &[1]);
    finds("attributes.\\*.exact:\"New York\"", &[1]);
    finds("id.exact:2c91A", &[0]);
    finds("id.exact:2c91a", &[]);
    finds("@access(id.exact:r2)", &[0]);
    finds("access.name:reader", &[0]);
    finds("access.name:(reader AND ledger)", &[0]);
    finds("access.source.name:sap", &[0]);
    finds("access.name.exact:\"Ledger Writer\"", &[0]);
}

#[test]
fn one_element_satisfies_a_nested_query() {
    // The search API's own syntax; Elasticsearch's nested query.
    finds("@access(name:payroll AND source.name:\"active directory\")", &[0]);
    finds("@access(name:payroll AND source.name:sap)", &[]);
    finds("access.name:payroll AND access.source.name:sap", &[0]);
    finds("NOT @access(name:payroll)", &[1, 2]);
    finds("@access(NOT name:payroll)", &[0]);
    finds("@access(NOT name:payroll) AND name:bob", &[]);
    finds("@access(sap)", &[0]);
    finds("@access(london)", &[]);
    finds("@access(*)", &[0]);
    finds("@access(count:>1 AND name:writer)", &[0]);
    finds("@access(access.name:payroll)", &[]);
    finds("@access(name.exact:\"Payroll Reader\")", &[0]);
    finds("@access(_exists_:source)", &[0]);
    finds("@manager(name:ann)", &[]);
    finds("@access(name:\"\") name:bob", &[1]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readings_agree(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "ann", "payroll", "smith", "12", "2c91A", "true", "\"payroll reader\"", "\"\"", "&", "*", "p*", "sap~1",
            "name:", "access.name:", "\\*:", "attributes.\\*:", "\\*name:", "\\*.exact:", "unknown:", "id:",
            "accountCount:", "_exists_:", "name.exact:", "source.name:", ">3", "(", "(", ")", ")", "@access(",
            "@access(", "@manager(", "AND", "AND", "OR", "NOT", "+", "-",
        ]), 1..12),
    ) {
        let mut query = String::new();
        for piece in pieces {
            query.push_str(piece);
            // Operators and names are directly before what follows.
            if !piece.ends_with([':', '+', '-']) {
                query.push(' ');
            }
        }
        let Ok(tree) = parse(&query) else {
            return Ok(());
        };
        let reference = Reference::new(&tree, &Schema, now()).expect("nothing complex");
        let predicate = lower(&tree, &Schema, now()).expect("nothing complex");
        for document in documents() {
            prop_assert_eq!(
                reference.matches(&document), satisfies(&document, &predicate), "{} on {}", query, document);
        }
    }
}
