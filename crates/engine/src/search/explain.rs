//! What a query means, for people: its fields, which of them there are, and what a scan is told.

use super::column_of;
use super::fields::{DocumentFields, Path};
use super::filter::{Compiler, columns};
use crate::error::{EngineError, Result};
use chrono::{DateTime, Utc};
use muster_querystring::matching::{Predicate, Resolver, lower};
use muster_querystring::{Clause, Expression, Query};
use muster_sources::DocumentType;
use muster_sources::documents::schema;

/// A query explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The query as it was understood, in the language itself.
    pub canonical: String,
    /// The tree, one line for each node, indented by two spaces a level.
    pub tree: Vec<String>,
    /// Each type of document.
    pub indices: Vec<IndexExplanation>,
}

/// A query over one type of document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexExplanation {
    /// The index.
    pub index: &'static str,
    /// Fields that the query names and the type has.
    pub fields: Vec<String>,
    /// Fields that the query names and the type does not have: they match nothing.
    pub unknown: Vec<String>,
    /// Columns of the table that are read to decide.
    pub columns: Vec<String>,
    /// Comparisons by which a scan can leave out pieces of files.
    pub pushed: Vec<String>,
    /// Whether no document of this type can match, whatever it holds.
    pub nothing: bool,
}

/// Explains a query without data.
///
/// # Errors
/// `Invalid` for a query that cannot be read or run.
pub fn explain(text: &str, now: DateTime<Utc>) -> Result<Explanation> {
    let query = muster_querystring::parse(text).map_err(|e| EngineError::Invalid(e.to_string()))?;
    let mut named = Vec::new();
    names(&query.clauses, None, &mut named);
    let mut tree = Vec::new();
    draw(&query, &mut tree);
    let mut indices = Vec::new();
    for document_type in DocumentType::ALL {
        let schema = schema(document_type);
        let fields = DocumentFields::new(&schema);
        let predicate = lower(&query, &fields, now).map_err(|error| {
            EngineError::Invalid(format!("column {}: {error}", column_of(text, error.span.start)))
        })?;
        let mut compiler = Compiler::new(schema.clone());
        compiler.compile(&predicate);
        let (known, unknown): (Vec<_>, Vec<_>) = named.iter().partition(|name| name.exists(&fields));
        indices.push(IndexExplanation {
            index: document_type.index_name(),
            fields: known.into_iter().map(Name::text).collect(),
            unknown: unknown.into_iter().map(Name::text).collect(),
            columns: columns(&predicate, &schema).iter().map(|field| field.name().clone()).collect(),
            pushed: compiler.pushed,
            nothing: matches!(predicate, Predicate::<Path>::Nothing),
        });
    }
    Ok(Explanation { canonical: query.to_string(), tree, indices })
}

/// A field, or an array where `field` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
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

fn names(clauses: &[Clause], array: Option<&str>, found: &mut Vec<Name>) {
    for clause in clauses {
        match &clause.expression {
            Expression::All | Expression::Match { field: None, .. } => {}
            Expression::Exists(field) | Expression::Match { field: Some(field), .. } => {
                add(Name { array: array.map(str::to_owned), field: Some(field.name.clone()) }, found);
            }
            Expression::Group(clauses) => names(clauses, array, found),
            Expression::Nested { path, clauses } => {
                add(Name { array: Some(path.name.clone()), field: None }, found);
                names(clauses, Some(&path.name), found);
            }
        }
    }
}

fn add(name: Name, found: &mut Vec<Name>) {
    if !found.contains(&name) {
        found.push(name);
    }
}

fn draw(query: &Query, lines: &mut Vec<String>) {
    if query.clauses.is_empty() {
        lines.push("nothing: a blank query".into());
    }
    draw_list(&query.clauses, 0, lines);
}

fn draw_list(clauses: &[Clause], level: usize, lines: &mut Vec<String>) {
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
                let field = field.as_ref().map_or("any field", |field| field.name.as_str());
                line(format!("{field}: {}", described(value)));
            }
            Expression::Group(clauses) => {
                line("group".into());
                draw_list(clauses, level + 1, lines);
            }
            Expression::Nested { path, clauses } => {
                line(format!("one element of {}", path.name));
                draw_list(clauses, level + 1, lines);
            }
        }
    }
}

fn described(value: &muster_querystring::Value) -> String {
    use muster_querystring::{Bound, Edits, PatternPiece, Value};
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
