//! What an auditor may see, and until when.
//!
//! An auditor reads: named reports, of snapshots of a period, until a time. Starting such a report counts as reading: it
//! changes no setting, source, schedule or search, and its rows are those that the limits permit anyway. Without limits,
//! the level gives nothing, and beside it no other level counts. So a token of an outside issuer with this level, which
//! cannot carry limits, may do nothing.

use crate::error::{Error, Result};
use crate::ids::ReportId;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The times of snapshots, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The last moment.
    pub to: DateTime<Utc>,
}

impl Period {
    /// Whether a snapshot of this time is in it.
    pub fn has(&self, created: DateTime<Utc>) -> bool {
        self.from <= created && created <= self.to
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", seconds(self.from), seconds(self.to))
    }
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a user with the level AUDITOR may see, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditorLimits {
    /// Only snapshots that were made in this period, and what was made from them. A snapshot that a refresh made for a past
    /// date counts as of that date.
    pub period: Period,
    /// Only these reports: published kinds, and definition ids.
    pub reports: BTreeSet<ReportId>,
    /// From this moment on, nothing.
    pub ends: DateTime<Utc>,
}

impl AuditorLimits {
    /// Most reports. Limits are part of a token.
    pub const REPORTS_MAX: usize = 100;

    /// These limits.
    ///
    /// # Errors
    /// `Invalid` for a period that ends before it begins, and for no report or too many.
    pub fn new(
        period: Period,
        reports: impl IntoIterator<Item = ReportId>,
        ends: DateTime<Utc>,
    ) -> Result<Self> {
        let reports: BTreeSet<_> = reports.into_iter().collect();
        if period.to < period.from {
            return Err(Error::invalid(format!(
                "the period ends at {} and begins at {}: expected an end after the beginning",
                seconds(period.to),
                seconds(period.from)
            )));
        }
        if reports.is_empty() || reports.len() > Self::REPORTS_MAX {
            return Err(Error::invalid(format!(
                "{} reports are named: expected 1 to {}",
                reports.len(),
                Self::REPORTS_MAX
            )));
        }
        Ok(Self { period, reports, ends })
    }

    /// Whether the end has been reached.
    pub fn have_ended(&self, now: DateTime<Utc>) -> bool {
        self.ends <= now
    }

    /// Refuses a report that is not named.
    ///
    /// # Errors
    /// `Forbidden`, naming the reports that are.
    pub fn check_report(&self, report: &ReportId) -> Result<()> {
        if self.reports.contains(report) {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "an auditor may see the named reports only: expected one of {}",
            self.report_names(", ")
        )))
    }

    /// Refuses a snapshot outside of the period.
    ///
    /// # Errors
    /// `Forbidden`, naming the period.
    pub fn check_snapshot(&self, created: DateTime<Utc>) -> Result<()> {
        if self.period.has(created) {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "the snapshot is not of the auditor's period: expected one of {}, named by asOf",
            self.period
        )))
    }

    fn report_names(&self, between: &str) -> String {
        self.reports.iter().map(ReportId::as_str).collect::<Vec<_>>().join(between)
    }
}

impl fmt::Display for AuditorLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, reports {}, until {}", self.period, self.report_names(" "), seconds(self.ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    fn limits(from: i64, to: i64, reports: &[&str]) -> Result<AuditorLimits> {
        let reports = reports.iter().map(|id| ReportId::new(*id));
        AuditorLimits::new(Period { from: day(from), to: day(to) }, reports, day(90))
    }

    #[test]
    fn limits_have_a_period_and_reports() {
        assert!(limits(2, 1, &["ACCOUNTS"]).is_err());
        assert!(limits(1, 2, &[]).is_err());
        let many: Vec<_> = (0..=AuditorLimits::REPORTS_MAX).map(|number| number.to_string()).collect();
        assert!(limits(1, 2, &many.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
        let both = limits(1, 2, &["leavers", "ACCOUNTS", "leavers"]).map(|limits| limits.to_string()).ok();
        let expected = "1970-01-02T00:00:00Z to 1970-01-03T00:00:00Z, reports ACCOUNTS leavers, until \
            1970-04-01T00:00:00Z";
        assert_eq!(both.as_deref(), Some(expected));
    }

    #[test]
    fn both_ends_of_a_period_are_in_it_and_the_end_of_access_is_not() {
        let limits = limits(1, 2, &["ACCOUNTS"]).expect("these are limits");
        let moment = TimeDelta::microseconds(1);
        for (created, fits) in
            [(day(1) - moment, false), (day(1), true), (day(2), true), (day(2) + moment, false)]
        {
            assert_eq!(limits.check_snapshot(created).is_ok(), fits, "{created}");
        }
        assert!(!limits.have_ended(day(90) - moment) && limits.have_ended(day(90)));
        assert!(limits.check_report(&ReportId::new("ACCOUNTS")).is_ok());
        let refused = limits.check_report(&ReportId::new("IDENTITIES")).expect_err("it is not named");
        assert!(refused.message.ends_with("expected one of ACCOUNTS"), "{}", refused.message);
    }
}
