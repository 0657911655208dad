//! How many tests passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed, or could not be run where everything must run.
    pub failed: u64,
    /// Could not be run, and were skipped.
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

    /// Counts something that could not be run, and prints a line about it: it is a failure where everything must run, as in
    /// continuous integration (`CI=true`), and is skipped elsewhere.
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

/// The output of `cargo test`, which is the output of one test program after another.
///
/// A program that is aborted, for example by an assertion of a C library, prints no closing line: it has failed.
#[derive(Debug, Default)]
pub struct CargoOutput {
    counted: Tally,
    /// The opening line of a program whose closing line has not been read.
    open: Option<String>,
    failed_tests: Vec<String>,
}

impl CargoOutput {
    /// Reads the next line.
    pub fn read(&mut self, line: &str) {
        if let Some(closed) = Tally::from_cargo_line(line) {
            self.counted += closed;
            self.open = None;
        } else if is_opening(line) {
            self.aborted();
            self.open = Some(line.trim().to_owned());
        } else if let Some(name) = failed_test(line) {
            self.failed_tests.push(name.to_owned());
        }
    }

    /// The names of the tests that have failed.
    pub fn failed_tests(&self) -> &[String] {
        &self.failed_tests
    }

    /// The totals, once there are no more lines.
    pub fn end(mut self) -> Tally {
        self.aborted();
        self.counted
    }

    fn aborted(&mut self) {
        if let Some(opening) = self.open.take() {
            self.counted.failed += 1;
            println!("FAIL  a test program ended before its tests did: {opening}");
        }
    }
}

/// The name of the test that has failed, as a line says: `test reading::a_file ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    line.trim().strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// Whether a line is the opening line of a program, like `running 12 tests`.
fn is_opening(line: &str) -> bool {
    let count = line.trim().strip_prefix("running ");
    let count = count.and_then(|rest| rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test")));
    count.is_some_and(|count| count.parse::<u64>().is_ok())
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
    fn a_program_that_is_aborted_has_failed() {
        let totals = |text: &str| {
            let mut output = CargoOutput::default();
            text.lines().for_each(|line| output.read(line));
            output.end()
        };
        let whole = "running 2 tests\ntest a ... ok\ntest b ... ok\n\n\
                     test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(totals(whole), Tally { passed: 2, failed: 0, skipped: 0 });
        let aborted = "running 1 test\ntest c ... rdkafka_mock.c:41: assertion failed\n";
        assert_eq!(
            totals(&format!("{whole}{aborted}")),
            Tally { passed: 2, failed: 1, skipped: 0 },
            "the last"
        );
        let both = format!("{aborted}{aborted}{whole}");
        assert_eq!(totals(&both), Tally { passed: 2, failed: 2, skipped: 0 }, "before others");
    }

    #[test]
    fn tests_that_failed_are_named() {
        let mut output = CargoOutput::default();
        let text = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed; \
                    0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        text.lines().for_each(|line| output.read(line));
        assert_eq!(output.failed_tests(), ["a::c"]);
        assert_eq!(output.end(), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn what_cannot_be_run_fails_where_everything_must_run() {
        let mut tally = Tally::default();
        tally.cannot_run("a", &"no network", false);
        tally.cannot_run("b", &"no network", true);
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 1 skipped");
    }
}
