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
//! [`Written::warnings`]. Each sheet has the header, bold, frozen and with filters; past 1,048,576 rows, or about
//! 2 GiB of content, the next sheet begins, which is reported too.
//!
//! The rows of a sheet are in a temporary file until the end, in a folder that the caller names. The library panics if
//! that folder is full. The panic is caught and becomes an error, after which the writer is broken.

mod cells;

use std::io::Write;
use std::path::Path;

use arrow::record_batch::RecordBatch;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::csv::Header;
use crate::file::{
    ColumnFormat, Digested, FileWriter, RenderError, UpToError, Written, check_columns, unpack,
};
use cells::{Cell, SheetColumn};

/// Most rows of a sheet, including the header.
const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Bytes of content after which a sheet ends. A member of the file may have 4 GiB; the rest is for markup.
const SHEET_BYTES: usize = 2 << 30;
/// Approximate bytes of the markup of a cell.
const CELL_BYTES: usize = 48;
/// Rows whose content decides the widths of the columns.
const SAMPLE_ROWS: u64 = 200;
const WIDTH_MIN: usize = 8;
/// Widest column, in characters.
const WIDTH_MAX: usize = 60;
const SHEET_NAME: &str = "Rows";

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
pub struct XlsxWriter<W: Write + Send> {
    sink: W,
    columns: Vec<ColumnFormat>,
    options: XlsxOptions,
    workbook: Workbook,
    formats: Formats,
    sheet: Worksheet,
    /// Rows and bytes of the present sheet, the header counted.
    sheet_rows: u32,
    sheet_bytes: usize,
    sheets: usize,
    widths: Vec<usize>,
    cut: Vec<u64>,
    rows: u64,
    broken: bool,
}

struct Formats {
    header: Format,
    time: Format,
    date: Format,
}

impl<W: Write + Send> XlsxWriter<W> {
    /// Begins a spreadsheet whose temporary files are in `folder`.
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
        let mut workbook = Workbook::new();
        let created = ExcelDateTime::from_ymd(1980, 1, 1).map_err(xlsx_error)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
        workbook.set_tempdir(folder).map_err(xlsx_error)?;
        let title = |column: &ColumnFormat| match options.header {
            Header::Names => display_width(&column.name),
            Header::Labels => display_width(&column.label),
        };
        // Room for the filter's button.
        let widths = columns.iter().map(|column| title(column) + 3).collect();
        let mut writer = Self {
            sink,
            sheet: workbook.new_worksheet_with_constant_memory().map_err(xlsx_error)?,
            cut: vec![0; columns.len()],
            columns,
            options,
            workbook,
            formats: Formats {
                header: Format::new().set_bold(),
                time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
                date: Format::new().set_num_format("yyyy-mm-dd"),
            },
            sheet_rows: 0,
            sheet_bytes: 0,
            sheets: 1,
            widths,
            rows: 0,
            broken: false,
        };
        writer.write_header()?;
        Ok(writer)
    }

    fn write_header(&mut self) -> Result<(), RenderError> {
        let name =
            if self.sheets == 1 { SHEET_NAME.to_owned() } else { format!("{SHEET_NAME} {}", self.sheets) };
        self.sheet.set_name(name).map_err(xlsx_error)?;
        for (column, place) in self.columns.iter().zip(0_u16..) {
            let title = match self.options.header {
                Header::Names => &column.name,
                Header::Labels => &column.label,
            };
            let title = cells::fit(title).0;
            self.sheet.write_string_with_format(0, place, title, &self.formats.header).map_err(xlsx_error)?;
        }
        (self.sheet_rows, self.sheet_bytes) = (1, 0);
        Ok(())
    }

    /// Hands the present sheet to the workbook.
    fn end_sheet(&mut self, next: Worksheet) -> Result<(), RenderError> {
        let mut sheet = std::mem::replace(&mut self.sheet, next);
        sheet.set_freeze_panes(1, 0).map_err(xlsx_error)?;
        if let Some(last) = self.columns.len().checked_sub(1) {
            let last = u16::try_from(last).expect("the header was written");
            sheet.autofilter(0, 0, self.sheet_rows - 1, last).map_err(xlsx_error)?;
        }
        for (width, place) in self.widths.iter().zip(0_u16..) {
            // At most sixty.
            let width = (*width).clamp(WIDTH_MIN, WIDTH_MAX) as f64;
            sheet.set_column_width(place, width).map_err(xlsx_error)?;
        }
        self.workbook.push_worksheet(sheet);
        Ok(())
    }

    fn write_row(&mut self, columns: &[SheetColumn<'_>], row: usize) -> Result<(), RenderError> {
        let rows_max = self.options.sheet_rows_max.clamp(1, SHEET_ROWS_MAX - 1);
        if self.sheet_rows > rows_max || self.sheet_bytes > SHEET_BYTES {
            let next = self.workbook.new_worksheet_with_constant_memory().map_err(xlsx_error)?;
            self.end_sheet(next)?;
            self.sheets += 1;
            self.write_header()?;
        }
        let (place, formats, sample) = (self.sheet_rows, &self.formats, self.rows < SAMPLE_ROWS);
        for (index, (column, to)) in columns.iter().zip(0_u16..).enumerate() {
            let mut width = 0;
            match column.cell(row) {
                Cell::Empty => continue,
                Cell::Text(text) => {
                    let (text, cut) = cells::fit(&text);
                    self.cut[index] += u64::from(cut);
                    self.sheet_bytes += text.len();
                    if sample {
                        width = display_width(&text);
                    }
                    self.sheet.write_string(place, to, text)
                }
                Cell::Number(number) => {
                    if sample {
                        width = number.to_string().len();
                    }
                    self.sheet.write_number(place, to, number)
                }
                Cell::Boolean(value) => self.sheet.write_boolean(place, to, value),
                Cell::Time(days) => {
                    width = "2000-01-01 00:00:00".len();
                    self.sheet.write_number_with_format(place, to, days, &formats.time)
                }
                Cell::Date(days) => {
                    width = "2000-01-01".len();
                    self.sheet.write_number_with_format(place, to, days, &formats.date)
                }
            }
            .map_err(xlsx_error)?;
            self.sheet_bytes += CELL_BYTES;
            self.widths[index] = self.widths[index].max(width + 1);
        }
        self.sheet_rows += 1;
        self.rows += 1;
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.sheets > 1 {
            let sheets = self.sheets;
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

impl<W: Write + Send> FileWriter for XlsxWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.broken = true;
        check_columns(&self.columns, batch)?;
        caught(|| self.write_rows(batch))?;
        self.broken = false;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        caught(|| self.save())
    }
}

impl<W: Write + Send> XlsxWriter<W> {
    fn write_rows(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        let arrays = unpack(batch)?;
        let mut columns = Vec::with_capacity(arrays.len());
        for (format, array) in self.columns.iter().zip(&arrays) {
            let unsupported = || RenderError::Unsupported {
                column: format.name.clone(),
                data_type: array.data_type().clone(),
            };
            columns.push(SheetColumn::new(array.as_ref()).ok_or_else(unsupported)?);
        }
        for row in 0..batch.num_rows() {
            self.write_row(&columns, row)?;
        }
        Ok(())
    }

    fn save(mut self) -> Result<Written, RenderError> {
        self.end_sheet(Worksheet::new())?;
        let warnings = self.warnings();
        let mut sink = UpToError::new(Digested::new(self.sink));
        let saved = self.workbook.save_to_writer(&mut sink).map_err(xlsx_error);
        sink.tell_apart(saved)?;
        sink.sink.flush()?;
        Ok(Written { warnings, ..sink.sink.written(self.rows) })
    }
}

/// Columns of a fixed-width display that a text takes, about: wide scripts take two a letter.
fn display_width(text: &str) -> usize {
    let lines = text.lines().map(|line| {
        line.chars().take(WIDTH_MAX).map(|letter| if letter >= '\u{1100}' { 2 } else { 1 }).sum::<usize>()
    });
    lines.max().unwrap_or(0)
}

/// Turns the library's panic over a temporary file into an error. The work is abandoned, so nothing half done is used.
fn caught<T>(work: impl FnOnce() -> Result<T, RenderError>) -> Result<T, RenderError> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(RenderError::Encoding(format!("a temporary file could not be written: {text}").into()))
    })
}

/// The error of a sink stays that error.
fn xlsx_error(error: XlsxError) -> RenderError {
    if let XlsxError::IoError(error) | XlsxError::TempFileError(_, error) = error {
        return RenderError::Sink(error);
    }
    RenderError::Encoding(Box::new(error))
}
