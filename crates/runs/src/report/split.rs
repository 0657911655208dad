//! A CSV file for each value of a column, all of them in one archive. The rows are ordered by the column.
//!
//! Invariant: the files together have each row once, in the order of the rows; a value has one file.

use arrow::array::{Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use muster_render::{ColumnFormat, CsvOptions, CsvWriter, RenderError, Written, ZipFiles};
use muster_reports::error::{Error, Result};
use std::collections::BTreeSet;
use std::io::Write;

/// Most characters of a file's name, without its extension.
const NAME_CHARACTERS_MAX: usize = 80;

/// What is written, and how.
pub(super) struct SplitFiles<W> {
    pub(super) sink: W,
    pub(super) columns: Vec<ColumnFormat>,
    pub(super) csv: CsvOptions,
    /// The place of the column.
    pub(super) by: usize,
    pub(super) threads: usize,
    /// The name of the one file of a report without rows.
    pub(super) otherwise: String,
}

impl<W: Write + Send> SplitFiles<W> {
    /// Writes the rows that `next` gives, until it gives none.
    pub(super) fn write(self, mut next: impl FnMut() -> Result<Option<RecordBatch>>) -> Result<Written> {
        let mut archive = ZipFiles::new(self.sink).on_threads(self.threads);
        let mut names = Names::default();
        let mut pending = rows(next()?, self.by)?;
        if pending.is_none() {
            let name = names.of(Some(&self.otherwise));
            let mut member = archive.start_member(&name).map_err(failed)?;
            let empty = CsvWriter::with_options(&mut member, self.columns.clone(), self.csv);
            let empty = empty.finish().map_err(failed)?;
            member.finish(&empty).map_err(failed)?;
        }
        while let Some((batch, values)) = pending.take() {
            let value = value(&values, 0).map(str::to_owned);
            let mut member = archive.start_member(&names.of(value.as_deref())).map_err(failed)?;
            let csv = CsvWriter::with_options(&mut member, self.columns.clone(), self.csv);
            let mut csv = csv.on_threads(self.threads);
            let mut at_hand = Some((batch, values));
            while let Some((batch, values)) = at_hand {
                let same = (0..batch.num_rows())
                    .take_while(|row| self::value(&values, *row) == value.as_deref())
                    .count();
                if same > 0 {
                    csv.write(&batch.slice(0, same)).map_err(failed)?;
                }
                let rest = batch.num_rows() - same;
                if rest > 0 {
                    pending = Some((batch.slice(same, rest), values.slice(same, rest)));
                    break;
                }
                at_hand = rows(next()?, self.by)?;
            }
            let content = csv.finish().map_err(failed)?;
            member.finish(&content).map_err(failed)?;
        }
        archive.finish().map_err(failed)
    }
}

fn failed(error: RenderError) -> Error {
    Error::internal("the result file could not be written", error)
}

/// A batch, and the texts of the column.
fn rows(batch: Option<RecordBatch>, by: usize) -> Result<Option<(RecordBatch, StringArray)>> {
    let Some(batch) = batch else { return Ok(None) };
    let unread = |error| Error::internal("the column of the files cannot be read", error);
    let texts = cast(batch.column(by), &DataType::Utf8).map_err(unread)?;
    let texts = StringArray::from(texts.to_data());
    Ok(Some((batch, texts)))
}

fn value(values: &StringArray, row: usize) -> Option<&str> {
    (row < values.len() && !values.is_null(row)).then(|| values.value(row))
}

/// Names of files, no two of which are the same on any system.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// The name of the file of a value.
    fn of(&mut self, value: Option<&str>) -> String {
        let plain = |c: char| {
            if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '@' | '+') { c } else { '_' }
        };
        let text: String = value.unwrap_or("").chars().take(NAME_CHARACTERS_MAX).map(plain).collect();
        let text = text.trim().trim_matches('.').trim();
        let stem = if text.is_empty() { "none" } else { text };
        let mut name = stem.to_owned();
        let mut number = 1;
        // Some systems do not tell letters of one case from those of the other.
        while !self.0.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{stem} ({number})");
        }
        format!("{name}.csv")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use arrow::array::ArrayRef;
    use std::io::Read;
    use std::sync::Arc;

    fn batch(rows: &[(Option<&str>, &str)]) -> RecordBatch {
        let managers: StringArray = rows.iter().map(|(manager, _)| *manager).collect();
        let people: StringArray = rows.iter().map(|(_, person)| Some(*person)).collect();
        let columns = [("manager", Arc::new(managers) as ArrayRef), ("person", Arc::new(people) as ArrayRef)];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// The archive as another program reads it: `name: text` for each file.
    fn written(batches: Vec<RecordBatch>) -> (u64, Vec<String>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let column = |name: &str| ColumnFormat { name: name.into(), label: name.into() };
        let files = SplitFiles {
            sink: file.as_file_mut().try_clone().unwrap(),
            columns: vec![column("manager"), column("person")],
            csv: CsvOptions::default(),
            by: 0,
            threads: 2,
            otherwise: "Review".into(),
        };
        let mut batches = batches.into_iter();
        let written = files.write(|| Ok(batches.next())).unwrap();
        let script = "import sys, zipfile\n\
                      archive = zipfile.ZipFile(sys.argv[1])\n\
                      for name in archive.namelist(): print(name + ': ' + ' '.join(archive.read(name).decode('utf-8-sig').split()))";
        let read =
            std::process::Command::new("python3").args(["-c", script]).arg(file.path()).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let mut text = String::new();
        read.stdout.as_slice().read_to_string(&mut text).unwrap();
        (written.rows, text.lines().map(str::to_owned).collect())
    }

    /// A manager may be in several batches, and a batch may have several managers.
    #[test]
    fn each_value_has_one_file_with_its_rows() {
        let rows = vec![
            batch(&[(Some("a/b"), "1"), (Some("a/b"), "2")]),
            batch(&[(Some("a/b"), "3"), (Some("a:b"), "4"), (Some("A_B"), "5")]),
            batch(&[(Some("carol"), "6")]),
            batch(&[(None, "7"), (None, "8")]),
        ];
        let (rows, files) = written(rows);
        assert_eq!(rows, 8);
        assert_eq!(
            files,
            [
                "a_b.csv: manager,person a/b,1 a/b,2 a/b,3",
                "a_b (2).csv: manager,person a:b,4",
                "A_B (3).csv: manager,person A_B,5",
                "carol.csv: manager,person carol,6",
                "none.csv: manager,person ,7 ,8",
            ]
        );
    }

    #[test]
    fn a_report_without_rows_has_one_file_without_rows() {
        assert_eq!(written(Vec::new()), (0, vec!["Review.csv: manager,person".to_owned()]));
    }
}
