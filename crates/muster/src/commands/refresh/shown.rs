//! What a refresh tells people, and programs.

use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use chrono::{DateTime, Utc};
use muster_engine::refresh::{SourceOutcome, TableOutcome, Total};
use muster_reports::SnapshotManifest;
use muster_reports::error::error_chain;
use muster_runs::RefreshReport;
use muster_sources::Rejection;
use serde::Serialize;

/// Prints what happened, with at most `rejected_max` refused records of each source; `verbose` as for [`text_of`].
pub fn print_report(report: &RefreshReport, rejected_max: usize, output: Output, verbose: bool) -> Result {
    let shown = Shown::of(report, rejected_max);
    match output {
        Output::Json => json(&shown),
        Output::Table => print(&shown.text(verbose)),
    }
}

/// What happened, for people, without refused records; with `verbose` the files and bytes of each table, too.
pub fn text_of(report: &RefreshReport, verbose: bool) -> String {
    Shown::of(report, 0).text(verbose)
}

/// A refresh as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    /// Each source, by name.
    sources: Vec<ShownSource<'a>>,
    /// The snapshot that is in force now because of it; `None` when the last one stays in force.
    snapshot: Option<&'a SnapshotManifest>,
    /// Each table of that snapshot.
    tables: &'a [TableOutcome],
    /// What that snapshot has, beside what the one before had.
    totals: &'a [Total],
    /// What else happened: what was damaged, and snapshots that expired.
    notes: Vec<String>,
}

/// A source as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSource<'a> {
    name: &'a str,
    read: u64,
    rejected: u64,
    rejections: &'a [Rejection],
    created: u64,
    updated: u64,
    unchanged: u64,
    missing: u64,
    stale: u64,
    /// The time that its data says it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
    complete: bool,
    remark: Option<String>,
    error: Option<&'a str>,
    as_before: bool,
}

impl<'a> ShownSource<'a> {
    fn of(source: &'a SourceOutcome, rejected_max: usize) -> Self {
        let run = &source.run;
        let remark = run.remark.as_deref().and_then(|remark| besides(source.failure.as_deref(), remark));
        let remarks: Vec<_> = remark.into_iter().chain(run.warnings.iter().map(String::as_str)).collect();
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

    fn state(&self) -> &'static str {
        match (self.error, self.complete) {
            (Some(_), _) => "failed",
            (None, false) => "incomplete",
            (None, true) if self.as_before => "as before",
            (None, true) => "complete",
        }
    }
}

/// The rest of a remark after the reason why the read failed, which is said once; `None` where that is all.
fn besides<'a>(failure: Option<&str>, remark: &'a str) -> Option<&'a str> {
    let rest = failure.and_then(|failure| remark.strip_prefix(failure)).unwrap_or(remark);
    let rest = rest.trim_start_matches("; ");
    (!rest.is_empty()).then_some(rest)
}

/// That the dates of some data do not decide the snapshot's time, because other data has none.
fn undated(sources: &[SourceOutcome]) -> Option<String> {
    let read = sources.iter().filter(|source| source.failure.is_none());
    let (dated, undated): (Vec<_>, Vec<_>) = read.partition(|source| source.run.as_of.is_some());
    let first = undated.first().filter(|_| !dated.is_empty())?;
    let others = match undated.len() - 1 {
        0 => "carries".to_owned(),
        others => format!("and of {} more sources carries", count(others as u64)),
    };
    Some(format!("the snapshot is of now, for the data of {:?} {others} no date", first.run.name))
}

/// What expired after a refresh; a failure takes nothing from the refresh.
fn expired(report: &RefreshReport) -> Option<String> {
    match report.expiry.as_ref()? {
        Ok(expiry) if expiry.expired.is_empty() && expiry.files == 0 => None,
        Ok(expiry) => Some(format!(
            "snapshots that expired: {}; {} files of {} bytes moved to the trash",
            count(expiry.expired.len() as u64),
            count(expiry.files),
            count(expiry.bytes)
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

impl<'a> Shown<'a> {
    fn of(report: &'a RefreshReport, rejected_max: usize) -> Self {
        let outcome = &report.outcome;
        Self {
            sources: outcome.sources.iter().map(|one| ShownSource::of(one, rejected_max)).collect(),
            snapshot: outcome.manifest.as_ref(),
            tables: &outcome.tables,
            totals: &outcome.totals,
            notes: notes(report),
        }
    }

    /// What happened, for people; with `verbose` the files and bytes of each table, too.
    fn text(&self, verbose: bool) -> String {
        let columns = [
            text("source"),
            number("read"),
            number("rejected"),
            number("created"),
            number("updated"),
            number("unchanged"),
            number("missing"),
            text("state"),
        ];
        let rows = self.sources.iter().map(|source| {
            let mut cells = vec![source.name.to_owned()];
            cells.extend(
                [
                    source.read,
                    source.rejected,
                    source.created,
                    source.updated,
                    source.unchanged,
                    source.missing,
                ]
                .map(count),
            );
            cells.push(source.state().into());
            cells
        });
        let mut text = table(&columns, rows);
        for source in &self.sources {
            let notes = [("failed", source.error), ("note", source.remark.as_deref())];
            for (word, note) in notes.into_iter().filter_map(|(word, note)| Some((word, note?))) {
                text.push_str(&format!("\n{}: {word}: {note}", source.name));
            }
            if let Some(date) = source.as_of {
                text.push_str(&format!("\n{}: the data is as of {}", source.name, date.to_rfc3339()));
            }
            if source.stale > 0 {
                text.push_str(&format!(
                    "\n{}: {} accounts are as of an earlier read",
                    source.name,
                    count(source.stale)
                ));
            }
            for record in source.rejections {
                let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
                text.push_str(&format!("\n{}: line {}{who}: {}", source.name, record.line, record.reason));
            }
            let listed = source.rejections.len() as u64;
            if listed < source.rejected {
                let more = count(source.rejected - listed);
                text.push_str(&format!("\n{}: {more} more rejected records", source.name));
            }
        }
        if verbose && !self.tables.is_empty() {
            text.push_str(&format!("\n\n{}", self.written()));
        }
        if !self.totals.is_empty() {
            text.push_str(&format!("\n\n{}", self.counted()));
        }
        match &self.snapshot {
            Some(snapshot) => {
                let rows = |name: &str| count(snapshot.rows.get(name).copied().unwrap_or(0));
                text.push_str(&format!(
                    "\n\nsnapshot {} published: {} identities, {} accounts",
                    snapshot.id,
                    rows("identities"),
                    rows("accounts")
                ));
            }
            None => text.push_str("\n\nno snapshot was published: the last one stays in force"),
        }
        for note in &self.notes {
            text.push_str(&format!("\n{note}"));
        }
        text
    }

    /// What there is now, and how it changed, for people.
    fn counted(&self) -> String {
        let columns = [text("in all"), number("now"), number("before"), number("change")];
        let rows = self.totals.iter().map(|total| {
            let change = total.before.map(|before| match total.now.checked_sub(before) {
                Some(0) => "0".to_owned(),
                Some(more) => format!("+{}", count(more)),
                None => format!("-{}", count(before - total.now)),
            });
            let before = total.before.map(count);
            vec![
                total.counted.into(),
                count(total.now),
                before.unwrap_or_default(),
                change.unwrap_or_default(),
            ]
        });
        table(&columns, rows)
    }

    /// What was read and written, for people.
    fn written(&self) -> String {
        let columns = [
            text("table"),
            number("rows"),
            number("rows written"),
            number("files written"),
            number("bytes written"),
            number("files kept"),
        ];
        let rows = self.tables.iter().map(|outcome| {
            let numbers = [
                outcome.rows,
                outcome.rows_written,
                outcome.files_written,
                outcome.bytes_written,
                outcome.files_kept,
            ];
            std::iter::once(outcome.table.to_owned()).chain(numbers.map(count)).collect()
        });
        let sum = |f: fn(&TableOutcome) -> u64| count(self.tables.iter().map(f).sum());
        format!(
            "{}\nread: {} of {} sources; written: {} rows in {} files of {} bytes; kept: {} files",
            table(&columns, rows),
            count(self.sources.iter().filter(|source| !source.as_before).count() as u64),
            count(self.sources.len() as u64),
            sum(|outcome| outcome.rows_written),
            sum(|outcome| outcome.files_written),
            sum(|outcome| outcome.bytes_written),
            sum(|outcome| outcome.files_kept),
        )
    }
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

    fn report(sources: Vec<SourceOutcome>, tables: Vec<TableOutcome>, totals: Vec<Total>) -> RefreshReport {
        let outcome = RefreshOutcome { manifest: None, sources, tables, totals };
        RefreshReport { outcome, as_of: None, damaged: Vec::new(), expiry: None }
    }

    #[test]
    fn why_a_source_failed_is_said_once() {
        assert_eq!(besides(Some("no such file"), "no such file"), None);
        assert_eq!(besides(Some("no such file"), "no such file; it is late"), Some("it is late"));
        assert_eq!(besides(Some("too many links"), "cut"), Some("cut"));
        assert_eq!(besides(None, "cut"), Some("cut"));
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

    #[test]
    fn refused_records_are_listed_and_the_rest_counted() {
        let rejection = |line| Rejection {
            line,
            native_identity: Some("e17".into()),
            reason: "4 fields: expected 5".into(),
        };
        let mut source = outcome("HR");
        (source.run.rejected, source.run.stale) = (2, 1);
        source.rejections = vec![rejection(17), rejection(18)];
        let report = report(vec![source], Vec::new(), Vec::new());
        assert_eq!(
            Shown::of(&report, 1).text(false),
            " source   read  rejected  created  updated  unchanged  missing  state\n \
             HR      1,250         2    1,248        0          0        0  complete\n\
             HR: 1 accounts are as of an earlier read\n\
             HR: line 17 (e17): 4 fields: expected 5\n\
             HR: 1 more rejected records\n\n\
             no snapshot was published: the last one stays in force"
        );
        assert_eq!(Shown::of(&report, 5).sources[0].rejections.len(), 2);
    }

    #[test]
    fn what_was_read_and_written_is_added_up() {
        let written = |table, rows, rows_written, files_written, bytes_written, files_kept| TableOutcome {
            table,
            rows,
            rows_written,
            files_written,
            bytes_written,
            files_kept,
        };
        let tables =
            vec![written("accounts", 5_000, 1_200, 2, 4_000, 5), written("identities", 1_000, 0, 0, 0, 1)];
        let before = SourceOutcome { carried: true, ..outcome("HR") };
        let report = report(vec![before, outcome("Directory")], tables, Vec::new());
        assert!(!text_of(&report, false).contains("written"), "files and bytes are for those who ask");
        let text = text_of(&report, true);
        assert!(
            text.contains("HR         1,250         0    1,248        0          0        0  as before"),
            "{text}"
        );
        assert!(
            text.contains(
                "\nread: 1 of 2 sources; written: 1,200 rows in 2 files of 4,000 bytes; kept: 6 files\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn totals_stand_beside_those_of_before_with_their_change() {
        let total = |counted, now, before| Total { counted, now, before };
        let totals = vec![
            total("linked accounts", 1_200, Some(1_250)),
            total("disputed accounts", 3, Some(3)),
            total("orphan identities", 1_001, Some(0)),
        ];
        let text = text_of(&report(vec![outcome("HR")], Vec::new(), totals), false);
        let expected = " in all               now  before  change\n \
                        linked accounts    1,200   1,250     -50\n \
                        disputed accounts      3       3       0\n \
                        orphan identities  1,001       0  +1,001";
        assert!(text.contains(expected), "{text}");
        let first = report(vec![outcome("HR")], Vec::new(), vec![total("linked accounts", 7, None)]);
        let text = text_of(&first, false);
        assert!(text.contains("linked accounts    7"), "{text}");
    }

    /// The names that programs read.
    #[test]
    fn json_names_what_became_of_a_source() {
        let mut source = outcome("HR");
        (source.run.complete, source.run.remark) = (false, Some("cut".into()));
        (source.failure, source.run.warnings) = (Some("cut".into()), vec!["half".into()]);
        let report = report(vec![source], Vec::new(), Vec::new());
        let shown = serde_json::to_value(Shown::of(&report, 0)).unwrap();
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
