//! `muster schedule`: reports and refreshes at times. The commands act on the data directory.

use super::NotifyArgs;
use clap::{ArgGroup, Args, Subcommand};

/// `schedule`
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Have a report run, or a refresh made, at the times of a schedule
    #[command(after_help = "\
Examples:
  muster schedule add 'Accounts' --report ACCOUNTS --source 'Active Directory' --client ada.lovelace \\
      --cron '0 6 * * MON-FRI' --time-zone Europe/Berlin
  muster schedule add 'Month end' --report IDENTITIES --refresh --client 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b \\
      --cron '30 22 L * *'
  muster schedule add 'Nightly refresh' --refresh --cron '0 2 * * *'
  muster schedule add 'Leavers' --report ORPHAN_IDENTITIES --client 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b \\
      --cron '0 7 * * *' --notify ada@example.com --notify-on failure,change
  muster schedule add 'Quarters' --report IDENTITIES --client 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b --form \\
      '{\"type\":\"ANNUALLY\",\"months\":{\"type\":\"RANGE\",\"values\":[\"3\",\"12\"],\"interval\":3},
        \"days\":{\"type\":\"LIST\",\"values\":[\"L\"]},\"hours\":{\"type\":\"LIST\",\"values\":[\"6\"]}}'

A report is run with the rights that the client has at the time of the run. A running service makes the runs.")]
    Add(Box<ScheduleAddArgs>),
    /// List the schedules, and when each is due next
    #[command(after_help = "Example:\n  muster schedule list")]
    List,
    /// Show a schedule and its last runs
    #[command(after_help = "Example:\n  muster schedule show 'Nightly refresh'")]
    Show {
        /// Its name or id
        schedule: String,
    },
    /// Pause a schedule: nothing falls due until it is resumed
    #[command(after_help = "Example:\n  muster schedule pause 'Nightly refresh'")]
    Pause {
        /// Its name or id
        schedule: String,
    },
    /// Let a paused schedule go on; what was missed meanwhile is not run
    #[command(after_help = "Example:\n  muster schedule resume 'Nightly refresh'")]
    Resume {
        /// Its name or id
        schedule: String,
    },
    /// Make a run now, also of a schedule that is paused; a running service makes it within seconds
    #[command(after_help = "Example:\n  muster schedule run 'Nightly refresh'")]
    Run {
        /// Its name or id
        schedule: String,
    },
    /// Remove a schedule; a report that it has started goes on
    #[command(after_help = "Example:\n  muster schedule remove 'Nightly refresh'")]
    Remove {
        /// Its name or id
        schedule: String,
    },
}

/// `schedule add`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("work").args(["report", "refresh"]).required(true).multiple(true))]
#[command(group = ArgGroup::new("times").args(["cron", "form"]).required(true))]
pub struct ScheduleAddArgs {
    /// Its name, 1 to 50 characters
    pub name: String,
    /// The kind of report, or the id of a custom one
    #[arg(long, value_name = "KIND", requires = "client")]
    pub report: Option<String>,
    /// An argument of the report; may be repeated
    #[arg(long = "argument", value_name = "NAME=VALUE", requires = "report")]
    pub arguments: Vec<String>,
    /// The name or id of the source that the report is about, for reports of one source
    #[arg(long, value_name = "SOURCE", requires = "report")]
    pub source: Option<String>,
    /// Make a refresh: before the report, or alone
    #[arg(long)]
    pub refresh: bool,
    /// The client whose rights the report has: its id, or its name
    #[arg(long, value_name = "CLIENT", requires = "report")]
    pub client: Option<String>,
    /// Minute, hour, day of month, month and day of week
    #[arg(long, value_name = "EXPRESSION")]
    pub cron: Option<String>,
    /// The published form of a schedule, as JSON
    #[arg(long, value_name = "JSON")]
    pub form: Option<String>,
    /// The time zone [default: the one of --form, else schedules.time_zone]
    #[arg(long, value_name = "NAME")]
    pub time_zone: Option<String>,
    /// Who is told how its runs end
    #[command(flatten)]
    pub notify: NotifyArgs,
}
