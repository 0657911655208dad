//! System calls that fail, one at a time: EIO, ENOSPC, or the process killed in the call.
//!
//! One cycle is run under `strace` again and again: a task that was accepted before is run, another is
//! started, both are waited for, fetched, fetched with an audit event, and one more is cancelled. Each time
//! another call on a durable file fails: `strace` counts calls of one thread, so the number says "the Nth of
//! every thread". Only calls on the database, its log, the folder of results and the result's own file count;
//! the wake-up of a thread or a line of the log is nothing that a disk refuses. Afterwards a clean service on
//! the same folder must bring everything to its end, and the history of both must break no rule.

use super::database;
use super::history::{Client, History, Kept, Reply, When};
use super::rules;
use super::settling::{start_in_the_end, wait_ended};
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
/// Epochs that the prepared task may have, each with file names of its own.
const EPOCHS: u64 = 5;
/// How long a process may take to be gone that is being killed: its connections break first.
const DYING: Duration = Duration::from_millis(300);
/// The same, where it does not answer any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a task is waited for beside a fault.
const WATCHED: Duration = Duration::from_secs(30);

/// What came out.
#[derive(Debug, Default)]
pub struct Counts {
    /// Cycles.
    pub cycles: u64,
    /// Of them, those in which a call was made to fail.
    pub hit: u64,
    /// Calls answered with a clean 5xx.
    pub refused: u64,
    /// What was wrong.
    pub faults: Vec<String>,
}

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

/// Runs the cycles: a sample of indexes, or all of them.
pub fn run(house: House, folder: &Path, all: bool) -> Result<Counts> {
    let prepared = prepare(house)?;
    let mut counts = Counts::default();
    for fault in FAULTS {
        for calls in CALLS {
            let mut misses = 0;
            let indexes: Vec<u64> = if all { (1..=INDEX_MAX).collect() } else { SAMPLE.to_vec() };
            for index in indexes {
                let case = format!("{calls} number {index} with {fault}");
                counts.cycles += 1;
                match cycle(&prepared, folder, &format!("inject={calls}:{fault}:when={index}"), &mut counts) {
                    Ok(true) => {
                        counts.hit += 1;
                        misses = 0;
                    }
                    Ok(false) => misses += 1,
                    Err(failure) => counts.faults.push(format!("{case}: {failure}")),
                }
                if misses >= if all { MISSES_MAX } else { 1 } {
                    break;
                }
            }
            println!(
                "inject: {calls}, {fault}: {} cycles so far, {} hit, {} faults",
                counts.cycles,
                counts.hit,
                counts.faults.len()
            );
        }
    }
    Ok(counts)
}

/// Makes one of a house.
///
/// # Errors
/// When the task is not accepted.
pub fn prepare(house: House) -> Result<Prepared> {
    let after = database::look(&History::default(), &house.data, When::Dead, 0)?;
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
fn cycle(prepared: &Prepared, folder: &Path, inject: &str, counts: &mut Counts) -> Result<bool> {
    let data = copy(&prepared.house.data, &folder.join("cycle"))?;
    let house = House { data, ..prepared.house.clone() };
    let history = History::after(prepared.kept.clone());
    let log = folder.join("strace.log");
    let mut tasks = vec![prepared.task.clone()];
    let strace = strace(&house.data, &prepared.task, &log, inject);
    let died = drive(&house, &history, house.spawn_under(&strace, &SETTINGS)?, &mut tasks)?;
    database::look(&history, &house.data, When::Dead, prepared.after)?;

    let server = house.serve(&SETTINGS)?;
    let client = Client::new(&history, server.connect(&house.user)?, TENANT);
    for task in &tasks {
        wait_ended(&client, task)?;
        client.download(task, true);
    }
    database::look(&history, &house.data, When::Settled, prepared.after)?;
    server.stop()?;
    let kept = history.kept();
    counts.refused += kept.calls.iter().filter(|call| matches!(call.reply, Reply::Failed(_))).count() as u64;
    if let Some(fault) = rules::broken(&kept).into_iter().next() {
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
    server.kill().map(|()| false)
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

/// `strace` as the process that becomes the service, with one fault.
fn strace(data: &Path, task: &str, log: &Path, inject: &str) -> Vec<String> {
    let results = data.join("results");
    let mut paths = vec![data.join("muster.db"), data.join("muster.db-wal"), results.clone()];
    for epoch in 1..=EPOCHS {
        for end in ["", ".tmp"] {
            paths.push(results.join(format!("{task}.{epoch}.report.csv{end}")));
        }
    }
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

/// A copy of a data directory.
pub fn copy(from: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to).context(|| format!("{} cannot be emptied", to.display()))?;
    }
    command::output(Command::new("cp").arg("-a").arg(from).arg(to))?;
    Ok(to.to_path_buf())
}
