//! JSON values of unknown origin, read within bounds.
//!
//! Why not a `Value`'s own reading: of a name that is given twice in one object it keeps the last, and another
//! reader keeps the first, so that two systems see two documents. Here such an object is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value};

use super::{MAX_DEPTH, MAX_VALUES, shown};

/// A value with at most [`MAX_DEPTH`] objects and lists inside one another, and [`MAX_VALUES`] values in all.
pub(crate) struct Bounded(pub(crate) Value);

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values_left = MAX_VALUES;
        Reading { depth: 0, values_left: &mut values_left }.deserialize(deserializer).map(Self)
    }
}

/// Reads one JSON text.
///
/// # Errors
/// What is wrong with it and where, without any of its content but names.
pub(crate) fn parse(text: &[u8]) -> Result<Value, ParseFault> {
    serde_json::from_slice::<Bounded>(text).map(|Bounded(value)| value).map_err(|error| {
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        ParseFault {
            reason: format!("cannot be read as JSON: {}, at byte {}", &message[..end], error.column()),
            ends_early: error.is_eof(),
        }
    })
}

/// Why a text is no JSON value within bounds.
pub(crate) struct ParseFault {
    pub(crate) reason: String,
    /// The text is the beginning of a JSON value.
    pub(crate) ends_early: bool,
}

/// One value being read.
struct Reading<'a> {
    /// Objects and lists around it.
    depth: usize,
    values_left: &'a mut usize,
}

impl Reading<'_> {
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(E::custom(format!("nested too deep: expected at most {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn inner(&mut self) -> Reading<'_> {
        Reading { depth: self.depth, values_left: self.values_left }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format!("too many values: expected at most {MAX_VALUES}")))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("expected a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner())? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{} is given twice in one object", shown(&name))));
            }
            let value = entries.next_value_seed(self.inner())?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
