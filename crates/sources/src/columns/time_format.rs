//! How a source writes times, by name.
//!
//! Invariants: a text means one time or none, whenever it is read; a date without a time is the first moment of that day in
//! UTC, or its last one where a day still belongs to what ends on it; a text of no such form is unreadable, never a guess.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::dates::{day, end_of, time_of_day};

/// Seconds from 1601 to 1970.
const FILETIME_EPOCH_SECONDS: i64 = 11_644_473_600;
/// 100-nanosecond units in a second.
const FILETIME_TICKS_PER_SECOND: i64 = 10_000_000;
/// What the reader of directories gives for a time that never comes.
const NEVER: &str = "never";

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339 and its like: `2026-03-31`, `2026-03-31T12:00:00+02:00`, `2026-03-31 12:00`; without an offset in UTC.
    #[default]
    Iso,
    /// A Windows FILETIME: a count of 100 nanoseconds since 1601. 0 and the greatest one are no time. What the reader of
    /// Active Directory makes of it is read too.
    Filetime,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// `GeneralizedTime` of LDAP: `20260331120000Z`, with an offset or a fraction too.
    Generalized,
    /// `31.03.2026`, `31/3/2026` or `31-03-2026`, and a time of the day in UTC if there is one.
    DayMonthYear,
    /// `03/31/2026`, `3.31.2026` or `03-31-2026`, and a time of the day in UTC if there is one.
    MonthDayYear,
}

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Time(DateTime<Utc>),
    /// The format's own value for a time that never comes, or never was.
    Never,
    Unreadable,
}

impl TimeFormat {
    /// What a text should have been.
    pub(super) fn expectation(self) -> &'static str {
        match self {
            Self::Iso => "a date such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z",
            Self::Filetime => "a Windows file time: a whole number of 100 nanoseconds since 1601",
            Self::Unix => "a whole number of seconds since 1970",
            Self::UnixMs => "a whole number of milliseconds since 1970",
            Self::Generalized => "a generalized time such as 20260331120000Z",
            Self::DayMonthYear => "a date such as 31.03.2026, with or without a time such as 12:00:00",
            Self::MonthDayYear => "a date such as 03/31/2026, with or without a time such as 12:00:00",
        }
    }

    /// What a trimmed text says. `is_end`: a date is the last moment of its day.
    pub(super) fn read(self, text: &str, is_end: bool) -> Read {
        let time = match self {
            Self::Iso => iso(text, is_end),
            Self::Filetime => return filetime(text, is_end),
            Self::Unix => whole(text).and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            Self::UnixMs => whole(text).and_then(DateTime::from_timestamp_millis),
            Self::Generalized => generalized(text),
            Self::DayMonthYear => numbered(text, is_end, |day, month| (day, month)),
            Self::MonthDayYear => numbered(text, is_end, |month, day| (day, month)),
        };
        read(time)
    }
}

/// Tables hold the years 1 to 9999.
fn read(time: Option<DateTime<Utc>>) -> Read {
    use chrono::Datelike;
    match time.filter(|time| (1..=9999).contains(&time.year())) {
        Some(time) => Read::Time(time),
        None => Read::Unreadable,
    }
}

/// Decimal digits, with a minus before them or not.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn filetime(text: &str, is_end: bool) -> Read {
    if text.eq_ignore_ascii_case(NEVER) {
        return Read::Never;
    }
    match whole(text) {
        Some(0 | i64::MAX) => Read::Never,
        Some(ticks) if ticks > 0 => {
            let seconds = ticks / FILETIME_TICKS_PER_SECOND - FILETIME_EPOCH_SECONDS;
            let nanoseconds = u32::try_from(ticks % FILETIME_TICKS_PER_SECOND).unwrap_or(0) * 100;
            read(DateTime::from_timestamp(seconds, nanoseconds))
        }
        Some(_) => Read::Unreadable,
        None => read(iso(text, is_end)),
    }
}

fn on_day(day: NaiveDate, is_end: bool) -> Option<DateTime<Utc>> {
    if is_end { end_of(day) } else { Some(day.and_time(NaiveTime::MIN).and_utc()) }
}

fn iso(text: &str, is_end: bool) -> Option<DateTime<Utc>> {
    if let Some(day) = day(text) {
        return on_day(day, is_end);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let (date, time) = text.split_once(['T', ' '])?;
    Some(day(date)?.and_time(clock(time)?).and_utc())
}

/// A time of the day in UTC, to the minute or more exactly.
fn clock(text: &str) -> Option<NaiveTime> {
    let text = text.trim();
    time_of_day(text)
        .or_else(|| NaiveTime::parse_from_str(text.strip_suffix('Z').unwrap_or(text), "%H:%M").ok())
}

fn generalized(text: &str) -> Option<DateTime<Utc>> {
    let zone = text.find(['Z', '+', '-'])?;
    let (digits, zone) = text.split_at(zone);
    let (digits, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    let is_whole = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits.len() != 14 || !is_whole(digits) || !is_whole(fraction) || fraction.len() > 9 {
        return None;
    }
    let zone = if zone == "Z" { "+0000".to_owned() } else { zone.to_owned() };
    let zone = if zone.len() == 3 { format!("{zone}00") } else { zone };
    DateTime::parse_from_str(&format!("{digits}.{fraction}{zone}"), "%Y%m%d%H%M%S%.f%z")
        .ok()
        .map(|time| time.to_utc())
}

/// Three numbers with one separator between them; `order` puts the first two into the order of day and month.
fn numbered(text: &str, is_end: bool, order: impl Fn(u32, u32) -> (u32, u32)) -> Option<DateTime<Utc>> {
    let (date, time) = match text.split_once([' ', 'T', ',']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let separator = date.find(['.', '/', '-']).and_then(|at| date[at..].chars().next())?;
    let numbers: Vec<&str> = date.split(separator).collect();
    let [first, second, year] = numbers[..] else { return None };
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| -> Option<u32> {
        let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse().ok() } else { None }
    };
    let (day, month) = order(number(first, 1..=2)?, number(second, 1..=2)?);
    let year = i32::try_from(number(year, 4..=4)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, month, day)?;
    match time {
        None => on_day(day, is_end),
        Some(time) => Some(day.and_time(clock(time)?).and_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::TimeFormat::{DayMonthYear, Filetime, Generalized, Iso, MonthDayYear, Unix, UnixMs};
    use super::*;

    fn said(format: TimeFormat, text: &str) -> String {
        match format.read(text, false) {
            Read::Time(time) => time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Read::Never => "never".to_owned(),
            Read::Unreadable => "unreadable".to_owned(),
        }
    }

    /// Numbers by hand, in Python: datetime.fromtimestamp and datetime(1601, 1, 1) + timedelta(microseconds=ticks / 10).
    #[test]
    fn a_text_is_read_as_its_format_says() {
        for (format, text, expected) in [
            (Iso, "2026-03-31", "2026-03-31T00:00:00Z"),
            (Iso, "20260331", "2026-03-31T00:00:00Z"),
            (Iso, "2026-03-31T12:00:00+02:00", "2026-03-31T10:00:00Z"),
            (Iso, "2026-03-31 12:00:00", "2026-03-31T12:00:00Z"),
            (Iso, "2026-03-31 12:00", "2026-03-31T12:00:00Z"),
            (Iso, "2026-03-31T12:00:00.250", "2026-03-31T12:00:00.250Z"),
            (Iso, "2026-02-30", "unreadable"),
            (Iso, "31.03.2026", "unreadable"),
            (Iso, "never", "unreadable"),
            (Iso, "0000-01-01", "unreadable"),
            (Filetime, "133497810000000000", "2024-01-15T08:30:00Z"),
            (Filetime, "133497810001234567", "2024-01-15T08:30:00.123456700Z"),
            (Filetime, "0", "never"),
            (Filetime, "9223372036854775807", "never"),
            (Filetime, "9223372036854775806", "unreadable"),
            (Filetime, "-1", "unreadable"),
            (Filetime, "2024-01-15T08:30:00Z", "2024-01-15T08:30:00Z"),
            (Filetime, "Never", "never"),
            (Filetime, "soon", "unreadable"),
            (Unix, "1705307400", "2024-01-15T08:30:00Z"),
            (Unix, "1705307400.5", "unreadable"),
            (Unix, "0", "1970-01-01T00:00:00Z"),
            (UnixMs, "1705307400250", "2024-01-15T08:30:00.250Z"),
            (UnixMs, "+5", "unreadable"),
            (Generalized, "20240115083000Z", "2024-01-15T08:30:00Z"),
            (Generalized, "20240115083000.5Z", "2024-01-15T08:30:00.500Z"),
            (Generalized, "20240115083000.0Z", "2024-01-15T08:30:00Z"),
            (Generalized, "20240115093000+0100", "2024-01-15T08:30:00Z"),
            (Generalized, "20240115093000+01", "2024-01-15T08:30:00Z"),
            (Generalized, "2024011508Z", "unreadable"),
            (Generalized, "20240115083000", "unreadable"),
            (DayMonthYear, "31.03.2026", "2026-03-31T00:00:00Z"),
            (DayMonthYear, "1/2/2026", "2026-02-01T00:00:00Z"),
            (DayMonthYear, "31-03-2026 08:15", "2026-03-31T08:15:00Z"),
            (DayMonthYear, "03/31/2026", "unreadable"),
            (DayMonthYear, "31.03.26", "unreadable"),
            (DayMonthYear, "31.03/2026", "unreadable"),
            (MonthDayYear, "03/31/2026", "2026-03-31T00:00:00Z"),
            (MonthDayYear, "3/31/2026 8:15:30", "2026-03-31T08:15:30Z"),
            (MonthDayYear, "31.03.2026", "unreadable"),
        ] {
            assert_eq!(said(format, text), expected, "{format:?} {text}");
        }
    }

    #[test]
    fn a_day_that_belongs_to_what_ends_is_its_last_moment() {
        for (format, text) in
            [(Iso, "2026-03-31"), (DayMonthYear, "31.03.2026"), (MonthDayYear, "03/31/2026")]
        {
            assert_eq!(
                format.read(text, true),
                Read::Time("2026-03-31T23:59:59.999Z".parse().expect("a time"))
            );
        }
        assert_eq!(
            Iso.read("2026-03-31T00:00:00Z", true),
            Read::Time("2026-03-31T00:00:00Z".parse().expect("a time"))
        );
    }
}
