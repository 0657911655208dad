//! What becomes of times and memory when an organisation is ten times as large.

use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use super::ground::{Ground, PATIENCE, Row, sample_report};
use super::process;
use super::reports::report_of;
use muster_harness::failure::Result;
use muster_harness::installation::muster;

/// The row.
pub const ROWS: [Row; 1] =
    [Row { name: "growth", what: "growth with the organisation", is_extra: true, measure }];
const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const REPORTS: [&str; 3] = ["details", "search-nested", "search-everything"];

fn measure(ground: &Ground<'_>, row: &Row) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for people in SIZES {
        match of_size(ground, row, people) {
            Ok(measured) => entries.extend(measured),
            // A larger one will not do where a smaller one did not.
            Err(failure) => {
                let mut entry = Entry::failed(failure.to_string());
                entry.what = format!("{people} people");
                entries.push(entry);
                break;
            }
        }
    }
    Ok(entries)
}

fn of_size(ground: &Ground<'_>, row: &Row, people: u64) -> Result<Vec<Entry>> {
    let data = ground.kept(people)?;
    let folder = ground.folder(row)?;
    let refresh = || -> Result<Sample> {
        let mut refresh = muster(&ground.binary, &data.house.data);
        refresh.envs(data.house.settings.iter().cloned()).args(["refresh", "--full"]);
        let took = process::run(&mut refresh, &folder, PATIENCE)?.or_fail("muster refresh")?;
        Ok(Sample {
            figure: took.seconds,
            processor: Some(took.processor),
            peak_kib: Some(took.peak_kib),
            ..Sample::default()
        })
    };
    let entry = |what: &str| Entry::new(format!("{people} people: {what}"), OURS, Unit::Seconds);
    let mut entries = in_turn(ground.numbers.runs, vec![Contender::new(entry("full refresh"), refresh)]);
    for name in REPORTS {
        let report = report_of(&data.house, name)?;
        let server = data.house.serve(&[])?;
        let api = server.connect(&data.house.user)?;
        // The first run opens the tables.
        sample_report(&server, &api, &report)?;
        let once = || -> Result<Sample> { Ok(sample_report(&server, &api, &report)?.1) };
        entries.extend(in_turn(ground.numbers.runs, vec![Contender::new(entry(name), once)]));
        server.stop()?;
    }
    Ok(entries)
}
