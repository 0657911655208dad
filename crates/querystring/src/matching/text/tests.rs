//! Tests of single texts: rules by hand, and each quick way against a slow and plain one.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tokens::{Tokens, UnicodeTokens, lower_case};
use super::{TextBound, TextBounds, TextTest};
use crate::matching::{TooComplex, tokens, tokens_lower_case};
use crate::regex::{RegexNode, parse_regex};
use crate::tree::{Bound, Edits, PatternPiece, Value};
use crate::{Expression, parse};

/// The value of a query of one clause without field.
fn value(query: &str) -> Value {
    let mut tree = parse(query).expect(query);
    match tree.clauses.pop().map(|clause| clause.expression) {
        Some(Expression::Match { value, .. }) => value,
        other => panic!("{query} is {other:?}"),
    }
}

fn analysed(value: &Value) -> TextTest {
    TextTest::analysed(value).expect("not too complex").expect("some words")
}

fn exact(value: &Value) -> TextTest {
    TextTest::exact(value).expect("not too complex")
}

#[track_caller]
fn finds(query: &str, yes: &[&str], no: &[&str]) {
    let test = analysed(&value(query));
    yes.iter().for_each(|text| assert!(test.matches(text), "{query} finds {text:?}"));
    yes.iter().for_each(|text| has_needle(&test, text));
    no.iter().for_each(|text| assert!(!test.matches(text), "{query} does not find {text:?}"));
}

/// A text that passes has one of the test's needles in it.
#[track_caller]
fn has_needle(test: &TextTest, text: &str) {
    if let Some(needles) = test.needles() {
        assert!(needles.iter().any(|needle| needle.find(text.as_bytes(), 0).is_some()), "{test:?} {text:?}");
    }
}

#[track_caller]
fn is(query: &str, yes: &[&str], no: &[&str]) {
    let test = exact(&value(query));
    yes.iter().for_each(|text| assert!(test.matches(text), "{query} is {text:?}"));
    no.iter().for_each(|text| assert!(!test.matches(text), "{query} is not {text:?}"));
}

#[test]
fn analysed_text_is_words_in_any_case() {
    finds("London", &["london", "in LONDON, now", "x-London/y"], &["londoner", "", "Lon don"]);
    finds("wi\\-fi", &["Wi-Fi", "fi", "WI is a state"], &["wifi"]);
    finds("o'neil", &["Shaun O'Neil"], &["o neil", "O'Neils"]);
    finds("\u{c9}t\u{c9}", &["l'\u{e9}t\u{e9} et \u{e9}t\u{e9}"], &["ete"]);
    finds("2020\\-01\\-01", &["2020", "01"], &["20200101"]);
    finds(
        "\"new york\"",
        &["New York", "a new-york b", "new new york"],
        &["york new", "new big york", "new"],
    );
    finds("\"new york\"~1", &["new big york"], &["york new", "new very big york"]);
    finds("\"new york\"~2", &["york new", "new very big york"], &["york big new"]);
    finds("\"a b a\"", &["x a b a b", "a a b a"], &["a b b a", "b a"]);
    finds("\"a b a\"~2", &["a a b"], &["a b"]);
    finds("YOR*", &["new york"], &["new-jersey", "royork"]);
    finds("N?w*", &["NEW", "nowhere"], &["anew", "nw"]);
    finds("roam~1", &["foam", "roams", "raom", "ROM"], &["fobm", "r"]);
    finds("/yo.[KL]/", &["York", "yolk yoll"], &["yorks"]);
    finds("[b TO d}", &["a c", "B"], &["a d"]);
    finds("[B TO *]", &["c"], &["a", "\u{2013}"]);
}

#[test]
fn exact_text_is_compared_whole_and_with_case() {
    is("\"New York\"", &["New York"], &["new york", "New York City", " New York"]);
    is("\"\"", &[""], &["a"]);
    is("New*", &["New York", "New"], &["new york", "A New"]);
    is("*Y?rk", &["New York", "York"], &["Yorks", "Yrk"]);
    is("/New .*/", &["New York", "New "], &["New", "new york"]);
    is("Roam~1", &["roam", "Roams"], &["roams"]);
    is("[A TO B]", &["A", "AZ", "B"], &["a", "BA"]);
    is("{A TO *]", &["AA", "\u{1f600}"], &["A", "1"]);
}

#[test]
fn nothing_is_left_of_some_values() {
    for query in ["\"\"", "\"-- ?\"", "\\-", "&", "\u{bd}"] {
        assert!(TextTest::analysed(&value(query)).expect("simple").is_none(), "{query}");
    }
    // These are not cut into words, and find nothing.
    for query in ["\\-*", "/-/", "\\-?"] {
        finds(query, &[], &["-", "--", "a-b"]);
    }
}

#[test]
fn automatic_edits_go_by_the_characters_of_the_term() {
    // Elasticsearch, "Fuzziness": none up to 2 characters, one up to 5, then two.
    finds("ab~", &["ab"], &["a", "abc"]);
    finds("\u{e9}t\u{e9}~", &["ete \u{e9}ta"], &["eta"]);
    finds("roams~", &["roam"], &["room"]);
    finds("roamed~", &["roomet"], &["roostet"]);
}

#[test]
fn short_words_may_have_nothing_in_common() {
    // Lucene 8.7, found by asking it; the note on `FuzzyQuery` still speaks of the older rule.
    finds("a~1", &["a", "b", "ab"], &["bc"]);
    finds("ab~2", &["a", "cd", "c"], &["cde"]);
}

#[test]
fn a_test_implies_a_range() {
    let range = |lower: Option<(&str, bool)>, upper: Option<(&str, bool)>| {
        let bound = |end: Option<(&str, bool)>| {
            end.map(|(limit, inclusive)| TextBound { limit: limit.to_owned(), inclusive })
        };
        Some(TextBounds { lower: bound(lower), upper: bound(upper) })
    };
    let below = |prefix, upper| range(Some((prefix, true)), Some((upper, false)));
    for (query, expected) in [
        ("abc", range(Some(("abc", true)), Some(("abc", true)))),
        ("\"a b\"", range(Some(("a b", true)), Some(("a b", true)))),
        ("abc*", below("abc", "abd")),
        ("ab?c*", below("ab", "ac")),
        ("*a", None),
        ("?a", None),
        ("/abc/", range(Some(("abc", true)), Some(("abc", true)))),
        ("/abc?d/", below("ab", "ac")),
        ("/a[b]+c/", below("ab", "ac")),
        ("/a|b/", None),
        ("/~a/", None),
        ("/(ab.*)&(.*c)/", below("ab", "ac")),
        ("abc~0", range(Some(("abc", true)), Some(("abc", true)))),
        ("abc~1", None),
        ("[a TO b}", range(Some(("a", true)), Some(("b", false)))),
        ("{a TO *]", range(Some(("a", false)), None)),
        ("[* TO *]", None),
        // After the last character before the surrogates comes the first after them; after the last, none.
        ("a\u{d7ff}*", below("a\u{d7ff}", "a\u{e000}")),
        ("a\u{10ffff}*", below("a\u{10ffff}", "b")),
        ("\u{10ffff}*", range(Some(("\u{10ffff}", true)), None)),
    ] {
        assert_eq!(exact(&value(query)).bounds(), expected, "{query}");
        assert_eq!(analysed(&value(query)).bounds(), None, "{query}");
    }
    assert_eq!(exact(&value("abc")).only(), Some("abc"));
    assert_eq!(exact(&value("abc*")).only(), None);
}

#[test]
fn what_is_too_complex_is_refused() {
    for expression in ["(a|b)*a(a|b){20}", "(.{0,300}){0,300}b", "a{20000}", "~((a|b)*a(a|b){20})"] {
        let value = Value::Regex(expression.to_owned());
        assert_eq!(TextTest::exact(&value).err(), Some(TooComplex), "{expression}");
    }
    // A fuzzy term of any length needs no automaton.
    let long = "ab".repeat(5_000);
    let value = Value::Fuzzy { text: long.clone(), edits: Edits::Exactly(2) };
    assert!(exact(&value).matches(&format!("{long}ab")) && !exact(&value).matches(&format!("{long}aba")));
    // Large numbers make no large automaton.
    is("/<0-2147483647>/", &["0", "000012", "2147483647"], &["", "2147483648", "a"]);
    is("/<1234567-2147483646>/", &["1234567", "2147483646"], &["1234566", "2147483647"]);
    is("/<0000000007-2147483647>/", &["0000000007", "1000000000"], &["7", "0000000006"]);
}

/// The edits between two words: optimal string alignment, by the table.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
                let mut least = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                    least = least.min(table[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    table[one.len()][other.len()]
}

fn wildcard_by_trying(pieces: &[PatternPiece], text: &str) -> bool {
    let mut characters = text.chars();
    match pieces.split_first() {
        None => text.is_empty(),
        Some((PatternPiece::Literal(literal), rest)) => {
            text.strip_prefix(literal.as_str()).is_some_and(|text| wildcard_by_trying(rest, text))
        }
        Some((PatternPiece::AnyCharacter, rest)) => {
            characters.next().is_some() && wildcard_by_trying(rest, characters.as_str())
        }
        Some((PatternPiece::AnyText, rest)) => {
            wildcard_by_trying(rest, text)
                || (characters.next().is_some() && wildcard_by_trying(pieces, characters.as_str()))
        }
    }
}

/// Where a match of the expression that begins at a place may end.
fn ends(node: &RegexNode, text: &[char], start: usize) -> BTreeSet<usize> {
    let next_is = |fits: &dyn Fn(char) -> bool| text.get(start).is_some_and(|c| fits(*c));
    let after = |places: &BTreeSet<usize>, node: &RegexNode| -> BTreeSet<usize> {
        places.iter().flat_map(|place| ends(node, text, *place)).collect()
    };
    match node {
        RegexNode::Union(nodes) => nodes.iter().flat_map(|node| ends(node, text, start)).collect(),
        RegexNode::Intersection(nodes) => {
            let mut sets = nodes.iter().map(|node| ends(node, text, start));
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |all, set| all.intersection(&set).copied().collect())
        }
        RegexNode::Concatenation(nodes) => {
            nodes.iter().fold(BTreeSet::from([start]), |places, node| after(&places, node))
        }
        RegexNode::Repeat { node, least, most } => {
            let limit = most.unwrap_or(least + 20);
            let mut reached = BTreeSet::new();
            let mut places = BTreeSet::from([start]);
            for count in 0..=limit {
                if count >= *least {
                    reached.extend(&places);
                }
                places = after(&places, node);
            }
            reached
        }
        RegexNode::Complement(node) => {
            let inner = ends(node, text, start);
            (start..=text.len()).filter(|end| !inner.contains(end)).collect()
        }
        RegexNode::Text(literal) => {
            let literal: Vec<char> = literal.chars().collect();
            if text[start..].starts_with(&literal) { [start + literal.len()].into() } else { [].into() }
        }
        RegexNode::Class(class) => {
            let inside = |c: char| class.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
            if next_is(&|c| inside(c) != class.negated) { [start + 1].into() } else { [].into() }
        }
        RegexNode::AnyCharacter => {
            if next_is(&|_| true) {
                [start + 1].into()
            } else {
                [].into()
            }
        }
        RegexNode::AnyText => (start..=text.len()).collect(),
        RegexNode::Nothing => BTreeSet::new(),
        RegexNode::Interval { least, greatest, digits } => (start + 1..=text.len())
            .filter(|end| {
                let digits_here: String = text[start..*end].iter().collect();
                (*digits == 0 || digits_here.len() == *digits)
                    && digits_here.bytes().all(|byte| byte.is_ascii_digit())
                    && digits_here
                        .parse::<u64>()
                        .is_ok_and(|number| (u64::from(*least)..=u64::from(*greatest)).contains(&number))
            })
            .collect(),
    }
}

/// Whether the words can be given places, one after the other, each a place of its own.
fn phrase_by_trying(words: &[String], text: &[String], slop: i64, offsets: &mut Vec<i64>) -> bool {
    let place = offsets.len();
    let Some(word) = words.get(place) else {
        let (least, most) = (offsets.iter().min(), offsets.iter().max());
        return least.zip(most).is_some_and(|(least, most)| most - least <= slop);
    };
    (0..text.len()).any(|position| {
        let offset = position as i64 - place as i64;
        let taken = (0_i64..).zip(offsets.iter()).any(|(place, offset)| place + offset == position as i64);
        if taken || text[position] != *word {
            return false;
        }
        offsets.push(offset);
        let fits = phrase_by_trying(words, text, slop, offsets);
        offsets.pop();
        fits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ascii_words_are_unicode_words(text in "[aB1_:;,.' \\-\"\n\r@]{0,24}", any in "[ -~\t\r\n]{0,40}") {
        for text in [text, any] {
            let ours: Vec<&str> = tokens(&text).collect();
            let unicode: Vec<&str> = UnicodeTokens::new(&text).collect();
            let is_quick = matches!(Tokens::new(&text), Tokens::Ascii { .. });
            prop_assert!(is_quick, "another way than the quick one");
            prop_assert_eq!(ours, unicode);
        }
    }

    #[test]
    fn a_word_is_found_where_it_is_a_token(word in "[akiA1_.']{1,4}", text in "[akiA1_.': \u{e9}\u{212a}\u{130}-]{0,24}") {
        let Some(test) = TextTest::analysed(&Value::Term(word.clone())).expect("a term") else {
            return Ok(());
        };
        let (words, tokens) = (tokens_lower_case(&word), tokens_lower_case(&text));
        prop_assert_eq!(test.matches(&text), words.iter().any(|word| tokens.contains(word)));
        if test.matches(&text) {
            has_needle(&test, &text);
        }
    }

    #[test]
    fn fuzzy_counts_edits(word in "[ab\u{e9}]{0,6}", other in "[ab\u{e9}c]{0,7}", edits in 1..=2_u8) {
        let test = exact(&Value::Fuzzy { text: word.clone(), edits: Edits::Exactly(edits) });
        let (word, chars): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
        let needed = distance(&word, &chars);
        prop_assert_eq!(test.matches(&other), needed <= usize::from(edits), "{} edits", needed);
    }

    #[test]
    fn wildcards_are_tried_once_only(pattern in "[ab?*\u{e9}]{1,8}", text in "[ab\u{e9}]{0,12}") {
        let pieces: Vec<PatternPiece> = pattern.chars().map(|c| match c {
            '*' => PatternPiece::AnyText,
            '?' => PatternPiece::AnyCharacter,
            other => PatternPiece::Literal(other.to_string()),
        }).collect();
        let expected = wildcard_by_trying(&pieces, &text);
        prop_assert_eq!(exact(&Value::Wildcard(pieces)).matches(&text), expected);
    }

    #[test]
    fn expressions_match_what_trying_matches(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b", "a", "b", ".", "[ab]", "[^a]", "*", "?", "+", "{2}", "{1,2}", "{0,1}", "{2,}", "|", "&", "~",
            "(", ")", "(", ")", "()", "@", "#", "<1-12>", "<03-12>", "<0-9>", "1", "0",
        ]), 1..9),
        texts in prop::collection::vec("[ab01]{0,5}", 8),
    ) {
        let expression = pieces.concat();
        let Ok(node) = parse_regex(&expression) else {
            return Ok(());
        };
        let test = exact(&Value::Regex(expression));
        for text in texts {
            let characters: Vec<char> = text.chars().collect();
            let expected = ends(&node, &characters, 0).contains(&characters.len());
            prop_assert_eq!(test.matches(&text), expected, "{:?}", text);
        }
    }

    #[test]
    fn phrases_fit_where_trying_fits(words in "[abc]( [abc]){1,3}", text in "([abcd] ){0,9}", slop in 0..6_u32) {
        let test = analysed(&Value::Phrase { text: words.clone(), slop });
        let expected = phrase_by_trying(
            &tokens_lower_case(&words), &tokens_lower_case(&text), i64::from(slop), &mut Vec::new());
        prop_assert_eq!(test.matches(&text), expected);
        // The same with a character that is not ASCII, which goes another way.
        prop_assert_eq!(test.matches(&format!("{text}\u{e9}")), expected);
    }

    #[test]
    fn what_matches_lies_in_the_range(
        expression in "[ab.?*+()|&~]{1,6}", pattern in "[ab]{0,2}[ab?*]{1,4}", text in "[abc]{0,5}",
    ) {
        let mut tests = vec![exact(&value(&format!("{pattern}*")))];
        if parse_regex(&expression).is_ok() {
            tests.push(exact(&Value::Regex(expression)));
        }
        for test in tests.into_iter().filter(|test| test.matches(&text)) {
            let Some(bounds) = test.bounds() else { continue };
            let above = |bound: TextBound| bound.limit < text || (bound.inclusive && bound.limit == text);
            let below = |bound: TextBound| text < bound.limit || (bound.inclusive && bound.limit == text);
            prop_assert!(bounds.lower.is_none_or(above) && bounds.upper.is_none_or(below), "{:?}", test);
        }
    }

    #[test]
    fn ranges_compare_characters(lower in "[aB\u{e9}\u{ffff}\u{10000}]{1,2}", text in "[aB\u{e9}\u{ffff}\u{10000}]{1,2}") {
        let bound = |limit: Option<String>| Bound { limit, inclusive: true };
        let range = Value::Range { lower: bound(Some(lower.clone())), upper: bound(None) };
        prop_assert_eq!(exact(&range).matches(&text), lower.chars().le(text.chars()));
        let some = tokens(&text).any(|token| lower_case(&lower).chars().le(lower_case(token).chars()));
        prop_assert_eq!(analysed(&range).matches(&text), some);
    }
}
