//! What requests may give as arguments, and what is said of anything else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn spec(name: &str, kind: ArgumentKind, required: bool) -> ArgumentSpec {
    ArgumentSpec { name: name.into(), kind, required, default: None, meaning: String::new() }
}

fn raw<const N: usize>(pairs: [(&str, RawValue); N]) -> RawArguments {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn names_that_change_nothing_are_ignored_and_nulls_are_absent() {
    let specs = [spec("correlatedOnly", ArgumentKind::Boolean, false)];
    let given = raw([("s3Bucket", RawValue::Text("x".into())), ("correlatedOnly", RawValue::Null)]);
    assert_eq!(Arguments::check(&specs, &given).unwrap().canonical(), "{}");
    for unknown in [UnknownNames::Warn, UnknownNames::Refuse] {
        assert_eq!(check_names(&specs, &given, unknown).unwrap(), []);
    }
}

#[test]
fn a_name_that_does_not_exist_is_told_with_the_nearest() {
    let specs = [spec("correlatedOnly", ArgumentKind::Boolean, false)];
    for (name, near) in [
        ("correlatedonly", ": the nearest name is \"correlatedOnly\""),
        ("includeNested", ""),
        ("s3bucket", ""),
    ] {
        let given = raw([(name, RawValue::Boolean(true))]);
        let messages = check_names(&specs, &given, UnknownNames::Warn).unwrap();
        let text = format!("argument {name:?} does not exist and was left out{near}");
        assert_eq!(messages, [Message::warn("argument_unknown", text)]);
        let error = check_names(&specs, &given, UnknownNames::Refuse).unwrap_err();
        let text = format!("argument {name:?} does not exist{near}; expected some of correlatedOnly");
        assert_eq!(error.message, text);
    }
}

#[test]
fn what_would_narrow_a_report_is_refused_unless_it_says_nothing() {
    let specs = [spec("query", ArgumentKind::Query, true)];
    let text = |text: &str| RawValue::Text(text.into());
    let with_member = |name: &str, value: RawValue| {
        raw([("query", RawValue::Object(raw([("query", text("a:b")), (name, value)])))])
    };
    let list = RawValue::List(vec![text("name")]);
    let object = RawValue::Object(raw([("type", text("access"))]));
    for given in [
        with_member("fields", list.clone()),
        with_member("innerHit", object.clone()),
        with_member("timeZone", text("Europe/London")),
        raw([("filters", object)]),
        raw([("correlatedOnly", RawValue::Boolean(true))]),
        raw([("searchAfter", list)]),
    ] {
        for unknown in [UnknownNames::Warn, UnknownNames::Refuse] {
            let error = check_names(&specs, &given, unknown).unwrap_err();
            assert!(error.message.contains("would change which rows are reported"), "{given:?}");
        }
    }
    for given in [
        with_member("fields", RawValue::List(Vec::new())),
        with_member("innerHit", RawValue::Null),
        raw([("filters", RawValue::Object(RawArguments::new()))]),
        raw([("correlatedOnly", RawValue::Boolean(false))]),
        with_member("timeZone", text("UTC")),
    ] {
        assert_eq!(check_names(&specs, &given, UnknownNames::Warn).unwrap(), [], "{given:?}");
    }
    let other = with_member("fuzziness", text("2"));
    let messages = check_names(&specs, &other, UnknownNames::Warn).unwrap();
    assert_eq!(messages[0].text, "argument \"query.fuzziness\" does not exist and was left out");
}

#[test]
fn a_missing_argument_is_named() {
    let specs = [spec("application", ArgumentKind::SourceId, true)];
    let error = Arguments::check(&specs, &raw([])).unwrap_err();
    assert_eq!(error.message, "argument \"application\" is missing: expected the id of a source, as a text");
}

#[test]
fn a_wrong_shape_is_named() {
    let specs = [spec("correlatedOnly", ArgumentKind::Boolean, false)];
    let error =
        Arguments::check(&specs, &raw([("correlatedOnly", RawValue::Number("1".into()))])).unwrap_err();
    assert_eq!(error.message, "argument \"correlatedOnly\" is a number: expected true or false");
}

#[test]
fn numbers_and_days_have_a_range_and_a_form() {
    let days = [spec("days", ArgumentKind::Integer { min: 1, max: 3650 }, false)];
    let since = [spec("since", ArgumentKind::Date, false)];
    let number = |text: &str| RawValue::Number(text.into());
    let text = |text: &str| RawValue::Text(text.into());
    let check = |specs: &[ArgumentSpec; 1], value: RawValue| {
        let name = specs[0].name.clone();
        let checked = Arguments::check(specs, &RawArguments::from([(name, value)]));
        checked.map(|checked| checked.canonical()).map_err(|error| error.message)
    };
    for value in [number("90"), text("90"), text(" 90 ")] {
        assert_eq!(check(&days, value).unwrap(), r#"{"days":90}"#);
    }
    for (value, shown) in
        [(number("0"), "0"), (number("3651"), "3651"), (number("1.5"), "1.5"), (text("x"), "x")]
    {
        let expected = format!("argument \"days\" is \"{shown}\": expected a whole number from 1 to 3650");
        assert_eq!(check(&days, value).unwrap_err(), expected);
    }
    let refused = check(&days, RawValue::Boolean(true)).unwrap_err();
    assert_eq!(refused, "argument \"days\" is a boolean: expected a whole number from 1 to 3650");
    assert_eq!(check(&since, text("2024-02-29")).unwrap(), r#"{"since":"2024-02-29"}"#);
    for value in ["2023-02-29", "2024-2-1", "29.02.2024", "2024-02-29T00:00:00Z", ""] {
        assert!(
            check(&since, text(value)).unwrap_err().ends_with("expected a day such as 2026-03-31"),
            "{value}"
        );
    }
    assert_eq!(Arguments::from_canonical(r#"{"days":90}"#).unwrap().canonical(), r#"{"days":90}"#);
}

#[test]
fn both_shapes_of_query_are_one() {
    let specs = [spec("query", ArgumentKind::Query, true)];
    let plain = raw([("query", RawValue::Text("a:b".into()))]);
    let wrapped = raw([("query", RawValue::Object(raw([("query", RawValue::Text("a:b".into()))])))]);
    assert_eq!(Arguments::check(&specs, &plain).unwrap(), Arguments::check(&specs, &wrapped).unwrap());
}

#[test]
fn a_set_argument_ignores_order_and_repetition() {
    let kind = ArgumentKind::Texts { allowed: vec!["CSV".into(), "PDF".into()] };
    let specs = [spec("selectedFormats", kind, false)];
    let list = |items: &[&str]| {
        raw([(
            "selectedFormats",
            RawValue::List(items.iter().map(|i| RawValue::Text((*i).into())).collect()),
        )])
    };
    assert_eq!(
        Arguments::check(&specs, &list(&["PDF", "CSV", "PDF"])).unwrap(),
        Arguments::check(&specs, &list(&["CSV", "PDF"])).unwrap()
    );
    let error = Arguments::check(&specs, &list(&["CSV", "XLS"])).unwrap_err();
    assert_eq!(error.message, "argument \"selectedFormats\", item 1, is \"XLS\": expected one of CSV, PDF");
    let error = Arguments::check(&specs, &list(&[&"x".repeat(1_000)])).unwrap_err();
    let cut = "x".repeat(80);
    assert_eq!(
        error.message,
        format!("argument \"selectedFormats\", item 0, is \"{cut}\"...: expected one of CSV, PDF")
    );
}

#[test]
fn names_come_as_one_text_or_as_a_list() {
    let specs = [spec("columns", ArgumentKind::Names, false)];
    let list = RawValue::List(vec![RawValue::Text("id".into()), RawValue::Text("access.spread".into())]);
    for (value, canonical) in [
        (RawValue::Text(" id , access.spread,".into()), r#"{"columns":"id,access.spread"}"#),
        (list, r#"{"columns":"id,access.spread"}"#),
        (RawValue::Text(" , ".into()), "{}"),
        (RawValue::List(Vec::new()), "{}"),
    ] {
        assert_eq!(Arguments::check(&specs, &raw([("columns", value)])).unwrap().canonical(), canonical);
    }
    let error =
        Arguments::check(&specs, &raw([("columns", RawValue::List(vec![RawValue::Null]))])).unwrap_err();
    assert!(error.message.contains("columns"), "{}", error.message);
}

#[test]
fn lists_have_a_bound() {
    let texts = |count: usize, text: &str| RawValue::List(vec![RawValue::Text(text.to_owned()); count]);
    let sort = [spec("sort", ArgumentKind::Texts { allowed: Vec::new() }, false)];
    let columns = [spec("columns", ArgumentKind::Names, false)];
    let check = |specs: &[ArgumentSpec; 1], value: RawValue| {
        let name = specs[0].name.clone();
        Arguments::check(specs, &RawArguments::from([(name, value)])).map_err(|error| error.message)
    };
    assert!(check(&sort, texts(500, "name")).is_ok() && check(&columns, texts(500, "name")).is_ok());
    assert_eq!(
        check(&sort, texts(501, "name")).unwrap_err(),
        "argument \"sort\" has 501 items: expected at most 500"
    );
    for value in [texts(501, "a"), RawValue::Text(vec!["a"; 501].join(","))] {
        assert_eq!(
            check(&columns, value).unwrap_err(),
            "argument \"columns\" has 501 items: expected at most 500"
        );
    }
    assert_eq!(
        check(&sort, texts(2, &"x".repeat(20_000))).unwrap_err(),
        "argument \"sort\" has 40000 bytes in its items: expected at most 32768"
    );
}

#[test]
fn canonical_text_reads_back() {
    let specs = [spec("application", ArgumentKind::SourceId, true)];
    let checked = Arguments::check(&specs, &raw([("application", RawValue::Text("ab\"c".into()))])).unwrap();
    assert_eq!(checked.canonical(), r#"{"application":"ab\"c"}"#);
    assert_eq!(Arguments::from_canonical(&checked.canonical()).unwrap(), checked);
}
