//! The command line: what can be typed. What it does is in `commands`, `serve` and `demo`.

mod backup;
mod definition;
mod flowing;
mod keeping;
mod notification;
#[cfg(test)]
mod page;
mod refresh;
mod report;
mod review;
mod schedule;
mod search;
mod service;
mod source;

pub use backup::{BackupCommand, RestoreArgs, VerifyBackupArgs};
pub use definition::{DefinitionCommand, TrialArgs};
pub use keeping::{KeysCommand, UpgradeArgs};
pub use notification::{NotificationCommand, NotifyArgs};
pub use refresh::RefreshArgs;
pub use report::{CompareArgs, ListedState, ReportCommand, RunArgs, WaitArgs};
pub use review::{ReviewCommand, ReviewCreateArgs, ReviewDecideArgs, ReviewersRule, SheetFormat};
pub use schedule::{ScheduleAddArgs, ScheduleCommand};
pub use search::SearchCommand;
pub use service::{DoctorArgs, EnvCommand, LoginArgs, McpArgs, Service};
pub use source::{InitArgs, MirrorArgs, SourceCommand};

use crate::output::OutputFormat;
use chrono::{DateTime, Utc};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use muster_reports::caller::UserLevel;
use muster_reports::retention::AsOf;
use refresh::{first_moment, moment};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Self-hosted Reports Data Extraction for identity data.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    after_help = "Examples:
  muster demo                      try it: sample data, reports, a service
  muster source add hr.toml        register a source
  muster refresh                   read all sources and publish a snapshot
  muster client create --kind user --name ada \\
      --level ORG_ADMIN --scope sp:scopes:all
  muster serve                     answer the API on 127.0.0.1:8080
  muster report run IDENTITIES --wait -o .

The status is 0, or 1 failed, 2 wrong usage, 3 done with a warning, 4 not allowed, 5 not found,
6 cancelled, 7 too much lost, 124 timed out. Results are on standard output, everything else on standard error.

Settings come from defaults, then a TOML file (--config, or muster.toml in the data
directory), then variables MUSTER__SECTION__KEY, then flags; `muster config show` shows them."
)]
pub struct Cli {
    /// Folder that holds everything the service keeps [default: muster-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    pub data: Option<PathBuf>,
    /// Settings file [default: muster.toml in the data directory, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub config: Option<PathBuf>,
    /// How results are printed [default: table]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = GLOBAL)]
    pub output: Option<OutputFormat>,
    /// Print only these fields of each result, as JSON unless --output says otherwise
    #[arg(long, global = true, value_name = "FIELDS", value_delimiter = ',', help_heading = GLOBAL)]
    pub json: Vec<String>,
    /// Let tables be wider than the terminal
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub wide: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The command line, with help that fits the terminal.
pub fn command() -> clap::Command {
    flowing::flowing(Cli::command())
}

/// What was typed. On wrong usage and where help was asked for, the process ends here.
pub fn parse() -> Cli {
    let parsed = Cli::from_arg_matches(&command().get_matches());
    parsed.unwrap_or_else(|error| error.format(&mut command()).exit())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the API and run reports until SIGTERM or Ctrl-C
    #[command(after_help = "\
Examples:
  muster serve --data /var/lib/muster --listen 127.0.0.1:8080
  muster serve --init                      # in a new folder

`muster source add` and `muster client create` make the data directory too.")]
    Serve(ServeArgs),
    /// Make a sample organisation, run every report over HTTP, and serve it until Ctrl-C
    #[command(after_help = "Examples:\n  muster demo\n  muster demo --once --identities 500 --data sample")]
    Demo(DemoArgs),
    /// Credentials of the token endpoint
    #[command(subcommand)]
    Client(ClientCommand),
    /// Sources of accounts
    #[command(subcommand)]
    Source(SourceCommand),
    /// Read all sources, correlate, and publish a snapshot
    #[command(after_help = "\
Examples:
  muster refresh --data /var/lib/muster
  muster refresh --plan --to differences.csv

What cannot have changed since the last snapshot is copied from it: files of sources with the same
bytes are not read again, and of large tables only the partitions with changed rows are written. --full
reads and computes everything again, with the same result.

If a source cannot be read, the refresh fails and the last snapshot stays in force, unless the setting
refresh.publish_incomplete is true: then the source's accounts stay as they were, and reports warn.

If more identities or accounts would be lost than the settings refresh.guards allow, nothing is published and
the status is 7. --plan says what would change; --accept-losses publishes it.")]
    Refresh(RefreshArgs),
    /// Run reports and fetch their files, over HTTP
    #[command(subcommand)]
    Report(ReportCommand),
    /// Reports of one's own
    #[command(subcommand)]
    Definition(DefinitionCommand),
    /// Access reviews, over HTTP
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Services that reports are run on, kept under names
    #[command(subcommand)]
    Env(EnvCommand),
    /// Check a client's id and secret with a service, and keep them
    #[command(after_help = "\
Examples:
  muster login --base-url https://reports.example.com
  muster login test --client-id 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b --secret-file /run/secrets/test

What is missing is asked for. The service is in use from then on; `muster env` shows and changes that.")]
    Login(LoginArgs),
    /// Reports for programs that speak the Model Context Protocol, over standard input and output
    Mcp(McpArgs),
    /// Reports and refreshes at times
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Who was told of runs that have ended
    #[command(subcommand)]
    Notification(NotificationCommand),
    /// The query language of searches
    #[command(subcommand)]
    Search(SearchCommand),
    /// The service's keys: their ages, and their exchange
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The key of this service's evidence packages
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// The audit trail
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check an evidence package or a report's file, without a network; the status is 1 if something fails
    #[command(after_help = "\
Examples:
  muster verify evidence-a248c16fe22222b2bd49615481311111.zip --key public.pem
  muster verify report.csv --cover cover.json

Take the key from a place where a forger cannot exchange it together with the package: from
`muster evidence key`, or from the operator of the service. Each line says what holds, what fails, or
what cannot be checked here. VERIFY.md in a package shows how other programs check it.")]
    Verify(VerifyArgs),
    /// Show how an installation is: its snapshot, sources, tasks, disks, and what waits to be passed on
    #[command(after_help = "Example:\n  muster status --data /var/lib/muster")]
    Status,
    /// Look for what is wrong with an installation, and say what to do
    #[command(after_help = "\
Examples:
  muster doctor --data /var/lib/muster
  muster doctor --strict --output json

It looks at settings, folders, permissions, space, the clock, the database, the audit trail, Kafka,
issuers, keys, the certificate's end and the snapshot's age. The status is 1 if something is wrong.")]
    Doctor(DoctorArgs),
    /// Hash all files of snapshots and results, and compare them with what was recorded
    #[command(after_help = "\
Example, for a timer:
  muster check --data /var/lib/muster || mail -s 'muster: damaged files' operators@example.org

It reads every file once, also while a service runs. The status is 0 if all files are as they were written,
and 1 if one is damaged or missing; each of these is named. Snapshots that an earlier version made have no
digests and are counted as unchecked.")]
    Check,
    /// Bring a data directory up to date, or say what that would do
    #[command(after_help = "\
Examples:
  muster upgrade --check --data /var/lib/muster
  muster upgrade --data /var/lib/muster

Every command that opens the data directory does this too. With --check nothing is changed, and the status is
0 if nothing is to be done, 3 if steps are to be applied, and 1 if this program cannot go on with it: a newer
version has written it. A step is applied whole or not at all; after an interruption, the next call goes on.")]
    Upgrade(UpgradeArgs),
    /// Copies of everything that the service keeps, made while it runs
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Make a data directory from a backup
    #[command(after_help = "\
Examples:
  muster restore /backups/muster --data /var/lib/muster
  muster restore /backups/muster --data /var/lib/muster --backup 20261130 --keys /safe/keys \\
    --noted 1042:5f1c3cc3d0f1a5f0ad7c7d0b1a2f5f4b6d0a0a54e0d4a9a5b0c1d2e3f4a5b6c7

The data directory must be new or empty. What was recorded after the backup is lost: the command says how
many events of the audit trail, if you give it the head that you noted last (`muster audit verify`).")]
    Restore(RestoreArgs),
    /// Published snapshots
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Correlation of accounts with identities
    #[command(subcommand)]
    Correlate(CorrelateCommand),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  muster completion bash > ~/.local/share/bash-completion/completions/muster"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    #[command(hide = true, after_help = "Example:\n  muster manual man")]
    Manual {
        /// The folder; it is made if it is missing
        folder: PathBuf,
    },
}

/// `serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Make the data directory if it is not there
    #[arg(long)]
    pub init: bool,
    /// Join this database and this folder although they belong to different installations, or the database is empty
    #[arg(long)]
    pub adopt: bool,
    /// Move result files that no record names to the trash, however many they are
    #[arg(long)]
    pub sweep: bool,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after the table; the status is 1 if a report did not succeed
    #[arg(long)]
    pub once: bool,
    /// Stop after the refreshes: make the organisation and its snapshots, and run no report
    #[arg(long, conflicts_with = "once")]
    pub no_reports: bool,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// People in the sample organisation
    #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(50..=10_000_000))]
    pub identities: u32,
    /// Seed of the sample data: the same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `client`
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a credential; its id and secret are printed once, as JSON
    #[command(after_help = "\
Examples:
  muster client create --kind user --name ada.lovelace --level ORG_ADMIN --scope sp:scopes:all
  muster client create --kind application --name nightly-export --scope sp:report:manage
  muster client create --name kim.audit --level auditor --reports ACCOUNTS,IDENTITIES \\
    --from 2025-01-01 --to 2025-12-31 --ends 2026-03-31

An AUDITOR reads and downloads results of the named reports, made from snapshots of the period, until
the end; with --scope sp:report:manage he starts these reports, too, and nothing else.

Levels: ORG_ADMIN, CERT_ADMIN, REPORT_ADMIN, ROLE_ADMIN, ROLE_SUBADMIN, SOURCE_ADMIN,
SOURCE_SUBADMIN, HELPDESK, USER, SOD_POLICY_ADMIN, AUDITOR. Scopes: sp:scopes:all, sp:report:manage,
sp:report:read, sp:search:read, idn:task-management:write, idn:task-management:read,
sp:saved-search:manage, sp:saved-search:read, sp:scheduled-search:manage, idn:sod-policy:manage,
idn:sod-policy:read, idn:sod-violation:manage, idn:sod-violation:read, idn:identity-history:manage,
idn:identity-history:read.")]
    Create(ClientCreateArgs),
    /// List credentials, without secrets
    #[command(after_help = "Example:\n  muster client list --output json")]
    List,
    /// Disable a credential; its tokens are refused within seconds
    #[command(after_help = "\
Examples:
  muster client disable 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b
  muster client disable ada.lovelace")]
    Disable {
        /// The client id, or the user's name, or what the application is for
        #[arg(value_name = "CLIENT")]
        id: String,
    },
}

/// `client create`
#[derive(Debug, Args)]
pub struct ClientCreateArgs {
    /// `user`: a personal access token, may cancel; `application`: may not [default with --level: user]
    #[arg(long, value_enum, required_unless_present = "levels")]
    pub kind: Option<ClientKind>,
    /// The user's name, or what the application is for
    #[arg(long)]
    pub name: String,
    /// A user level; may be repeated
    #[arg(long = "level", value_name = "LEVEL", value_parser = level)]
    pub levels: Vec<UserLevel>,
    /// A scope; may be repeated. Needed for all but auditors [default for them: sp:report:read]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<muster_reports::caller::Scope>,
    /// Of an auditor: the first day (in UTC) or time of the snapshots that he may see
    #[arg(long, value_name = "DATE", value_parser = first_moment)]
    pub from: Option<DateTime<Utc>>,
    /// Of an auditor: the last day (in UTC) or time of these snapshots
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub to: Option<DateTime<Utc>>,
    /// Of an auditor: the reports that he may see, by report type or definition id, with commas between them; may be
    /// repeated
    #[arg(long = "reports", value_name = "REPORT", value_delimiter = ',')]
    pub reports: Vec<String>,
    /// Of an auditor: the last day (in UTC), or the time, of his access
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub ends: Option<DateTime<Utc>>,
    /// The identity id of the user [default: a fresh one]
    #[arg(long, value_name = "ID")]
    pub identity_id: Option<String>,
    /// The name or id of a source whose rows it may see, and no others; may be repeated. Needed for users whose
    /// levels are SOURCE_ADMIN and SOURCE_SUBADMIN only
    #[arg(long = "source", value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// How long its tokens are valid, in seconds (accessTokenValiditySeconds) [default: auth.token_lifetime_s]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=31_622_400))]
    pub token_lifetime: Option<u32>,
    /// What it is for
    #[arg(long, default_value = "")]
    pub description: String,
}

/// Kind of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientKind {
    /// A personal access token of a user.
    User,
    /// An application client.
    Application,
}

/// A user level, in any case.
/// A past snapshot, as the service reads it: what it is not is told before anything is asked.
fn past(text: &str) -> Result<String, String> {
    match text.parse::<AsOf>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.message),
    }
}

fn level(text: &str) -> Result<UserLevel, String> {
    text.to_ascii_uppercase().parse()
}

/// `evidence`
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Print the public key that checks evidence packages, in PEM, and its fingerprint
    #[command(after_help = "\
Example:
  muster evidence key --data /var/lib/muster > public.pem

The key is made when it is first needed. The fingerprint is what
`openssl pkey -pubin -in public.pem -outform DER | sha256sum` prints.")]
    Key,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the whole audit trail; the status is 1 if an event was changed, removed or moved, 3 if all holds since a reseal
    #[command(after_help = "\
Examples:
  muster audit verify --data /var/lib/muster
  muster audit verify --noted 1042:5f1c3cc3d0f1a5f0ad7c7d0b1a2f5f4b6d0a0a54e0d4a9a5b0c1d2e3f4a5b6c7

May be run while the service runs. It prints the trail's head as number:hash. If you note the head
elsewhere and pass it to --noted later, the check shows that the trail has not been rewritten since, and
that no older trail has been restored.")]
    Verify {
        /// A head that was noted earlier; may be repeated
        #[arg(long, value_name = "NUMBER:HASH")]
        noted: Vec<String>,
    },
    /// Let a broken trail continue, with an event that records that it was broken
    #[command(after_help = "\
Example:
  muster audit reseal --reason 'case 4711: disk of db1 restored from the backup of 2 March' --confirm

No existing event is changed. The new event says who ran this, why, and what was wrong; `audit verify` shows
it from then on, with status 3. Evidence of runs whose events precede it can no longer be made. Without
--confirm, the command says what is wrong and does nothing.")]
    Reseal {
        /// Why, for those who read the trail later
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Confirms that it is known what happened, and that the trail may continue
        #[arg(long)]
        confirm: bool,
    },
    /// List events, the oldest first
    #[command(after_help = "Examples:\n  muster audit list --after 1000\n  muster audit list --output json")]
    List {
        /// Begin after the event with this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// Events to list
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// List events that could never be passed on to Kafka
    #[command(after_help = "Example:\n  muster audit parked")]
    Parked,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// An evidence package, or one file of a report
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The service's public key: checks an evidence package
    #[arg(long, value_name = "PUBLIC.pem", required_unless_present = "cover", conflicts_with = "cover")]
    pub key: Option<PathBuf>,
    /// The report's cover: checks one file
    #[arg(long, value_name = "COVER.json")]
    pub cover: Option<PathBuf>,
}

/// `snapshot`
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// List published snapshots, the newest first
    #[command(after_help = "Example:\n  muster snapshot list")]
    List,
    /// Show a snapshot: its sources and tables, its pin, whether it has expired
    #[command(after_help = "Examples:\n  muster snapshot show newest\n  muster snapshot show 2026-03-31")]
    Show {
        /// Its id, a date (the end of that day in UTC), a time, or `newest`
        snapshot: String,
    },
    /// Keep a snapshot whatever the policy says, until it is unpinned
    #[command(after_help = "Example:\n  muster snapshot pin 2026-03-31 --reason 'first quarter'")]
    Pin {
        /// Its id, a date, a time, or `newest`
        snapshot: String,
        /// Why it is kept
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, env = "USER", value_name = "NAME")]
        by: String,
    },
    /// Let a pinned snapshot expire again
    #[command(after_help = "Example:\n  muster snapshot unpin 2026-03-31")]
    Unpin {
        /// Its id, a date, a time, or `newest`
        snapshot: String,
    },
    /// Let snapshots expire as snapshots.keep_last and snapshots.keep_days say, and remove what only they read
    #[command(after_help = "\
Example:
  muster snapshot expire --dry-run

Every refresh does this. Pinned snapshots, the newest one, and those that a waiting or running report
reads are kept in any case.")]
    Expire {
        /// Only say what would expire
        #[arg(long)]
        dry_run: bool,
        /// Move files that no snapshot reads to the trash, however many they are
        #[arg(long)]
        all: bool,
    },
    /// Compare two snapshots: identities and accounts that were added, removed or changed, by attribute
    #[command(after_help = "\
Examples:
  muster snapshot compare 2026-03-31 newest
  muster snapshot compare 2026-03-31 2026-06-30 --to changes.csv

The file that --to names has a line for each object that was added or removed and for each attribute that
changed; one that ends in .ndjson is written as JSON, one object a line.")]
    Compare {
        /// The earlier snapshot: its id, a date, a time, or `newest`
        old: String,
        /// The later snapshot
        new: String,
        /// Where to write what differs, as CSV or NDJSON [default: only the counts are printed]
        #[arg(short = 'o', long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// `correlate`
#[derive(Debug, Subcommand)]
pub enum CorrelateCommand {
    /// Explain whose an account is: each rule, the values compared, the candidates, the verdict
    #[command(after_help = "\
Examples:
  muster correlate explain 'Active Directory' 'CN=Ada,OU=People,DC=example,DC=com'
  muster correlate explain Payroll 4711 --snapshot 2026-03-31

Rules and data are those of the snapshot. The status is 1 if the verdict is not what the refresh wrote.")]
    Explain {
        /// The source's name or id
        source: String,
        /// The account
        native_identity: String,
        /// The snapshot: its id, a date, a time, or `newest`
        #[arg(long, default_value = "newest")]
        snapshot: String,
    },
}

/// `config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the settings in force and where each came from
    #[command(after_help = "Example:\n  MUSTER__WORKER__COUNT=4 muster config show")]
    Show,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// A person who asks for help gets something to copy.
    #[test]
    fn every_help_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.get_name() == "help" {
                return;
            }
            if !command.has_subcommands() {
                let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(example.starts_with("Example"), "{path} --help has no example");
                let words = path.trim_start();
                assert!(example.contains(words), "the example of {words} does not call it");
            }
            for sub in command.get_subcommands() {
                check(sub, &path);
            }
        }
        check(&Cli::command(), "");
    }
}
