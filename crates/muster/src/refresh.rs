//! Refreshing: what the binary asks of whatever reads sources and publishes snapshots, and what it
//! tells people about it.
//!
//! Why a trait: the engine is joined in `engine_wiring` alone, and everything around a refresh (the
//! command, the demo, their tests) needs only this.

use crate::failure::{Failure, Result};
use crate::output::{Output, count, json, number, print, table, text};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::SnapshotManifest;
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditEvent, ManualLink, RegisteredSource};
use serde::Serialize;

/// What to refresh.
#[derive(Debug, Clone)]
pub struct RefreshRequest {
    /// Whose data.
    pub tenant: TenantId,
    /// Every registered source.
    pub sources: Vec<RegisteredSource>,
    /// Every manual link.
    pub links: Vec<ManualLink>,
    /// Publish although a source could not be read: its accounts then stay as they were.
    pub publish_incomplete: bool,
    /// Make everything anew, whatever has changed.
    pub full: bool,
    /// Go on without what is damaged and cannot be made again.
    pub rebuild: bool,
    /// Refused records to list for each source.
    pub rejected_max: usize,
    /// What the audit trail says of the snapshot that is published; its id and what is in it are filled in.
    pub published: AuditEvent,
    /// Names or ids of the sources whose losses are accepted.
    pub accept_missing: Vec<String>,
    /// What the sources are of, where that is not now.
    pub as_of: Option<DateTime<Utc>>,
}

/// A record that a source holds and that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRecord {
    /// Line on which it begins, counted from 1; 0 for sources without lines.
    pub line: u64,
    /// Its native identity where it could be read.
    pub native_identity: Option<String>,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// What became of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceOutcome {
    /// The source's name.
    pub name: String,
    /// Records read, refused ones included.
    pub read: u64,
    /// Records refused.
    pub rejected: u64,
    /// The first of them.
    pub rejections: Vec<RejectedRecord>,
    /// Accounts seen for the first time.
    pub created: u64,
    /// Accounts whose content changed.
    pub updated: u64,
    /// Accounts seen unchanged.
    pub unchanged: u64,
    /// Accounts no longer there.
    pub missing: u64,
    /// Accounts that are as of an earlier read.
    pub stale: u64,
    /// Whether everything the source holds was read.
    pub complete: bool,
    /// What a reader must know, such as why missing accounts were kept.
    pub remark: Option<String>,
    /// Why the source could not be read at all.
    pub error: Option<String>,
    /// Whether it was not read, since its bytes are those of the last snapshot.
    pub as_before: bool,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableOutcome {
    /// The table.
    pub table: String,
    /// Its rows now.
    pub rows: u64,
    /// Rows in the files that were written.
    pub rows_written: u64,
    /// Files written.
    pub files_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Files that are those of the last snapshot.
    pub files_kept: u64,
}

/// A number of the whole tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// What is counted.
    pub counted: &'static str,
    /// How many there are.
    pub now: u64,
    /// How many the last snapshot had; `None` before the first.
    pub before: Option<u64>,
}

/// What a refresh came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshReport {
    /// Each source, by name.
    pub sources: Vec<SourceOutcome>,
    /// The snapshot that is in force now because of it; `None` when the last one stays in force.
    pub snapshot: Option<SnapshotManifest>,
    /// Each table of that snapshot.
    pub tables: Vec<TableOutcome>,
    /// What that snapshot has, beside what the one before had.
    pub totals: Vec<Total>,
    /// What else happened: snapshots that expired.
    pub notes: Vec<String>,
}

/// Reads sources, correlates, and publishes.
#[async_trait]
pub trait Refresher: Send + Sync {
    /// Aggregates every source, refreshes, and publishes a snapshot when that is allowed: when every source
    /// was read, or `publish_incomplete` says that it may be short of some.
    ///
    /// A source that cannot be read is no error of the refresh: it stands in the report, so that
    /// people see the others too.
    ///
    /// # Errors
    /// When the refresh itself failed; nothing was published then.
    async fn refresh(&self, request: RefreshRequest) -> muster_reports::Result<RefreshReport>;
}

impl RefreshReport {
    /// Prints what happened; `verbose` as for [`text`](Self::text).
    pub fn print(&self, output: Output, verbose: bool) -> Result {
        match output {
            Output::Json => json(self),
            Output::Table => print(&self.text(verbose)),
        }
    }

    /// What happened, for people; with `verbose` the files and bytes of each table, too.
    pub fn text(&self, verbose: bool) -> String {
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
            let mut cells = vec![source.name.clone()];
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
            let notes = [("failed", &source.error), ("note", &source.remark)];
            for (word, note) in notes.into_iter().filter_map(|(word, note)| Some((word, note.as_ref()?))) {
                text.push_str(&format!("\n{}: {word}: {note}", source.name));
            }
            if source.stale > 0 {
                text.push_str(&format!(
                    "\n{}: {} accounts are as of an earlier read",
                    source.name,
                    count(source.stale)
                ));
            }
            for record in &source.rejections {
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
            std::iter::once(outcome.table.clone()).chain(numbers.map(count)).collect()
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

    /// Whether the refresh did what was asked.
    ///
    /// # Errors
    /// Names the sources that could not be read when nothing was published.
    pub fn verdict(&self) -> Result {
        if self.snapshot.is_some() {
            return Ok(());
        }
        let failed: Vec<_> =
            self.sources.iter().filter(|s| s.error.is_some()).map(|s| s.name.as_str()).collect();
        match failed[..] {
            [] => Err(Failure::new("no snapshot was published")),
            _ => Err(Failure::new(format!("no snapshot was published because of {}", failed.join(", ")))),
        }
    }
}

/// What a remark says beside why the read failed, which is said once; `None` where that is all.
pub fn besides(failure: Option<&str>, remark: &str) -> Option<String> {
    let rest = failure.and_then(|failure| remark.strip_prefix(failure)).unwrap_or(remark);
    let rest = rest.trim_start_matches("; ");
    (!rest.is_empty()).then(|| rest.to_owned())
}

impl SourceOutcome {
    fn state(&self) -> &'static str {
        match (&self.error, self.complete) {
            (Some(_), _) => "failed",
            (None, false) => "incomplete",
            (None, true) if self.as_before => "as before",
            (None, true) => "complete",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn outcome(name: &str) -> SourceOutcome {
        SourceOutcome { name: name.into(), read: 1_250, created: 1_248, complete: true, ..Default::default() }
    }

    #[test]
    fn refused_records_are_listed_and_the_rest_counted() {
        let rejection = RejectedRecord {
            line: 17,
            native_identity: Some("e17".into()),
            reason: "4 fields: expected 5".into(),
        };
        let report = RefreshReport {
            sources: vec![SourceOutcome {
                rejected: 2,
                stale: 1,
                rejections: vec![rejection],
                ..outcome("HR")
            }],
            snapshot: None,
            tables: Vec::new(),
            totals: Vec::new(),
            notes: Vec::new(),
        };
        assert_eq!(
            report.text(false),
            " source   read  rejected  created  updated  unchanged  missing  state\n \
             HR      1,250         2    1,248        0          0        0  complete\n\
             HR: 1 accounts are as of an earlier read\n\
             HR: line 17 (e17): 4 fields: expected 5\n\
             HR: 1 more rejected records\n\n\
             no snapshot was published: the last one stays in force"
        );
    }

    #[test]
    fn why_a_source_failed_is_said_once() {
        assert_eq!(besides(Some("no such file"), "no such file"), None);
        assert_eq!(besides(Some("no such file"), "no such file; it is late").as_deref(), Some("it is late"));
        assert_eq!(besides(Some("too many links"), "cut").as_deref(), Some("cut"));
        assert_eq!(besides(None, "cut").as_deref(), Some("cut"));
    }

    #[test]
    fn what_was_read_and_written_is_added_up() {
        let written = |name: &str, rows, rows_written, files_written, bytes_written, files_kept| {
            TableOutcome { table: name.into(), rows, rows_written, files_written, bytes_written, files_kept }
        };
        let report = RefreshReport {
            sources: vec![SourceOutcome { as_before: true, ..outcome("HR") }, outcome("Directory")],
            snapshot: None,
            tables: vec![
                written("accounts", 5_000, 1_200, 2, 4_000, 5),
                written("identities", 1_000, 0, 0, 0, 1),
            ],
            totals: Vec::new(),
            notes: Vec::new(),
        };
        assert!(!report.text(false).contains("written"), "files and bytes are for those who ask");
        let text = report.text(true);
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
        let report = RefreshReport {
            sources: vec![outcome("HR")],
            snapshot: None,
            tables: Vec::new(),
            totals: vec![
                total("linked accounts", 1_200, Some(1_250)),
                total("disputed accounts", 3, Some(3)),
                total("orphan identities", 1_001, Some(0)),
            ],
            notes: Vec::new(),
        };
        let text = report.text(false);
        let expected = " in all               now  before  change\n \
                        linked accounts    1,200   1,250     -50\n \
                        disputed accounts      3       3       0\n \
                        orphan identities  1,001       0  +1,001";
        assert!(text.contains(expected), "{text}");
        let first = RefreshReport { totals: vec![total("linked accounts", 7, None)], ..report };
        assert!(first.text(false).contains("linked accounts    7"), "{}", first.text(false));
    }

    #[test]
    fn a_source_that_cannot_be_read_makes_the_command_fail() {
        let broken = SourceOutcome { error: Some("no such file".into()), complete: false, ..outcome("HR") };
        let report = RefreshReport {
            sources: vec![outcome("Directory"), broken],
            snapshot: None,
            tables: Vec::new(),
            totals: Vec::new(),
            notes: Vec::new(),
        };
        assert_eq!(report.verdict().unwrap_err().to_string(), "no snapshot was published because of HR");
    }
}
