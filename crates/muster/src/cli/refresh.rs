//! `muster refresh`.

use chrono::{DateTime, DurationRound, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;
use muster_reports::retention::AsOf;
use std::path::PathBuf;

/// `refresh`
#[derive(Debug, Default, Args)]
pub struct RefreshArgs {
    /// Refused records to print for each source; a refresh keeps the first 20 for this
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rejected: usize,
    /// Read every source and compute every table again, also what cannot have changed
    #[arg(long)]
    pub full: bool,
    /// Continue without tables of the last snapshot that are damaged and cannot be made again from sources; prints what is lost
    #[arg(long)]
    pub rebuild: bool,
    /// Accept what this source lost, by its name or id: missing accounts, native identities that are all new, lost
    /// links; may be repeated
    #[arg(long, value_name = "SOURCE")]
    pub accept_missing: Vec<String>,
    /// Publish even if more is lost than `refresh.guards` allows; the audit trail says what
    #[arg(long)]
    pub accept_losses: bool,
    /// Publish nothing: read and compute as always, and print what would differ from the last snapshot
    #[arg(long)]
    pub plan: bool,
    /// With --plan, write each difference into this file, as NDJSON if its name ends in .ndjson, else as CSV
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub to: Option<PathBuf>,
    /// Print the rows, files and bytes of each table, too
    #[arg(long)]
    pub verbose: bool,
    /// The date or time that the sources are of, for history, whatever date their data carries: the snapshot is of it
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub as_of: Option<DateTime<Utc>>,
}

/// A time in whole milliseconds, as the clock gives it, or a date, which means the end of that day in UTC.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    match text.parse() {
        Ok(AsOf::Moment(moment)) => Ok(moment.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(moment)),
        Ok(AsOf::Snapshot(_)) | Err(_) => {
            Err("expected a date such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z".to_owned())
        }
    }
}

/// As [`moment`], but a date means its begin.
pub(super) fn first_moment(text: &str) -> Result<DateTime<Utc>, String> {
    match text.parse::<NaiveDate>() {
        Ok(date) => Ok(date.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => moment(text),
    }
}
