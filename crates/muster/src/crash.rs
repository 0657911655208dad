//! Ends the process at a failpoint, so that `cargo xtask faults failpoints` can inspect what is left.
//!
//! Why in the released binary: a test of a second build would not test the program that people run. Only a variable of
//! the environment arms a failpoint; nothing that can be reached from outside does.

use crate::failure::{Failure, Result};
use muster_reports::failpoint::{self, Failpoint};
use std::ffi::OsString;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable: a failpoint's name, or `name:3` for the third time that the process reaches it.
pub const VARIABLE: &str = "MUSTER_CRASH_AT";

/// Lets the process abort at the failpoint that `at`, the variable's value, names. Without a value, nothing happens.
///
/// # Errors
/// For a text that does not name a failpoint.
pub fn arm(at: Option<OsString>) -> Result {
    let Some(at) = at else { return Ok(()) };
    let text = at.to_string_lossy();
    let (point, time) = read(&text).ok_or_else(|| {
        let known: Vec<_> = Failpoint::ALL.iter().map(|point| point.name()).collect();
        Failure::usage(format!(
            "{VARIABLE} is {text:?}: expected a failpoint, with a colon and a number of at least 1 after it if it is \
             not the first time: {}",
            known.join(", ")
        ))
    })?;
    let reached = AtomicU64::new(0);
    failpoint::observe(move |at| {
        if at == point && reached.fetch_add(1, Ordering::SeqCst) + 1 == time {
            // The harness reads this line in the log. If it cannot be written, the signal says enough.
            let _ = writeln!(std::io::stderr(), "crashed at {point}:{time}");
            std::process::abort();
        }
    });
    Ok(())
}

fn read(text: &str) -> Option<(Failpoint, u64)> {
    let (name, time) = text.split_once(':').unwrap_or((text, "1"));
    let time = time.parse().ok().filter(|time| *time > 0)?;
    Some((Failpoint::named(name)?, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_is_named_with_its_time() {
        assert_eq!(read("committed"), Some((Failpoint::Committed, 1)));
        assert_eq!(read("committed:12"), Some((Failpoint::Committed, 12)));
        for wrong in ["", "commit", "committed:", "committed:0", "committed:x", ":1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
