//! What holds for every query and every text it is asked of. Fuzzing calls these, and tests with kept inputs.
//!
//! Only there in tests and under `cfg(fuzzing)`, which `cargo fuzz` sets.

use crate::matching::{TextBound, TextTest, check, tokens_lower_case};
use crate::tree::{Clause, Expression, Span, Value};
use crate::{Query, TEXT_BYTES_MAX, parse, parse_regex};

/// No error is longer, in bytes: it is shown to whoever sent the query.
const ERROR_BYTES_MAX: usize = 512;

/// A query, and after a zero byte a text that it is asked of.
///
/// What parses prints as text that parses to the same tree. What is refused names a place in the text. A test of a
/// whole text passes nothing outside of its bounds, and a test of words passes a text if and only if it passes one of
/// its words.
pub fn search_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, sample) = text.split_once('\0').unwrap_or((text, text));
    round_trip(query);
    if let Ok(query) = parse(query) {
        ask(&query.clauses, sample);
    }
    if let Err(error) = parse_regex(sample) {
        assert!(error.to_string().len() <= ERROR_BYTES_MAX, "a long error: {error}");
    }
}

/// Parses, prints and parses again.
pub(crate) fn round_trip(text: &str) {
    match parse(text) {
        Ok(query) => {
            check_places(text, &query.clauses);
            let printed = query.to_string();
            // Escapes may make a long text longer than is read.
            if printed.len() > TEXT_BYTES_MAX {
                return;
            }
            let again =
                parse(&printed).unwrap_or_else(|error| panic!("{text:?} prints {printed:?}: {error}"));
            assert_eq!(check(&query).is_ok(), check(&again).is_ok(), "{text:?} prints {printed:?}");
            assert_eq!(without_spans(query), without_spans(again), "{text:?} prints {printed:?}");
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.offset), "{text:?}: {error}");
            assert_eq!(error.column, text[..error.offset].chars().count() + 1);
            assert!(error.to_string().len() <= ERROR_BYTES_MAX, "a long error: {error}");
        }
    }
}

/// A query with no places in it.
fn without_spans(mut query: Query) -> Query {
    clear(&mut query.clauses);
    query
}

fn clear(clauses: &mut [Clause]) {
    for clause in clauses {
        clause.span = Span::default();
        clause.body = Span::default();
        match &mut clause.expression {
            Expression::All => {}
            Expression::Exists(field) => field.span = Span::default(),
            Expression::Match { field, .. } => {
                if let Some(field) = field {
                    field.span = Span::default();
                }
            }
            Expression::Group(clauses) => clear(clauses),
            Expression::Nested { path, clauses } => {
                path.span = Span::default();
                clear(clauses);
            }
        }
    }
}

fn check_places(text: &str, clauses: &[Clause]) {
    for clause in clauses {
        assert!(text.get(clause.span.start..clause.span.end).is_some_and(|image| !image.is_empty()));
        assert!(clause.span.start <= clause.body.start && clause.body.end <= clause.span.end);
        assert!(clause.body.start < clause.body.end);
        match &clause.expression {
            Expression::Group(clauses) | Expression::Nested { clauses, .. } => check_places(text, clauses),
            Expression::All | Expression::Exists(_) | Expression::Match { .. } => {}
        }
    }
}

/// Asks every value of a query of a text.
fn ask(clauses: &[Clause], sample: &str) {
    for clause in clauses {
        match &clause.expression {
            Expression::All | Expression::Exists(_) => {}
            Expression::Group(clauses) | Expression::Nested { clauses, .. } => ask(clauses, sample),
            Expression::Match { value, .. } => {
                ask_whole(value, sample);
                ask_words(value, sample);
            }
        }
    }
}

fn ask_whole(value: &Value, sample: &str) {
    let Ok(test) = TextTest::exact(value) else { return };
    if let Some(only) = test.only() {
        assert!(test.matches(only), "{value:?} does not pass its own text");
        assert_eq!(test.matches(sample), sample == only, "{value:?} of {sample:?}");
    }
    if let Some(bounds) = test.bounds().filter(|_| test.matches(sample)) {
        let above = |TextBound { limit, inclusive }: &TextBound| {
            sample > limit.as_str() || *inclusive && sample == limit
        };
        let below = |TextBound { limit, inclusive }: &TextBound| {
            sample < limit.as_str() || *inclusive && sample == limit
        };
        assert!(bounds.lower.as_ref().is_none_or(above), "{value:?} passes {sample:?}, which is too low");
        assert!(bounds.upper.as_ref().is_none_or(below), "{value:?} passes {sample:?}, which is too high");
    }
}

fn ask_words(value: &Value, sample: &str) {
    if matches!(value, Value::Phrase { .. }) {
        return;
    }
    let Ok(Some(test)) = TextTest::analysed(value) else { return };
    let by_word = tokens_lower_case(sample).iter().any(|word| test.matches(word));
    assert_eq!(test.matches(sample), by_word, "{value:?} of {sample:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        muster_testkit::corpus::replay("search_query", super::search_query);
    }
}
