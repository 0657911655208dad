//! System calls that fail, one at a time: with EIO, with ENOSPC, or by the death of the process.
//!
//! The same cycle runs under `strace` many times: the service sweeps what an earlier process left, runs a task that was
//! accepted before, and accepts another. The client waits for both, fetches both, fetches both with an audit event, and
//! cancels a third; then the service stops. Each time another call on a durable file fails. `strace` counts the calls of
//! each thread by itself, so the number means "the Nth call of every thread". Where every index is tried, each file has
//! runs of its own, so that one thread makes the calls. Only calls on the database, its log, the folder of results and the
//! result's own file count: a disk does not refuse the wake-up of a thread. Then a clean service on the same folder must
//! end every task, and the history of both services must break no rule.

use super::cycle::{Prepared, run_cycle};
use crate::command;
use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::{inspect, unnamed_files};
use crate::installation::{SETTINGS, TENANT};
use crate::progress::UnitOutcome;
use crate::rules;
use crate::waiting::{wait_ended, wait_until_quiet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a call fails.
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];
/// Groups of calls that are counted together.
const CALLS: [&str; 5] =
    ["write", "pwrite64", "fsync,fdatasync", "rename,renameat,renameat2", "unlink,unlinkat"];
/// Indexes of the short form.
const SAMPLE: [u64; 2] = [1, 4];
/// Indexes are tried until so many in a row were not reached.
const MISSES_MAX: u64 = 3;
/// No cycle makes more calls of one group in one thread.
const INDEX_MAX: u64 = 2_000;
/// A unit prints a line about its progress after so many cycles.
const SAID: u64 = 50;
/// Epochs that the prepared task may have, each with file names of its own.
const EPOCHS: u64 = 5;
/// Files that attempts of a dead process may have left for the prepared task. A sweep removes them.
const LEFT: [&str; 2] = ["4.report.csv.tmp", "5.report.csv"];

/// The files whose calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallTarget {
    /// All files of the other targets.
    Everything,
    /// The database's file.
    Database,
    /// The database's log.
    Log,
    /// The result's file, under both of its names, and the folder of results.
    Results,
}

/// Calls of one kind that fail in one way, each in turn.
#[derive(Debug, Clone, Copy)]
pub struct FailingCall {
    target: CallTarget,
    calls: &'static str,
    fault: &'static str,
    /// Whether every index is tried, and not a sample.
    all: bool,
}

impl FailingCall {
    /// All kinds. If every index is tried (`all`), each target has kinds of its own, so that one thread makes the calls.
    pub fn every(all: bool) -> Vec<Self> {
        let targets: &[CallTarget] = match all {
            true => &[CallTarget::Database, CallTarget::Log, CallTarget::Results],
            false => &[CallTarget::Everything],
        };
        let of = |target: &CallTarget| {
            let target = *target;
            FAULTS.into_iter().flat_map(move |fault| CALLS.map(|calls| Self { target, calls, fault, all }))
        };
        targets.iter().flat_map(of).collect()
    }

    /// The name of its unit.
    pub fn name(self) -> String {
        let target = match self.target {
            CallTarget::Everything => "everything",
            CallTarget::Database => "database",
            CallTarget::Log => "log",
            CallTarget::Results => "results",
        };
        let calls = self.calls.split(',').next().unwrap_or_default();
        let fault = self.fault.rsplit('=').next().unwrap_or_default();
        format!("{target} {calls} {fault}")
    }
}

/// The count of cycles.
pub const CYCLES: &str = "cycles";
/// The count of cycles in which a call failed.
pub const HIT: &str = "hit";
/// The count of requests that were answered with a clean 5xx.
pub const REFUSED: &str = "clean refusals";

/// Whether `strace` works here: it must be installed, and we must be allowed to trace.
pub fn can_trace() -> Result<()> {
    command::output(Command::new("strace").args(["-D", "-f", "-o", "/dev/null", "true"])).map(drop)
}

/// Runs the cycles of a kind.
pub fn run(prepared: &Prepared, folder: &Path, kind: FailingCall) -> UnitOutcome {
    let mut outcome = UnitOutcome::default();
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

/// Runs one cycle on a copy. Whether a call failed.
fn cycle(
    prepared: &Prepared,
    folder: &Path,
    target: CallTarget,
    inject: &str,
    outcome: &mut UnitOutcome,
) -> Result<bool> {
    let installation = copy_installation(&prepared.installation, folder, None, "")?;
    let history = History::after(prepared.recorded.clone());
    let log = folder.join("strace.log");
    let mut tasks = vec![prepared.task.clone()];
    for left in LEFT {
        let left = installation.data.join("results").join(format!("{}.{left}", prepared.task));
        std::fs::write(&left, "a\r\n").context(|| format!("{} cannot be written", left.display()))?;
    }
    let strace = strace(&paths(&installation.data, &prepared.task, target), &log, inject);
    let died = run_cycle(&installation, &history, installation.spawn_under(&strace, &SETTINGS)?, &mut tasks)?;
    inspect(&history, &installation, Phase::Dead, prepared.after)?;

    let server = installation.serve(&SETTINGS)?;
    let client = RecordingClient::new(&history, server.connect(&installation.user)?, TENANT);
    for task in &tasks {
        wait_ended(&client, task)?;
        client.download(task, true);
    }
    wait_until_quiet(&history, &installation, prepared.after)?;
    server.stop()?;
    let recorded = history.recorded();
    let refused = recorded.calls.iter().filter(|call| matches!(call.reply, Reply::Failed(_))).count();
    outcome.add(REFUSED, refused as u64);
    let unnamed = unnamed_files(&installation, &recorded, prepared.after)?;
    if let Some(fault) = rules::broken(&recorded).into_iter().chain(unnamed).next() {
        return Err(Failure::new(fault));
    }
    let traced = std::fs::read_to_string(&log).context(|| format!("{} cannot be read", log.display()))?;
    Ok(traced.contains("(INJECTED)") || died)
}

/// The files and folders of a target.
fn paths(data: &Path, task: &str, target: CallTarget) -> Vec<PathBuf> {
    let results = data.join("results");
    let mut of_results = vec![results.clone()];
    for epoch in 1..=EPOCHS {
        for end in ["", ".tmp"] {
            of_results.push(results.join(format!("{task}.{epoch}.report.csv{end}")));
        }
    }
    let (database, log) = (data.join("muster.db"), data.join("muster.db-wal"));
    match target {
        CallTarget::Everything => [vec![database, log], of_results].concat(),
        CallTarget::Database => vec![database],
        CallTarget::Log => vec![log],
        CallTarget::Results => of_results,
    }
}

/// The command line of `strace` whose process becomes the service, with one kind of failing call.
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
