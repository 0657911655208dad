//! `muster notification`, and the flags that say who is told. The commands act on the data directory.

use clap::{Args, Subcommand};
use muster_reports::notify::{Notify, Occasion, Recipient};
use std::collections::BTreeSet;

/// `notification`
#[derive(Debug, Subcommand)]
pub enum NotificationCommand {
    /// List the last notifications, and what has become of each
    #[command(after_help = "Examples:\n  muster notification list\n  muster notification list --failed")]
    List {
        /// Only those that were given up
        #[arg(long)]
        failed: bool,
    },
    /// Send a notification again that was given up; a running service delivers it within seconds
    #[command(after_help = "Example:\n  muster notification retry a248c16fe22222b2bd49615481311111")]
    Retry {
        /// Its id
        id: String,
    },
    /// Print the secret with which webhooks to an address are signed, for whoever receives them
    #[command(after_help = "Example:\n  muster notification secret https://example.com/muster")]
    Secret {
        /// The address, exactly as in the entry
        url: String,
    },
}

/// Who is told how a run ends.
#[derive(Debug, Clone, Args)]
pub struct NotifyArgs {
    /// Whom to tell how it ends: an e-mail address, the address of a webhook, or an entry as JSON; may be repeated
    #[arg(long = "notify", value_name = "RECIPIENT", value_parser = entry)]
    pub notify: Vec<Notify>,
    /// Of which ends, for recipients that are no JSON: success, warning, failure, change [default: the first three]
    #[arg(long = "notify-on", value_name = "ENDS", value_delimiter = ',', requires = "notify")]
    pub on: Vec<Occasion>,
}

impl NotifyArgs {
    /// The entries.
    pub fn entries(&self) -> Vec<Notify> {
        let on: BTreeSet<Occasion> = self.on.iter().copied().collect();
        let entry = |entry: &Notify| {
            let usual = Notify::of(entry.to.clone());
            if *entry == usual && !on.is_empty() { Notify { on: on.clone(), ..usual } } else { entry.clone() }
        };
        self.notify.iter().map(entry).collect()
    }
}

fn entry(text: &str) -> Result<Notify, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let to = if text.contains("://") { Recipient::webhook(text) } else { Recipient::email(text) };
    to.map(Notify::of).map_err(|error| error.message)
}
