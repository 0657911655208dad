//! Decimal numbers of any length as Java's `BigDecimal` reads them, down to the integers beside them.

/// Where a number lies between integers. Beyond 64 bits it is one past the limit.
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
        // How many of the digits stand before the point.
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
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

#[cfg(test)]
mod tests {
    use super::{BEYOND, Decimal};

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
