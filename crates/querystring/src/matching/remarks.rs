//! What in a query can match nothing, whatever the documents hold: names that mean no field, and values that no field
//! of the name can hold.
//!
//! Why: a query with such a mistake is correct, and finds nobody, or with a `NOT` before it everybody. Whoever runs
//! it has to say so.

use chrono::{DateTime, Utc};

use super::predicate::{EXACT, FieldKind, Resolver, existing, named};
use super::typed::{BooleanTest, DateTest, NumberTest};
use crate::dates::{date_range, date_term};
use crate::tree::{Clause, Expression, Query, Span, Value};

/// A clause that matches nothing in one kind of document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The clause.
    pub span: Span,
    /// Why it matches nothing.
    pub why: Why,
}

/// Why a clause matches nothing; what is nearer to a match is greater.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// There is no such array of objects. Said of the nested query and of each clause in it.
    NoArray {
        /// Its path, without the `@`.
        path: String,
    },
    /// There is no such field, or it is an object, which has no value of its own.
    NoField {
        /// The array around the clause.
        array: Option<String>,
        /// The name as the query has it, without `.exact`.
        name: String,
    },
    /// None of the fields can hold the value.
    NoValue {
        /// What was expected.
        problem: String,
    },
}

/// The remarks on a query over one kind of document, in the order of the query.
pub fn remarks<R: Resolver>(query: &Query, resolver: &R, now: DateTime<Utc>) -> Vec<Remark> {
    let mut found = Vec::new();
    let mut search = Search { resolver, now, found: &mut found };
    search.list(&query.clauses, None);
    found
}

struct Search<'a, R> {
    resolver: &'a R,
    now: DateTime<Utc>,
    found: &'a mut Vec<Remark>,
}

impl<R: Resolver> Search<'_, R> {
    fn list(&mut self, clauses: &[Clause], array: Option<&str>) {
        for clause in clauses {
            let why = match &clause.expression {
                Expression::All | Expression::Match { field: None, .. } => None,
                Expression::Exists(field) => {
                    let fields = existing(self.resolver, array, &field.name);
                    fields.is_empty().then(|| no_field(array, &field.name))
                }
                Expression::Match { field: Some(field), value } => {
                    let fields = named(self.resolver, array, &field.name);
                    if fields.is_empty() {
                        Some(no_field(array, &field.name))
                    } else {
                        let problems = fields.iter().map(|(_, kind)| problem(value, *kind, self.now));
                        let problems: Option<Vec<String>> = problems.collect();
                        problems
                            .and_then(|problems| problems.into_iter().next())
                            .map(|problem| Why::NoValue { problem })
                    }
                }
                Expression::Group(clauses) => {
                    self.list(clauses, array);
                    None
                }
                Expression::Nested { path, clauses } if self.resolver.is_array(&path.name) => {
                    self.list(clauses, Some(&path.name));
                    None
                }
                Expression::Nested { path, clauses } => {
                    self.all(clauses, &path.name);
                    Some(Why::NoArray { path: path.name.clone() })
                }
            };
            self.found.extend(why.map(|why| Remark { span: clause.span, why }));
        }
    }

    /// Every clause of an array that there is not.
    fn all(&mut self, clauses: &[Clause], path: &str) {
        for clause in clauses {
            if let Expression::Group(clauses) = &clause.expression {
                self.all(clauses, path);
            } else {
                self.found.push(Remark { span: clause.span, why: Why::NoArray { path: path.to_owned() } });
            }
        }
    }
}

fn no_field(array: Option<&str>, name: &str) -> Why {
    Why::NoField {
        array: array.map(str::to_owned),
        name: name.strip_suffix(EXACT).unwrap_or(name).to_owned(),
    }
}

/// Why no field of the kind can hold the value.
fn problem(value: &Value, kind: FieldKind, now: DateTime<Utc>) -> Option<String> {
    const EMPTY: &str = "the range is empty";
    let is_plain = matches!(value, Value::Term(_) | Value::Phrase { .. } | Value::Range { .. });
    let is_range = matches!(value, Value::Range { .. });
    let why = match kind {
        FieldKind::Text | FieldKind::Keyword | FieldKind::Free => return None,
        FieldKind::Integer if NumberTest::new(value).is_some() => return None,
        FieldKind::Boolean if BooleanTest::new(value).is_some() => return None,
        FieldKind::Date if DateTest::new(value, now).is_some() => return None,
        FieldKind::Integer | FieldKind::Boolean | FieldKind::Date if !is_plain => {
            "patterns, fuzzy terms and regular expressions are for text"
        }
        FieldKind::Integer if is_range => "expected whole numbers as limits, the lower one first",
        FieldKind::Integer => "expected a whole number",
        FieldKind::Boolean => "expected true or false",
        FieldKind::Date => {
            let failed = match value {
                Value::Range { lower, upper } => date_range(lower, upper, now).err(),
                Value::Term(text) | Value::Phrase { text, .. } => date_term(text, now).err(),
                Value::Prefix(_) | Value::Wildcard(_) | Value::Fuzzy { .. } | Value::Regex(_) => None,
            };
            return Some(failed.map_or_else(|| EMPTY.to_owned(), |error| error.to_string()));
        }
    };
    Some(why.to_owned())
}
