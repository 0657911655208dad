//! Licences and origins of every package that is built, held against `deny.toml`.
//!
//! Why not cargo-deny alone: it is built for minutes, and tidy takes a second. The same file is read, so that both say the
//! same.

use super::files::Files;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::{Workspace, cargo};
use std::collections::BTreeSet;

const LIST: &str = "deny.toml";
/// Where packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages of other licences or origins.
pub fn faults(workspace: &Workspace, files: &Files) -> Result<Vec<String>> {
    let list = files.texts.get(LIST).ok_or_else(|| Failure::new(format!("{LIST} is not there")))?;
    let list: toml::Table = toml::from_str(list).context(|| LIST.into())?;
    let allowed: BTreeSet<&str> =
        list["licenses"]["allow"].as_array().into_iter().flatten().filter_map(toml::Value::as_str).collect();
    let targets = list["graph"]["targets"].as_array().into_iter().flatten().filter_map(toml::Value::as_str);
    let mut ask = cargo();
    ask.args(["metadata", "--format-version", "1", "--locked"]).current_dir(&workspace.root);
    for target in targets {
        ask.args(["--filter-platform", target]);
    }
    let answer: serde_json::Value = serde_json::from_str(&command::output(&mut ask)?)
        .context(|| "the answer of cargo metadata cannot be read".into())?;
    let mut faults = Vec::new();
    for package in answer["packages"].as_array().into_iter().flatten() {
        let Some(source) = package["source"].as_str() else { continue };
        let name = package["name"].as_str().unwrap_or_default();
        if source != REGISTRY {
            faults.push(format!("package {name} comes from {source}: expected the public registry"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &allowed) {
            faults.push(format!("package {name} has the licence {licence:?}: expected what {LIST} allows"));
        }
    }
    Ok(faults)
}

/// Whether the licences allow a choice (`OR`, `/`) of which all parts (`AND`) are in the list.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    choice(&words, &mut at, allowed).unwrap_or(false) && at == words.len()
}

fn choice(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut holds = all(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= all(words, at, allowed)?;
    }
    Some(holds)
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut holds = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allowed)?;
    }
    Some(holds)
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let holds = choice(words, at, allowed)?;
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(holds);
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        return Some(allowed.contains(format!("{word} WITH {exception}").as_str()));
    }
    Some(allowed.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        for right in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "ISC AND (GPL-3.0 OR MIT)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(right, &allowed), "{right}");
        }
        for wrong in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "MIT)", "MIT OR", "ISC AND (GPL-3.0)"]
        {
            assert!(!is_allowed(wrong, &allowed), "{wrong}");
        }
    }
}
