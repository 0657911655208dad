//! The owner's total: how many records a source says that it gave, what the values of a column add up to, and what happens
//! if other numbers were read.
//!
//! The totals come from one place: a trailer record of a delimited file, a file beside the data, a second query, or the
//! source itself where it reports one. A read that came to other numbers is incomplete: it marks nobody missing, and reports
//! say so. Or it has failed, if the definition wants that. So does a read without its total.

mod decimal;
pub(crate) mod summed;
mod trailer;

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{find, open_file, path_fault};
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};
pub use summed::{ColumnSum, exact_sum};
pub(crate) use summed::{Stated, SummedColumn, Summing};
pub(crate) use trailer::{Trailed, TrailerForm};

use decimal::Decimal;

/// Most bytes of a file with a total.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The table `[total]` of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotalDefinition {
    /// The form of the last record of a delimited file, without quotes: `{count}` stands for the total, `{sum}` for the sum,
    /// `*` for any characters and `?` for one, within a field. That record is no row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer: Option<String>,
    /// The same as a regular expression over the record's fields, joined by the delimiter, with the groups `count` and `sum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer_regex: Option<String>,
    /// A file with the total; a relative path is taken from the definition file's folder. The last part may have `*` and
    /// `?`, where one file fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the total is in that file: the key of a line `key=value` or `key: value`, or of a JSON object a field or a
    /// JSON pointer. When absent, the file has nothing but the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A query of a database that gives one row: the total, and with `sum_of` the sum behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The column whose values the owner adds up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum_of: Option<String>,
    /// Where the sum is in `file`, as `key`. Without `key` the file has the sum only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum_key: Option<String>,
    /// What stands before the decimals, in the column and in the owner's sum: `.` or `,`. Default `.`.
    #[serde(default = "default_mark", skip_serializing_if = "is_point")]
    pub decimal_mark: char,
    /// Lines that the owner counts beside the records, such as the header and the trailer. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counts_also: u32,
    /// What happens if the total is not the number of records that were read, or the sum another one. Default `warn`.
    #[serde(default)]
    pub on_difference: OnDifference,
}

impl Default for TotalDefinition {
    fn default() -> Self {
        Self {
            trailer: None,
            trailer_regex: None,
            file: None,
            key: None,
            query: None,
            sum_of: None,
            sum_key: None,
            decimal_mark: default_mark(),
            counts_also: 0,
            on_difference: OnDifference::default(),
        }
    }
}

fn default_mark() -> char {
    '.'
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_point(mark: &char) -> bool {
    *mark == '.'
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
        let places_of_totals = [
            ("trailer", &self.trailer),
            ("trailer_regex", &self.trailer_regex),
            ("file", &self.file),
            ("query", &self.query),
        ];
        let given: Vec<_> =
            places_of_totals.into_iter().filter_map(|(key, value)| value.as_ref().map(|_| key)).collect();
        if let [first, second, ..] = given[..] {
            return fault("", format!("has {first} and {second}: expected one place of the total"));
        }
        let without = |place| !places.contains(&place);
        let trailer = given.first().filter(|key| key.starts_with("trailer"));
        if let (Some(key), true) = (trailer, without(TotalPlace::Trailer)) {
            return fault(&format!(".{key}"), format!("a source of the kind {kind:?} has no trailer record"));
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
        if !matches!(self.decimal_mark, '.' | ',') {
            return fault(".decimal_mark", "expected `.` or `,`".to_owned());
        }
        if let Some((key, reason)) = self.trailer_fault().or_else(|| self.sum_fault(given.first().copied())) {
            return fault(key, reason);
        }
        if let Some((_, reason)) = self.file.as_deref().and_then(path_fault) {
            return fault(".file", reason);
        }
        for (name, key) in [(".key", &self.key), (".sum_key", &self.sum_key)] {
            match (key, &self.file) {
                (Some(_), None) => return fault(name, "expected it only with total.file".to_owned()),
                (Some(key), Some(_)) if key.trim().is_empty() => {
                    return fault(name, "must not be blank".to_owned());
                }
                _ => {}
            }
        }
        match self.query.as_deref().map(str::trim_end) {
            Some("") => fault(".query", "must not be blank".to_owned()),
            Some(query) if query.ends_with(';') => {
                fault(".query", "expected one statement without a semicolon at its end".to_owned())
            }
            Some(_) | None => None,
        }
    }

    /// The first fault of the form of the trailer record.
    fn trailer_fault(&self) -> Option<(&'static str, String)> {
        // Any delimiter shows a fault.
        let (key, form) = match (&self.trailer, &self.trailer_regex) {
            (Some(form), _) => {
                let wanted = "expected the form of a record in which {count} or {sum} stands, each once and apart, without \
                              quotes";
                let form = TrailerForm::fields(form, ',', self.decimal_mark);
                (".trailer", form.ok_or_else(|| wanted.to_owned()))
            }
            (None, Some(text)) => (".trailer_regex", TrailerForm::expression(text, ',', self.decimal_mark)),
            (None, None) => return None,
        };
        match form.map(|form| form.gives()) {
            Err(reason) => Some((key, reason)),
            Ok((_, true)) if self.sum_of.is_none() => {
                Some((".sum_of", "expected the column whose sum the trailer record has".to_owned()))
            }
            Ok((_, false)) if self.sum_of.is_some() => {
                let name = if key == ".trailer" { "{sum}" } else { "the group (?P<sum>...)" };
                Some((key, format!("expected {name} for the sum of total.sum_of")))
            }
            Ok(_) => None,
        }
    }

    /// The first fault of the sum, with its total in a place.
    fn sum_fault(&self, place: Option<&str>) -> Option<(&'static str, String)> {
        match (&self.sum_of, &self.sum_key) {
            (None, Some(_)) => Some((".sum_of", "expected the column whose sum the file has".to_owned())),
            (None, None) => None,
            (Some(column), _) if column.trim().is_empty() => {
                Some((".sum_of", "must not be blank".to_owned()))
            }
            (Some(_), None) if place == Some("file") => {
                Some((".sum_key", "expected where the sum of total.sum_of is in the file".to_owned()))
            }
            (Some(_), _) if place.is_none() => {
                Some((".sum_of", "expected a place of the sum: a source reports none by itself".to_owned()))
            }
            (Some(_), _) => None,
        }
    }

    /// The column that is summed.
    pub(crate) fn summed(&self) -> Option<SummedColumn> {
        self.sum_of.as_ref().map(|name| SummedColumn { name: name.clone(), mark: self.decimal_mark })
    }

    /// The form of the trailer record, if there is to be one.
    pub(crate) fn trailer_form(&self, delimiter: char) -> Option<TrailerForm> {
        match (&self.trailer, &self.trailer_regex) {
            (Some(form), _) => TrailerForm::fields(form, delimiter, self.decimal_mark),
            (None, Some(text)) => TrailerForm::expression(text, delimiter, self.decimal_mark).ok(),
            (None, None) => None,
        }
    }
}

impl Stated {
    /// The numbers of texts, where they are some.
    ///
    /// # Errors
    /// Which is none.
    pub(crate) fn of(count: Option<&str>, sum: Option<&str>, mark: char) -> Result<Self, String> {
        trailer::stated(count, sum, mark)
    }
}

/// A reader whose records are counted against the owner's total.
pub(crate) struct Totalled {
    inner: Box<dyn RecordReader>,
    definition: TotalDefinition,
    /// The source's name, for errors.
    name: String,
    base_dir: PathBuf,
    /// What the number of a record counts.
    counts: &'static str,
}

impl Totalled {
    pub(crate) fn over(
        inner: Box<dyn RecordReader>,
        definition: &TotalDefinition,
        name: &str,
        base_dir: &Path,
        counts: &'static str,
    ) -> Box<dyn RecordReader> {
        let (definition, name) = (definition.clone(), name.to_owned());
        Box::new(Self { inner, definition, name, base_dir: base_dir.to_owned(), counts })
    }
}

impl RecordReader for Totalled {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        self.inner.next_batch()
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let Self { inner, definition, name, base_dir, counts } = *self;
        let mut summary = inner.finish()?;
        // A read of changes gives only what changed, which is not what the owner counts.
        if summary.changes_only {
            return Ok(summary);
        }
        let stated = stated(&definition, &base_dir, &summary);
        let summed = summary.summed.take();
        let differences = match &stated {
            Ok(stated) => {
                summary.reported_total = stated.count;
                let read = summary.read;
                let records = stated.count.filter(|total| *total != read);
                let records = records
                    .map(|total| format!("the owner's total is {total} records, and {read} were read"));
                let sum = match (&summed, stated.sum) {
                    (Some(summed), Some(sum)) => summed.difference(sum, counts),
                    (Some(_), None) => Some("the owner's sum is not there".to_owned()),
                    (None, _) => None,
                };
                records.into_iter().chain(sum).collect()
            }
            Err(reason) => {
                summary.reported_total = None;
                vec![reason.clone()]
            }
        };
        summary.sum = summed.map(|summed| summed.beside(stated.ok().and_then(|stated| stated.sum)));
        if differences.is_empty() {
            return Ok(summary);
        }
        let difference = differences.join("; ");
        if definition.on_difference == OnDifference::Refuse {
            return Err(ReadError::Settings { path: name, reason: difference });
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

/// What the owner states; or why that could not be had, for people.
fn stated(definition: &TotalDefinition, base_dir: &Path, summary: &ReadSummary) -> Result<Stated, String> {
    let mut stated = match (&definition.file, &summary.stated) {
        (Some(file), _) => stated_in_file(&base_dir.join(file), definition)?,
        (None, Some(stated)) => stated.clone()?,
        (None, None) => Stated { count: summary.reported_total, sum: None },
    };
    if definition.sum_of.is_some() && definition.key.is_none() && stated.count.is_none() {
        // The owner gives a sum only, and the source may say by itself how many records it has.
        stated.count = summary.reported_total;
    }
    if stated == Stated::default() {
        let form = definition.trailer.as_ref().or(definition.trailer_regex.as_ref());
        return Err(match form {
            Some(form) => format!("the file ends without the trailer record {form:?}"),
            None => "the source did not say how many records it has".to_owned(),
        });
    }
    let also = u64::from(definition.counts_also);
    stated.count = match stated.count.map(|total| (total, total.checked_sub(also))) {
        None => None,
        Some((_, Some(total))) => Some(total),
        Some((total, None)) => {
            return Err(format!(
                "the owner's total is {total}: expected at least the {also} lines of total.counts_also"
            ));
        }
    };
    Ok(stated)
}

/// What the owner states in a file; or why that could not be had, for people.
fn stated_in_file(path: &Path, definition: &TotalDefinition) -> Result<Stated, String> {
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
    let object = match text.starts_with('{') && (definition.key.is_some() || definition.sum_key.is_some()) {
        true => {
            let object: Value =
                serde_json::from_str(text).map_err(|error| expected(&format!("JSON: {error}")))?;
            Some(object)
        }
        false => None,
    };
    let found = |key: &str| match &object {
        Some(object) => in_object(object, key),
        None => in_lines(text, key),
    };
    let form = |key: &str, what: &str| match object {
        Some(_) => expected(&format!("{what} in {key:?}")),
        None => expected(&format!("one line {key}=NUMBER")),
    };
    let count = match (&definition.key, &definition.sum_key) {
        (None, Some(_)) => None,
        (None, None) => {
            let total = trailer::count_of(text);
            Some(total.ok_or_else(|| expected("a whole number and nothing else"))?)
        }
        (Some(key), _) => {
            let total = found(key).and_then(|text| trailer::count_of(&text));
            Some(total.ok_or_else(|| form(key, "a whole number"))?)
        }
    };
    let sum = definition.sum_key.as_ref().map(|key| {
        // JSON has a point of its own; a sum in quotes has the owner's mark.
        let mark = match object.as_ref().and_then(|object| member(object, key)) {
            Some(Value::Number(_)) => '.',
            Some(_) | None => definition.decimal_mark,
        };
        let sum = found(key).and_then(|text| Decimal::of(&text, mark));
        sum.ok_or_else(|| form(key, "a number of at most 9 decimals"))
    });
    Ok(Stated { count, sum: sum.transpose()? })
}

fn member<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    if key.starts_with('/') { object.pointer(key) } else { object.get(key) }
}

/// The number of a JSON object, as a text. One with more digits than its reader keeps is none: it would be another one.
fn in_object(object: &Value, key: &str) -> Option<String> {
    /// Digits that every number of 64 bits with decimals keeps.
    const KEPT_DIGITS: usize = 15;
    match member(object, key)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => {
            let text = number.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            (!number.is_f64() || digits <= KEPT_DIGITS).then_some(text)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The value of the one line of a key.
fn in_lines(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(['=', ':']));
    let mut values = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    let first = values.next()?;
    values.next().is_none().then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn totals_are_found_in_files_of_several_forms() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.count");
        let found = |text: &str, key: Option<&str>| {
            std::fs::write(&path, text).unwrap();
            let definition = TotalDefinition { key: key.map(str::to_owned), ..TotalDefinition::default() };
            let stated = stated_in_file(&path, &definition).map(|stated| stated.count.unwrap());
            stated.map_err(|reason| reason.rsplit_once(": ").unwrap().1.to_owned())
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
        assert!(stated_in_file(&path, &TotalDefinition::default()).unwrap_err().contains("people.count"));
    }

    #[test]
    fn sums_are_found_in_files_of_several_forms() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.count");
        let found = |text: &str, key: Option<&str>, decimal_mark: char| {
            std::fs::write(&path, text).unwrap();
            let definition = TotalDefinition {
                key: key.map(str::to_owned),
                sum_key: Some("sum".to_owned()),
                decimal_mark,
                ..TotalDefinition::default()
            };
            let stated = stated_in_file(&path, &definition);
            let stated = stated.map(|stated| (stated.count, stated.sum.unwrap().to_string()));
            stated.map_err(|reason| reason.rsplit_once(": ").unwrap().1.to_owned())
        };
        let is = |count: Option<u64>, sum: &str| Ok((count, sum.to_owned()));
        assert_eq!(found("records=17\nsum=-12.50\n", Some("records"), '.'), is(Some(17), "-12.5"));
        assert_eq!(found("records=17\nsum: 1250,75\n", None, ','), is(None, "1250.75"));
        assert_eq!(found("{\"sum\": 0.3, \"n\": 2}", Some("n"), ','), is(Some(2), "0.3"));
        assert_eq!(found("{\"sum\": \"0,3\"}", None, ','), is(None, "0.3"));
        assert_eq!(found("{\"sum\": 12345678901234567890}", None, '.'), is(None, "12345678901234567890"));
        // A number with more digits than its reader keeps would be another one.
        let wanted = "expected a number of at most 9 decimals in \"sum\"";
        assert_eq!(found("{\"sum\": 1234567890123456.78}", None, '.'), Err(wanted.to_owned()));
        assert_eq!(found("sum=1.250,75\n", None, ','), Err("expected one line sum=NUMBER".to_owned()));
    }
}
