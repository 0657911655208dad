//! Queries and their predicates, written by hand from the rules of [`lower`].

use chrono::{DateTime, Utc};

use super::{FieldKind, FieldTest, Predicate, Resolver, check, lower};
use crate::matching::TooComplex;
use crate::parse;

/// A few fields. Their handles are their names.
struct Schema;

const FIELDS: [(&str, FieldKind); 8] = [
    ("id", FieldKind::Keyword),
    ("name", FieldKind::Text),
    ("city", FieldKind::Text),
    ("count", FieldKind::Integer),
    ("active", FieldKind::Boolean),
    ("created", FieldKind::Date),
    ("access.name", FieldKind::Text),
    ("access.id", FieldKind::Keyword),
];

impl Resolver for Schema {
    type Field = String;

    fn named(&self, array: Option<&str>, name: &str) -> Vec<(String, FieldKind)> {
        let whole = array.map_or_else(|| name.to_owned(), |array| format!("{array}.{name}"));
        let fits = |field: &str| match whole.split_once('*') {
            None => field == whole,
            Some((head, tail)) => field.starts_with(head) && field.ends_with(tail),
        };
        FIELDS
            .iter()
            .filter(|(field, _)| fits(field))
            .map(|(field, kind)| ((*field).to_owned(), *kind))
            .collect()
    }

    fn unnamed(&self, array: Option<&str>) -> Vec<(String, FieldKind)> {
        self.named(array, "*")
    }

    fn is_array(&self, path: &str) -> bool {
        path == "access"
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).expect("a moment")
}

/// The predicate as text: `&`, `|` and `!`, each in parentheses, and `kind(fields)` for a test.
fn written(predicate: &Predicate<String>) -> String {
    let joined = |parts: &[Predicate<String>], operator: &str| {
        format!("({})", parts.iter().map(written).collect::<Vec<_>>().join(operator))
    };
    match predicate {
        Predicate::All => "all".to_owned(),
        Predicate::Nothing => "nothing".to_owned(),
        Predicate::And(parts) => joined(parts, " & "),
        Predicate::Or(parts) => joined(parts, " | "),
        Predicate::Not(part) => format!("!{}", written(part)),
        Predicate::Nested { path, element } => format!("@{path}[{}]", written(element)),
        Predicate::Test { fields, test } => {
            let kind = match test {
                FieldTest::Text(test) if test.bounds().is_some() => "whole",
                FieldTest::Text(_) => "words",
                FieldTest::Number(_) => "number",
                FieldTest::Boolean(_) => "boolean",
                FieldTest::Date(_) => "date",
                FieldTest::Exists => "exists",
            };
            format!("{kind}({})", fields.join(","))
        }
    }
}

#[track_caller]
fn becomes(query: &str, expected: &str) {
    let tree = parse(query).expect(query);
    let predicate = lower(&tree, &Schema, now()).expect(query);
    assert_eq!(written(&predicate), expected, "{query}");
}

#[test]
fn clauses_combine_as_lucene_combines_them() {
    becomes("name:a", "words(name)");
    becomes("name:a city:b", "(words(name) | words(city))");
    becomes("name:a AND city:b", "(words(name) & words(city))");
    // What is optional filters nothing beside what is required.
    becomes("name:a OR city:b AND id:c", "(words(city) & whole(id))");
    becomes("name:a -city:b", "(words(name) & !words(city))");
    becomes("name:a id:c -city:b", "((words(name) | whole(id)) & !words(city))");
    becomes("+name:a (city:b id:c)", "words(name)");
    becomes("name:(a AND b) AND city:b", "(words(name) & words(name) & words(city))");
}

#[test]
fn prohibitions_alone_leave_everything_else() {
    // Elasticsearch, `Queries.fixNegativeQueryIfNeeded`, at each level.
    becomes("NOT name:a", "!words(name)");
    becomes("-name:a -city:b", "(!words(name) & !words(city))");
    becomes("id:c AND (NOT name:a)", "(whole(id) & !words(name))");
    becomes("id:c (NOT name:a)", "(whole(id) | !words(name))");
    becomes("-(-name:a)", "words(name)");
    becomes("NOT *", "nothing");
    becomes("NOT unknown:a", "all");
    becomes("@access(NOT name:a)", "@access[!words(access.name)]");
    becomes("NOT @access(name:a)", "!@access[words(access.name)]");
}

#[test]
fn what_analyses_to_nothing_vanishes() {
    becomes("", "nothing");
    becomes("name:\"\"", "nothing");
    becomes("name:(& &) city:b", "words(city)");
    becomes("NOT name:\"\" city:b", "words(city)");
    becomes("city:a name:\"\" AND city:b", "(words(city) & words(city))");
    becomes("city:a AND name:\"\" city:b", "words(city)");
    becomes("@access(name:\"\") name:a", "words(name)");
    // A field that is compared whole has a value for it, and a number has none.
    becomes("id:\"\"", "whole(id)");
    becomes("count:\"\"", "nothing");
    // Elasticsearch, `newUnmappedFieldQuery`: no field, no analysis.
    becomes("unknown:\"\" AND city:b", "nothing");
    // Unnamed, analysed fields are among those that are asked.
    becomes("& AND name:a", "words(name)");
}

#[test]
fn each_kind_of_field_gets_its_test() {
    becomes("name.exact:a", "whole(name)");
    becomes("id.exact:a", "nothing");
    becomes("count:1", "number(count)");
    becomes("count:>1", "number(count)");
    becomes("count:abc", "nothing");
    becomes("NOT count:abc", "all");
    becomes("count:1*", "nothing");
    becomes("active:true", "boolean(active)");
    becomes("active:True", "nothing");
    becomes("created:2020-01-01", "date(created)");
    becomes("created:soon", "nothing");
    becomes("created:*", "exists(created)");
    becomes("_exists_:name.exact", "exists(name)");
    becomes("_exists_:unknown", "nothing");
    becomes("access.name:x", "words(access.name)");
    becomes("access.\\*:x", "(words(access.name) | whole(access.id))");
    becomes("_exists_:access.\\*", "exists(access.name,access.id)");
    becomes("\\*.exact:x", "whole(name,city,access.name)");
}

#[test]
fn a_word_without_field_is_looked_for_in_all() {
    becomes("a", "(whole(id,access.id) | words(name,city,access.name))");
    becomes("1", "(whole(id,access.id) | words(name,city,access.name) | number(count) | date(created))");
    becomes("@access(a)", "@access[(words(access.name) | whole(access.id))]");
    becomes("@access(*)", "@access[all]");
    becomes("@access(city:a)", "nothing");
    becomes("@apps(name:a)", "nothing");
    becomes("NOT @apps(name:a)", "all");
}

#[test]
fn what_is_too_complex_is_refused_with_its_place() {
    let query = parse("name:a AND city:/(a|b)*a(a|b){20}/").expect("a query");
    let error = lower(&query, &Schema, now()).expect_err("two states for each of twenty places");
    assert_eq!((error.span.start, error.problem), (16, TooComplex::Regex));
    assert_eq!(check(&query), Err(error));
    let query = parse("unknown:/(a|b)*a(a|b){20}/").expect("a query");
    assert!(check(&query).is_err(), "whatever fields there are");
}
