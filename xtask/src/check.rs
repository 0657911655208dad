//! `cargo xtask check`: what must hold before anything is built for real. The quickest comes first.

use crate::command;
use crate::failure::Result;
use crate::tidy;
use crate::workspace::{Workspace, cargo};

/// What looks for known weaknesses and more. Each is built for minutes, so none is installed here; licences and origins
/// are held against the same `deny.toml` by tidy.
const PROGRAMS: [(&str, &[&str]); 2] = [("cargo-deny", &["deny", "check"]), ("cargo-audit", &["audit"])];

/// Tidy, formatting, lints, and what programs say of the dependencies where they are installed. Whether all of it is in order.
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
    let dependencies = dependencies(workspace)?;
    Ok(tidy && dependencies)
}

/// Asks each program that is there. Whether none found anything.
fn dependencies(workspace: &Workspace) -> Result<bool> {
    let mut in_order = true;
    for (program, arguments) in PROGRAMS {
        if !command::is_there(program) {
            println!("skip  {program} is not installed: advisories are not looked up");
            continue;
        }
        match command::run(cargo().args(arguments).current_dir(&workspace.root)) {
            Ok(()) => println!("ok    {program}"),
            Err(failure) => {
                println!("FAIL  {program}: {failure}");
                in_order = false;
            }
        }
    }
    Ok(in_order)
}
