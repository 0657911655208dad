//! The date that a source's data carries: where a definition finds it, and what it means.
//!
//! Why here, once for all kinds of files: an export of the past is of the day on which it was made, whenever it is read.
//!
//! Invariants: a date means the end of that day in UTC, as it does to `muster refresh --as-of`; all files and all records
//! of a read have the same date, or the read fails; a read that should have a date and has none fails.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::pattern::matches;
use crate::reader::{ReadError, shown};

/// What stands in a pattern for the date.
const DATE: &str = "{date}";
/// What a message expects.
const EXPECTED: &str =
    "expected a date such as 2026-03-31 or 20260331, or a time such as 2026-03-31T12:00:00Z";

/// Where the date is that the data is of, the key `as_of` of a kind's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePlace {
    /// In the file's name: a pattern in which `{date}` stands for the date, `*` for any characters and `?` for one.
    FileName(String),
    /// In this column or attribute, with the same value in all records.
    Column(String),
}

impl DatePlace {
    /// The first fault, as the key and what is wrong with it.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        match self {
            Self::Column(name) if name.trim().is_empty() => {
                Some(("as_of.column".to_owned(), "must not be blank".to_owned()))
            }
            Self::Column(_) => None,
            Self::FileName(pattern) if pattern.matches(DATE).count() != 1 || pattern.contains('/') => {
                let wanted = "expected a file's name without its folder, in which {date} stands once";
                Some(("as_of.file_name".to_owned(), wanted.to_owned()))
            }
            Self::FileName(_) => None,
        }
    }

    /// The column in which the date is.
    pub(crate) fn column(&self) -> Option<&str> {
        match self {
            Self::Column(name) => Some(name),
            Self::FileName(_) => None,
        }
    }

    /// The date that all the files have in their names, where that is its place.
    ///
    /// # Errors
    /// A name has no date, or two names have different ones.
    pub(crate) fn of_names(&self, files: &[PathBuf]) -> Result<Option<DateTime<Utc>>, ReadError> {
        let Self::FileName(pattern) = self else { return Ok(None) };
        let mut first: Option<(&str, DateTime<Utc>)> = None;
        for path in files {
            let refuse = |reason| ReadError::Settings { path: path.display().to_string(), reason };
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let (text, at) = date_in(pattern, name).ok_or_else(|| {
                refuse(format!("as_of.file_name: the name has no date as in {pattern:?}: {EXPECTED}"))
            })?;
            match first {
                None => first = Some((text, at)),
                Some((_, earlier)) if earlier == at => {}
                Some((earlier, _)) => {
                    return Err(refuse(format!(
                        "as_of.file_name: the name has the date {text:?}, and that of another file {earlier:?}: expected \
                         one date of all files"
                    )));
                }
            }
        }
        Ok(first.map(|(_, at)| at))
    }
}

/// The time that a date means at `now`: today, which has not ended, means now. `None` if it is to come.
#[must_use]
pub fn not_to_come(date: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let end_of_today = end_of(now.date_naive());
    (date <= now || Some(date) == end_of_today).then(|| date.min(now))
}

/// The last moment of a day, as a clock gives it.
pub(crate) fn end_of(day: NaiveDate) -> Option<DateTime<Utc>> {
    day.and_hms_milli_opt(23, 59, 59, 999).map(|end| end.and_utc())
}

/// The date of a read that goes on.
#[derive(Debug, Default)]
pub(crate) enum ReadDate {
    /// The data carries none.
    #[default]
    None,
    /// It is known before the first record.
    Known(DateTime<Utc>),
    /// Every record has it in this column.
    InColumn { column: String, found: Option<Found> },
}

/// The date of the first record.
#[derive(Debug)]
pub(crate) struct Found {
    text: String,
    at: DateTime<Utc>,
    /// Where it is, for messages.
    place: String,
}

impl ReadDate {
    /// Of files that are about to be read.
    ///
    /// # Errors
    /// The date should be in their names and is not.
    pub(crate) fn of(place: Option<&DatePlace>, files: &[PathBuf]) -> Result<Self, ReadError> {
        let Some(place) = place else { return Ok(Self::None) };
        Ok(match place.column() {
            Some(column) => Self::InColumn { column: column.to_owned(), found: None },
            None => place.of_names(files)?.map_or(Self::None, Self::Known),
        })
    }

    /// Takes what a record has in the column; `cell` looks it up, and `place` names the record in messages.
    ///
    /// # Errors
    /// It is not a date, or it differs from that of the first record.
    pub(crate) fn see<'a>(
        &mut self,
        cell: impl FnOnce(&str) -> Option<&'a str>,
        place: impl FnOnce() -> String,
    ) -> Result<(), String> {
        let Self::InColumn { column, found } = self else { return Ok(()) };
        let text = cell(column).unwrap_or_default().trim();
        if found.as_ref().is_some_and(|found| found.text == text) {
            return Ok(());
        }
        let (name, place) = (shown(column), place());
        let Some(at) = moment(text) else {
            return Err(format!("as_of.column: {name} of {place} is not a date: {EXPECTED}"));
        };
        let earlier = found.get_or_insert_with(|| Found { text: text.to_owned(), at, place: place.clone() });
        if earlier.at == at {
            return Ok(());
        }
        Err(format!(
            "as_of.column: {name} is {:?} in {} and {text:?} in {place}: expected one date in all records",
            earlier.text, earlier.place
        ))
    }

    /// The date of the read; `is_whole` says that the input was read to its end.
    ///
    /// # Errors
    /// No record of the whole input has one.
    pub(crate) fn end(self, is_whole: bool) -> Result<Option<DateTime<Utc>>, String> {
        match self {
            Self::None => Ok(None),
            Self::Known(at) => Ok(Some(at)),
            Self::InColumn { found: Some(found), .. } => Ok(Some(found.at)),
            Self::InColumn { found: None, .. } if !is_whole => Ok(None),
            Self::InColumn { column, found: None } => {
                Err(format!("as_of.column: no record tells the date, which {} should", shown(&column)))
            }
        }
    }
}

/// The first and longest text of a name that is a date and stands where the pattern has it.
fn date_in<'a>(pattern: &str, name: &'a str) -> Option<(&'a str, DateTime<Utc>)> {
    let (before, behind) = pattern.split_once(DATE)?;
    let ends: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).collect();
    ends.iter().filter(|start| matches(before, &name[..**start])).find_map(|start| {
        let texts = ends.iter().rev().filter(|end| *end > start && matches(behind, &name[**end..]));
        texts.map(|end| &name[*start..*end]).find_map(|text| Some((text, moment(text)?)))
    })
}

/// The time that a text means, in whole milliseconds as a clock gives it: of a date the end of the day in UTC. Names of
/// files often cannot have colons, so both may be written without separators.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = match day(text) {
        Some(day) => end_of(day)?,
        None => {
            let (date, time) = text.split_once('T')?;
            match DateTime::parse_from_rfc3339(text) {
                Ok(time) => time.to_utc(),
                Err(_) => day(date)?.and_time(time_of_day(time)?).and_utc(),
            }
        }
    };
    DateTime::from_timestamp_millis(time.timestamp_millis())
}

/// A date as `2026-03-31` or `20260331`, in no other form.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let is_short = text.len() == 8;
    let is_shaped = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 if !is_short => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !is_shaped || !(is_short || text.len() == 10) {
        return None;
    }
    NaiveDate::parse_from_str(text, if is_short { "%Y%m%d" } else { "%Y-%m-%d" }).ok()
}

/// A time of the day in UTC, with or without a `Z`: `12:00:00`, `120000Z`.
pub(crate) fn time_of_day(text: &str) -> Option<NaiveTime> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let format = if text.contains(':') { "%H:%M:%S%.f" } else { "%H%M%S" };
    NaiveTime::parse_from_str(text, format).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn text(at: DateTime<Utc>) -> String {
        at.to_rfc3339()
    }

    #[test]
    fn a_date_is_the_end_of_its_day_and_a_time_is_that_time() {
        for (given, expected) in [
            ("2024-01-31", "2024-01-31T23:59:59.999+00:00"),
            ("20240229", "2024-02-29T23:59:59.999+00:00"),
            ("2024-01-31T08:30:00+02:00", "2024-01-31T06:30:00+00:00"),
            ("2024-01-31T08:30:00.123456Z", "2024-01-31T08:30:00.123+00:00"),
            ("2024-01-31T08:30:00", "2024-01-31T08:30:00+00:00"),
            ("20240131T083000Z", "2024-01-31T08:30:00+00:00"),
        ] {
            assert_eq!(moment(given).map(text).as_deref(), Some(expected), "{given}");
        }
        for given in [
            "",
            "2023-02-29",
            "2024-1-31",
            "24-01-31",
            "-2024-01-3",
            "+2024013",
            "2024/01/31",
            "31.01.2024",
            "202401311",
            "2024-01-31T",
            "2024-01-31 08:30:00",
            "yesterday",
            "2024-01-３1",
        ] {
            assert_eq!(moment(given), None, "{given}");
        }
    }

    #[test]
    fn today_is_now_and_no_time_is_to_come() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = time("2026-01-01T12:00:00Z");
        for (date, expected) in [
            ("2025-12-31T23:59:59.999Z", Some("2025-12-31T23:59:59.999Z")),
            ("2026-01-01T12:00:00Z", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01T23:59:59.999Z", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01T12:00:01Z", None),
            ("2026-01-02T23:59:59.999Z", None),
        ] {
            assert_eq!(not_to_come(time(date), now), expected.map(time), "{date}");
        }
    }

    #[test]
    fn the_date_is_where_the_pattern_has_it() {
        for (pattern, name, expected) in [
            ("people-{date}.csv", "people-2024-01-31.csv", Some("2024-01-31")),
            ("people-{date}.csv", "people-20240131.csv", Some("20240131")),
            ("people-{date}.csv", "people-20240131T083000Z.csv", Some("20240131T083000Z")),
            ("*{date}*", "v2-2024-01-31T08:30:00Z-full.csv", Some("2024-01-31T08:30:00Z")),
            ("*_{date}_part?.csv", "hr_20240131_part1.csv", Some("20240131")),
            ("{date}", "2024-01-31", Some("2024-01-31")),
            ("ü{date}ü", "ü2024-01-31ü", Some("2024-01-31")),
            ("people-{date}.csv", "people.csv", None),
            ("people-{date}.csv", "people-latest.csv", None),
            ("people-{date}.csv", "people-2024-01-31.csv.bak", None),
            ("people-{date}.csv", "People-2024-01-31.csv", None),
            ("people-{date}.csv", "people-2024-13-31.csv", None),
        ] {
            assert_eq!(date_in(pattern, name).map(|(text, _)| text), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_that_are_read_together_have_one_date() {
        let place = DatePlace::FileName("p-{date}-*.csv".to_owned());
        let of = |names: &[&str]| {
            place
                .of_names(&names.iter().map(PathBuf::from).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        let day = of(&["x/p-2024-01-31-1.csv", "x/p-20240131-2.csv"]).unwrap().unwrap();
        assert_eq!(text(day), "2024-01-31T23:59:59.999+00:00");
        assert_eq!(
            of(&["p-2024-01-31-1.csv", "p-2024-02-29-2.csv"]).unwrap_err(),
            "p-2024-02-29-2.csv: as_of.file_name: the name has the date \"2024-02-29\", and that of another file \
             \"2024-01-31\": expected one date of all files"
        );
        assert_eq!(
            of(&["p-1.csv"]).unwrap_err(),
            "p-1.csv: as_of.file_name: the name has no date as in \"p-{date}-*.csv\": expected a date such as 2026-03-31 \
             or 20260331, or a time such as 2026-03-31T12:00:00Z"
        );
    }

    #[test]
    fn patterns_and_columns_that_can_be_used() {
        let pattern = |text: &str| DatePlace::FileName(text.to_owned()).fault();
        assert_eq!(pattern("a-{date}.csv"), None);
        for wrong in ["a.csv", "{date}{date}", "x/{date}", ""] {
            assert_eq!(pattern(wrong).unwrap().0, "as_of.file_name", "{wrong}");
        }
        assert_eq!(DatePlace::Column(" ".to_owned()).fault().unwrap().0, "as_of.column");
    }
}
