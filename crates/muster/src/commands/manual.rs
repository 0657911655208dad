//! `muster completion` and `muster manual`: what packages install beside the program.

use crate::cli;
use crate::failure::{Context, Result};
use crate::output::print;
use clap_complete::Shell;
use std::path::Path;

/// Prints the completions of a shell.
pub fn completion(shell: Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "muster", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a manual page for the program and for each command.
pub fn pages(folder: &Path) -> Result {
    std::fs::create_dir_all(folder).context(|| format!("folder {} cannot be made", folder.display()))?;
    clap_mangen::generate_to(cli::command(), folder)
        .context(|| format!("the pages cannot be written to {}", folder.display()))
}
