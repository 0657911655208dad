//! The model of the task protocol, in `crates/worker/model`: runs its tests and prints how many states it has.

use crate::command;
use crate::failure::Result;
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo};

/// The tally of its tests, and how many states the sound protocol has.
pub fn run(workspace: &Workspace) -> Result<(Tally, String)> {
    let mut tests = cargo();
    tests
        .current_dir(workspace.root.join("crates/worker/model"))
        .args(["test", "--release", "--target-dir"])
        // A folder of its own, because the same small crates with other features must not replace those of the engine.
        .arg(workspace.cache()?.join("model"))
        .args(["--", "--nocapture"]);
    let (mut tally, mut states) = (Tally::default(), "no state".to_owned());
    let succeeded = command::watch(&mut tests, |line| {
        tally += Tally::from_cargo_line(line).unwrap_or_default();
        if let Some(count) = line.strip_prefix("Nothing: ") {
            count.clone_into(&mut states);
        }
    })?;
    tally.failed += u64::from(!succeeded && tally.failed == 0);
    Ok((tally, states))
}
