//! A number of bytes as people write it.

use serde::{Deserialize, Serialize};

/// A number of bytes, written as `512MiB`, `2GiB` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |(_, shift): &&(&str, u32)| self.0 >= 1 << shift && self.0.trailing_zeros() >= *shift;
        let (unit, shift) = UNITS.iter().find(fits).unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?}: expected bytes, as in 512MiB or 2GiB");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[digits.len()..];
        let number: u64 = digits.trim().parse().map_err(|_| refuse())?;
        let shift = match unit {
            "" => 0,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?.1,
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(refuse)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Number(u64),
            Text(String),
        }
        match Shape::deserialize(deserializer)? {
            Shape::Number(bytes) => Ok(Self(bytes)),
            Shape::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}
