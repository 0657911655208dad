//! `cargo xtask test`: everything, with one line of totals at the end.

use crate::clients;
use crate::command;
use crate::failure::Result;
use crate::kill;
use crate::setup;
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo, must_run_everything};

/// Installs what the tests need, runs them all, and prints the totals as the last line.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let mut tally = Tally::default();
    let lucene = setup::lucene();
    let binary = workspace.binary(None)?;

    let mut tests = cargo();
    tests.current_dir(&workspace.root).args(["test", "--release", "--workspace", "--no-fail-fast"]);
    match lucene {
        Ok(()) => {
            tests.env("MUSTER_REQUIRE_LUCENE", "1");
        }
        Err(failure) => tally.cannot_run("the comparison with Lucene", &failure, must_run_everything()),
    }
    let mut counted = Tally::default();
    let succeeded = command::watch(&mut tests, |line| {
        counted += Tally::from_cargo_line(line).unwrap_or_default();
    })?;
    if !succeeded && counted.failed == 0 {
        println!("FAIL  cargo test ended before its tests did");
        counted.failed += 1;
    }
    tally += counted;

    let clients = clients::suites(workspace, binary.clone(), clients::DEFAULT_IDENTITIES);
    tally += counted_or_failed("the published clients", clients);
    let kills = kill::rounds(workspace, &binary, &kill::Options::in_tests());
    tally += counted_or_failed("kill", kills);
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// A suite that broke off is one failure, so that the totals are printed whatever happens.
fn counted_or_failed(name: &str, suite: Result<Tally>) -> Tally {
    suite.unwrap_or_else(|failure| {
        println!("FAIL  {name}: {failure}");
        Tally { failed: 1, ..Tally::default() }
    })
}
