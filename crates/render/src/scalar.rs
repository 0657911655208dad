//! Numbers and times as text, appended to a byte buffer without an allocation.

use std::io::Write as _;

use arrow::datatypes::TimeUnit;

/// A whole number in decimal.
#[inline]
pub(crate) fn push_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_unsigned(out, value.unsigned_abs());
}

/// A whole number that is not negative, in decimal.
#[inline]
pub(crate) fn push_unsigned(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        out.push(digit(value));
    } else {
        push_digits(out, value, 1);
    }
}

/// The fewest digits that read back as the same number, with a point or an exponent: `1.0`, `0.1`, `1e16`, and
/// `NaN`, `inf`, `-inf`.
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    push_formatted(out, format_args!("{value:?}"));
}

/// As [`push_float`], with the digits that single precision needs.
pub(crate) fn push_single(out: &mut Vec<u8>, value: f32) {
    push_formatted(out, format_args!("{value:?}"));
}

pub(crate) fn push_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every write");
}

/// An instant in RFC 3339, UTC, with milliseconds; finer parts are cut off.
///
/// Years outside 0000 to 9999 have a sign and at least six digits, as ISO 8601 has it.
pub(crate) fn push_timestamp(out: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    let (per_second, per_millisecond) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 1),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1_000_000),
    };
    let seconds = value.div_euclid(per_second);
    let part = value.rem_euclid(per_second);
    let milliseconds = if per_millisecond == 0 { 0 } else { part / per_millisecond };
    let second_of_day = seconds.rem_euclid(86_400).unsigned_abs();
    push_date(out, seconds.div_euclid(86_400));
    let mut time = *b"T00:00:00.000Z";
    time[1..3].copy_from_slice(two_digits(second_of_day / 3_600));
    time[4..6].copy_from_slice(two_digits(second_of_day / 60 % 60));
    time[7..9].copy_from_slice(two_digits(second_of_day % 60));
    time[10..12].copy_from_slice(two_digits(milliseconds.unsigned_abs() / 10));
    time[12] = digit(milliseconds.unsigned_abs() % 10);
    out.extend_from_slice(&time);
}

/// A day, counted from 1970-01-01, as `YYYY-MM-DD` of the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years (146,097 days) that begin on 1 March, so that the leap day is a year's last.
pub(crate) fn push_date(out: &mut Vec<u8>, day: i64) {
    const DAYS_FROM_0000_03_01_TO_1970: i64 = 719_468;
    const DAYS_IN_ERA: i64 = 146_097;
    let day = day + DAYS_FROM_0000_03_01_TO_1970;
    let era = day.div_euclid(DAYS_IN_ERA);
    let day_of_era = day.rem_euclid(DAYS_IN_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (month, day_of_month) = (month.unsigned_abs(), day_of_month.unsigned_abs());
    if (0..=9_999).contains(&year) {
        let mut date = *b"0000-00-00";
        date[..2].copy_from_slice(two_digits(year.unsigned_abs() / 100));
        date[2..4].copy_from_slice(two_digits(year.unsigned_abs() % 100));
        date[5..7].copy_from_slice(two_digits(month));
        date[8..].copy_from_slice(two_digits(day_of_month));
        out.extend_from_slice(&date);
        return;
    }
    out.push(if year < 0 { b'-' } else { b'+' });
    push_digits(out, year.unsigned_abs(), 6);
    out.push(b'-');
    out.extend_from_slice(two_digits(month));
    out.push(b'-');
    out.extend_from_slice(two_digits(day_of_month));
}

/// The digits of all numbers below one hundred.
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut table = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    table
};

/// The digits of a number below one hundred.
#[inline]
fn two_digits(number: u64) -> &'static [u8; 2] {
    &TWO_DIGITS[number as usize]
}

/// A number below ten.
#[inline]
fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

/// At least `width` digits.
#[inline]
fn push_digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(two_digits(value % 100));
        value /= 100;
    }
    if value >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(two_digits(value));
    } else if value > 0 {
        start -= 1;
        digits[start] = digit(value);
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn timestamp(value: i64, unit: TimeUnit) -> String {
        let mut out = Vec::new();
        push_timestamp(&mut out, value, unit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timestamps_have_milliseconds_and_z() {
        let cases = [
            (0, TimeUnit::Second, "1970-01-01T00:00:00.000Z"),
            (-1, TimeUnit::Millisecond, "1969-12-31T23:59:59.999Z"),
            (-1, TimeUnit::Nanosecond, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999_999, TimeUnit::Microsecond, "2000-02-28T23:59:59.999Z"),
            (951_782_400, TimeUnit::Second, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400, TimeUnit::Second, "2100-03-01T00:00:00.000Z"),
            (253_402_300_800, TimeUnit::Second, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_201, TimeUnit::Second, "-000001-12-31T23:59:59.000Z"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(timestamp(value, unit), expected);
        }
        // The ends of the type give something and no panic.
        for value in [i64::MIN, i64::MAX] {
            for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond]
            {
                assert!(timestamp(value, unit).ends_with('Z'));
            }
        }
    }

    #[test]
    fn floats_have_the_fewest_digits() {
        let text = |value: f64| {
            let mut out = Vec::new();
            push_float(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        let values = [1.0, 0.1, 1e16, -2.5e-7, f64::NAN, f64::NEG_INFINITY];
        assert_eq!(values.map(text), ["1.0", "0.1", "1e16", "-2.5e-7", "NaN", "-inf"]);
    }

    proptest! {
        #[test]
        fn timestamps_are_chronos(milliseconds in -62_135_596_800_000_i64..253_402_300_800_000) {
            let expected = DateTime::from_timestamp_millis(milliseconds).unwrap();
            let expected = expected.to_rfc3339_opts(SecondsFormat::Millis, true);
            prop_assert_eq!(timestamp(milliseconds, TimeUnit::Millisecond), expected);
        }

        #[test]
        fn integers_are_the_standard_librarys(value in any::<i64>(), shift in 0_u32..64) {
            for value in [value, value >> shift, 0, i64::MIN] {
                let mut out = Vec::new();
                push_integer(&mut out, value);
                prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
                let mut out = Vec::new();
                push_unsigned(&mut out, value as u64);
                prop_assert_eq!(String::from_utf8(out).unwrap(), (value as u64).to_string());
            }
        }
    }
}
