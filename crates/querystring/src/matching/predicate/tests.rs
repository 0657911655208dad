//! Queries and their predicates, written by hand from the rules of [`lower`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::{FieldKind, FieldTest, Predicate, Resolver, Work, check, check_unless, lower};
use crate::matching::{Remark, TooComplex, Why, remarks};
use crate::parse;

/// A few fields. Their handles are their names.
struct Schema;

const FIELDS: [(&str, FieldKind); 10] = [
    ("id", FieldKind::Keyword),
    ("name", FieldKind::Text),
    ("city", FieldKind::Text),
    ("count", FieldKind::Integer),
    ("active", FieldKind::Boolean),
    ("created", FieldKind::Date),
    ("access.name", FieldKind::Text),
    ("access.id", FieldKind::Keyword),
    ("map.key", FieldKind::Free),
    ("access.count", FieldKind::Integer),
];

impl Resolver for Schema {
    type Field = String;

    fn named(&self, array: Option<&str>, name: &str) -> Vec<(String, FieldKind)> {
        let whole = array.map_or_else(|| name.to_owned(), |array| format!("{array}.{name}"));
        let fits = |field: &str| match whole.split_once('*') {
            None => field == whole,
            Some((head, tail)) => field.starts_with(head) && field.ends_with(tail),
        };
        FIELDS
            .iter()
            .filter(|(field, _)| fits(field))
            .map(|(field, kind)| ((*field).to_owned(), *kind))
            .collect()
    }

    fn unnamed(&self, array: Option<&str>) -> Vec<(String, FieldKind)> {
        let fields = self.named(array, "*").into_iter();
        fields.filter(|(field, _)| !["map.key", "access.count"].contains(&field.as_str())).collect()
    }

    fn is_array(&self, path: &str) -> bool {
        path == "access"
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).expect("a moment")
}

/// The predicate as text: `&`, `|` and `!`, each in parentheses, and `kind(fields)` for a test.
fn written(predicate: &Predicate<String>) -> String {
    let joined = |parts: &[Predicate<String>], operator: &str| {
        format!("({})", parts.iter().map(written).collect::<Vec<_>>().join(operator))
    };
    match predicate {
        Predicate::All => "all".to_owned(),
        Predicate::Nothing => "nothing".to_owned(),
        Predicate::And(parts) => joined(parts, " & "),
        Predicate::Or(parts) => joined(parts, " | "),
        Predicate::Not(part) => format!("!{}", written(part)),
        Predicate::Nested { path, element } => format!("@{path}[{}]", written(element)),
        Predicate::Test { fields, test } => {
            let kind = match test {
                FieldTest::Text(test) if test.bounds().is_some() => "whole",
                FieldTest::Text(_) => "words",
                FieldTest::Number(_) => "number",
                FieldTest::Boolean(_) => "boolean",
                FieldTest::Date(_) => "date",
                FieldTest::Ranges(_) => "ranges",
                FieldTest::Exists => "exists",
            };
            format!("{kind}({})", fields.join(","))
        }
    }
}

#[track_caller]
fn becomes(query: &str, expected: &str) {
    let tree = parse(query).expect(query);
    let predicate = lower(&tree, &Schema, now()).expect(query);
    assert_eq!(written(&predicate), expected, "{query}");
}

#[test]
fn clauses_combine_as_lucene_combines_them() {
    becomes("name:a", "words(name)");
    becomes("name:a city:b", "(words(name) | words(city))");
    becomes("name:a AND city:b", "(words(name) & words(city))");
    // An optional clause filters nothing where another is required.
    becomes("name:a OR city:b AND id:c", "(words(city) & whole(id))");
    becomes("name:a -city:b", "(words(name) & !words(city))");
    becomes("name:a id:c -city:b", "((words(name) | whole(id)) & !words(city))");
    becomes("+name:a (city:b id:c)", "words(name)");
    becomes("name:(a AND b) AND city:b", "(words(name) & words(name) & words(city))");
}

#[test]
fn prohibitions_alone_leave_everything_else() {
    // Elasticsearch, `Queries.fixNegativeQueryIfNeeded`, at each level.
    becomes("NOT name:a", "!words(name)");
    becomes("-name:a -city:b", "(!words(name) & !words(city))");
    becomes("id:c AND (NOT name:a)", "(whole(id) & !words(name))");
    becomes("id:c (NOT name:a)", "(whole(id) | !words(name))");
    becomes("-(-name:a)", "words(name)");
    becomes("NOT *", "nothing");
    becomes("NOT unknown:a", "all");
    becomes("@access(NOT name:a)", "@access[!words(access.name)]");
    becomes("NOT @access(name:a)", "!@access[words(access.name)]");
}

#[test]
fn what_analyses_to_nothing_vanishes() {
    becomes("", "nothing");
    becomes("name:\"\"", "nothing");
    becomes("name:(& &) city:b", "words(city)");
    becomes("NOT name:\"\" city:b", "words(city)");
    becomes("city:a name:\"\" AND city:b", "(words(city) & words(city))");
    becomes("city:a AND name:\"\" city:b", "words(city)");
    becomes("@access(name:\"\") name:a", "words(name)");
    // A field that is compared whole has a value for it, and a number has none.
    becomes("id:\"\"", "whole(id)");
    becomes("count:\"\"", "nothing");
    // Elasticsearch, `newUnmappedFieldQuery`: no field, no analysis.
    becomes("unknown:\"\" AND city:b", "nothing");
    // Unnamed, analysed fields are among those that are asked.
    becomes("& AND name:a", "words(name)");
}

#[test]
fn each_kind_of_field_gets_its_test() {
    becomes("name.exact:a", "whole(name)");
    // A keyword is compared whole anyway, and `.exact` says nothing new.
    becomes("id.exact:a", "whole(id)");
    becomes("@access(id.exact:a)", "@access[whole(access.id)]");
    becomes("_exists_:id.exact", "exists(id)");
    // So is a number.
    becomes("count.exact:1", "number(count)");
    becomes("map.key:a", "words(map.key)");
    becomes("map.key.exact:a", "whole(map.key)");
    becomes("count:1", "number(count)");
    becomes("count:>1", "number(count)");
    becomes("count:abc", "nothing");
    becomes("NOT count:abc", "all");
    becomes("count:1*", "nothing");
    becomes("active:true", "boolean(active)");
    becomes("active:True", "nothing");
    becomes("created:2020-01-01", "date(created)");
    becomes("created:soon", "nothing");
    becomes("created:*", "exists(created)");
    becomes("_exists_:name.exact", "exists(name)");
    becomes("_exists_:unknown", "nothing");
    becomes("access.name:x", "words(access.name)");
    becomes("access.\\*:x", "(words(access.name) | whole(access.id))");
    becomes("access.\\*:7", "(words(access.name) | whole(access.id) | number(access.count))");
    becomes("_exists_:access.\\*", "exists(access.name,access.id,access.count)");
    becomes("\\*.exact:x", "whole(id,name,city,access.name,access.id,map.key)");
}

#[test]
fn a_word_without_field_is_looked_for_in_all() {
    becomes("a", "(whole(id,access.id) | words(name,city,access.name))");
    becomes("1", "(whole(id,access.id) | words(name,city,access.name) | number(count) | date(created))");
    becomes("@access(a)", "@access[(words(access.name) | whole(access.id))]");
    becomes("@access(*)", "@access[all]");
    becomes("@access(city:a)", "nothing");
    becomes("@apps(name:a)", "nothing");
    becomes("NOT @apps(name:a)", "all");
}

#[test]
fn values_ored_over_the_same_fields_are_one_test() {
    becomes("name:a name:b OR name:(c d)", "words(name)");
    becomes("name:a city:b name:c", "(words(name) | words(city))");
    becomes(
        "a b c",
        "(whole(id,access.id) | words(name,city,access.name) | whole(id,access.id) | whole(id,access.id))",
    );
    // Tests that are required stay apart.
    becomes("name:a AND name:b", "(words(name) & words(name))");
    // A few whole texts, numbers and moments stay apart, because a scan can use each.
    becomes("id:(a b)", "(whole(id) | whole(id))");
    becomes("count:(1 2)", "(number(count) | number(count))");
    let many =
        |name: &str| format!("{name}:({})", (0..17).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
    becomes(&many("id"), "whole(id)");
    becomes(&many("count"), "ranges(count)");
    becomes(&many("created"), "ranges(created)");
    becomes(&many("map.key"), "words(map.key)");
}

/// A test of everything that a query of one field asks.
fn only_test(query: &str) -> FieldTest {
    let tree = parse(query).expect(query);
    let predicate = lower(&tree, &Schema, now()).expect(query);
    let Predicate::Test { test, .. } = predicate else { panic!("{query}: {predicate:?}") };
    test
}

#[test]
fn one_test_of_many_values_passes_what_each_of_them_passed() {
    let FieldTest::Text(words) =
        only_test("name:(one two three four five \"six seven\" eig* /n.ne/ [x TO y])")
    else {
        panic!("a test of text")
    };
    for text in ["Two", "a five b", "six seven", "eighty", "nine", "xylophone"] {
        assert!(words.matches(text), "{text}");
    }
    for text in ["fivefold", "seven six", "ei", "zone", ""] {
        assert!(!words.matches(text), "{text}");
    }
    let ids: Vec<String> = (10..40).map(|number| format!("i{number}")).collect();
    let FieldTest::Text(whole) = only_test(&format!("id:({} i4*)", ids.join(" "))) else {
        panic!("a test of text")
    };
    assert!(whole.matches("i10") && whole.matches("i39") && whole.matches("i41"));
    assert!(!whole.matches("i1") && !whole.matches("I10") && !whole.matches("i100"));
    let FieldTest::Ranges(numbers) = only_test(&format!(
        "count:({} >100 [50 TO 60])",
        (0..20).map(|n| (2 * n).to_string()).collect::<Vec<_>>().join(" ")
    )) else {
        panic!("ranges")
    };
    for (number, passes) in [
        (0, true),
        (1, false),
        (38, true),
        (39, false),
        (55, true),
        (61, false),
        (100, false),
        (101, true),
        (-1, false),
        (i64::MAX, true),
    ] {
        assert_eq!(numbers.matches(number), passes, "{number}");
    }
}

#[test]
fn what_matches_nothing_is_remarked_on() {
    let said = |query: &str| -> Vec<String> {
        let tree = parse(query).expect(query);
        let shown = |remark: Remark| match remark.why {
            Why::NoArray { path } => format!("@{path}"),
            Why::NoField { array, name } => {
                format!("{}{name}", array.map_or_else(String::new, |array| format!("{array}/")))
            }
            Why::NoValue { problem } => format!("{}: {problem}", &query[remark.span.start..remark.span.end]),
        };
        remarks(&tree, &Schema, now()).into_iter().map(shown).collect()
    };
    assert_eq!(
        said("stauts:x AND NOT @access(nmae.exact:x) @apps(name:x) _exists_:nothing"),
        ["stauts", "access/nmae", "@apps", "@apps", "nothing"]
    );
    assert_eq!(
        said("created:[now-2D TO now] (count:abc) active:yes count:1* -created:soon count:[3 TO 2]"),
        [
            "created:[now-2D TO now]: expected date math as `+1M`, `-7d` or `/d` with one of the units y, M, w, d, h, H, m, s, found `-2D`",
            "count:abc: expected a whole number",
            "active:yes: expected true or false",
            "count:1*: patterns, fuzzy terms and regular expressions are for text",
            "-created:soon: expected a date as `2020-05-01`, `2020-05-01T10:00:00Z` or `now`, found `soon`",
            "count:[3 TO 2]: expected whole numbers as limits, the lower one first",
        ]
    );
    // One field of the name can hold it.
    assert_eq!(said("access.\\*:abc name:x _exists_:count * abc map.key:>now"), Vec::<String>::new());
}

#[test]
fn all_expressions_of_a_query_have_one_bound() {
    // Each by itself is made.
    let one = "/.{3}(a|b)*a(a|b){9}/";
    assert_eq!(check(&parse(one).expect(one)), Ok(()));
    let query = parse(&[one; 700].join(" ")).expect("a query");
    let error = check(&query).expect_err("700 of them are too many");
    assert!(error.span.start > 0, "the first one alone is made: {error}");
    // Fuzzy terms cost nothing.
    let words: Vec<String> = (0..1_000).map(|number| format!("fuzzyterm{number}~2")).collect();
    assert_eq!(check(&parse(&words.join(" ")).expect("a query")), Ok(()));
}

#[test]
fn a_check_that_nobody_waits_for_goes_no_further() {
    for text in ["name:/a(b|c)*d/", "name:word~2", "(one OR @access(two))"] {
        let (query, abandoned) = (parse(text).expect(text), Arc::new(AtomicBool::new(false)));
        assert_eq!(check_unless(&query, &abandoned), Ok(()), "{text}");
        abandoned.store(true, Ordering::Relaxed);
        assert!(check_unless(&query, &abandoned).is_err(), "{text}");
    }
    // Nor does one that has begun: the next step of an automaton is its last.
    let mut work = Work::unless(Arc::new(AtomicBool::new(true)));
    assert_eq!(work.spend(1), Err(TooComplex));
}

#[test]
fn what_is_too_complex_is_refused_with_its_place() {
    let query = parse("name:a AND city:/(a|b)*a(a|b){20}/").expect("a query");
    let error = lower(&query, &Schema, now()).expect_err("two states for each of twenty places");
    assert_eq!((error.span.start, error.problem), (16, TooComplex));
    assert_eq!(check(&query), Err(error));
    let query = parse("unknown:/(a|b)*a(a|b){20}/").expect("a query");
    assert!(check(&query).is_err(), "whatever fields there are");
}
