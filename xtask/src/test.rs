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
    let binary = workspace.built_binary()?;

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

    tally += clients::suites(workspace, binary.clone(), clients::DEFAULT_IDENTITIES)?;
    tally += kill::rounds(workspace, &binary, &kill::Options::in_tests())?;
    println!("{tally}");
    Ok(tally.failed == 0)
}
