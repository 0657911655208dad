//! `muster review`: access reviews, over HTTP.

use super::Service;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `review`
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// Freeze who has what in a snapshot, and give each item to a reviewer
    #[command(after_help = "\
Examples:
  muster review create 'Spring 2026' --reviewers manager --fallback grace.hopper
  muster review create 'SAP, privileged' --reviewers source-owner --source SAP --privileged --comment-required
  muster review create 'Directory' --reviewers list --list reviewers.csv --as-of 2026-03-31 --due-days 30

An item is an entitlement of an account, or an account without entitlements. Nobody reviews access of
their own. Items without a reviewer stay in the review and are counted. The list is CSV with the columns
source, entitlement, identity and reviewer; an empty cell fits everything, and the first line that fits decides.")]
    Create(Box<ReviewCreateArgs>),
    /// List the reviews
    #[command(after_help = "Example:\n  muster review list")]
    List {
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Show how far a review is, by reviewer
    #[command(after_help = "\
Example:
  muster review status 0123456789abcdef0123456789abcdef

Whether revokes are done shows the report REVIEW_REVOKES, once the review is closed:
  muster report run REVIEW_REVOKES --argument review=0123456789abcdef0123456789abcdef --wait")]
    Status {
        /// The id that `create` printed
        id: String,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Show the items of a review
    #[command(after_help = "\
Examples:
  muster review show 0123456789abcdef0123456789abcdef --undecided
  muster review show 0123456789abcdef0123456789abcdef --reviewer ada.lovelace --output csv")]
    Show {
        /// The id that `create` printed
        id: String,
        /// Only the items of this reviewer
        #[arg(long, value_name = "NAME")]
        reviewer: Option<String>,
        /// Only the items without a decision
        #[arg(long)]
        undecided: bool,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Fetch the sheets of a review: a file for each reviewer, in one archive
    #[command(after_help = "\
Examples:
  muster review export 0123456789abcdef0123456789abcdef -o sheets.zip
  muster review export 0123456789abcdef0123456789abcdef --format csv --reviewer ada.lovelace -o ada.zip

Reviewers fill in the columns decision (KEEP or REVOKE) and comment, and change nothing else.")]
    Export {
        /// The id that `create` printed
        id: String,
        /// The form of the sheets
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "xlsx")]
        format: SheetFormat,
        /// Only the sheet of this reviewer
        #[arg(long, value_name = "NAME")]
        reviewer: Option<String>,
        /// Where the archive is written
        #[arg(short = 'o', long = "to", value_name = "FILE")]
        to: PathBuf,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Give sheets that were filled in to the service; the status is 1 if one is refused
    #[command(after_help = "\
Example:
  muster review import 0123456789abcdef0123456789abcdef ada.lovelace.xlsx grace.hopper.csv

A sheet is compared row by row with what was sent. A sheet with a row that is missing, there twice, or not
as it was sent is refused as a whole, and each such row is named. The same sheet again changes nothing.")]
    Import {
        /// The id that `create` printed
        id: String,
        /// The sheets, XLSX or CSV
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Decide items: as their reviewer, or for one as an administrator of reviews
    #[command(after_help = "\
Examples:
  muster review decide 0123456789abcdef0123456789abcdef --keep 1-40,42
  muster review decide 0123456789abcdef0123456789abcdef --revoke 41 --comment 'moved to sales in March'

A decision can be changed until the review is closed; each one stays in the audit trail.")]
    Decide(ReviewDecideArgs),
    /// Give items to another reviewer
    #[command(after_help = "\
Examples:
  muster review hand-over 0123456789abcdef0123456789abcdef --from bob --to cleo --reason 'on leave until May'
  muster review hand-over 0123456789abcdef0123456789abcdef --items 7,9-12 --to cleo --reason 'knows the ledger'

Without --items, all items that are not decided. What was frozen and decisions stay; who did it and why is in the audit trail.")]
    HandOver {
        /// The id that `create` printed
        id: String,
        /// Numbers of items, such as 7,9-12
        #[arg(long, value_name = "NUMBERS")]
        items: Option<String>,
        /// Only items of the reviewer with this name
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// Name of the new reviewer
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
    /// Close a review: its decisions are final
    #[command(after_help = "Example:\n  muster review close 0123456789abcdef0123456789abcdef")]
    Close {
        /// The id that `create` printed
        id: String,
        /// How the service is reached
        #[command(flatten)]
        service: Service,
    },
}

/// `review create`
#[derive(Debug, Args)]
pub struct ReviewCreateArgs {
    /// Its name, for people
    pub name: String,
    /// Who reviews an item
    #[arg(long, value_enum, value_name = "RULE")]
    pub reviewers: ReviewersRule,
    /// The list of reviewers, a CSV file
    #[arg(long, value_name = "FILE", required_if_eq("reviewers", "list"))]
    pub list: Option<PathBuf>,
    /// Name (uid) of who reviews the items for which the rule finds nobody
    #[arg(long, value_name = "NAME")]
    pub fallback: Option<String>,
    /// A source whose accounts are reviewed, by name or id; may be repeated [default: all]
    #[arg(long = "source", value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Review privileged accounts only
    #[arg(long)]
    pub privileged: bool,
    /// In how many days after the close a revoke is to be done
    #[arg(long, value_name = "NUMBER", default_value_t = 14, value_parser = clap::value_parser!(u32).range(0..=366))]
    pub due_days: u32,
    /// Refuse a revoke without a comment
    #[arg(long)]
    pub comment_required: bool,
    /// Until when reviewers are to decide, as a time in RFC 3339
    #[arg(long, value_name = "TIME")]
    pub ends: Option<String>,
    /// How many days before the end reviewers are told of what they have not decided
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=366))]
    pub remind_days: u32,
    /// Tell reviewers by mail: of items that are theirs, and before the end
    #[arg(long)]
    pub tell: bool,
    /// The snapshot: its id, a date, or a time [default: the newest]
    #[arg(long, value_name = "SNAPSHOT|DATE|TIME", value_parser = super::past)]
    pub as_of: Option<String>,
    /// How the service is reached
    #[command(flatten)]
    pub service: Service,
}

/// `review decide`
#[derive(Debug, Args)]
pub struct ReviewDecideArgs {
    /// The id that `create` printed
    pub id: String,
    /// Numbers of items that are kept, such as 1-40,42
    #[arg(long, value_name = "ITEMS", required_unless_present = "revoke")]
    pub keep: Option<String>,
    /// Numbers of items that are revoked
    #[arg(long, value_name = "ITEMS")]
    pub revoke: Option<String>,
    /// Why: a comment for each of these decisions
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// How the service is reached
    #[command(flatten)]
    pub service: Service,
}

/// Who reviews an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReviewersRule {
    /// The manager of the account's identity
    Manager,
    /// The owner of the account's source
    SourceOwner,
    /// The reviewer that --list names
    List,
}

/// The form of sheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SheetFormat {
    /// A spreadsheet
    Xlsx,
    /// CSV
    Csv,
}
