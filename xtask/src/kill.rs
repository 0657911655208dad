//! `cargo xtask kill`: SIGKILL at random moments, and nothing that was accepted may be lost.
//!
//! Each round starts the real binary on the same data directory, lets clients start, poll, fetch and cancel
//! reports over HTTP, and kills the process at a moment that the seed decides, sometimes while it is still
//! coming up. Blocks of rounds go on side by side, each on a data directory of its own. From time to time, and at the end, it is left alone until everything has ended. Then
//! - every task whose id a client got in a whole answer is there and ended as it had to: cancelled if a
//!   cancel was confirmed, else with the status that the same report has when nobody kills anything;
//! - its file is, byte for byte, the file of that undisturbed run: same snapshot, same arguments, same bytes;
//! - no download ended cleanly with anything else, at any time;
//! - the folder of results holds the files of successful tasks and nothing besides;
//! - what was asked, what was answered and what the database held after each kill break none of the ten rules
//!   of `faults/rules.rs`.

mod clients;
mod ledger;

use crate::api::Api;
use crate::failure::{Context, Failure, Result};
use crate::faults::history::{Client, History, When};
use crate::faults::record::{self, Counted, Done, Plan};
use crate::faults::settling::look_settled;
use crate::faults::{database, ground, rules};
use crate::random::Random;
use crate::server::{House, OTHER_TENANT, Server, TENANT};
use crate::workspace::Workspace;
use ledger::{Expected, Ledger};
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
    /// Services that are killed side by side
    #[arg(long, default_value_t = 2)]
    pub lanes: usize,
    /// Go on where an earlier run of as many rounds and the same seed was broken off
    #[arg(long)]
    pub resume: bool,
}

/// The word under which kills are counted.
const KILLS: &str = "kills";
/// Rounds on one house at most, after which the next begin on a fresh copy: so they can go on side by side, and what
/// was done before does not make each look longer.
const BLOCK_ROUNDS: u64 = 250;
/// Clients that work at the same time.
const CLIENTS: u64 = 3;
/// A kill comes at most this long after the service is ready.
const LIFE_MAX_MS: u64 = 400;
/// One round in so many is killed while the service is coming up.
const KILLED_AT_START: u64 = 8;
/// One round in so many begins with everything that is still open coming to its end.
const SETTLED: u64 = 25;
/// How long that may take.
const SETTLE_PATIENCE: Duration = Duration::from_secs(120);
/// Short leases, so that what a killed worker held is taken up again soon; as many attempts as there are
/// kills, because each one costs a task an attempt; no rate limit, because clients here do not rest.
pub const SETTINGS: [(&str, &str); 9] = [
    ("MUSTER__WORKER__LEASE_MS", "1500"),
    ("MUSTER__WORKER__HEARTBEAT_MS", "300"),
    ("MUSTER__WORKER__POLL_MS", "100"),
    ("MUSTER__WORKER__RETRY_FIRST_MS", "50"),
    ("MUSTER__WORKER__RETRY_MOST_MS", "200"),
    ("MUSTER__WORKER__ATTEMPTS_MAX", "1000000"),
    ("MUSTER__RATE_LIMIT__REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "1000000"),
];

/// Runs the rounds and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let plan = Plan {
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

/// What was done, in a line.
pub fn summary(all: &Counted) -> String {
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

/// Runs the rounds in blocks, each on a copy of the same house.
pub fn rounds(workspace: &Workspace, binary: &Path, options: &Options, plan: &Plan<'_>) -> Result<Done> {
    let folder = workspace.fresh_folder("kill")?;
    let house = House::with_demo(binary, &folder.join("data"), options.identities)?;
    let expected = undisturbed(&house)?;
    let block_rounds = BLOCK_ROUNDS.min(options.rounds.div_ceil(2)).max(1);
    let blocks: Vec<_> = (0..options.rounds.div_ceil(block_rounds))
        .map(|block| block * block_rounds + 1..=((block + 1) * block_rounds).min(options.rounds))
        .collect();
    let names: Vec<_> = blocks.iter().map(|block| format!("{} to {}", block.start(), block.end())).collect();
    record::units(plan, &names, |index, lane| {
        let copied = ground::copied(&house, &folder.join(format!("lane-{lane}")), None, "")?;
        block(&copied, Ledger::new(expected.clone()), options.seed, blocks[index].clone())
    })
}

/// Some rounds on one house, and the checks at their end.
fn block(house: &House, ledger: Ledger, seed: u64, rounds: RangeInclusive<u64>) -> Result<Counted> {
    let mut outcome = Counted::default();
    let mut stretch = Stretch::begin(house)?;
    let first = *rounds.start();
    for round in rounds {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(round));
        let settle = round != first && round % SETTLED == 0;
        if let Err(failure) = one_round(house, &ledger, &mut stretch, &mut random, settle) {
            ledger.note(failure.to_string());
        }
        outcome.add(KILLS, 1);
        outcome
            .faults
            .extend(ledger.take_faults().into_iter().map(|fault| format!("round {round}: {fault}")));
    }
    if let Err(failure) = last_checks(house, &ledger, &mut stretch) {
        ledger.note(failure.to_string());
    }
    outcome.faults.extend(ledger.take_faults());
    outcome.faults.extend(left_over(&house.data.join("results"), house)?);
    ledger.count(&mut outcome);
    Ok(outcome)
}

/// The history from one moment at which everything had ended to the next.
struct Stretch {
    history: History,
    /// Number of the last task before it.
    after: u64,
}

impl Stretch {
    fn begin(house: &House) -> Result<Self> {
        let after = database::look(&History::default(), &house.data, When::Dead, 0)?;
        Ok(Self { history: History::default(), after })
    }

    /// Holds it against the rules, and begins the next one.
    fn close(&mut self, house: &House, ledger: &Ledger) -> Result<()> {
        let last = look_settled(&self.history, house, self.after)?;
        rules::broken(&self.history.kept()).into_iter().for_each(|fault| ledger.note(fault));
        *self = Self { history: History::default(), after: last };
        Ok(())
    }
}

/// What each report gives when nobody kills anything.
fn undisturbed(house: &House) -> Result<Vec<Expected>> {
    let server = house.serve(&SETTINGS)?;
    let api = server.connect(&house.user)?;
    let mut expected = Vec::new();
    for report in house.reports() {
        let id = api.start(&report)?;
        let outcome = api.ended(&id, SETTLE_PATIENCE)?;
        let file = api.csv(&id)?;
        if file.status != 200 {
            return Err(Failure::new(format!("{} has no file without any kill", report.kind)));
        }
        expected.push(Expected::new(report, outcome, &file.body)?);
    }
    server.stop()?;
    Ok(expected)
}

fn one_round(
    house: &House,
    ledger: &Ledger,
    stretch: &mut Stretch,
    random: &mut Random,
    settle: bool,
) -> Result<()> {
    let mut server = house.spawn(&SETTINGS)?;
    if settle {
        server.wait_ready()?;
        // Where something has not settled, the stretch goes on to the next time.
        settle_all(&server.connect(&house.user)?, ledger)?;
        stretch.close(house, ledger)?;
    } else if random.below(KILLED_AT_START) == 0 {
        thread::sleep(Duration::from_millis(random.below(100)));
        server.kill()?;
        return database::look(&stretch.history, &house.data, When::Dead, stretch.after).map(drop);
    }
    server.wait_ready()?;
    let api = server.connect(&house.user)?;
    // A service may refuse another tenant's token as a whole.
    let foreign = server.connect(&house.stranger).ok();
    let life = Duration::from_millis(random.below(LIFE_MAX_MS));
    let seeds: Vec<_> = (0..CLIENTS).map(|_| random.next()).collect();
    let history = &stretch.history;
    thread::scope(|scope| {
        for seed in seeds {
            let client = Client::new(history, api.clone(), TENANT);
            let stranger = foreign.clone().map(|api| Client::new(history, api, OTHER_TENANT));
            scope.spawn(move || clients::work(&client, stranger.as_ref(), ledger, Random::new(seed)));
        }
        thread::sleep(life);
        server.kill()
    })?;
    database::look(history, &house.data, When::Dead, stretch.after).map(drop)
}

/// Waits until every accepted task has ended and holds each against what it had to become.
fn settle_all(api: &Api, ledger: &Ledger) -> Result<()> {
    for id in ledger.open_tasks() {
        let outcome = api.ended(&id, SETTLE_PATIENCE)?;
        let file = api.csv(&id)?;
        ledger.settle(&id, &outcome, &file);
    }
    Ok(())
}

/// Lets everything end, stops in order, starts again, and looks at every accepted task once more.
fn last_checks(house: &House, ledger: &Ledger, stretch: &mut Stretch) -> Result<()> {
    let server = house.serve(&SETTINGS)?;
    let settled = settle_all(&server.connect(&house.user)?, ledger);
    stretch.close(house, ledger)?;
    settled?;
    server.stop()?;
    let server = house.serve(&SETTINGS)?;
    ledger.reopen();
    settle_all(&server.connect(&house.user)?, ledger)?;
    server.stop()
}

/// Files of the results folder that are not a successful task's one file of a format.
fn left_over(results: &Path, house: &House) -> Result<Vec<String>> {
    let server: Server = house.serve(&SETTINGS)?;
    let api = server.connect(&house.user)?;
    let mut files = BTreeSet::new();
    let mut faults = Vec::new();
    let unreadable = || format!("{} cannot be listed", results.display());
    for entry in std::fs::read_dir(results).context(unreadable)? {
        let name = entry.context(unreadable)?.file_name().to_string_lossy().into_owned();
        if name == ground::TRASH {
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
