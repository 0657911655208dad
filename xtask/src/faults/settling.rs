//! Waiting until tasks are accepted, until they have ended, and until nothing is left that has not.

use super::history::{Client, History, Kept, Reply, When};
use super::{ground, rules};
use crate::api::Report;
use crate::failure::{Failure, Result};
use crate::server::House;
use std::thread;
use std::time::{Duration, Instant};

/// How long a task may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a run may go on that was cancelled.
const REMOVED: Duration = Duration::from_secs(60);
/// How long the service may refuse everything when the fault is over.
const RESUME: Duration = Duration::from_secs(300);

/// Waits until a task has ended; the published word.
///
/// # Errors
/// When it does not end, or a look is answered otherwise.
pub fn wait_ended(client: &Client<'_>, task: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        let reply = client.look(task);
        if let Reply::Ended(status) = reply {
            return Ok(status);
        }
        if reply != Reply::Live {
            return Err(Failure::new(format!("looking at {task} gave {reply:?}")));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("{task} has not ended within {PATIENCE:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a report, again while that is refused in order; `None` when nobody answers.
///
/// # Errors
/// When it is refused for too long, or answered otherwise.
pub fn start_in_the_end(client: &Client<'_>, report: &Report) -> Result<Option<String>> {
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

/// Adds what the database holds when everything has ended behind the number `after`, also what was started and never
/// answered; gives the number of the last task. What has not ended in time is looked at as it is.
///
/// # Errors
/// When the database cannot be read, or is damaged.
pub fn look_settled(history: &History, house: &House, after: u64) -> Result<u64> {
    let begun = Instant::now();
    loop {
        let glance = History::default();
        ground::look(&glance, house, When::Running, after)?;
        let looks = glance.kept().looks;
        let live = looks.iter().flat_map(|look| &look.rows).any(|row| rules::is_live(&row.state));
        if !live || begun.elapsed() > PATIENCE {
            return ground::look(history, house, When::Settled, after);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Files that no record names, as `ground::unnamed` tells them, under a service that runs: a run that was cancelled removes
/// its files a moment after its task has ended.
///
/// # Errors
/// When the folder of results cannot be read.
pub fn left_over(house: &House, kept: &Kept, after: u64) -> Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let left = ground::unnamed(&ground::results(house), kept, after)?;
        if left.is_empty() || begun.elapsed() > REMOVED {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
