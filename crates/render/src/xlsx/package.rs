//! The file around the rows: a library writes a workbook with the same sheets, widths and styles, but without rows; the
//! compressed rows are put into its sheets.
//!
//! The library keeps a record of every cell of a table. So it is given tables of one row, and their ranges are corrected in
//! what it wrote.

use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};

use rust_xlsxwriter::{
    DataValidation, DocProperties, ExcelDateTime, Format, Table, TableColumn, TableStyle, Workbook,
    Worksheet, XlsxError,
};

use crate::container::Container;
use crate::deflate::{Deflate, Sum};
use crate::file::{RenderError, Written};

use super::about::About;

/// How hard the rows are compressed. The usual 6 takes twice as long for a file that is a fiftieth smaller.
pub(super) const EFFORT: u32 = 4;
const SHEET_NAME: &str = "Rows";
const PERMISSIONS: u32 = 0o600;
/// Where a sheet has its rows.
const ROWS_BEGIN: &str = "<sheetData>";
const ROWS_END: &str = "</sheetData>";

/// The styles of cells besides that of the header, which has number 1, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Styles(Vec<Style>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Time,
    Date,
}

impl Styles {
    /// The number of the style of times.
    pub(super) fn time(&mut self) -> u32 {
        self.number(Style::Time)
    }

    /// The number of the style of dates.
    pub(super) fn date(&mut self) -> u32 {
        self.number(Style::Date)
    }

    fn number(&mut self, style: Style) -> u32 {
        let known = self.0.iter().position(|other| *other == style);
        let place = known.unwrap_or_else(|| {
            self.0.push(style);
            self.0.len() - 1
        });
        // There are two.
        place as u32 + 2
    }
}

/// A sheet whose rows are written.
pub(super) struct FinishedSheet {
    /// Its rows, compressed, in the order of the sheets.
    pub(super) rows: Sum,
    /// Rows, the header counted, and the last of them that has a cell, counted from 0.
    pub(super) count: u32,
    pub(super) last: Option<u32>,
    /// The width of each column, in characters.
    pub(super) widths: Vec<usize>,
}

/// Everything that the file is made of.
pub(super) struct Package<'a> {
    /// The compressed rows of all sheets.
    pub(super) file: File,
    pub(super) sheets: Vec<FinishedSheet>,
    pub(super) styles: Styles,
    /// The headers of the columns, no two of them alike.
    pub(super) headers: Vec<String>,
    /// A column, counted from 0, and the texts that its cells may have.
    pub(super) choices: Option<(usize, &'static [&'static str])>,
    /// What the sheets around the rows show; without it, there are none.
    pub(super) about: Option<About<'a>>,
}

impl Package<'_> {
    /// Writes the file.
    pub(super) fn write<W: Write>(mut self, sink: W, rows: u64) -> Result<Written, RenderError> {
        let workbook = self.without_rows().map_err(xlsx_error)?;
        let mut members = zip::ZipArchive::new(Cursor::new(workbook)).map_err(std::io::Error::from)?;
        let mut container = Container::new(sink, PERMISSIONS);
        let mut deflate = Deflate::new(EFFORT, 1);
        let temporary = |error| RenderError::Encoding(Box::new(error));
        self.file.rewind().map_err(temporary)?;
        for index in 0..members.len() {
            let mut content = String::new();
            let mut member = members.by_index(index).map_err(std::io::Error::from)?;
            let name = member.name().map_err(std::io::Error::from)?.into_owned();
            member.read_to_string(&mut content)?;
            let sheet = number_of(&name, "xl/worksheets/sheet")
                .and_then(|number| self.sheets.get(self.place(number)?));
            if let Some(table) =
                number_of(&name, "xl/tables/table").and_then(|number| self.sheets.get(number))
            {
                content = content.replace(&self.range(1), &self.range(table.table_rows()));
            }
            let (begin, end) = match (sheet, content.find(ROWS_BEGIN), content.find(ROWS_END)) {
                (Some(_), Some(begin), Some(end)) => (begin + ROWS_BEGIN.len(), end),
                _ => (content.len(), content.len()),
            };
            let (mut before, mut after) = (Vec::new(), Vec::new());
            deflate.write(&content.as_bytes()[..begin], &mut before)?;
            let mut sum = Sum::default();
            if let Some(sheet) = sheet {
                sum.add(&deflate.flush(&mut before)?);
                sum.add(&sheet.rows);
                deflate.write(&content.as_bytes()[end..], &mut after)?;
            }
            sum.add(&deflate.end(&mut after)?);
            container.begin_known(&name, &sum)?;
            container.sink().write_all(&before)?;
            if let Some(sheet) = sheet {
                let mut rest = (&self.file).take(sheet.rows.bytes);
                let copied = std::io::copy(&mut rest, container.sink())?;
                assert_eq!(copied, sheet.rows.bytes, "the temporary file has what was written to it");
            }
            container.sink().write_all(&after)?;
        }
        Ok(container.finish(rows)?)
    }

    /// The place of a sheet of rows, by the place of the sheet in the file.
    fn place(&self, sheet: usize) -> Option<usize> {
        // The summary comes first.
        if self.about.is_some() { sheet.checked_sub(1) } else { Some(sheet) }
    }

    /// The range of a table with so many rows below its header, as an attribute.
    fn range(&self, rows: u32) -> String {
        format!("ref=\"A1:{}{}\"", letters(self.headers.len().saturating_sub(1)), rows + 1)
    }

    /// The workbook as the library writes it. A cell at each end of a sheet says how large it is.
    fn without_rows(&self) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let created = ExcelDateTime::from_ymd(1980, 1, 1)?;
        let nothing = || Ok(DocProperties::new().set_creation_datetime(&created));
        workbook.set_properties(&self.about.as_ref().map_or_else(nothing, About::properties)?);
        let header = Format::new().set_bold();
        let formats: Vec<Format> = self.styles.0.iter().map(|style| style.format()).collect();
        // The first sheet says in which order styles have their numbers.
        let number_styles = |sheet: &mut Worksheet| {
            for format in std::iter::once(&header).chain(&formats) {
                sheet.write_number_with_format(0, 0, 0, format)?;
            }
            Ok(())
        };
        if let Some(about) = &self.about {
            workbook.push_worksheet(about.summary(number_styles)?);
        }
        for (number, finished) in (1..).zip(&self.sheets) {
            let mut sheet = Worksheet::new();
            sheet.set_name(if number == 1 {
                SHEET_NAME.to_owned()
            } else {
                format!("{SHEET_NAME} {number}")
            })?;
            sheet.set_freeze_panes(1, 0)?;
            // There are at most 16,384 columns.
            if let Some(last_column) =
                self.headers.len().checked_sub(1).and_then(|last| u16::try_from(last).ok())
            {
                number_styles(&mut sheet)?;
                sheet.write_number(finished.last.unwrap_or(0), last_column, 0)?;
                sheet.add_table(0, 0, 1, last_column, &self.table(number))?;
            }
            if let Some((column, texts)) = self.choices
                && let Ok(column) = u16::try_from(column)
            {
                let offered = DataValidation::new().allow_list_strings(texts)?;
                sheet.add_data_validation(1, column, finished.count.max(2) - 1, column, &offered)?;
            }
            for (width, place) in finished.widths.iter().zip(0_u16..) {
                // At most sixty.
                sheet.set_column_width(place, *width as f64)?;
            }
            workbook.push_worksheet(sheet);
        }
        for sheet in self.about.as_ref().map(About::others).transpose()?.unwrap_or_default() {
            workbook.push_worksheet(sheet);
        }
        workbook.save_to_buffer()
    }

    /// The table of a sheet, with filters.
    fn table(&self, number: u32) -> Table {
        let column = |header: &String| TableColumn::new().set_header(header);
        let columns: Vec<TableColumn> = self.headers.iter().map(column).collect();
        let name = if number == 1 { SHEET_NAME.to_owned() } else { format!("{SHEET_NAME}{number}") };
        Table::new().set_name(name).set_columns(&columns).set_style(TableStyle::Light1)
    }
}

impl FinishedSheet {
    /// Rows of its table below the header. A table has at least one.
    fn table_rows(&self) -> u32 {
        (self.count - 1).max(1)
    }
}

impl Style {
    fn format(self) -> Format {
        Format::new().set_num_format(match self {
            Self::Time => "yyyy-mm-dd hh:mm:ss",
            Self::Date => "yyyy-mm-dd",
        })
    }
}

/// The number in the name of a member of the file that begins like this, counted from 0.
fn number_of(name: &str, begin: &str) -> Option<usize> {
    let number: usize = name.strip_prefix(begin)?.strip_suffix(".xml")?.parse().ok()?;
    number.checked_sub(1)
}

/// The letters of a column, counted from 0: `A` to `Z`, `AA` and so on.
pub(super) fn letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        // The remainder is below 26.
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.into_iter().rev().map(char::from).collect()
}

/// The error of a sink stays that error.
fn xlsx_error(error: XlsxError) -> RenderError {
    if let XlsxError::IoError(error) = error {
        return RenderError::Sink(error);
    }
    RenderError::Encoding(Box::new(error))
}
