//! A second reading of queries, one JSON document at a time: slow, plain, and without [`lower`](super::lower),
//! so that an engine's answers can be compared with it.
//!
//! It shares the tests of single values with [`lower`](super::lower) and reads the tree by itself. A document is
//! a JSON object; its fields are the dotted paths to its values, arrays being transparent. A field that
//! [`Fields`] does not know is not looked at.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::predicate::{FieldKind, LowerError};
use super::text::TextTest;
use super::typed::{BooleanTest, DateTest, NumberTest};
use crate::dates::{Rounding, date_instant};
use crate::tree::{Clause, Expression, Occur, Query, Value, occurs};

/// What fields there are.
pub trait Fields {
    /// How the field at a dotted path is compared, an entry of a free map too; `None` where there is none.
    fn kind(&self, path: &str) -> Option<FieldKind>;

    /// The dotted paths of all fields. A free map is one name that ends in `.*`, and `kind` knows that too.
    fn names(&self) -> Vec<String>;

    /// Whether there is an array of objects at a path.
    fn is_array(&self, path: &str) -> bool;
}

/// A query made ready for any number of documents.
pub struct Reference<'a, F> {
    fields: &'a F,
    clauses: &'a [Clause],
    nodes: Vec<QueryNode<'a>>,
    now: DateTime<Utc>,
}

/// A clause with its tests.
enum QueryNode<'a> {
    All,
    Exists(&'a str),
    Match { name: Option<&'a str>, tests: Box<ValueTests> },
    Group(&'a [Clause], Vec<QueryNode<'a>>),
    Nested(&'a str, &'a [Clause], Vec<QueryNode<'a>>),
}

/// The tests of one value for every kind of field.
struct ValueTests {
    analysed: Option<TextTest>,
    free: Option<TextTest>,
    exact: TextTest,
    number: Option<NumberTest>,
    boolean: Option<BooleanTest>,
    date: Option<DateTest>,
}

/// An object whose fields are looked at, and the path that leads to it, with a dot at its end unless empty.
struct Scope<'a> {
    object: &'a Json,
    path: String,
}

impl<'a, F: Fields> Reference<'a, F> {
    /// # Errors
    /// As [`lower`](super::lower).
    pub fn new(query: &'a Query, fields: &'a F, now: DateTime<Utc>) -> Result<Self, LowerError> {
        Ok(Reference { fields, clauses: &query.clauses, nodes: nodes(&query.clauses, now)?, now })
    }

    /// Whether a document matches.
    #[must_use]
    pub fn matches(&self, document: &Json) -> bool {
        let scope = Scope { object: document, path: String::new() };
        !self.list_vanishes(&self.nodes, "") && self.list(self.clauses, &self.nodes, &scope)
    }

    fn list(&self, clauses: &[Clause], nodes: &[QueryNode<'_>], scope: &Scope<'_>) -> bool {
        let mut vanishing = nodes.iter().map(|node| self.vanishes(node, &scope.path));
        let asked = occurs(clauses, |_| vanishing.next().unwrap_or(false));
        let kept = nodes.iter().filter(|node| !self.vanishes(node, &scope.path));
        let (mut required, mut optional, mut optional_matches) = (false, false, false);
        for ((occur, _), node) in asked.into_iter().zip(kept) {
            let matches = self.node(node, scope);
            match occur {
                Occur::Must if !matches => return false,
                Occur::MustNot if matches => return false,
                Occur::Must => required = true,
                Occur::MustNot => {}
                Occur::Should => {
                    optional = true;
                    optional_matches |= matches;
                }
            }
        }
        required || !optional || optional_matches
    }

    fn list_vanishes(&self, nodes: &[QueryNode<'_>], path: &str) -> bool {
        nodes.iter().all(|node| self.vanishes(node, path))
    }

    fn vanishes(&self, node: &QueryNode<'_>, path: &str) -> bool {
        match node {
            QueryNode::All | QueryNode::Exists(_) => false,
            QueryNode::Match { name, tests } => {
                tests.analysed.is_none() && self.kinds(*name, path).iter().any(|kind| is_analysed(*kind))
            }
            QueryNode::Group(_, nodes) => self.list_vanishes(nodes, path),
            QueryNode::Nested(array, _, nodes) => self.list_vanishes(nodes, &format!("{array}.")),
        }
    }

    fn node(&self, node: &QueryNode<'_>, scope: &Scope<'_>) -> bool {
        match node {
            QueryNode::All => true,
            QueryNode::Exists(name) => {
                leaves(scope).iter().any(|(path, _)| self.exists(name, path, &scope.path))
            }
            QueryNode::Match { name, tests } => leaves(scope).iter().any(|(path, value)| {
                self.kind(*name, path, &scope.path).is_some_and(|kind| self.passes(tests, kind, value))
            }),
            QueryNode::Group(clauses, nodes) => self.list(clauses, nodes, scope),
            QueryNode::Nested(array, clauses, nodes) => {
                let mut elements = Vec::new();
                if self.fields.is_array(array) {
                    collect_elements(scope.object, array, &mut elements);
                }
                elements
                    .into_iter()
                    .any(|object| self.list(clauses, nodes, &Scope { object, path: format!("{array}.") }))
            }
        }
    }

    /// The kinds of all fields that a name means, whatever a document has.
    fn kinds(&self, name: Option<&str>, path: &str) -> Vec<FieldKind> {
        let inside = |field: &String| field.starts_with(path);
        let names = self.fields.names().into_iter().filter(inside);
        let Some(name) = name else {
            return names.filter_map(|field| self.fields.kind(&field)).collect();
        };
        let kinds_of = |name: &str| -> Vec<FieldKind> {
            let whole = format!("{path}{name}");
            if !name.contains('*') {
                return self.fields.kind(&whole).into_iter().collect();
            }
            let names = names.clone().filter(|field| overlap(whole.as_bytes(), field.as_bytes()));
            names.filter_map(|field| self.fields.kind(&field)).collect()
        };
        if let Some(stem) = name.strip_suffix(".exact")
            && kinds_of(stem).into_iter().any(is_text)
        {
            return vec![FieldKind::Keyword];
        }
        kinds_of(name)
    }

    /// How the value at a path in the scope is compared if the name means it.
    fn kind(&self, name: Option<&str>, leaf: &str, path: &str) -> Option<FieldKind> {
        let kind = self.fields.kind(&format!("{path}{leaf}"))?;
        let Some(name) = name else {
            return Some(if kind == FieldKind::Free { FieldKind::Text } else { kind });
        };
        if let Some(stem) = name.strip_suffix(".exact")
            && self.kinds(Some(stem), path).into_iter().any(is_text)
        {
            let text = is_text(kind) && overlap(stem.as_bytes(), leaf.as_bytes());
            return text.then_some(FieldKind::Keyword);
        }
        overlap(name.as_bytes(), leaf.as_bytes()).then_some(kind)
    }

    /// Whether a value at a path in the scope is what `_exists_:name` asks for. An object has a value where
    /// something in it has.
    fn exists(&self, name: &str, leaf: &str, path: &str) -> bool {
        let known = self.fields.kind(&format!("{path}{leaf}")).is_some();
        let below = leaf.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        known && (below || self.kind(Some(name), leaf, path).is_some())
    }

    fn passes(&self, tests: &ValueTests, kind: FieldKind, value: &Json) -> bool {
        match kind {
            FieldKind::Text | FieldKind::Keyword | FieldKind::Free => {
                let test = match kind {
                    FieldKind::Text => tests.analysed.as_ref(),
                    FieldKind::Free => tests.free.as_ref(),
                    FieldKind::Keyword | FieldKind::Integer | FieldKind::Boolean | FieldKind::Date => {
                        Some(&tests.exact)
                    }
                };
                // A number or boolean in a text field is the text it is written as.
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                test.is_some_and(|test| test.matches(&text))
            }
            FieldKind::Integer => {
                tests.number.zip(value.as_i64()).is_some_and(|(test, number)| test.matches(number))
            }
            FieldKind::Boolean => {
                tests.boolean.zip(value.as_bool()).is_some_and(|(test, value)| test.matches(value))
            }
            FieldKind::Date => {
                let moment = |text: &str| date_instant(text, self.now, Rounding::Down).ok();
                let text = value.as_str().and_then(moment).map(|moment| moment.timestamp_millis());
                let milliseconds = text.or_else(|| value.as_i64());
                tests.date.zip(milliseconds).is_some_and(|(test, moment)| test.matches(moment))
            }
        }
    }
}

fn nodes(clauses: &[Clause], now: DateTime<Utc>) -> Result<Vec<QueryNode<'_>>, LowerError> {
    clauses.iter().map(|clause| node(clause, now)).collect()
}

fn node(clause: &Clause, now: DateTime<Utc>) -> Result<QueryNode<'_>, LowerError> {
    Ok(match &clause.expression {
        Expression::All => QueryNode::All,
        Expression::Exists(field) => QueryNode::Exists(&field.name),
        Expression::Match { field, value } => {
            let tests =
                ValueTests::new(value, now).map_err(|problem| LowerError { span: clause.body, problem })?;
            QueryNode::Match { name: field.as_ref().map(|field| field.name.as_str()), tests: Box::new(tests) }
        }
        Expression::Group(clauses) => QueryNode::Group(clauses, nodes(clauses, now)?),
        Expression::Nested { path, clauses } => QueryNode::Nested(&path.name, clauses, nodes(clauses, now)?),
    })
}

impl ValueTests {
    fn new(value: &Value, now: DateTime<Utc>) -> Result<ValueTests, super::TooComplex> {
        let analysed = TextTest::analysed(value)?;
        Ok(ValueTests {
            free: analysed.clone().map(|analysed| TextTest::free(value, analysed, now)),
            analysed,
            exact: TextTest::exact(value)?,
            number: NumberTest::new(value),
            boolean: BooleanTest::new(value),
            date: DateTest::new(value, now),
        })
    }
}

/// Whether texts of this kind are cut into words, so that nothing may be left of a value.
fn is_analysed(kind: FieldKind) -> bool {
    matches!(kind, FieldKind::Text | FieldKind::Free)
}

/// Whether `.exact` has a meaning.
fn is_text(kind: FieldKind) -> bool {
    is_analysed(kind) || kind == FieldKind::Keyword
}

/// Every value of an object with its dotted path.
fn leaves<'a>(scope: &Scope<'a>) -> Vec<(String, &'a Json)> {
    let mut leaves = Vec::new();
    collect_leaves(scope.object, "", &mut leaves);
    leaves
}

fn collect_leaves<'a>(value: &'a Json, path: &str, leaves: &mut Vec<(String, &'a Json)>) {
    match value {
        Json::Null => {}
        Json::Bool(_) | Json::Number(_) | Json::String(_) => leaves.push((path.to_owned(), value)),
        Json::Array(elements) => elements.iter().for_each(|element| collect_leaves(element, path, leaves)),
        Json::Object(entries) => {
            for (name, entry) in entries {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect_leaves(entry, &path, leaves);
            }
        }
    }
}

/// The objects at a dotted path, those of arrays one by one.
fn collect_elements<'a>(value: &'a Json, path: &str, elements: &mut Vec<&'a Json>) {
    match value {
        Json::Array(inside) => inside.iter().for_each(|element| collect_elements(element, path, elements)),
        Json::Object(_) if path.is_empty() => elements.push(value),
        Json::Object(entries) => {
            for (name, entry) in entries {
                let rest = path.strip_prefix(name.as_str());
                let rest =
                    rest.and_then(|rest| if rest.is_empty() { Some("") } else { rest.strip_prefix('.') });
                if let Some(rest) = rest {
                    collect_elements(entry, rest, elements);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Whether some text fits both, a star in either being any characters.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    match (one.split_first(), other.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if overlap(rest, other) => true,
        (_, Some((b'*', rest))) if overlap(one, rest) => true,
        (Some((b'*', _)), Some((_, rest))) => overlap(one, rest),
        (Some((_, rest)), Some((b'*', _))) => overlap(rest, other),
        (Some((first, one)), Some((second, other))) => first == second && overlap(one, other),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
