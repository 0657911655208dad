//! Access reviews: their population, and the sheets that reviewers without accounts fill in.
//!
//! A sheet has the cells of [`muster_reports::review::sheet`], all of them texts, so a spreadsheet neither rounds a number
//! nor rewrites a date. In CSV, texts that a spreadsheet would run as a formula are guarded, and the guard is undone when
//! the sheet is read.

use crate::copies::unnamed_file;
use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_render::{
    ColumnFormat, CsvOptions, CsvWriter, FileWriter, FormulaGuard, Header, RenderError, Written, XlsxOptions,
    XlsxWriter, ZipFiles, is_workbook, read_workbook, unguard,
};
use muster_reports::SnapshotManifest;
use muster_reports::caller::DataScope;
use muster_reports::error::{Error, Result};
use muster_reports::made::MadeFile;
use muster_reports::ports::{Ids, ReviewPopulations, ReviewSheets, SheetForm};
use muster_reports::review::sheet::{COLUMNS, DECISION, SHEET_BYTES_MAX, Sheet, cells};
use muster_reports::review::{Population, Review, ReviewItem, ReviewPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The decisions that a spreadsheet offers.
const CHOICES: [&str; 2] = ["KEEP", "REVOKE"];
/// The sheet of the rows.
const ROWS: &str = "Rows";
/// Name of the file with the items that nobody reviews.
const NOBODY: &str = "without a reviewer";

/// Reads the population of reviews, and makes and reads sheets.
pub struct ReviewRuns {
    /// Reads snapshots.
    pub engine: Arc<Engine>,
    /// For files that are gone with their last reader.
    pub work_dir: PathBuf,
    /// Names of these files.
    pub ids: Arc<dyn Ids>,
}

#[async_trait]
impl ReviewPopulations for ReviewRuns {
    async fn population(
        &self,
        snapshot: &Arc<SnapshotManifest>,
        scope: &DataScope,
        plan: &ReviewPlan,
    ) -> Result<Population> {
        Ok(self.engine.population(snapshot, scope, plan).await?)
    }
}

#[async_trait]
impl ReviewSheets for ReviewRuns {
    async fn archive(&self, review: &Review, items: Vec<ReviewItem>, form: SheetForm) -> Result<MadeFile> {
        let (review, work_dir, ids) = (review.clone(), self.work_dir.clone(), Arc::clone(&self.ids));
        let made = move || {
            let unwritten = |error: RenderError| Error::internal("the sheets could not be written", error);
            let file = unnamed_file(&work_dir, &*ids)
                .map_err(|error| Error::internal("a file for the sheets could not be made", error))?;
            let mut archive = ZipFiles::new(&file);
            for (name, items) in by_reviewer(items, form) {
                let mut member = archive.start_member(&name).map_err(unwritten)?;
                let content = write(&review, &items, form, &work_dir, &mut member).map_err(unwritten)?;
                member.finish(&content).map_err(unwritten)?;
            }
            let written = archive.finish().map_err(unwritten)?;
            Ok(MadeFile { file: Arc::new(file), bytes: written.bytes, sha256: written.sha256, held: None })
        };
        tokio::task::spawn_blocking(made)
            .await
            .map_err(|error| Error::internal("writing the sheets stopped", error))?
    }

    async fn read(&self, file: Vec<u8>) -> Result<Sheet> {
        if file.len() > SHEET_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the sheet has {} bytes: expected at most {SHEET_BYTES_MAX}",
                file.len()
            )));
        }
        let read = move || match is_workbook(&file) {
            true => read_workbook(&file, ROWS),
            false => csv_rows(&file),
        };
        let rows = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Error::internal("reading the sheet stopped", error))?;
        rows.map(|rows| Sheet { rows })
            .map_err(|reason| Error::invalid(format!("the sheet cannot be read: {reason}")))
    }
}

/// The items of each reviewer, with the name of their file, in the order of these names.
fn by_reviewer(items: Vec<ReviewItem>, form: SheetForm) -> Vec<(String, Vec<ReviewItem>)> {
    let mut found: BTreeMap<Option<String>, Vec<ReviewItem>> = BTreeMap::new();
    for item in items {
        let name = item.reviewer_now().map(|reviewer| reviewer.name.clone());
        found.entry(name).or_default().push(item);
    }
    let mut taken = BTreeSet::new();
    let named = found.into_iter().map(|(reviewer, items)| {
        let wanted = reviewer.as_deref().map_or_else(|| NOBODY.to_owned(), plain);
        let mut name = format!("{wanted}.{}", form.as_str());
        let mut number = 1;
        while !taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{wanted} {number}.{}", form.as_str());
        }
        (name, items)
    });
    named.collect()
}

/// A name that every system accepts as that of a file.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    let plain: String = name.chars().take(100).map(|c| if fits(c) { c } else { '_' }).collect();
    let plain = plain.trim_matches('.');
    if plain.is_empty() { "_".to_owned() } else { plain.to_owned() }
}

fn write(
    review: &Review,
    items: &[ReviewItem],
    form: SheetForm,
    work_dir: &std::path::Path,
    to: &mut dyn std::io::Write,
) -> std::result::Result<Written, RenderError> {
    let columns = || COLUMNS.map(|name| ColumnFormat { name: name.into(), label: name.into() }).to_vec();
    let rows: Vec<_> = items.iter().map(|item| cells(review, item)).collect();
    let column = |at: usize| -> ArrayRef {
        let texts = rows.iter().map(|row| Some(row[at].as_str()).filter(|text| !text.is_empty()));
        Arc::new(texts.collect::<StringArray>())
    };
    let schema = Schema::new(COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    let batch = RecordBatch::try_new(Arc::new(schema), (0..COLUMNS.len()).map(column).collect());
    let batch = batch.map_err(|error| RenderError::Encoding(Box::new(error)))?;
    match form {
        SheetForm::Csv => {
            // By the mark, spreadsheets know UTF-8.
            let options = CsvOptions { header: Header::Names, formula_guard: FormulaGuard::On, bom: true };
            let mut writer = CsvWriter::with_options(to, columns(), options);
            writer.write(&batch)?;
            writer.finish()
        }
        SheetForm::Xlsx => {
            let decision = COLUMNS.iter().position(|name| *name == DECISION).unwrap_or_default();
            let options = XlsxOptions { header: Header::Names, ..XlsxOptions::default() };
            let writer = XlsxWriter::new(to, columns(), options, work_dir)?;
            let mut writer: Box<dyn FileWriter> = Box::new(writer.offering(decision, &CHOICES));
            writer.write(&batch)?;
            writer.finish()
        }
    }
}

/// The lines of a CSV file with their numbers, without blank ones. Spreadsheets write other separators than commas in some
/// countries. The guard of formulas is undone.
///
/// # Errors
/// Says why it is not CSV.
pub fn csv_rows(file: &[u8]) -> std::result::Result<Vec<(u64, Vec<String>)>, String> {
    let text = std::str::from_utf8(file).map_err(|error| {
        format!(
            "byte {} is not UTF-8: expected a spreadsheet (.xlsx), or CSV in UTF-8",
            error.valid_up_to() + 1
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    let separator = [b',', b';', b'\t'].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut line = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    for row in reader.records() {
        let row = row.map_err(|error| format!("it is not CSV: {error}"))?;
        let number = line.of(row.position().map_or(0, csv::Position::byte));
        let cells: Vec<String> = row.iter().map(|cell| unguard(cell).to_owned()).collect();
        if cells.iter().any(|cell| !cell.trim().is_empty()) {
            rows.push((number, cells));
        }
    }
    Ok(rows)
}

/// Counts lines by their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the record at this byte begins; the bytes of later calls are greater.
    fn of(&mut self, byte: u64) -> u64 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX);
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        while self.bytes.get(self.at).is_some_and(|byte| self.at < start || is_end(byte)) {
            self.line += u64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn lines_of_any_country_are_read() {
        for text in [
            "item,comment\r\n1,\"a\r\nb\"\r\n\r\n2,'=1\r\n",
            "\u{feff}item;comment\n1;\"a\nb\"\n\n2;'=1\n",
            "item\tcomment\n1\t\"a\nb\"\n\n2\t'=1\n",
        ] {
            let rows = csv_rows(text.as_bytes()).unwrap();
            let numbers: Vec<_> = rows.iter().map(|(line, _)| *line).collect();
            assert_eq!(numbers, [1, 2, 5], "{text:?}");
            assert_eq!(rows[1].1[1].replace('\r', ""), "a\nb");
            assert_eq!(rows[2].1, ["2", "=1"]);
        }
        let refused = csv_rows(b"item\n\xe9\n").unwrap_err();
        assert!(refused.starts_with("byte 6 is not UTF-8"), "{refused}");
    }

    #[test]
    fn names_of_files_are_plain_and_differ() {
        assert_eq!(plain("../ada lovelace"), "_ada_lovelace");
        assert_eq!(plain("..."), "_");
        let item = |name: &str| ReviewItem {
            number: 1,
            frozen: muster_reports::review::FrozenAccess::default(),
            reviewer: Some(muster_reports::review::Reviewer {
                name: name.into(),
                id: name.into(),
                display_name: None,
            }),
            assigned: String::new(),
            digest: String::new(),
            handed_over: None,
            decision: None,
        };
        let nobody = ReviewItem { reviewer: None, ..item("") };
        let named =
            by_reviewer(vec![item("Ada"), item("a/a"), item("ada"), item("a a"), nobody], SheetForm::Csv);
        let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["without a reviewer.csv", "Ada.csv", "a_a.csv", "a_a 2.csv", "ada 2.csv"]);
    }
}
