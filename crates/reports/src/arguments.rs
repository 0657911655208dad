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
use crate::retention::AsOf;
use crate::sod;
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
    pub(crate) fn says_nothing(&self) -> bool {
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

    /// The value as JSON; a number that is not whole as its text.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::from(*flag),
            Self::Number(text) => {
                text.parse::<i64>().map_or_else(|_| Value::from(text.as_str()), Value::from)
            }
            Self::Text(text) => Value::from(text.as_str()),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, member)| (name.clone(), member.json())).collect())
            }
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

    /// A text for `name`, whatever it had.
    pub(crate) fn put(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), ArgumentValue::Text(text.to_owned()));
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
        (ArgumentKind::Snapshot, RawValue::Text(text)) => {
            let as_of = text.trim().parse::<AsOf>().map_err(|_| {
                Error::invalid(format!(
                    "argument {:?} is {}: expected {}",
                    spec.name,
                    shown(text),
                    spec.kind.expectation()
                ))
            })?;
            Ok(Some(ArgumentValue::Text(as_of.to_string())))
        }
        (ArgumentKind::SodPolicies, value) => {
            Ok(Some(ArgumentValue::Text(sod::policies(&spec.name, &value.json())?)))
        }
        (ArgumentKind::SodExceptions, value) => {
            Ok(Some(ArgumentValue::Text(sod::exceptions(&spec.name, &value.json())?)))
        }
        (
            ArgumentKind::Text
            | ArgumentKind::Review
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
mod tests;
