//! A prepared installation with one accepted task, and one cycle of a client's requests on it: the load under which calls
//! fail and processes end.

use crate::api::Report;
use crate::failure::{Failure, Result};
use crate::history::{History, Phase, Recorded, RecordingClient, Reply};
use crate::inspection::inspect;
use crate::installation::{Installation, SETTINGS, TENANT};
use crate::server::Server;
use crate::waiting::start_until_accepted;
use std::thread;
use std::time::{Duration, Instant};

/// How long a process that is being killed may take to be gone: its connections break first.
const DYING: Duration = Duration::from_millis(300);
/// How long a process that no longer answers may take to be gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a cycle waits for a task while something fails.
const WATCHED: Duration = Duration::from_secs(30);

/// An installation with one accepted task that no worker has claimed.
pub struct Prepared {
    /// The installation.
    pub installation: Installation,
    /// The task.
    pub task: String,
    /// The history of its start.
    pub recorded: Recorded,
    /// The number of the last task before it.
    pub after: u64,
}

/// Has a task accepted by a service without workers.
///
/// # Errors
/// When the task is not accepted.
pub fn prepare(installation: Installation) -> Result<Prepared> {
    let after = inspect(&History::default(), &installation, Phase::Dead, 0)?;
    let mut settings = SETTINGS.to_vec();
    settings.push(("MUSTER__WORKER__COUNT", "0"));
    let server = installation.serve(&settings)?;
    let history = History::default();
    let client = RecordingClient::new(&history, server.connect(&installation.user)?, TENANT);
    let Reply::Accepted(task) = client.start(&installation.reports()[0]) else {
        return Err(Failure::new("the first report was not accepted"));
    };
    server.stop()?;
    Ok(Prepared { installation, task, recorded: history.recorded(), after })
}

/// Runs one cycle on a service in which something fails, as far as the service gets. Whether the process was dead before
/// it was told to end.
///
/// # Errors
/// When the service hangs, or does not accept the second report.
pub fn run_cycle(
    installation: &Installation,
    history: &History,
    mut server: Server,
    tasks: &mut Vec<String>,
) -> Result<bool> {
    let Ok(()) = server.wait_ready() else {
        // It may refuse to start, or be dead, but it must not hang.
        return dead_or(server, "the service hangs at its start");
    };
    let Ok(api) = server.connect(&installation.user) else {
        return dead_or(server, "there is no token");
    };
    let client = RecordingClient::new(history, api, TENANT);
    let reports = installation.reports();
    // A second report, which must be accepted eventually, unless the process is dead.
    let second = start_until_accepted(&client, &reports[1])?;
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
    // A failing call may also hit the closing of the database, so a failure of the stop counts.
    Ok(!server.end()?.success())
}

/// A process that does not answer must be dead.
fn dead_or(mut server: Server, fault: &str) -> Result<bool> {
    if server.ends_within(PATIENCE) { Ok(true) } else { Err(Failure::new(fault)) }
}

fn cancel_one(client: &RecordingClient<'_>, report: &Report, tasks: &mut Vec<String>) {
    if let Reply::Accepted(id) = client.start(report) {
        client.cancel(&id);
        tasks.push(id);
    }
}

/// Polls until the task has ended or nobody answers, for [`WATCHED`] at most.
fn watch(client: &RecordingClient<'_>, task: &str) {
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        if !matches!(client.poll(task), Reply::Live | Reply::Failed(_)) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
