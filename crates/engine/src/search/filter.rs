//! A query's predicate as an expression over the columns of a document table.
//!
//! Numbers, dates, booleans and whole texts of a document itself become comparisons, by which a scan can leave
//! out whole pieces of a file; everything else becomes a function of the one column that it asks about, so that
//! a scan reads no other. Every expression here is true or false and never null.

use super::evaluate::{Question, QuestionFunction};
use super::fields::Path;
use super::flatten::split;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{Expr, ident, lit};
use muster_querystring::matching::{FieldTest, Predicate, TextBounds};
use std::sync::Arc;

/// Compiles predicates; the functions of one plan have names of their own.
pub(super) struct Compiler {
    schema: SchemaRef,
    functions: usize,
    /// What a scan is told in comparisons, for people.
    pub(super) pushed: Vec<String>,
}

impl Compiler {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, functions: 0, pushed: Vec::new() }
    }

    /// The expression that is true for the rows that satisfy `predicate`.
    pub(super) fn compile(&mut self, predicate: &Predicate<Path>) -> Expr {
        match predicate {
            Predicate::All => lit(true),
            Predicate::Nothing => lit(false),
            Predicate::And(parts) => self.joined(parts, Expr::and),
            Predicate::Or(parts) => self.joined(parts, Expr::or),
            Predicate::Not(part) => Expr::Not(Box::new(self.compile(part))),
            Predicate::Test { fields, test } => self.test(fields, test),
            Predicate::Nested { path, element } => {
                let (column, rest) = split(path);
                let question = Question::Nested { path: rest.to_owned(), element: Predicate::clone(element) };
                self.asked(column, question)
            }
        }
    }

    fn joined(&mut self, parts: &[Predicate<Path>], join: fn(Expr, Expr) -> Expr) -> Expr {
        let parts: Vec<_> = parts.iter().map(|part| self.compile(part)).collect();
        parts.into_iter().reduce(join).unwrap_or_else(|| lit(true))
    }

    fn test(&mut self, fields: &[Path], test: &FieldTest) -> Expr {
        let mut columns: Vec<(&str, Vec<Path>)> = Vec::new();
        for field in fields {
            let (column, rest) = split(field);
            match columns.iter_mut().find(|(known, _)| *known == column) {
                Some((_, rests)) => rests.push(rest.to_owned()),
                None => columns.push((column, vec![rest.to_owned()])),
            }
        }
        let mut found = Vec::with_capacity(columns.len());
        for (column, paths) in columns {
            let compared = match &paths[..] {
                [only] if only.is_empty() => self.compared(column, test),
                _ => None,
            };
            found.push(match compared {
                Some(Compared::Whole(expression)) => expression,
                Some(Compared::Around(expression)) => {
                    let question = Question::Test { paths, test: test.clone() };
                    expression.and(self.asked(column, question))
                }
                None => self.asked(column, Question::Test { paths, test: test.clone() }),
            });
        }
        found.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))
    }

    fn asked(&mut self, column: &str, question: Question) -> Expr {
        self.functions += 1;
        let function = QuestionFunction::new(format!("search_{}", self.functions), question);
        ScalarUDF::from(function).call(vec![ident(column)])
    }

    fn compared(&mut self, column: &str, test: &FieldTest) -> Option<Compared> {
        let field = self.schema.field_with_name(column).ok()?;
        let there = || ident(column).is_not_null();
        let compared = match (test, field.data_type()) {
            (
                FieldTest::Exists,
                DataType::Utf8 | DataType::Int64 | DataType::Boolean | DataType::Timestamp(_, _),
            ) => {
                self.pushed.push(format!("{column} is not null"));
                Compared::Whole(there())
            }
            (FieldTest::Number(test), DataType::Int64) => {
                self.pushed.push(format!("{column} from {} to {}", test.least, test.greatest));
                let (least, greatest) = (lit(test.least), lit(test.greatest));
                Compared::Whole(there().and(ident(column).gt_eq(least)).and(ident(column).lt_eq(greatest)))
            }
            (FieldTest::Date(test), DataType::Timestamp(_, zone)) => {
                self.pushed.push(format!(
                    "{column} from {} to {} milliseconds",
                    test.range.first.map_or_else(|| "any".to_owned(), |first| first.to_string()),
                    test.range.last.map_or_else(|| "any".to_owned(), |last| last.to_string())
                ));
                // A millisecond holds a thousand microseconds.
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
                Compared::Whole(expression)
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
                Compared::Around(expression)
            }
            (
                FieldTest::Exists
                | FieldTest::Number(_)
                | FieldTest::Date(_)
                | FieldTest::Text(_)
                | FieldTest::Boolean(_),
                _,
            ) => return None,
        };
        Some(compared)
    }
}

/// What comparisons say of a test.
enum Compared {
    /// All of it.
    Whole(Expr),
    /// A wider one: the test itself has to be asked too.
    Around(Expr),
}

/// The columns that a predicate reads, each once.
pub(super) fn columns(
    predicate: &Predicate<Path>,
    schema: &SchemaRef,
) -> Vec<Arc<datafusion::arrow::datatypes::Field>> {
    let mut names = Vec::new();
    collect(predicate, &mut names);
    schema.fields().iter().filter(|field| names.contains(&field.name().as_str())).cloned().collect()
}

fn collect<'a>(predicate: &'a Predicate<Path>, names: &mut Vec<&'a str>) {
    match predicate {
        Predicate::All | Predicate::Nothing => {}
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| collect(part, names)),
        Predicate::Not(part) => collect(part, names),
        Predicate::Test { fields, .. } => names.extend(fields.iter().map(|field| split(field).0)),
        Predicate::Nested { path, .. } => names.push(split(path).0),
    }
}
