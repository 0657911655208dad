//! `cargo xtask faults`: everything that can be broken under the service is broken, and nothing may be lost,
//! doubled, or served wrong.
//!
//! Each part drives the real binary over HTTP, writes down what was asked and answered (`history.rs`), looks
//! at the database and the files from outside (`database.rs`), and holds all of it against the same ten rules
//! (`rules.rs`). The short form takes minutes and is part of `cargo xtask test`; the long form takes hours.

pub mod database;
mod disk;
mod failpoints;
pub mod history;
mod injection;
mod model;
mod nodes;
mod postgres;
mod races;
pub mod rules;
mod settling;

use crate::failure::Result;
use crate::kill;
use crate::server::House;
use crate::setup;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// `cargo xtask faults`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The long form: hours instead of minutes
    #[arg(long)]
    pub long: bool,
    /// The parts [default: all]
    #[arg(value_name = "PART")]
    pub only: Vec<Part>,
    /// Number that decides what the clients do
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Kills [default: 200, or 10,000 in the long form]
    #[arg(long, value_name = "NUMBER")]
    pub kills: Option<u64>,
    /// Races of each kind [default: 500, or 10,000 in the long form]
    #[arg(long, value_name = "NUMBER")]
    pub races: Option<u64>,
    /// Go on with the kills of a long run that was broken off
    #[arg(long)]
    pub resume: bool,
}

impl Options {
    /// What `cargo xtask test` does.
    pub fn in_tests() -> Self {
        Self { binary: None, long: false, only: Vec::new(), seed: 1, kills: None, races: None, resume: false }
    }
}

/// A way to break things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// SIGKILL at random moments
    Kill,
    /// 64 clients start the same report in the same moment
    Starts,
    /// Cancels against the end of a run
    Cancels,
    /// Each write, sync, rename and unlink in turn fails or kills the process
    Inject,
    /// The process ends at every named step between two durable effects
    Failpoints,
    /// The disk is full, and has room again
    Disk,
    /// Several nodes on one PostgreSQL database, one of them killed
    Nodes,
    /// The task protocol, in every order of steps
    Model,
}

/// People in the organisation of the kills' short form: few, so that reports end between two kills.
const KILLED: u64 = 300;
/// People in the organisation of the parts that need many runs.
const SMALL: u64 = 200;

/// Runs the parts and prints the table and the totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = parts(workspace, &binary, options)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// What one part did.
struct Done {
    tally: Tally,
    /// What was done, in numbers.
    what: String,
}

impl Done {
    /// One passed for the part as a whole, or one failed for each fault.
    fn of(part: &str, what: String, faults: &[String]) -> Self {
        for fault in faults {
            println!("FAIL  {part}: {fault}");
        }
        let failed = faults.len() as u64;
        Self { tally: Tally { passed: u64::from(failed == 0), failed, skipped: 0 }, what }
    }
}

impl Done {
    fn skipped(part: &str, why: &dyn std::fmt::Display) -> Self {
        let mut tally = Tally::default();
        tally.cannot_run(part, why, must_run_everything());
        Self { tally, what: format!("could not be run: {why}").lines().next().unwrap_or_default().to_owned() }
    }
}

/// Runs the parts; the table is printed even if one breaks off.
pub fn parts(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Tally> {
    let mut tally = Tally::default();
    if let Err(failure) = database::can_look() {
        tally.cannot_run("the fault tests", &failure, must_run_everything());
        return Ok(tally);
    }
    let mut table =
        vec!["| part | what was done | faults | took |".to_owned(), "|---|---|---|---|".to_owned()];
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        let name = part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let begun = Instant::now();
        let done = match part {
            Part::Kill => kills(workspace, binary, options),
            Part::Starts => starts(workspace, binary, options),
            Part::Cancels => cancels(workspace, binary, options),
            Part::Inject => inject(workspace, binary, options),
            Part::Failpoints => failpoints(workspace, binary, options),
            Part::Disk => full_disk(workspace, binary, options),
            Part::Nodes => nodes(workspace, binary, options),
            Part::Model => model::run(workspace).map(|(tally, states)| Done {
                tally,
                what: format!("{states} of the sound protocol; three broken ones found"),
            }),
        };
        let done = done.unwrap_or_else(|failure| {
            println!("FAIL  {name}: {failure}");
            Done { tally: Tally { failed: 1, ..Tally::default() }, what: format!("broke off: {failure}") }
        });
        let took = begun.elapsed().as_secs();
        table.push(format!("| {name} | {} | {} | {took} s |", done.what, done.tally.failed));
        println!("{}", table[table.len() - 1]);
        tally += done.tally;
    }
    println!("{}", table.join("\n"));
    Ok(tally)
}

fn kills(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let (rounds, identities) = if options.long { (10_000, 3_000) } else { (200, KILLED) };
    let rounds = options.kills.unwrap_or(rounds);
    let kill = kill::Options { binary: None, rounds, seed: options.seed, identities, resume: options.resume };
    let tally = kill::rounds(workspace, binary, &kill)?;
    Ok(Done { tally, what: format!("{rounds} kills, everything checked after them") })
}

/// A house in a folder of its own.
fn house(workspace: &Workspace, binary: &Path, name: &str) -> Result<House> {
    House::with_demo(binary, &workspace.fresh_folder(name)?.join("data"), SMALL)
}

fn races_of(options: &Options) -> u64 {
    options.races.unwrap_or(if options.long { 10_000 } else { 500 })
}

fn starts(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let house = house(workspace, binary, "faults-starts")?;
    let counts = races::starts(&house, races_of(options), options.seed)?;
    Ok(Done::of("starts", format!("{} races of 64 equal starts", counts.races), &counts.faults))
}

fn cancels(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let house = house(workspace, binary, "faults-cancels")?;
    let counts = races::cancels(&house, races_of(options), options.seed)?;
    let what = format!(
        "{} races: {} won by a cancel, {} by the finish",
        counts.races, counts.cancelled, counts.finished
    );
    Ok(Done::of("cancels", what, &counts.faults))
}

fn inject(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    if let Err(failure) = setup::strace().and_then(|()| injection::can_trace()) {
        return Ok(Done::skipped("inject", &failure));
    }
    let house = house(workspace, binary, "faults-inject")?;
    let folder = workspace.fresh_folder("faults-inject-cycles")?;
    let counts = injection::run(house, &folder, options.long)?;
    let what = format!(
        "{} cycles, in {} of them a call failed; {} clean refusals",
        counts.cycles, counts.hit, counts.refused
    );
    Ok(Done::of("inject", what, &counts.faults))
}

fn failpoints(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let house = house(workspace, binary, "faults-failpoints")?;
    let folder = workspace.fresh_folder("faults-failpoints-cycles")?;
    let counts = failpoints::run(house, &folder, options.long)?;
    let what = format!("{} steps, {} crashes at them", counts.steps, counts.crashes);
    Ok(Done::of("failpoints", what, &counts.faults))
}

fn full_disk(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let house = house(workspace, binary, "faults-disk")?;
    if let Err(failure) = disk::without_a_log(&house) {
        return Ok(Done::of("disk", "a log that takes nothing".into(), &[failure.to_string()]));
    }
    let disk = match disk::Disk::mount(&workspace.fresh_folder("faults-disk-mount")?) {
        Ok(disk) => disk,
        Err(failure) => return Ok(Done::skipped("disk", &failure)),
    };
    let counts = disk::run(&house, &disk, if options.long { 100 } else { 3 })?;
    let what = format!("filled {} times; {} clean refusals", counts.rounds, counts.refused);
    Ok(Done::of("disk", what, &counts.faults))
}

fn nodes(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Done> {
    let folder = workspace.fresh_folder("faults-nodes")?;
    if let Some(refusal) = nodes::refusal(binary, &folder)? {
        return Ok(Done::skipped("nodes", &refusal));
    }
    if let Err(failure) = setup::postgres() {
        return Ok(Done::skipped("nodes", &failure));
    }
    let counts = nodes::run(binary, &folder, if options.long { 50 } else { 1 })?;
    Ok(Done::of("nodes", counts.to_string(), &counts.faults))
}
