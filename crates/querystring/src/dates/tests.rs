//! Dates as Elasticsearch's documentation has them; each group names its page.

use chrono::{DateTime, Utc};

use super::{DateError, DateRange, Rounding, date_instant, date_range, date_term};
use crate::tree::Bound;

fn moment(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a date of the test").to_utc()
}

/// `now` of the examples in "Date Math".
fn now() -> DateTime<Utc> {
    moment("2001-01-01T12:00:00Z")
}

#[track_caller]
fn check(text: &str, down: &str, up: &str) {
    let written = |rounding| {
        let milliseconds = date_instant(text, now(), rounding).expect("a date").timestamp_millis();
        let moment = DateTime::from_timestamp_millis(milliseconds).expect("a moment");
        moment.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
    };
    assert_eq!((written(Rounding::Down).as_str(), written(Rounding::Up).as_str()), (down, up), "{text}");
}

#[test]
fn date_math_of_the_documentation() {
    // API conventions, "Date Math": the examples of its table.
    check("now", "2001-01-01T12:00:00.000", "2001-01-01T12:00:00.000");
    check("now+1h", "2001-01-01T13:00:00.000", "2001-01-01T13:00:00.000");
    check("now-1h", "2001-01-01T11:00:00.000", "2001-01-01T11:00:00.000");
    check("now-1h/d", "2001-01-01T00:00:00.000", "2001-01-01T23:59:59.999");
    check("2001-02-01||+1M/d", "2001-03-01T00:00:00.000", "2001-03-01T23:59:59.999");
    // Range query, "Date math and rounding": 2014-11-18||/M in the four kinds of bound.
    check("2014-11-18||/M", "2014-11-01T00:00:00.000", "2014-11-30T23:59:59.999");
}

#[test]
fn every_unit_adds_and_rounds() {
    // 2001-01-01 was a Monday; 2024-02-29 was a Thursday.
    check("2024-02-29T13:14:15.167Z||/y", "2024-01-01T00:00:00.000", "2024-12-31T23:59:59.999");
    check("2024-02-29T13:14:15.167Z||/M", "2024-02-01T00:00:00.000", "2024-02-29T23:59:59.999");
    check("2024-02-29T13:14:15.167Z||/w", "2024-02-26T00:00:00.000", "2024-03-03T23:59:59.999");
    check("2024-02-29T13:14:15.167Z||/d", "2024-02-29T00:00:00.000", "2024-02-29T23:59:59.999");
    check("2024-02-29T13:14:15.167Z||/h", "2024-02-29T13:00:00.000", "2024-02-29T13:59:59.999");
    check("2024-02-29T13:14:15.167Z||/m", "2024-02-29T13:14:00.000", "2024-02-29T13:14:59.999");
    check("2024-02-29T13:14:15.167Z||/s", "2024-02-29T13:14:15.000", "2024-02-29T13:14:15.999");
    check("2024-02-29||-1y", "2023-02-28T00:00:00.000", "2023-02-28T00:00:00.000");
    check("2024-01-31||+M", "2024-02-29T00:00:00.000", "2024-02-29T00:00:00.000");
    check("2024-02-29||+2w-1d+3H+4m-5s", "2024-03-13T03:03:55.000", "2024-03-13T03:03:55.000");
    check("now-7y/d", "1994-01-01T00:00:00.000", "1994-01-01T23:59:59.999");
    check("2024||", "2024-01-01T00:00:00.000", "2024-01-01T00:00:00.000");
}

#[test]
fn incomplete_dates_lack_what_the_documentation_says() {
    // Range query, "Missing date components": month 01, day 01, hour 23, minute 59, second 59.
    check("2099-12", "2099-12-01T00:00:00.000", "2099-12-01T23:59:59.999");
    check("2020", "2020-01-01T00:00:00.000", "2020-01-01T23:59:59.999");
    check("2020-05-02", "2020-05-02T00:00:00.000", "2020-05-02T23:59:59.999");
    check("2020-05-02T", "2020-05-02T00:00:00.000", "2020-05-02T23:59:59.999");
    check("2020-05-02T10", "2020-05-02T10:00:00.000", "2020-05-02T10:59:59.999");
    check("2020-05-02T10:11", "2020-05-02T10:11:00.000", "2020-05-02T10:11:59.999");
    check("2020-05-02T10:11:12Z", "2020-05-02T10:11:12.000", "2020-05-02T10:11:12.999");
    check("2020-05-02T10:11:12.5Z", "2020-05-02T10:11:12.500", "2020-05-02T10:11:12.500");
    check("2020-05-02T10:11:12.123456789+01:30", "2020-05-02T08:41:12.123", "2020-05-02T08:41:12.123");
    check("2020-05-02T10-0200", "2020-05-02T12:00:00.000", "2020-05-02T12:59:59.999");
    check("1420070400001", "2015-01-01T00:00:00.001", "2015-01-01T00:00:00.001");
    check("-1", "1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999");
}

#[test]
fn bounds_round_by_their_kind() {
    // Range query, "Date math and rounding".
    let bound = |limit: Option<&str>, inclusive| Bound { limit: limit.map(str::to_owned), inclusive };
    let open = bound(None, true);
    let day = |inclusive| bound(Some("2014-11-18||/M"), inclusive);
    let first = |lower: &Bound| date_range(lower, &open, now()).expect("a range").first;
    let last = |upper: &Bound| date_range(&open, upper, now()).expect("a range").last;
    let at = |text: &str| Some(moment(text).timestamp_millis());
    assert_eq!(first(&day(true)), at("2014-11-01T00:00:00Z"));
    assert_eq!(first(&day(false)), at("2014-12-01T00:00:00Z"));
    assert_eq!(last(&day(true)), at("2014-11-30T23:59:59.999Z"));
    assert_eq!(last(&day(false)), at("2014-10-31T23:59:59.999Z"));
    assert_eq!(date_range(&open, &open, now()), Ok(DateRange { first: None, last: None }));

    let whole_day = DateRange { first: at("2020-05-02T00:00:00Z"), last: at("2020-05-02T23:59:59.999Z") };
    assert_eq!(date_term("2020-05-02", now()), Ok(whole_day));
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "",
        "abc",
        "2020-",
        "2020-5",
        "2020-13",
        "2020-02-30",
        "2020-05-02T24",
        "2020-05-02 10:00",
        "2020-05-02T10:",
        "2020-05-02T10:11:12.Z",
        "2020-05-02T10:11:12.1234567890",
        "2020-05-02T10z",
        "2020-05-02+01:00",
        "é020",
        "+2020",
        "2020-05-02T10+",
        "2020-05-02T10+99:00",
    ] {
        let found = date_instant(text, now(), Rounding::Down);
        assert!(matches!(found, Err(DateError::Date(_))), "{text}: {found:?}");
    }
    for text in
        ["now ", "now+", "now+1", "now/2d", "now*1d", "now+1x", "nowadays", "2020||x", "now+99999999999d"]
    {
        let found = date_instant(text, now(), Rounding::Down);
        assert!(matches!(found, Err(DateError::Math(_))), "{text}: {found:?}");
    }
    for text in ["now+2147483647y", "99999999999999999", "99999999999999999999999"] {
        let found = date_instant(text, now(), Rounding::Up);
        assert!(matches!(found, Err(DateError::OutOfRange(_))), "{text}: {found:?}");
    }
}
