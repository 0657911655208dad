//! How a refresh would judge a source. The source is read to its end and compared with the last snapshot, and nothing
//! is kept.

use crate::thousands::thousands;
use chrono::{DateTime, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::snapshot::SourceRun;
use muster_sources::definition::exceeds;
use muster_sources::{Environment, SourceCheck, SourceDefinition, check_source, not_to_come};
use serde::Serialize;
use std::path::Path;

/// What a source has, and what the last snapshot has of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedSource {
    /// The source as it was read, with warnings.
    #[serde(flatten)]
    pub source: SourceCheck,
    /// Live accounts of the source in the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts_before: Option<u64>,
    #[serde(skip)]
    delete_threshold_percent: u8,
    /// A message if too many of the last snapshot's accounts are missing, so that a refresh would keep them.
    #[serde(skip)]
    kept: Option<String>,
}

/// With fewer accepted records than this, a file may have been cut or filtered by mistake.
const FEW_RECORDS: u64 = 10;

impl CheckedSource {
    /// Reads the source to its end; keeps at most `rejected_max` refused records.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(
        definition: &SourceDefinition,
        base_dir: &Path,
        environment: Environment<'_>,
        rejected_max: usize,
    ) -> Result<Self> {
        let source = check_source(definition, base_dir, environment, rejected_max).map_err(|error| {
            Error::internal(format!("source {:?} cannot be read", definition.name), error)
        })?;
        let delete_threshold_percent = definition.delete_threshold_percent;
        Ok(Self { source, accounts_before: None, delete_threshold_percent, kept: None })
    }

    /// Warns if the source has few records, also compared with the last snapshot if that has the source.
    ///
    /// Missing accounts are not looked up. At least as many are missing as the numbers differ.
    pub fn compare(&mut self, last: Option<&SourceRun>) {
        let (Some(last), Some(accounts)) = (last, self.source.accounts) else {
            if self.source.accepted < FEW_RECORDS {
                let records = match self.source.accepted {
                    1 => "1 record".to_owned(),
                    records => format!("{} records", thousands(records)),
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
        // Accounts that were missing in an earlier read and were kept are not counted again.
        let missing = before.saturating_sub(last.stale).saturating_sub(accounts);
        let (shown, percent) = (thousands(before), self.delete_threshold_percent);
        if exceeds(missing, percent, before) {
            let kept = format!(
                "{} or more of the {shown} accounts of the last snapshot are missing, more than the delete threshold of \
                 {percent} percent",
                thousands(missing)
            );
            self.source.warnings.push(format!(
                "{kept}: a refresh would keep them; `muster refresh --accept-missing {:?}` accepts it",
                self.source.name
            ));
            self.kept = Some(kept);
        } else if missing > 0 {
            let now = thousands(accounts);
            self.source
                .warnings
                .push(format!("the last snapshot has {shown} accounts of the source, which has {now}"));
        }
    }

    /// Whether a refresh at the time `now` would accept the source as it is.
    ///
    /// # Errors
    /// With the first reason why not.
    pub fn verdict(&self, now: DateTime<Utc>) -> Result<()> {
        if self.source.rejected > 0 {
            let (rejected, read) = (thousands(self.source.rejected), thousands(self.source.read));
            return Err(Error::invalid(format!("a refresh would refuse {rejected} of {read} records")));
        }
        if let Some(reason) = &self.source.incomplete_reason {
            return Err(Error::invalid(format!("the read is incomplete: {reason}")));
        }
        if self.source.accepted == 0 {
            return Err(Error::invalid("the source has no record"));
        }
        if let Some(date) = self.source.as_of.filter(|date| not_to_come(*date, now).is_none()) {
            return Err(Error::invalid(format!(
                "the data is as of {}: expected no time to come",
                date.to_rfc3339()
            )));
        }
        if let Some(kept) = &self.kept {
            return Err(Error::invalid(format!("a refresh would keep accounts: {kept}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::error::error_chain;
    use muster_testkit::build::{source_run, start_of_time};

    /// What becomes of the source that `file` defines.
    fn check(file: &Path) -> Result<CheckedSource> {
        let definition = SourceDefinition::from_toml(&std::fs::read_to_string(file).unwrap(), file).unwrap();
        CheckedSource::read(&definition, file.parent().unwrap(), &|_: &str| None, 10)
    }

    fn failure(checked: &CheckedSource) -> Option<Error> {
        checked.verdict("2026-01-01T12:00:00Z".parse().unwrap()).err()
    }

    /// A source of these records, held against a last snapshot with `loaded` accounts, `stale` of them from earlier
    /// reads: the warnings, and how the check ends.
    fn compared(content: &str, more: &str, [loaded, stale]: [u64; 2]) -> (Vec<String>, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("people.csv"), content).unwrap();
        let file = dir.path().join("people.toml");
        let table = "[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n";
        std::fs::write(&file, format!("name = \"People\"\nkind = \"delimited\"\n{more}{table}")).unwrap();
        let mut checked = check(&file).unwrap();
        let run = source_run(&checked.source.id, "People", false, start_of_time());
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
            let ends = failure(&check(&file).unwrap()).map(|failure| failure.to_string());
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
            check(&file).map(|mut checked| {
                checked.compare(None);
                checked
            })
        };
        let ends = |checked: &CheckedSource| failure(checked).map(|failure| failure.to_string());
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
        let text = error_chain(&wrong);
        assert!(
            text.contains("\"id;group\" (the header is one column: is the `delimiter` \";\"?)"),
            "{text}"
        );
    }
}
