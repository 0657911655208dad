//! Compiles a query's predicate into an expression over the columns of a document table.
//!
//! Tests of numbers, dates, booleans and whole texts in a document itself become comparisons, with which a scan can
//! skip parts of a file. Other tests of a few columns become a function of each column, so the scan reads no other
//! columns. Tests of many columns (such as a word in any field) and predicates with many parts become one function of
//! all their columns. So the number of expressions is bounded, whatever the query. Every expression is true or false,
//! never null.

use super::evaluate::PredicateFunction;
use super::fields::Path;
use super::flatten::split;
use crate::cancellation::CancelSignal;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{Expr, ident, lit};
use muster_querystring::matching::{FieldTest, Predicate, TextBounds};
use std::collections::HashSet;

/// Most columns of a part that is compiled to a function of each column.
const COLUMNS_MAX: usize = 4;
/// Most parts of a list that become expressions of their own. The other parts become one function.
const PARTS_MAX: usize = 16;

/// Compiles predicates. The functions of one plan have unique names.
pub(super) struct Compiler {
    schema: SchemaRef,
    signal: CancelSignal,
    functions: usize,
    /// Comparisons that a scan can use, for people.
    pub(super) pushed: Vec<String>,
}

impl Compiler {
    pub(super) fn new(schema: SchemaRef, signal: CancelSignal) -> Self {
        Self { schema, signal, functions: 0, pushed: Vec::new() }
    }

    /// The expression that is true for the rows that satisfy `predicate`.
    pub(super) fn compile(&mut self, predicate: &Predicate<Path>) -> Expr {
        match predicate {
            Predicate::All => lit(true),
            Predicate::Nothing => lit(false),
            Predicate::And(parts) => {
                let (wide, mut narrow): (Vec<_>, Vec<_>) = parts.iter().partition(|part| is_wide(part));
                let beyond = narrow.split_off(narrow.len().min(PARTS_MAX));
                let mut compiled: Vec<_> = narrow.into_iter().map(|part| self.compile(part)).collect();
                let mut together: Vec<_> = beyond.into_iter().chain(wide).cloned().collect();
                let together = match together.len() {
                    0 | 1 => together.pop(),
                    _ => Some(Predicate::And(together)),
                };
                compiled.extend(together.map(|together| self.asked(&together)));
                compiled.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true))
            }
            Predicate::Or(parts) if parts.len() <= PARTS_MAX && !parts.iter().any(is_wide) => {
                let parts: Vec<_> = parts.iter().map(|part| self.compile(part)).collect();
                parts.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))
            }
            Predicate::Not(part) if !is_wide(part) => Expr::Not(Box::new(self.compile(part))),
            Predicate::Test { fields, test } if !is_wide(predicate) => self.test(fields, test),
            Predicate::Or(_) | Predicate::Not(_) | Predicate::Test { .. } | Predicate::Nested { .. } => {
                self.asked(predicate)
            }
        }
    }

    fn test(&mut self, fields: &[Path], test: &FieldTest) -> Expr {
        let mut columns: Vec<(&str, Vec<Path>)> = Vec::new();
        for field in fields {
            let (column, _) = split(field);
            match columns.iter_mut().find(|(known, _)| *known == column) {
                Some((_, paths)) => paths.push(field.clone()),
                None => columns.push((column, vec![field.clone()])),
            }
        }
        let mut found = Vec::with_capacity(columns.len());
        for (column, paths) in columns {
            let compared = match &paths[..] {
                [only] if only == column => self.compared(column, test),
                _ => None,
            };
            let question = Predicate::Test { fields: paths.into(), test: test.clone() };
            found.push(match compared {
                Some(Comparison::Whole(expression)) => expression,
                Some(Comparison::Around(expression)) => expression.and(self.asked(&question)),
                None => self.asked(&question),
            });
        }
        found.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))
    }

    /// The whole predicate as a function of its columns.
    pub(super) fn asked(&mut self, predicate: &Predicate<Path>) -> Expr {
        let columns = columns(predicate, &self.schema);
        if columns.is_empty() {
            return lit(matches!(predicate, Predicate::All));
        }
        self.functions += 1;
        let name = format!("search_{}", self.functions);
        let arguments = columns.iter().map(ident).collect();
        let function = PredicateFunction::new(name, columns, predicate.clone(), self.signal.clone());
        ScalarUDF::from(function).call(arguments)
    }

    fn compared(&mut self, column: &str, test: &FieldTest) -> Option<Comparison> {
        let field = self.schema.field_with_name(column).ok()?;
        let there = || ident(column).is_not_null();
        let compared = match (test, field.data_type()) {
            (
                FieldTest::Exists,
                DataType::Utf8 | DataType::Int64 | DataType::Boolean | DataType::Timestamp(_, _),
            ) => {
                self.pushed.push(format!("{column} is not null"));
                Comparison::Whole(there())
            }
            (FieldTest::Number(test), DataType::Int64) => {
                self.pushed.push(format!("{column} from {} to {}", test.least, test.greatest));
                let (least, greatest) = (lit(test.least), lit(test.greatest));
                Comparison::Whole(there().and(ident(column).gt_eq(least)).and(ident(column).lt_eq(greatest)))
            }
            (FieldTest::Date(test), DataType::Timestamp(_, zone)) => {
                self.pushed.push(format!(
                    "{column} from {} to {} milliseconds",
                    test.range.first.map_or_else(|| "any".to_owned(), |first| first.to_string()),
                    test.range.last.map_or_else(|| "any".to_owned(), |last| last.to_string())
                ));
                // A millisecond has a thousand microseconds.
                let time = |at: i64, part: i64| {
                    let micros = at.saturating_mul(1_000).saturating_add(part);
                    lit(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
                };
                let mut expression = there();
                if let Some(first) = test.range.first {
                    expression = expression.and(ident(column).gt_eq(time(first, 0)));
                }
                if let Some(last) = test.range.last {
                    expression = expression.and(ident(column).lt_eq(time(last, 999)));
                }
                Comparison::Whole(expression)
            }
            (FieldTest::Text(test), DataType::Utf8) => {
                let TextBounds { lower, upper } = test.bounds()?;
                let mut expression = there();
                for (bound, is_lower) in [(lower, true), (upper, false)] {
                    let Some(bound) = bound else { continue };
                    let sign = match (is_lower, bound.inclusive) {
                        (true, true) => ">=",
                        (true, false) => ">",
                        (false, true) => "<=",
                        (false, false) => "<",
                    };
                    self.pushed.push(format!("{column} {sign} {:?}", bound.limit));
                    let (left, limit) = (ident(column), lit(bound.limit));
                    expression = expression.and(match sign {
                        ">=" => left.gt_eq(limit),
                        ">" => left.gt(limit),
                        "<=" => left.lt_eq(limit),
                        _ => left.lt(limit),
                    });
                }
                Comparison::Around(expression)
            }
            (
                FieldTest::Exists
                | FieldTest::Number(_)
                | FieldTest::Date(_)
                | FieldTest::Text(_)
                | FieldTest::Boolean(_)
                | FieldTest::Ranges(_),
                _,
            ) => return None,
        };
        Some(compared)
    }
}

/// A test as comparisons.
enum Comparison {
    /// The comparison is equivalent to the test.
    Whole(Expr),
    /// The comparison matches more than the test, so the test must also be evaluated.
    Around(Expr),
}

/// Whether a part has too many columns for functions of single columns.
fn is_wide(predicate: &Predicate<Path>) -> bool {
    let mut names = HashSet::new();
    collect(predicate, &mut names);
    names.len() > COLUMNS_MAX
}

/// Names of the columns of a predicate, each once.
pub(super) fn columns(predicate: &Predicate<Path>, schema: &SchemaRef) -> Vec<String> {
    let mut names = HashSet::new();
    collect(predicate, &mut names);
    let columns = schema.fields().iter().map(|field| field.name());
    columns.filter(|name| names.contains(name.as_str())).cloned().collect()
}

fn collect<'a>(predicate: &'a Predicate<Path>, names: &mut HashSet<&'a str>) {
    match predicate {
        Predicate::All | Predicate::Nothing => {}
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| collect(part, names)),
        Predicate::Not(part) => collect(part, names),
        Predicate::Test { fields, .. } => names.extend(fields.iter().map(|field| split(field).0)),
        Predicate::Nested { path, .. } => {
            names.insert(split(path).0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::DocumentFields;
    use super::*;
    use chrono::DateTime;
    use muster_querystring::matching::lower;
    use muster_querystring::parse;
    use muster_sources::DocumentType;
    use muster_sources::documents::schema;

    /// The number of functions of a compiled query, and its comparisons.
    fn compiled(query: &str) -> (usize, Vec<String>) {
        let schema = schema(DocumentType::Identities);
        let fields = DocumentFields::new(&schema);
        let query = parse(query).expect("a query");
        let predicate = lower(&query, &fields, DateTime::UNIX_EPOCH).expect("nothing complex");
        let mut compiler = Compiler::new(schema, CancelSignal::default());
        compiler.compile(&predicate);
        (compiler.functions, compiler.pushed)
    }

    #[test]
    fn the_number_of_functions_has_a_bound() {
        let words = |count: usize, before: &str, between: &str| {
            (0..count).map(|number| format!("{before}w{number}")).collect::<Vec<_>>().join(between)
        };
        assert_eq!(compiled("name:a AND lastName:b").0, 2);
        // Many words over the same fields are one test. Many tests that must all hold are one function.
        assert_eq!(compiled(&words(1_000, "", " ")).0, 1);
        assert_eq!(compiled(&words(1_000, "", " AND ")).0, 1);
        assert_eq!(compiled(&words(1_000, "name:", " ")).0, 1);
        assert_eq!(compiled(&words(1_000, "name:", " AND ")).0, PARTS_MAX + 1);
        assert_eq!(compiled(&words(500, "-name:", " ")).0, PARTS_MAX + 1);
    }

    #[test]
    fn a_scan_gets_the_comparisons_among_many_words() {
        let (functions, pushed) = compiled("a AND b AND accountCount:>3 AND id:x");
        assert_eq!(functions, 2);
        assert_eq!(pushed, ["accountCount from 4 to 9223372036854775807", "id >= \"x\"", "id <= \"x\""]);
    }
}
