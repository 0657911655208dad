//! The members of objects in a body, each read by its name and type.

use crate::failure::Failure;
use crate::input::json_type;
use muster_reports::error::shown;
use muster_reports::nearest::hint;
use serde_json::{Map, Value};

/// The members of an object in the body. A member that is null is absent.
pub(super) struct Members<'a> {
    /// What the object is called, with a dot at the end; empty for the body.
    pub(super) name: String,
    pub(super) object: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    pub(super) fn of_body(object: &'a Map<String, Value>) -> Self {
        Self { name: String::new(), object }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(&self, name: &str, value: &Value, expected: &str) -> Failure {
        Failure::invalid(format!("{}{name} is {}: expected {expected}", self.name, json_type(value)))
    }

    /// What the object is called.
    pub(super) fn place(&self) -> &str {
        if self.name.is_empty() { "the body" } else { self.name.trim_end_matches('.') }
    }

    /// Refuses members of other names.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Failure> {
        match self.object.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(stranger) => Err(Failure::invalid(format!(
                "{} has the unknown member {}{}; expected some of {}",
                self.place(),
                shown(stranger),
                hint(stranger, names.iter().copied()),
                names.join(", ")
            ))),
        }
    }

    /// Whether a member says something: it is there, and not empty.
    pub(super) fn says(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.values().all(Value::is_null),
            Value::String(text) => !text.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        })
    }

    /// Refuses a member that says something.
    pub(super) fn empty(&self, name: &str) -> Result<(), Failure> {
        if self.says(name) {
            return Err(Failure::invalid(format!(
                "{}{name} is not supported: expected it to be absent or empty",
                self.name
            )));
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, other, "a text")),
        }
    }

    /// A text that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)?
            .ok_or_else(|| Failure::invalid(format!("{}{name} is missing: expected a text", self.name)))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(name, other, "true or false")),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, Failure> {
        let expected = format!("a whole number from {least} to {most}");
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let fits = number.as_u64().and_then(|number| u32::try_from(number).ok());
                match fits.filter(|number| (least..=most).contains(number)) {
                    Some(number) => Ok(Some(number)),
                    None => {
                        Err(Failure::invalid(format!("{}{name} is {number}: expected {expected}", self.name)))
                    }
                }
            }
            Some(other) => Err(self.wrong(name, other, &expected)),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Members<'a>>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => {
                Ok(Some(Members { name: format!("{}{name}.", self.name), object }))
            }
            Some(other) => Err(self.wrong(name, other, "an object")),
        }
    }

    /// An object that must be there.
    pub(super) fn needed_object(&self, name: &str, expected: &str) -> Result<Members<'a>, Failure> {
        self.object(name)?
            .ok_or_else(|| Failure::invalid(format!("{}{name} is missing: expected {expected}", self.name)))
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], Failure> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(name, other, "a list")),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let text = |(at, item): (usize, &Value)| {
            let text = item.as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(&format!("{name}, item {at},"), item, "a text"))
        };
        self.list(name)?.iter().enumerate().map(text).collect()
    }

    /// Values of fields, each as its text.
    pub(super) fn values(&self, name: &str) -> Result<Vec<Option<String>>, Failure> {
        let value = |(at, item): (usize, &Value)| match item {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(flag) => Ok(Some(flag.to_string())),
            other @ (Value::Array(_) | Value::Object(_)) => {
                Err(self.wrong(&format!("{name}, item {at},"), other, "the value of a field"))
            }
        };
        self.list(name)?.iter().enumerate().map(value).collect()
    }
}
