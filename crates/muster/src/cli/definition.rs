//! `muster definition`: reports of one's own. The commands act on files and on the data directory.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `definition`
#[derive(Debug, Subcommand)]
pub enum DefinitionCommand {
    /// Write a definition to begin with, with an explanation of each key
    #[command(after_help = "\
Example:
  muster definition new LEAVERS_WITH_ACCOUNTS    # writes LEAVERS_WITH_ACCOUNTS.toml

It is a whole report that can be checked and run. docs/custom-reports.md explains how to go on.")]
    New {
        /// The id of the report: letters, digits, _ and -
        id: String,
        /// Where to write it [default: the id, with .toml]
        #[arg(short = 'o', long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Check a definition: everything that is wrong with it, with its line; the status is 1 if anything is
    #[command(after_help = "\
Example:
  muster definition check leavers.toml

Each query is planned over empty tables. Nothing is kept, and no data directory is needed.")]
    Check {
        /// The definition file
        file: PathBuf,
    },
    /// Run a definition once over a snapshot, and keep nothing but the files
    #[command(after_help = "\
Examples:
  muster definition run leavers.toml                       # CSV, on standard output
  muster definition run leavers.toml --to . --as-of 2026-03-31
  muster definition run rights.toml --argument source=2c9180897e7742b2017e781782f705b9

It runs as the service would run it: rows are counted a second time, and the run fails if the counts differ.")]
    Run(TrialArgs),
    /// Keep a definition: whoever may start reports can start this one, on every node within two seconds
    #[command(after_help = "\
Example:
  muster definition add leavers.toml

It is checked first, as `muster definition check` does. Another text needs a greater version; earlier versions are
kept. The audit trail records it.")]
    Add {
        /// The definition file
        file: PathBuf,
    },
    /// List the definitions that are kept
    #[command(after_help = "Example:\n  muster definition list")]
    List,
    /// Print a definition that is kept, or list its versions
    #[command(after_help = "\
Examples:
  muster definition show LEAVERS_WITH_ACCOUNTS > leavers.toml
  muster definition show LEAVERS_WITH_ACCOUNTS --versions")]
    Show {
        /// The id of the report
        id: String,
        /// This version [default: the newest]
        #[arg(long, value_name = "NUMBER", conflicts_with = "versions")]
        version: Option<u32>,
        /// List the versions: who added them, and when
        #[arg(long)]
        versions: bool,
    },
    /// Remove a report: nobody can start it any more; its versions and its results stay
    #[command(after_help = "Example:\n  muster definition remove LEAVERS_WITH_ACCOUNTS")]
    Remove {
        /// The id of the report
        id: String,
    },
}

/// `definition run`
#[derive(Debug, Args)]
pub struct TrialArgs {
    /// The definition file
    pub file: PathBuf,
    /// An argument; may be repeated
    #[arg(long = "argument", value_name = "NAME=VALUE")]
    pub arguments: Vec<String>,
    /// A past snapshot: its id, a date (the end of that day in UTC), or a time
    #[arg(long, value_name = "SNAPSHOT|DATE|TIME", default_value = "newest")]
    pub as_of: String,
    /// The id of a source that the caller may see; may be repeated. Without it, the caller sees everything
    #[arg(long = "data-scope", value_name = "SOURCE")]
    pub data_scope: Vec<String>,
    /// A folder for the files of all formats; without it, CSV goes to standard output
    #[arg(short = 'o', long = "to", value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Replace files in that folder
    #[arg(long, requires = "to")]
    pub force: bool,
}
