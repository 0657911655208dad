//! `cargo xtask kill`: SIGKILL at random moments, and nothing that was accepted may be lost.
//!
//! Each round starts the real binary on the same data directory, lets clients start, poll, fetch and cancel reports over
//! HTTP, and kills the process at a moment that the seed decides, sometimes while it still starts. Blocks of rounds run at
//! the same time, each on a data directory of its own. From time to time, and at the end, the service is left alone until
//! every task has ended. Then
//! - every task whose id a client got in a complete answer exists and has ended as it must: cancelled if a cancel was
//!   confirmed, otherwise with the status that the same report has when nobody kills anything;
//! - its file is, byte for byte, the file of that undisturbed run: same snapshot, same arguments, same bytes;
//! - no download ended cleanly with anything else, at any time;
//! - the folder of results has the files of successful tasks and no others;
//! - requests, answers, and what the database had after each kill break none of the ten rules
//!   (`crates/harness/src/rules.rs`).

mod clients;
mod ledger;

use crate::api::Api;
use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient};
use crate::inspection::inspect;
use crate::installation::{Installation, OTHER_TENANT, SETTINGS, TENANT, TRASH};
use crate::progress::{self, PartOutcome, PartPlan, UnitOutcome};
use crate::random::Random;
use crate::rules;
use crate::waiting::wait_until_quiet;
use crate::workspace::Workspace;
use ledger::{ExpectedResult, Ledger};
use serde_json::json;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// `cargo xtask kill`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Times that the service is killed
    #[arg(long, default_value_t = 200)]
    pub rounds: u64,
    /// Number that decides what the clients do and when the service is killed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// People in the organisation that is reported on
    #[arg(long, default_value_t = 3_000)]
    pub identities: u64,
    /// Services that are killed at the same time
    #[arg(long, default_value_t = 2)]
    pub lanes: usize,
    /// Continue an interrupted run with the same number of rounds and the same seed
    #[arg(long)]
    pub resume: bool,
}

/// The count of kills.
const KILLS: &str = "kills";
/// Most rounds on one installation; the next ones begin on a fresh copy. So blocks can run at the same time, and the tasks
/// of earlier rounds do not make each inspection longer.
const BLOCK_ROUNDS: u64 = 250;
/// Clients that work at the same time.
const CLIENTS: u64 = 3;
/// The longest time between the moment when the service is ready and the kill.
const LIFE_MAX_MS: u64 = 400;
/// In one of so many rounds, the service is killed while it starts.
const KILLED_AT_START: u64 = 8;
/// One of so many rounds begins by waiting until every open task has ended.
const SETTLED: u64 = 25;
/// How long a task may take to end.
const SETTLE_PATIENCE: Duration = Duration::from_secs(120);

/// Runs the rounds and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let plan = PartPlan {
        folder: &workspace.cache()?.join("kill-done"),
        part: "kill",
        run: json!({"rounds": options.rounds, "seed": options.seed, "identities": options.identities}),
        resume: options.resume,
        lanes: options.lanes,
        until: None,
    };
    let done = rounds(workspace, &binary, options, &plan)?;
    println!("kill: seed {}, {}, {} faults", options.seed, summary(&done.all), done.all.faults.len());
    Ok(done.all.faults.is_empty())
}

/// A line that says what was done.
pub(crate) fn summary(all: &UnitOutcome) -> String {
    format!(
        "{} kills; {} starts answered, {} tasks accepted, {} cancelled, {} clients cut off, {} files compared",
        all.count(KILLS),
        all.count(ledger::STARTS),
        all.count(ledger::ACCEPTED),
        all.count(ledger::CANCELLED),
        all.count(ledger::CUT_OFF),
        all.count(ledger::COMPARED)
    )
}

/// Runs the rounds in blocks, each on a copy of the same installation.
pub(crate) fn rounds(
    workspace: &Workspace,
    binary: &Path,
    options: &Options,
    plan: &PartPlan<'_>,
) -> Result<PartOutcome> {
    let folder = workspace.fresh_folder("kill")?;
    let installation = Installation::with_demo(binary, &folder.join("data"), options.identities)?;
    let expected = undisturbed(&installation)?;
    let block_rounds = BLOCK_ROUNDS.min(options.rounds.div_ceil(2)).max(1);
    let blocks: Vec<_> = (0..options.rounds.div_ceil(block_rounds))
        .map(|block| block * block_rounds + 1..=((block + 1) * block_rounds).min(options.rounds))
        .collect();
    let names: Vec<_> = blocks.iter().map(|block| format!("{} to {}", block.start(), block.end())).collect();
    progress::run_units(plan, &names, |index, lane| {
        let copied = copy_installation(&installation, &folder.join(format!("lane-{lane}")), None, "")?;
        block(&copied, Ledger::new(expected.clone()), options.seed, blocks[index].clone())
    })
}

/// Some rounds on one installation, and the checks at their end.
fn block(
    installation: &Installation,
    ledger: Ledger,
    seed: u64,
    rounds: RangeInclusive<u64>,
) -> Result<UnitOutcome> {
    let mut outcome = UnitOutcome::default();
    let mut stretch = Stretch::begin(installation)?;
    let first = *rounds.start();
    for round in rounds {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(round));
        let settle = round != first && round % SETTLED == 0;
        if let Err(failure) = one_round(installation, &ledger, &mut stretch, &mut random, settle) {
            ledger.note(failure.to_string());
        }
        outcome.add(KILLS, 1);
        outcome
            .faults
            .extend(ledger.take_faults().into_iter().map(|fault| format!("round {round}: {fault}")));
    }
    if let Err(failure) = last_checks(installation, &ledger, &mut stretch) {
        ledger.note(failure.to_string());
    }
    outcome.faults.extend(ledger.take_faults());
    outcome.faults.extend(unexpected_files(installation)?);
    ledger.count(&mut outcome);
    Ok(outcome)
}

/// The history between two moments at which every task had ended.
struct Stretch {
    history: History,
    /// The number of the last task before it.
    after: u64,
}

impl Stretch {
    fn begin(installation: &Installation) -> Result<Self> {
        let after = inspect(&History::default(), installation, Phase::Dead, 0)?;
        Ok(Self { history: History::default(), after })
    }

    /// Checks it against the rules, and begins the next one.
    fn close(&mut self, installation: &Installation, ledger: &Ledger) -> Result<()> {
        let last = wait_until_quiet(&self.history, installation, self.after)?;
        rules::broken(&self.history.recorded()).into_iter().for_each(|fault| ledger.note(fault));
        *self = Self { history: History::default(), after: last };
        Ok(())
    }
}

/// The result of each report when nobody kills anything.
fn undisturbed(installation: &Installation) -> Result<Vec<ExpectedResult>> {
    let server = installation.serve(&SETTINGS)?;
    let api = server.connect(&installation.user)?;
    let mut expected = Vec::new();
    for report in installation.reports() {
        let id = api.start(&report)?;
        let outcome = api.ended(&id, SETTLE_PATIENCE)?;
        let file = api.csv(&id)?;
        if file.status != 200 {
            return Err(Failure::new(format!("{} has no file without any kill", report.kind)));
        }
        expected.push(ExpectedResult::new(report, outcome, &file.body)?);
    }
    server.stop()?;
    Ok(expected)
}

fn one_round(
    installation: &Installation,
    ledger: &Ledger,
    stretch: &mut Stretch,
    random: &mut Random,
    settle: bool,
) -> Result<()> {
    let mut server = installation.spawn(&SETTINGS)?;
    if settle {
        server.wait_ready()?;
        // If a task has not ended, the stretch continues until the next time.
        settle_all(&server.connect(&installation.user)?, ledger)?;
        stretch.close(installation, ledger)?;
    } else if random.below(KILLED_AT_START) == 0 {
        thread::sleep(Duration::from_millis(random.below(100)));
        server.kill()?;
        return inspect(&stretch.history, installation, Phase::Dead, stretch.after).map(drop);
    }
    server.wait_ready()?;
    let api = server.connect(&installation.user)?;
    // A service may refuse another tenant's token as a whole.
    let foreign = server.connect(&installation.stranger).ok();
    let life = Duration::from_millis(random.below(LIFE_MAX_MS));
    let seeds: Vec<_> = (0..CLIENTS).map(|_| random.number()).collect();
    let history = &stretch.history;
    thread::scope(|scope| {
        for seed in seeds {
            let client = RecordingClient::new(history, api.clone(), TENANT);
            let stranger = foreign.clone().map(|api| RecordingClient::new(history, api, OTHER_TENANT));
            scope.spawn(move || clients::work(&client, stranger.as_ref(), ledger, Random::new(seed)));
        }
        thread::sleep(life);
        server.kill()
    })?;
    inspect(history, installation, Phase::Dead, stretch.after).map(drop)
}

/// Waits until every accepted task has ended, and compares each with what was promised.
fn settle_all(api: &Api, ledger: &Ledger) -> Result<()> {
    for id in ledger.open_tasks() {
        let outcome = api.ended(&id, SETTLE_PATIENCE)?;
        let file = api.csv(&id)?;
        ledger.settle(&id, &outcome, &file);
    }
    Ok(())
}

/// Lets every task end, stops the service, starts it again, and compares every accepted task once more.
fn last_checks(installation: &Installation, ledger: &Ledger, stretch: &mut Stretch) -> Result<()> {
    let server = installation.serve(&SETTINGS)?;
    let settled = settle_all(&server.connect(&installation.user)?, ledger);
    stretch.close(installation, ledger)?;
    settled?;
    server.stop()?;
    let server = installation.serve(&SETTINGS)?;
    ledger.reopen();
    settle_all(&server.connect(&installation.user)?, ledger)?;
    server.stop()
}

/// A line for each file in the folder of results that is not a successful task's only file of its format.
fn unexpected_files(installation: &Installation) -> Result<Vec<String>> {
    let server = installation.serve(&SETTINGS)?;
    let api = server.connect(&installation.user)?;
    let results = installation.results();
    let mut files = BTreeSet::new();
    let mut faults = Vec::new();
    let unreadable = || format!("{} cannot be listed", results.display());
    for entry in std::fs::read_dir(&results).context(unreadable)? {
        let name = entry.context(unreadable)?.file_name().to_string_lossy().into_owned();
        if name == TRASH {
            continue;
        }
        let task = name.split('.').next().unwrap_or_default().to_owned();
        let status = api.outcome(&task)?.map_or_else(|| "running".into(), |outcome| outcome.status);
        if name.ends_with(".tmp") {
            faults.push(format!("temporary file {name} was not swept"));
        } else if status != "SUCCESS" && status != "WARNING" {
            faults.push(format!("file {name} belongs to a task that is {status}"));
        } else if !files.insert((task, name.rsplit('.').next().unwrap_or_default().to_owned())) {
            faults.push(format!("file {name} is a second one of its task and format"));
        }
    }
    server.stop()?;
    Ok(faults)
}
