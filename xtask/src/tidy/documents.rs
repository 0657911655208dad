//! What documents name must be there: paths, functions, tasks of this program.
//!
//! In code spans and code blocks of every `*.md`:
//! - a path that begins with a top-level folder of the repository exists; `path.rs::name` also has that item;
//! - `cargo xtask ...` parses with the real command line of this program.
//!
//! Link targets exist, from the document's folder, and so do the headings that they name. A test of `muster` checks the commands and settings that documents
//! name (`crates/muster/src/documents.rs`).

use super::files::Files;
use super::markdown::{self, Code};
use crate::Cli;
use clap::Parser;
use clap::error::ErrorKind;

/// Everything that a document names and that is not there.
pub fn faults(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in files.ending(".md") {
        let place = |code: &Code| format!("{path}:{}: `{}`", code.line, code.text);
        for code in markdown::code(text) {
            let fault = path_fault(&code.text, files).or_else(|| task_fault(&code.text));
            faults.extend(fault.map(|fault| format!("{} {fault}", place(&code))));
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in markdown::links(text) {
            let (target, anchor) = link.text.split_once('#').unwrap_or((&link.text, ""));
            let target = if target.is_empty() { path.to_owned() } else { joined(folder, target) };
            if !exists(&target, files) {
                faults.push(format!("{} is not a file here", place(&link)));
            } else if !anchor.is_empty()
                && !markdown::anchors(whole(&target, files)).contains(&anchor.to_owned())
            {
                faults.push(format!("{}: {target} has no heading of this name", place(&link)));
            }
        }
    }
    faults
}

/// The text of a document. A page of the book may be nothing but another document, which it includes.
fn whole<'files>(path: &str, files: &'files Files) -> &'files str {
    let text = files.texts.get(path).map_or("", String::as_str);
    let included = text.strip_prefix("{{#include ").and_then(|rest| rest.trim_end().strip_suffix("}}"));
    let Some(included) = included else { return text };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    files.texts.get(&joined(folder, included)).map_or("", String::as_str)
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

/// The path from the root that a document in `folder` calls `relative`.
pub(super) fn joined(folder: &str, relative: &str) -> String {
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

/// A fault if this is a task of this program that would not parse.
fn task_fault(code: &str) -> Option<String> {
    let code = code.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = code.split_whitespace().filter(|word| *word != "$").collect();
    match words.as_slice() {
        // The name alone is a name.
        ["cargo", "xtask"] => None,
        ["cargo", "xtask", rest @ ..] => {
            let error = Cli::try_parse_from(std::iter::once(&"xtask").chain(rest)).err()?;
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            (!is_help).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
        }
        _ => None,
    }
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
    fn headings_that_links_name_are_looked_up() {
        let document = "# Home\n[a](b.md#part) [b](c.md#part) [c](#home) [d](b.md#prat) [e](#hoem)\n";
        let texts = [("a.md", document), ("b.md", "## Part\n"), ("c.md", "{{#include b.md}}\n")];
        let texts = texts.into_iter().map(|(path, text)| (path.into(), text.into())).collect();
        assert_eq!(
            faults(&Files { texts }),
            [
                "a.md:2: `b.md#prat`: b.md has no heading of this name",
                "a.md:2: `#hoem`: a.md has no heading of this name",
            ]
        );
    }

    #[test]
    fn tasks_are_parsed() {
        assert_eq!(task_fault("cargo xtask kill --rounds 20  # a short one"), None);
        assert_eq!(task_fault("cargo build"), None);
        assert!(task_fault("cargo xtask chek").is_some());
        assert!(task_fault("cargo xtask kill --round 20").is_some());
    }
}
