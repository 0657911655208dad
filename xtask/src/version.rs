//! The version that is packed, and the time that its files are dated with.

use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::process::Command;

/// The version of the workspace.
pub fn of(workspace: &Workspace) -> Result<String> {
    let place = workspace.root.join("Cargo.toml");
    let text = std::fs::read_to_string(&place).context(|| format!("{} cannot be read", place.display()))?;
    let manifest: toml::Table = toml::from_str(&text).context(|| place.display().to_string())?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    version.map(str::to_owned).ok_or_else(|| Failure::new(format!("{} names no version", place.display())))
}

/// The time that files are dated with: `SOURCE_DATE_EPOCH`, or that of the last commit.
pub fn epoch(workspace: &Workspace) -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        let is_number = !epoch.is_empty() && epoch.bytes().all(|digit| digit.is_ascii_digit());
        let refuse = || Failure::new(format!("SOURCE_DATE_EPOCH is {epoch:?}: expected seconds since 1970"));
        return if is_number { Ok(epoch) } else { Err(refuse()) };
    }
    let mut ask = Command::new("git");
    ask.current_dir(&workspace.root).args(["log", "-1", "--format=%ct"]);
    let epoch = command::output(&mut ask)
        .context(|| "the time of the last commit is not known: expected SOURCE_DATE_EPOCH".into())?;
    Ok(epoch.trim().to_owned())
}
