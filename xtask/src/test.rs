//! `cargo xtask test`: everything, with one line of totals at the end.

use crate::setup;
use muster_harness::failure::Result;
use muster_harness::tally::{CargoOutput, Tally};
use muster_harness::workspace::{Workspace, cargo, must_run_everything};
use muster_harness::{book, clients, command, console, faults, hostile, install, monitoring, twice};
use std::ffi::OsString;

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
    // What is installed must be used: a test that skips itself then fails.
    let needed = |is_there: bool| is_there.then(|| OsString::from("1"));
    let required = [
        ("MUSTER_REQUIRE_LUCENE", needed(lucene.is_ok())),
        ("MUSTER_REQUIRE_POSTGRES", needed(postgres.is_ok())),
        ("MUSTER_DELTA_PYTHON", delta.ok().map(OsString::from)),
        ("MUSTER_KAFKA_PYTHON", kafka.ok().map(OsString::from)),
    ];
    for arguments in RUNS {
        tally += cargo_test(workspace, arguments, &required)?;
    }

    let book = book::pages(workspace, &binary, "");
    tally += counted_or_failed("the book", book);
    let clients = clients::suites(workspace, binary.clone(), clients::DEFAULT_IDENTITIES);
    tally += counted_or_failed("the published clients", clients);
    let pages = console::pages(workspace, &binary, console::DEFAULT_IDENTITIES);
    tally += counted_or_failed("the console in a browser", pages);
    let twice = twice::demos(workspace, &binary);
    tally += counted_or_failed("the demo made twice", twice);
    let hostile = hostile::requests(workspace, &binary, false, 1);
    tally += counted_or_failed("hostile requests", hostile);
    let monitoring = monitoring::series(workspace, &binary);
    tally += counted_or_failed("the monitoring", monitoring);
    let faults = faults::parts(workspace, &binary, &faults::Options::in_tests());
    tally += counted_or_failed("faults", faults);
    println!("{tally}");
    Ok(tally.failed == 0)
}

fn cargo_test(
    workspace: &Workspace,
    arguments: &[&str],
    required: &[(&str, Option<OsString>)],
) -> Result<Tally> {
    let mut tests = cargo();
    tests.current_dir(&workspace.root).args(arguments);
    for (variable, value) in required {
        tests.envs(value.iter().map(|value| (variable, value)));
    }
    let mut output = CargoOutput::default();
    let succeeded = command::watch(&mut tests, |line| output.read(line))?;
    let mut counted = output.end();
    if !succeeded && counted.failed == 0 {
        println!("FAIL  cargo test ended before its tests did");
        counted.failed += 1;
    }
    Ok(counted)
}

/// A suite that broke off is one failure, so that the totals are printed whatever happens.
fn counted_or_failed(name: &str, suite: Result<Tally>) -> Tally {
    suite.unwrap_or_else(|failure| {
        println!("FAIL  {name}: {failure}");
        Tally { failed: 1, ..Tally::default() }
    })
}
