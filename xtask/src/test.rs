//! `cargo xtask test`: everything, with one line of totals at the end.

use crate::setup;
use muster_harness::failure::Result;
use muster_harness::tally::{CargoOutput, Tally};
use muster_harness::workspace::{Workspace, must_run_everything};
use muster_harness::{book, clients, command, console, faults, hostile, install, monitoring, twice};
use std::ffi::OsString;
use std::time::Instant;

/// The worker is tested by itself: its virtual time is a feature of tokio, and with this feature everything above tokio,
/// DataFusion included, would be built a second time.
const RUNS: [&[&str]; 2] = [
    &["test", "--release", "--workspace", "--exclude", "muster-worker", "--no-fail-fast"],
    &["test", "--package", "muster-worker"],
];

/// Installs what the tests need, runs them all, and prints the totals as the last line.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let mut tally = Tally::default();
    let lucene = setup::lucene();
    let postgres = install::postgres();
    let delta = setup::python_with_delta(workspace);
    let kafka = install::python_with_kafka(workspace);
    let azurite = install::azurite(workspace);
    let mail = setup::mail_server();
    let binary = workspace.binary(None)?;

    if let Err(failure) = &lucene {
        tally.cannot_run("the comparison with Lucene", failure, must_run_everything());
    }
    if let Err(failure) = &postgres {
        tally.cannot_run("the tests on PostgreSQL", failure, must_run_everything());
    }
    if let Err(failure) = &delta {
        tally.cannot_run("reading the tables with other programs", failure, must_run_everything());
    }
    if let Err(failure) = &mail {
        tally.cannot_run("the tests of mail", failure, must_run_everything());
    }
    if let Err(failure) = &kafka {
        tally.cannot_run(
            "reading what was sent to Kafka with another client",
            failure,
            must_run_everything(),
        );
    }
    if let Err(failure) = &azurite {
        tally.cannot_run("results in Azure Blob Storage", failure, must_run_everything());
    }
    // What is installed must be used: a test that skips itself then fails.
    let needed = |is_there: bool| is_there.then(|| OsString::from("1"));
    let required = [
        ("MUSTER_REQUIRE_LUCENE", needed(lucene.is_ok())),
        ("MUSTER_REQUIRE_POSTGRES", needed(postgres.is_ok())),
        ("MUSTER_DELTA_PYTHON", delta.ok().map(OsString::from)),
        // It is in the same virtual environment.
        ("MUSTER_MOTO_SERVER", kafka.as_ref().ok().map(|python| python.with_file_name("moto_server").into())),
        ("MUSTER_AZURITE", azurite.ok().map(OsString::from)),
        ("MUSTER_KAFKA_PYTHON", kafka.ok().map(OsString::from)),
    ];
    let mut parts = Parts { tally, begun: Instant::now(), rows: Vec::new() };
    let mut failed = Vec::new();
    for arguments in RUNS {
        parts.run(&arguments.join(" "), || cargo_test(workspace, arguments, &required, &mut failed));
    }
    parts.run("the book", || book::pages(workspace, &binary, ""));
    parts.run("the published clients", || {
        clients::suites(workspace, binary.clone(), clients::DEFAULT_IDENTITIES)
    });
    parts.run("the console in a browser", || console::pages(workspace, &binary, console::DEFAULT_IDENTITIES));
    parts.run("the demo made twice", || twice::demos(workspace, &binary));
    parts.run("hostile requests", || hostile::requests(workspace, &binary, false, 1));
    parts.run("the monitoring", || monitoring::everything(workspace, &binary));
    parts.run("faults", || faults::parts(workspace, &binary, &faults::Options::in_tests()));
    // Again, because the end of a log is what is read first.
    failed.iter().for_each(|test| println!("FAIL  {test}"));
    println!("{}", parts.rows.join("\n"));
    println!("{}", parts.tally);
    Ok(parts.tally.failed == 0)
}

/// What was run, with the time that each part took: continuous integration has a limit, and the table says what uses it up.
struct Parts {
    tally: Tally,
    begun: Instant,
    rows: Vec<String>,
}

impl Parts {
    /// Runs a part. One that broke off is one failure, so that the totals are printed whatever happens.
    fn run(&mut self, name: &str, part: impl FnOnce() -> Result<Tally>) {
        let begun = Instant::now();
        let counted = part().unwrap_or_else(|failure| {
            println!("FAIL  {name}: {failure}");
            Tally { failed: 1, ..Tally::default() }
        });
        self.tally += counted;
        let row = format!(
            "took  {:>5} s, to {:>5} s: {name}: {counted}",
            begun.elapsed().as_secs(),
            self.begun.elapsed().as_secs()
        );
        println!("{row}");
        self.rows.push(row);
    }
}

fn cargo_test(
    workspace: &Workspace,
    arguments: &[&str],
    required: &[(&str, Option<OsString>)],
    failed: &mut Vec<String>,
) -> Result<Tally> {
    let mut tests = workspace.cargo();
    tests.args(arguments);
    for (variable, value) in required {
        tests.envs(value.iter().map(|value| (variable, value)));
    }
    let mut output = CargoOutput::default();
    let succeeded = command::watch(&mut tests, |line| output.read(line))?;
    failed.extend_from_slice(output.failed_tests());
    let mut counted = output.end();
    if !succeeded && counted.failed == 0 {
        println!("FAIL  cargo test ended before its tests did");
        counted.failed += 1;
    }
    Ok(counted)
}
