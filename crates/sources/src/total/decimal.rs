//! Numbers with a decimal mark, added exactly.
//!
//! Why no floating point: a sum of prices or hours must be the owner's sum to the last digit, in whatever order it was
//! added.

use std::fmt;

/// Digits behind the decimal mark that are kept.
const DIGITS: usize = 9;
/// One, in the unit that is counted.
const ONE: i128 = 1_000_000_000;
/// Most characters of a number.
const CHARACTERS_MAX: usize = 64;

/// A number in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decimal(i128);

impl Decimal {
    /// The number of a text of digits with at most one `mark` and a sign before them, or a minus behind them as some
    /// accounting systems write it; `None` for any other text, such as one with marks between thousands.
    pub(crate) fn of(text: &str, mark: char) -> Option<Self> {
        let text = text.trim();
        if text.len() > CHARACTERS_MAX {
            return None;
        }
        let (is_negative, digits) = match (text.strip_prefix('-'), text.strip_suffix('-')) {
            (Some(digits), _) | (None, Some(digits)) => (true, digits),
            (None, None) => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once(mark).unwrap_or((digits, ""));
        let part = part.trim_end_matches('0');
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let has_digits = digits.bytes().any(|byte| byte.is_ascii_digit());
        if !has_digits || !is_plain(whole) || !is_plain(part) || part.len() > DIGITS {
            return None;
        }
        let mut number: i128 = 0;
        for digit in whole.bytes().chain(part.bytes()).chain(std::iter::repeat_n(b'0', DIGITS - part.len())) {
            number = number.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        Some(Self(if is_negative { -number } else { number }))
    }

    /// The sum; `None` where it is too great to be counted.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let number = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        let part = format!("{:0DIGITS$}", number % one);
        match part.trim_end_matches('0') {
            "" => write!(to, "{sign}{}", number / one),
            part => write!(to, "{sign}{}.{part}", number / one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_exactly() {
        for (text, mark, shown) in [
            ("0", '.', Some("0")),
            ("12", '.', Some("12")),
            (" 0012.50 ", '.', Some("12.5")),
            (".5", '.', Some("0.5")),
            ("5.", '.', Some("5")),
            ("-0.1", '.', Some("-0.1")),
            ("123,45-", ',', Some("-123.45")),
            ("+7", '.', Some("7")),
            ("0.123456789", '.', Some("0.123456789")),
            ("0.12345678900", '.', Some("0.123456789")),
            ("99999999999999999999", '.', Some("99999999999999999999")),
            ("0.1234567891", '.', None),
            ("1,234.50", '.', None),
            ("1.234,50", ',', None),
            ("1.5", ',', None),
            ("1e3", '.', None),
            ("--1", '.', None),
            ("-1-", '.', None),
            ("", '.', None),
            (".", '.', None),
            ("-", '.', None),
            ("٣", '.', None),
            ("999999999999999999999999999999999", '.', None),
        ] {
            let read = Decimal::of(text, mark).map(|number| number.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn sums_have_no_rounding() {
        // In floating point a tenth, ten times, is not one.
        let tenth = Decimal::of("0.1", '.').unwrap_or_default();
        let sum = (0..10).try_fold(Decimal::default(), |sum, _| sum.plus(tenth));
        assert_eq!(sum, Decimal::of("1", '.'));
        let most = Decimal(i128::MAX);
        assert_eq!(most.plus(tenth), None);
    }
}
