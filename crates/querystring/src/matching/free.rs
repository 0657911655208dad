//! Values of a free map, such as an identity's `attributes`: nobody said beforehand what they hold, so each value
//! says it itself.
//!
//! - A value that is a date or time by ISO 8601 (`2015-03-01`, `2025-04-01T06:00:00-05:00`) is a moment for ranges,
//!   comparisons, date math, and terms that are dates: Elasticsearch maps a new field by its values, "Date
//!   detection" (E). A year alone, or a year and a month, is not taken for one.
//! - A value that is a number is a number for ranges and comparisons whose limits are numbers.
//! - Everything else is compared by its words; but next to a date as the text that it is, so that no value comes before
//!   one date and after a later one, and has to have the words of a date that is a term in their order. Date math
//!   (`now-1d`, `2020-01-01||/M`) means nothing among texts, so that only dates pass a range that has it.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use super::decimal;
use super::typed::DateTest;
use crate::dates::{date_range, date_term, has_math, iso_moment};
use crate::tree::{Bound, Value};

/// A test of values that are dates or numbers.
#[derive(Debug)]
pub(super) struct Free {
    /// For a date. `None`: the query's value is not a date, and dates are words too. `Some(None)`: no date passes.
    date: Option<Option<DateTest>>,
    /// For a number, where the limits are numbers.
    number: Option<NumberRange>,
}

/// How the values are tested that [`Free`] does not decide.
#[derive(Debug)]
pub(super) enum OtherValues {
    /// None passes.
    Fail,
    /// By the words of the query's value.
    Words,
    /// By the words of this phrase: those of the query's value in their order.
    InOrder(Value),
    /// As the text that the value is.
    Exact,
}

/// A range of numbers by their decimal digits.
#[derive(Debug)]
struct NumberRange {
    lower: Bound,
    upper: Bound,
}

impl Free {
    /// `None` where every value is compared by its words.
    pub(super) fn new(value: &Value, now: DateTime<Utc>) -> Option<(Free, OtherValues)> {
        match value {
            Value::Term(text) | Value::Phrase { text, .. } => {
                if iso_moment(text).is_none() && !has_math(text) {
                    return None;
                }
                let range = date_term(text, now).ok()?;
                let in_order = Value::Phrase { text: text.clone(), slop: 0 };
                let free = Free { date: Some(DateTest::within(range)), number: None };
                Some((free, OtherValues::InOrder(in_order)))
            }
            Value::Range { lower, upper } => {
                let date = date_range(lower, upper, now).ok().map(DateTest::within);
                let limits = || [lower, upper].into_iter().filter_map(|bound| bound.limit.as_deref());
                let number = limits().all(decimal::is_number);
                let number = number.then(|| NumberRange { lower: lower.clone(), upper: upper.clone() });
                if date.is_none() && number.is_none() {
                    return None;
                }
                let others = if limits().any(|limit| limit == "now" || has_math(limit)) {
                    if date.is_none() { OtherValues::Words } else { OtherValues::Fail }
                } else if limits().any(|limit| iso_moment(limit).is_some()) {
                    OtherValues::Exact
                } else {
                    OtherValues::Words
                };
                Some((Free { date, number }, others))
            }
            Value::Prefix(_) | Value::Wildcard(_) | Value::Fuzzy { .. } | Value::Regex(_) => None,
        }
    }

    /// Whether a value passes that is a date or a number; `None` for every other value.
    pub(super) fn passes(&self, text: &str) -> Option<bool> {
        if let Some(date) = &self.date
            && let Some(moment) = iso_moment(text)
        {
            return Some(date.is_some_and(|date| date.matches(moment)));
        }
        let range = self.number.as_ref().filter(|_| decimal::is_number(text))?;
        Some(range.matches(text))
    }
}

impl NumberRange {
    fn matches(&self, text: &str) -> bool {
        let passes = |bound: &Bound, wanted: Ordering| {
            bound.limit.as_deref().is_none_or(|limit| {
                let found = decimal::compare(text, limit);
                found == wanted || (bound.inclusive && found == Ordering::Equal)
            })
        };
        passes(&self.lower, Ordering::Greater) && passes(&self.upper, Ordering::Less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::TextTest;
    use crate::{Expression, parse};

    /// 2026-06-15T12:00:00Z.
    const NOW: i64 = 1_781_524_800;

    fn test(value: &str) -> TextTest {
        let query = parse(&format!("f:{value}")).expect(value);
        let Expression::Match { value, .. } = &query.clauses[0].expression else { panic!("{value}") };
        let words = TextTest::analysed(value).expect("simple").expect("some words");
        TextTest::free(value, words, DateTime::from_timestamp(NOW, 0).expect("a moment"))
    }

    #[track_caller]
    fn finds(value: &str, yes: &[&str], no: &[&str]) {
        let test = test(value);
        yes.iter().for_each(|text| assert!(test.matches(text), "{value} finds {text:?}"));
        no.iter().for_each(|text| assert!(!test.matches(text), "{value} does not find {text:?}"));
    }

    #[test]
    fn dates_compare_as_dates() {
        finds(
            "<2016-01-01",
            &["2015-03-01", "2012-01-01", "2015-12-31T23:59:59Z"],
            &["2016-07-15", "2016-01-01"],
        );
        // Five hours west of Greenwich it is the next year there already.
        finds("<2016-01-01", &["2016-01-01T01:00:00+05:00"], &["2015-12-31T20:00:00-05:00"]);
        finds(
            "[2015-01-01 TO 2015-12-31]",
            &["2015-03-01", "2015-12-31T10:00:00Z"],
            &["2016-01-01", "2014-12-31"],
        );
        finds("2015-03-01", &["2015-03-01", "2015-03-01T08:00:00Z"], &["2015-04-01", "2016-03-01"]);
        finds("\"2015-03-01\"", &["2015-03-01"], &["2015-04-01"]);
        finds(">=2015-03-01T12\\:00\\:00Z", &["2015-03-02", "2015-03-01T12:00:00Z"], &["2015-03-01"]);
        finds("<2016", &["2015-03-01"], &["2016-07-15"]);
    }

    #[test]
    fn date_math_is_about_dates_alone() {
        finds("<now", &["2019-05-31", "2026-06-15"], &["2030-12-31", "12/31/2020", "3", "a note"]);
        finds("[now-1d TO now+1d]", &["2026-06-15"], &["2026-06-17", "now", "2"]);
        finds(">2026-06-15||+1M", &["2026-08-01"], &["2026-07-01", "z"]);
        finds("now\\/d", &["2026-06-15", "at now/d"], &["2026-06-16", "now or never"]);
    }

    #[test]
    fn numbers_compare_as_numbers() {
        finds(">9", &["10", "9.5", "+1e1", "010"], &["9", "8", "-10"]);
        finds(
            "[1.5 TO 12345678901234567890123]",
            &["1.50", "2", "12345678901234567890122.9"],
            &["1.4999", "1e23"],
        );
        finds("{-2 TO -1}", &["-1.5"], &["-2", "-1", "-3", "0"]);
    }

    #[test]
    fn everything_else_is_words() {
        finds("[a TO c]", &["b", "x b"], &["d"]);
        // Beside a date as the text that it is.
        finds("<2016-01-01", &["03/01/2015", "12/31/2020"], &["unknown"]);
        finds(">2026-01-01", &["unknown"], &["03/01/2015", "12/31/2020"]);
        finds("2015-03-01", &["since 2015-03-01, or so"], &["03/01/2015", "2015", "01"]);
        finds("2015", &["2015-03-01", "2015", "in 2015"], &["2016-03-01"]);
        finds("london", &["London"], &["2015-03-01"]);
        finds("2015*", &["2015-03-01"], &["2016"]);
        // Neither a year, a day that there is not, nor a number of milliseconds is a date here.
        finds("[2015-01-01 TO 2015-12-31]", &["2015-02-30"], &["2015", "1425168000000"]);
    }
}
