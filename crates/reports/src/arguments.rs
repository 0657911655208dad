//! Arguments of a report: as they arrive, and as checked against the definition.
//!
//! What a definition names is checked strictly, and the error names the argument, the value's kind and what was
//! expected. What it does not name is never dropped in silence, except for a few names of published clients that
//! change nothing: what would narrow the report is refused, and of the rest a reader is told.

mod spec;

pub use spec::{ArgumentKind, ArgumentSpec, ArgumentValue};

use crate::error::{Error, Result, shown};
use crate::message::Message;
use crate::nearest::hint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An argument value before it is checked: the shapes that JSON has.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// An explicit null; the same as absent.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A number, in its JSON spelling.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<RawValue>),
    /// An object.
    Object(BTreeMap<String, RawValue>),
}

impl From<&Value> for RawValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Boolean(*flag),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

impl RawValue {
    /// Whether it narrows nothing, whatever its name: null, false, or empty.
    fn says_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(flag) => !flag,
            Self::Number(_) => false,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }

    /// The text, where it is one; else an empty one.
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => "",
        }
    }

    fn shape(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Names that published clients send and that change nothing here.
const NOISE: [&str; 2] = ["defaultS3Bucket", "s3Bucket"];

/// Names that would narrow a report, or move the moments that it means, if they were applied. Those of a query
/// are next to its text in the object that older clients send.
const NARROWING: [&str; 9] = [
    "correlatedOnly",
    "filters",
    "queryDsl",
    "searchAfter",
    "textQuery",
    "typeAheadQuery",
    "query.fields",
    "query.innerHit",
    "query.timeZone",
];

/// What becomes of a name that the report does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownNames {
    /// A warning of the result: published clients send names of their own time.
    Warn,
    /// A refusal.
    Refuse,
}

/// Most items of an argument that is a list, such as `sort` or `columns`.
pub const ITEMS_MAX: usize = 500;

/// Most bytes of all items of such an argument together.
pub const ITEMS_BYTES_MAX: usize = 32 * 1024;

/// The `arguments` object of a request, unchecked.
pub type RawArguments = BTreeMap<String, RawValue>;

/// Arguments that fit their definition: every required one is there, defaults are filled in,
/// foreign ones are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arguments(BTreeMap<String, ArgumentValue>);

impl Arguments {
    /// Checks `raw` against `specs`.
    ///
    /// # Errors
    /// `Invalid`, naming the argument, when a required one is missing or a value has the wrong shape.
    pub fn check<'a>(specs: impl IntoIterator<Item = &'a ArgumentSpec>, raw: &RawArguments) -> Result<Self> {
        let mut checked = BTreeMap::new();
        for spec in specs {
            let value = match raw.get(&spec.name) {
                None | Some(RawValue::Null) => None,
                Some(value) => check_value(spec, value)?,
            };
            match value.or_else(|| spec.default.clone()) {
                Some(value) => {
                    checked.insert(spec.name.clone(), value);
                }
                None if spec.required => {
                    return Err(Error::invalid(format!(
                        "argument {:?} is missing: expected {}",
                        spec.name,
                        spec.kind.expectation()
                    )));
                }
                None => {}
            }
        }
        Ok(Self(checked))
    }

    /// The value of `name`, if it has one.
    pub fn get(&self, name: &str) -> Option<&ArgumentValue> {
        self.0.get(name)
    }

    /// Another text in place of the one that `name` has.
    pub(crate) fn exchange(&mut self, name: &str, text: &str) {
        if let Some(ArgumentValue::Text(kept)) = self.0.get_mut(name) {
            text.clone_into(kept);
        }
    }

    /// The text of `name`, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(ArgumentValue::Text(text)) => Some(text),
            Some(ArgumentValue::Boolean(_) | ArgumentValue::Number(_) | ArgumentValue::Texts(_)) | None => {
                None
            }
        }
    }

    /// The texts of `name`, if it is a list.
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.0.get(name) {
            Some(ArgumentValue::Texts(texts)) => Some(texts),
            Some(ArgumentValue::Boolean(_) | ArgumentValue::Number(_) | ArgumentValue::Text(_)) | None => {
                None
            }
        }
    }

    /// Every argument, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ArgumentValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// One text for equal arguments: a JSON object with sorted keys. It is stored, hashed into
    /// task definition ids and shown on covers.
    pub fn canonical(&self) -> String {
        serde_json::to_string(&self.0).expect("a map of texts, booleans and lists is always JSON")
    }

    /// Reads what [`Arguments::canonical`] wrote.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn from_canonical(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// Looks at the names of `raw` that none of `specs` has, and answers the warnings about them.
///
/// # Errors
/// `Invalid` for a name that would narrow the report; with [`UnknownNames::Refuse`] for any but those that
/// change nothing.
pub fn check_names<'a>(
    specs: impl IntoIterator<Item = &'a ArgumentSpec>,
    raw: &RawArguments,
    unknown: UnknownNames,
) -> Result<Vec<Message>> {
    let specs: Vec<_> = specs.into_iter().collect();
    let mut names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let mut strangers: Vec<(String, &RawValue)> = Vec::new();
    for (name, value) in raw {
        match (specs.iter().find(|spec| spec.name == *name), value) {
            (None, value) => strangers.push((name.clone(), value)),
            (Some(ArgumentSpec { kind: ArgumentKind::Query, .. }), RawValue::Object(members)) => {
                let others = members.iter().filter(|(member, _)| *member != "query");
                strangers.extend(others.map(|(member, value)| (format!("query.{member}"), value)));
            }
            (Some(_), _) => {}
        }
    }
    names.sort_unstable();
    let mut messages = Vec::new();
    for (name, value) in strangers {
        if *value == RawValue::Null || NOISE.contains(&name.as_str()) {
            continue;
        }
        let narrows = NARROWING.contains(&name.as_str());
        if narrows && !value.says_nothing() && !is_universal_time(&name, value) {
            return Err(Error::invalid(format!(
                "argument {} would change which rows are reported, and this report cannot apply it: expected it \
                 left out, or what it says in arguments that the report has ({})",
                shown(&name),
                names.join(", ")
            )));
        }
        match unknown {
            // Published clients fill it in where it does not belong; so it says nothing.
            UnknownNames::Warn if narrows => {}
            UnknownNames::Warn => messages.push(Message::warn(
                "argument_unknown",
                format!(
                    "argument {} does not exist and was left out{}",
                    shown(&name),
                    hint(&name, names.iter().copied())
                ),
            )),
            UnknownNames::Refuse => {
                return Err(Error::invalid(format!(
                    "argument {} does not exist{}; expected some of {}",
                    shown(&name),
                    hint(&name, names.iter().copied()),
                    names.join(", ")
                )));
            }
        }
    }
    Ok(messages)
}

/// A time zone that moves no moment: ours is UTC.
fn is_universal_time(name: &str, value: &RawValue) -> bool {
    let RawValue::Text(zone) = value else { return false };
    name == "query.timeZone" && ["UTC", "Etc/UTC", "GMT", "Z"].contains(&zone.as_str())
}

/// `None` where a blank value says as much as an absent one.
fn check_value(spec: &ArgumentSpec, value: &RawValue) -> Result<Option<ArgumentValue>> {
    let refuse = || {
        Error::invalid(format!(
            "argument {:?} is {}: expected {}",
            spec.name,
            value.shape(),
            spec.kind.expectation()
        ))
    };
    match (&spec.kind, value) {
        (ArgumentKind::Boolean, RawValue::Boolean(flag)) => Ok(Some(ArgumentValue::Boolean(*flag))),
        (ArgumentKind::Boolean, RawValue::Text(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Some(ArgumentValue::Boolean(true)))
        }
        (ArgumentKind::Boolean, RawValue::Text(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Some(ArgumentValue::Boolean(false)))
        }
        // Forms and command lines give texts.
        (ArgumentKind::Integer { min, max }, RawValue::Number(text) | RawValue::Text(text)) => {
            let number = text.trim().parse::<i64>().ok().filter(|number| (min..=max).contains(&number));
            let number = number.ok_or_else(|| {
                Error::invalid(format!(
                    "argument {:?} is {}: expected {}",
                    spec.name,
                    shown(text),
                    spec.kind.expectation()
                ))
            })?;
            Ok(Some(ArgumentValue::Number(number)))
        }
        (ArgumentKind::Date, RawValue::Text(text)) => {
            let is_shaped = text.len() == 10;
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| is_shaped);
            let day = day.ok_or_else(|| {
                Error::invalid(format!(
                    "argument {:?} is {}: expected {}",
                    spec.name,
                    shown(text),
                    spec.kind.expectation()
                ))
            })?;
            Ok(Some(ArgumentValue::Text(day.to_string())))
        }
        (
            ArgumentKind::Text
            | ArgumentKind::SourceId
            | ArgumentKind::AuthoritativeSourceId
            | ArgumentKind::SourceName,
            RawValue::Text(text),
        ) => {
            if text.trim().is_empty() {
                return Err(Error::invalid(format!(
                    "argument {:?} is blank: expected {}",
                    spec.name,
                    spec.kind.expectation()
                )));
            }
            Ok(Some(ArgumentValue::Text(text.clone())))
        }
        // Historical clients wrap the query: {"query": {"query": "..."}}.
        (ArgumentKind::Query, RawValue::Object(object)) => match object.get("query") {
            Some(RawValue::Text(text)) => Ok(Some(ArgumentValue::Text(text.clone()))),
            Some(_) | None => Err(refuse()),
        },
        (ArgumentKind::Query, RawValue::Text(text)) => Ok(Some(ArgumentValue::Text(text.clone()))),
        (ArgumentKind::Names, RawValue::Text(text)) => {
            within_limits(spec, text.split(','))?;
            Ok(names(text.split(',')))
        }
        (ArgumentKind::Names, RawValue::List(items)) => {
            let texts = items.iter().map(|item| match item {
                RawValue::Text(text) => Ok(text.as_str()),
                RawValue::Null
                | RawValue::Boolean(_)
                | RawValue::Number(_)
                | RawValue::List(_)
                | RawValue::Object(_) => Err(refuse()),
            });
            let texts = texts.collect::<Result<Vec<_>>>()?;
            within_limits(spec, texts.iter().copied())?;
            Ok(names(texts.into_iter()))
        }
        (ArgumentKind::Texts { allowed }, RawValue::List(items)) => {
            within_limits(spec, items.iter().map(RawValue::text))?;
            let mut texts = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                let RawValue::Text(text) = item else {
                    return Err(Error::invalid(format!(
                        "argument {:?}, item {at}, is {}: expected a text",
                        spec.name,
                        item.shape()
                    )));
                };
                if !allowed.is_empty() && !allowed.contains(text) {
                    return Err(Error::invalid(format!(
                        "argument {:?}, item {at}, is {}: expected one of {}",
                        spec.name,
                        shown(text),
                        allowed.join(", ")
                    )));
                }
                texts.push(text.clone());
            }
            if !allowed.is_empty() {
                // A set: order and repetition say nothing, so they must not make two tasks of one.
                texts.sort();
                texts.dedup();
            }
            Ok(Some(ArgumentValue::Texts(texts)))
        }
        _ => Err(refuse()),
    }
}

/// A list is part of a plan and of what is kept of a task, so that it has a bound.
fn within_limits<'a>(spec: &ArgumentSpec, items: impl Iterator<Item = &'a str>) -> Result<()> {
    let (mut count, mut bytes) = (0, 0);
    for item in items {
        count += 1;
        bytes += item.len();
    }
    if count > ITEMS_MAX {
        return Err(Error::invalid(format!(
            "argument {:?} has {count} items: expected at most {ITEMS_MAX}",
            spec.name
        )));
    }
    if bytes > ITEMS_BYTES_MAX {
        return Err(Error::invalid(format!(
            "argument {:?} has {bytes} bytes in its items: expected at most {ITEMS_BYTES_MAX}",
            spec.name
        )));
    }
    Ok(())
}

/// Names without the blanks around them; an empty list is not a value.
fn names<'a>(texts: impl Iterator<Item = &'a str>) -> Option<ArgumentValue> {
    let names: Vec<_> = texts.map(str::trim).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then(|| ArgumentValue::Text(names.join(",")))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            error.message,
            "argument \"application\" is missing: expected the id of a source, as a text"
        );
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
            let expected =
                format!("argument \"days\" is \"{shown}\": expected a whole number from 1 to 3650");
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
        assert_eq!(
            error.message,
            "argument \"selectedFormats\", item 1, is \"XLS\": expected one of CSV, PDF"
        );
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
        let checked =
            Arguments::check(&specs, &raw([("application", RawValue::Text("ab\"c".into()))])).unwrap();
        assert_eq!(checked.canonical(), r#"{"application":"ab\"c"}"#);
        assert_eq!(Arguments::from_canonical(&checked.canonical()).unwrap(), checked);
    }
}
