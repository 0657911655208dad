//! `cargo xtask check`: what must hold before the tests are built. The quickest check runs first.

use crate::setup;
use crate::tidy;
use muster_harness::command;
use muster_harness::failure::Result;
use muster_harness::workspace::{Workspace, must_run_everything};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long the fetch of the database of advisories may take. It is on a git host, which not every machine can reach.
const FETCH_MAX: Duration = Duration::from_secs(180);

/// Checks tidy, formatting, lints, and what is known about the dependencies. Whether all of it is in order.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let tidy = tidy::run(workspace)?;
    command::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    let dependencies = dependencies(workspace)?;
    // The SDK can be given to others: what it needs is in the packages, with versions. Their code is compiled with ours.
    let packages =
        ["package", "-p", "muster-wire", "-p", "muster-client", "--no-verify", "--allow-dirty", "--quiet"];
    command::run(workspace.cargo().args(packages))?;
    for arguments in LINTED {
        command::run(lint(workspace).args(arguments.iter()))?;
    }
    Ok(tidy && dependencies)
}

/// What is linted: what the tests build, as they build it.
const LINTED: [&[&str]; 2] = [
    &["build", "--release", "--workspace", "--exclude", "muster-worker", "--bins", "--tests"],
    &["build", "--package", "muster-worker", "--tests"],
];
/// The program through which cargo compiles the crates of a workspace.
const COMPILER: &str = "RUSTC_WORKSPACE_WRAPPER";

/// A cargo whose builds lint our crates. `cargo clippy` would check each dependency as well, and the tests, which need
/// them built, cannot use what a check leaves: on a new machine that is a quarter of an hour. Where the environment has
/// cargo compile with clippy, the tests use this build; else our crates are not optimised, for the lints alone.
fn lint(workspace: &Workspace) -> Command {
    let mut build = workspace.cargo();
    if std::env::var_os(COMPILER).is_some() {
        return build;
    }
    for package in &workspace.packages {
        for setting in ["opt-level=0", "debug=false"] {
            build.arg("--config").arg(format!("profile.release.package.{package}.{setting}"));
        }
    }
    build.env(COMPILER, "clippy-driver").env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    build
}

/// Runs cargo-deny, which is built the first time. Whether it found nothing.
fn dependencies(workspace: &Workspace) -> Result<bool> {
    let program = match setup::cargo_deny(workspace) {
        Ok(program) => program,
        Err(failure) if must_run_everything() => {
            println!("FAIL  cargo-deny could not be built, and CI=true asks for everything: {failure}");
            return Ok(false);
        }
        Err(failure) => {
            println!("skip  dependencies: cargo-deny could not be built: {failure}");
            return Ok(true);
        }
    };
    let bans = asked(workspace, &program, &["check", "bans", "licenses", "sources"])?;
    let mut fetch = deny(workspace, &program, &["fetch", "db"]);
    // A host that wants a password must not ask for one.
    if !command::quietly_within(fetch.env("GIT_TERMINAL_PROMPT", "0"), FETCH_MAX)? {
        println!("skip  advisories: the database of advisories (RustSec) could not be fetched");
        return Ok(bans);
    }
    Ok(asked(workspace, &program, &["--offline", "check", "advisories"])? && bans)
}

/// Runs a check and prints a line about it. Whether it passes.
fn asked(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Result<bool> {
    match command::run(&mut deny(workspace, program, arguments)) {
        Ok(()) => {
            println!("ok    cargo-deny {}", arguments.join(" "));
            Ok(true)
        }
        Err(failure) => {
            println!("FAIL  {failure}");
            Ok(false)
        }
    }
}

fn deny(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    // It asks cargo for the packages, which must be those of the lock file.
    command.args(["--locked", "--log-level", "warn"]).args(arguments).current_dir(&workspace.root);
    command
}
