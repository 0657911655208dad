//! The time of a refresh: now, the requested time, or the date of the data.

use crate::installation::{HR, Installation};
use muster_engine::refresh::RefreshOutcome;

/// The date of the data of March.
const MARCH: &str = "2025-03-31T23:59:59.999+00:00";

/// The clock shows 1 January 2026 at first, and an hour more with each refresh.
fn installation() -> Installation {
    let mut installation = Installation::new();
    people(&mut installation, "2025-03-31", 2);
    applications(&mut installation, "apps-2025-02-28.csv", "{ file_name = \"apps-{date}.csv\" }");
    installation
}

/// An export with this many people, and a date of export in each row.
fn people(installation: &mut Installation, exported: &str, count: u32) {
    let rows: String = (1..=count).map(|n| format!("{n},N{n},m{n}@x,{exported}\n")).collect();
    let dated = HR.replace("path =", "as_of = { column = \"exported\" }\npath =");
    installation.source(&dated, "hr.csv", &format!("id,name,mail,exported\n{rows}"));
}

/// One account, in a file of this name.
fn applications(installation: &mut Installation, name: &str, as_of: &str) {
    for file in std::fs::read_dir(installation.dir.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("apps") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let head = "name = \"Apps\"\nkind = \"delimited\"\n[delimited]\npath = \"apps*.csv\"\nnative_identity = \"id\"\n";
    let as_of = if as_of.is_empty() { String::new() } else { format!("as_of = {as_of}\n") };
    installation.source(&format!("{head}{as_of}"), name, "id\na1\n");
}

fn dates(outcome: &RefreshOutcome) -> Vec<Option<String>> {
    outcome.sources.iter().map(|source| source.run.as_of.map(|at| at.to_rfc3339())).collect()
}

fn created(installation: &Installation) -> String {
    installation.manifest().created.to_rfc3339()
}

#[test]
fn the_newest_date_of_the_data_is_the_snapshots() {
    let mut installation = installation();
    let outcome = installation.refresh();
    let february = "2025-02-28T23:59:59.999+00:00";
    assert_eq!(dates(&outcome), [Some(february.to_owned()), Some(MARCH.to_owned())]);
    assert_eq!(created(&installation), MARCH);
    // The times in the snapshot and of its runs are that time.
    assert!(
        outcome.sources.iter().all(|s| s.run.started.to_rfc3339() == MARCH && s.run.ended == s.run.started)
    );
    let of_march = |installation: &Installation| {
        installation.search("created:2025-03-31", |_| {}).files["identities"].rows.len()
    };
    assert_eq!(of_march(&installation), 2);

    people(&mut installation, "2025-04-30T12:00:00Z", 3);
    let outcome = installation.refresh();
    assert_eq!(created(&installation), "2025-04-30T12:00:00+00:00");
    let run = |name: &str| outcome.sources.iter().find(|source| source.run.name == name).unwrap();
    // A new date of export changes no person.
    let hr = &run("HR").run;
    assert_eq!((hr.created, hr.updated, hr.unchanged), (1, 0, 2));
    assert!(run("Apps").carried);
    assert_eq!(run("Apps").run.as_of.map(|at| at.to_rfc3339()).as_deref(), Some(february));
    assert_eq!(of_march(&installation), 2);
    assert_eq!(installation.search("created:2025-04-30", |_| {}).files["identities"].rows.len(), 1);
}

#[test]
fn the_same_bytes_under_another_name_are_of_another_date() {
    let mut installation = installation();
    installation.refresh();
    applications(&mut installation, "apps-2025-05-31.csv", "{ file_name = \"apps-{date}.csv\" }");
    let outcome = installation.refresh();
    assert!(outcome.sources.iter().all(|source| source.carried));
    assert_eq!(dates(&outcome), [Some("2025-05-31T23:59:59.999+00:00".to_owned()), Some(MARCH.to_owned())]);
    assert_eq!(created(&installation), "2025-05-31T23:59:59.999+00:00");
}

#[test]
fn a_snapshot_is_later_than_the_last_one() {
    let mut installation = installation();
    installation.refresh();
    for exported in ["2025-03-31", "2025-03-30"] {
        people(&mut installation, exported, 3);
        let error = installation.try_refresh().unwrap_err();
        let (name, newest) = ("HR", format!("{exported}T23:59:59.999+00:00"));
        let expected = format!(
            "the newest data, that of {name:?}, is as of {newest}: expected a time after the last snapshot's, {MARCH}; \
             `muster refresh --as-of` gives another time"
        );
        assert_eq!(error, expected);
        assert_eq!(created(&installation), MARCH);
    }
    // The requested time decides. The data keeps its own date.
    installation.as_of = Some("2025-06-30T00:00:00Z".parse().unwrap());
    let outcome = installation.refresh();
    assert_eq!(created(&installation), "2025-06-30T00:00:00+00:00");
    assert_eq!(dates(&outcome)[1].as_deref(), Some("2025-03-30T23:59:59.999+00:00"));
    for (asked, expected) in [
        (
            "2025-06-30T00:00:00Z",
            "as of 2025-06-30T00:00:00+00:00: expected a time after the last snapshot's, 2025-06-30T00:00:00+00:00",
        ),
        ("2026-01-02T00:00:00Z", "as of 2026-01-02T00:00:00+00:00: expected no time to come"),
    ] {
        installation.as_of = Some(asked.parse().unwrap());
        assert_eq!(installation.try_refresh().unwrap_err(), expected);
    }
}

#[test]
fn data_without_a_date_is_of_now() {
    let mut installation = installation();
    applications(&mut installation, "apps.csv", "");
    let outcome = installation.refresh();
    assert_eq!(dates(&outcome), [None, Some(MARCH.to_owned())]);
    assert_eq!(created(&installation), "2026-01-01T01:00:00+00:00");
}

#[test]
fn data_of_a_time_to_come_fails_its_source_and_today_is_now() {
    let mut installation = installation();
    people(&mut installation, "2026-01-02", 2);
    let outcome = installation.refresh();
    let failures: Vec<_> = outcome.sources.iter().map(|source| source.failure.as_deref()).collect();
    let expected = "its data is as of 2026-01-02T23:59:59.999+00:00: expected no time to come";
    assert_eq!(failures, [None, Some(expected)]);
    assert!(outcome.manifest.is_none());
    // The other source continues without it, and has a date.
    installation.publish_incomplete = true;
    installation.refresh();
    assert_eq!(created(&installation), "2025-02-28T23:59:59.999+00:00");
    people(&mut installation, "2026-01-01", 2);
    installation.refresh();
    assert_eq!(created(&installation), "2026-01-01T03:00:00+00:00");
    // Today as the requested date means now, too.
    installation.as_of = Some("2026-01-01T23:59:59.999Z".parse().unwrap());
    installation.refresh();
    assert_eq!(created(&installation), "2026-01-01T04:00:00+00:00");
}

#[test]
fn a_name_without_a_date_fails_its_source() {
    let mut installation = installation();
    applications(&mut installation, "apps-new.csv", "{ file_name = \"apps-{date}.csv\" }");
    let outcome = installation.refresh();
    let failure = outcome.sources[0].failure.as_deref().unwrap();
    assert!(failure.contains("apps-new.csv: as_of.file_name: the name has no date as in"), "{failure}");
    assert!(outcome.manifest.is_none());
}
