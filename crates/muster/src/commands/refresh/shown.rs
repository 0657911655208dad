//! What `muster refresh` prints for people and for programs.

use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use muster_engine::refresh::TableOutcome;
use muster_runs::{RefreshReport, RefreshSummary};

/// Prints what happened, with at most `rejected_max` refused records of each source; `verbose` as for [`text_of`].
pub fn print_report(report: &RefreshReport, rejected_max: usize, output: Output, verbose: bool) -> Result {
    let summary = report.summary(rejected_max);
    match output {
        Output::Json => json(&summary),
        Output::Table => print(&described(&summary, verbose)),
    }
}

/// What happened, for people, without refused records; with `verbose` the files and bytes of each table, too.
pub fn text_of(report: &RefreshReport, verbose: bool) -> String {
    described(&report.summary(0), verbose)
}

/// What happened, for people; with `verbose` the files and bytes of each table, too.
fn described(summary: &RefreshSummary<'_>, verbose: bool) -> String {
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
    let rows = summary.sources.iter().map(|source| {
        let mut cells = vec![source.name.to_owned()];
        cells.extend(
            [source.read, source.rejected, source.created, source.updated, source.unchanged, source.missing]
                .map(count),
        );
        cells.push(source.state().into());
        cells
    });
    let mut text = table(&columns, rows);
    for source in &summary.sources {
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
    if verbose && !summary.tables.is_empty() {
        text.push_str(&format!("\n\n{}", written(summary)));
    }
    if !summary.totals.is_empty() {
        text.push_str(&format!("\n\n{}", counted(summary)));
    }
    match &summary.snapshot {
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
    for exceeded in summary.exceeded {
        text.push_str(&format!("\nbeyond refresh.guards: {exceeded}"));
    }
    for note in &summary.notes {
        text.push_str(&format!("\n{note}"));
    }
    text
}

/// The totals and how they changed, for people.
fn counted(summary: &RefreshSummary<'_>) -> String {
    let columns = [text("in all"), number("now"), number("before"), number("change")];
    let rows = summary.totals.iter().map(|total| {
        let change = total.before.map(|before| match total.now.checked_sub(before) {
            Some(0) => "0".to_owned(),
            Some(more) => format!("+{}", count(more)),
            None => format!("-{}", count(before - total.now)),
        });
        let before = total.before.map(count);
        vec![total.counted.into(), count(total.now), before.unwrap_or_default(), change.unwrap_or_default()]
    });
    table(&columns, rows)
}

/// What was read and written, for people.
fn written(summary: &RefreshSummary<'_>) -> String {
    let columns = [
        text("table"),
        number("rows"),
        number("rows written"),
        number("files written"),
        number("bytes written"),
        number("files kept"),
    ];
    let rows = summary.tables.iter().map(|outcome| {
        let numbers = [
            outcome.rows,
            outcome.rows_written,
            outcome.files_written,
            outcome.bytes_written,
            outcome.files_kept,
        ];
        std::iter::once(outcome.table.to_owned()).chain(numbers.map(count)).collect()
    });
    let sum = |f: fn(&TableOutcome) -> u64| count(summary.tables.iter().map(f).sum());
    format!(
        "{}\nread: {} of {} sources; written: {} rows in {} files of {} bytes; kept: {} files",
        table(&columns, rows),
        count(summary.sources.iter().filter(|source| !source.as_before).count() as u64),
        count(summary.sources.len() as u64),
        sum(|outcome| outcome.rows_written),
        sum(|outcome| outcome.files_written),
        sum(|outcome| outcome.bytes_written),
        sum(|outcome| outcome.files_kept),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_engine::refresh::{RefreshOutcome, SourceOutcome, Total};
    use muster_reports::snapshot::SourceRun;
    use muster_sources::Rejection;
    use muster_testkit::build::{source_run, start_of_time};

    fn outcome(name: &str) -> SourceOutcome {
        let run = source_run("1", name, true, start_of_time());
        let run = SourceRun { read: 1_250, created: 1_248, ..run };
        SourceOutcome { run, failure: None, rejections: Vec::new(), carried: false }
    }

    fn report(sources: Vec<SourceOutcome>, tables: Vec<TableOutcome>, totals: Vec<Total>) -> RefreshReport {
        let outcome = RefreshOutcome { manifest: None, sources, tables, totals, exceeded: Vec::new() };
        RefreshReport { outcome, as_of: None, losses_accepted: false, damaged: Vec::new(), expiry: None }
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
            described(&report.summary(1), false),
            " source   read  rejected  created  updated  unchanged  missing  state\n \
             HR      1,250         2    1,248        0          0        0  complete\n\
             HR: 1 accounts are as of an earlier read\n\
             HR: line 17 (e17): 4 fields: expected 5\n\
             HR: 1 more rejected records\n\n\
             no snapshot was published: the last one stays in force"
        );
        assert_eq!(report.summary(5).sources[0].rejections.len(), 2);
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
    fn totals_are_shown_with_those_of_before_and_their_change() {
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
}
