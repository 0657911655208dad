//! The report's table: rows onto pages, each page written when it is full.
//!
//! Invariant: a row is on one page. Cells are cut to a number of lines that fits any page.

use std::borrow::Cow;
use std::io::Write;

use pdf_writer::Rect;

use super::cell;
use super::columns::Fitted;
use super::document::{Document, Part, TABLE};
use super::error::PdfError;
use super::faces::Weight;
use super::glyphs::{Line, advance};
use super::page::{Align, Kid, Parent, Role, Sheet};
use super::style::{
    ACCENT, BOTTOM, CELL_ABOVE, CELL_SIDE, FOOTER, HEAD, HEADER_BASELINE, INK, MARGIN, MUTED, RULE, SMALL,
    STRONG_RULE, TOP,
};
use super::typeset::printable;

/// Distance of baselines, in sizes of the text.
const LEADING: f32 = 1.25;
/// Distance of the first baseline from the upper edge of the text, in sizes of the text.
const ASCENT: f32 = 0.95;
/// How many times as many lines a text may have as a list of values: its end may be what tells it from others.
const TEXT_LINES: usize = 3;
/// Pages under one body of the table: a list of a few thousand rows is held until it is written.
const BODY_PAGES: usize = 64;
/// The name of the form with the header that is repeated.
const HEAD_FORM: &str = "Head";
/// Size of the heading above the table.
const HEADING: f32 = 13.0;

/// A column as it is drawn.
struct TableColumn {
    label: String,
    lines: Vec<Line>,
    left: f32,
    width: f32,
    list: bool,
    align: Align,
}

/// What is known of a column from its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnKind {
    pub(super) list: bool,
    pub(super) number: bool,
}

/// The table being written.
pub(super) struct Table {
    columns: Vec<TableColumn>,
    size: f32,
    head_height: f32,
    lines_max: usize,
    text_lines_max: usize,
    /// The place of its body among the document's open elements; there is none before the first row.
    body: Option<usize>,
    sheet: Sheet,
    y: f32,
    page: usize,
    /// Cells in which a character is replaced.
    cells_replaced: u64,
}

impl Table {
    /// A table with the columns' labels, kinds and widths. The first page begins.
    pub(super) fn new<W: Write>(
        document: &mut Document<W>,
        labels: &[String],
        kinds: &[ColumnKind],
        fitted: &Fitted,
        lines_max: usize,
    ) -> Result<Self, PdfError> {
        let mut left = MARGIN;
        let mut columns = Vec::with_capacity(labels.len());
        let size = fitted.size;
        for ((label, kind), width) in labels.iter().zip(kinds).zip(&fitted.widths) {
            let label = printable(label).into_owned();
            let lines = document.setter.set(&label, Weight::Bold, inner(*width, size));
            let align = if kind.number { Align::Right } else { Align::Left };
            columns.push(TableColumn { label, lines, left, width: *width, list: kind.list, align });
            left += width;
        }
        let tallest = columns.iter().map(|column| column.lines.len()).max().unwrap_or(1).max(1);
        let head_height = height(tallest, size) + 2.0;
        let (_, page_height) = document.size();
        // A row fits on a page whose header is as tall as it is.
        let room = page_height - TOP - BOTTOM - head_height - HEADING * 2.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of lines")]
        let fits = ((room - 2.0 * CELL_ABOVE) / (size * LEADING)).floor().max(1.0) as usize;
        let mut table = Self {
            columns,
            size,
            head_height,
            lines_max: lines_max.clamp(1, fits),
            text_lines_max: (TEXT_LINES * lines_max).clamp(1, fits),
            body: None,
            sheet: Sheet::new(page_height),
            y: TOP,
            page: 0,
            cells_replaced: 0,
        };
        table.write_head_form(document)?;
        table.begin_page(document)?;
        Ok(table)
    }

    /// Adds a row, one text for each column.
    pub(super) fn row<'a, W: Write>(
        &mut self,
        document: &mut Document<W>,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<(), PdfError> {
        let cells: Vec<(Cow<'a, str>, Vec<Line>)> = texts
            .zip(&self.columns)
            .map(|(text, column)| {
                let width = inner(column.width, self.size);
                let lines_max = if column.list { self.lines_max } else { self.text_lines_max };
                cell::set(&mut document.setter, text, column.list, width, lines_max)
            })
            .collect();
        let tallest = cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or(1).max(1);
        let height = height(tallest, self.size);
        let (page_width, page_height) = document.size();
        if self.y + height > page_height - BOTTOM {
            self.end_page(document)?;
            self.begin_page(document)?;
        }
        let body = match self.body {
            Some(body) => body,
            None => self.begin_table(document),
        };
        let row = self.sheet.element(Role::Row, Parent::Open(body));
        for ((text, lines), column) in cells.iter().zip(&self.columns) {
            if lines.is_empty() {
                self.sheet.elements[row].kids.push(Kid::EmptyCell);
                continue;
            }
            let element = self.sheet.element(Role::Cell, Parent::Here(row));
            document.setter.replaces = false;
            self.sheet.begin(element);
            self.sheet.lines(
                &mut document.setter,
                text,
                lines,
                self.size,
                column.left + CELL_SIDE * self.size,
                column.width - 2.0 * CELL_SIDE * self.size,
                self.y + CELL_ABOVE + self.size * ASCENT,
                self.size * LEADING,
                column.align,
                INK,
            );
            self.sheet.end();
            self.cells_replaced += u64::from(document.setter.replaces);
        }
        self.y += height;
        self.sheet.begin_decoration();
        self.sheet.line((MARGIN, self.y), (page_width - MARGIN, self.y), RULE, 0.4);
        self.sheet.end();
        Ok(())
    }

    /// In how many cells a character was replaced since this was last asked.
    pub(super) fn take_cells_replaced(&mut self) -> u64 {
        std::mem::take(&mut self.cells_replaced)
    }

    /// Writes the last page.
    pub(super) fn finish<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        if self.body.is_none() {
            let paragraph = self.sheet.element(Role::P, Parent::Open(TABLE));
            let text = "There are no rows.";
            let lines = document.setter.set(text, Weight::Regular, f32::INFINITY);
            self.sheet.begin(paragraph);
            let at = (MARGIN, self.y + 16.0);
            self.sheet.text(&mut document.setter, text, &lines[0], 9.0, at, INK);
            self.sheet.end();
        }
        self.end_page(document)
    }

    /// The header that every page but the first draws, as a form.
    fn write_head_form<W: Write>(&self, document: &mut Document<W>) -> Result<(), PdfError> {
        let (page_width, _) = document.size();
        let mut sheet = Sheet::new(0.0);
        self.draw_head(&mut sheet, document, 0.0, None);
        let bounds = Rect::new(0.0, -self.head_height - 1.0, page_width, 1.0);
        document.form(HEAD_FORM, bounds, &sheet.content)
    }

    /// Draws the header row; tagged below `row`, where there is one.
    fn draw_head<W: Write>(
        &self,
        sheet: &mut Sheet,
        document: &mut Document<W>,
        top: f32,
        row: Option<usize>,
    ) {
        let (page_width, _) = document.size();
        let decorated = row.is_some();
        if decorated {
            sheet.begin_decoration();
        }
        sheet.rectangle(MARGIN, top, page_width - 2.0 * MARGIN, self.head_height, HEAD);
        let bottom = top + self.head_height;
        sheet.line((MARGIN, bottom), (page_width - MARGIN, bottom), STRONG_RULE, 0.8);
        if decorated {
            sheet.end();
        }
        for column in &self.columns {
            if let Some(row) = row {
                let element = sheet.element(Role::ColumnHeader, Parent::Here(row));
                sheet.begin(element);
            }
            sheet.lines(
                &mut document.setter,
                &column.label,
                &column.lines,
                self.size,
                column.left + CELL_SIDE * self.size,
                column.width - 2.0 * CELL_SIDE * self.size,
                top + CELL_ABOVE + 1.0 + self.size * ASCENT,
                self.size * LEADING,
                column.align,
                ACCENT,
            );
            if decorated {
                sheet.end();
            }
        }
    }

    fn begin_page<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        let max = document.settings.pages_max;
        if self.page >= max as usize {
            return Err(PdfError::TooManyPages { max });
        }
        self.page += 1;
        let (_, page_height) = document.size();
        self.sheet = Sheet::new(page_height);
        self.y = TOP;
        if self.page == 1 {
            let heading = self.sheet.element(Role::H2, Parent::Open(TABLE));
            let lines = document.setter.set("Rows", Weight::Bold, f32::INFINITY);
            self.sheet.begin(heading);
            self.y += HEADING;
            let at = (MARGIN, self.y - 1.0);
            self.sheet.text(&mut document.setter, "Rows", &lines[0], HEADING, at, ACCENT);
            self.sheet.end();
            self.y += HEADING * 0.5;
        } else if let Some(body) = self.body {
            self.sheet.begin_furniture();
            self.sheet.form(HEAD_FORM, (0.0, self.y));
            self.sheet.end();
            self.y += self.head_height;
            if self.page.is_multiple_of(BODY_PAGES) {
                document.turn(body)?;
            }
        }
        Ok(())
    }

    /// The table begins, with its one tagged header; the place of its body.
    fn begin_table<W: Write>(&mut self, document: &mut Document<W>) -> usize {
        let mut sheet = std::mem::take(&mut self.sheet);
        let table = document.open_on(&sheet, "Table", TABLE);
        let head = document.open("THead", Some(table));
        let row = sheet.element(Role::Row, Parent::Open(head));
        self.draw_head(&mut sheet, document, self.y, Some(row));
        self.y += self.head_height;
        let body = document.open("TBody", Some(table));
        self.body = Some(body);
        self.sheet = sheet;
        body
    }

    fn end_page<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        furniture(document, &mut self.sheet, Part::Table, self.page);
        let page = document.finish_page(Part::Table, &self.sheet)?;
        if self.page == 1 {
            document.bookmark("Rows", Part::Table, page);
        }
        Ok(())
    }
}

/// The lines at the top and bottom of a page.
pub(super) fn furniture<W: Write>(document: &mut Document<W>, sheet: &mut Sheet, part: Part, page: usize) {
    let (page_width, page_height) = document.size();
    let foot = page_height - FOOTER;
    let counted = match part {
        Part::Cover => format!("Cover page {page} of "),
        Part::Table => format!("Page {page} of "),
    };
    let title = printable(&document.settings.title).into_owned();
    let subtitle = printable(&document.settings.subtitle).into_owned();
    let footer = printable(&document.settings.footer).into_owned();
    let setter = &mut document.setter;
    sheet.begin_furniture();
    let room = (page_width - 2.0 * MARGIN) / SMALL * 1000.0;
    let mut put = |sheet: &mut Sheet, text: &str, weight, right: bool, y: f32| {
        let lines = setter.set(text, weight, room * 0.6);
        let Some(line) = lines.first() else { return 0.0 };
        let width = line.width * SMALL / 1000.0;
        let x = if right { page_width - MARGIN - width } else { MARGIN };
        let colour = if weight == Weight::Bold { ACCENT } else { MUTED };
        sheet.text(setter, text, line, SMALL, (x, y), colour);
        advance(&line.glyphs) * SMALL / 1000.0
    };
    if part == Part::Table || page > 1 {
        put(sheet, &title, Weight::Bold, false, HEADER_BASELINE);
        put(sheet, &subtitle, Weight::Regular, true, HEADER_BASELINE);
    }
    put(sheet, &footer, Weight::Regular, true, foot);
    let width = put(sheet, &counted, Weight::Regular, false, foot);
    sheet.form(part.total(), (MARGIN + width, foot));
    sheet.end();
}

/// The width of a cell's text, in thousandths of its size.
fn inner(width: f32, size: f32) -> f32 {
    (width / size - 2.0 * CELL_SIDE) * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "some tens of lines")]
fn height(lines: usize, size: f32) -> f32 {
    lines as f32 * size * LEADING + 2.0 * CELL_ABOVE
}
