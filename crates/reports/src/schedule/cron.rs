//! Cron expressions: minute, hour, day of month, month and day of week.
//!
//! A field is `*`, a value, a range `a-b`, either of the last two or `*` with a step `/n`, or a list of these with commas.
//! Months and days of the week have names as well; 0 and 7 are Sunday. `L` is the last day of a month.

use super::{Days, LAST_DAY, month, number, weekday};
use crate::error::{Error, Result, shown};

/// Longest expression, in bytes.
const LENGTH_MAX: usize = 500;

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    expected: &'static str,
    /// Values that are not numbers.
    named: fn(&str) -> Option<u32>,
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, expected: "0 to 59", named: |_| None };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, expected: "0 to 23", named: |_| None };
const DAY_OF_MONTH: Field =
    Field { name: "day of month", least: 1, most: 31, expected: "1 to 31, or L", named: |_| None };
const MONTH: Field =
    Field { name: "month", least: 1, most: 12, expected: "1 to 12, or JAN to DEC", named: month };
const DAY_OF_WEEK: Field =
    Field { name: "day of week", least: 0, most: 7, expected: "0 to 7, or SUN to SAT", named: weekday };

/// Reads an expression: days, hours and minutes.
pub(super) fn parse(text: &str) -> Result<(Days, u64, u64)> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let &[minute, hour, day_of_month, month, day_of_week] = &fields[..] else {
        return Err(Error::invalid(format!(
            "schedule.cron is {}: it has {} fields: expected 5, minute, hour, day of month, month and day of week, such \
             as \"0 6 * * MON-FRI\"",
            shown(text),
            fields.len()
        )));
    };
    if text.len() > LENGTH_MAX {
        return Err(Error::invalid(format!(
            "schedule.cron is {} bytes long: expected at most {LENGTH_MAX}",
            text.len()
        )));
    }
    // As in every cron: if one of the two fields of days is `*`, the other one alone restricts the days.
    let chosen = |field: &Field, text: &str| match text.starts_with('*') && !text.contains('/') {
        true => field.read(text).map(|_| None),
        false => field.read(text).map(Some),
    };
    let of_week = chosen(&DAY_OF_WEEK, day_of_week)?.map(|bits| (bits & 0b111_1111) | (bits >> 7));
    let days =
        Days::Pattern { months: MONTH.read(month)?, of_month: chosen(&DAY_OF_MONTH, day_of_month)?, of_week };
    Ok((days, HOUR.read(hour)?, MINUTE.read(minute)?))
}

impl Field {
    fn read(&self, text: &str) -> Result<u64> {
        text.split(',').try_fold(0, |bits, part| Ok(bits | self.part(part).ok_or_else(|| self.wrong(part))?))
    }

    fn part(&self, part: &str) -> Option<u64> {
        if part == "L" && self.most == DAY_OF_MONTH.most {
            return Some(1 << LAST_DAY);
        }
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(number(step, 1, self.most)?)),
        };
        let (first, last) = match (range, range.split_once('-'), step) {
            ("*", _, _) => (self.least, self.most),
            (_, Some((first, last)), _) => (self.value(first)?, self.value(last)?),
            // `5/15` is from 5 on.
            (_, None, Some(_)) => (self.value(range)?, self.most),
            (_, None, None) => (self.value(range)?, self.value(range)?),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (first <= last).then(|| (first..=last).step_by(step).fold(0, |bits, bit| bits | (1 << bit)))
    }

    fn value(&self, text: &str) -> Option<u32> {
        number(text, self.least, self.most).or_else(|| (self.named)(text))
    }

    fn wrong(&self, part: &str) -> Error {
        Error::invalid(format!(
            "schedule.cron: {} is not valid as {}: expected {}, ranges such as 1-5, steps such as */2, or a list of them",
            shown(part),
            self.name,
            self.expected
        ))
    }
}
