//! Numbers, booleans and moments, by Elasticsearch's field types. Each group names the class or page.

use chrono::{DateTime, Utc};

use super::{BooleanTest, DateTest, NumberTest};
use crate::tree::Value;
use crate::{Expression, parse};

/// The value of `f:` and what follows.
fn value(text: &str) -> Value {
    let mut tree = parse(&format!("f:{text}")).expect(text);
    match tree.clauses.pop().map(|clause| clause.expression) {
        Some(Expression::Match { value, .. }) => value,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn numbers_are_ranges() {
    // `NumberFieldMapper.NumberType.LONG`, `termQuery` and `rangeQuery`.
    let (min, max) = (i64::MIN, i64::MAX);
    for (text, expected) in [
        ("10", Some((10, 10))),
        ("\\-10", Some((-10, -10))),
        ("\"10\"", Some((10, 10))),
        ("10.0", Some((10, 10))),
        ("1e3", Some((1000, 1000))),
        ("10.5", None),
        ("abc", None),
        ("\"\"", None),
        ("9223372036854775808", None),
        (">10", Some((11, max))),
        (">=10", Some((10, max))),
        ("<10", Some((min, 9))),
        ("<=10", Some((min, 10))),
        (">10.5", Some((11, max))),
        (">=10.5", Some((11, max))),
        ("<10.5", Some((min, 10))),
        ("<=10.5", Some((min, 10))),
        (">-10.5", Some((-10, max))),
        ("<-10.5", Some((min, -11))),
        ("[1 TO 5}", Some((1, 4))),
        ("{1 TO 2}", None),
        ("[5 TO 1]", None),
        ("[* TO *]", Some((min, max))),
        ("[a TO 5]", None),
        (">9223372036854775807", None),
        ("<99999999999999999999", Some((min, max))),
        (">99999999999999999999", None),
        // `MappedFieldType`: only text has these.
        ("1*", None),
        ("1?", None),
        ("10~1", None),
        ("/1/", None),
    ] {
        let range = NumberTest::new(&value(text)).map(|test| (test.least, test.greatest));
        assert_eq!(range, expected, "{text}");
    }
    let test = NumberTest::new(&value("[1 TO 5]")).expect("a range");
    assert!(test.matches(1) && test.matches(5) && !test.matches(0) && !test.matches(6));
}

#[test]
fn booleans_are_true_and_false() {
    // `BooleanFieldMapper.BooleanFieldType`, `indexedValueForSearch` and `rangeQuery`.
    for (text, expected) in [
        ("true", Some((true, false))),
        ("false", Some((false, true))),
        ("\"true\"", Some((true, false))),
        ("True", None),
        ("1", None),
        ("yes", None),
        ("\"\"", None),
        ("tru*", None),
        ("true~", None),
        ("/true/", None),
        ("[false TO true]", Some((true, true))),
        ("{false TO true]", Some((true, false))),
        ("[* TO true}", Some((false, true))),
        (">false", Some((true, false))),
        (">true", None),
        ("[true TO false]", None),
        ("[0 TO 1]", None),
    ] {
        let test = BooleanTest::new(&value(text));
        assert_eq!(test.map(|test| (test.matches(true), test.matches(false))), expected, "{text}");
    }
}

#[test]
fn dates_are_stretches_of_time() {
    // `DateFieldMapper.DateFieldType`; the dates themselves are tested where they are read.
    let now = DateTime::<Utc>::from_timestamp(1_600_000_000, 0).expect("a moment");
    let day = 86_400_000;
    for (text, expected) in [
        ("1970\\-01\\-02", Some((Some(day), Some(2 * day - 1)))),
        ("\"1970-01-02\"", Some((Some(day), Some(2 * day - 1)))),
        ("[1970-01-02 TO *]", Some((Some(day), None))),
        (">1970-01-02", Some((Some(2 * day), None))),
        ("{1970-01-01 TO 1970-01-02}", None),
        ("now", Some((Some(1_600_000_000_000), Some(1_600_000_000_000)))),
        ("soon", None),
        ("[soon TO *]", None),
        ("1970*", None),
        ("1970~1", None),
        ("/1970/", None),
    ] {
        let test = DateTest::new(&value(text), now);
        assert_eq!(test.map(|test| (test.range.first, test.range.last)), expected, "{text}");
    }
    let test = DateTest::new(&value("1970\\-01\\-02"), now).expect("a day");
    assert!(
        test.matches(day) && test.matches(2 * day - 1) && !test.matches(day - 1) && !test.matches(2 * day)
    );
}
