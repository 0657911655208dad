//! A part of a whole, from 0 to 1.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Parts of a whole that are told apart.
const PARTS: f64 = 1_000_000.0;

/// A part of a whole, in millionths, so that equal ones are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio(u32);

impl Ratio {
    /// As a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / PARTS
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&number) {
            return Err(D::Error::custom(format!("{number}: expected a number from 0 to 1")));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to a million"
        )]
        let parts = (number * PARTS).round() as u32;
        Ok(Self(parts))
    }
}
