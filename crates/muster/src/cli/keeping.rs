//! `muster keys` and `muster upgrade`.

use clap::{Args, Subcommand};

/// `keys`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the service's keys with their ages; no key is read or made
    #[command(after_help = "\
Examples:
  muster keys list --data /var/lib/muster
  muster keys list --output json

The age is that of the file. A restore writes the files again.")]
    List,
    /// Sign access tokens with a new key, without an interruption: running services notice it
    #[command(after_help = "Examples:
  muster keys rotate
  muster keys rotate --now    # after a leak: clients must fetch new tokens")]
    Rotate {
        /// Refuse existing tokens too [default: they stay valid until they expire]
        #[arg(long)]
        now: bool,
    },
    /// Sign webhooks with new secrets, of which `muster notification secret` tells the receivers
    #[command(after_help = "Examples:
  muster keys rotate-webhooks
  muster keys rotate-webhooks --days 30
  muster keys rotate-webhooks --now    # after a leak: receivers refuse webhooks until they have the new secret")]
    RotateWebhooks {
        /// Sign with the old secrets too for so many days
        #[arg(long, value_name = "NUMBER", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
        days: u16,
        /// Sign with the new secrets only
        #[arg(long, conflicts_with = "days")]
        now: bool,
    },
}

/// `upgrade`
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// Only say what is to be done
    #[arg(long)]
    pub check: bool,
}
