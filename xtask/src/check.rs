//! `cargo xtask check`: what must hold before anything is built for real. The quickest comes first.

use crate::command;
use crate::failure::Result;
use crate::tidy;
use crate::workspace::{Workspace, cargo};

/// Tidy, formatting, lints. Whether all of it is in order.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let tidy = tidy::run(workspace)?;
    let in_root = |arguments: &[&str]| {
        let mut command = cargo();
        command.args(arguments).current_dir(&workspace.root);
        command
    };
    command::run(&mut in_root(&["fmt", "--all", "--check"]))?;
    // The release profile, so that the C code of the dependencies is compiled once for lints and tests.
    let lints = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(&mut in_root(&lints))?;
    Ok(tidy)
}
