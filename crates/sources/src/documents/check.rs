//! Documents against the shape of their kind: is each value of the kind that its field has.
//!
//! Two kinds have more than one spelling: a boolean may be the text `true` or `false`, as a published example
//! has it, and a list of texts may be one text, as `value` of an attribute request is published.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};

use super::shape::{FieldShape, Shape};
use super::{ID, shown};

/// A step from a document to a value in it.
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Item(usize),
}

/// Checks a document.
///
/// # Errors
/// The path of the first value that does not fit, the kind of value that it is, and what was expected; no
/// value itself.
pub(super) fn check(shape: &[FieldShape], document: &Map<String, Value>) -> Result<(), String> {
    let id =
        document.get(ID).filter(|id| !id.is_null()).ok_or("id is missing: expected the document's id")?;
    let text = id.as_str().ok_or_else(|| format!("id is {}: expected a text", kind(id)))?;
    if text.trim().is_empty() {
        return Err("id is blank: expected the document's id".to_owned());
    }
    check_object(shape, document, &mut Vec::new())
}

fn check_object<'a>(
    shape: &'a [FieldShape],
    object: &Map<String, Value>,
    path: &mut Vec<Step<'a>>,
) -> Result<(), String> {
    for field in shape {
        let Some(value) = object.get(&field.name) else { continue };
        path.push(Step::Name(&field.name));
        check_value(&field.shape, value, path)?;
        path.pop();
    }
    Ok(())
}

fn check_value<'a>(shape: &'a Shape, value: &Value, path: &mut Vec<Step<'a>>) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let expect = |fits: bool, wanted: &str, path: &[Step<'_>]| {
        if fits { Ok(()) } else { Err(fault(path, value, wanted)) }
    };
    match shape {
        Shape::Text { .. } => expect(value.is_string(), "a text", path),
        Shape::Boolean => expect(boolean(value).is_some(), "true or false", path),
        Shape::Count => expect(count(value).is_some(), "a whole number", path),
        Shape::Date => {
            let wanted = "a date such as 2020-01-31T23:59:59.000Z";
            let text = value.as_str().ok_or_else(|| fault(path, value, wanted))?;
            let time =
                date(text).ok_or_else(|| format!("{} is not a date: expected {wanted}", text_of(path)));
            time.map(|_| ())
        }
        Shape::Texts if value.is_string() => Ok(()),
        Shape::Texts => {
            let items = value.as_array().ok_or_else(|| fault(path, value, "a list of texts"))?;
            items_fit(items, path, |item, path| {
                if item.is_null() || item.is_string() { Ok(()) } else { Err(fault(path, item, "a text")) }
            })
        }
        Shape::Map => expect(value.is_object(), "an object", path),
        Shape::Object(fields) => {
            let object = value.as_object().ok_or_else(|| fault(path, value, "an object"))?;
            check_object(fields, object, path)
        }
        Shape::Objects(fields) => {
            let items = value.as_array().ok_or_else(|| fault(path, value, "a list of objects"))?;
            items_fit(items, path, |item, path| {
                if item.is_null() {
                    return Ok(());
                }
                let object = item.as_object().ok_or_else(|| fault(path, item, "an object"))?;
                check_object(fields, object, path)
            })
        }
    }
}

fn items_fit<'a>(
    items: &[Value],
    path: &mut Vec<Step<'a>>,
    fits: impl Fn(&Value, &mut Vec<Step<'a>>) -> Result<(), String>,
) -> Result<(), String> {
    for (index, item) in items.iter().enumerate() {
        path.push(Step::Item(index));
        fits(item, path)?;
        path.pop();
    }
    Ok(())
}

fn fault(path: &[Step<'_>], value: &Value, wanted: &str) -> String {
    format!("{} is {}: expected {wanted}", text_of(path), kind(value))
}

fn text_of(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => write!(text, ".{name}").expect("a text takes more text"),
            Step::Item(index) => write!(text, "[{index}]").expect("a text takes more text"),
        }
    }
    text
}

/// The kind of a value, as a reason names it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The boolean that a value is.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The whole number that a value is; `3.0` is one.
pub(super) fn count(value: &Value) -> Option<i64> {
    /// From here on not every whole number has a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}

/// The point in time that a text names, in microseconds since 1970; finer digits are cut off.
///
/// A date with a time and an offset (`Z`, `+02:00`, `+0200`), a date with a time, which is in UTC then, or a
/// date, which is its first moment in UTC; years 0 to 9999.
pub(super) fn date(text: &str) -> Option<i64> {
    const LOCAL: &str = "%Y-%m-%dT%H:%M:%S%.f";
    const OFFSET: &str = "%Y-%m-%dT%H:%M:%S%.f%z";
    let local = || NaiveDateTime::parse_from_str(text, LOCAL).ok();
    let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let time = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, OFFSET))
        .map(|time| time.naive_utc())
        .ok()
        .or_else(local)
        .or_else(midnight)?;
    (0..=9999).contains(&time.year()).then(|| time.and_utc().timestamp_micros())
}

/// Names that a document has and its kind has not, with how often each was met.
#[derive(Default)]
pub(super) struct Unknown {
    counts: std::collections::BTreeMap<String, u64>,
    /// Further fields, whose names are not kept.
    beyond: u64,
}

/// Most unknown names that are kept apart.
const UNKNOWN_NAMES_MAX: usize = 100;

/// What a published document says about itself in addition to its fields.
const ENVELOPE: [&str; 6] = ["_type", "type", "_version", "_index", "pod", "org"];

impl Unknown {
    /// Notes what `shape` does not have of a document whose fields fit it; `index` is the name of its kind.
    pub(super) fn note(&mut self, index: &str, shape: &[FieldShape], document: &Map<String, Value>) {
        self.note_object(&format_args!("{index}: "), shape, document, true);
    }

    fn note_object(
        &mut self,
        path: &dyn fmt::Display,
        shape: &[FieldShape],
        object: &Map<String, Value>,
        top: bool,
    ) {
        let mut known = 0;
        for field in shape {
            let Some(value) = object.get(&field.name) else { continue };
            known += 1;
            let path = format_args!("{path}{}.", field.name);
            match &field.shape {
                Shape::Object(fields) => {
                    if let Some(object) = value.as_object() {
                        self.note_object(&path, fields, object, false);
                    }
                }
                Shape::Objects(fields) => {
                    for object in value.as_array().into_iter().flatten().filter_map(Value::as_object) {
                        self.note_object(&path, fields, object, false);
                    }
                }
                Shape::Text { .. }
                | Shape::Boolean
                | Shape::Count
                | Shape::Date
                | Shape::Texts
                | Shape::Map => {}
            }
        }
        if known == object.len() {
            return;
        }
        let strangers = object.keys().filter(|name| {
            let published = shape.iter().any(|field| field.name == **name);
            let envelope = top && ENVELOPE.contains(&name.as_str());
            !published && !envelope
        });
        for name in strangers {
            let name = format!("{path}{}", shown(name));
            if let Some(count) = self.counts.get_mut(&name) {
                *count += 1;
            } else if self.counts.len() < UNKNOWN_NAMES_MAX {
                self.counts.insert(name, 1);
            } else {
                self.beyond += 1;
            }
        }
    }

    /// A line for each name.
    pub(super) fn warnings(self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .counts
            .into_iter()
            .map(|(name, count)| format!("{name} is not a published field and was left out, {count} times"))
            .collect();
        if self.beyond > 0 {
            let beyond = self.beyond;
            warnings.push(format!("further fields that are not published were left out, {beyond} times"));
        }
        warnings
    }
}
