//! A disk that fills up under the running service, and has room again.
//!
//! The data directory and the log are on a small `tmpfs`. A file takes all the space that is left, clients start, fetch and
//! cancel reports, then the file is removed. Every refusal must be a clean 5xx, nothing that was accepted may be lost, and
//! the same process must accept and finish a report once there is room.

use crate::command;
use crate::copies::copy_folder;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Phase, RecordingClient, Reply};
use crate::inspection::inspect;
use crate::installation::{Installation, SETTINGS, TENANT};
use crate::progress::UnitOutcome;
use crate::rules;
use crate::waiting::{start_until_accepted, wait_ended, wait_until_quiet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The size of the disk.
const SIZE: &str = "size=24m";

/// The count of times that the disk was filled.
pub const FILLED: &str = "times filled";
/// The count of requests that were answered with a clean 5xx.
pub const REFUSED: &str = "clean refusals";

/// A mounted disk; unmounted when dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts an empty disk on `folder`.
    ///
    /// # Errors
    /// When we may not mount.
    pub fn mount(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
        command::output(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder))?;
        Ok(Self(folder.to_path_buf()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Only our own processes use it, and they have been killed. If one still runs, the mount stays, for a person to
        // look at.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Fills the disk `rounds` times.
pub fn run(original: &Installation, disk: &Disk, rounds: u64) -> Result<UnitOutcome> {
    let data = copy_folder(&original.data, &disk.0.join("data"))?;
    // The log is on the disk too: only log lines that cannot be written are lost.
    let installation = Installation { data, log: disk.0.join("serve.log"), ..original.clone() };
    let after = inspect(&History::default(), &installation, Phase::Dead, 0)?;
    let history = History::default();
    let mut outcome = UnitOutcome::default();
    let server = installation.serve(&SETTINGS)?;
    let client = RecordingClient::new(&history, server.connect(&installation.user)?, TENANT);
    let mut tasks = Vec::new();
    for round in 1..=rounds {
        outcome.add(FILLED, 1);
        if let Err(failure) = one(&installation, &client, &disk.0.join("filler"), &mut tasks) {
            outcome.faults.push(format!("round {round}: {failure}"));
        }
    }
    for task in &tasks {
        if let Err(failure) = wait_ended(&client, task) {
            outcome.faults.push(failure.to_string());
        }
        client.download(task, true);
    }
    wait_until_quiet(&history, &installation, after)?;
    if let Err(failure) = server.stop() {
        outcome.faults.push(failure.to_string());
    }
    let recorded = history.recorded();
    let refused = recorded.calls.iter().filter(|call| matches!(call.reply, Reply::Failed(_))).count();
    outcome.add(REFUSED, refused as u64);
    outcome.faults.extend(rules::broken(&recorded));
    if refused == 0 {
        outcome.faults.push("nothing was refused: the disk was not full".into());
    }
    Ok(outcome)
}

/// Serves with a log that accepts nothing: a report must run as always.
///
/// # Errors
/// When it does not.
pub fn without_a_log(original: &Installation) -> Result<()> {
    let installation = Installation { log: PathBuf::from("/dev/full"), ..original.clone() };
    let history = History::default();
    let server = installation.serve(&SETTINGS)?;
    let client = RecordingClient::new(&history, server.connect(&installation.user)?, TENANT);
    let reply = client.start(&installation.reports()[0]);
    let Reply::Accepted(task) = reply else { return Err(Failure::new(format!("a start gave {reply:?}"))) };
    match (wait_ended(&client, &task)?.as_str(), client.download(&task, true)) {
        ("SUCCESS" | "WARNING", Reply::File(_)) => server.stop(),
        (status, reply) => Err(Failure::new(format!("the report is {status}, its file {reply:?}"))),
    }
}

fn one(
    installation: &Installation,
    client: &RecordingClient<'_>,
    filler: &Path,
    tasks: &mut Vec<String>,
) -> Result<()> {
    let reports = installation.reports();
    // One report runs when the disk fills up.
    keep(client.start(&reports[0]), tasks);
    fill(filler)?;
    let refused = call_all(client, installation, tasks);
    std::fs::remove_file(filler).context(|| format!("{} cannot be removed", filler.display()))?;
    refused?;
    let Some(task) = start_until_accepted(client, &reports[1])? else {
        return Err(Failure::new("with room again, nobody answers"));
    };
    tasks.push(task.clone());
    match (wait_ended(client, &task)?.as_str(), client.download(&task, true)) {
        ("SUCCESS" | "WARNING", Reply::File(_)) => Ok(()),
        // It may be a task that was live while the disk was full.
        ("FAILURE", _) => finish_another(client, installation, tasks),
        (status, reply) => {
            Err(Failure::new(format!("with room again, {task} is {status}, its file {reply:?}")))
        }
    }
}

fn finish_another(
    client: &RecordingClient<'_>,
    installation: &Installation,
    tasks: &mut Vec<String>,
) -> Result<()> {
    let Reply::Accepted(task) = client.start(&installation.reports()[1]) else {
        return Err(Failure::new("with room again, a start was refused"));
    };
    tasks.push(task.clone());
    let status = wait_ended(client, &task)?;
    let served = client.download(&task, true);
    match (status.as_str(), served) {
        ("SUCCESS" | "WARNING", Reply::File(_)) => Ok(()),
        (status, reply) => {
            Err(Failure::new(format!("with room again, {task} is {status}, its file {reply:?}")))
        }
    }
}

/// Sends every kind of request while there is no room; none may break the connection.
fn call_all(
    client: &RecordingClient<'_>,
    installation: &Installation,
    tasks: &mut Vec<String>,
) -> Result<()> {
    for report in &installation.reports() {
        let started = client.start(report);
        keep(started.clone(), tasks);
        let mut replies = vec![started];
        for task in tasks.iter().rev().take(2) {
            replies.push(client.poll(task));
            replies.push(client.download(task, true));
        }
        replies.extend(tasks.last().map(|task| client.cancel(task)));
        if replies.contains(&Reply::Lost) {
            return Err(Failure::new("a connection broke while the disk was full"));
        }
    }
    Ok(())
}

fn keep(reply: Reply, tasks: &mut Vec<String>) {
    if let Reply::Accepted(id) = reply
        && !tasks.contains(&id)
    {
        tasks.push(id);
    }
}

/// Writes to a file until nothing more fits on the disk.
fn fill(filler: &Path) -> Result<()> {
    let what = || format!("{} cannot be made", filler.display());
    let mut file = File::create(filler).context(what)?;
    for size in [65_536, 4_096, 512] {
        let block = vec![0; size];
        while file.write(&block).is_ok_and(|written| written > 0) {}
    }
    Ok(())
}
