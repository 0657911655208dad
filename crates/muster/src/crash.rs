//! Ends the process at a named step, so that `cargo xtask faults failpoints` can look at what is left.
//!
//! Why in the released binary: a second build would test something else than what is run. It is armed by a
//! variable of the environment and by nothing that can be reached from outside.

use crate::failure::{Failure, Result};
use muster_reports::step::{self, Step};
use std::ffi::OsString;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable: a step's name, or `name:3` for the third time that it is taken.
pub const VARIABLE: &str = "MUSTER_CRASH_AT";

/// Has the process abort where `at`, the variable's value, says; absent: nothing happens.
///
/// # Errors
/// For a text that names no step.
pub fn arm(at: Option<OsString>) -> Result {
    let Some(at) = at else { return Ok(()) };
    let text = at.to_string_lossy();
    let (step, time) = read(&text).ok_or_else(|| {
        let known: Vec<_> = Step::ALL.iter().map(|step| step.name()).collect();
        Failure::usage(format!(
            "{VARIABLE} is {text:?}: expected a step, with a number of at least 1 after a colon if it is not the \
             first: {}",
            known.join(", ")
        ))
    })?;
    let taken = AtomicU64::new(0);
    step::observe(move |at| {
        if at == step && taken.fetch_add(1, Ordering::SeqCst) + 1 == time {
            // What reads the log must find it; if it cannot be written, the signal says enough.
            let _ = writeln!(std::io::stderr(), "crashed at {step}:{time}");
            std::process::abort();
        }
    });
    Ok(())
}

fn read(text: &str) -> Option<(Step, u64)> {
    let (name, time) = text.split_once(':').unwrap_or((text, "1"));
    let time = time.parse().ok().filter(|time| *time > 0)?;
    Some((Step::named(name)?, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_with_its_time() {
        assert_eq!(read("committed"), Some((Step::Committed, 1)));
        assert_eq!(read("committed:12"), Some((Step::Committed, 12)));
        for wrong in ["", "commit", "committed:", "committed:0", "committed:x", ":1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
