//! `muster source check`: reads a source to its end, keeps nothing, and says what a refresh would make of it.

use super::definition;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::failure::{Context, Failure, Result};
use crate::house::House;
use crate::output::{Output, count, json, number, print, table, text};
use crate::refresh::RejectedRecord;
use chrono::{DateTime, Utc};
use muster_reports::error::error_chain;
use muster_reports::ports::{Clock, SnapshotCatalogue};
use muster_reports::snapshot::SourceRun;
use muster_sources::definition::exceeds;
use muster_sources::{Duplicates, Rejection, not_to_come};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Does it.
pub async fn run(file: &Path, rejected_max: usize, settings: &Settings, output: Output) -> Result {
    let mut checked = check(file, rejected_max)?;
    match last_run(settings, &checked.id).await {
        Ok(last) => checked.compare(last.as_ref()),
        Err(failure) => {
            let why = error_chain(&failure);
            checked.warnings.push(format!("it cannot be compared with the last snapshot: {why}"));
        }
    }
    checked.print(output, SystemClock.now())
}

/// What the last snapshot has of a source, where there is one that has it.
async fn last_run(settings: &Settings, id: &str) -> Result<Option<SourceRun>> {
    let Some(house) = House::open_if_there(settings).await? else { return Ok(None) };
    let newest = house.store.newest(&house.tenant).await?;
    Ok(newest.and_then(|snapshot| snapshot.source(id).cloned()))
}

/// What reading a source to its end came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    name: String,
    id: String,
    kind: &'static str,
    authoritative: bool,
    read: u64,
    accepted: u64,
    /// Accounts that the records name, at most; none for a source of documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<u64>,
    /// Live accounts of the source in the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts_before: Option<u64>,
    /// Records that a refresh refuses: those that cannot be read, and those of one account that differ.
    rejected: u64,
    rejections: Vec<RejectedRecord>,
    complete: bool,
    incomplete_reason: Option<String>,
    /// The time that the data says it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
    bytes: u64,
    sha256: String,
    attributes: Vec<String>,
    /// Accepted documents by the index that they belong to; none for a source of accounts.
    documents: BTreeMap<&'static str, usize>,
    warnings: Vec<String>,
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
    let failed = || format!("source {:?} cannot be read", definition.name);
    let (mut rejections, mut documents) = (Vec::new(), BTreeMap::new());
    let mut keep = |rejected: Vec<Rejection>| {
        let room = rejected_max.saturating_sub(rejections.len());
        rejections.extend(rejected.into_iter().take(room).map(|rejection| RejectedRecord {
            line: rejection.line,
            native_identity: rejection.native_identity,
            reason: rejection.reason,
        }));
    };
    let merge_rows = definition.reader.merge_rows();
    let mut duplicates = Duplicates::new(merge_rows);
    let environment = |name: &str| std::env::var(name).ok();
    let opened = muster_sources::open_documents(&definition, &base_dir, &environment);
    let summary = match opened.context(failed)? {
        Some(mut reader) => {
            while let Some(batch) = reader.next_batch().context(failed)? {
                for typed in &batch.documents {
                    *documents.entry(typed.document_type.index_name()).or_insert(0) += typed.lines.len();
                }
                keep(batch.rejections);
            }
            reader.finish().context(failed)?
        }
        None => {
            let mut reader =
                muster_sources::open_source(&definition, &base_dir, &environment).context(failed)?;
            while let Some(batch) = reader.next_batch().context(failed)? {
                keep(batch.rejections);
                keep(duplicates.note(&batch.records));
            }
            reader.finish().context(failed)?
        }
    };
    let rejected = summary.rejected + duplicates.refused();
    let accepted = summary.read.saturating_sub(rejected);
    let mut warnings = summary.warnings;
    // Those whose records were refused are there, too.
    let named = if duplicates.is_partial() { accepted } else { duplicates.accounts() };
    if duplicates.is_partial() && !merge_rows {
        warnings.push("there are more accounts than could be searched for records of one account".to_owned());
    }
    Ok(Checked {
        name: definition.name.clone(),
        id: definition.id.clone(),
        kind: definition.reader.kind(),
        authoritative: definition.is_authoritative(),
        read: summary.read,
        accepted,
        accounts: (!definition.reader.gives_documents()).then(|| named + summary.rejected),
        accounts_before: None,
        rejected,
        rejections,
        complete: summary.complete,
        incomplete_reason: summary.incomplete_reason,
        as_of: summary.as_of,
        bytes: summary.bytes,
        sha256: summary.digest_sha256,
        attributes: summary.schema,
        documents,
        warnings,
        delete_threshold_percent: definition.delete_threshold_percent,
        kept: None,
    })
}

impl Checked {
    /// Says whether there is little, compared with the last snapshot where that has the source.
    ///
    /// Who is missing is not looked up: at least so many are as the numbers differ.
    fn compare(&mut self, last: Option<&SourceRun>) {
        let (Some(last), Some(accounts)) = (last, self.accounts) else {
            if self.accepted < FEW_RECORDS {
                let records = match self.accepted {
                    1 => "1 record".to_owned(),
                    records => format!("{} records", count(records)),
                };
                self.warnings.push(format!("the source has {records} that can be used: is it whole?"));
            }
            return;
        };
        let before = last.loaded;
        self.accounts_before = Some(before);
        if !self.complete {
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
            self.warnings.push(format!(
                "{kept}: a refresh would keep them; `muster refresh --accept-missing {:?}` accepts it",
                self.name
            ));
            self.kept = Some(kept);
        } else if missing > 0 {
            let now = count(accounts);
            self.warnings
                .push(format!("the last snapshot has {shown} accounts of the source, which has {now}"));
        }
    }

    /// Prints it; what a refresh would not take as it is is a failure.
    fn print(&self, output: Output, now: DateTime<Utc>) -> Result {
        match output {
            Output::Json => json(self)?,
            Output::Table => self.print_text()?,
        }
        if self.rejected > 0 {
            let (rejected, read) = (count(self.rejected), count(self.read));
            return Err(Failure::new(format!("a refresh would refuse {rejected} of {read} records")));
        }
        if let Some(reason) = &self.incomplete_reason {
            return Err(Failure::new(format!("the read is incomplete: {reason}")));
        }
        if self.accepted == 0 {
            return Err(Failure::new("the source has no record"));
        }
        if let Some(date) = self.as_of.filter(|date| not_to_come(*date, now).is_none()) {
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
            self.name.clone(),
            self.id.clone(),
            count(self.read),
            count(self.accepted),
            count(self.rejected),
            count(self.bytes),
        ];
        print(&table(&columns, std::iter::once(row)))?;
        if !self.attributes.is_empty() {
            print(&format!("attributes: {}", self.attributes.join(", ")))?;
        }
        if let Some(date) = self.as_of {
            print(&format!("as of: {}", date.to_rfc3339()))?;
        }
        for (index, documents) in &self.documents {
            print(&format!("{index}: {}", count(*documents as u64)))?;
        }
        for warning in &self.warnings {
            print(&format!("warning: {warning}"))?;
        }
        if let Some(reason) = &self.incomplete_reason {
            print(&format!("incomplete: {reason}"))?;
        }
        for record in &self.rejections {
            let who = record.native_identity.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
            print(&format!("{}{who}: {}", self.place(record.line), record.reason))?;
        }
        let listed = self.rejections.len() as u64;
        if listed < self.rejected {
            print(&format!("{} more rejected records", count(self.rejected - listed)))?;
        }
        Ok(())
    }

    /// Where a record is, in the words of the kind of source.
    fn place(&self, line: u64) -> String {
        match self.kind {
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
        let run = muster_testkit::build::source_run(&checked.id, "People", false, ended);
        checked.compare(Some(&SourceRun { loaded, stale, ..run }));
        let ends = failure(&checked).map(|failure| failure.to_string());
        (checked.warnings, ends)
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
    fn a_check_counts_every_record_and_lists_refused_ones() {
        let dir = tempfile::tempdir().unwrap();
        // Line 3 has a field too many, line 4 no native identity.
        std::fs::write(dir.path().join("people.csv"), "id,name\n1,Ada\n2,Bob,x\n,Cy\n4,Dee\n").unwrap();
        let file = dir.path().join("people.toml");
        std::fs::write(
            &file,
            "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n",
        )
        .unwrap();
        let checked = check(&file, 1).unwrap();
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 2, 2));
        assert!(checked.complete);
        assert_eq!(checked.rejections.len(), 1, "as many as were asked for");
        assert_eq!(checked.rejections[0].line, 3);
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
        assert_eq!((found.read, found.accepted, found.rejected), (4, 2, 2));
        assert_eq!(
            (found.rejections[0].line, found.rejections[0].native_identity.as_deref()),
            (4, Some("1"))
        );
        assert_eq!(ends(&found).as_deref(), Some("a refresh would refuse 2 of 4 records"));
        let united = checked(twice, "merge_rows = true\n").unwrap();
        assert_eq!((united.accepted, ends(&united)), (4, None));
        assert_eq!(united.warnings, ["the source has 4 records that can be used: is it whole?"]);
        assert_eq!(ends(&checked("id\n", "").unwrap()).as_deref(), Some("the source has no record"));
        let wrong = checked("id;group\n1;a\n", "").unwrap_err();
        let text = muster_reports::error::error_chain(&wrong);
        assert!(
            text.contains("\"id;group\" (the header is one column: is the `delimiter` \";\"?)"),
            "{text}"
        );
    }

    #[test]
    fn a_check_counts_documents_by_their_kind() {
        let dir = tempfile::tempdir().unwrap();
        let lines = "{\"_type\":\"role\",\"id\":\"1\"}\n{\"_type\":\"event\",\"id\":\"2\"}\n{}\n{\"_type\":\"role\",\"id\":\"3\"}\n";
        std::fs::write(dir.path().join("model.ndjson"), lines).unwrap();
        let file = dir.path().join("model.toml");
        let text = "name = \"Model\"\nkind = \"documents\"\n[documents]\npath = \"model.ndjson\"\n";
        std::fs::write(&file, text).unwrap();
        let checked = check(&file, 1).unwrap();
        assert_eq!((checked.read, checked.accepted, checked.rejected), (4, 3, 1));
        assert_eq!(checked.documents, BTreeMap::from([("events", 1), ("roles", 2)]));
        assert_eq!(checked.rejections[0].line, 3);
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
