//! Every expected time was worked out by hand from a calendar and the rules of the time zone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn form(json: &str) -> ScheduleForm {
    serde_json::from_str(json).unwrap()
}

fn schedule(json: &str) -> Schedule {
    Schedule::check(&form(json), Tz::UTC).unwrap()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    schedule(&format!(r#"{{"cron":"{expression}","timeZoneId":"{zone}"}}"#))
}

/// The next times after one, as month, day, hour and minute in UTC.
fn times(schedule: &Schedule, after: &str, count: usize) -> String {
    let mut at = time(after);
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next_after(at) else {
            found.push("none".to_owned());
            break;
        };
        assert!(next > at, "times grow");
        assert_eq!(schedule.last_between(at, next), Some(next), "the same time, looked for backwards");
        at = next;
        found.push(next.format("%m-%d %H:%M").to_string());
    }
    found.join(", ")
}

#[test]
fn cron_fields_mean_what_cron_means() {
    // 2026-11-29 is a Sunday.
    let from = "2026-11-29T21:30:00Z";
    for (expression, expected) in [
        ("0 6 * * *", "11-30 06:00, 12-01 06:00, 12-02 06:00"),
        ("0 6 * * MON-FRI", "11-30 06:00, 12-01 06:00, 12-02 06:00"),
        ("30 21 * * 0", "12-06 21:30, 12-13 21:30, 12-20 21:30"),
        ("30 21 * * 7", "12-06 21:30, 12-13 21:30, 12-20 21:30"),
        ("*/20 22 * * *", "11-29 22:00, 11-29 22:20, 11-29 22:40"),
        ("5/25 0 * * *", "11-30 00:05, 11-30 00:30, 11-30 00:55"),
        ("0 0,12 1-3/2 dec,Jan *", "12-01 00:00, 12-01 12:00, 12-03 00:00"),
        ("0 0 L * *", "11-30 00:00, 12-31 00:00, 01-31 00:00"),
        // Either the day of the month or the day of the week.
        ("0 0 13 * FRI", "12-04 00:00, 12-11 00:00, 12-13 00:00"),
        ("0 0 */10 * *", "12-01 00:00, 12-11 00:00, 12-21 00:00"),
        ("0 0 31 2 *", "none"),
    ] {
        assert_eq!(times(&cron(expression, "UTC"), from, 3), expected, "{expression}");
    }
    assert_eq!(cron("0 0 29 2 *", "UTC").next_after(time(from)), Some(time("2028-02-29T00:00:00Z")));
    // 2100 is not a leap year: eight years without a 29 February.
    let before = time("2096-03-01T00:00:00Z");
    assert_eq!(cron("0 0 29 2 *", "UTC").next_after(before), Some(time("2104-02-29T00:00:00Z")));
}

#[test]
fn published_forms_mean_what_the_document_says() {
    let from = "2026-11-29T21:30:00Z";
    let list = |values: &str| format!(r#"{{"type":"LIST","values":[{values}]}}"#);
    let range = |first: &str, last: &str, interval: u32| {
        format!(r#"{{"type":"RANGE","values":["{first}","{last}"],"interval":{interval}}}"#)
    };
    let six = list(r#""6""#);
    for (json, expected) in [
        // The document's example: 9 to 18, every third hour.
        (
            format!(r#"{{"type":"DAILY","hours":{}}}"#, range("9", "18", 3)),
            "11-30 09:00, 11-30 12:00, 11-30 15:00, 11-30 18:00, 12-01 09:00",
        ),
        (
            format!(r#"{{"type":"WEEKLY","hours":{six},"days":{}}}"#, list(r#""MON","WED","FRI""#)),
            "11-30 06:00, 12-02 06:00, 12-04 06:00, 12-07 06:00, 12-09 06:00",
        ),
        (
            format!(r#"{{"type":"WEEKLY","hours":{six},"days":{}}}"#, range("FRI", "SUN", 1)),
            "12-04 06:00, 12-05 06:00, 12-06 06:00, 12-11 06:00, 12-12 06:00",
        ),
        (
            format!(r#"{{"type":"MONTHLY","hours":{six},"days":{}}}"#, list(r#""1","L""#)),
            "11-30 06:00, 12-01 06:00, 12-31 06:00, 01-01 06:00, 01-31 06:00",
        ),
        (
            format!(
                r#"{{"type":"ANNUALLY","hours":{six},"days":{},"months":{}}}"#,
                list(r#""L""#),
                range("3", "12", 3)
            ),
            "12-31 06:00, 03-31 06:00, 06-30 06:00, 09-30 06:00, 12-31 06:00",
        ),
        (
            // The document's example has an interval with a list of months.
            format!(
                r#"{{"type":"ANNUALLY","hours":{},"days":{},"months":{{"type":"LIST","values":["1"],"interval":3}}}}"#,
                list(r#""9""#),
                list(r#""1","7","14","L""#)
            ),
            "01-01 09:00, 01-07 09:00, 01-14 09:00, 01-31 09:00, 01-01 09:00",
        ),
        (
            format!(r#"{{"type":"CALENDAR","hours":{six},"days":{}}}"#, list(r#""2027-02-28","2026-12-24""#)),
            "12-24 06:00, 02-28 06:00, none",
        ),
        (
            format!(r#"{{"type":"CALENDAR","hours":{six},"days":{}}}"#, range("2026-12-24", "2026-12-31", 3)),
            "12-24 06:00, 12-27 06:00, 12-30 06:00, none",
        ),
        (
            format!(r#"{{"type":"DAILY","hours":{six},"expiration":"2026-12-01T06:00:00Z"}}"#),
            "11-30 06:00, 12-01 06:00, none",
        ),
    ] {
        assert_eq!(times(&schedule(&json), from, 5), expected, "{json}");
    }
}

/// In Berlin, 2026-03-29 has no 02:00 to 02:59, and 2026-10-25 has 02:00 to 02:59 twice.
#[test]
fn a_clock_that_is_set_forward_or_back_loses_and_doubles_nothing() {
    let berlin = |expression| cron(expression, "Europe/Berlin");
    // Winter: 02:30 is 01:30 UTC. The gap ends at 01:00 UTC. Summer: 02:30 is 00:30 UTC.
    assert_eq!(
        times(&berlin("30 2 * * *"), "2026-03-27T12:00:00Z", 3),
        "03-28 01:30, 03-29 01:00, 03-30 00:30"
    );
    // Two local times in the gap and the one at its end are one moment.
    assert_eq!(
        times(&berlin("0,30 2,3 * * *"), "2026-03-29T00:00:00Z", 3),
        "03-29 01:00, 03-29 01:30, 03-30 00:00"
    );
    // The first 02:30 is 00:30 UTC; the second, at 01:30 UTC, is not due.
    assert_eq!(times(&berlin("30 2 * * *"), "2026-10-24T12:00:00Z", 2), "10-25 00:30, 10-26 01:30");
    // A schedule of all hours is due in every hour that there is, each once.
    assert_eq!(
        times(&berlin("0 * * * *"), "2026-10-24T23:30:00Z", 4),
        "10-25 00:00, 10-25 01:00, 10-25 02:00, 10-25 03:00"
    );
    assert_eq!(
        times(&berlin("0 * * * *"), "2026-03-28T23:30:00Z", 4),
        "03-29 00:00, 03-29 01:00, 03-29 02:00, 03-29 03:00"
    );
    // Lord Howe's clock moves by half an hour: on 2026-10-04, 02:15 is 02:30, 15:30 UTC the day before.
    assert_eq!(
        times(&cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2),
        "10-03 15:30, 10-04 15:15"
    );
    // New York has no 02:30 on 2026-03-08; the gap ends at 07:00 UTC. In 2027 the clock is set forward on 14 March.
    assert_eq!(
        times(&cron("30 2 8 3 *", "America/New_York"), "2026-01-01T00:00:00Z", 2),
        "03-08 07:00, 03-08 07:30"
    );
}

#[test]
fn after_an_outage_the_last_missed_time_is_found() {
    let hourly = cron("0 * * * *", "UTC");
    let (after, now) = (time("2026-11-01T00:00:00Z"), time("2026-11-29T21:30:00Z"));
    assert_eq!(hourly.last_between(after, now), Some(time("2026-11-29T21:00:00Z")));
    assert_eq!(hourly.last_between(now, now), None);
    let yearly = cron("0 0 1 1 *", "UTC");
    assert_eq!(yearly.last_between(time("2020-06-01T00:00:00Z"), now), Some(time("2026-01-01T00:00:00Z")));
    assert_eq!(yearly.last_between(time("2026-01-01T00:00:00Z"), now), None);
    let expired = schedule(r#"{"cron":"0 0 * * *","expiration":"2026-11-10T12:00:00Z"}"#);
    assert_eq!(expired.last_between(after, now), Some(time("2026-11-10T00:00:00Z")));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let hours = r#""hours":{"type":"LIST","values":["6"]}"#;
    for (json, expected) in [
        ("{}".to_owned(), "schedule: expected `cron` or `type`"),
        (format!(r#"{{"cron":"0 6 * * *",{hours}}}"#), "schedule: send `cron` or `hours`, not both"),
        (r#"{"cron":"0 6 * *"}"#.to_owned(), "it has 4 fields: expected 5"),
        (r#"{"cron":"60 6 * * *"}"#.to_owned(), "\"60\" is not valid as minute: expected 0 to 59"),
        (r#"{"cron":"0 6 * * 5-1"}"#.to_owned(), "\"5-1\" is not valid as day of week"),
        (r#"{"cron":"0 6 +1 * *"}"#.to_owned(), "\"+1\" is not valid as day of month"),
        (r#"{"cron":"0 6 1,, * *"}"#.to_owned(), "\"\" is not valid as day of month"),
        (r#"{"cron":"0 L * * *"}"#.to_owned(), "\"L\" is not valid as hour"),
        (r#"{"cron":"0/0 6 * * *"}"#.to_owned(), "\"0/0\" is not valid as minute"),
        (r#"{"cron":"*5 6 * * *"}"#.to_owned(), "\"*5\" is not valid as minute"),
        (r#"{"cron":"0 6 *x * *"}"#.to_owned(), "\"*x\" is not valid as day of month"),
        (
            r#"{"cron":"0 6 * * *","timeZoneId":"Mars/Base"}"#.to_owned(),
            "schedule.timeZoneId: \"Mars/Base\" is not a time zone",
        ),
        (r#"{"type":"DAILY"}"#.to_owned(), "schedule.hours: a DAILY schedule needs it"),
        (format!(r#"{{"type":"WEEKLY",{hours}}}"#), "schedule.days: a WEEKLY schedule needs it"),
        (
            format!(r#"{{"type":"DAILY",{hours},"days":{{"type":"LIST","values":["MON"]}}}}"#),
            "schedule.days: a DAILY schedule has none",
        ),
        (
            r#"{"type":"DAILY","hours":{"type":"RANGE","values":["9","5"]}}"#.to_owned(),
            "schedule.hours.values: the end of a RANGE is before its beginning",
        ),
        (
            r#"{"type":"DAILY","hours":{"type":"RANGE","values":["9"]}}"#.to_owned(),
            "schedule.hours.values has 1 values: expected the two ends",
        ),
        (
            r#"{"type":"DAILY","hours":{"type":"RANGE","values":["1","9"],"interval":0}}"#.to_owned(),
            "schedule.hours.interval is 0: expected a number from 1",
        ),
        (
            r#"{"type":"DAILY","hours":{"type":"LIST","values":["24"]}}"#.to_owned(),
            "schedule.hours: \"24\" is not valid: expected an hour from 0 to 23",
        ),
        (
            format!(r#"{{"type":"CALENDAR",{hours},"days":{{"type":"LIST","values":["24.12.2026"]}}}}"#),
            "schedule.days: \"24.12.2026\" is not valid: expected a date",
        ),
    ] {
        let error = Schedule::check(&form(&json), Tz::UTC).unwrap_err();
        assert!(error.to_string().contains(expected), "{json}: {error}");
    }
    assert!(serde_json::from_str::<ScheduleForm>(r#"{"type":"HOURLY"}"#).is_err());
    assert!(serde_json::from_str::<ScheduleForm>(r#"{"minutes":"5"}"#).is_err());
}

#[test]
fn a_form_reads_back_and_has_a_short_text() {
    let json = r#"{"type":"DAILY","hours":{"type":"RANGE","values":["9","18"],"interval":3},"timeZoneId":"America/Chicago"}"#;
    assert_eq!(serde_json::to_string(&form(json)).unwrap(), json);
    assert_eq!(form(json).to_string(), "DAILY hours 9-18/3 America/Chicago");
    assert_eq!(form(r#"{"cron":"0 6 * * *"}"#).to_string(), "0 6 * * *");
    let list = r#"{"type":"DAILY","hours":{"type":"LIST","values":["9","18"],"interval":3}}"#;
    assert_eq!(serde_json::to_string(&form(list)).unwrap(), list);
    assert_eq!(form(list).to_string(), "DAILY hours 9,18");
}
