//! Tasks of this repository:
//! `cargo xtask check|tidy|docs|test|book|clients|console|kill|faults|relay|hostile|monitoring|package|release|fuzz|bench`.
//!
//! Why a program and not scripts: the same commands on every machine, with types and without a shell. The tasks that
//! start the service are in `crates/harness`, which knows the service only from outside, as a process and over HTTP. So
//! this program builds in seconds, and what it finds is what a user would find.
//!
//! Invariants: it ends only processes that it started, by their own handles. It writes only below the target directory
//! and into its own temporary folders, with these exceptions: `docs` writes the generated documents, `book --picture` a picture, `bench` writes docs/performance.md, `fuzz --keep` writes
//! kept inputs, and tasks that need Debian packages install them if they run as root.

mod bench;
mod built_in;
mod check;
mod docs;
mod fuzz;
mod package;
mod release;
mod setup;
mod test;
mod tidy;
mod version;

use clap::{Parser, Subcommand};
use muster_harness::failure::Result;
use muster_harness::workspace::Workspace;
use muster_harness::{book, clients, console, faults, hostile, kill, monitoring, relay};
use std::process::ExitCode;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Formatting, lints, tidy, and what is known about the dependencies
    Check,
    /// Crate edges, import circles, paths and commands in documents, sizes of files, forbidden words
    Tidy,
    /// Write docs/reports.md from the report definitions, docs/limits.md from the code, and the pages of the engine
    Docs,
    /// All tests; installs what they need; the last line has the totals
    Test,
    /// Do what the README, the book and the documents ask their reader to do, and compare what happens with what they show
    Book(book::Options),
    /// Only the published clients against a running server
    Clients(clients::Options),
    /// The pages of the console in a browser, against a running server
    Console(console::Options),
    /// Kill the running service again and again and check that nothing accepted was lost
    Kill(kill::Options),
    /// Break things under the service in many ways, and check what happened against ten rules
    Faults(faults::Options),
    /// Pass audit events on to a real broker through outages and kills, and under TLS and SASL
    Relay(relay::Options),
    /// Send requests made from our OpenAPI document, and compare the answers with it
    Hostile(hostile::Options),
    /// Let Prometheus read the alerts and a running service, and look for what they name
    Monitoring(monitoring::Options),
    /// Make the Debian package and a container, and try them
    Package(package::Options),
    /// Make what is handed out of a version: packages, an archive, lists of what is built in, digests, a signature
    Release(release::Options),
    /// Fuzz everything that hostile input reaches, with coverage as the guide
    Fuzz(fuzz::Options),
    /// Time and memory on a large organisation, compared with other programs that do the same
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a task. Whether everything is in order.
fn run(task: Task) -> Result<bool> {
    let workspace = Workspace::find()?;
    match task {
        Task::Check => check::run(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Docs => docs::write(&workspace).map(|()| true),
        Task::Test => test::run(&workspace),
        Task::Book(options) => book::run(&workspace, &options),
        Task::Clients(options) => clients::run(&workspace, &options),
        Task::Console(options) => console::run(&workspace, &options),
        Task::Kill(options) => kill::run(&workspace, &options),
        Task::Faults(options) => faults::run(&workspace, &options),
        Task::Relay(options) => relay::run(&workspace, &options),
        Task::Hostile(options) => hostile::run(&workspace, &options),
        Task::Monitoring(options) => monitoring::run(&workspace, &options),
        Task::Package(options) => package::run(&workspace, &options),
        Task::Release(options) => release::run(&workspace, &options),
        Task::Fuzz(options) => fuzz::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
    }
}
