//! Explains a query for people: its fields, which of them exist, and which comparisons a scan can use.

use super::column_of;
use super::fields::{DocumentFields, Path};
use super::filter::{Compiler, columns};
use super::warnings::{SearchedFields, Warnings};
use crate::cancellation::CancelSignal;
use crate::error::{EngineError, Result};
use chrono::{DateTime, Utc};
use muster_querystring::matching::{FieldKind, Lowering, Predicate, Resolver, tokens_lower_case};
use muster_querystring::{Clause, Expression, Query, Value};
use muster_sources::DocumentType;
use muster_sources::documents::schema;
use std::collections::HashSet;

/// A query explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The parsed query, written in the query language.
    pub canonical: String,
    /// The tree, one line for each node, indented by two spaces a level.
    pub tree: Vec<String>,
    /// One explanation for each type of document.
    pub indices: Vec<IndexExplanation>,
    /// Names and values that no type of document can have, in the words of the warnings of a search over all types.
    pub warnings: Vec<String>,
}

/// A query over one type of document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexExplanation {
    /// Name of the index.
    pub index: &'static str,
    /// Fields in the query that the type has.
    pub fields: Vec<String>,
    /// Fields in the query that the type does not have. They match nothing.
    pub unknown: Vec<String>,
    /// Columns of the table that the search reads.
    pub columns: Vec<String>,
    /// Comparisons with which a scan can skip parts of files.
    pub pushed: Vec<String>,
    /// Whether no document of this type can match, whatever its content.
    pub nothing: bool,
}

/// Explains a query without data.
///
/// # Errors
/// `Invalid` for a query that cannot be parsed or run.
pub fn explain(text: &str, now: DateTime<Utc>) -> Result<Explanation> {
    let query = muster_querystring::parse(text).map_err(|e| EngineError::Invalid(e.to_string()))?;
    let mut named = Vec::new();
    names(&query.clauses, None, &mut named, &mut HashSet::new());
    let types =
        DocumentType::ALL.map(|document_type| (document_type, DocumentFields::new(&schema(document_type))));
    let mut tree = Vec::new();
    draw(&query, &types, &mut tree);
    let mut indices = Vec::new();
    let mut lowering = Lowering::new(&query, now);
    for (document_type, fields) in &types {
        let schema = schema(*document_type);
        let predicate = lowering.predicate(fields).map_err(|error| {
            EngineError::Invalid(format!("column {}: {error}", column_of(text, error.span.start)))
        })?;
        let mut compiler = Compiler::new(schema.clone(), CancelSignal::default());
        compiler.compile(&predicate);
        let (known, unknown): (Vec<_>, Vec<_>) = named.iter().partition(|name| name.exists(fields));
        indices.push(IndexExplanation {
            index: document_type.index_name(),
            fields: known.into_iter().map(Name::text).collect(),
            unknown: unknown.into_iter().map(Name::text).collect(),
            columns: columns(&predicate, &schema),
            pushed: compiler.pushed,
            nothing: matches!(predicate, Predicate::<Path>::Nothing),
        });
    }
    let mut warnings = Warnings::default();
    SearchedFields::new(&types, None).of_query(text, &query, now, &mut warnings);
    let warnings = warnings.texts();
    Ok(Explanation { canonical: query.to_string(), tree, indices, warnings })
}

/// A field, or an array if `field` is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    array: Option<String>,
    field: Option<String>,
}

impl Name {
    fn exists(&self, fields: &DocumentFields) -> bool {
        match (&self.array, &self.field) {
            (Some(array), None) => fields.is_array(array),
            (array, Some(field)) => {
                let stem = field.strip_suffix(".exact").unwrap_or(field);
                !fields.existing(array.as_deref(), stem).is_empty()
            }
            (None, None) => false,
        }
    }

    fn text(&self) -> String {
        match (&self.array, &self.field) {
            (Some(array), Some(field)) => format!("@{array}({field})"),
            (Some(array), None) => format!("@{array}"),
            (None, field) => field.clone().unwrap_or_default(),
        }
    }
}

/// The names in a query, each once, in their order.
fn names(clauses: &[Clause], array: Option<&str>, found: &mut Vec<Name>, known: &mut HashSet<Name>) {
    for clause in clauses {
        let name = |field: Option<&str>, array: Option<&str>| Name {
            array: array.map(str::to_owned),
            field: field.map(str::to_owned),
        };
        let mut add = |name: Name| {
            if known.insert(name.clone()) {
                found.push(name);
            }
        };
        match &clause.expression {
            Expression::All | Expression::Match { field: None, .. } => {}
            Expression::Exists(field) | Expression::Match { field: Some(field), .. } => {
                add(name(Some(&field.name), array));
            }
            Expression::Group(clauses) => names(clauses, array, found, known),
            Expression::Nested { path, clauses } => {
                add(name(None, Some(&path.name)));
                names(clauses, Some(&path.name), found, known);
            }
        }
    }
}

type Types = [(DocumentType, DocumentFields)];

fn draw(query: &Query, types: &Types, lines: &mut Vec<String>) {
    if query.clauses.is_empty() {
        lines.push("nothing: a blank query".into());
    }
    draw_list(&query.clauses, None, types, 0, lines);
}

fn draw_list(clauses: &[Clause], array: Option<&str>, types: &Types, level: usize, lines: &mut Vec<String>) {
    for clause in clauses {
        let occur = match clause.occur {
            muster_querystring::Occur::Must => "must    ",
            muster_querystring::Occur::Should => "may     ",
            muster_querystring::Occur::MustNot => "must not",
        };
        let indent = "  ".repeat(level);
        let mut line = |text: String| lines.push(format!("{occur} {indent}{text}"));
        match &clause.expression {
            Expression::All => line("everything".into()),
            Expression::Exists(field) => line(format!("{} has a value", field.name)),
            Expression::Match { field, value } => {
                let name = field.as_ref().map(|field| field.name.as_str());
                let words = words(value).filter(|_| is_analysed(name, array, types));
                line(format!(
                    "{}: {}{}",
                    name.unwrap_or("any field"),
                    described(value),
                    words.unwrap_or_default()
                ));
            }
            Expression::Group(clauses) => {
                line("group".into());
                draw_list(clauses, array, types, level + 1, lines);
            }
            Expression::Nested { path, clauses } => {
                line(format!("one element of {}", path.name));
                draw_list(clauses, Some(&path.name), types, level + 1, lines);
            }
        }
    }
}

/// Whether a field of this name is analysed (split into words) in some type of document.
fn is_analysed(name: Option<&str>, array: Option<&str>, types: &Types) -> bool {
    let Some(name) = name else { return true };
    types.iter().any(|(_, fields)| {
        let kinds = fields.named(array, name);
        kinds.iter().any(|(_, kind)| matches!(kind, FieldKind::Text | FieldKind::Free))
    })
}

/// The words of a term in an analysed field, if they are not just the term itself.
fn words(value: &Value) -> Option<String> {
    let Value::Term(text) = value else { return None };
    match &tokens_lower_case(text)[..] {
        [] => Some(", which has no word: it is left out".into()),
        [_] => None,
        words => {
            let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
            Some(format!(
                ", one of the words {}; in quotes they would have to follow one another",
                words.join(", ")
            ))
        }
    }
}

fn described(value: &Value) -> String {
    use muster_querystring::{Bound, Edits, PatternPiece};
    let end = |bound: &Bound, sign: &str, or_equal: &str| {
        bound
            .limit
            .as_ref()
            .map(|limit| format!("{} {limit:?}", if bound.inclusive { or_equal } else { sign }))
    };
    match value {
        Value::Term(text) => format!("term {text:?}"),
        Value::Phrase { text, slop: 0 } => format!("phrase {text:?}"),
        Value::Phrase { text, slop } => format!("phrase {text:?}, moved by {slop} at most"),
        Value::Prefix(text) => format!("begins with {text:?}"),
        Value::Wildcard(pieces) => {
            let pattern: String = pieces
                .iter()
                .map(|piece| match piece {
                    PatternPiece::Literal(text) => text.as_str(),
                    PatternPiece::AnyCharacter => "?",
                    PatternPiece::AnyText => "*",
                })
                .collect();
            format!("pattern {pattern}")
        }
        Value::Fuzzy { text, edits: Edits::Auto } => format!("like {text:?}, edits by its length"),
        Value::Fuzzy { text, edits: Edits::Exactly(edits) } => {
            format!("like {text:?}, {edits} edits at most")
        }
        Value::Regex(text) => format!("regular expression /{text}/"),
        Value::Range { lower, upper } => {
            let ends: Vec<_> = [end(lower, ">", ">="), end(upper, "<", "<=")].into_iter().flatten().collect();
            if ends.is_empty() { "any value".into() } else { ends.join(" and ") }
        }
    }
}
