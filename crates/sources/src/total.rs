//! The owner's total: how many records a source says that it gave, and what happens if another number was read.
//!
//! The total comes from one place: a trailer record of a delimited file, a file beside the data, a second query, or the
//! source itself where it reports one. A read whose number of records is another one is incomplete: it marks nobody
//! missing, and reports say so. Or it has failed, if the definition wants that. So does a read without its total.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{find, open_file, path_fault};
use crate::pattern::matches;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};

/// What stands in the form of a trailer record for the total.
const COUNT: &str = "{count}";
/// Most bytes of a file with a total.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The table `[total]` of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotalDefinition {
    /// The form of the last record of a delimited file, without quotes: `{count}` stands for the total, `*` for any
    /// characters and `?` for one, within a field. That record is no row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer: Option<String>,
    /// A file with the total; a relative path is taken from the definition file's folder. The last part may have `*` and
    /// `?`, where one file fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the total is in that file: the key of a line `key=value` or `key: value`, or of a JSON object a field or a
    /// JSON pointer. When absent, the file has nothing but the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A query of a database that gives one whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Lines that the owner counts beside the records, such as the header and the trailer. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counts_also: u32,
    /// What happens if the total is not the number of records that were read. Default `warn`.
    #[serde(default)]
    pub on_difference: OnDifference,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(lines: &u32) -> bool {
    *lines == 0
}

/// What happens if the owner's total is not the number of records that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDifference {
    /// The read is incomplete: it marks nobody missing, and reports say so.
    #[default]
    Warn,
    /// The read has failed: nothing of it is used.
    Refuse,
}

/// A place of a total that only some kinds of source have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TotalPlace {
    /// A trailer record.
    Trailer,
    /// A second query.
    Query,
    /// The source reports it with the records.
    Source,
}

impl TotalDefinition {
    /// The first fault, as the key and what is wrong, for a kind whose totals can be in these places besides a file.
    pub(crate) fn fault(&self, kind: &str, places: &[TotalPlace]) -> Option<(String, String)> {
        let fault = |key: &str, reason: String| Some((format!("total{key}"), reason));
        let given: Vec<_> = [("trailer", &self.trailer), ("file", &self.file), ("query", &self.query)]
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|_| key))
            .collect();
        if let [first, second, ..] = given[..] {
            return fault("", format!("has {first} and {second}: expected one place of the total"));
        }
        let without = |place| !places.contains(&place);
        if self.trailer.is_some() && without(TotalPlace::Trailer) {
            return fault(".trailer", format!("a source of the kind {kind:?} has no trailer record"));
        }
        if self.query.is_some() && without(TotalPlace::Query) {
            return fault(".query", format!("a source of the kind {kind:?} has no queries"));
        }
        if given.is_empty() && without(TotalPlace::Source) {
            let trailer = if without(TotalPlace::Trailer) { "" } else { "trailer or " };
            let query = if without(TotalPlace::Query) { "" } else { "query or " };
            return fault(
                "",
                format!(
                    "expected {trailer}{query}file: a source of the kind {kind:?} does not report a total by itself"
                ),
            );
        }
        if self.trailer.as_ref().is_some_and(|form| TrailerForm::of(form, ',').is_none()) {
            let wanted = "expected the form of a record in which {count} stands once, without quotes";
            return fault(".trailer", wanted.to_owned());
        }
        if let Some((_, reason)) = self.file.as_deref().and_then(path_fault) {
            return fault(".file", reason);
        }
        match (&self.key, &self.file) {
            (Some(_), None) => return fault(".key", "expected it only with total.file".to_owned()),
            (Some(key), Some(_)) if key.trim().is_empty() => {
                return fault(".key", "must not be blank".to_owned());
            }
            _ => {}
        }
        match self.query.as_deref().map(str::trim_end) {
            Some("") => fault(".query", "must not be blank".to_owned()),
            Some(query) if query.ends_with(';') => {
                fault(".query", "expected one statement without a semicolon at its end".to_owned())
            }
            Some(_) | None => None,
        }
    }
}

/// The form of a trailer record, field by field.
pub(crate) struct TrailerForm(Vec<FieldForm>);

enum FieldForm {
    Text(String),
    /// What stands before and behind the total.
    Count(String, String),
}

impl TrailerForm {
    /// The form of a definition; `None` if `{count}` does not stand in it once, or if it has quotes.
    pub(crate) fn of(form: &str, delimiter: char) -> Option<Self> {
        if form.matches(COUNT).count() != 1 || form.contains(['"', '\r', '\n']) {
            return None;
        }
        let fields = form.split(delimiter).map(|field| match field.trim().split_once(COUNT) {
            Some((before, behind)) => FieldForm::Count(before.to_owned(), behind.to_owned()),
            None => FieldForm::Text(field.trim().to_owned()),
        });
        Some(Self(fields.collect()))
    }

    /// The total of a record of `count` fields, if the record has the form. Fields beyond those of the form must be blank:
    /// spreadsheets fill records up.
    pub(crate) fn total<'a>(&self, count: usize, field: impl Fn(usize) -> Option<&'a str>) -> Option<u64> {
        let field = |index| field(index).map(str::trim);
        if count < self.0.len() || (self.0.len()..count).any(|index| field(index) != Some("")) {
            return None;
        }
        let mut total = None;
        for (index, form) in self.0.iter().enumerate() {
            let text = field(index)?;
            match form {
                FieldForm::Text(pattern) if matches(pattern, text) => {}
                FieldForm::Text(_) => return None,
                FieldForm::Count(before, behind) => total = Some(count_in(before, behind, text)?),
            }
        }
        total
    }
}

/// The first and longest number of a text between two patterns.
fn count_in(before: &str, behind: &str, text: &str) -> Option<u64> {
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    ends.iter().filter(|start| matches(before, &text[..**start])).find_map(|start| {
        let mut texts = ends.iter().rev().filter(|end| *end > start && matches(behind, &text[**end..]));
        texts.find_map(|end| number(&text[*start..*end]))
    })
}

/// A number of nothing but digits.
fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// A reader whose records are counted against the owner's total.
pub(crate) struct Totalled {
    inner: Box<dyn RecordReader>,
    definition: TotalDefinition,
    /// The source's name, for errors.
    name: String,
    base_dir: PathBuf,
}

impl Totalled {
    pub(crate) fn over(
        inner: Box<dyn RecordReader>,
        definition: &TotalDefinition,
        name: &str,
        base_dir: &Path,
    ) -> Box<dyn RecordReader> {
        let (definition, name) = (definition.clone(), name.to_owned());
        Box::new(Self { inner, definition, name, base_dir: base_dir.to_owned() })
    }
}

impl RecordReader for Totalled {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        self.inner.next_batch()
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let mut summary = self.inner.finish()?;
        // A read of changes gives only what changed, which is not what the owner counts.
        if summary.changes_only {
            return Ok(summary);
        }
        let stated = match (&self.definition.file, summary.reported_total) {
            (Some(file), _) => total_of_file(&self.base_dir.join(file), self.definition.key.as_deref()),
            (None, Some(total)) => Ok(total),
            (None, None) => Err(match &self.definition.trailer {
                Some(form) => format!("the file ends without the trailer record {form:?}"),
                None => "the source did not say how many records it has".to_owned(),
            }),
        };
        let also = u64::from(self.definition.counts_also);
        let stated = stated.and_then(|total| {
            total.checked_sub(also).ok_or_else(|| {
                format!(
                    "the owner's total is {total}: expected at least the {also} lines of total.counts_also"
                )
            })
        });
        let difference = match stated {
            Ok(total) => {
                summary.reported_total = Some(total);
                let read = summary.read;
                (total != read).then(|| format!("the owner's total is {total} records, and {read} were read"))
            }
            Err(reason) => {
                summary.reported_total = None;
                Some(reason)
            }
        };
        let Some(difference) = difference else { return Ok(summary) };
        if self.definition.on_difference == OnDifference::Refuse {
            return Err(ReadError::Settings { path: self.name, reason: difference });
        }
        summary.complete = false;
        summary.cursor = None;
        summary.incomplete_reason = Some(match summary.incomplete_reason {
            Some(earlier) => format!("{earlier}; {difference}"),
            None => difference,
        });
        Ok(summary)
    }
}

/// The total in a file; or why there is none, for people.
fn total_of_file(path: &Path, key: Option<&str>) -> Result<u64, String> {
    let chain = |error: ReadError| crate::reader::error_chain(&error);
    let mut files = find(path).map_err(chain)?;
    let place = path.display();
    let (Some(file), true) = (files.pop(), files.is_empty()) else {
        return Err(format!("{place}: several files fit: expected one file with the total"));
    };
    let place = file.display().to_string();
    let mut text = String::new();
    let mut opened = open_file(&file).map_err(chain)?.take(FILE_BYTES_MAX + 1);
    opened.read_to_string(&mut text).map_err(|error| format!("{place}: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{place}: expected at most {FILE_BYTES_MAX} bytes"));
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    let expected = |what: &str| format!("{place}: expected {what}");
    match key {
        None => number(text).ok_or_else(|| expected("a whole number and nothing else")),
        Some(key) if text.starts_with('{') => {
            let object: Value =
                serde_json::from_str(text).map_err(|error| expected(&format!("JSON: {error}")))?;
            let found = if key.starts_with('/') { object.pointer(key) } else { object.get(key) };
            let total = found.and_then(|value| value.as_u64().or_else(|| number(value.as_str()?.trim())));
            total.ok_or_else(|| expected(&format!("a whole number in {key:?}")))
        }
        Some(key) => {
            let lines = text.lines().filter_map(|line| line.split_once(['=', ':']));
            let mut values = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
            match (values.next().and_then(number), values.next()) {
                (Some(total), None) => Ok(total),
                _ => Err(expected(&format!("one line {key}=NUMBER"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn trailers_are_known_by_their_form() {
        for (form, record, total) in [
            ("TRL;{count}", &["TRL", "00042"][..], Some(42)),
            ("TRL;{count}", &["TRL", " 42 ", "", ""], Some(42)),
            ("TRL;{count}", &["TRL", "42", "x"], None),
            ("TRL;{count}", &["TRL"], None),
            ("TRL;{count}", &["TRL", "4 2"], None),
            ("TRL;{count}", &["TRL", "-42"], None),
            ("T*;????????;{count} rows", &["TRAILER", "20260331", "42 rows"], Some(42)),
            ("T*;????????;{count} rows", &["TRAILER", "2026-03-31", "42 rows"], None),
            ("# {count} records*", &["# 1234 records in all"], Some(1234)),
            ("*{count}", &["part 1 of 9: 12"], Some(12)),
            ("TRL;{count}", &["TRL", "18446744073709551616"], None),
        ] {
            let form = TrailerForm::of(form, ';').unwrap();
            let found = form.total(record.len(), |index| record.get(index).copied());
            assert_eq!(found, total, "{record:?}");
        }
        for wrong in ["TRL", "{count};{count}", "\"TRL\";{count}"] {
            assert!(TrailerForm::of(wrong, ';').is_none(), "{wrong}");
        }
    }

    #[test]
    fn totals_are_found_in_files_of_several_forms() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.count");
        let found = |text: &str, key: Option<&str>| {
            std::fs::write(&path, text).unwrap();
            total_of_file(&path, key).map_err(|reason| reason.rsplit_once(": ").unwrap().1.to_owned())
        };
        assert_eq!(found("1234\n", None), Ok(1234));
        assert_eq!(found("\u{feff}1234\r\n", None), Ok(1234));
        assert_eq!(found("file=people.csv\nrecords = 17\n", Some("records")), Ok(17));
        assert_eq!(found("records: 17\n", Some("records")), Ok(17));
        assert_eq!(found("{\"records\": 17}", Some("records")), Ok(17));
        assert_eq!(found("{\"files\": [{\"rows\": \"17\"}]}", Some("/files/0/rows")), Ok(17));
        let whole = "expected a whole number and nothing else";
        assert_eq!(found("1,234", None), Err(whole.to_owned()));
        assert_eq!(found("", None), Err(whole.to_owned()));
        assert_eq!(
            found("records=1\nrecords=2\n", Some("records")),
            Err("expected one line records=NUMBER".into())
        );
        assert_eq!(
            found("{\"records\": 1.5}", Some("records")),
            Err("expected a whole number in \"records\"".into())
        );
        std::fs::remove_file(&path).unwrap();
        assert!(total_of_file(&path, None).unwrap_err().contains("people.count"));
    }
}
