//! Commands, flags and settings that documents name exist. Documents are every `*.md` of the repository, of which the code
//! spans and the lines of code blocks are read:
//! - `muster ...` and `cargo run --release -- ...` name subcommands, and flags of the subcommand that they name;
//! - `section.key` or `section.table.key`, alone or with a value, and `MUSTER__SECTION__KEY` name a setting.

use crate::cli::Cli;
use crate::config::{Guards, Settings};
use clap::{Command, CommandFactory};
use std::path::{Path, PathBuf};

/// Names that are written like settings and mean something else: files, and attributes of a tenant's accounts.
const OTHERS: [&str; 5] =
    ["evidence.zip", "refresh.lock", "tenant.created", "tenant.modified", "tenant.name"];

/// The repository.
fn root() -> PathBuf {
    let muster = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&muster).join("../..")
}

/// Every document in `folder` and the folders in it. What is built and what is hidden has none.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(documents(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

/// Code spans, each with the number of its line, and lines of code blocks.
fn code(document: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (line, number) in document.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push((number, line.trim()));
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span)));
        }
    }
    found
}

/// The command line with the flags that subcommands inherit.
fn command_line() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// What is wrong with `code` if it calls the binary.
fn command_fault(code: &str, muster: &Command) -> Option<String> {
    let code = code.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = code.split_whitespace().filter(|word| *word != "$").collect();
    let (["muster", words @ ..] | ["cargo", "run", "--release", "--", words @ ..]) = words.as_slice() else {
        return None;
    };
    let (mut command, mut words) = (muster, words.iter());
    while let Some(word) = words.next() {
        if let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) {
            let (name, value) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let Some(argument) = command.get_arguments().find(|argument| argument.get_long() == Some(name))
            else {
                return Some(format!("{} has no flag --{name}", command.get_name()));
            };
            if value.is_none() && argument.get_action().takes_values() {
                words.next();
            }
        } else if command.has_subcommands() && !word.starts_with('-') {
            let Some(subcommand) = command.find_subcommand(word) else {
                return Some(format!("{} has no command {word}", command.get_name()));
            };
            command = subcommand;
        }
    }
    None
}

/// What is wrong with `code` if it is a setting.
fn setting_fault(code: &str) -> Option<String> {
    let name = code.split([' ', '=']).next().unwrap_or_default();
    let key = match name.strip_prefix("MUSTER__") {
        Some(variable) => variable.to_ascii_lowercase().replace("__", "."),
        None => name.to_owned(),
    };
    let (section, rest) = key.rsplit_once('.')?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if !section.split('.').all(plain)
        || !plain(rest)
        || OTHERS.contains(&name)
        || name == "MUSTER__SECTION__KEY"
    {
        return None;
    }
    let mut sections = Settings::SECTIONS.iter().chain(&[("refresh.guards", Guards::KEYS)]);
    let known = sections.find(|(known, _)| *known == section);
    let is_variable = name != key;
    let is_known = known.map_or(!is_variable, |(_, keys)| keys.iter().any(|key| key.name == rest));
    (!is_known).then(|| format!("there is no setting {key}"))
}

#[test]
fn what_documents_name_exists() {
    let (root, muster) = (root(), command_line());
    let documents = documents(&root);
    assert!(documents.len() > 10, "the documents of the repository were not found in {}", root.display());
    let mut faults = Vec::new();
    for path in documents {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        let place = path.strip_prefix(&root).unwrap_or(&path).display();
        for (line, code) in code(&text) {
            let fault = command_fault(code, &muster).or_else(|| setting_fault(code));
            faults.extend(fault.map(|fault| format!("{place}:{line}: `{code}`: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn spans_and_blocks_are_code() {
    let document = "Run `muster serve`, `b`.\n\n```sh\n  muster check\n```\n\n| `a` | b |\n";
    let expected = [(1, "muster serve"), (1, "b"), (4, "muster check"), (7, "a")];
    assert_eq!(code(document), expected);
}

#[test]
fn commands_and_flags_are_found() {
    let muster = command_line();
    for right in [
        "muster",
        "muster serve --data x # here",
        "$ muster --data x serve --init",
        "muster --output=json report run A --argument a=b --wait",
        "muster report list-kinds",
        "muster report get A -o - --help",
        "cargo run --release -- demo --once",
        "cargo test --no-such-flag",
    ] {
        assert_eq!(command_fault(right, &muster), None, "{right}");
    }
    for wrong in [
        "muster sreve",
        "muster report rnu",
        "muster serve --dada x",
        "muster report list --wait",
        "cargo run --release -- sreve",
    ] {
        assert!(command_fault(wrong, &muster).is_some(), "{wrong}");
    }
}

#[test]
fn settings_are_found() {
    for right in [
        "server.listen",
        "worker.count = 4",
        "MUSTER__WORKER__COUNT=4 muster config show",
        "sources.csv",
        "audit.rs:1",
        "refresh.lock",
        "refresh.guards",
        "refresh.guards.identities_lost = 5",
        "MUSTER__REFRESH__GUARDS__ALWAYS_ALLOWED=5",
        "server",
    ] {
        assert_eq!(setting_fault(right), None, "{right}");
    }
    for wrong in [
        "server.listens",
        "worker.cuont = 4",
        "MUSTER__WORKERS__COUNT=4",
        "MUSTER__WORKER__CUONT",
        "refresh.guards.lost",
        "MUSTER__REFRESH__GUARDS__LOST",
    ] {
        assert!(setting_fault(wrong).is_some(), "{wrong}");
    }
}
