//! `muster search`: the query language of searches.

use clap::Subcommand;

/// `search`
#[derive(Debug, Subcommand)]
pub enum SearchCommand {
    /// Explain a query: its tree, its fields, and what a scan is told
    #[command(after_help = "\
Examples:
  muster search check 'name:a* AND attributes.city:London'
  muster search check '@accounts(source.name:\"Active Directory\" AND disabled:true)'

Nothing is searched: a query is read as the service would read it now.")]
    Check {
        /// The query
        #[arg(allow_hyphen_values = true)]
        query: String,
    },
}
