//! `cargo xtask relay`: the tests of the audit relay with many events and a real broker, and then the whole service.
//!
//! Why it is not part of `cargo xtask test`: the broker, a Kafka in Rust, takes half an hour to build.

mod service;

use crate::command;
use crate::failure::{Context, Result};
use crate::install;
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo};
use std::path::PathBuf;

/// `cargo xtask relay`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The broker's program, tansu [default: installed with cargo, which takes half an hour the first time]
    #[arg(long, value_name = "FILE")]
    pub broker: Option<PathBuf>,
    /// 100,000 events in each run
    #[arg(long)]
    pub long: bool,
    /// Events in each run [default: 5,000]
    #[arg(long, value_name = "NUMBER")]
    pub events: Option<u64>,
    /// The tests whose names have this word [default: all of them, and then the whole service]
    #[arg(value_name = "WORD")]
    pub only: Option<String>,
}

/// The programs of others that the relay's tests need.
pub struct RelayPrograms {
    /// The broker.
    pub broker: PathBuf,
    /// A Python with Kafka's client.
    pub python: PathBuf,
}

/// Installs what is needed, runs the tests one after another, then the whole service. Each test prints its figures.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    install::postgres()?;
    install::stunnel()?;
    let broker = match &options.broker {
        Some(broker) => broker.canonicalize().context(|| format!("{} cannot be found", broker.display()))?,
        None => install::broker(workspace)?,
    };
    let programs = RelayPrograms { broker, python: install::python_with_kafka(workspace)? };
    let mut tally = tests(workspace, &programs, options)?;
    if options.only.is_none() {
        let binary = workspace.binary(options.binary.as_deref())?;
        tally += service::run(workspace, &binary, &programs, if options.long { 100 } else { 10 })?;
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

fn tests(workspace: &Workspace, programs: &RelayPrograms, options: &Options) -> Result<Tally> {
    let events = options.events.unwrap_or(if options.long { 100_000 } else { 5_000 });
    let mut tests = cargo();
    tests
        .current_dir(&workspace.root)
        // All packages, so that shared dependencies are built with the same features as everywhere.
        .args(["test", "--release", "--workspace", "--exclude", "muster-worker", "--test", "relay", "--"])
        .args(["--nocapture", "--test-threads", "1"])
        .args(&options.only)
        .env("MUSTER_RELAY_EVENTS", events.to_string())
        .env("MUSTER_REQUIRE_POSTGRES", "1")
        .env("MUSTER_KAFKA_PYTHON", &programs.python)
        .env("MUSTER_TANSU", &programs.broker);
    let mut tally = Tally::default();
    let succeeded = command::watch(&mut tests, |line| {
        tally += Tally::from_cargo_line(line).unwrap_or_default();
    })?;
    if !succeeded && tally.failed == 0 {
        println!("FAIL  cargo test ended before its tests did");
        tally.failed += 1;
    }
    Ok(tally)
}
