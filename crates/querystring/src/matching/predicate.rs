//! A query as a predicate over fields: what vanishes, what is required, and which test each field gets.
//!
//! All rules of how clauses combine are here and nowhere else, so that an engine only has to turn a small tree
//! into its own expressions.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::dfa::TooComplex;
use super::text::TextTest;
use super::typed::{BooleanTest, DateTest, NumberTest};
use crate::tree::{Clause, Expression, Occur, Query, Span, Value, occurs};

/// The suffix of a name by which a text field is compared whole and with case.
const EXACT: &str = ".exact";

/// How the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text that is analysed: words, in any case.
    Text,
    /// Text that is compared whole and with case: ids, and `name.exact`.
    Keyword,
    /// Whole numbers of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// Moments, in milliseconds since 1970-01-01T00:00:00Z.
    Date,
}

/// What fields there are. The engine implements it over its schema.
///
/// Everywhere `array` is the path of the `@path(...)` around the clause, `None` outside of one. Inside, names
/// are relative to the array's element, and the fields that are returned belong to the element.
pub trait Resolver {
    /// However the engine names a field for itself: a column's number, a path, a map with a key or with any
    /// key. It comes back in [`Predicate::Test`] and nothing here looks into it.
    type Field: Clone;

    /// The fields that a name stands for, each with how it is compared.
    ///
    /// - A name of no field: an empty list, and the clause matches nothing.
    /// - A name with `*` in it ([`crate::Field::is_pattern`]) stands for every field whose whole name fits, a
    ///   star being any characters, dots included. The entries of a free map such as `attributes` count:
    ///   either as one field that means any entry that fits, or as many.
    /// - A dotted name may lead through arrays (`access.name`): the field's values are those of all elements.
    /// - `.exact` is no business of the resolver's: [`lower`] asks for `name` where the query says
    ///   `name.exact`, takes the [`FieldKind::Text`] fields of the answer as [`FieldKind::Keyword`], and
    ///   asks for `name.exact` itself only if that leaves no field.
    fn named(&self, array: Option<&str>, name: &str) -> Vec<(Self::Field, FieldKind)>;

    /// The fields that a word without a field is looked for in, those in arrays of objects included. A field
    /// need not have the kind here that it has by its name: Elasticsearch 5's `_all` analyses ids too.
    fn unnamed(&self, array: Option<&str>) -> Vec<(Self::Field, FieldKind)>;

    /// The fields of which one has to have a value for `name:*` and `_exists_:name`. To Elasticsearch a name
    /// may be that of an object or array here and stands for all that is in it; the default takes only what
    /// [`Resolver::named`] knows.
    fn existing(&self, array: Option<&str>, name: &str) -> Vec<Self::Field> {
        self.named(array, name).into_iter().map(|(field, _)| field).collect()
    }

    /// Whether there is an array of objects at a path; `@path(...)` matches nothing where there is none.
    fn is_array(&self, path: &str) -> bool;
}

/// What a query asks of a document, with fields as a [`Resolver`] names them.
///
/// There are two truth values. A missing value is no third one: a test of a field without values is false, and
/// its `Not` is true. In SQL that is `coalesce(test, false)` under each `NOT`.
#[derive(Debug, Clone)]
pub enum Predicate<F> {
    /// Every document (inside `Nested`: every element).
    All,
    /// No document.
    Nothing,
    /// All of these; two at least, none of them `All`, `Nothing` or `And`.
    And(Vec<Predicate<F>>),
    /// One of these; two at least, none of them `All`, `Nothing` or `Or`.
    Or(Vec<Predicate<F>>),
    /// Not this, which is neither `All`, `Nothing` nor `Not`.
    Not(Box<Predicate<F>>),
    /// One of the values of one of the fields passes the test.
    Test {
        /// The fields, at least one. All have the kind that the test is for.
        fields: Vec<F>,
        /// What is asked of one value.
        test: FieldTest,
    },
    /// One element of the array satisfies the whole predicate, whose fields are the element's. There is no
    /// `Nested` in it. An array without elements does not satisfy even `All`.
    Nested {
        /// The array as the query wrote it, without the `@`.
        path: String,
        /// What is asked of one element.
        element: Box<Predicate<F>>,
    },
}

/// A test of one value of a field.
#[derive(Debug, Clone)]
pub enum FieldTest {
    /// For [`FieldKind::Text`] and [`FieldKind::Keyword`]; the test knows whether it analyses.
    Text(TextTest),
    /// For [`FieldKind::Integer`].
    Number(NumberTest),
    /// For [`FieldKind::Boolean`].
    Boolean(BooleanTest),
    /// For [`FieldKind::Date`].
    Date(DateTest),
    /// For any kind: any value that is not null, an empty text too (E).
    Exists,
}

/// A clause that no test can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct LowerError {
    /// The clause's value in the text of the query.
    pub span: Span,
    /// Why.
    #[source]
    pub problem: TooComplex,
}

/// The predicate of a query.
///
/// What a clause means:
/// - A value in several fields: one of them matches. Fields of different kinds get different tests, and a kind
///   that the value does not fit (`accountCount:abc`) matches nothing (E).
/// - Where analysis leaves nothing of a value and one of its fields is analysed, the clause vanishes (E, as
///   over the single analysed field `_all`). A group or nested query of nothing but such vanishes too; a
///   whole query matches nothing then.
/// - A list is as [`Occur`] says, at each level, inside `@path(...)` too.
///
/// `now` is the moment that `now` in a date stands for.
///
/// # Errors
/// A regular expression or fuzzy term that is too complex.
pub fn lower<R: Resolver>(
    query: &Query,
    resolver: &R,
    now: DateTime<Utc>,
) -> Result<Predicate<R::Field>, LowerError> {
    let lowering = Lowering { resolver, now };
    Ok(lowering.list(&query.clauses, None)?.unwrap_or(Predicate::Nothing))
}

/// Whether [`lower`] can make tests of every value of a query, whatever fields there are. For those who take
/// queries in long before they are run.
///
/// # Errors
/// As [`lower`].
pub fn check(query: &Query) -> Result<(), LowerError> {
    check_list(&query.clauses)
}

fn check_list(clauses: &[Clause]) -> Result<(), LowerError> {
    clauses.iter().try_for_each(|clause| match &clause.expression {
        Expression::All | Expression::Exists(_) => Ok(()),
        Expression::Group(clauses) | Expression::Nested { clauses, .. } => check_list(clauses),
        Expression::Match { value, .. } => TextTest::analysed(value)
            .and_then(|_| TextTest::exact(value))
            .map(|_| ())
            .map_err(|problem| LowerError { span: clause.body, problem }),
    })
}

struct Lowering<'a, R> {
    resolver: &'a R,
    now: DateTime<Utc>,
}

impl<R: Resolver> Lowering<'_, R> {
    /// `None` where the list vanishes.
    fn list(
        &self,
        clauses: &[Clause],
        array: Option<&str>,
    ) -> Result<Option<Predicate<R::Field>>, LowerError> {
        let parts = clauses
            .iter()
            .map(|clause| self.clause(clause, array))
            .collect::<Result<Vec<_>, LowerError>>()?;
        let mut vanished = parts.iter().map(Option::is_none).collect::<Vec<_>>().into_iter();
        let remaining = occurs(clauses, |_| vanished.next().unwrap_or(false));
        if remaining.is_empty() {
            return Ok(None);
        }
        let (mut must, mut should, mut must_not) = (Vec::new(), Vec::new(), Vec::new());
        for ((occur, _), part) in remaining.into_iter().zip(parts.into_iter().flatten()) {
            match occur {
                Occur::Must => must.push(part),
                Occur::Should => should.push(part),
                Occur::MustNot => must_not.push(not(part)),
            }
        }
        if must.is_empty() && !should.is_empty() {
            must.push(or(should));
        }
        must.extend(must_not);
        Ok(Some(and(must)))
    }

    fn clause(
        &self,
        clause: &Clause,
        array: Option<&str>,
    ) -> Result<Option<Predicate<R::Field>>, LowerError> {
        match &clause.expression {
            Expression::All => Ok(Some(Predicate::All)),
            Expression::Exists(field) => {
                let fields = self.existing(array, &field.name);
                Ok(Some(test(fields, FieldTest::Exists)))
            }
            Expression::Match { field, value } => {
                let fields = match field {
                    Some(field) => self.named(array, &field.name),
                    None => self.resolver.unnamed(array),
                };
                self.value(fields, value).map_err(|problem| LowerError { span: clause.body, problem })
            }
            Expression::Group(clauses) => self.list(clauses, array),
            Expression::Nested { path, clauses } => {
                let Some(element) = self.list(clauses, Some(&path.name))? else {
                    return Ok(None);
                };
                if matches!(element, Predicate::Nothing) || !self.resolver.is_array(&path.name) {
                    return Ok(Some(Predicate::Nothing));
                }
                Ok(Some(Predicate::Nested { path: path.name.clone(), element: Box::new(element) }))
            }
        }
    }

    fn named(&self, array: Option<&str>, name: &str) -> Vec<(R::Field, FieldKind)> {
        if let Some(stem) = name.strip_suffix(EXACT) {
            let mut fields = self.resolver.named(array, stem);
            fields.retain(|(_, kind)| *kind == FieldKind::Text);
            if !fields.is_empty() {
                return fields.into_iter().map(|(field, _)| (field, FieldKind::Keyword)).collect();
            }
        }
        self.resolver.named(array, name)
    }

    fn existing(&self, array: Option<&str>, name: &str) -> Vec<R::Field> {
        if let Some(stem) = name.strip_suffix(EXACT) {
            let mut fields = self.resolver.named(array, stem);
            fields.retain(|(_, kind)| *kind == FieldKind::Text);
            if !fields.is_empty() {
                return fields.into_iter().map(|(field, _)| field).collect();
            }
        }
        self.resolver.existing(array, name)
    }

    /// The value in one of the fields; `None` where it vanishes.
    fn value(
        &self,
        fields: Vec<(R::Field, FieldKind)>,
        value: &Value,
    ) -> Result<Option<Predicate<R::Field>>, TooComplex> {
        let mut groups: Vec<(FieldKind, Vec<R::Field>)> = Vec::new();
        for (field, kind) in fields {
            match groups.iter_mut().find(|(other, _)| *other == kind) {
                Some((_, group)) => group.push(field),
                None => groups.push((kind, vec![field])),
            }
        }
        let mut tests = Vec::with_capacity(groups.len());
        for (kind, fields) in groups {
            let of_kind = match kind {
                FieldKind::Text => match TextTest::analysed(value)? {
                    None => return Ok(None),
                    Some(test) => Some(FieldTest::Text(test)),
                },
                FieldKind::Keyword => Some(FieldTest::Text(TextTest::exact(value)?)),
                FieldKind::Integer => NumberTest::new(value).map(FieldTest::Number),
                FieldKind::Boolean => BooleanTest::new(value).map(FieldTest::Boolean),
                FieldKind::Date => DateTest::new(value, self.now).map(FieldTest::Date),
            };
            tests.extend(of_kind.map(|of_kind| test(fields, of_kind)));
        }
        Ok(Some(or(tests)))
    }
}

fn test<F>(fields: Vec<F>, test: FieldTest) -> Predicate<F> {
    if fields.is_empty() { Predicate::Nothing } else { Predicate::Test { fields, test } }
}

fn not<F>(part: Predicate<F>) -> Predicate<F> {
    match part {
        Predicate::All => Predicate::Nothing,
        Predicate::Nothing => Predicate::All,
        Predicate::Not(part) => *part,
        other
        @ (Predicate::And(_) | Predicate::Or(_) | Predicate::Test { .. } | Predicate::Nested { .. }) => {
            Predicate::Not(Box::new(other))
        }
    }
}

/// All of the parts; none of them is no condition.
fn and<F>(parts: Vec<Predicate<F>>) -> Predicate<F> {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Predicate::All => {}
            Predicate::Nothing => return Predicate::Nothing,
            Predicate::And(inner) => kept.extend(inner),
            other @ (Predicate::Or(_)
            | Predicate::Not(_)
            | Predicate::Test { .. }
            | Predicate::Nested { .. }) => kept.push(other),
        }
    }
    if kept.len() > 1 { Predicate::And(kept) } else { kept.pop().unwrap_or(Predicate::All) }
}

/// One of the parts; of none there is none.
fn or<F>(parts: Vec<Predicate<F>>) -> Predicate<F> {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Predicate::Nothing => {}
            Predicate::All => return Predicate::All,
            Predicate::Or(inner) => kept.extend(inner),
            other @ (Predicate::And(_)
            | Predicate::Not(_)
            | Predicate::Test { .. }
            | Predicate::Nested { .. }) => kept.push(other),
        }
    }
    if kept.len() > 1 { Predicate::Or(kept) } else { kept.pop().unwrap_or(Predicate::Nothing) }
}

#[cfg(test)]
mod tests;
