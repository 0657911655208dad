//! `muster report`: running reports and fetching their files, over HTTP.

use super::{NotifyArgs, Service};
use clap::{Args, Subcommand, ValueEnum};
use muster_reports::FileFormat;
use std::path::PathBuf;

/// `report`
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Start a report
    #[command(after_help = "\
Examples:
  muster report run IDENTITIES --wait
  muster report run IDENTITIES --wait -o . --strict
  muster report run IDENTITIES --wait -o people.xlsx
  muster report run ACCOUNTS --source 'Active Directory' --wait
  muster report run IDENTITIES --as-of 2026-03-31 --wait
  muster report run ORPHAN_IDENTITIES --argument selectedFormats=CSV
  muster report run SEARCH_EXPORT --argument 'query=name:\"John Doe\"' --argument indices=identities
  muster report run IDENTITIES --format xlsx --format parquet --wait
  muster report run IDENTITIES --notify ada@example.com

A value has the type that the report's definition says: true or false, a text, taken literally, or for a
list, items with commas between them or a JSON list. `muster report list-kinds` shows the arguments.

With --wait the status is 0, or 1 if the report failed, 3 if it ended with a warning and --strict was
given, 6 if it was cancelled, and 124 if the time of --timeout was up. Ctrl-C asks whether to cancel the report.")]
    Run(Box<RunArgs>),
    /// Wait for a report that runs, and show how far it is
    #[command(after_help = "\
Examples:
  muster report watch a248c16fe22222b2bd49615481311111
  muster report watch a248c16fe22222b2bd49615481311111 --timeout 600 -o report.csv

The status is that of `muster report run --wait`.")]
    Watch {
        /// The task result id that `run` printed
        id: String,
        /// What to do when it has ended
        #[command(flatten)]
        wait: WaitArgs,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Show the state or the result of a report
    #[command(after_help = "Example:\n  muster report result a248c16fe22222b2bd49615481311111")]
    Result {
        /// The task result id that `run` printed
        id: String,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// List the reports that were started last, how each ended, and why
    #[command(after_help = "\
Examples:
  muster report list
  muster report list --state running
  muster report list --kind ACCOUNTS --limit 5 --json id,status,rows

The service lists the last 100.")]
    List {
        /// Only those in this state; may be repeated
        #[arg(long = "state", value_enum, value_name = "STATE")]
        states: Vec<ListedState>,
        /// Only those of this kind
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Fetch a report's file
    #[command(after_help = "\
Examples:
  muster report get a248c16fe22222b2bd49615481311111
  muster report get a248c16fe22222b2bd49615481311111 -o - | head
  muster report get a248c16fe22222b2bd49615481311111 --format xlsx -o identities.xlsx")]
    Get {
        /// The task result id that `run` printed
        id: String,
        /// Format of the file: csv, pdf, or one that `report run --format` asked for
        #[arg(long, default_value = "csv")]
        format: String,
        /// Where to write; a file that is there is replaced, `-` is standard output [default: the name that the
        /// service gives it, here]
        #[arg(short = 'o', long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
        /// Replace a file that has the name which the service gives
        #[arg(long, conflicts_with = "to")]
        force: bool,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Fetch a report's evidence package: its files, signed, with the records of their origin
    #[command(after_help = "\
Examples:
  muster report evidence a248c16fe22222b2bd49615481311111
  muster report evidence a248c16fe22222b2bd49615481311111 --to q3.zip

`muster verify` checks it.")]
    Evidence {
        /// The task result id that `run` printed
        id: String,
        /// Where to write; a file that is there is replaced, `-` is standard output [default: evidence-ID.zip, here]
        #[arg(short = 'o', long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
        /// Replace a file that has that name
        #[arg(long, conflicts_with = "to")]
        force: bool,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Compare two runs of one report, or two CSV files of it: rows that were added, removed or changed
    #[command(after_help = "\
Examples:
  muster report compare a248c16fe22222b2bd49615481311111 b359d27af33333c3ce50726592422222
  muster report compare a248c16fe22222b2bd49615481311111 b359d27af33333c3ce50726592422222 --to changes.html
  muster report compare january.csv february.csv --key id
  muster report compare january.csv february.csv --key source --key nativeIdentity --to changes.csv

The service compares two task result ids; two files are compared here. The key columns identify a
row, whatever the order of the rows. The file that --to names has a line for each row that was
added or removed and for each cell that changed; of two runs, one that ends in .html is a page to read.")]
    Compare(CompareArgs),
    /// Cancel a running report
    #[command(after_help = "Example:\n  muster report cancel a248c16fe22222b2bd49615481311111")]
    Cancel {
        /// The task result id that `run` printed
        id: String,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Keep the files of a result whatever the settings say, until they are released
    #[command(after_help = "\
Example:
  muster report hold a248c16fe22222b2bd49615481311111 --reason 'case 4711'

It acts on the data directory, and needs no running service.")]
    Hold {
        /// The task result id that `run` printed
        id: String,
        /// Why, for those who wonder later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let the files of a result expire again
    #[command(after_help = "Example:\n  muster report release a248c16fe22222b2bd49615481311111")]
    Release {
        /// The task result id that `run` printed
        id: String,
    },
    /// Remove the files of results that have expired; a running service does so by itself
    #[command(after_help = "\
Examples:
  muster report expire
  muster report expire --keep-days 365 --keep-last 3

The records of the results are kept, with the digests of their files. Files that are held are never removed.")]
    Expire {
        /// Keep files of results that ended less than this many days ago [default: results.keep_days]
        #[arg(long, value_name = "DAYS")]
        keep_days: Option<u32>,
        /// Keep this many of the newest results of each report with the same arguments [default: results.keep_last]
        #[arg(long, value_name = "N")]
        keep_last: Option<u32>,
    },
    /// List the reports that can be run, and their arguments
    #[command(after_help = "\
Examples:
  muster report list-kinds
  muster report list-kinds --env production

With a service (--env, --base-url or --client-id), those that its client may run are listed, reports of one's own among \
them. Without one, those that this version has are listed.")]
    ListKinds {
        #[command(flatten)]
        service: Service,
    },
}

/// `report compare`
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier run's task result id, or the earlier file
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The later run's task result id, or the later file
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// A key column: the key columns together identify a row; may be repeated [default: for two runs, those of their report]
    #[arg(long = "key", value_name = "COLUMN")]
    pub keys: Vec<String>,
    /// Where to write what differs [default: only the counts are printed]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// The earlier file was written without the formula guard: its cover says `csvFormulaGuard: false`
    #[arg(long)]
    pub old_raw: bool,
    /// The later file was written without the formula guard
    #[arg(long)]
    pub new_raw: bool,
    /// How the service is reached that compares two runs
    #[command(flatten)]
    pub service: Service,
}

/// `report run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The kind of report, or the id of a custom one; `muster report list-kinds` lists them
    pub kind: String,
    /// An argument; may be repeated
    #[arg(long = "argument", value_name = "NAME=VALUE")]
    pub arguments: Vec<String>,
    /// The name or id of the source that the report is about, for reports of one source
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// A past snapshot to report on: its id, a date (the end of that day in UTC), or a time [default: the
    /// newest snapshot]
    #[arg(long, value_name = "SNAPSHOT|DATE|TIME", value_parser = super::past)]
    pub as_of: Option<String>,
    /// A format to write in addition to those of the report: xlsx, ndjson or parquet; may be repeated
    #[arg(long = "format", value_name = "FORMAT", value_parser = extra_format)]
    pub formats: Vec<FileFormat>,
    /// Wait until it has ended. If the wait is interrupted, the report runs on unless it is cancelled
    #[arg(long)]
    pub wait: bool,
    /// What to do when it has ended
    #[command(flatten)]
    pub ended: WaitArgs,
    /// Who is told how it ends
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// How the service is reached
    #[command(flatten)]
    pub service: Service,
}

/// How long a report is waited for, and what is done when it has ended.
#[derive(Debug, Clone, Default, Args)]
pub struct WaitArgs {
    /// Fetch its files: into a folder that is there, all of them; into a file, the one of its ending
    #[arg(short = 'o', long = "to", value_name = "FILE|DIR")]
    pub to: Option<PathBuf>,
    /// Replace files in that folder that have the names which the service gives
    #[arg(long, requires = "to")]
    pub force: bool,
    /// End with status 3 if the report has a warning
    #[arg(long)]
    pub strict: bool,
    /// Stop waiting after so many seconds, with status 124; the report runs on
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

impl WaitArgs {
    /// Whether nothing of it was given.
    pub fn is_empty(&self) -> bool {
        let Self { to, force, strict, timeout } = self;
        to.is_none() && !force && !strict && timeout.is_none()
    }
}

/// A state of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListedState {
    /// It waits or runs
    Running,
    /// It has ended, with nothing to remark
    Success,
    /// It has ended, with something that a reader must know
    Warning,
    /// It has failed
    Failure,
    /// It was cancelled
    Terminated,
}

/// A format that is written only when it is asked for.
fn extra_format(text: &str) -> Result<FileFormat, String> {
    let names = || FileFormat::EXTRA.map(|format| format.extension()).join(", ");
    let format = text.parse().ok().filter(|format| FileFormat::EXTRA.contains(format));
    format.ok_or_else(|| format!("expected one of {}", names()))
}
