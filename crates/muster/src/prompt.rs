//! Questions to the person at the terminal. Programs are not asked: where no terminal is, nothing is answered.

use crate::failure::{Context, Failure, Result};
use crate::output::say;
use crate::serve::Signals;
use console::Term;
use std::io::{IsTerminal, Write};

fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether the person says yes; no where nobody can be asked, and when another signal arrives.
pub async fn says_yes(question: &str, signals: &mut Signals) -> bool {
    if !is_attended() {
        return false;
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let (answer, answered) = tokio::sync::oneshot::channel();
    // A thread and not a task: the process does not wait for it when nobody answers.
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        let _ = answer.send(line);
    });
    tokio::select! {
        line = answered => is_yes(&line.unwrap_or_default()),
        () = signals.next() => {
            say("");
            false
        }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What the person types in a line. `option` is what a program gives instead.
///
/// # Errors
/// When nobody can be asked, or nothing is typed.
pub fn asked(what: &str, option: &str) -> Result<String> {
    typed(what, option, Term::read_line)
}

/// As [`asked`]; what is typed does not appear.
///
/// # Errors
/// As [`asked`].
pub fn asked_secretly(what: &str, option: &str) -> Result<String> {
    typed(what, option, Term::read_secure_line)
}

fn typed(what: &str, option: &str, read: fn(&Term) -> std::io::Result<String>) -> Result<String> {
    let missing = || Failure::usage(format!("the {what} is missing: expected {option}"));
    if !is_attended() {
        return Err(missing());
    }
    let _ = write!(std::io::stderr(), "{what}: ");
    let line = read(&Term::stderr()).context(|| format!("the {what} cannot be read from the terminal"))?;
    match line.trim() {
        "" => Err(missing()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, expected) in [("y\n", true), ("YES", true), ("", false), ("n\n", false), ("yeah", false)]
        {
            assert_eq!(is_yes(answer), expected, "{answer}");
        }
    }
}
