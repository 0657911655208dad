//! Tests of numbers, booleans and moments.
//!
//! Elasticsearch fails on a value that does not fit the field's type unless it is told to be lenient, and then
//! matches nothing; here it always matches nothing (E). What does not fit: `accountCount:abc`, and prefixes,
//! wildcards, regular expressions and fuzzy terms, which Elasticsearch's `MappedFieldType` allows on text alone.
//! A phrase is a term, since these fields are not analysed (E, `MatchQuery.parse`).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decimal::Decimal;
use crate::dates::{DateRange, date_range, date_term};
use crate::tree::{Bound, Value};

/// What a value is to a field that is not text.
enum Plain<'a> {
    Term(&'a str),
    Range(&'a Bound, &'a Bound),
}

/// `None` for what only text can be compared with.
fn plain(value: &Value) -> Option<Plain<'_>> {
    match value {
        Value::Term(text) | Value::Phrase { text, .. } => Some(Plain::Term(text)),
        Value::Range { lower, upper } => Some(Plain::Range(lower, upper)),
        Value::Prefix(_) | Value::Wildcard(_) | Value::Fuzzy { .. } | Value::Regex(_) => None,
    }
}

/// A test of a whole number: that it is in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberTest {
    /// The least number that passes.
    pub least: i64,
    /// The greatest number that passes; not below `least`.
    pub greatest: i64,
}

impl NumberTest {
    /// The test of a value, `None` where no number passes.
    ///
    /// A limit may have a fraction (`>1.5` begins with 2), a term with one matches nothing, `1e3` and `7.0` are
    /// numbers: `NumberFieldMapper` (E). A limit beyond 64 bits bounds nothing on its side.
    #[must_use]
    pub fn new(value: &Value) -> Option<NumberTest> {
        let (least, greatest) = match plain(value)? {
            Plain::Term(text) => {
                let number = Decimal::read(text)?;
                // The integer's neighbours on both sides, which leave nothing where there is a fraction.
                (number.ceiling, number.floor)
            }
            Plain::Range(lower, upper) => {
                let least = match &lower.limit {
                    None => i128::from(i64::MIN),
                    Some(limit) => {
                        let limit = Decimal::read(limit)?;
                        if lower.inclusive { limit.ceiling } else { limit.floor + 1 }
                    }
                };
                let greatest = match &upper.limit {
                    None => i128::from(i64::MAX),
                    Some(limit) => {
                        let limit = Decimal::read(limit)?;
                        if upper.inclusive { limit.floor } else { limit.ceiling - 1 }
                    }
                };
                (least, greatest)
            }
        };
        let least = least.max(i128::from(i64::MIN));
        let greatest = greatest.min(i128::from(i64::MAX));
        if least > greatest {
            return None;
        }
        Some(NumberTest { least: i64::try_from(least).ok()?, greatest: i64::try_from(greatest).ok()? })
    }

    /// Whether a number passes.
    #[must_use]
    pub fn matches(&self, number: i64) -> bool {
        (self.least..=self.greatest).contains(&number)
    }
}

/// A test of a boolean. At least one of the two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BooleanTest {
    /// Whether `true` passes.
    pub accepts_true: bool,
    /// Whether `false` passes.
    pub accepts_false: bool,
}

impl BooleanTest {
    /// The test of a value, `None` where neither passes. Booleans are written `true` and `false`, in lower
    /// case, and in a range `false` comes first: `BooleanFieldMapper` (E).
    #[must_use]
    pub fn new(value: &Value) -> Option<BooleanTest> {
        let test = match plain(value)? {
            Plain::Term(text) => {
                let value = boolean(text)?;
                BooleanTest { accepts_true: value, accepts_false: !value }
            }
            Plain::Range(lower, upper) => {
                let limit = |bound: &Bound| bound.limit.as_deref().map(|text| boolean(text).map(u8::from));
                // An open end, or a limit that is a boolean.
                let (least, greatest) = match (limit(lower), limit(upper)) {
                    (Some(None), _) | (_, Some(None)) => return None,
                    (least, greatest) => (least.flatten(), greatest.flatten()),
                };
                let passes = |value: bool| {
                    let value = u8::from(value);
                    least.is_none_or(|limit| limit < value || (lower.inclusive && limit == value))
                        && greatest.is_none_or(|limit| value < limit || (upper.inclusive && limit == value))
                };
                BooleanTest { accepts_true: passes(true), accepts_false: passes(false) }
            }
        };
        Some(test).filter(|test| test.accepts_true || test.accepts_false)
    }

    /// Whether a boolean passes.
    #[must_use]
    pub fn matches(&self, value: bool) -> bool {
        if value { self.accepts_true } else { self.accepts_false }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A test of a moment: that it is in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTest {
    /// The stretch, in milliseconds; not empty.
    pub range: DateRange,
}

impl DateTest {
    /// The test of a value, `None` where no moment passes. A date that is not a range is the whole of what it
    /// names: [`date_term`] and [`date_range`] (E).
    #[must_use]
    pub fn new(value: &Value, now: DateTime<Utc>) -> Option<DateTest> {
        let range = match plain(value)? {
            Plain::Term(text) => date_term(text, now),
            Plain::Range(lower, upper) => date_range(lower, upper, now),
        }
        .ok()?;
        Self::within(range)
    }

    /// The test of lying in a stretch of time, `None` where that is empty.
    pub(super) fn within(range: DateRange) -> Option<DateTest> {
        let empty = matches!((range.first, range.last), (Some(first), Some(last)) if first > last);
        if empty { None } else { Some(DateTest { range }) }
    }

    /// Whether a moment passes, in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn matches(&self, milliseconds: i64) -> bool {
        self.range.first.is_none_or(|first| first <= milliseconds)
            && self.range.last.is_none_or(|last| milliseconds <= last)
    }
}

/// Many ranges of whole numbers, or of moments in milliseconds, of which one has to hold the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    /// Least and greatest of each; they ascend and do not touch.
    ranges: Arc<[(i64, i64)]>,
}

impl Ranges {
    pub(super) fn new(mut ranges: Vec<(i64, i64)>) -> Ranges {
        ranges.sort_unstable();
        let mut apart: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (least, greatest) in ranges {
            match apart.last_mut() {
                Some((_, end)) if least <= end.saturating_add(1) => *end = greatest.max(*end),
                Some(_) | None => apart.push((least, greatest)),
            }
        }
        Ranges { ranges: apart.into() }
    }

    /// Whether a number or moment passes.
    #[must_use]
    pub fn matches(&self, value: i64) -> bool {
        let behind = self.ranges.partition_point(|(least, _)| *least <= value);
        behind.checked_sub(1).is_some_and(|at| value <= self.ranges[at].1)
    }
}

#[cfg(test)]
mod tests;
