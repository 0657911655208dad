//! The published filters of a search: conditions on fields beside the query.
//!
//! Why here: a search that is answered at once and a saved search have the same filters. A filter becomes a clause of the
//! query, so there is one language below and one meaning of a field.

use crate::error::{Error, Result, shown};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most filters of a search.
pub const FILTERS_MAX: usize = 100;

/// Filters by the names of their fields. All of them must hold.
pub type SearchFilters = BTreeMap<String, SearchFilter>;

/// What a filter asks of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FilterType {
    /// The field has a value.
    Exists,
    /// A value of the field is in a range.
    Range,
    /// A value of the field is one of some texts, compared whole and with case.
    Terms,
}

/// A filter of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchFilter {
    /// What is asked.
    #[serde(rename = "type")]
    pub kind: FilterType,
    /// Of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<FilterRange>,
    /// Of terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Vec<String>>,
    /// Whether documents that satisfy the condition are left out instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<bool>,
}

/// A range of values. An end that is absent is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterRange {
    /// The lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<FilterBound>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<FilterBound>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterBound {
    /// The limit, as a text.
    pub value: String,
    /// Whether the limit itself is in the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusive: Option<bool>,
}

/// The filters of a request's `filters`.
///
/// # Errors
/// `Invalid` with the field of the filter, what is wrong and what was expected.
pub fn read_filters(object: &serde_json::Map<String, Value>) -> Result<SearchFilters> {
    if object.len() > FILTERS_MAX {
        return Err(Error::invalid(format!(
            "filters has {} fields: expected at most {FILTERS_MAX}",
            object.len()
        )));
    }
    let read = |(field, value): (&String, &Value)| {
        let wrong = |what: String| Error::invalid(format!("filters, field {}: {what}", shown(field)));
        let filter: SearchFilter =
            serde_json::from_value(value.clone()).map_err(|error| wrong(error.to_string()))?;
        clause(field, &filter).map_err(wrong)?;
        Ok((field.clone(), filter))
    };
    object.iter().map(read).collect()
}

/// The query whose documents satisfy `query` and all of the filters.
///
/// # Errors
/// `Invalid` for a filter that lacks what its type needs.
pub fn filtered(query: &str, filters: &SearchFilters) -> Result<String> {
    // A blank query finds nothing, whatever the filters.
    if filters.is_empty() || query.trim().is_empty() {
        return Ok(query.to_owned());
    }
    let mut text = format!("({query})");
    for (field, filter) in filters {
        let clause = clause(field, filter)
            .map_err(|what| Error::invalid(format!("filters, field {}: {what}", shown(field))))?;
        let not = if filter.exclude == Some(true) { "NOT " } else { "" };
        let _ = write!(text, " AND {not}{clause}");
    }
    Ok(text)
}

/// A filter as a clause, without its `exclude`.
fn clause(field: &str, filter: &SearchFilter) -> Result<String, String> {
    if field.trim().is_empty() {
        return Err("the name is blank: expected the name of a field".into());
    }
    let name = escaped_name(field);
    match (filter.kind, &filter.range, &filter.terms) {
        (FilterType::Exists, None, None) => Ok(format!("_exists_:{name}")),
        (FilterType::Exists, _, _) => Err("type is EXISTS: expected neither range nor terms".into()),
        (FilterType::Range, Some(range), None) => {
            if range.lower.is_none() && range.upper.is_none() {
                return Err("range is empty: expected lower, upper or both".into());
            }
            let is_included =
                |bound: &Option<FilterBound>| bound.as_ref().is_some_and(|b| b.inclusive == Some(true));
            let limit = |bound: &Option<FilterBound>| {
                bound.as_ref().map_or_else(|| "*".to_owned(), |bound| quoted(&bound.value))
            };
            let open = if is_included(&range.lower) { '[' } else { '{' };
            let close = if is_included(&range.upper) { ']' } else { '}' };
            Ok(format!("{name}:{open}{} TO {}{close}", limit(&range.lower), limit(&range.upper)))
        }
        (FilterType::Range, _, _) => Err("type is RANGE: expected range, and no terms".into()),
        (FilterType::Terms, None, Some(terms)) if !terms.is_empty() => {
            let terms: Vec<_> = terms.iter().map(|term| quoted(term)).collect();
            Ok(format!("{name}.exact:({})", terms.join(" OR ")))
        }
        (FilterType::Terms, _, _) => Err("type is TERMS: expected one or more terms, and no range".into()),
    }
}

/// Texts to look for in fields (textQuery). Texts are compared in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// The texts.
    pub terms: Vec<String>,
    /// The fields; only texts are compared.
    pub fields: Vec<String>,
    /// Whether one of the texts is enough; otherwise all of them must be found.
    pub match_any: bool,
    /// Whether a text may be anywhere in a field; otherwise a field must begin with it.
    pub contains: bool,
}

impl TextQuery {
    /// The query in the search language.
    ///
    /// # Errors
    /// `Invalid` without texts or fields, and for a blank one.
    pub fn clause(&self) -> Result<String> {
        for (name, items) in [("terms", &self.terms), ("fields", &self.fields)] {
            if items.is_empty() || items.iter().any(|item| item.trim().is_empty()) {
                return Err(Error::invalid(format!(
                    "textQuery.{name} is empty or has a blank text: expected one or more texts"
                )));
            }
        }
        let around = if self.contains { ".*" } else { "" };
        let of_term = |term: &String| {
            let pattern = format!("/{around}{}.*/", pattern_of(term));
            let fields = self.fields.iter().map(|field| format!("{}.exact:{pattern}", escaped_name(field)));
            format!("({})", fields.collect::<Vec<_>>().join(" OR "))
        };
        let terms: Vec<_> = self.terms.iter().map(of_term).collect();
        Ok(format!("({})", terms.join(if self.match_any { " OR " } else { " AND " })))
    }
}

/// A regular expression of the search language that a text satisfies in any case.
fn pattern_of(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        let only = |mut cases: std::iter::Chain<std::char::ToLowercase, std::char::ToUppercase>| match (
            cases.next(),
            cases.next(),
            cases.next(),
        ) {
            (Some(lower), Some(upper), None) if lower != upper => Some((lower, upper)),
            _ => None,
        };
        match only(c.to_lowercase().chain(c.to_uppercase())) {
            Some((lower, upper)) => pattern.extend(['[', lower, upper, ']']),
            None if c.is_alphanumeric() => pattern.push(c),
            None => pattern.extend(['\\', c]),
        }
    }
    pattern
}

/// A text in double quotes, as the search language has it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The name of a field, as the search language has it before a colon.
fn escaped_name(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if !(c.is_alphanumeric() || matches!(c, '_' | '.')) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn text(query: &str, filters: Value) -> Result<String, String> {
        let filters = read_filters(filters.as_object().unwrap()).map_err(|error| error.message)?;
        filtered(query, &filters).map_err(|error| error.message)
    }

    /// The examples of the published document.
    #[test]
    fn published_filters_are_clauses() {
        for (filters, expected) in [
            (json!({}), "a b"),
            (
                json!({"attributes.personalEmail": {"type": "EXISTS", "exclude": true}}),
                "(a b) AND NOT _exists_:attributes.personalEmail",
            ),
            (
                json!({
                    "accountCount": {"type": "RANGE", "range": {"lower": {"value": "3"}}},
                    "created": {"type": "RANGE", "range": {
                        "lower": {"value": "2023-12-01", "inclusive": true}, "upper": {"value": "2025-01-01"}}},
                }),
                "(a b) AND accountCount:{\"3\" TO *} AND created:[\"2023-12-01\" TO \"2025-01-01\"}",
            ),
            (
                json!({"source.name": {"type": "TERMS", "terms": ["HR", "a\"b\\"], "exclude": false}}),
                "(a b) AND source.name.exact:(\"HR\" OR \"a\\\"b\\\\\")",
            ),
            (
                json!({"attributes.cost centre": {"type": "EXISTS"}}),
                "(a b) AND _exists_:attributes.cost\\ centre",
            ),
        ] {
            assert_eq!(text("a b", filters.clone()).as_deref(), Ok(expected), "{filters}");
        }
        assert_eq!(text(" ", json!({"x": {"type": "EXISTS"}})).as_deref(), Ok(" "));
    }

    #[test]
    fn texts_are_looked_for_in_any_case() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut query = TextQuery {
            terms: texts(&["New Yo/rk", "7ß"]),
            fields: texts(&["name", "attributes.a b"]),
            ..TextQuery::default()
        };
        let (york, seven) = ("[nN][eE][wW]\\ [yY][oO]\\/[rR][kK]", "7ß");
        let name = "attributes.a\\ b";
        assert_eq!(
            query.clause().unwrap(),
            format!(
                "((name.exact:/{york}.*/ OR {name}.exact:/{york}.*/) AND (name.exact:/{seven}.*/ OR {name}.exact:/{seven}.*/))"
            )
        );
        query = TextQuery { fields: texts(&["name"]), match_any: true, contains: true, ..query };
        assert_eq!(
            query.clause().unwrap(),
            format!("((name.exact:/.*{york}.*/) OR (name.exact:/.*{seven}.*/))")
        );
        query.terms = texts(&[" "]);
        assert!(
            query.clause().unwrap_err().message.starts_with("textQuery.terms is empty or has a blank text")
        );
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_named() {
        for (filter, expected) in [
            (json!({}), "missing field `type`"),
            (json!({"type": "TERM"}), "unknown variant `TERM`"),
            (json!({"type": "EXISTS", "terms": ["a"]}), "type is EXISTS: expected neither"),
            (json!({"type": "RANGE"}), "type is RANGE: expected range"),
            (json!({"type": "RANGE", "range": {}}), "range is empty: expected lower, upper or both"),
            (json!({"type": "RANGE", "range": {"lower": {}}}), "missing field `value`"),
            (json!({"type": "TERMS", "terms": []}), "type is TERMS: expected one or more terms"),
            (json!({"type": "TERMS", "term": ["a"]}), "unknown field `term`"),
        ] {
            let refused = text("a", json!({"name": filter})).unwrap_err();
            assert!(refused.starts_with("filters, field \"name\": "), "{refused}");
            assert!(refused.contains(expected), "{filter}: {refused}");
        }
        let many: serde_json::Map<_, _> =
            (0..=FILTERS_MAX).map(|at| (format!("f{at}"), json!({"type": "EXISTS"}))).collect();
        assert!(text("a", Value::Object(many)).unwrap_err().starts_with("filters has 101 fields"));
    }
}
