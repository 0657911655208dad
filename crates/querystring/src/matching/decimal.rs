//! Decimal numbers of any length as Java's `BigDecimal` reads them, down to the nearest integers.

use std::cmp::Ordering;

/// Where a number is between integers. Beyond 64 bits it is one past the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    /// The greatest integer that is not above it.
    pub(super) floor: i128,
    /// The least integer that is not below it.
    pub(super) ceiling: i128,
}

const BEYOND: i128 = i64::MAX as i128 + 1;

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`, where the digits may be on one side of the point only.
    pub(super) fn read(text: &str) -> Option<Decimal> {
        let Digits { negative, digits, point } = Digits::read(text)?;
        let mut magnitude: i128 = 0;
        let mut rest = false;
        for (place, digit) in (0_i64..).zip(&digits) {
            if place < point {
                magnitude = (magnitude * 10 + i128::from(*digit)).min(BEYOND);
            } else {
                rest |= *digit > 0;
            }
        }
        // Zeros that the exponent adds; past twenty of them every number but 0 is beyond.
        let zeros = point - i64::try_from(digits.len()).ok()?;
        for _ in 0..zeros.clamp(0, 20) {
            magnitude = (magnitude * 10).min(BEYOND);
        }
        let above = magnitude + i128::from(rest);
        Some(if negative {
            Decimal { floor: -above, ceiling: -magnitude }
        } else {
            Decimal { floor: magnitude, ceiling: above }
        })
    }
}

/// A number digit by digit.
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    /// How many of the digits are before the point; there may be more places than digits, or fewer than none.
    point: i64,
}

impl Digits {
    fn read(text: &str) -> Option<Digits> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (significand, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((significand, exponent)) => (significand, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut digits = Vec::with_capacity(significand.len());
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits.push(byte - b'0');
        }
        Some(Digits { negative, digits, point: i64::try_from(whole.len()).ok()? + i64::from(exponent) })
    }

    /// Sign, place of the first digit that is not zero, and the digits from there to the last that is not.
    fn significant(&self) -> (i8, i64, &[u8]) {
        let Some(first) = self.digits.iter().position(|digit| *digit > 0) else { return (0, 0, &[]) };
        let end = self.digits.iter().rposition(|digit| *digit > 0).map_or(first, |last| last + 1);
        let zeros = i64::try_from(first).unwrap_or(i64::MAX);
        (if self.negative { -1 } else { 1 }, self.point.saturating_sub(zeros), &self.digits[first..end])
    }
}

/// Whether the text is a number.
pub(super) fn is_number(text: &str) -> bool {
    // Most texts are none, and that is seen soonest here.
    text.bytes().next().is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.'))
        && Digits::read(text).is_some()
}

/// How two numbers of any length compare; a text that is not a number is 0.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let read =
        |text: &str| Digits::read(text).unwrap_or(Digits { negative: false, digits: Vec::new(), point: 0 });
    let (one, other) = (read(one), read(other));
    let ((sign, place, digits), (other_sign, other_place, other_digits)) =
        (one.significant(), other.significant());
    let magnitudes = place.cmp(&other_place).then_with(|| digits.cmp(other_digits));
    sign.cmp(&other_sign).then(if sign < 0 { magnitudes.reverse() } else { magnitudes })
}

#[cfg(test)]
mod tests {
    use super::{BEYOND, Decimal, compare, is_number};

    #[test]
    fn numbers_of_any_length_compare() {
        // In ascending order; those on one line are equal.
        let ascending: [&[&str]; 13] = [
            &["-1e30", "-1000000000000000000000000000000"],
            &["-10.5", "-10.50"],
            &["-10"],
            &["-0.001", "-1e-3"],
            &["0", "-0", "0.000", "0e9", "+0"],
            &["1e-400"],
            &[".5", "0.5", "5e-1"],
            &["1", "01", "1.0"],
            &["1.000000000000000000001"],
            &["9"],
            &["10", "1e1", "+10"],
            &["12345678901234567890.1"],
            &["12345678901234567890.2"],
        ];
        let all: Vec<(usize, &str)> = (0..)
            .zip(ascending)
            .flat_map(|(rank, equal)| equal.iter().map(move |text| (rank, *text)))
            .collect();
        for (rank, text) in &all {
            assert!(is_number(text), "{text}");
            for (other_rank, other) in &all {
                assert_eq!(compare(text, other), rank.cmp(other_rank), "{text} and {other}");
            }
        }
        assert!(!is_number("e1") && !is_number("1 ") && !is_number("2015-03-01"));
    }

    #[test]
    fn reads_what_big_decimal_reads() {
        for (text, floor, ceiling) in [
            ("0", 0, 0),
            ("-0", 0, 0),
            ("+12", 12, 12),
            ("12.", 12, 12),
            (".5", 0, 1),
            ("-.5", -1, 0),
            ("10.5", 10, 11),
            ("-10.5", -11, -10),
            ("10.000", 10, 10),
            ("1e3", 1000, 1000),
            ("1.25E1", 12, 13),
            ("125e-2", 1, 2),
            ("1e-400", 0, 1),
            ("0e999999", 0, 0),
            ("9223372036854775807", i128::from(i64::MAX), i128::from(i64::MAX)),
            ("9223372036854775808", BEYOND, BEYOND),
            ("1e100", BEYOND, BEYOND),
            ("-9223372036854775808", i128::from(i64::MIN), i128::from(i64::MIN)),
            ("-9223372036854775807.5", i128::from(i64::MIN), i128::from(i64::MIN) + 1),
        ] {
            assert_eq!(Decimal::read(text), Some(Decimal { floor, ceiling }), "{text}");
        }
        for text in ["", "-", ".", "abc", "1e", "e1", "1.2.3", "1_0", "0x10", "10f", " 1", "NaN", "--1"] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
    }
}
