//! When something is due: a cron expression, or the published form of a schedule, in a time zone.
//!
//! Why here: schedules of reports, of refreshes and of saved searches share one meaning. This module reads no clock:
//! [`Schedule::next_after`] takes a time and returns the next one.
//!
//! Invariants:
//! - Both forms become the same thing: days, hours and minutes of local time.
//! - A local time that does not exist, because a clock is set forward, is due at the first moment after the gap.
//! - A local time that occurs twice, because a clock is set back, is due once, at its first occurrence. Only a schedule
//!   of all 24 hours is due at both, so that an hourly schedule has no gap of two hours.
//! - The times that a schedule returns grow: a moment is due at most once.

mod cron;

use crate::error::{Error, Result, shown};
use chrono::{DateTime, Datelike, Days as DayCount, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// How far a next time is looked for, in days: 29 February can be eight years away.
const AHEAD_DAYS_MAX: usize = 9 * 366;
/// Most values of one selector.
const VALUES_MAX: usize = 1_000;
/// The bit after those of days 1 to 31: the last day of a month.
const LAST_DAY: u32 = 32;
const ALL_HOURS: u64 = (1 << 24) - 1;
const ALL_MONTHS: u64 = 0b1_1111_1111_1110;
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The published types of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ScheduleType {
    /// Every day.
    Daily,
    /// On days of the week.
    Weekly,
    /// On days of every month.
    Monthly,
    /// On days of some months.
    Annually,
    /// On dates. The published document does not say how it names them; here they are `YYYY-MM-DD`.
    Calendar,
}

impl ScheduleType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Annually => "ANNUALLY",
            Self::Calendar => "CALENDAR",
        }
    }
}

/// The published types of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SelectorType {
    /// These values.
    List,
    /// From the first of two values to the second, which is included.
    Range,
}

/// The published form of a choice of hours, days or months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// What the values mean.
    #[serde(rename = "type")]
    pub kind: SelectorType,
    /// The values.
    pub values: Vec<String>,
    /// Of a range, every so many values; 1 if there is none. Of a list it means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i32>,
}

/// A schedule as people write it: the published form, or with `cron` instead of `type` and the selectors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleForm {
    /// Minute, hour, day of month, month and day of week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The type of the published form.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ScheduleType>,
    /// Months, of `ANNUALLY`: 1 to 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<Selector>,
    /// Days: MON to SUN for `WEEKLY`; 1 to 31 and L for `MONTHLY` and `ANNUALLY`; dates for `CALENDAR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Selector>,
    /// Hours: 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Selector>,
    /// Nothing is due after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<DateTime<Utc>>,
    /// A name of the IANA time zone database; the service's time zone if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone_id: Option<String>,
}

/// A schedule that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    days: Days,
    /// Bits 0 to 23.
    hours: u64,
    /// Bits 0 to 59.
    minutes: u64,
    expiration: Option<DateTime<Utc>>,
    zone: Tz,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    Pattern {
        /// Bits 1 to 12.
        months: u64,
        /// Bits 1 to 31, and [`LAST_DAY`].
        of_month: Option<u64>,
        /// Bits 0 (Sunday) to 6.
        of_week: Option<u64>,
    },
    Dates(BTreeSet<NaiveDate>),
}

impl Days {
    /// Whether a date is chosen. Of days of a month and days of a week, either is enough, as cron has it.
    fn contain(&self, date: NaiveDate) -> bool {
        match self {
            Self::Dates(dates) => dates.contains(&date),
            Self::Pattern { months, of_month, of_week } => {
                let last = date.succ_opt().is_none_or(|next| next.month() != date.month());
                let in_month = |days: u64| has(days, date.day()) || (last && has(days, LAST_DAY));
                let in_week = |days| has(days, date.weekday().num_days_from_sunday());
                has(*months, date.month())
                    && match (*of_month, *of_week) {
                        (None, None) => true,
                        (Some(days), None) => in_month(days),
                        (None, Some(days)) => in_week(days),
                        (Some(of_month), Some(of_week)) => in_month(of_month) || in_week(of_week),
                    }
            }
        }
    }
}

fn has(bits: u64, bit: u32) -> bool {
    bits.checked_shr(bit).is_some_and(|bits| bits & 1 == 1)
}

/// The bits of a set, from 0.
fn members(bits: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |bit| has(bits, *bit))
}

impl Schedule {
    /// Checks a schedule. `zone` is for a form that names none.
    ///
    /// # Errors
    /// `Invalid` with the field, its value and what was expected.
    pub fn check(form: &ScheduleForm, zone: Tz) -> Result<Self> {
        let zone = match form.time_zone_id.as_deref() {
            None => zone,
            Some(name) => time_zone(name)
                .map_err(|error| Error::invalid(format!("schedule.timeZoneId: {}", error.message)))?,
        };
        let (days, hours, minutes) = match (&form.cron, form.kind) {
            (Some(cron), None) => {
                if let Some(name) = form.named_selectors().next() {
                    return Err(Error::invalid(format!("schedule: send `cron` or `{name}`, not both")));
                }
                cron::parse(cron)?
            }
            (None, Some(kind)) => published(kind, form)?,
            (Some(_), Some(_)) => {
                return Err(Error::invalid("schedule: send `cron` or `type`, not both"));
            }
            (None, None) => return Err(Error::invalid("schedule: expected `cron` or `type`")),
        };
        Ok(Self { days, hours, minutes, expiration: form.expiration, zone })
    }

    /// The time zone of its local times.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first time after `time` at which it is due; `None` if there is none in the next nine years.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = time.with_timezone(&self.zone).date_naive();
        // A local time that does not exist can be due on the following date.
        let first = today.pred_opt()?;
        first
            .iter_days()
            .take(AHEAD_DAYS_MAX)
            .filter(|date| self.days.contain(*date))
            .flat_map(|date| self.times_of(date))
            .find(|due| *due > time)
            .filter(|due| self.expiration.is_none_or(|expiration| *due <= expiration))
    }

    /// The last time at or before `time` at which it was due, if that is later than `after`. A claim after an outage
    /// takes this one, so a run that was missed several times is made once.
    pub fn last_between(&self, after: DateTime<Utc>, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone_date = |time: DateTime<Utc>| time.with_timezone(&self.zone).date_naive();
        let oldest = zone_date(after).checked_sub_days(DayCount::new(1))?;
        let is_wanted = |due: &DateTime<Utc>| {
            *due > after && *due <= time && self.expiration.is_none_or(|expiration| *due <= expiration)
        };
        zone_date(time)
            .iter_days()
            .rev()
            .take_while(|date| *date >= oldest)
            .take(AHEAD_DAYS_MAX)
            .filter(|date| self.days.contain(*date))
            .find_map(|date| self.times_of(date).into_iter().rev().find(is_wanted))
    }

    /// The due times of one local date, in order, each once.
    fn times_of(&self, date: NaiveDate) -> BTreeSet<DateTime<Utc>> {
        let mut times = BTreeSet::new();
        for hour in members(self.hours) {
            for minute in members(self.minutes) {
                let Some(time) = NaiveTime::from_hms_opt(hour, minute, 0) else { continue };
                let local = date.and_time(time);
                let found = self.zone.from_local_datetime(&local);
                if let Some(first) = found.earliest() {
                    times.insert(first.to_utc());
                } else if let Some(end) = GapInfo::new(&local, &self.zone).and_then(|gap| gap.end) {
                    times.insert(end.to_utc());
                }
                if self.hours == ALL_HOURS
                    && let Some(second) = found.latest()
                {
                    times.insert(second.to_utc());
                }
            }
        }
        times
    }
}

impl ScheduleForm {
    fn named_selectors(&self) -> impl Iterator<Item = &'static str> {
        let named = [("months", &self.months), ("days", &self.days), ("hours", &self.hours)];
        named.into_iter().filter(|(_, selector)| selector.is_some()).map(|(name, _)| name)
    }
}

impl fmt::Display for ScheduleForm {
    /// In one line, for lists: the cron expression, or the type, and the time zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cron, self.kind) {
            (Some(cron), _) => f.write_str(cron)?,
            (None, Some(kind)) => f.write_str(kind.as_str())?,
            (None, None) => f.write_str("none")?,
        }
        for (name, selector) in [("months", &self.months), ("days", &self.days), ("hours", &self.hours)] {
            if let Some(selector) = selector {
                let between = match selector.kind {
                    SelectorType::List => ",",
                    SelectorType::Range => "-",
                };
                write!(f, " {name} {}", selector.values.join(between))?;
                if let (SelectorType::Range, Some(interval)) = (selector.kind, selector.interval) {
                    write!(f, "/{interval}")?;
                }
            }
        }
        self.time_zone_id.iter().try_for_each(|zone| write!(f, " {zone}"))
    }
}

/// The time zone of a name.
///
/// # Errors
/// `Invalid` for an unknown name.
pub fn time_zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::invalid(format!(
            "{} is not a time zone: expected a name of the IANA time zone database, such as Europe/Berlin",
            shown(name)
        ))
    })
}

/// Days, hours and minutes of a published form.
fn published(kind: ScheduleType, form: &ScheduleForm) -> Result<(Days, u64, u64)> {
    let takes = |name: &str| match kind {
        ScheduleType::Daily => name == "hours",
        ScheduleType::Weekly | ScheduleType::Monthly | ScheduleType::Calendar => name != "months",
        ScheduleType::Annually => true,
    };
    if let Some(name) = form.named_selectors().find(|name| !takes(name)) {
        return Err(Error::invalid(format!("schedule.{name}: a {} schedule has none", kind.as_str())));
    }
    let needed = |name: &'static str, selector: &Option<Selector>| match selector {
        Some(selector) => Ok(selector.clone()),
        None => Err(Error::invalid(format!("schedule.{name}: a {} schedule needs it", kind.as_str()))),
    };
    let hours = needed("hours", &form.hours)?;
    let hours = bits("hours", &hours, "an hour from 0 to 23", |text| number(text, 0, 23))?;
    let of_month = || {
        let expected = "a day from 1 to 31, or L for the last day of the month";
        bits("days", &needed("days", &form.days)?, expected, |text| match text {
            "L" => Some(LAST_DAY),
            text => number(text, 1, 31),
        })
    };
    let pattern = |months, of_month, of_week| Days::Pattern { months, of_month, of_week };
    let days = match kind {
        ScheduleType::Daily => pattern(ALL_MONTHS, None, None),
        ScheduleType::Weekly => {
            // A range of the published form begins on Monday: MON to SUN is the whole week.
            let selector = needed("days", &form.days)?;
            let from_monday = |text: &str| weekday(text).map(|day| (day + 6) % 7);
            let week = bits("days", &selector, "one of MON, TUE, WED, THU, FRI, SAT, SUN", from_monday)?;
            pattern(ALL_MONTHS, None, Some(((week << 1) & 0b111_1111) | (week >> 6)))
        }
        ScheduleType::Monthly => pattern(ALL_MONTHS, Some(of_month()?), None),
        ScheduleType::Annually => {
            let months = needed("months", &form.months)?;
            let months = bits("months", &months, "a month from 1 to 12", |text| number(text, 1, 12))?;
            pattern(months, Some(of_month()?), None)
        }
        ScheduleType::Calendar => Days::Dates(dates(&needed("days", &form.days)?)?),
    };
    Ok((days, hours, 1))
}

/// The bits that a selector chooses.
fn bits(name: &str, selector: &Selector, expected: &str, read: impl Fn(&str) -> Option<u32>) -> Result<u64> {
    let read = |text: &String| {
        read(text).ok_or_else(|| {
            Error::invalid(format!("schedule.{name}: {} is not valid: expected {expected}", shown(text)))
        })
    };
    match chosen(name, selector)? {
        Chosen::Values(values) => {
            values.iter().try_fold(0, |bits, text| read(text).map(|bit| bits | (1 << bit)))
        }
        Chosen::Range(first, last, step) => {
            let (first, last) = (read(first)?, read(last)?);
            in_order(name, first, last)?;
            Ok((first..=last).step_by(step).fold(0, |bits, bit| bits | (1 << bit)))
        }
    }
}

/// The dates that a selector chooses.
fn dates(selector: &Selector) -> Result<BTreeSet<NaiveDate>> {
    let read = |text: &String| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| {
            Error::invalid(format!(
                "schedule.days: {} is not valid: expected a date such as 2026-03-31",
                shown(text)
            ))
        })
    };
    match chosen("days", selector)? {
        Chosen::Values(values) => values.iter().map(read).collect(),
        Chosen::Range(first, last, step) => {
            let (first, last) = (read(first)?, read(last)?);
            in_order("days", first, last)?;
            let dates: BTreeSet<_> = first
                .iter_days()
                .step_by(step)
                .take_while(|date| *date <= last)
                .take(VALUES_MAX + 1)
                .collect();
            if dates.len() > VALUES_MAX {
                return Err(Error::invalid(format!(
                    "schedule.days: the range has more than {VALUES_MAX} dates: expected fewer"
                )));
            }
            Ok(dates)
        }
    }
}

enum Chosen<'s> {
    Values(&'s [String]),
    Range(&'s String, &'s String, usize),
}

/// What a selector chooses from, whatever its values mean. The published document gives an interval to ranges only, and one
/// of its examples has it with a list, where it chooses nothing.
fn chosen<'s>(name: &str, selector: &'s Selector) -> Result<Chosen<'s>> {
    match (selector.kind, &selector.values[..]) {
        (SelectorType::List, values) if (1..=VALUES_MAX).contains(&values.len()) => {
            Ok(Chosen::Values(values))
        }
        (SelectorType::List, values) => Err(Error::invalid(format!(
            "schedule.{name}.values has {} values: expected 1 to {VALUES_MAX}",
            values.len()
        ))),
        (SelectorType::Range, [first, last]) => {
            let interval = selector.interval.unwrap_or(1);
            match usize::try_from(interval) {
                Ok(step) if step > 0 => Ok(Chosen::Range(first, last, step)),
                Ok(_) | Err(_) => Err(Error::invalid(format!(
                    "schedule.{name}.interval is {interval}: expected a number from 1"
                ))),
            }
        }
        (SelectorType::Range, values) => Err(Error::invalid(format!(
            "schedule.{name}.values has {} values: expected the two ends of a RANGE",
            values.len()
        ))),
    }
}

fn in_order<T: PartialOrd>(name: &str, first: T, last: T) -> Result<()> {
    if first <= last {
        return Ok(());
    }
    Err(Error::invalid(format!("schedule.{name}.values: the end of a RANGE is before its beginning")))
}

fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && (least..=most).contains(number))
}

/// A day of the week by its English abbreviation; 0 is Sunday.
fn weekday(text: &str) -> Option<u32> {
    position(&WEEKDAYS, text)
}

/// A month by its English abbreviation; 1 is January.
fn month(text: &str) -> Option<u32> {
    position(&MONTHS, text).map(|place| place + 1)
}

fn position(names: &[&str], text: &str) -> Option<u32> {
    let place = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests;
