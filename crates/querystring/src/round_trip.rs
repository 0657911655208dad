//! Properties: nothing panics, every place is in the text, and what is printed parses to the same tree.

use proptest::prelude::*;

use crate::fuzzing::round_trip;
use crate::parse_regex;

/// Pieces that make up queries; most orders of them are not a query.
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

#[test]
fn every_query_of_the_table_prints_and_parses_again() {
    for line in include_str!("cases.txt").lines() {
        if let Some((query, _)) = line.split_once(" => ") {
            round_trip(query.trim_end_matches(' '));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)) {
        round_trip(&pieces.concat());
        round_trip(&pieces.join(" "));
    }

    #[test]
    fn any_text(text in any::<String>()) {
        round_trip(&text);
        let _ = parse_regex(&text);
    }

    #[test]
    fn any_syntax(text in "[ab \\\\+!():^\\[\\]\"{}~*?/u0-9&|@<>=TO-]{0,40}") {
        round_trip(&text);
        let _ = parse_regex(&text);
    }
}
