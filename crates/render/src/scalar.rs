//! Numbers and times as text, appended to a byte buffer without an allocation.

use std::io::Write as _;

use arrow::datatypes::TimeUnit;

/// A whole number in decimal.
pub(crate) fn push_integer(out: &mut Vec<u8>, value: i128) {
    if value < 0 {
        out.push(b'-');
    }
    match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) => push_digits(out, magnitude, 1),
        // Only decimals get here: an i64 and a u64 fit.
        Err(_) => push_formatted(out, format_args!("{}", value.unsigned_abs())),
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
    let second_of_day = seconds.rem_euclid(86_400);
    push_date(out, seconds.div_euclid(86_400));
    out.push(b'T');
    push_digits(out, second_of_day.unsigned_abs() / 3_600, 2);
    out.push(b':');
    push_digits(out, second_of_day.unsigned_abs() / 60 % 60, 2);
    out.push(b':');
    push_digits(out, second_of_day.unsigned_abs() % 60, 2);
    out.push(b'.');
    push_digits(out, milliseconds.unsigned_abs(), 3);
    out.push(b'Z');
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
    if (0..=9_999).contains(&year) {
        push_digits(out, year.unsigned_abs(), 4);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        push_digits(out, year.unsigned_abs(), 6);
    }
    out.push(b'-');
    push_digits(out, month.unsigned_abs(), 2);
    out.push(b'-');
    push_digits(out, day_of_month.unsigned_abs(), 2);
}

/// At least `width` digits.
fn push_digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 {
        start -= 1;
        // The remainder is below ten.
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
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
        fn integers_are_the_standard_librarys(value in any::<i64>(), wide in any::<i128>()) {
            for value in [i128::from(value), wide, 0, i128::MIN] {
                let mut out = Vec::new();
                push_integer(&mut out, value);
                prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
            }
        }
    }
}
