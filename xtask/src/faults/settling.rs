//! Waiting until tasks have ended.

use super::history::{Client, Reply};
use crate::failure::{Failure, Result};
use std::thread;
use std::time::{Duration, Instant};

/// How long a task may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until a task has ended; the published word.
///
/// # Errors
/// When it does not end, or a look is answered otherwise.
pub fn wait_ended(client: &Client<'_>, task: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        match client.look(task) {
            Reply::Ended(status) => return Ok(status),
            Reply::Live if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            Reply::Live => return Err(Failure::new(format!("{task} has not ended within {PATIENCE:?}"))),
            other => return Err(Failure::new(format!("looking at {task} gave {other:?}"))),
        }
    }
}
