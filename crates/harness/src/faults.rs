//! `cargo xtask faults`: the harness breaks everything that can be broken under the service, and nothing that was accepted
//! may be lost, done twice, or served wrong.
//!
//! Each part drives the real binary over HTTP, writes down requests and answers (`history.rs`), inspects the database and
//! the files from outside (`inspection.rs`), and checks all of it against the same ten rules (`rules.rs`). Schedules,
//! notifications and expiring results have rules of their own (`schedules/rules.rs`). The short form takes minutes and is
//! part of `cargo xtask test`; the long form takes hours. docs/harness.md has a table of the parts.

mod attacks;
mod bucket;
mod cycle;
mod disk;
mod failpoints;
mod injection;
mod model;
mod nodes;
mod outage;
mod races;
mod schedules;
mod tamper;

use crate::bucket::Store;
use crate::command;
use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::inspection;
use crate::install;
use crate::installation::{Installation, over_postgres};
use crate::kill;
use crate::postgres::Postgres;
use crate::progress::{self, PartOutcome, PartPlan, UnitOutcome};
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use clap::ValueEnum;
use failpoints::CrashPoint;
use injection::FailingCall;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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
    /// Kills [default: 50, or 10,000 in the long form]
    #[arg(long, value_name = "NUMBER")]
    pub kills: Option<u64>,
    /// Races of each kind [default: 100, or 10,000 in the long form]
    #[arg(long, value_name = "NUMBER")]
    pub races: Option<u64>,
    /// Services that are broken at the same time
    #[arg(long, default_value_t = 2)]
    pub lanes: usize,
    /// Begin nothing when so many minutes have passed; what was done is kept for `--resume`
    #[arg(long, value_name = "NUMBER")]
    pub minutes: Option<u64>,
    /// Continue parts that were interrupted
    #[arg(long)]
    pub resume: bool,
}

impl Options {
    /// The options with which `cargo xtask test` runs the parts.
    pub fn in_tests() -> Self {
        Self {
            binary: None,
            long: false,
            only: Vec::new(),
            seed: 1,
            kills: None,
            races: None,
            // Most of a failpoint's time is waiting for leases to end.
            lanes: 5,
            minutes: None,
            resume: false,
        }
    }
}

/// A way to break things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// SIGKILL at random moments
    Kill,
    /// 64 clients start the same report at the same moment
    Starts,
    /// Cancels against the end of a run
    Cancels,
    /// Each write, sync, rename and unlink in turn fails or kills the process
    Inject,
    /// The process ends at every failpoint, a named point between two durable effects
    Failpoints,
    /// The same over PostgreSQL
    FailpointsPostgres,
    /// The disk is full, and has room again
    Disk,
    /// Forged and wiped audit trails, a lost database, another database
    Tamper,
    /// Several nodes on one PostgreSQL database, one of them killed
    Nodes,
    /// SIGKILL while schedules fall due, notifications are sent, and the files of results expire
    Schedules,
    /// PostgreSQL restarts, crashes, cuts connections, is absent or silent, under two nodes
    Outage,
    /// Results in a bucket: SIGKILL, and a store that refuses, waits, is slow, or whose connections break
    Bucket,
    /// One client against all others; flipped bits, SQL that does not end, slow readers, forged packages
    Attacks,
    /// The task protocol, in every order of steps
    Model,
}

/// People in the organisation of the kills: few, so that reports end between two kills.
const KILLED: u64 = 300;
/// People in the organisation of the parts that need many runs.
const SMALL: u64 = 200;
/// Races of one unit in the long form, all on one start of the service.
const RACES_OF_UNIT: u64 = 500;
/// How often one disk is filled in the long form.
const FILLS_OF_UNIT: u64 = 10;

/// Runs the parts and prints the table and the totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = parts(workspace, &binary, options)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// What one part did, for the table.
struct PartRow {
    tally: Tally,
    /// What was done, in numbers.
    what: String,
    took_s: Option<u64>,
}

impl PartRow {
    /// One passed for the part as a whole, or one failed for each fault. `more` is a fault of all units together.
    fn of(done: &PartOutcome, what: String, more: Option<String>) -> Self {
        let failed = (done.all.faults.len() + usize::from(more.is_some())) as u64;
        if let Some(fault) = more {
            println!("FAIL  {fault}");
        }
        let what = match done.units == done.of {
            true => what,
            false => format!("{what} ({} of {} units)", done.units, done.of),
        };
        let tally = Tally { passed: u64::from(failed == 0), failed, skipped: 0 };
        Self { tally, what, took_s: Some(done.took_s) }
    }

    fn skipped(part: &str, why: &dyn std::fmt::Display) -> Self {
        let mut tally = Tally::default();
        tally.cannot_run(part, why, must_run_everything());
        let what = format!("could not be run: {why}").lines().next().unwrap_or_default().to_owned();
        Self { tally, what, took_s: None }
    }
}

/// Runs the parts; the table is printed even if one breaks off.
///
/// # Errors
/// When the table of the long form cannot be written.
pub fn parts(workspace: &Workspace, binary: &Path, options: &Options) -> Result<Tally> {
    let mut tally = Tally::default();
    if let Err(failure) = inspection::is_possible() {
        tally.cannot_run("the fault tests", &failure, must_run_everything());
        return Ok(tally);
    }
    let form = if options.long { "long" } else { "short" };
    let kept = workspace.cache()?.join("faults-done").join(form);
    let until = options.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut table =
        vec!["| part | what was done | faults | took |".to_owned(), "|---|---|---|---|".to_owned()];
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        let name = part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let begun = Instant::now();
        let this = PartRun {
            workspace,
            binary,
            options,
            plan: PartPlan {
                folder: &kept,
                part: &name,
                run: json!({"seed": options.seed, "kills": options.kills, "races": options.races}),
                resume: options.resume,
                lanes: options.lanes,
                until,
            },
        };
        let ended = this.part(*part).unwrap_or_else(|failure| {
            println!("FAIL  {name}: {failure}");
            let tally = Tally { failed: 1, ..Tally::default() };
            PartRow { tally, what: format!("broke off: {failure}"), took_s: None }
        });
        let took_s = ended.took_s.unwrap_or_else(|| begun.elapsed().as_secs());
        table.push(format!("| {name} | {} | {} | {took_s} s |", ended.what, ended.tally.failed));
        println!("{}", table[table.len() - 1]);
        if options.long {
            append(&kept, options.seed, &table[table.len() - 1])?;
        }
        tally += ended.tally;
    }
    println!("{}", table.join("\n"));
    Ok(tally)
}

/// Adds a row, with its date, to the table of all runs of the long form.
fn append(folder: &Path, seed: u64, row: &str) -> Result<()> {
    let path = folder.join("table.md");
    let date = command::output(Command::new("date").args(["-u", "+%F %H:%M"]))?;
    std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
    let file = File::options().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| writeln!(file, "| {} | seed {seed} {row}", date.trim()));
    println!("the table so far: {}", path.display());
    written.context(|| format!("{} cannot be written", path.display()))
}

/// A part that is being run.
struct PartRun<'a> {
    workspace: &'a Workspace,
    binary: &'a Path,
    options: &'a Options,
    plan: PartPlan<'a>,
}

impl PartRun<'_> {
    fn part(&self, part: Part) -> Result<PartRow> {
        match part {
            Part::Kill => self.kills(),
            Part::Starts => self.starts(),
            Part::Cancels => self.cancels(),
            Part::Inject => self.inject(),
            Part::Failpoints => self.failpoints(None),
            Part::FailpointsPostgres => self.failpoints_postgres(),
            Part::Disk => self.full_disk(),
            Part::Tamper => self.tampering(),
            Part::Nodes => self.nodes(),
            Part::Schedules => self.schedules(),
            Part::Outage => self.outages(),
            Part::Bucket => self.bucket(),
            Part::Attacks => self.attacks(),
            Part::Model => model::run(self.workspace).map(|(tally, states)| PartRow {
                tally,
                what: format!("{states} of the sound protocol; three broken ones found"),
                took_s: None,
            }),
        }
    }

    /// A number of the short or the long form.
    fn either(&self, short: u64, long: u64) -> u64 {
        if self.options.long { long } else { short }
    }

    /// An installation in a folder of its own.
    fn installation(&self) -> Result<Installation> {
        let folder = self.workspace.fresh_folder(&format!("faults-{}", self.plan.part))?;
        Installation::with_demo(self.binary, &folder.join("data"), SMALL)
    }

    /// A folder for the copies of a lane.
    fn lane(&self, lane: usize) -> Result<PathBuf> {
        Ok(self.workspace.cache()?.join(format!("faults-{}", self.plan.part)).join(format!("lane-{lane}")))
    }

    fn kills(&self) -> Result<PartRow> {
        let kill = kill::Options {
            binary: None,
            rounds: self.options.kills.unwrap_or(self.either(50, 10_000)),
            seed: self.options.seed,
            identities: KILLED,
            lanes: self.plan.lanes,
            resume: self.plan.resume,
        };
        let done = kill::rounds(self.workspace, self.binary, &kill, &self.plan)?;
        Ok(PartRow::of(&done, kill::summary(&done.all), None))
    }

    /// Runs races in units, one after another: each unit has enough clients to keep a machine busy.
    fn races(&self, race: impl Fn(u64, u64) -> Result<UnitOutcome> + Sync) -> Result<PartOutcome> {
        let races = self.options.races.unwrap_or(self.either(100, 10_000));
        let of_unit = RACES_OF_UNIT.min(races).max(1);
        let names: Vec<_> = (0..races.div_ceil(of_unit))
            .map(|unit| format!("{} to {}", unit * of_unit + 1, ((unit + 1) * of_unit).min(races)))
            .collect();
        progress::run_units(&PartPlan { lanes: 1, ..self.plan.clone() }, &names, |index, _| {
            let unit = index as u64;
            race(
                of_unit.min(races - unit * of_unit),
                self.options.seed.wrapping_mul(1_000_003).wrapping_add(unit),
            )
        })
    }

    fn starts(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        let done = self.races(|races, seed| races::starts(&installation, races, seed))?;
        let what = format!("{} races of 64 equal starts", done.all.count(races::RACES));
        Ok(PartRow::of(&done, what, None))
    }

    fn cancels(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        let done = self.races(|races, seed| races::cancels(&installation, races, seed))?;
        let what = format!(
            "{} races: {} won by a cancel, {} by the finish",
            done.all.count(races::RACES),
            done.all.count(races::CANCELLED),
            done.all.count(races::FINISHED)
        );
        Ok(PartRow::of(&done, what, None))
    }

    fn bucket(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        let folder = self.workspace.fresh_folder(&format!("faults-{}-store", self.plan.part))?;
        let store = match Store::start(self.workspace, &folder) {
            Ok(store) => store,
            Err(failure) => return Ok(PartRow::skipped("bucket", &failure)),
        };
        let names = bucket::names(self.either(1, 100));
        let done = progress::run_units(&self.plan, &names, |index, lane| {
            bucket::run(&installation, &store, &self.lane(lane)?, index, self.options.seed)
        })?;
        Ok(PartRow::of(&done, bucket::summary(&done.all), None))
    }

    fn attacks(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        let one_by_one = PartPlan { lanes: 1, ..self.plan.clone() };
        // One after another, on copies: what one attack leaves must not slow down the next one.
        let names = attacks::ATTACKS.map(|(name, _)| name.to_owned());
        let done = progress::run_units(&one_by_one, &names, |index, lane| {
            let copy = copy_installation(&installation, &self.lane(lane)?, None, "")?;
            Ok(attacks::run(&copy, index, self.options.seed))
        })?;
        let what = format!("{} of {} without harm", done.all.count(attacks::HARMLESS), names.len());
        Ok(PartRow::of(&done, what, None))
    }

    fn inject(&self) -> Result<PartRow> {
        if let Err(failure) = install::strace().and_then(|()| injection::can_trace()) {
            return Ok(PartRow::skipped("inject", &failure));
        }
        let prepared = cycle::prepare(self.installation()?)?;
        let kinds = FailingCall::every(self.options.long);
        let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        let done = progress::run_units(&self.plan, &names, |index, lane| {
            Ok(injection::run(&prepared, &self.lane(lane)?, kinds[index]))
        })?;
        let what = format!(
            "{} cycles, in {} of them a call failed; {} clean refusals",
            done.all.count(injection::CYCLES),
            done.all.count(injection::HIT),
            done.all.count(injection::REFUSED)
        );
        Ok(PartRow::of(&done, what, None))
    }

    fn failpoints(&self, postgres: Option<&Postgres>) -> Result<PartRow> {
        let installation = match postgres {
            None => self.installation()?,
            Some(postgres) => {
                let folder = self.workspace.fresh_folder(&format!("faults-{}", self.plan.part))?;
                let url = postgres.fresh_database("prepared", None)?;
                let settings = over_postgres(&url, &folder.join("shared"));
                Installation::with_demo_and(self.binary, &folder.join("data"), SMALL, settings)?
            }
        };
        let prepared = cycle::prepare(installation)?;
        let points = CrashPoint::every(postgres.is_some(), self.options.long);
        // Results are in a bucket at some of the failpoints over SQLite; without a store, each of these is a fault.
        let folder = self.workspace.fresh_folder(&format!("faults-{}-store", self.plan.part))?;
        let store = match postgres {
            None => Some(Store::start(self.workspace, &folder)?),
            Some(_) => None,
        };
        let names: Vec<_> = points.iter().map(CrashPoint::name).collect();
        let done = progress::run_units(&self.plan, &names, |index, lane| {
            Ok(failpoints::run(&prepared, postgres, store.as_ref(), &self.lane(lane)?, lane, &points[index]))
        })?;
        let count = failpoints::count(postgres.is_some());
        let what = format!("{count} failpoints, {} crashes at them", done.all.count(failpoints::CRASHES));
        Ok(PartRow::of(&done, what, None))
    }

    fn failpoints_postgres(&self) -> Result<PartRow> {
        if let Some(skipped) = self.without_postgres("failpoints over PostgreSQL")? {
            return Ok(skipped);
        }
        self.failpoints(Some(&Postgres::start("failpoints")?))
    }

    /// The row that says why a part that needs PostgreSQL cannot be run; `None` if it can.
    fn without_postgres(&self, part: &str) -> Result<Option<PartRow>> {
        let folder = self.workspace.fresh_folder(&format!("faults-{}", self.plan.part))?;
        if let Some(refusal) = nodes::refusal(self.binary, &folder)? {
            return Ok(Some(PartRow::skipped(part, &refusal)));
        }
        Ok(install::postgres().err().map(|failure| PartRow::skipped(part, &failure)))
    }

    fn full_disk(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        disk::without_a_log(&installation)?;
        let mounts = |lane: usize| Ok::<_, Failure>(self.lane(lane)?.join("mount"));
        if let Err(failure) = disk::Disk::mount(&mounts(0)?) {
            return Ok(PartRow::skipped("disk", &failure));
        }
        let (units, fills) = if self.options.long { (10, FILLS_OF_UNIT) } else { (1, 3) };
        let names: Vec<_> = (1..=units).map(|unit| format!("disk {unit}")).collect();
        let done = progress::run_units(&self.plan, &names, |_, lane| {
            disk::run(&installation, &disk::Disk::mount(&mounts(lane)?)?, fills)
        })?;
        let (filled, refused) = (done.all.count(disk::FILLED), done.all.count(disk::REFUSED));
        Ok(PartRow::of(&done, format!("filled {filled} times; {refused} clean refusals"), None))
    }

    fn tampering(&self) -> Result<PartRow> {
        let installation = self.installation()?;
        let done = progress::run_units(&self.plan, &["all".to_owned()], |_, lane| {
            Ok(tamper::run(&installation, &self.lane(lane)?))
        })?;
        let what = format!("{} attacks on copies", done.all.count(tamper::ATTACKS));
        Ok(PartRow::of(&done, what, None))
    }

    fn nodes(&self) -> Result<PartRow> {
        if let Some(skipped) = self.without_postgres("nodes")? {
            return Ok(skipped);
        }
        let folder = self.workspace.fresh_folder("faults-nodes")?;
        let rounds = if self.options.long { 50 } else { 2 };
        let done = nodes::run(self.binary, &folder, rounds, &self.plan)?;
        // The short form may run while the machine does other work, so it does not judge times.
        let too_slow = self.options.long.then(|| nodes::too_slow(&done.all)).flatten();
        Ok(PartRow::of(&done, nodes::summary(&done.all), too_slow))
    }

    /// Units of one process, and of two over PostgreSQL where it can be run.
    fn schedules(&self) -> Result<PartRow> {
        let without = self.without_postgres("schedules over PostgreSQL")?;
        let postgres = match without {
            Some(_) => None,
            None => Some(Postgres::start("schedules")?),
        };
        let one = self.installation()?;
        let two = match &postgres {
            None => None,
            Some(postgres) => {
                let folder =
                    self.workspace.cache()?.join(format!("faults-{}", self.plan.part)).join("postgres");
                std::fs::create_dir_all(&folder)
                    .context(|| format!("{} cannot be made", folder.display()))?;
                let settings =
                    over_postgres(&postgres.fresh_database("prepared", None)?, &folder.join("shared"));
                Some(Installation::with_demo_and(self.binary, &folder.join("data"), SMALL, settings)?)
            }
        };
        let (units, rounds) = (self.either(1, 10), self.either(8, 60));
        let kinds: Vec<_> =
            [(&one, None)].into_iter().chain(two.as_ref().map(|two| (two, postgres.as_ref()))).collect();
        let all: Vec<_> = (1..=units).flat_map(|unit| kinds.iter().map(move |kind| (unit, *kind))).collect();
        let name = |nodes: Option<_>| if nodes.is_some() { "two nodes" } else { "one process" };
        let names: Vec<_> = all.iter().map(|(unit, (_, nodes))| format!("{} {unit}", name(*nodes))).collect();
        let done = progress::run_units(&self.plan, &names, |index, lane| {
            let (unit, (prepared, nodes)) = &all[index];
            let seed = self.options.seed.wrapping_mul(1_009).wrapping_add(*unit);
            schedules::run(prepared, *nodes, &self.lane(lane)?, lane, rounds, seed)
        })?;
        let mut row = PartRow::of(&done, schedules::summary(&done.all), None);
        if let Some(skipped) = without {
            row.tally += skipped.tally;
            row.what = format!("{}; over PostgreSQL it {}", row.what, skipped.what);
        }
        Ok(row)
    }

    fn outages(&self) -> Result<PartRow> {
        if let Some(skipped) = self.without_postgres("outages of PostgreSQL")? {
            return Ok(skipped);
        }
        let away = Duration::from_secs(self.either(5, 60));
        let names = outage::names(self.either(1, 10));
        let done = progress::run_units(&self.plan, &names, |index, lane| {
            outage::run(self.binary, &self.lane(lane)?, SMALL, index, self.options.seed, away)
        })?;
        Ok(PartRow::of(&done, outage::summary(&done.all), None))
    }
}
