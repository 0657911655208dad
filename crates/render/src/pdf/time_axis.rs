//! Where the moments of a line are on its axis, and what is written below them.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// The moments of an axis.
#[derive(Debug, PartialEq)]
pub(super) struct TimeAxis {
    /// The place of each moment, from 0 to 1.
    pub(super) places: Vec<f64>,
    pub(super) labels: Vec<String>,
    /// The day of all moments, where their labels do not say it.
    pub(super) day: Option<String>,
}

impl TimeAxis {
    /// Places in proportion to time, if the names are moments in order; otherwise at even distances.
    pub(super) fn new(names: &[String]) -> Self {
        let moments: Option<Vec<NaiveDateTime>> = names.iter().map(|name| moment(name)).collect();
        let moments = moments.filter(|moments| moments.is_sorted());
        match moments.as_deref() {
            Some(moments @ [first, .., last]) if first < last => Self::in_proportion(moments, *first, *last),
            Some(_) | None => Self { places: even(names.len()), labels: names.to_vec(), day: None },
        }
    }

    fn in_proportion(moments: &[NaiveDateTime], first: NaiveDateTime, last: NaiveDateTime) -> Self {
        let seconds = |moment: &NaiveDateTime| {
            #[expect(clippy::cast_precision_loss, reason = "centuries have fewer than 2^53 seconds")]
            let seconds = (*moment - first).num_seconds() as f64;
            seconds
        };
        let places = moments.iter().map(|moment| seconds(moment) / seconds(&last)).collect();
        let span = last - first;
        let (form, day) = if first.date() == last.date() {
            let form = if span < TimeDelta::minutes(10) { "%H:%M:%S" } else { "%H:%M" };
            (form, Some(first.date().to_string()))
        } else if span < TimeDelta::days(3) {
            ("%Y-%m-%d %H:%M", None)
        } else {
            ("%Y-%m-%d", None)
        };
        let labels = moments.iter().map(|moment| moment.format(form).to_string()).collect();
        Self { places, labels, day }
    }
}

fn moment(name: &str) -> Option<NaiveDateTime> {
    let time = NaiveDateTime::parse_from_str(name, "%Y-%m-%d %H:%M:%S");
    let day = || Some(NaiveDate::parse_from_str(name, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
    time.ok().or_else(day)
}

#[expect(clippy::cast_precision_loss, reason = "a chart has few moments")]
fn even(count: usize) -> Vec<f64> {
    match count {
        1 => vec![0.5],
        _ => (0..count).map(|place| place as f64 / (count - 1) as f64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(names: &[&str]) -> TimeAxis {
        TimeAxis::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn moments_have_places_in_proportion() {
        // A week, of which the second moment is after one day.
        let week = axis(&["2026-11-20 02:00:00", "2026-11-21 02:00:00", "2026-11-27 02:00:00"]);
        assert_eq!(week.places, [0.0, 1.0 / 7.0, 1.0]);
        assert_eq!(week.labels, ["2026-11-20", "2026-11-21", "2026-11-27"]);
        let day = axis(&["2026-11-29 02:00:00", "2026-11-29 14:00:00"]);
        assert_eq!(
            (day.labels, day.day.as_deref()),
            (vec!["02:00".to_owned(), "14:00".to_owned()], Some("2026-11-29"))
        );
        let night = axis(&["2026-11-29 23:59:00", "2026-11-30 00:09:00"]);
        assert_eq!(night.labels, ["2026-11-29 23:59", "2026-11-30 00:09"]);
    }

    #[test]
    fn what_is_no_moment_or_not_in_order_has_even_distances() {
        for names in [["a", "2026-11-20", "c"], ["2026-11-22", "2026-11-20", "2026-11-21"]] {
            let axis = axis(&names);
            assert_eq!(axis.places, [0.0, 0.5, 1.0]);
            assert_eq!(axis.labels, names);
        }
        assert_eq!(axis(&["2026-11-20"]).places, [0.5]);
        assert_eq!(axis(&[]).places, [0.0; 0]);
    }
}
