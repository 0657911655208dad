//! The demo made twice, and every report of it run twice, by an engine of two threads: all results are the same, byte for
//! byte.
//!
//! Why: if the order of rows depends on which of two threads is first, this shows only in tables with several batches of
//! rows, and a test of a file's content does not see it. Two demos differ only in the times of their refreshes, so each
//! time is replaced by its position among the times of its demo.

use crate::api::{Api, Report};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, SETTINGS};
use crate::tally::Tally;
use crate::workspace::Workspace;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// People: more than two batches of 8,192, and five times as many accounts.
const IDENTITIES: u64 = 20_000;
/// Threads of the engine.
const THREADS: (&str, &str) = ("MUSTER__ENGINE__THREADS", "2");
/// How long a report may take while the machine does other work.
const PATIENCE: Duration = Duration::from_secs(600);

/// Rows of each report and of the search, by kind.
type Results = BTreeMap<&'static str, Vec<u8>>;

/// Makes the demos and compares: one passed or failed for each kind of report.
///
/// # Errors
/// When a demo or a report fails.
pub fn demos(workspace: &Workspace, binary: &Path) -> Result<Tally> {
    let folder = workspace.fresh_folder("twice")?;
    let [(first, first_again), (second, second_again)] =
        [results(binary, &folder.join("first"))?, results(binary, &folder.join("second"))?];
    let (masked, other) = (masked(&first), masked(&second));
    let mut tally = Tally::default();
    for (kind, bytes) in &first {
        let mut differing = Vec::new();
        for (what, same) in [
            ("a second run of the first demo", first_again.get(kind) == Some(bytes)),
            ("a second run of the second demo", second_again.get(kind) == second.get(kind)),
            ("a second demo", other.get(kind) == masked.get(kind)),
        ] {
            if !same {
                differing.push(what);
            }
        }
        if differing.is_empty() {
            tally.passed += 1;
        } else {
            println!("FAIL  twice: {kind} has other bytes in {}", differing.join(", "));
            tally.failed += 1;
        }
    }
    if tally.failed == 0 {
        std::fs::remove_dir_all(&folder)
            .context(|| format!("folder {} cannot be removed", folder.display()))?;
    }
    Ok(tally)
}

/// A demo in `data`, and the results of two runs of every report.
fn results(binary: &Path, data: &Path) -> Result<(Results, Results)> {
    let settings = SETTINGS.iter().chain([&THREADS]);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let installation = Installation::with_demo_and(binary, data, IDENTITIES, settings.collect())?;
    let server = installation.serve(&[])?;
    let api = server.connect(&installation.user)?;
    let search = Report {
        kind: "SEARCH_EXPORT",
        arguments: json!({
            "query": "*",
            "indices": ["identities"],
            "columns": "id,name,accountCount,accessCount,entitlementCount,accounts.name,access.value,access.spread",
            "sort": ["name"],
        }),
    };
    let reports: Vec<Report> = installation.reports().into_iter().chain([search]).collect();
    let run = || reports.iter().map(|report| Ok((report.kind, rows(&api, report, data)?))).collect();
    let runs: (Result<Results>, Result<Results>) = (run(), run());
    server.stop()?;
    Ok((runs.0?, runs.1?))
}

/// The rows of a report that is run now.
fn rows(api: &Api, report: &Report, data: &Path) -> Result<Vec<u8>> {
    let id = api.start(report)?;
    let outcome = api.ended(&id, PATIENCE)?;
    if !outcome.has_file() {
        return Err(Failure::new(format!("{} ended in {}", report.kind, outcome.status)));
    }
    let answer = api.csv(&id)?;
    if answer.status != 200 {
        return Err(Failure::new(format!("the file of {} is answered with {}", report.kind, answer.status)));
    }
    if report.kind == "SEARCH_EXPORT" {
        member(&answer.body, &data.with_extension("zip"))
    } else {
        Ok(answer.body)
    }
}

/// The table of identities in an archive, which is written to `file`. Its cover has times of its own.
fn member(archive: &[u8], file: &Path) -> Result<Vec<u8>> {
    std::fs::write(file, archive).context(|| format!("{} cannot be written", file.display()))?;
    let read =
        "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('identities.csv'))";
    Ok(command::output(Command::new("python3").args(["-c", read]).arg(file))?.into_bytes())
}

/// The form of a time, with `0` for any digit.
const TIME: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

/// The results, with each time replaced by its position among all times.
fn masked(results: &Results) -> BTreeMap<&'static str, Vec<u8>> {
    let is_time = |bytes: &[u8]| {
        let mut pairs = bytes.iter().zip(TIME);
        bytes.len() == TIME.len()
            && pairs.all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit()))
    };
    let times = |bytes: &[u8]| -> Vec<usize> {
        let found = bytes.windows(TIME.len()).enumerate().filter(|(_, window)| is_time(window));
        found.map(|(at, _)| at).collect()
    };
    let text = |bytes: &[u8], at: usize| bytes[at..at + TIME.len()].to_vec();
    let found = results.values().flat_map(|bytes| times(bytes).into_iter().map(|at| text(bytes, at)));
    let known: BTreeSet<Vec<u8>> = found.collect();
    let places: BTreeMap<&Vec<u8>, usize> = known.iter().enumerate().map(|(at, time)| (time, at)).collect();
    let masked = |bytes: &Vec<u8>| {
        let mut bytes = bytes.clone();
        for at in times(&bytes) {
            let place = places.get(&text(&bytes, at)).copied().unwrap_or_default();
            bytes[at..at + TIME.len()].copy_from_slice(format!("time {place:019}").as_bytes());
        }
        bytes
    };
    results.iter().map(|(kind, bytes)| (*kind, masked(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_by_their_order_and_nothing_else_is_changed() {
        let results = |rows: &[u8]| Results::from([("ACCOUNTS", rows.to_vec())]);
        let first = results(b"a,2026-01-02T00:00:00.000Z,2026-01-01T23:59:59.999Z,2020-01-01\r\n");
        let later = results(b"a,2027-01-02T00:00:00.000Z,2026-12-01T23:59:59.999Z,2020-01-01\r\n");
        let other = results(b"a,2026-01-01T00:00:00.000Z,2026-01-01T23:59:59.999Z,2020-01-01\r\n");
        assert_eq!(masked(&first), masked(&later));
        assert_ne!(masked(&first), masked(&other));
        let text = String::from_utf8_lossy(&masked(&first)["ACCOUNTS"]).into_owned();
        assert_eq!(text, "a,time 0000000000000000001,time 0000000000000000000,2020-01-01\r\n");
    }
}
