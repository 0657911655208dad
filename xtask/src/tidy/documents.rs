//! What documents name must be there: paths, functions, commands, settings.
//!
//! In code spans and code blocks of every `*.md`:
//! - a path that begins with a top-level folder of the repository exists; `path.rs::name` also has that item;
//! - `cargo xtask ...` parses with the real command line of this program;
//! - `muster ...` and `cargo run --release -- ...` use subcommands and flags of `crates/muster/src/cli.rs` and its folder.
//!
//! Link targets exist, from the document's folder. The table of docs/settings.md has the keys of
//! `crates/muster/src/config.rs`, no more and no fewer.

use super::files::Files;
use super::markdown::{self, Code};
use super::source::{CommandLine, settings_keys};
use crate::Cli;
use clap::Parser;
use clap::error::ErrorKind;
use muster_harness::failure::{Failure, Result};
use muster_harness::workspace::Workspace;
use std::collections::BTreeSet;

/// The one with tests is the last: reading ends there.
const COMMAND_LINE: [&str; 3] =
    ["crates/muster/src/cli/report.rs", "crates/muster/src/cli/source.rs", "crates/muster/src/cli.rs"];
const SETTINGS: &str = "crates/muster/src/config.rs";
const SETTINGS_DOCUMENT: &str = "docs/settings.md";

/// Everything that a document names and that is not there.
pub fn faults(_workspace: &Workspace, files: &Files) -> Result<Vec<String>> {
    let source = |path: &str| {
        files
            .texts
            .get(path)
            .ok_or_else(|| Failure::new(format!("{path} is not there: documents are checked against it")))
    };
    let command_line =
        COMMAND_LINE.into_iter().map(|path| Ok(source(path)?.as_str())).collect::<Result<String>>()?;
    let commands = CommandLine::read(&command_line);
    let mut faults = Vec::new();
    for (path, text) in files.ending(".md") {
        let place = |code: &Code| format!("{path}:{}: `{}`", code.line, code.text);
        for code in markdown::code(text) {
            let fault = path_fault(&code.text, files).or_else(|| command_fault(&code.text, &commands));
            faults.extend(fault.map(|fault| format!("{} {fault}", place(&code))));
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in markdown::linked_paths(text) {
            if !exists(&joined(folder, &link.text), files) {
                faults.push(format!("{} is no file here", place(&link)));
            }
        }
    }
    faults.extend(settings_faults(&settings_keys(source(SETTINGS)?), source(SETTINGS_DOCUMENT)?));
    Ok(faults)
}

/// A fault if this is a path of the repository and leads nowhere.
fn path_fault(code: &str, files: &Files) -> Option<String> {
    let (path, item) = code.split_once("::").map_or((code, None), |(path, item)| (path, Some(item)));
    let first = path.split_once('/')?.0;
    let is_ours = !path.contains(' ')
        && files.texts.keys().any(|file| file.split_once('/').is_some_and(|f| f.0 == first));
    if !is_ours {
        return None;
    }
    if !exists(path, files) {
        return Some("is not there".into());
    }
    let item = item?.trim_end_matches("()");
    let text = files.texts.get(path)?;
    let name = item.rsplit("::").next().unwrap_or(item);
    let declared = ["fn", "struct", "enum", "trait", "const", "type", "static", "mod"];
    let is_there = declared.iter().any(|word| {
        let declaration = format!("{word} {name}");
        text.match_indices(&declaration).any(|(at, _)| {
            !text[at + declaration.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    });
    (!is_there).then(|| format!("has no {name}"))
}

fn exists(path: &str, files: &Files) -> bool {
    let path = path.trim_end_matches('/');
    files.texts.contains_key(path)
        || files.texts.keys().any(|file| file.strip_prefix(path).is_some_and(|r| r.starts_with('/')))
}

fn joined(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A fault if this is a command of ours that would not parse.
fn command_fault(code: &str, commands: &CommandLine) -> Option<String> {
    let code = code.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = code.split_whitespace().filter(|word| *word != "$").collect();
    match words.as_slice() {
        // The name alone is a name.
        ["cargo", "xtask"] | ["muster"] => None,
        ["cargo", "xtask", rest @ ..] => {
            let error = Cli::try_parse_from(std::iter::once(&"xtask").chain(rest)).err()?;
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            (!is_help).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
        }
        ["cargo", "run", "--release", "--", rest @ ..] | ["muster", rest @ ..] => commands.fault(rest),
        _ => None,
    }
}

/// Keys that the document lacks, and keys that it has and no setting has.
fn settings_faults(keys: &BTreeSet<String>, document: &str) -> Vec<String> {
    let Some(rows) = markdown::table(document, &["key", "default"]) else {
        return vec![format!("{SETTINGS_DOCUMENT} has no table of keys and defaults")];
    };
    let documented: BTreeSet<String> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let lacks =
        keys.difference(&documented).map(|key| format!("{SETTINGS_DOCUMENT} lacks the setting {key}"));
    let extra =
        documented.difference(keys).map(|key| format!("{SETTINGS_DOCUMENT}: there is no setting {key}"));
    lacks.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let texts = [("crates/a/src/lib.rs", "pub fn open() {}\npub struct Opened;\n"), ("docs/a.md", "")];
        Files { texts: texts.into_iter().map(|(path, text)| (path.into(), text.into())).collect() }
    }

    #[test]
    fn paths_and_items_are_looked_up() {
        let files = files();
        for right in [
            "crates/a/src/lib.rs",
            "crates/a",
            "crates/a/src/lib.rs::open",
            "crates/a/src/lib.rs::Opened",
            "etc/passwd",
            "a b/c",
            "docs/",
        ] {
            assert_eq!(path_fault(right, &files), None, "{right}");
        }
        for wrong in ["crates/b", "crates/a/src/lib.rs::op", "docs/b.md"] {
            assert!(path_fault(wrong, &files).is_some(), "{wrong}");
        }
        assert_eq!(joined("docs", "../README.md"), "README.md");
    }

    #[test]
    fn our_own_commands_are_parsed() {
        let none = CommandLine::read("");
        assert_eq!(command_fault("cargo xtask kill --rounds 20  # a short one", &none), None);
        assert_eq!(command_fault("cargo build", &none), None);
        assert!(command_fault("cargo xtask chek", &none).is_some());
        assert!(command_fault("cargo xtask kill --round 20", &none).is_some());
    }

    #[test]
    fn settings_are_documented_exactly() {
        let keys = ["a.b", "a.c"].map(str::to_owned).into();
        let document = "| key | default | meaning |\n|---|---|---|\n| `a.b` | 1 | x |\n| `a.d` | 1 | x |\n";
        assert_eq!(settings_faults(&keys, document).len(), 2);
    }
}
