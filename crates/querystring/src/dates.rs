//! What a date in a query means: Elasticsearch's `strict_date_optional_time||epoch_millis` with date math, in
//! UTC, to the millisecond.
//!
//! Everything here is Elasticsearch's (E):
//! - date math: its documentation, "Date Math" of the API conventions (`now`, `||`, `+1M`, `/d`);
//! - which way a bound rounds: "Date math and rounding" of the range query;
//! - what an incomplete date lacks: "Missing date components" of the range query. A bound that rounds up gets
//!   the last moment of the *day*; a missing month or day is the first either way, so that `2020-05` as an upper
//!   bound ends with the first of May;
//! - a date that is not a range is a range from itself to itself, both ends in it (`DateFieldMapper.termQuery`).
//!
//! There is no clock: the caller gives the moment that `now` means.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveTime, Timelike, Utc};
use thiserror::Error;

use crate::tree::Bound;

/// Which way a date that means a stretch of time rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To its first millisecond.
    Down,
    /// To its last millisecond.
    Up,
}

/// A stretch of time in milliseconds since 1970-01-01T00:00:00Z, both ends in it. It is empty where the first is
/// after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateRange {
    /// The first millisecond, `None` where the range has no beginning.
    pub first: Option<i64>,
    /// The last millisecond, `None` where the range has no end.
    pub last: Option<i64>,
}

/// A text that is not a date.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DateError {
    /// Neither a date nor a number of milliseconds.
    #[error("expected a date as `2020-05-01`, `2020-05-01T10:00:00Z` or `now`, found `{0}`")]
    Date(String),
    /// The part after `now` or `||`.
    #[error(
        "expected date math as `+1M`, `-7d` or `/d` with one of the units y, M, w, d, h, H, m, s, found `{0}`"
    )]
    Math(String),
    /// A moment that no calendar here holds.
    #[error("the date `{0}` is too far away")]
    OutOfRange(String),
}

/// The time that a date without range means: `created:2020-05-01` is that whole day.
///
/// # Errors
/// The text is not a date.
pub fn date_term(text: &str, now: DateTime<Utc>) -> Result<DateRange, DateError> {
    Ok(DateRange {
        first: Some(date_instant(text, now, Rounding::Down)?.timestamp_millis()),
        last: Some(date_instant(text, now, Rounding::Up)?.timestamp_millis()),
    })
}

/// The time between two bounds. `>` and `<=` round up, `>=` and `<` round down.
///
/// # Errors
/// A limit is not a date.
pub fn date_range(lower: &Bound, upper: &Bound, now: DateTime<Utc>) -> Result<DateRange, DateError> {
    let limit = |bound: &Bound, rounding: Rounding, step: i64| match &bound.limit {
        None => Ok(None),
        Some(text) => {
            let limit = date_instant(text, now, rounding)?.timestamp_millis();
            Ok(Some(if bound.inclusive { limit } else { limit + step }))
        }
    };
    let down_if = |down: bool| if down { Rounding::Down } else { Rounding::Up };
    Ok(DateRange {
        first: limit(lower, down_if(lower.inclusive), 1)?,
        last: limit(upper, down_if(!upper.inclusive), -1)?,
    })
}

/// The moment that a date with or without math means.
///
/// # Errors
/// The text is not a date.
pub fn date_instant(text: &str, now: DateTime<Utc>, rounding: Rounding) -> Result<DateTime<Utc>, DateError> {
    let (start, math) = if let Some(math) = text.strip_prefix("now") {
        (now, math)
    } else if let Some((date, math)) = text.split_once("||") {
        // Only the math rounds here.
        (calendar_date(date, Rounding::Down)?, math)
    } else {
        return calendar_date(text, rounding);
    };
    let mut moment = start;
    let mut rest = math;
    while !rest.is_empty() {
        let step = MathStep::read(&mut rest).ok_or_else(|| DateError::Math(math.to_owned()))?;
        moment = step.apply(moment, rounding).ok_or_else(|| DateError::OutOfRange(text.to_owned()))?;
    }
    Ok(moment)
}

/// Whether a text has date math, so that it can be nothing but a date.
pub(crate) fn has_math(text: &str) -> bool {
    text.contains("||") || text.strip_prefix("now").is_some_and(|math| math.starts_with(['+', '-', '/']))
}

/// The first millisecond of a whole date or a time by ISO 8601 (`2015-03-01`, `2015-03-01T10:00:00+01:00`); `None`
/// for every other text, a year alone included.
pub(crate) fn iso_moment(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    // Most texts are not dates, and this finds out soonest.
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    (DateFields { rest: text }).date(Rounding::Down).map(|moment| moment.timestamp_millis())
}

/// A step of date math.
struct MathStep {
    /// How many units to go, or to round to one.
    by: Option<i64>,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl MathStep {
    /// Takes `+2d`, `-d` or `/d` off the text.
    fn read(text: &mut &str) -> Option<MathStep> {
        let mut characters = text.chars();
        let operator = characters.next()?;
        let after = characters.as_str();
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let count: i32 = if digits == 0 { 1 } else { after[..digits].parse().ok()? };
        let mut characters = after[digits..].chars();
        let unit = match characters.next()? {
            'y' => Unit::Year,
            'M' => Unit::Month,
            'w' => Unit::Week,
            'd' => Unit::Day,
            'h' | 'H' => Unit::Hour,
            'm' => Unit::Minute,
            's' => Unit::Second,
            _ => return None,
        };
        let by = match operator {
            '+' => Some(i64::from(count)),
            '-' => Some(-i64::from(count)),
            '/' if count == 1 => None,
            _ => return None,
        };
        *text = characters.as_str();
        Some(MathStep { by, unit })
    }

    /// `None` where the calendar ends.
    fn apply(&self, moment: DateTime<Utc>, rounding: Rounding) -> Option<DateTime<Utc>> {
        match (self.by, rounding) {
            (Some(by), _) => add(moment, by, self.unit),
            (None, Rounding::Down) => floor(moment, self.unit),
            (None, Rounding::Up) => {
                add(floor(moment, self.unit)?, 1, self.unit)?.checked_sub_signed(Duration::milliseconds(1))
            }
        }
    }
}

fn add(moment: DateTime<Utc>, count: i64, unit: Unit) -> Option<DateTime<Utc>> {
    let months = |months: i64| {
        let many = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 { moment.checked_sub_months(many) } else { moment.checked_add_months(many) }
    };
    let seconds = |each: i64| moment.checked_add_signed(Duration::try_seconds(count * each)?);
    match unit {
        Unit::Year => months(count * 12),
        Unit::Month => months(count),
        Unit::Week => seconds(7 * 86_400),
        Unit::Day => seconds(86_400),
        Unit::Hour => seconds(3_600),
        Unit::Minute => seconds(60),
        Unit::Second => seconds(1),
    }
}

/// The beginning of the unit that contains the moment. Weeks begin on Monday.
fn floor(moment: DateTime<Utc>, unit: Unit) -> Option<DateTime<Utc>> {
    let date = moment.date_naive();
    let date = match unit {
        Unit::Year => date.with_ordinal(1)?,
        Unit::Month => date.with_day(1)?,
        Unit::Week => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday())))?,
        Unit::Day | Unit::Hour | Unit::Minute | Unit::Second => date,
    };
    let (hour, minute, second) = match unit {
        Unit::Year | Unit::Month | Unit::Week | Unit::Day => (0, 0, 0),
        Unit::Hour => (moment.hour(), 0, 0),
        Unit::Minute => (moment.hour(), moment.minute(), 0),
        Unit::Second => (moment.hour(), moment.minute(), moment.second()),
    };
    Some(date.and_hms_opt(hour, minute, second)?.and_utc())
}

/// A date by the calendar, or a number of milliseconds. Four digits are a year.
fn calendar_date(text: &str, rounding: Rounding) -> Result<DateTime<Utc>, DateError> {
    if let Some(moment) = (DateFields { rest: text }).date(rounding) {
        return Ok(moment);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Date(text.to_owned()));
    }
    let milliseconds = text.parse().ok();
    milliseconds
        .and_then(DateTime::from_timestamp_millis)
        .ok_or_else(|| DateError::OutOfRange(text.to_owned()))
}

/// The rest of a date that is being read.
struct DateFields<'a> {
    rest: &'a str,
}

impl DateFields<'_> {
    /// `yyyy[-MM[-dd[T[HH[:mm[:ss[.fraction]]][offset]]]]]` and nothing after it.
    fn date(&mut self, rounding: Rounding) -> Option<DateTime<Utc>> {
        let up = rounding == Rounding::Up;
        let mut fill = if up { (23, 59, 59, 999_999_999) } else { (0, 0, 0, 0) };
        let year = self.number(4)?;
        let month = if self.accept('-') { Some(self.number(2)?) } else { None };
        let day = if month.is_some() && self.accept('-') { Some(self.number(2)?) } else { None };
        let mut east_seconds = 0;
        if day.is_some() && self.accept('T') && !self.rest.is_empty() {
            fill.0 = self.number(2)?;
            if self.accept(':') {
                fill.1 = self.number(2)?;
                if self.accept(':') {
                    fill.2 = self.number(2)?;
                    if self.accept('.') || self.accept(',') {
                        fill.3 = self.nanoseconds()?;
                    }
                }
            }
            east_seconds = self.offset()?;
        }
        if !self.rest.is_empty() {
            return None;
        }
        let year = i32::try_from(year).ok()?;
        let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
        let time = NaiveTime::from_hms_nano_opt(fill.0, fill.1, fill.2, fill.3)?;
        date.and_time(time).and_utc().checked_sub_signed(Duration::seconds(east_seconds))
    }

    fn accept(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        number.parse().ok()
    }

    /// One to nine digits of a fraction of a second.
    fn nanoseconds(&mut self) -> Option<u32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let fraction = self.number(digits)?;
        let places = u32::try_from(digits).ok().filter(|places| *places <= 9)?;
        Some(fraction * 10_u32.pow(9 - places))
    }

    /// `Z`, `+hh`, `+hh:mm`, `+hhmm` or nothing, as seconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.rest.is_empty() || self.accept('Z') {
            return Some(0);
        }
        let sign = if self.accept('+') {
            1
        } else if self.accept('-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2)?;
        let minutes = if self.accept(':') || !self.rest.is_empty() { self.number(2)? } else { 0 };
        if hours > 18 || minutes > 59 {
            return None;
        }
        Some(sign * i64::from(hours * 3_600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests;
