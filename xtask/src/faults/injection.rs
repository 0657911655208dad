//! System calls that fail, one at a time: EIO, ENOSPC, or the process killed in the call.
//!
//! One cycle is run under `strace` again and again: what an earlier process left is swept, a task that was accepted
//! before is run, another is started, both are waited for, fetched, fetched with an audit event, one more is
//! cancelled, and the service stops. Each time another call on a durable file fails: `strace` counts calls of one
//! thread, so the number says "the Nth of every thread"; where every index is tried, each file has its turn, so that
//! one thread makes the calls. Only calls on the database, its log, the folder of results and the result's own file
//! count; the wake-up of a thread or a line of the log is nothing that a disk refuses. Afterwards a clean service on
//! the same folder must bring everything to its end, and the history of both must break no rule.

use super::ground;
use super::history::{Client, History, Kept, Reply, When};
use super::record::Counted;
use super::rules;
use super::settling::{look_settled, start_in_the_end, wait_ended};
use crate::api::Report;
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::kill::SETTINGS;
use crate::server::{House, Server, TENANT};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What happens in a call.
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];
/// Groups of calls that are counted together.
const CALLS: [&str; 5] =
    ["write", "pwrite64", "fsync,fdatasync", "rename,renameat,renameat2", "unlink,unlinkat"];
/// Indexes of the short form.
const SAMPLE: [u64; 2] = [1, 4];
/// Indexes are tried until this many in a row were not reached.
const MISSES_MAX: u64 = 3;
/// No cycle makes more calls of one group in one thread.
const INDEX_MAX: u64 = 2_000;
/// Cycles of a unit between two lines that say how far it is.
const SAID: u64 = 50;
/// Epochs that the prepared task may have, each with file names of its own.
const EPOCHS: u64 = 5;
/// What attempts of a dead process may have left of the prepared task, to be swept.
const LEFT: [&str; 2] = ["4.report.csv.tmp", "5.report.csv"];
/// How long a process may take to be gone that is being killed: its connections break first.
const DYING: Duration = Duration::from_millis(300);
/// The same, where it does not answer any more.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a task is waited for while there is a fault.
const WATCHED: Duration = Duration::from_secs(30);

/// Whose calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// All of the following together.
    Everything,
    /// The database's file.
    Database,
    /// The database's log.
    Log,
    /// The result's file, under both its names, and the folder of results.
    Results,
}

/// Calls of one kind that fail in one way, each in turn.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    target: Target,
    calls: &'static str,
    fault: &'static str,
    /// Every index, and not a sample.
    all: bool,
}

impl Kind {
    /// All of them: for every index apart for each target, so that the calls of a group come from one thread.
    pub fn every(all: bool) -> Vec<Self> {
        let targets: &[Target] = match all {
            true => &[Target::Database, Target::Log, Target::Results],
            false => &[Target::Everything],
        };
        let of = |target: &Target| {
            let target = *target;
            FAULTS.into_iter().flat_map(move |fault| CALLS.map(|calls| Self { target, calls, fault, all }))
        };
        targets.iter().flat_map(of).collect()
    }

    /// What it is called.
    pub fn name(self) -> String {
        let target = match self.target {
            Target::Everything => "everything",
            Target::Database => "database",
            Target::Log => "log",
            Target::Results => "results",
        };
        let calls = self.calls.split(',').next().unwrap_or_default();
        let fault = self.fault.rsplit('=').next().unwrap_or_default();
        format!("{target} {calls} {fault}")
    }
}

/// The words under which is counted.
pub const CYCLES: &str = "cycles";
/// Cycles in which a call was made to fail.
pub const HIT: &str = "hit";
/// Calls answered with a clean 5xx.
pub const REFUSED: &str = "clean refusals";

/// A data directory with one accepted task that no worker has seen.
pub struct Prepared {
    /// The house.
    pub house: House,
    /// The task.
    pub task: String,
    /// The history of its start.
    pub kept: Kept,
    /// Number of the last task before it.
    pub after: u64,
}

/// Whether `strace` works here: it must be installed and allowed to trace.
pub fn can_trace() -> Result<()> {
    command::output(Command::new("strace").args(["-D", "-f", "-o", "/dev/null", "true"])).map(drop)
}

/// Runs the cycles of a kind.
pub fn run(prepared: &Prepared, folder: &Path, kind: Kind) -> Counted {
    let mut outcome = Counted::default();
    let indexes: Vec<u64> = if kind.all { (1..=INDEX_MAX).collect() } else { SAMPLE.to_vec() };
    let mut misses = 0;
    for index in indexes {
        let inject = format!("inject={}:{}:when={index}", kind.calls, kind.fault);
        outcome.add(CYCLES, 1);
        match cycle(prepared, folder, kind.target, &inject, &mut outcome) {
            Ok(true) => {
                outcome.add(HIT, 1);
                misses = 0;
            }
            Ok(false) => misses += 1,
            Err(failure) => outcome.faults.push(format!("number {index}: {failure}")),
        }
        if misses >= if kind.all { MISSES_MAX } else { 1 } {
            break;
        }
        if index % SAID == 0 {
            println!("inject: {}: {index} so far, {} faults", kind.name(), outcome.faults.len());
        }
    }
    outcome
}

/// Makes one of a house.
///
/// # Errors
/// When the task is not accepted.
pub fn prepare(house: House) -> Result<Prepared> {
    let after = ground::look(&History::default(), &house, When::Dead, 0)?;
    let mut settings = SETTINGS.to_vec();
    settings.push(("MUSTER__WORKER__COUNT", "0"));
    let server = house.serve(&settings)?;
    let history = History::default();
    let client = Client::new(&history, server.connect(&house.user)?, TENANT);
    let Reply::Accepted(task) = client.start(&house.reports()[0]) else {
        return Err(Failure::new("the first report was not accepted"));
    };
    server.stop()?;
    Ok(Prepared { house, task, kept: history.kept(), after })
}

/// One cycle on a copy. Whether a call was made to fail.
fn cycle(
    prepared: &Prepared,
    folder: &Path,
    target: Target,
    inject: &str,
    outcome: &mut Counted,
) -> Result<bool> {
    let house = ground::copied(&prepared.house, folder, None, "")?;
    let history = History::after(prepared.kept.clone());
    let log = folder.join("strace.log");
    let mut tasks = vec![prepared.task.clone()];
    for left in LEFT {
        let left = house.data.join("results").join(format!("{}.{left}", prepared.task));
        std::fs::write(&left, "a\r\n").context(|| format!("{} cannot be written", left.display()))?;
    }
    let strace = strace(&paths(&house.data, &prepared.task, target), &log, inject);
    let died = drive(&house, &history, house.spawn_under(&strace, &SETTINGS)?, &mut tasks)?;
    ground::look(&history, &house, When::Dead, prepared.after)?;

    let server = house.serve(&SETTINGS)?;
    let client = Client::new(&history, server.connect(&house.user)?, TENANT);
    for task in &tasks {
        wait_ended(&client, task)?;
        client.download(task, true);
    }
    look_settled(&history, &house, prepared.after)?;
    server.stop()?;
    let kept = history.kept();
    let refused = kept.calls.iter().filter(|call| matches!(call.reply, Reply::Failed(_))).count();
    outcome.add(REFUSED, refused as u64);
    let unnamed = ground::unnamed(&ground::results(&house), &kept, prepared.after)?;
    if let Some(fault) = rules::broken(&kept).into_iter().chain(unnamed).next() {
        return Err(Failure::new(fault));
    }
    let traced = std::fs::read_to_string(&log).context(|| format!("{} cannot be read", log.display()))?;
    Ok(traced.contains("(INJECTED)") || died)
}

/// One cycle on a service that something happens to: as far as it comes. Whether the process was dead before it
/// was told to end.
///
/// # Errors
/// When the service hangs, or answers as no contract knows.
pub fn drive(house: &House, history: &History, mut server: Server, tasks: &mut Vec<String>) -> Result<bool> {
    let Ok(()) = server.wait_ready() else {
        // It may refuse to start, or be dead, but it must not hang.
        return dead_or(server, "the service hangs at its start");
    };
    let Ok(api) = server.connect(&house.user) else {
        return dead_or(server, "there is no token");
    };
    let client = Client::new(history, api, TENANT);
    let reports = house.reports();
    // A second report, which must be accepted in the end, unless the process is dead.
    let second = start_in_the_end(&client, &reports[1])?;
    tasks.extend(second);
    for task in tasks.iter() {
        watch(&client, task);
        client.download(task, false);
        client.download(task, true);
    }
    cancel_one(&client, &reports[2], tasks);
    if server.ends_within(DYING) {
        return Ok(true);
    }
    // The database is closed, too, where something happens to it.
    Ok(!server.end()?.success())
}

/// A process that does not answer must be dead.
fn dead_or(mut server: Server, fault: &str) -> Result<bool> {
    if server.ends_within(PATIENCE) { Ok(true) } else { Err(Failure::new(fault)) }
}

fn cancel_one(client: &Client<'_>, report: &Report, tasks: &mut Vec<String>) {
    if let Reply::Accepted(id) = client.start(report) {
        client.cancel(&id);
        tasks.push(id);
    }
}

/// Looks until it has ended or nobody answers, within bounds.
fn watch(client: &Client<'_>, task: &str) {
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        if !matches!(client.look(task), Reply::Live | Reply::Failed(_)) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The files and folders of a target.
fn paths(data: &Path, task: &str, target: Target) -> Vec<PathBuf> {
    let results = data.join("results");
    let mut of_results = vec![results.clone()];
    for epoch in 1..=EPOCHS {
        for end in ["", ".tmp"] {
            of_results.push(results.join(format!("{task}.{epoch}.report.csv{end}")));
        }
    }
    let (database, log) = (data.join("muster.db"), data.join("muster.db-wal"));
    match target {
        Target::Everything => [vec![database, log], of_results].concat(),
        Target::Database => vec![database],
        Target::Log => vec![log],
        Target::Results => of_results,
    }
}

/// `strace` as the process that becomes the service, with one fault.
fn strace(paths: &[PathBuf], log: &Path, inject: &str) -> Vec<String> {
    let mut words: Vec<String> =
        ["strace", "-D", "-f", "-qq", "-e", &format!("trace={}", CALLS.join(",")), "-e", inject, "-o"]
            .map(str::to_owned)
            .into();
    words.push(log.display().to_string());
    for path in paths {
        words.extend(["-P".to_owned(), path.display().to_string()]);
    }
    words
}
