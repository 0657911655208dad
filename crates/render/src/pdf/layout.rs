//! How the table's rows are set and drawn: everything of a page that no other page changes.
//!
//! A thread sets rows and draws pages with fonts of its own ([`PageTools`]), which are those in the program. What needs
//! another font, or a glyph that has no number yet, is done again by the writer, in the order of the rows.

use std::ops::Range;
use std::sync::Arc;

use super::cell;
use super::columns::Fitted;
use super::compose::{PageNumbers, PageObjects, compose};
use super::document::Part;
use super::faces::Weight;
use super::fonts::FontSet;
use super::glyphs::{Line, advance};
use super::objects::Deflater;
use super::page::{Align, Kid, Parent, Role, Sheet};
use super::settings::PdfSettings;
use super::style::{
    ACCENT, BOTTOM, CELL_ABOVE, CELL_SIDE, FOOTER, HEAD, HEADER_BASELINE, INK, MARGIN, MUTED, RULE, SMALL,
    STRONG_RULE, TOP,
};
use super::texts::Texts;
use super::typeset::{Typesetter, printable};
use super::usage::Usage;

/// Distance of baselines, in sizes of the text.
const LEADING: f32 = 1.25;
/// Distance of the first baseline from the upper edge of the text, in sizes of the text.
const ASCENT: f32 = 0.95;
/// How many times as many lines a text may have as a list of values: its end may be what tells it from others.
const TEXT_LINES: usize = 3;
/// The name of the form with the header that is repeated.
pub(super) const HEAD_FORM: &str = "Head";
/// Size of the heading above the table.
pub(super) const HEADING: f32 = 13.0;

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

/// How the table is set and drawn. It is the same for all of its pages.
pub(super) struct TableLayout {
    columns: Vec<TableColumn>,
    size: f32,
    pub(super) head_height: f32,
    lines_max: usize,
    text_lines_max: usize,
    settings: Arc<PdfSettings>,
}

/// What one thread sets and draws with.
pub(super) struct PageTools {
    pub(super) setter: Typesetter,
    deflater: Deflater,
}

impl PageTools {
    pub(super) fn new() -> Self {
        Self { setter: Typesetter::new(FontSet::bundled()), deflater: Deflater::new() }
    }
}

/// Rows on lines.
pub(super) struct SetRows {
    texts: Texts,
    pub(super) rows: Vec<SetRow>,
}

/// One row on lines.
pub(super) struct SetRow {
    cells: Vec<SetCell>,
    /// Lines of its tallest cell, at least one.
    tallest: usize,
    /// Its elements: itself, and the cells that are not empty.
    pub(super) elements: usize,
    /// Whether its characters are all in the fonts of the program, so that any thread can set and draw it.
    pub(super) anywhere: bool,
}

struct SetCell {
    /// The text, where it is not the one that was given.
    own: Option<String>,
    lines: Vec<Line>,
}

impl SetRows {
    /// The text of a row, to be set again.
    pub(super) fn texts_of(&self, row: usize) -> Texts {
        let count = self.rows[row].cells.len();
        self.texts.part(row * count..(row + 1) * count)
    }
}

/// Rows that are drawn one below the other.
pub(super) type Piece = (Arc<SetRows>, Range<usize>);

/// A page of the table after the first.
pub(super) struct PagePlan {
    /// Its number among the table's pages, from 1 on.
    pub(super) number: usize,
    pub(super) pieces: Vec<Piece>,
    /// Whether any thread can draw its rows.
    pub(super) anywhere: bool,
    /// The place of the table's body among the elements that continue over pages, and its number.
    pub(super) body: usize,
    pub(super) body_number: u32,
    pub(super) numbers: PageNumbers,
}

impl TableLayout {
    /// The layout for columns with these labels, kinds and widths.
    pub(super) fn new(
        setter: &mut Typesetter,
        settings: Arc<PdfSettings>,
        labels: &[String],
        kinds: &[ColumnKind],
        fitted: &Fitted,
    ) -> Self {
        let mut left = MARGIN;
        let mut columns = Vec::with_capacity(labels.len());
        let size = fitted.size;
        for ((label, kind), width) in labels.iter().zip(kinds).zip(&fitted.widths) {
            let label = printable(label).into_owned();
            let lines = setter.set(&label, Weight::Bold, inner(*width, size));
            let align = if kind.number { Align::Right } else { Align::Left };
            columns.push(TableColumn { label, lines, left, width: *width, list: kind.list, align });
            left += width;
        }
        let tallest = columns.iter().map(|column| column.lines.len()).max().unwrap_or(1).max(1);
        let head_height = height(tallest, size) + 2.0;
        let (_, page_height) = settings.paper.landscape();
        // A row fits on a page whose header is as tall as it is.
        let room = page_height - TOP - BOTTOM - head_height - HEADING * 2.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of lines")]
        let fits = ((room - 2.0 * CELL_ABOVE) / (size * LEADING)).floor().max(1.0) as usize;
        let lines_max = settings.cell_lines_max as usize;
        Self {
            columns,
            size,
            head_height,
            lines_max: lines_max.clamp(1, fits),
            text_lines_max: (TEXT_LINES * lines_max).clamp(1, fits),
            settings,
        }
    }

    /// The number of columns.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The height of a row.
    pub(super) fn row_height(&self, row: &SetRow) -> f32 {
        height(row.tallest, self.size)
    }

    /// Sets rows on lines.
    pub(super) fn set(&self, setter: &mut Typesetter, texts: Texts) -> SetRows {
        let count = self.columns.len().max(1);
        let mut rows = Vec::with_capacity(texts.len() / count);
        for row in 0..texts.len() / count {
            setter.faces.lacks_characters = false;
            let mut cells = Vec::with_capacity(count);
            for (place, column) in self.columns.iter().enumerate() {
                let width = inner(column.width, self.size);
                let lines_max = if column.list { self.lines_max } else { self.text_lines_max };
                let text = texts.cell(row * count + place);
                let (text, lines) = cell::set(setter, text, column.list, width, lines_max);
                let own = match text {
                    std::borrow::Cow::Borrowed(_) => None,
                    std::borrow::Cow::Owned(text) => Some(text),
                };
                cells.push(SetCell { own, lines });
            }
            let tallest = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(1).max(1);
            let elements = 1 + cells.iter().filter(|cell| !cell.lines.is_empty()).count();
            rows.push(SetRow { cells, tallest, elements, anywhere: !setter.faces.lacks_characters });
        }
        SetRows { texts, rows }
    }

    /// The objects of a page after the first, made with a thread's own tools and these numbers of glyphs. `None` where
    /// these do not suffice: then the writer draws the page, in its turn.
    pub(super) fn make_page(
        &self,
        tools: &mut PageTools,
        glyphs: Vec<Arc<Usage>>,
        plan: &PagePlan,
    ) -> Option<std::io::Result<PageObjects>> {
        tools.setter.fix_numbers(glyphs);
        let (sheet, _) = self.page(&mut tools.setter, plan);
        if tools.setter.lacks() {
            tools.setter.replaced.clear();
            return None;
        }
        Some(self.compose(&mut tools.deflater, &sheet, plan))
    }

    /// The objects of a page that was drawn.
    pub(super) fn compose(
        &self,
        deflater: &mut Deflater,
        sheet: &Sheet,
        plan: &PagePlan,
    ) -> std::io::Result<PageObjects> {
        let size = self.settings.paper.landscape();
        compose(deflater, sheet, &plan.numbers, size, |open| {
            assert_eq!(open, plan.body, "rows are in the body");
            plan.body_number
        })
    }

    /// Draws a page after the first; also says in how many cells a character was replaced.
    pub(super) fn page(&self, setter: &mut Typesetter, plan: &PagePlan) -> (Sheet, u64) {
        let mut sheet = self.begin_page();
        let top = TOP + self.head_height;
        let replaced = self.rows(setter, &mut sheet, top, plan.body, &plan.pieces);
        furniture(setter, &self.settings, &mut sheet, Part::Table, plan.number);
        (sheet, replaced)
    }

    /// A page after the first, with the header.
    pub(super) fn begin_page(&self) -> Sheet {
        let (_, page_height) = self.settings.paper.landscape();
        let mut sheet = Sheet::new(page_height);
        sheet.begin_furniture();
        sheet.form(HEAD_FORM, (0.0, TOP));
        sheet.end();
        sheet
    }

    /// Draws rows, in a body, one below the other; says in how many cells a character was replaced.
    pub(super) fn rows(
        &self,
        setter: &mut Typesetter,
        sheet: &mut Sheet,
        top: f32,
        body: usize,
        pieces: &[Piece],
    ) -> u64 {
        let (page_width, _) = self.settings.paper.landscape();
        let (mut y, mut replaced) = (top, 0);
        let count = self.columns.len();
        let set = pieces.iter().flat_map(|(set, rows)| rows.clone().map(move |row| (set, row)));
        for (set, place) in set {
            let cells = &set.rows[place].cells;
            let row = sheet.element(Role::Row, Parent::Open(body));
            for (index, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
                if cell.lines.is_empty() {
                    sheet.elements[row].kids.push(Kid::EmptyCell);
                    continue;
                }
                let text = cell.own.as_deref().unwrap_or_else(|| set.texts.cell(place * count + index));
                let element = sheet.element(Role::Cell, Parent::Here(row));
                let replaces = std::mem::take(&mut setter.replaces);
                sheet.begin(element);
                sheet.lines(
                    setter,
                    text,
                    &cell.lines,
                    self.size,
                    column.left + CELL_SIDE * self.size,
                    column.width - 2.0 * CELL_SIDE * self.size,
                    y + CELL_ABOVE + self.size * ASCENT,
                    self.size * LEADING,
                    column.align,
                    INK,
                );
                sheet.end();
                replaced += u64::from(setter.replaces);
                setter.replaces |= replaces;
            }
            y += self.row_height(&set.rows[place]);
            sheet.begin_decoration();
            sheet.line((MARGIN, y), (page_width - MARGIN, y), RULE, 0.4);
            sheet.end();
        }
        replaced
    }

    /// Draws the header row; tagged below `row`, where there is one.
    pub(super) fn head(&self, setter: &mut Typesetter, sheet: &mut Sheet, top: f32, row: Option<usize>) {
        let (page_width, _) = self.settings.paper.landscape();
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
                setter,
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
}

/// The lines at the top and bottom of a page.
pub(super) fn furniture(
    setter: &mut Typesetter,
    settings: &PdfSettings,
    sheet: &mut Sheet,
    part: Part,
    page: usize,
) {
    let (page_width, page_height) = settings.paper.landscape();
    let foot = page_height - FOOTER;
    let counted = match part {
        Part::Cover => format!("Cover page {page} of "),
        Part::Table => format!("Page {page} of "),
    };
    let title = printable(&settings.title);
    let subtitle = printable(&settings.subtitle);
    let footer = printable(&settings.footer);
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
