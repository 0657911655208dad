//! A query as a predicate over fields: what vanishes, what is required, and which test each field gets.
//!
//! All rules of how clauses combine are here and nowhere else, so that an engine only has to turn a small tree
//! into its own expressions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::dfa::{TooComplex, Work};
use super::text::TextTest;
use super::typed::{BooleanTest, DateTest, NumberTest, Ranges};
use crate::tree::{Clause, Expression, Occur, Query, Span, Value, occurs};

/// The suffix of a name by which a text field is compared whole and with case.
pub(super) const EXACT: &str = ".exact";

/// Most tests of whole values over the same fields that stay separate when they are combined by OR. A scan can then
/// skip parts of files that match none of them. More tests than this become one.
const APART_MAX: usize = 16;

/// How the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text that is analysed: words, in any case.
    Text,
    /// Text that is compared whole and with case: ids, and `name.exact`.
    Keyword,
    /// A text of a free map, each of which says itself what it is: a date or time by ISO 8601, a number, or words.
    Free,
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

    /// The fields that a name means, each with how it is compared.
    ///
    /// - A name of no field: an empty list, and the clause matches nothing.
    /// - A name with `*` in it ([`crate::Field::name`]) means every field whose whole name fits, a
    ///   star being any characters, dots included. The entries of a free map such as `attributes` count:
    ///   either as one field that means any entry that fits, or as many.
    /// - A dotted name may lead through arrays (`access.name`): the field's values are those of all elements.
    /// - The resolver has nothing to do with `.exact`: [`lower`] asks for `name` where the query says
    ///   `name.exact`, takes the fields of text of the answer, whatever their kind, as [`FieldKind::Keyword`],
    ///   and asks for `name.exact` itself only if that leaves no field. Of a name of no field either, it takes the
    ///   fields of `name`, which are not text.
    fn named(&self, array: Option<&str>, name: &str) -> Vec<(Self::Field, FieldKind)>;

    /// The fields that a word without a field is looked for in, those in arrays of objects included. A field
    /// need not have the kind here that it has by its name: Elasticsearch 5's `_all` analyses ids too.
    fn unnamed(&self, array: Option<&str>) -> Vec<(Self::Field, FieldKind)>;

    /// The fields of which one has to have a value for `name:*` and `_exists_:name`. To Elasticsearch a name
    /// may be that of an object or array here and means all that is in it; the default takes only what
    /// [`Resolver::named`] knows.
    fn existing(&self, array: Option<&str>, name: &str) -> Vec<Self::Field> {
        self.named(array, name).into_iter().map(|(field, _)| field).collect()
    }

    /// Whether there is an array of objects at a path; `@path(...)` matches nothing where there is none.
    fn is_array(&self, path: &str) -> bool;
}

/// What a query asks of a document, with fields as a [`Resolver`] names them.
///
/// There are two truth values. A missing value is not a third one: a test of a field without values is false, and
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
        /// The fields, at least one. All have the kind that the test is for. Tests of the same fields share them.
        fields: Arc<[F]>,
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
    /// For [`FieldKind::Text`], [`FieldKind::Keyword`] and [`FieldKind::Free`]; the test knows how it compares.
    Text(TextTest),
    /// For [`FieldKind::Integer`].
    Number(NumberTest),
    /// For [`FieldKind::Boolean`].
    Boolean(BooleanTest),
    /// For [`FieldKind::Date`].
    Date(DateTest),
    /// Many numbers or moments at once, for [`FieldKind::Integer`] or [`FieldKind::Date`].
    Ranges(Ranges),
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
/// - A list is as [`Occur`] says, at each level, inside `@path(...)` too. Values that are ORed over the same fields
///   are one test.
///
/// `now` is the moment that `now` in a date means.
///
/// # Errors
/// A regular expression that is too complex.
pub fn lower<R: Resolver>(
    query: &Query,
    resolver: &R,
    now: DateTime<Utc>,
) -> Result<Predicate<R::Field>, LowerError> {
    Lowering::new(query, now).predicate(resolver)
}

/// Whether [`lower`] can make tests of every value of a query, whatever fields there are. For those who take
/// queries in long before they are run. The work has a bound, whatever the query.
///
/// # Errors
/// As [`lower`].
pub fn check(query: &Query) -> Result<(), LowerError> {
    check_unless(query, &Arc::default())
}

/// As [`check`], for those who may stop to wait for it: once `abandoned` is set, the next step of work fails.
///
/// # Errors
/// As [`check`]; any where it is abandoned, which says nothing of the query.
pub fn check_unless(query: &Query, abandoned: &Arc<AtomicBool>) -> Result<(), LowerError> {
    let work = Work::unless(Arc::clone(abandoned));
    check_list(&query.clauses, &mut TextTests { work, ..TextTests::new(DateTime::UNIX_EPOCH) })
}

fn check_list(clauses: &[Clause], tests: &mut TextTests) -> Result<(), LowerError> {
    clauses.iter().try_for_each(|clause| match &clause.expression {
        Expression::All | Expression::Exists(_) => Ok(()),
        Expression::Group(clauses) | Expression::Nested { clauses, .. } => check_list(clauses, tests),
        Expression::Match { value, .. } => {
            // Words and fuzzy terms count as no work, but whether anybody waits is looked at.
            tests.work.spend(0).map_err(|problem| LowerError { span: clause.body, problem })?;
            tests.text(clause, value, FieldKind::Text)?;
            tests.text(clause, value, FieldKind::Keyword).map(|_| ())
        }
    })
}

/// [`lower`] over several kinds of document: the tests of values are made once for all of them.
#[derive(Debug)]
pub struct Lowering<'q> {
    query: &'q Query,
    tests: TextTests,
}

impl<'q> Lowering<'q> {
    /// Nothing is made yet.
    #[must_use]
    pub fn new(query: &'q Query, now: DateTime<Utc>) -> Lowering<'q> {
        Lowering { query, tests: TextTests::new(now) }
    }

    /// The predicate over one kind of document.
    ///
    /// # Errors
    /// As [`lower`].
    pub fn predicate<R: Resolver>(&mut self, resolver: &R) -> Result<Predicate<R::Field>, LowerError> {
        let mut pass = Pass { resolver, tests: &mut self.tests, fields: HashMap::new() };
        Ok(pass.list(&self.query.clauses, None)?.unwrap_or(Predicate::Nothing))
    }
}

/// The tests of text that a query's values were made into, by the place of the value.
#[derive(Debug)]
struct TextTests {
    now: DateTime<Utc>,
    work: Work,
    made: HashMap<(usize, FieldKind), Option<TextTest>>,
}

impl TextTests {
    fn new(now: DateTime<Utc>) -> TextTests {
        TextTests { now, work: Work::new(), made: HashMap::new() }
    }

    /// The test of a clause's value for a kind of text; `None` where analysis leaves nothing.
    fn text(
        &mut self,
        clause: &Clause,
        value: &Value,
        kind: FieldKind,
    ) -> Result<Option<TextTest>, LowerError> {
        let place = (clause.body.start, kind);
        if let Some(made) = self.made.get(&place) {
            return Ok(made.clone());
        }
        let failed = |problem| LowerError { span: clause.body, problem };
        let test = match kind {
            FieldKind::Keyword => Some(TextTest::exact_within(value, &mut self.work).map_err(failed)?),
            FieldKind::Free => {
                let analysed = self.text(clause, value, FieldKind::Text)?;
                analysed.map(|analysed| TextTest::free(value, analysed, self.now))
            }
            FieldKind::Text | FieldKind::Integer | FieldKind::Boolean | FieldKind::Date => {
                TextTest::analysed_within(value, &mut self.work).map_err(failed)?
            }
        };
        self.made.insert(place, test.clone());
        Ok(test)
    }
}

/// Fields by their kinds.
type Kinds<F> = Arc<[(FieldKind, Arc<[F]>)]>;

/// The array around a clause and the name of its field, where there is one.
type Named<'q> = (Option<&'q str>, Option<&'q str>);

/// One kind of document.
struct Pass<'a, 'q, R: Resolver> {
    resolver: &'a R,
    tests: &'a mut TextTests,
    /// What was found: many clauses ask for the same.
    fields: HashMap<Named<'q>, Kinds<R::Field>>,
}

impl<'q, R: Resolver> Pass<'_, 'q, R> {
    /// `None` where the list vanishes.
    fn list(
        &mut self,
        clauses: &'q [Clause],
        array: Option<&'q str>,
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
        &mut self,
        clause: &'q Clause,
        array: Option<&'q str>,
    ) -> Result<Option<Predicate<R::Field>>, LowerError> {
        match &clause.expression {
            Expression::All => Ok(Some(Predicate::All)),
            Expression::Exists(field) => {
                let fields = existing(self.resolver, array, &field.name);
                Ok(Some(if fields.is_empty() {
                    Predicate::Nothing
                } else {
                    Predicate::Test { fields: fields.into(), test: FieldTest::Exists }
                }))
            }
            Expression::Match { field, value } => {
                let kinds = self.kinds(array, field.as_ref().map(|field| field.name.as_str()));
                self.value(&kinds, clause, value)
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

    fn kinds(&mut self, array: Option<&'q str>, name: Option<&'q str>) -> Kinds<R::Field> {
        if let Some(known) = self.fields.get(&(array, name)) {
            return Arc::clone(known);
        }
        let fields = match name {
            Some(name) => named(self.resolver, array, name),
            None => self.resolver.unnamed(array),
        };
        let mut groups: Vec<(FieldKind, Vec<R::Field>)> = Vec::new();
        for (field, kind) in fields {
            match groups.iter_mut().find(|(other, _)| *other == kind) {
                Some((_, group)) => group.push(field),
                None => groups.push((kind, vec![field])),
            }
        }
        let kinds: Kinds<R::Field> = groups.into_iter().map(|(kind, group)| (kind, group.into())).collect();
        self.fields.insert((array, name), Arc::clone(&kinds));
        kinds
    }

    /// The value in one of the fields; `None` where it vanishes.
    fn value(
        &mut self,
        kinds: &Kinds<R::Field>,
        clause: &Clause,
        value: &Value,
    ) -> Result<Option<Predicate<R::Field>>, LowerError> {
        let mut tests = Vec::with_capacity(kinds.len());
        for (kind, fields) in kinds.iter() {
            let test = match kind {
                FieldKind::Text | FieldKind::Free | FieldKind::Keyword => {
                    match self.tests.text(clause, value, *kind)? {
                        None => return Ok(None),
                        Some(test) => Some(FieldTest::Text(test)),
                    }
                }
                FieldKind::Integer => NumberTest::new(value).map(FieldTest::Number),
                FieldKind::Boolean => BooleanTest::new(value).map(FieldTest::Boolean),
                FieldKind::Date => DateTest::new(value, self.tests.now).map(FieldTest::Date),
            };
            tests.extend(test.map(|test| Predicate::Test { fields: Arc::clone(fields), test }));
        }
        Ok(Some(or(tests)))
    }
}

/// The fields that a name means, `.exact` understood.
pub(super) fn named<R: Resolver>(
    resolver: &R,
    array: Option<&str>,
    name: &str,
) -> Vec<(R::Field, FieldKind)> {
    let exact = exactly_named(resolver, array, name);
    if !exact.is_empty() {
        return exact;
    }
    let own = resolver.named(array, name);
    match name.strip_suffix(EXACT) {
        // Numbers, dates and booleans are compared whole anyway.
        Some(stem) if own.is_empty() => resolver.named(array, stem),
        Some(_) | None => own,
    }
}

/// The fields of which one has to have a value, `.exact` understood.
pub(super) fn existing<R: Resolver>(resolver: &R, array: Option<&str>, name: &str) -> Vec<R::Field> {
    let exact = exactly_named(resolver, array, name);
    if exact.is_empty() {
        return resolver.existing(array, name);
    }
    exact.into_iter().map(|(field, _)| field).collect()
}

/// The fields of text that `name.exact` means; none for other names.
fn exactly_named<R: Resolver>(resolver: &R, array: Option<&str>, name: &str) -> Vec<(R::Field, FieldKind)> {
    let fields = name.strip_suffix(EXACT).map_or_else(Vec::new, |stem| resolver.named(array, stem));
    let is_text =
        |(_, kind): &(_, FieldKind)| matches!(kind, FieldKind::Text | FieldKind::Keyword | FieldKind::Free);
    fields.into_iter().filter(is_text).map(|(field, _)| (field, FieldKind::Keyword)).collect()
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

/// All of the parts; an empty list means no condition.
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
    let mut kept = united(kept);
    if kept.len() > 1 { Predicate::Or(kept) } else { kept.pop().unwrap_or(Predicate::Nothing) }
}

/// The alternatives, with those that ask the same fields as one test, in the place of the first of them.
fn united<F>(parts: Vec<Predicate<F>>) -> Vec<Predicate<F>> {
    let mut kept: Vec<Predicate<F>> = Vec::with_capacity(parts.len());
    // Where in `kept` the tests of the same fields are, by the place of the fields in memory.
    let mut places: HashMap<*const F, Vec<usize>> = HashMap::new();
    for part in parts {
        if let Predicate::Test {
            fields,
            test: FieldTest::Text(_) | FieldTest::Number(_) | FieldTest::Date(_),
        } = &part
        {
            places.entry(fields.as_ptr()).or_default().push(kept.len());
        }
        kept.push(part);
    }
    let mut gone = vec![false; kept.len()];
    for same in places.into_values().filter(|same| same.len() > 1) {
        let (mut texts, mut ranges) = (Vec::new(), Vec::new());
        for at in &same {
            let Predicate::Test { test, .. } = &kept[*at] else { continue };
            match test {
                FieldTest::Text(test) => texts.push(test.clone()),
                FieldTest::Number(test) => ranges.push((test.least, test.greatest)),
                FieldTest::Date(test) => {
                    ranges.push((test.range.first.unwrap_or(i64::MIN), test.range.last.unwrap_or(i64::MAX)));
                }
                FieldTest::Boolean(_) | FieldTest::Ranges(_) | FieldTest::Exists => {}
            }
        }
        let prunes = texts.iter().all(|test| test.bounds().is_some());
        if prunes && same.len() <= APART_MAX {
            continue;
        }
        let united = if texts.is_empty() {
            FieldTest::Ranges(Ranges::new(ranges))
        } else {
            FieldTest::Text(TextTest::any_of(&texts))
        };
        if let Predicate::Test { test, .. } = &mut kept[same[0]] {
            *test = united;
        }
        same.iter().skip(1).for_each(|at| gone[*at] = true);
    }
    let mut gone = gone.into_iter();
    kept.retain(|_| !gone.next().unwrap_or(false));
    kept
}

#[cfg(test)]
mod tests;
