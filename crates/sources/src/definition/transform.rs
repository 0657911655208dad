//! What is done to a mapped value before it becomes an identity attribute.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// One step from an account attribute's value to an identity attribute's. Null stays null through every step.
///
/// Written as a word (`"trim"`) or as a table (`{ split = "#", index = 1 }`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// Without the white space around it.
    Trim,
    /// In lower case, by Unicode's rules.
    Lower,
    /// In upper case, by Unicode's rules.
    Upper,
    /// The first letter of every run of letters and digits in upper case, the rest in lower.
    Capitalize,
    /// Part `index`, counted from 0, of what lies between occurrences of `separator`; fails where there are
    /// fewer parts.
    Split {
        /// Text between parts; never empty.
        separator: String,
        /// The part to take.
        index: u32,
    },
    /// Every occurrence of `pattern`, a plain text, replaced.
    Replace {
        /// Text to look for; never empty.
        pattern: String,
        /// Text to put there.
        with: String,
    },
    /// The entry for exactly this value; `default` for others, and a failure when there is none.
    Lookup {
        /// Results by value.
        table: BTreeMap<String, String>,
        /// Result for values that the table lacks.
        default: Option<String>,
    },
}

const EXPECTED: &str = "\"trim\", \"lower\", \"upper\", \"capitalize\", { split = text, index = number }, \
                        { replace = text, with = text } or { lookup = table, default = text }";

impl Transform {
    /// The value after this step; `None` where the step fails for it. What every plan that applies transforms
    /// must agree with.
    #[must_use]
    pub fn apply(&self, value: &str) -> Option<String> {
        match self {
            Self::Trim => Some(value.trim().to_owned()),
            Self::Lower => Some(value.to_lowercase()),
            Self::Upper => Some(value.to_uppercase()),
            Self::Capitalize => Some(capitalize(value)),
            Self::Split { separator, index } => {
                value.split(separator.as_str()).nth(usize::try_from(*index).ok()?).map(str::to_owned)
            }
            Self::Replace { pattern, with } => Some(value.replace(pattern.as_str(), with)),
            Self::Lookup { table, default } => table.get(value).or(default.as_ref()).cloned(),
        }
    }
}

fn capitalize(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    let mut inside = false;
    for character in value.chars() {
        if inside {
            result.extend(character.to_lowercase());
        } else {
            result.extend(character.to_uppercase());
        }
        inside = character.is_alphanumeric();
    }
    result
}

impl Serialize for Transform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Trim => serializer.serialize_str("trim"),
            Self::Lower => serializer.serialize_str("lower"),
            Self::Upper => serializer.serialize_str("upper"),
            Self::Capitalize => serializer.serialize_str("capitalize"),
            Self::Split { separator, index } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("split", separator)?;
                map.serialize_entry("index", index)?;
                map.end()
            }
            Self::Replace { pattern, with } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("replace", pattern)?;
                map.serialize_entry("with", with)?;
                map.end()
            }
            Self::Lookup { table, default } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("lookup", table)?;
                if let Some(default) = default {
                    map.serialize_entry("default", default)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Transform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

/// Reads a [`Transform`] from a word or a table.
struct Form;

/// The table form with every key that some transform has.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    split: Option<String>,
    index: Option<u32>,
    replace: Option<String>,
    with: Option<String>,
    lookup: Option<BTreeMap<String, String>>,
    default: Option<String>,
}

impl<'de> Visitor<'de> for Form {
    type Value = Transform;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a transform: ")?;
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Transform, E> {
        match word {
            "trim" => Ok(Transform::Trim),
            "lower" => Ok(Transform::Lower),
            "upper" => Ok(Transform::Upper),
            "capitalize" => Ok(Transform::Capitalize),
            _ => Err(E::custom(format!("unknown transform {word:?}: expected {EXPECTED}"))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Transform, A::Error> {
        let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
        match table {
            Table {
                split: Some(separator),
                index: Some(index),
                replace: None,
                with: None,
                lookup: None,
                default: None,
            } if !separator.is_empty() => Ok(Transform::Split { separator, index }),
            Table {
                split: None,
                index: None,
                replace: Some(pattern),
                with: Some(with),
                lookup: None,
                default: None,
            } if !pattern.is_empty() => Ok(Transform::Replace { pattern, with }),
            Table { split: None, index: None, replace: None, with: None, lookup: Some(table), default } => {
                Ok(Transform::Lookup { table, default })
            }
            _ => Err(de::Error::custom(format!(
                "not a transform: expected {EXPECTED}, with no text to look for empty"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transform_does_what_its_documentation_says() {
        let split = |index| Transform::Split { separator: "#".into(), index };
        let lookup = |default: Option<&str>| Transform::Lookup {
            table: BTreeMap::from([("A".into(), "Active".into())]),
            default: default.map(str::to_owned),
        };
        let cases: &[(Transform, &str, Option<&str>)] = &[
            (Transform::Trim, " \u{a0}a b\t", Some("a b")),
            (Transform::Lower, "ÅSA", Some("åsa")),
            (Transform::Upper, "straße", Some("STRASSE")),
            (Transform::Capitalize, "o'BRIEN-mac ölaf 3rd", Some("O'Brien-Mac Ölaf 3rd")),
            (split(0), "124#CEO", Some("124")),
            (split(1), "124#CEO", Some("CEO")),
            (split(1), "124#", Some("")),
            (split(1), "CEO", None),
            (Transform::Replace { pattern: "_loc:".into(), with: "".into() }, "_loc:Rocky", Some("Rocky")),
            (lookup(None), "A", Some("Active")),
            (lookup(None), "a", None),
            (lookup(Some("?")), "B", Some("?")),
        ];
        for (transform, value, expected) in cases {
            assert_eq!(transform.apply(value).as_deref(), *expected, "{transform:?} of {value:?}");
        }
    }
}
