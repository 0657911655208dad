//! What becomes of times and memory when an organisation is ten times as large.

use super::benchmark::{Benchmark, PATIENCE, Row, sample_report};
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use super::process;
use super::reports::report_of;
use muster_harness::failure::Result;
use muster_harness::installation::muster;

/// The row.
pub const ROWS: [Row; 1] =
    [Row { name: "growth", what: "growth with the organisation", is_extra: true, measure }];
const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const REPORTS: [&str; 3] = ["details", "search-nested", "search-everything"];

fn measure(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for people in SIZES {
        match of_size(benchmark, row, people) {
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

fn of_size(benchmark: &Benchmark<'_>, row: &Row, people: u64) -> Result<Vec<Entry>> {
    let data = benchmark.kept(people)?;
    let folder = benchmark.folder(row)?;
    let refresh = || -> Result<Sample> {
        let mut refresh = muster(&benchmark.binary, &data.installation.data);
        refresh.envs(data.installation.settings.iter().cloned()).args(["refresh", "--full"]);
        let took = process::run(&mut refresh, &folder, PATIENCE)?.or_fail("muster refresh")?;
        Ok(Sample {
            figure: took.seconds,
            processor: Some(took.processor),
            peak_kib: Some(took.peak_kib),
            ..Sample::default()
        })
    };
    let entry = |what: &str| Entry::new(format!("{people} people: {what}"), OURS, Unit::Seconds);
    let mut entries = in_turn(benchmark.numbers.runs, vec![Contender::new(entry("full refresh"), refresh)]);
    for name in REPORTS {
        let report = report_of(&data.installation, name)?;
        let server = data.installation.serve(&[])?;
        let api = server.connect(&data.installation.user)?;
        // The first run opens the tables.
        sample_report(&server, &api, &report)?;
        let once = || -> Result<Sample> { Ok(sample_report(&server, &api, &report)?.1) };
        entries.extend(in_turn(benchmark.numbers.runs, vec![Contender::new(entry(name), once)]));
        server.stop()?;
    }
    Ok(entries)
}
