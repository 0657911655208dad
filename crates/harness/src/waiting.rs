//! Waiting: until a start is accepted, until a task has ended, until no task is live.

use crate::api::Report;
use crate::failure::{Failure, Result};
use crate::history::{History, Phase, Recorded, RecordingClient, Reply};
use crate::inspection::{inspect, unnamed_files};
use crate::installation::Installation;
use crate::rules;
use std::thread;
use std::time::{Duration, Instant};

/// How long a task may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a cancelled run may continue before its files are removed.
const REMOVED: Duration = Duration::from_secs(60);
/// How long the service may refuse starts after the fault is over.
const RESUME: Duration = Duration::from_secs(300);

/// Waits until a task has ended; its published status.
///
/// # Errors
/// When it does not end in time, or a poll gets another kind of answer.
pub fn wait_ended(client: &RecordingClient<'_>, task: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        let reply = client.poll(task);
        if let Reply::Ended(status) = reply {
            return Ok(status);
        }
        if reply != Reply::Live {
            return Err(Failure::new(format!("polling {task} gave {reply:?}")));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("{task} has not ended within {PATIENCE:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a report, and tries again as long as the answer is a clean 5xx; the task, or `None` when nobody answers.
///
/// # Errors
/// When that takes too long, or another answer comes.
pub fn start_until_accepted(client: &RecordingClient<'_>, report: &Report) -> Result<Option<String>> {
    let begun = Instant::now();
    loop {
        let reply = client.start(report);
        if let Reply::Accepted(id) = reply {
            return Ok(Some(id));
        }
        if reply == Reply::Lost {
            return Ok(None);
        }
        if !matches!(reply, Reply::Failed(_)) || begun.elapsed() > RESUME {
            return Err(Failure::new(format!("a start after the fault gave {reply:?}")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the database has no live task with a number greater than `after`, and adds an inspection; the number of
/// the last task. So it also waits for tasks whose start was never answered. After [`PATIENCE`] it inspects what there is.
///
/// # Errors
/// When the database cannot be read, or is damaged.
pub fn wait_until_quiet(history: &History, installation: &Installation, after: u64) -> Result<u64> {
    let begun = Instant::now();
    loop {
        let now = History::default();
        inspect(&now, installation, Phase::Running, after)?;
        let inspections = now.recorded().inspections;
        let live =
            inspections.iter().flat_map(|inspection| &inspection.rows).any(|row| rules::is_live(&row.state));
        if !live || begun.elapsed() > PATIENCE {
            return inspect(history, installation, Phase::Settled, after);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// [`unnamed_files`] of a running service. A cancelled run removes its files a moment after its task has ended, so this
/// waits for them to go.
///
/// # Errors
/// When the folder of results cannot be listed.
pub fn left_over_files(installation: &Installation, recorded: &Recorded, after: u64) -> Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let left = unnamed_files(installation, recorded, after)?;
        if left.is_empty() || begun.elapsed() > REMOVED {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
