//! `muster source`: registered sources, and links that people make.

use clap::{Args, Subcommand};
use muster_sources::DocumentType;
use std::path::PathBuf;

/// `source`
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Register a source, or replace the registered one with its id
    #[command(
        after_help = "Example:\n  muster source add hr.toml\n\nRelative paths in the file start from the file's folder."
    )]
    Add {
        /// The source's definition
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
    },
    /// List registered sources
    #[command(after_help = "Example:\n  muster source list")]
    List,
    /// Show a registered source: its definition, its links, how it was read last
    #[command(after_help = "Example:\n  muster source show 'Active Directory'")]
    Show {
        /// The source's name or id
        #[arg(value_name = "SOURCE")]
        source: String,
    },
    /// Write a definition for a delimited file from what its beginning looks like
    #[command(after_help = "\
Examples:
  muster source init people.csv
  muster source init people.csv --name HR --authoritative -o hr.toml

It finds the encoding, the delimiter, the columns, and a column that can name the account. Look at what it
wrote, then run `muster source check`.")]
    Init(InitArgs),
    /// Remove a registered source; its accounts are missing from the next refresh on
    #[command(after_help = "\
Example:
  muster source remove \"Old directory\"

Existing snapshots keep its data, and the audit trail records who removed it. Identities that were made
from its accounts have no authoritative account from the next refresh on.")]
    Remove {
        /// The source's name or id
        #[arg(value_name = "SOURCE")]
        source: String,
        /// Also remove the links that were made by hand for its accounts; `muster source links` writes them to a file
        #[arg(long)]
        links: bool,
    },
    /// Read a source to its end, print counts and what a refresh would refuse, and keep nothing
    #[command(after_help = "\
Example:
  muster source check hr.toml --rejected 100

The exit status is 1 if a record would be refused (also two records of one account that differ), if a column that the
definition names is missing, if the read is incomplete, if there is no record, if the data has a date in the future, and
if so many accounts of the last snapshot are missing that a refresh would keep them.")]
    Check {
        /// The source's definition
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
        /// Refused records to print
        #[arg(long, value_name = "N", default_value_t = 20)]
        rejected: usize,
    },
    /// Register all sources of an Identity Security Cloud tenant, or update those that are registered
    #[command(after_help = "\
Examples:
  muster source mirror --name Acme --tenant https://acme.api.identitynow.com \\
      --client-id b61429f5-203d-494c-94c3-04f54e17bc5c --secret-file /run/secrets/acme
  muster source mirror --name Acme --tenant https://acme.api.identitynow.com \\
      --client-id b61429f5-203d-494c-94c3-04f54e17bc5c --secret-env ACME_SECRET --dry-run

Reads the tenant's sources, account schemas and identity profiles, registers a source for each, and
one for each search index, prints what changed, and names what could not be copied. Nothing is
registered unless all of it could be read. Accounts are read by the next `muster refresh`.")]
    Mirror(Box<MirrorArgs>),
    /// Link accounts to identities by hand, from a file
    #[command(after_help = "\
Example:
  muster source link links.csv

The file has the columns account,displayName,userName,type of the uncorrelated accounts report:
`account` is the native identity, `userName` the name (uid) of the identity, `type` the source's
name. Rows without a userName are ignored; the links take effect with the next refresh.")]
    Link {
        /// The file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
    /// Remove links that were made by hand; the rules decide about the accounts from the next refresh on
    #[command(after_help = "\
Examples:
  muster source unlink Directory 'CN=Ada,OU=People,DC=example,DC=com'
  muster source unlink Directory --all")]
    Unlink {
        /// The source's name or id
        #[arg(value_name = "SOURCE")]
        source: String,
        /// The native identities of the accounts
        #[arg(value_name = "ACCOUNT", required_unless_present = "all", conflicts_with = "all")]
        accounts: Vec<String>,
        /// All links of the source
        #[arg(long)]
        all: bool,
    },
    /// Write the links that were made by hand to a file that `link` takes
    #[command(after_help = "Example:\n  muster source links --to links.csv")]
    Links {
        /// Where to write; `-` is standard output
        #[arg(short = 'o', long, value_name = "FILE", default_value = "-")]
        to: PathBuf,
    },
}

/// `source init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The delimited file
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The source's name [default: the file's, without its ending]
    #[arg(long)]
    pub name: Option<String>,
    /// The accounts of this source are the identities: write a profile
    #[arg(long)]
    pub authoritative: bool,
    /// Where to write; `-` is standard output [default: the file's name with the ending .toml, beside it]
    #[arg(short = 'o', long = "to", value_name = "FILE.toml")]
    pub to: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// `source mirror`
#[derive(Debug, Args)]
pub struct MirrorArgs {
    /// Begins the names of what has no name in the tenant: `Acme roles`
    #[arg(long)]
    pub name: String,
    /// The tenant's API
    #[arg(long, value_name = "URL")]
    pub tenant: String,
    /// An API client with client credentials, or the id of a personal access token
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// File that holds the client's secret; every refresh reads it
    #[arg(long, value_name = "FILE", required_unless_present = "secret_env")]
    pub secret_file: Option<PathBuf>,
    /// Environment variable that holds the client's secret; every refresh reads it
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    pub secret_env: Option<String>,
    /// PEM certificates of the authorities to trust [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Allow http, for a tenant on this machine
    #[arg(long)]
    pub allow_plaintext: bool,
    /// A search index whose documents are wanted; may be repeated
    #[arg(long = "documents", value_name = "INDEX", value_parser = index,
        default_values = ["roles", "accessprofiles", "entitlements"])]
    pub documents: Vec<DocumentType>,
    /// Register no documents
    #[arg(long, conflicts_with = "documents")]
    pub no_documents: bool,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
}

fn index(name: &str) -> Result<DocumentType, String> {
    let names = DocumentType::ALL.map(DocumentType::index_name).join(", ");
    DocumentType::from_index_name(name).ok_or_else(|| format!("expected one of {names}"))
}
