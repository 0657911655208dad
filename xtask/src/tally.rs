//! How many tests passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Held.
    pub passed: u64,
    /// Did not hold, or could not be run where that is not allowed.
    pub failed: u64,
    /// Could not be run.
    pub skipped: u64,
}

impl Tally {
    /// Reads the closing line of one test binary of `cargo test`.
    pub fn from_cargo_line(line: &str) -> Option<Self> {
        let counts = line.trim().strip_prefix("test result: ")?;
        let count = |word: &str| {
            counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        };
        Some(Self { passed: count(" passed")?, failed: count(" failed")?, skipped: count(" ignored")? })
    }

    /// Reads a closing line of the form `N passed, N failed`.
    pub fn from_script_line(line: &str) -> Option<Self> {
        let (passed, failed) = line.trim().split_once(" passed, ")?;
        Some(Self {
            passed: passed.parse().ok()?,
            failed: failed.strip_suffix(" failed")?.parse().ok()?,
            skipped: 0,
        })
    }

    /// Counts something that could not be run: a failure where everything must be there, as in continuous
    /// integration (`CI=true`), else skipped. Says so in a line.
    pub fn cannot_run(&mut self, what: &str, why: &dyn fmt::Display, must_run: bool) {
        if must_run {
            self.failed += 1;
            println!("FAIL  {what} could not be run, and CI=true asks for everything: {why}");
        } else {
            self.skipped += 1;
            println!("skip  {what}: {why}");
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        let cargo = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        assert_eq!(Tally::from_cargo_line(cargo), Some(Tally { passed: 12, failed: 3, skipped: 1 }));
        let script = "196 passed, 0 failed\n";
        assert_eq!(Tally::from_script_line(script), Some(Tally { passed: 196, failed: 0, skipped: 0 }));
        for other in ["test result: ok", "running 12 tests", "ok    3 passed, 0 failed of them"] {
            assert_eq!(Tally::from_cargo_line(other), None, "{other}");
            assert_eq!(Tally::from_script_line(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_run_fails_where_everything_must_run() {
        let mut tally = Tally::default();
        tally.cannot_run("a", &"no network", false);
        tally.cannot_run("b", &"no network", true);
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 1 skipped");
    }
}
