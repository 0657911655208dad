//! What libFuzzer prints at its end.

use std::path::Path;

/// Head of the table.
pub const HEAD: &str = "target                   executions   new inputs   crashes";

/// The result of fuzzing a target.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Inputs tried.
    pub executions: u64,
    /// Inputs that reached something new.
    pub new_inputs: u64,
    /// What went wrong, and where the input is.
    pub crash: Option<String>,
}

impl Ended {
    /// Reads what the fuzzer printed, which is in the file `log`.
    pub fn read(text: &str, succeeded: bool, log: &Path) -> Self {
        let count = |name: &str| {
            let found = text.lines().filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            found.filter_map(|rest| rest.strip_prefix(':')?.trim().parse().ok()).next_back()
        };
        let input =
            text.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
        let crash = (!succeeded).then(|| match input {
            Some(path) => format!("{}: see {}", path.trim(), log.display()),
            None => format!("it ended without an input: see {}", log.display()),
        });
        Self {
            executions: count("number_of_executed_units").unwrap_or(0),
            new_inputs: count("new_units_added").unwrap_or(0),
            crash,
        }
    }

    /// A line of the table.
    pub fn line(&self, target: &str) -> String {
        let crashes = u8::from(self.crash.is_some());
        format!("{target:<24} {:>10} {:>12} {crashes:>9}", self.executions, self.new_inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_read() {
        let said = "#1 INITED\nDone 120 runs\nstat::number_of_executed_units: 120\nstat::new_units_added:         7\n";
        let ended = Ended::read(said, true, Path::new("log"));
        assert_eq!(ended, Ended { executions: 120, new_inputs: 7, crash: None });
        assert_eq!(ended.line("a").split_whitespace().collect::<Vec<_>>(), ["a", "120", "7", "0"]);
        let said = "thread panicked\nartifact_prefix='x/'; Test unit written to x/crash-1\n";
        let crash = Ended::read(said, false, Path::new("log")).crash;
        assert_eq!(crash.as_deref(), Some("x/crash-1: see log"));
        assert!(Ended::read("", false, Path::new("log")).crash.is_some());
    }
}
