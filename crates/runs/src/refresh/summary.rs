//! The summary of a refresh for people and programs: its sources, tables, totals and notes.

use super::RefreshReport;
use crate::thousands::thousands;
use chrono::{DateTime, Utc};
use muster_engine::refresh::{ExceededGuard, SourceOutcome, TableOutcome, Total};
use muster_reports::SnapshotManifest;
use muster_reports::error::error_chain;
use muster_sources::Rejection;
use serde::Serialize;

/// A refresh as people and programs see it.
#[derive(Serialize)]
pub struct RefreshSummary<'a> {
    /// Each source, by name.
    pub sources: Vec<SourceSummary<'a>>,
    /// The snapshot that it published; `None` if the last one stays in force.
    pub snapshot: Option<&'a SnapshotManifest>,
    /// Each table of that snapshot.
    pub tables: &'a [TableOutcome],
    /// The numbers of that snapshot, each with that of the snapshot before it.
    pub totals: &'a [Total],
    /// The limits of losses that it exceeds.
    pub exceeded: &'a [ExceededGuard],
    /// What else happened: what was damaged, and snapshots that expired.
    pub notes: Vec<String>,
}

/// A source of a refresh.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceSummary<'a> {
    /// Its name.
    pub name: &'a str,
    /// Records that were read, refused ones included.
    pub read: u64,
    /// Records that were refused.
    pub rejected: u64,
    /// The first of them.
    pub rejections: &'a [Rejection],
    /// Accounts that are new.
    pub created: u64,
    /// Accounts that changed.
    pub updated: u64,
    /// Accounts that are as they were.
    pub unchanged: u64,
    /// Accounts that are missing now.
    pub missing: u64,
    /// Accounts that are as of an earlier read.
    pub stale: u64,
    /// The date that its data has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Whether all of the source was read.
    pub complete: bool,
    /// What people must know, without the error.
    pub remark: Option<String>,
    /// Why it could not be read.
    pub error: Option<&'a str>,
    /// Whether it was not read, because its bytes are those of the last snapshot.
    pub as_before: bool,
}

impl RefreshReport {
    /// Its summary, with at most `rejected_max` refused records of each source.
    pub fn summary(&self, rejected_max: usize) -> RefreshSummary<'_> {
        let outcome = &self.outcome;
        RefreshSummary {
            sources: outcome.sources.iter().map(|one| SourceSummary::of(one, rejected_max)).collect(),
            snapshot: outcome.manifest.as_ref(),
            tables: &outcome.tables,
            totals: &outcome.totals,
            exceeded: &outcome.exceeded,
            notes: notes(self),
        }
    }
}

impl<'a> SourceSummary<'a> {
    fn of(source: &'a SourceOutcome, rejected_max: usize) -> Self {
        let run = &source.run;
        let remark =
            run.remark.as_deref().and_then(|remark| rest_of_remark(source.failure.as_deref(), remark));
        let warnings = run.warnings.iter().chain(&run.refused_values).map(String::as_str);
        let remarks: Vec<_> = remark.into_iter().chain(warnings).collect();
        Self {
            name: &run.name,
            read: run.read,
            rejected: run.rejected,
            rejections: source.rejections.get(..rejected_max).unwrap_or(&source.rejections),
            created: run.created,
            updated: run.updated,
            unchanged: run.unchanged,
            missing: run.missing,
            stale: run.stale,
            as_of: run.as_of,
            complete: run.complete,
            remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
            error: source.failure.as_deref(),
            as_before: source.carried,
        }
    }

    /// Its outcome, in a word or two.
    pub fn state(&self) -> &'static str {
        match (self.error, self.complete) {
            (Some(_), _) => "failed",
            (None, false) => "incomplete",
            (None, true) if self.as_before => "as before",
            (None, true) => "complete",
        }
    }
}

/// A remark without the reason why the read failed, which is said separately; `None` if nothing is left.
fn rest_of_remark<'a>(failure: Option<&str>, remark: &'a str) -> Option<&'a str> {
    let rest = failure.and_then(|failure| remark.strip_prefix(failure)).unwrap_or(remark);
    let rest = rest.trim_start_matches("; ");
    (!rest.is_empty()).then_some(rest)
}

/// A note that the dates of some data do not decide the snapshot's time, because other data has no date.
fn undated(sources: &[SourceOutcome]) -> Option<String> {
    let read = sources.iter().filter(|source| source.failure.is_none());
    let (dated, undated): (Vec<_>, Vec<_>) = read.partition(|source| source.run.as_of.is_some());
    let first = undated.first().filter(|_| !dated.is_empty())?;
    let others = match undated.len() - 1 {
        0 => "carries".to_owned(),
        others => format!("and of {} more sources carries", thousands(others as u64)),
    };
    Some(format!("the snapshot is of now, for the data of {:?} {others} no date", first.run.name))
}

/// What expired after a refresh. If that failed, the refresh is still valid.
fn expired(report: &RefreshReport) -> Option<String> {
    match report.expiry.as_ref()? {
        Ok(expiry) if expiry.expired.is_empty() && expiry.files == 0 => None,
        Ok(expiry) => Some(format!(
            "snapshots that expired: {}; {} files of {} bytes moved to the trash",
            thousands(expiry.expired.len() as u64),
            thousands(expiry.files),
            thousands(expiry.bytes)
        )),
        Err(error) => Some(format!("snapshots could not be expired: {}", error_chain(error))),
    }
}

fn notes(report: &RefreshReport) -> Vec<String> {
    let RefreshReport { outcome, as_of, damaged, .. } = report;
    let dates_matter = outcome.manifest.is_some() && as_of.is_none();
    let undated = if dates_matter { undated(&outcome.sources) } else { None };
    damaged.iter().cloned().chain(undated).chain(expired(report)).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_engine::refresh::RefreshOutcome;
    use muster_reports::snapshot::SourceRun;
    use muster_testkit::build::{source_run, start_of_time};

    fn outcome(name: &str) -> SourceOutcome {
        let run = source_run("1", name, true, start_of_time());
        let run = SourceRun { read: 1_250, created: 1_248, ..run };
        SourceOutcome { run, failure: None, rejections: Vec::new(), carried: false }
    }

    #[test]
    fn why_a_source_failed_is_said_once() {
        assert_eq!(rest_of_remark(Some("no such file"), "no such file"), None);
        assert_eq!(rest_of_remark(Some("no such file"), "no such file; it is late"), Some("it is late"));
        assert_eq!(rest_of_remark(Some("too many links"), "cut"), Some("cut"));
        assert_eq!(rest_of_remark(None, "cut"), Some("cut"));
    }

    #[test]
    fn dates_that_do_not_decide_are_told() {
        let source = |name: &str, as_of: Option<&str>| {
            let mut source = outcome(name);
            source.run.as_of = as_of.map(|date| date.parse().unwrap());
            source
        };
        let dated = || source("HR", Some("2024-01-31T23:59:59.999Z"));
        assert_eq!(undated(&[dated()]), None);
        assert_eq!(undated(&[source("AD", None)]), None);
        let failed = SourceOutcome { failure: Some("no such file".into()), ..source("AD", None) };
        assert_eq!(undated(&[failed, dated()]), None);
        let told = undated(&[source("AD", None), dated()]);
        let expected = "the snapshot is of now, for the data of \"AD\" carries no date";
        assert_eq!(told.as_deref(), Some(expected));
        let told = undated(&[source("AD", None), dated(), source("Apps", None), source("CRM", None)]);
        let expected = "the snapshot is of now, for the data of \"AD\" and of 2 more sources carries no date";
        assert_eq!(told.as_deref(), Some(expected));
    }

    /// The names that programs read.
    #[test]
    fn json_names_what_became_of_a_source() {
        let mut source = outcome("HR");
        (source.run.complete, source.run.remark) = (false, Some("cut".into()));
        (source.failure, source.run.warnings) = (Some("cut".into()), vec!["half".into()]);
        let outcome = RefreshOutcome {
            manifest: None,
            sources: vec![source],
            tables: Vec::new(),
            totals: Vec::new(),
            exceeded: Vec::new(),
        };
        let report =
            RefreshReport { outcome, as_of: None, losses_accepted: false, damaged: Vec::new(), expiry: None };
        let shown = serde_json::to_value(report.summary(0)).unwrap();
        assert_eq!(
            shown["sources"][0],
            serde_json::json!({
                "name": "HR", "read": 1_250, "rejected": 0, "rejections": [], "created": 1_248, "updated": 0,
                "unchanged": 0, "missing": 0, "stale": 0, "complete": false, "remark": "half", "error": "cut",
                "asBefore": false,
            })
        );
    }
}
