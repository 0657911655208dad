//! Queries and their trees as a table that a person wrote and can read: `cases.txt`.

use std::fmt::Write as _;

use crate::tree::{Bound, Clause, Edits, Expression, Field, Occur, PatternPiece, Value};
use crate::{CLAUSES_MAX, DEPTH_MAX, FIELD_STARS_MAX, Problem, Query, Span, TEXT_BYTES_MAX, parse};

#[test]
fn every_case_of_the_table() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for line in include_str!("cases.txt").lines() {
        let Some((query, expected)) = line.split_once(" => ") else {
            assert!(line.is_empty() || line.starts_with('#'), "no case: {line}");
            continue;
        };
        cases += 1;
        let (query, expected) = (query.trim_end_matches(' '), expected.trim());
        let found = match parse(query) {
            Ok(tree) => list(&tree.clauses),
            Err(error) => {
                let chars = query[..error.offset].chars().count();
                assert_eq!(error.column, chars + 1, "{query}: the column is that of the offset");
                format!("error at {}: {}", error.column, error.problem)
            }
        };
        // A mistake may be told at greater length than the table does.
        let same =
            if expected.starts_with("error") { found.starts_with(expected) } else { found == expected };
        if !same {
            wrong.push(format!("{query}\n    expected {expected}\n    found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 150, "the table was read");
}

#[test]
fn a_blank_text_is_no_mistake_and_no_clause() {
    for text in ["", " ", "\t\n", "\u{3000}"] {
        assert_eq!(parse(text), Ok(Query::default()), "{text:?}");
    }
}

#[test]
fn each_limit_has_its_error() {
    let problem = |text: &str| parse(text).expect_err("past a limit").problem;

    let long = "a".repeat(TEXT_BYTES_MAX);
    assert!(parse(&long).is_ok());
    assert_eq!(problem(&(long + "a")), Problem::TextTooLong { bytes: TEXT_BYTES_MAX + 1 });

    let many = "a ".repeat(CLAUSES_MAX);
    assert!(parse(&many).is_ok());
    let error = parse(&format!("{many}b")).expect_err("one clause too many");
    assert_eq!((error.problem, error.offset), (Problem::TooManyClauses, 2 * CLAUSES_MAX));
    // Each list has its own count, as each of Lucene's `BooleanQuery` has.
    assert!(parse(&format!("f:({many}) ({many})")).is_ok());
    assert_eq!(problem(&format!("f:({many}b)")), Problem::TooManyClauses);

    let stars = "\\*".repeat(FIELD_STARS_MAX);
    assert!(parse(&format!("a{stars}:b _exists_:a{stars}")).is_ok());
    for query in
        [format!("a\\*{stars}:b"), format!("_exists_:a\\*{stars}"), format!("_exists_:\"*a{stars}\"")]
    {
        assert_eq!(problem(&query), Problem::TooManyStars, "{query}");
    }

    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    let error = parse(&nested(DEPTH_MAX + 1)).expect_err("one level too deep");
    assert_eq!((error.problem, error.offset), (Problem::TooDeep, DEPTH_MAX));
    assert_eq!(problem(&"(".repeat(TEXT_BYTES_MAX)), Problem::TooDeep);
}

#[test]
fn spans_say_where_everything_was_written() {
    let text = "é +city : (a \"b c\"~2^3) NOT @apps( x:* )^2";
    let query = parse(text).expect("a correct query");
    let at = |span: Span| &text[span.start..span.end];

    let [plain, group, nested] = query.clauses.as_slice() else { panic!("three clauses") };
    assert_eq!((at(plain.span), at(plain.body)), ("é", "é"));
    assert_eq!((at(group.span), at(group.body)), ("+city : (a \"b c\"~2^3)", "(a \"b c\"~2^3)"));
    assert_eq!((at(nested.span), at(nested.body)), ("NOT @apps( x:* )^2", "@apps( x:* )"));

    let Expression::Group(inner) = &group.expression else { panic!("a group") };
    assert_eq!((at(inner[1].span), at(inner[1].body)), ("\"b c\"~2^3", "\"b c\""));
    for clause in inner {
        let Expression::Match { field: Some(field), .. } = &clause.expression else { panic!("a field") };
        assert_eq!(at(field.span), "city");
    }
    let Expression::Nested { path, clauses } = &nested.expression else { panic!("a nested query") };
    assert_eq!(at(path.span), "apps");
    let Expression::Exists(field) = &clauses[0].expression else { panic!("a field that exists") };
    assert_eq!((at(field.span), at(clauses[0].body)), ("x", "*"));
}

#[test]
fn a_vanishing_clause_leaves_its_operators() {
    // `a "" AND b` in Lucene, where the analyser drops the empty phrase: `+a +b`.
    let query = parse("a \"\" AND b").expect("a correct query");
    let remaining = crate::occurs(&query.clauses, |clause| clause.body.end - clause.body.start == 2);
    let occurs: Vec<Occur> = remaining.iter().map(|(occur, _)| *occur).collect();
    assert_eq!(occurs, [Occur::Must, Occur::Must]);
    assert!(crate::occurs(&query.clauses, |_| true).is_empty());
}

#[test]
fn automatic_edits_go_by_length() {
    // Elasticsearch, common options, "Fuzziness": 0..2, 3..5, more than 5.
    let edits: Vec<u8> = [0, 2, 3, 5, 6, 40].into_iter().map(|n| Edits::Auto.for_characters(n)).collect();
    assert_eq!(edits, [0, 0, 1, 1, 2, 2]);
    assert_eq!(Edits::Exactly(2).for_characters(1), 2);
}

fn list(clauses: &[Clause]) -> String {
    clauses.iter().map(clause).collect::<Vec<String>>().join(" ")
}

fn clause(clause: &Clause) -> String {
    let sign = match clause.occur {
        Occur::Must => "+",
        Occur::Should => "",
        Occur::MustNot => "-",
    };
    let mut text = match &clause.expression {
        Expression::All => format!("{sign}all"),
        Expression::Exists(field) => format!("{sign}exists<{}>", field.name),
        Expression::Group(clauses) => format!("{sign}({})", list(clauses)),
        Expression::Nested { path, clauses } => format!("{sign}@{}({})", path.name, list(clauses)),
        Expression::Match { field: Some(Field { name, .. }), value } => {
            format!("{sign}{name}:{}", self::value(value))
        }
        Expression::Match { field: None, value } => format!("{sign}{}", self::value(value)),
    };
    if let Some(boost) = clause.boost {
        write!(text, "^{boost}").expect("a string takes everything");
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Term(text) => format!("term<{text}>"),
        Value::Phrase { text, slop } => format!("phrase<{text}>~{slop}"),
        Value::Prefix(text) => format!("prefix<{text}>"),
        Value::Wildcard(pieces) => {
            let pieces: Vec<&str> = pieces
                .iter()
                .map(|piece| match piece {
                    PatternPiece::Literal(text) => text,
                    PatternPiece::AnyCharacter => "?",
                    PatternPiece::AnyText => "*",
                })
                .collect();
            format!("pattern<{}>", pieces.join(" "))
        }
        Value::Fuzzy { text, edits: Edits::Auto } => format!("fuzzy<{text}>~auto"),
        Value::Fuzzy { text, edits: Edits::Exactly(edits) } => format!("fuzzy<{text}>~{edits}"),
        Value::Regex(text) => format!("regex<{text}>"),
        Value::Range { lower, upper } => {
            let (open, close) =
                (if lower.inclusive { '[' } else { '{' }, if upper.inclusive { ']' } else { '}' });
            format!("range{open}{}, {}{close}", limit(lower), limit(upper))
        }
    }
}

fn limit(bound: &Bound) -> &str {
    bound.limit.as_deref().unwrap_or("*")
}
