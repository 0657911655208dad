//! How much may be lost at once, as settings and definitions say it: a number, a percentage, or anything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hundredths of a percent in all there is.
const WHOLE: u32 = 100 * 100;

/// How much of something may be lost at once. Written as `100`, `"5 %"`, `"0.25 %"` or `"none"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// Anything may be lost.
    #[default]
    None,
    /// At most this many.
    Number(u64),
    /// At most this share, in hundredths of a percent; up to 10,000.
    Share(u32),
}

impl Limit {
    /// A share of this many percent, up to 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self::Share(percent as u32 * 100)
    }

    /// How many of `whole` may be lost; `None` if all may. A share that is not a whole number of things is rounded down,
    /// and allows `always` in any case, so that a small whole is not held up by every single change.
    #[must_use]
    pub fn allowed(self, whole: u64, always: u64) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Number(number) => Some(number),
            Self::Share(share) => {
                let part = u128::from(whole) * u128::from(share) / u128::from(WHOLE);
                Some(u64::try_from(part).unwrap_or(u64::MAX).max(always))
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Share(share) => match (share / 100, share % 100) {
                (whole, 0) => write!(f, "{whole} %"),
                (whole, part) => {
                    let digits = format!("{part:02}");
                    write!(f, "{whole}.{} %", digits.trim_end_matches('0'))
                }
            },
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?}: expected a number such as 100, a percentage from \"0 %\" to \"100 %\" with at most two \
                 decimals, or \"none\""
            )
        };
        let trimmed = text.trim();
        if trimmed == "none" {
            return Ok(Self::None);
        }
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u64>().map_err(|_| refuse()),
            false => Err(refuse()),
        };
        let Some(percent) = trimmed.strip_suffix('%') else { return number(trimmed).map(Self::Number) };
        let percent = percent.trim_end();
        let (whole, part) = percent.split_once('.').unwrap_or((percent, "0"));
        let hundredths = match part.len() {
            1 => number(part)?.saturating_mul(10),
            2 => number(part)?,
            _ => return Err(refuse()),
        };
        let share = number(whole)?.saturating_mul(100).saturating_add(hundredths);
        let share = u32::try_from(share).ok().filter(|share| *share <= WHOLE);
        share.map(Self::Share).ok_or_else(refuse)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::None | Self::Share(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl serde::de::Visitor<'_> for Written {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 100, a percentage such as \"5 %\", or \"none\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Limit, E> {
                Ok(Limit::Number(number))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Limit, E> {
                let unsigned = u64::try_from(number).map(Limit::Number);
                unsigned.map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Limit, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::Limit;

    #[test]
    fn limits_are_read_as_people_write_them() {
        for (text, limit, written) in [
            ("100", Limit::Number(100), "100"),
            ("0", Limit::Number(0), "0"),
            ("5 %", Limit::Share(500), "5 %"),
            ("5%", Limit::Share(500), "5 %"),
            ("0.5 %", Limit::Share(50), "0.5 %"),
            ("0.25%", Limit::Share(25), "0.25 %"),
            ("0.05 %", Limit::Share(5), "0.05 %"),
            ("100 %", Limit::percent(100), "100 %"),
            ("none", Limit::None, "none"),
        ] {
            assert_eq!(text.parse::<Limit>().unwrap(), limit, "{text}");
            assert_eq!(limit.to_string(), written);
            assert_eq!(serde_json::from_value::<Limit>(serde_json::json!(text)).unwrap(), limit);
        }
        assert_eq!(serde_json::to_string(&Limit::Number(7)).unwrap(), "7");
        assert_eq!(serde_json::to_string(&Limit::percent(7)).unwrap(), "\"7 %\"");
        assert_eq!(serde_json::from_str::<Limit>("7").unwrap(), Limit::Number(7));
        for wrong in
            ["", "%", "100.01 %", "101 %", "-1", "+1", "5 percent", "1.234 %", "1. %", ".5 %", "5 %%", "None"]
        {
            assert!(wrong.parse::<Limit>().unwrap_err().contains("expected a number such as 100"), "{wrong}");
        }
        assert!(
            serde_json::from_str::<Limit>("-1").is_err() && serde_json::from_str::<Limit>("1.5").is_err()
        );
    }

    #[test]
    fn a_share_is_rounded_down_and_allows_a_few_always() {
        // By hand: a fifth of 1,000 is 200; of 999, 199.8; half a percent of 399, 1.995.
        assert_eq!(Limit::percent(20).allowed(1_000, 50), Some(200));
        assert_eq!(Limit::percent(20).allowed(999, 50), Some(199));
        assert_eq!(Limit::Share(50).allowed(399, 0), Some(1));
        assert_eq!(Limit::percent(20).allowed(249, 50), Some(50));
        assert_eq!(Limit::percent(20).allowed(0, 0), Some(0));
        assert_eq!(Limit::percent(0).allowed(1_000, 0), Some(0));
        assert_eq!(Limit::percent(100).allowed(u64::MAX, 0), Some(u64::MAX));
        assert_eq!(Limit::Number(3).allowed(1_000, 50), Some(3), "a number is what it says");
        assert_eq!(Limit::None.allowed(1_000, 50), None);
    }
}
