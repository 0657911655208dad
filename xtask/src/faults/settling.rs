//! Waiting until tasks are accepted, and until they have ended.

use super::history::{Client, Reply};
use crate::api::Report;
use crate::failure::{Failure, Result};
use std::thread;
use std::time::{Duration, Instant};

/// How long a task may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the service may refuse everything when the fault is over.
const RESUME: Duration = Duration::from_secs(30);

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
