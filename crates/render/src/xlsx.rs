//! Record batches to a spreadsheet (Office Open XML), a row at a time.
//!
//! How a cell is written:
//!
//! | value | cell |
//! |---|---|
//! | null, empty text | nothing |
//! | text | text, never a formula, whatever it begins with |
//! | number | a number; with more than 15 digits, which a spreadsheet would round, the exact decimal as text |
//! | boolean | a boolean |
//! | timestamp | a time in UTC, `yyyy-mm-dd hh:mm:ss`; before March 1900 or after 9999 its RFC 3339 text |
//! | date | a date, `yyyy-mm-dd`, within the same years |
//! | list, struct, map | the text of the CSV cell |
//!
//! A text of more than 32,767 UTF-16 units is cut, says at its end how much is left out, and is reported in
//! [`Written::warnings`]. Each sheet of rows is a table with filters, its header bold and frozen; past 1,048,576 rows, or
//! about 2 GiB of content, the next sheet begins, which is reported too. No two headers are alike, whatever the case of their
//! letters: a table does not allow that.
//!
//! With a cover, there are further sheets: a summary with charts before the rows, and arguments, query and digests after them.
//!
//! Threads make the XML of the rows, and compress it. The compressed rows are in a temporary file until the end, in a
//! folder that the caller names. What is around them in the file is a library's: it writes a workbook without rows.

mod about;
mod cells;
mod package;
mod rows;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use muster_reports::cover::Cover;

use crate::chart::Chart;
use crate::csv::Header;
use crate::deflate::{Deflate, Sum};
use crate::file::{ColumnFormat, FileWriter, RenderError, Written, check_columns, unpack};
use crate::workers::{InOrder, Spares, Workers};
use about::About;
use cells::{SheetColumn, WIDTH_MAX, display_width};
use package::{EFFORT, FinishedSheet, Styles, letters};
use rows::{SheetForm, SheetRows};

/// Most rows of a sheet, including the header.
const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Bytes of content after which a sheet ends. A member of the file may have 4 GiB; the rest is for markup.
const SHEET_BYTES: usize = 2 << 30;
/// Rows whose content decides the widths of the columns.
const SAMPLE_ROWS: usize = 200;
/// Rows whose XML is made at once.
const JOB_ROWS: usize = 512;
/// Characters of a header. A table has at most 255, and characters outside of the basic plane count twice.
const HEADER_CHARS_MAX: usize = 120;
/// Most columns of a sheet.
const COLUMNS_MAX: usize = 16_384;
const WIDTH_MIN: usize = 8;

/// What can be chosen of a spreadsheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XlsxOptions {
    /// What the header holds.
    pub header: Header,
    /// Most data rows of a sheet; more than 1,048,575 are never on one.
    pub sheet_rows_max: u32,
}

impl Default for XlsxOptions {
    fn default() -> Self {
        Self { header: Header::default(), sheet_rows_max: SHEET_ROWS_MAX - 1 }
    }
}

/// Writes one spreadsheet to a sink, which gets its bytes at the end.
pub struct XlsxWriter<W: Write> {
    sink: W,
    columns: Vec<ColumnFormat>,
    headers: Vec<String>,
    options: XlsxOptions,
    choices: Option<(usize, &'static [&'static str])>,
    sheet_bytes_max: usize,
    form: Arc<SheetForm>,
    styles: Styles,
    workers: Workers,
    made: InOrder<SheetRows>,
    /// What each result that is waiting was made from, and for which place.
    given: VecDeque<Given>,
    spares: Spares<SheetRows>,
    /// The compressed rows of all sheets.
    file: File,
    deflate: Deflate,
    finished: Vec<FinishedSheet>,
    /// Rows and bytes of the present sheet, the header counted, and its last row that has a cell.
    sheet_rows: u32,
    sheet_bytes: usize,
    last: Option<u32>,
    widths: Vec<usize>,
    cut: Vec<u64>,
    rows: usize,
    /// Whether no rows follow.
    ended: bool,
    broken: bool,
}

/// Rows that a thread makes the XML of.
struct Given {
    arrays: Arc<Vec<ArrayRef>>,
    rows: Range<usize>,
    place: Place,
    samples: usize,
}

/// The sheet, counted from 0, and the row in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    sheet: usize,
    row: u32,
}

impl<W: Write> XlsxWriter<W> {
    /// Begins a spreadsheet whose temporary file is in `folder`.
    ///
    /// # Errors
    /// [`RenderError::Sink`] where no file can be made in the folder; [`RenderError::Encoding`] for more than
    /// 16,384 columns.
    pub fn new(
        sink: W,
        columns: Vec<ColumnFormat>,
        options: XlsxOptions,
        folder: &Path,
    ) -> Result<Self, RenderError> {
        if columns.len() > COLUMNS_MAX {
            let message = format!("a sheet has {} columns: expected at most {COLUMNS_MAX}", columns.len());
            return Err(RenderError::Encoding(message.into()));
        }
        let headers = headers(&columns, options);
        // Room for the filter's button.
        let widths = headers.iter().map(|header| display_width(header) + 3).collect();
        let form =
            SheetForm { letters: (0..columns.len()).map(letters).collect(), time_style: 0, date_style: 0 };
        let mut writer = Self {
            sink,
            choices: None,
            sheet_bytes_max: SHEET_BYTES,
            form: Arc::new(form),
            styles: Styles::default(),
            workers: Workers::new(1),
            made: InOrder::new(),
            given: VecDeque::new(),
            spares: Spares::new(),
            file: tempfile::tempfile_in(folder)?,
            deflate: Deflate::new(EFFORT, 1),
            finished: Vec::new(),
            sheet_rows: 0,
            sheet_bytes: 0,
            last: None,
            widths,
            cut: vec![0; columns.len()],
            columns,
            headers,
            options,
            rows: 0,
            ended: false,
            broken: false,
        };
        writer.write_header()?;
        Ok(writer)
    }

    /// Makes and compresses the rows on this many threads. The bytes are the same for any number.
    #[must_use]
    pub fn on_threads(mut self, threads: usize) -> Self {
        self.workers = Workers::new(threads);
        self.deflate.set_threads(threads);
        self
    }

    /// Offers these texts, and no others, for the cells of a column, counted from 0.
    #[must_use]
    pub fn offering(mut self, column: usize, texts: &'static [&'static str]) -> Self {
        self.choices = Some((column, texts));
        self
    }

    fn write_header(&mut self) -> Result<(), RenderError> {
        let mut header = SheetRows::new(0);
        header.push_header(&self.form, self.headers.iter().map(String::as_str));
        (self.sheet_rows, self.sheet_bytes, self.last) = (1, 0, header.last);
        self.compress(&header.xml)
    }

    fn compress(&mut self, xml: &[u8]) -> Result<(), RenderError> {
        self.deflate.write(xml, &mut self.file).map_err(temporary)
    }

    /// Most rows of a sheet, without the header.
    fn rows_max(&self) -> u32 {
        self.options.sheet_rows_max.clamp(1, SHEET_ROWS_MAX - 1)
    }

    fn end_sheet(&mut self) -> Result<(), RenderError> {
        let rows: Sum = self.deflate.flush(&mut self.file).map_err(temporary)?;
        let width = |width: &usize| (*width).clamp(WIDTH_MIN, WIDTH_MAX);
        let widths = self.widths.iter().map(width).collect();
        self.finished.push(FinishedSheet { rows, count: self.sheet_rows, last: self.last, widths });
        Ok(())
    }

    fn next_sheet(&mut self) -> Result<(), RenderError> {
        self.end_sheet()?;
        self.write_header()
    }

    fn write_rows(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        check_columns(&self.columns, batch)?;
        let arrays = unpack(batch)?;
        for (format, array) in self.columns.iter().zip(&arrays) {
            if SheetColumn::new(array.as_ref()).is_none() {
                let (column, data_type) = (format.name.clone(), array.data_type().clone());
                return Err(RenderError::Unsupported { column, data_type });
            }
        }
        if self.rows == 0 {
            self.number_styles(&arrays);
        }
        let arrays = Arc::new(arrays);
        let mut start = 0;
        while start < batch.num_rows() {
            let place = self.next_place();
            let room = self.rows_max() as usize + 1 - place.row as usize;
            let rows = start..batch.num_rows().min(start + JOB_ROWS.min(room));
            start = rows.end;
            let samples = SAMPLE_ROWS.saturating_sub(self.rows);
            self.rows += rows.len();
            self.give(Given { arrays: arrays.clone(), rows, place, samples });
            self.append(self.workers.in_flight_max())?;
        }
        Ok(())
    }

    /// The styles get numbers in the order of the columns that have them.
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]
    fn number_styles(&mut self, arrays: &[ArrayRef]) {
        let form = Arc::make_mut(&mut self.form);
        for array in arrays {
            match array.data_type() {
                DataType::Timestamp(..) => form.time_style = self.styles.time(),
                DataType::Date32 | DataType::Date64 => form.date_style = self.styles.date(),
                _ => {}
            }
        }
    }

    /// Where the next rows are, if no sheet ends before because of its bytes.
    fn next_place(&self) -> Place {
        let mut place = match self.given.back() {
            Some(Given { place, rows, .. }) => {
                // A job has at most some hundred rows.
                Place { row: place.row + rows.len() as u32, ..*place }
            }
            None => Place { sheet: self.finished.len(), row: self.sheet_rows },
        };
        if place.row > self.rows_max() {
            place = Place { sheet: place.sheet + 1, row: 1 };
        }
        place
    }

    fn give(&mut self, given: Given) {
        let (arrays, rows, place, samples) =
            (given.arrays.clone(), given.rows.clone(), given.place, given.samples);
        let (form, spares) = (self.form.clone(), self.spares.clone());
        self.made.give(&mut self.workers, move || {
            let mut made = spares.take().unwrap_or_else(|| SheetRows::new(arrays.len()));
            made.push(&form, &columns(&arrays), rows, place.row, samples);
            made
        });
        self.given.push_back(given);
    }

    fn append(&mut self, waiting_max: usize) -> Result<(), RenderError> {
        while let Some(mut made) = self.made.take(waiting_max) {
            let Some(given) = self.given.pop_front() else { return Ok(()) };
            if self.sheet_rows > self.rows_max() {
                self.next_sheet()?;
            }
            let here = Place { sheet: self.finished.len(), row: self.sheet_rows };
            if here == given.place && self.sheet_bytes + made.bytes <= self.sheet_bytes_max {
                self.add(&made)?;
            } else {
                self.append_singly(&given, &mut made)?;
            }
            made.clear();
            self.spares.give_back(made);
        }
        Ok(())
    }

    /// Makes rows again, one at a time, because a sheet ended before them or ends among them.
    fn append_singly(&mut self, given: &Given, made: &mut SheetRows) -> Result<(), RenderError> {
        let (form, columns) = (self.form.clone(), columns(&given.arrays));
        for (index, row) in given.rows.clone().enumerate() {
            if self.sheet_rows > self.rows_max() || self.sheet_bytes > self.sheet_bytes_max {
                self.next_sheet()?;
            }
            made.clear();
            made.push(&form, &columns, row..row + 1, self.sheet_rows, given.samples.saturating_sub(index));
            self.add(made)?;
        }
        Ok(())
    }

    fn add(&mut self, made: &SheetRows) -> Result<(), RenderError> {
        self.sheet_rows += made.count;
        self.sheet_bytes += made.bytes;
        self.last = made.last.or(self.last);
        for (width, needed) in self.widths.iter_mut().zip(&made.widths) {
            *width = (*width).max(*needed);
        }
        for (cut, more) in self.cut.iter_mut().zip(&made.cut) {
            *cut += more;
        }
        self.compress(&made.xml)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.finished.len() > 1 {
            let sheets = self.finished.len();
            warnings.push(format!("the rows are on {sheets} sheets, because one sheet cannot hold them"));
        }
        for (column, cut) in self.columns.iter().zip(&self.cut) {
            if *cut > 0 {
                let name = &column.name;
                warnings.push(format!(
                    "column {name:?}: {cut} texts are longer than a cell can hold (32767 characters) and are cut; the CSV file has them whole"
                ));
            }
        }
        warnings
    }
}

impl<W: Write> FileWriter for XlsxWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        if self.broken || self.ended {
            return Err(RenderError::Broken);
        }
        self.broken = true;
        self.write_rows(batch)?;
        self.broken = false;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Written, RenderError> {
        self.finish_about(None)
    }
}

impl<W: Write> XlsxWriter<W> {
    /// Rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// Writes the rows that are still held back. No rows follow. Returns what a reader must know of them, in words for
    /// people, so that the cover can say it.
    ///
    /// # Errors
    /// [`RenderError`]; the file is then broken.
    pub fn end_rows(&mut self) -> Result<Vec<String>, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        if !self.ended {
            self.broken = true;
            self.append(0)?;
            self.end_sheet()?;
            (self.broken, self.ended) = (false, true);
        }
        Ok(self.warnings())
    }

    /// Writes the file with the sheets that a cover and charts fill.
    ///
    /// # Errors
    /// [`RenderError`]; there is no file then.
    pub fn finish_with(self, title: &str, cover: &Cover, charts: &[Chart]) -> Result<Written, RenderError> {
        self.finish_about(Some(About { title, cover, charts }))
    }

    fn finish_about(mut self, about: Option<About<'_>>) -> Result<Written, RenderError> {
        let warnings = self.end_rows()?;
        let parts = package::Package {
            file: self.file,
            sheets: self.finished,
            styles: self.styles,
            headers: self.headers,
            choices: self.choices,
            about,
        };
        let written = parts.write(self.sink, self.rows as u64)?;
        Ok(Written { warnings, ..written })
    }
}

/// The columns of a batch whose types have all a form.
fn columns(arrays: &[ArrayRef]) -> Vec<SheetColumn<'_>> {
    arrays.iter().filter_map(|array| SheetColumn::new(array.as_ref())).collect()
}

/// The headers, as a table can have them: on one line, not empty, of at most 255 characters, and no two alike.
fn headers(columns: &[ColumnFormat], options: XlsxOptions) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut headers = Vec::with_capacity(columns.len());
    for (number, column) in (1..).zip(columns) {
        let text = match options.header {
            Header::Names => &column.name,
            Header::Labels => &column.label,
        };
        let line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        let line: String = line.take(HEADER_CHARS_MAX).collect();
        let line = if line.trim().is_empty() { format!("Column {number}") } else { line };
        let (mut header, mut copy) = (line.clone(), 1);
        while !taken.insert(header.to_lowercase()) {
            copy += 1;
            header = format!("{line} ({copy})");
        }
        headers.push(header);
    }
    headers
}

fn temporary(error: std::io::Error) -> RenderError {
    RenderError::Encoding(format!("a temporary file could not be written: {error}").into())
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn columns_have_letters() {
        let places = [0, 25, 26, 51, 52, 701, 702, 16_383];
        assert_eq!(places.map(letters), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"]);
    }

    #[test]
    fn no_two_headers_are_alike() {
        let column = |name: &str| ColumnFormat { name: name.to_owned(), label: String::new() };
        let columns = ["firstName", "firstname", "FIRSTNAME", "a\r\nb", " "].map(column);
        let expected = ["firstName", "firstname (2)", "FIRSTNAME (3)", "a  b", "Column 5"];
        assert_eq!(headers(&columns, XlsxOptions::default()), expected);
    }

    /// Rows of some sheets that end because of their bytes, not at the end of a job.
    #[test]
    fn sheets_that_are_too_large_end_at_the_same_row_on_any_number_of_threads() {
        let texts = (0..3_000).map(|row| format!("text {row}"));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let batch = RecordBatch::try_from_iter([("a", texts)]).expect("a batch");
        let write = |threads: usize, batches: &[RecordBatch]| {
            let columns = vec![ColumnFormat { name: "a".to_owned(), label: "A".to_owned() }];
            let mut out = Vec::new();
            let writer = XlsxWriter::new(&mut out, columns, XlsxOptions::default(), &std::env::temp_dir())
                .expect("begun");
            let mut writer = Box::new(writer.on_threads(threads));
            // A row has 48 and some 9 bytes, so a sheet has some 700 rows.
            writer.sheet_bytes_max = 40_000;
            for batch in batches {
                writer.write(batch).expect("written");
            }
            let written = writer.finish().expect("finished");
            assert_eq!((written.rows, written.warnings.len()), (3_000, 1), "{:?}", written.warnings);
            out
        };
        let one = write(1, std::slice::from_ref(&batch));
        assert!(one == write(2, std::slice::from_ref(&batch)));
        assert!(one == write(4, &[batch.slice(0, 1_234), batch.slice(1_234, 1_766)]));
    }
}
