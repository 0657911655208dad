//! `muster source check`: reads a source to its end, keeps nothing, and says what a refresh would make of it.

use super::definition;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table, text};
use chrono::{DateTime, Utc};
use muster_reports::error::error_chain;
use muster_reports::ports::{Clock, SnapshotCatalogue};
use muster_reports::snapshot::SourceRun;
use muster_sources::definition::exceeds;
use muster_sources::{SourceCheck, check_source, not_to_come};
use serde::Serialize;
use std::path::Path;

/// Does it.
pub async fn run(file: &Path, rejected_max: usize, settings: &Settings, output: Output) -> Result {
    let mut checked = check(file, rejected_max)?;
    match last_run(settings, &checked.source.id).await {
        Ok(last) => checked.compare(last.as_ref()),
        Err(failure) => {
            let why = error_chain(&failure);
            checked.source.warnings.push(format!("it cannot be compared with the last snapshot: {why}"));
        }
    }
    checked.print(output, SystemClock.now())
}

/// What the last snapshot has of a source, where there is one that has it.
async fn last_run(settings: &Settings, id: &str) -> Result<Option<SourceRun>> {
    let Some(data) = DataDir::open_if_there(settings).await? else { return Ok(None) };
    let newest = data.store.newest(&data.tenant).await?;
    Ok(newest.and_then(|snapshot| snapshot.source(id).cloned()))
}

/// What a source has, beside what the last snapshot has of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    #[serde(flatten)]
    source: SourceCheck,
    /// Live accounts of the source in the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts_before: Option<u64>,
    #[serde(skip)]
    delete_threshold_percent: u8,
    /// What of the last snapshot's accounts a refresh would keep for being too many to go.
    #[serde(skip)]
    kept: Option<String>,
}

/// Accepted records below which a file may have been cut or filtered by mistake.
const FEW_RECORDS: u64 = 10;

fn check(file: &Path, rejected_max: usize) -> Result<Checked> {
    let (definition, base_dir) = definition(file)?;
    let environment = |name: &str| std::env::var(name).ok();
    let source = check_source(&definition, &base_dir, &environment, rejected_max)
        .context(|| format!("source {:?} cannot be read", definition.name))?;
    let delete_threshold_percent = definition.delete_threshold_percent;
    Ok(Checked { source, accounts_before: None, delete_threshold_percent, kept: None })
}

impl Checked {
    /// Says whether there is little, compared with the last snapshot where that has the source.
    ///
    /// Who is missing is not looked up: at least so many are as the numbers differ.
    fn compare(&mut self, last: Option<&SourceRun>) {
        let (Some(last), Some(accounts)) = (last, self.source.accounts) else {
            if self.source.accepted < FEW_RECORDS {
                let records = match self.source.accepted {
                    1 => "1 record".to_owned(),
                    records => format!("{} records", count(records)),
                };
                self.source.warnings.push(format!("the source has {records} that can be used: is it whole?"));
            }
            return;
        };
        let before = last.loaded;
        self.accounts_before = Some(before);
        if !self.source.complete {
            return;
        }
        // Accounts that an earlier read lacked and kept are not counted again.
        let missing = before.saturating_sub(last.stale).saturating_sub(accounts);
        let (shown, percent) = (count(before), self.delete_threshold_percent);
        if exceeds(missing, percent, before) {
            let kept = format!(
                "{} or more of the {shown} accounts of the last snapshot are missing, more than the delete threshold of \
                 {percent} percent",
                count(missing)
            );
            self.source.warnings.push(format!(
                "{kept}: a refresh would keep them; `muster refresh --accept-missing {:?}` accepts it",
                self.source.name
            ));
            self.kept = Some(kept);
        } else if missing > 0 {
            let now = count(accounts);
            self.source
                .warnings
                .push(format!("the last snapshot has {shown} accounts of the source, which has {now}"));
        }
    }

    /// Prints it; what a refresh would not take as it is is a failure.
    fn print(&self, output: Output, now: DateTime<Utc>) -> Result {
        match output {
            Output::Json => json(self)?,
            Output::Table => self.print_text()?,
        }
        if self.source.rejected > 0 {
            let (rejected, read) = (count(self.source.rejected), count(self.source.read));
            return Err(Failure::new(format!("a refresh would refuse {rejected} of {read} records")));
        }
        if let Some(reason) = &self.source.incomplete_reason {
            return Err(Failure::new(format!("the read is incomplete: {reason}")));
        }
        if self.source.accepted == 0 {
            return Err(Failure::new("the source has no record"));
        }
        if let Some(date) = self.source.as_of.filter(|date| not_to_come(*date, now).is_none()) {
            return Err(Failure::new(format!(
                "the data is as of {}: expected no time to come",
                date.to_rfc3339()
            )));
        }
        if let Some(kept) = &self.kept {
            return Err(Failure::new(format!("a refresh would keep accounts: {kept}")));
        }
        Ok(())
    }

    fn print_text(&self) -> Result {
        let columns = [
            text("source"),
            text("id"),
            number("read"),
            number("accepted"),
            number("rejected"),
            number("bytes"),
        ];
        let row = vec![
            self.source.name.clone(),
            self.source.id.clone(),
            count(self.source.read),
            count(self.source.accepted),
            count(self.source.rejected),
            count(self.source.bytes),
        ];
        print(&table(&columns, std::iter::once(row)))?;
        if !self.source.attributes.is_empty() {
            print(&format!("attributes: {}", self.source.attributes.join(", ")))?;
        }
        if let Some(date) = self.source.as_of {
            print(&format!("as of: {}", date.to_rfc3339()))?;
        }
        for (index, documents) in &self.source.documents {
            print(&format!("{index}: {}", count(*documents as u64)))?;
        }
        for warning in &self.source.warnings {
            print(&format!("warning: {warning}"))?;
        }
        if let Some(reason) = &self.source.incomplete_reason {
            print(&format!("incomplete: {reason}"))?;
        }
        for record in &self.source.rejections {
            let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
            print(&format!("{}{who}: {}", self.place(record.line), record.reason))?;
        }
        let listed = self.source.rejections.len() as u64;
        if listed < self.source.rejected {
            print(&format!("{} more rejected records", count(self.source.rejected - listed)))?;
        }
        Ok(())
    }

    /// Where a record is, in the words of the kind of source.
    fn place(&self, line: u64) -> String {
        match self.source.kind {
            "delimited" | "documents" | "ndjson" => format!("line {line}"),
            _ if line == 0 => "a record".to_owned(),
            "delta" | "parquet" | "sql" => format!("row {line}"),
            _ => format!("record {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn failure(checked: &Checked) -> Option<Failure> {
        checked.print(Output::Json, "2026-01-01T12:00:00Z".parse().unwrap()).err()
    }

    /// A source of these records, held against a last snapshot with `loaded` accounts, `stale` of them from earlier
    /// reads: the warnings, and how the check ends.
    fn compared(content: &str, more: &str, [loaded, stale]: [u64; 2]) -> (Vec<String>, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("people.csv"), content).unwrap();
        let file = dir.path().join("people.toml");
        let table = "[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n";
        std::fs::write(&file, format!("name = \"People\"\nkind = \"delimited\"\n{more}{table}")).unwrap();
        let mut checked = check(&file, 10).unwrap();
        let ended = SystemClock.now();
        let run = muster_testkit::build::source_run(&checked.source.id, "People", false, ended);
        checked.compare(Some(&SourceRun { loaded, stale, ..run }));
        let ends = failure(&checked).map(|failure| failure.to_string());
        (checked.source.warnings, ends)
    }

    #[test]
    fn few_records_are_held_against_the_last_snapshot() {
        let kept = |missing: u64, before: u64, percent: u64| {
            format!(
                "{missing} or more of the {before} accounts of the last snapshot are missing, more than the delete \
                 threshold of {percent} percent"
            )
        };
        let refused = |kept: String| {
            let way_out =
                "a refresh would keep them; `muster refresh --accept-missing \"People\"` accepts it";
            (vec![format!("{kept}: {way_out}")], Some(format!("a refresh would keep accounts: {kept}")))
        };
        let nine: String = (1..=9).map(|id| format!("{id}\n")).collect();
        let nine = format!("id\n{nine}");
        // Of ten, one is 10 percent and not more; of eleven two are; a small source that has as many is whole.
        let fewer = "the last snapshot has 10 accounts of the source, which has 9".to_owned();
        assert_eq!(compared(&nine, "", [10, 0]), (vec![fewer], None));
        assert_eq!(compared(&nine, "", [11, 0]), refused(kept(2, 11, 10)));
        assert_eq!(compared(&nine, "", [9, 0]), (vec![], None));
        assert_eq!(compared(&nine, "", [3, 0]), (vec![], None));
        // Two that were kept before are not counted again.
        assert_eq!(compared(&nine, "", [11, 2]), (vec![], None));
        assert_eq!(compared(&nine, "delete_threshold_percent = 0\n", [10, 0]), refused(kept(1, 10, 0)));
        let anything = "the last snapshot has 1,000 accounts of the source, which has 9".to_owned();
        assert_eq!(compared(&nine, "delete_threshold_percent = 100\n", [1_000, 0]), (vec![anything], None));
        // Nine equal records are one account, and no record is none.
        let (warnings, _) = compared(&format!("id\n{}", "1\n".repeat(9)), "", [9, 0]);
        assert_eq!(warnings, refused(kept(8, 9, 10)).0);
        let (warnings, ends) = compared("id\n", "", [9, 0]);
        assert_eq!(
            (warnings, ends.as_deref()),
            (refused(kept(9, 9, 10)).0, Some("the source has no record"))
        );
        // The account of a refused record is there.
        let (warnings, ends) = compared("id,n\n1\n2\n", "", [2, 0]);
        assert_eq!((warnings.len(), ends.as_deref()), (0, Some("a refresh would refuse 2 of 2 records")));
    }

    #[test]
    fn data_of_a_time_to_come_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.toml");
        let table =
            "[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\nas_of = { column = \"day\" }\n";
        std::fs::write(&file, format!("name = \"People\"\nkind = \"delimited\"\n{table}")).unwrap();
        // The clock of these tests stands at noon on 1 January 2026.
        for (day, expected) in [
            ("2026-01-01", None),
            ("2025-12-31", None),
            ("2026-01-02", Some("the data is as of 2026-01-02T23:59:59.999+00:00: expected no time to come")),
            (
                "2026-01-01T12:00:01Z",
                Some("the data is as of 2026-01-01T12:00:01+00:00: expected no time to come"),
            ),
        ] {
            std::fs::write(dir.path().join("people.csv"), format!("id,day\n1,{day}\n")).unwrap();
            let ends = failure(&check(&file, 10).unwrap()).map(|failure| failure.to_string());
            assert_eq!(ends.as_deref(), expected, "{day}");
        }
    }

    #[test]
    fn a_check_finds_what_a_refresh_would_refuse() {
        let dir = tempfile::tempdir().unwrap();
        let checked = |content: &str, more: &str| {
            std::fs::write(dir.path().join("people.csv"), content).unwrap();
            let file = dir.path().join("people.toml");
            let table = "[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n";
            std::fs::write(&file, format!("name = \"People\"\nkind = \"delimited\"\n{table}{more}")).unwrap();
            check(&file, 10).map(|mut checked| {
                checked.compare(None);
                checked
            })
        };
        let ends = |checked: &Checked| failure(checked).map(|failure| failure.to_string());
        // Lines 2 and 4 are of one account and differ; line 5 repeats line 3.
        let twice = "id,group\n1,a\n2,b\n1,c\n2,b\n";
        let found = checked(twice, "").unwrap();
        assert_eq!((found.source.read, found.source.accepted, found.source.rejected), (4, 2, 2));
        assert_eq!(
            (found.source.rejections[0].line, found.source.rejections[0].native_identity.as_deref()),
            (4, Some("1"))
        );
        assert_eq!(ends(&found).as_deref(), Some("a refresh would refuse 2 of 4 records"));
        let united = checked(twice, "merge_rows = true\n").unwrap();
        assert_eq!((united.source.accepted, ends(&united)), (4, None));
        assert_eq!(united.source.warnings, ["the source has 4 records that can be used: is it whole?"]);
        assert_eq!(ends(&checked("id\n", "").unwrap()).as_deref(), Some("the source has no record"));
        let wrong = checked("id;group\n1;a\n", "").unwrap_err();
        let text = muster_reports::error::error_chain(&wrong);
        assert!(
            text.contains("\"id;group\" (the header is one column: is the `delimiter` \";\"?)"),
            "{text}"
        );
    }

    #[test]
    fn a_definition_that_is_wrong_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.toml");
        std::fs::write(&file, "name = \"People\"\nkind = \"fax\"\n").unwrap();
        let error = check(&file, 1).unwrap_err().to_string();
        assert!(error.contains("people.toml") && error.contains("kind"), "{error}");
        let error = check(&dir.path().join("other.toml"), 1).unwrap_err().to_string();
        assert!(error.ends_with("other.toml cannot be read"), "{error}");
    }
}
