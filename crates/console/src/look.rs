//! How values look on pages: times, states, numbers.

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use std::fmt;

/// What is shown where there is nothing.
pub(crate) const NOTHING: &str = "–";

/// A time in UTC. A script adds the browser's local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Option<DateTime<Utc>>);

impl Moment {
    /// The time of a text in RFC 3339.
    pub(crate) fn of(text: Option<&str>) -> Self {
        Self(text.and_then(|text| text.parse().ok()))
    }

    /// The time that a value of JSON has as text.
    pub(crate) fn of_value(value: &Value) -> Self {
        Self::of(value.as_str())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str(NOTHING),
            Some(at) => {
                let exact = at.to_rfc3339_opts(SecondsFormat::Secs, true);
                write!(
                    f,
                    r#"<time datetime="{exact}"><span>{} UTC</span></time>"#,
                    at.format("%Y-%m-%d %H:%M:%S")
                )
            }
        }
    }
}

// It writes a time and marks of its own.
impl HtmlSafe for Moment {}

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    Waiting,
    Running,
    Succeeded,
    Warned,
    Failed,
    Cancelled,
    Unknown,
}

impl RunState {
    /// From the status of an ended run, by any of the names that the API has for it.
    pub(crate) fn of(status: Option<&str>, has_begun: bool) -> Self {
        match status {
            None if has_begun => Self::Running,
            None => Self::Waiting,
            Some("SUCCESS") => Self::Succeeded,
            Some("WARNING") => Self::Warned,
            Some("ERROR" | "FAILURE") => Self::Failed,
            Some("TERMINATED") => Self::Cancelled,
            Some(_) => Self::Unknown,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Warned => "With warnings",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Unknown => "Unknown",
        }
    }

    /// A sign beside the word, so that nobody needs the colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Waiting => "◌",
            Self::Running => "◐",
            Self::Succeeded => "✓",
            Self::Warned => "!",
            Self::Failed => "✕",
            Self::Cancelled => "⊘",
            Self::Unknown => "?",
        }
    }

    /// The class of its colour.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Waiting | Self::Cancelled | Self::Unknown => "quiet",
            Self::Running => "live",
            Self::Succeeded => "good",
            Self::Warned => "warn",
            Self::Failed => "bad",
        }
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 KB`
pub(crate) fn bytes(number: u64) -> String {
    let units = [("GB", 1_000_000_000_u64), ("MB", 1_000_000), ("KB", 1_000)];
    match units.into_iter().find(|(_, size)| number >= *size) {
        Some((unit, size)) => {
            let tenths = u128::from(number) * 10 / u128::from(size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// `1 h 2 min`, `3 min 4 s`, `1.2 s`, `340 ms`
pub(crate) fn duration(time: TimeDelta) -> String {
    let ms = time.num_milliseconds().max(0);
    let s = ms / 1_000;
    match s {
        3_600.. => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        1..60 => format!("{s}.{} s", ms % 1_000 / 100),
        _ => format!("{ms} ms"),
    }
}

/// From one time to another, if both are known.
pub(crate) fn between(from: Moment, to: Moment) -> String {
    match (from.0, to.0) {
        (Some(from), Some(to)) => duration(to - from),
        _ => NOTHING.to_owned(),
    }
}

/// What is left of a run that began at `since` and has written `done` of `most` rows; nothing where that cannot be told.
pub(crate) fn time_left(since: Moment, (done, most): (u64, u64), now: DateTime<Utc>) -> String {
    let left = since.0.filter(|_| done > 0 && most >= done).and_then(|since| {
        let so_far = u128::try_from((now - since).num_milliseconds()).ok()?;
        let left = so_far * u128::from(most - done) / u128::from(done);
        TimeDelta::try_milliseconds(i64::try_from(left).ok()?)
    });
    left.map_or_else(String::new, |left| format!("about {} left", duration(left)))
}

/// Time since, roughly.
pub(crate) fn age(at: Moment, now: DateTime<Utc>) -> String {
    match at.0 {
        None => String::new(),
        Some(at) => match (now - at).num_days() {
            0 => format!("{} ago", duration(now - at)),
            1 => "1 day ago".to_owned(),
            days => format!("{days} days ago"),
        },
    }
}

/// A value of JSON as a person reads it.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), count),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(self::value).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, member)| format!("{name}: {}", self::value(member))).collect();
            members.join("; ")
        }
    }
}

/// The text of a member; nothing if it has none.
pub(crate) fn text(object: &Value, member: &str) -> String {
    value(&object[member])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in [(0, "0 B"), (999, "999 B"), (1_234, "1.2 KB"), (5_000_000_000, "5.0 GB")] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn durations_have_two_units() {
        let shown = |ms| duration(TimeDelta::milliseconds(ms));
        for (ms, expected) in [
            (-5, "0 ms"),
            (340, "340 ms"),
            (1_250, "1.2 s"),
            (184_000, "3 min 4 s"),
            (3_725_000, "1 h 2 min"),
        ] {
            assert_eq!(shown(ms), expected);
        }
    }

    #[test]
    fn times_are_in_utc_and_nothing_else_passes() {
        let shown = |text| Moment::of(Some(text)).to_string();
        assert_eq!(
            shown("2026-11-30T10:03:12.345+02:00"),
            r#"<time datetime="2026-11-30T08:03:12Z"><span>2026-11-30 08:03:12 UTC</span></time>"#
        );
        assert_eq!(shown("<script>"), "–");
        assert_eq!(Moment::of(None).to_string(), "–");
    }

    #[test]
    fn values_are_read_by_people() {
        let value = |json| value(&json);
        assert_eq!(value(json!({"a": [1000, "x"], "b": null, "c": true})), "a: 1,000, x; b: –; c: yes");
    }
}
