//! Properties: nothing panics, every place lies in the text, and what is printed parses to the same tree.

use proptest::prelude::*;

use crate::tree::{Clause, Expression, Span};
use crate::{Query, parse, parse_regex};

/// Pieces that make up queries, most orders of which are no query.
const PIECES: &[&str] = &[
    "a",
    "b",
    "London",
    "10",
    "é",
    "😀",
    "AND",
    "OR",
    "NOT",
    "TO",
    "&&",
    "||",
    "+",
    "-",
    "!",
    "(",
    ")",
    "(",
    ")",
    ":",
    "f:",
    "f\\:g:",
    "*:",
    "_exists_:",
    "attributes.\\*:",
    "^2",
    "^0.5",
    "~",
    "~1",
    "\"",
    "\"a b\"",
    "\"\\\"\\\\/\"",
    "\"\"",
    "*",
    "?",
    "a*",
    "\\*",
    "\\\\",
    "\\/",
    "\\ ",
    "\\u0041",
    "\\u002f",
    "/",
    "/a\\/b/",
    "/a\\\\/",
    "[a TO b]",
    "{* TO \"x y\"}",
    "[a\\u0020b TO \\u005d}",
    "[\"\" TO a\"b]",
    "[TO TO \\TO]",
    "[/ TO *]",
    ">",
    ">=1",
    "<",
    "@a(",
    "@",
    "\u{3000}",
    " ",
    " ",
    " ",
    " ",
    "\t",
    "\\AND",
    "\\@a (b)",
    "\\\0",
];

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

fn check(text: &str) {
    match parse(text) {
        Ok(query) => {
            check_places(text, &query.clauses);
            let printed = query.to_string();
            let again =
                parse(&printed).unwrap_or_else(|error| panic!("{text:?} prints {printed:?}: {error}"));
            assert_eq!(without_spans(query), without_spans(again), "{text:?} prints {printed:?}");
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.offset), "{text:?}: {error}");
            assert_eq!(error.column, text[..error.offset].chars().count() + 1);
        }
    }
}

#[test]
fn every_query_of_the_table_prints_and_parses_again() {
    for line in include_str!("cases.txt").lines() {
        if let Some((query, _)) = line.split_once(" => ") {
            check(query.trim_end_matches(' '));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)) {
        check(&pieces.concat());
        check(&pieces.join(" "));
    }

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
        let _ = parse_regex(&text);
    }

    #[test]
    fn any_syntax(text in "[ab \\\\+!():^\\[\\]\"{}~*?/u0-9&|@<>=TO-]{0,40}") {
        check(&text);
        let _ = parse_regex(&text);
    }
}
