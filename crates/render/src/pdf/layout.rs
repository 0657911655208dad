//! How the table's rows are set and drawn: everything of a page that no other page changes.
//!
//! A thread sets rows and draws pages with fonts of its own ([`PageTools`]), which are those in the program. What needs
//! another font, or a glyph that has no number yet, is done again by the writer, in the order of the rows.
//!
//! A row that is higher than a few lines is set as several slices, which follow one another without a gap. So it may go on
//! on the next page, and no list has to be cut.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::cell;
use super::compose::{PageNumbers, PageObjects, compose};
use super::density::Density;
use super::document::Part;
use super::faces::Weight;
use super::fonts::FontSet;
use super::furniture::furniture;
use super::glyphs::Line;
use super::group::{GroupForm, SetGroup};
use super::objects::Deflater;
use super::page::{Align, Kid, Parent, Role, Sheet};
use super::settings::PdfSettings;
use super::style::{ACCENT, CELL_SIDE, HEAD, INK, MARGIN, MUTED, RULE, STRONG_RULE, TOP};
use super::texts::Texts;
use super::typeset::{Typesetter, printable};
use super::usage::Usage;

/// Distance of the first baseline from the upper edge of the text, in sizes of the text.
const ASCENT: f32 = 0.95;
/// Most lines of a slice, and so of what stays free at the end of a page.
const SLICE_LINES: usize = 8;
/// What the first column says where a row goes on.
const CONTINUED: &str = "(continued)";
/// The name of the form with the header that is repeated.
pub(super) const HEAD_FORM: &str = "Head";

/// A column of the table: its name for people, what is known of it from its type, the place of its texts among those of
/// a row, and its width.
#[derive(Debug, Clone)]
pub(super) struct ColumnForm {
    pub(super) label: String,
    pub(super) kind: ColumnKind,
    pub(super) place: usize,
    pub(super) width: f32,
}

/// What is known of a column from its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ColumnKind {
    pub(super) list: bool,
    pub(super) number: bool,
    pub(super) time: bool,
}

/// What the table looks like.
#[derive(Debug, Clone)]
pub(super) struct TableForm {
    pub(super) columns: Vec<ColumnForm>,
    pub(super) group: Option<GroupForm>,
    /// Texts of a row, those that no column shows counted.
    pub(super) texts: usize,
    pub(super) density: Density,
    /// Width and height of a page.
    pub(super) page: (f32, f32),
}

/// A column as it is drawn.
struct TableColumn {
    label: String,
    lines: Vec<Line>,
    left: f32,
    width: f32,
    place: usize,
    list: bool,
    align: Align,
}

/// How the table is set and drawn. It is the same for all of its pages.
pub(super) struct TableLayout {
    columns: Vec<TableColumn>,
    group: Option<GroupForm>,
    texts: usize,
    density: Density,
    page: (f32, f32),
    pub(super) head_height: f32,
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

/// One row on lines, or a slice of it.
pub(super) struct SetRow {
    /// Its place among the rows of the texts.
    pub(super) source: usize,
    /// Whether it goes on with the row before.
    pub(super) continues: bool,
    /// Whether its last lines are in the next slice.
    goes_on: bool,
    cells: Vec<SetCell>,
    /// Lines of its tallest cell, at least one.
    tallest: usize,
    /// The heading of its group, in a table that is grouped.
    pub(super) group: Option<Arc<SetGroup>>,
    /// Whether its characters are all in the fonts of the program, so that any thread can set and draw it.
    pub(super) anywhere: bool,
}

struct SetCell {
    /// The text, where it is not the one that was given.
    own: Option<Arc<str>>,
    lines: Vec<Line>,
}

impl SetRow {
    /// Its elements where it begins on a page: itself, and the cells that are not empty.
    fn elements(&self) -> usize {
        1 + self.cells.iter().filter(|cell| !cell.lines.is_empty()).count()
    }
}

impl SetRows {
    /// The text of a row, to be set again.
    pub(super) fn texts_of(&self, source: usize, texts: usize) -> Texts {
        self.texts.part(source * texts..(source + 1) * texts)
    }
}

/// What is drawn below one another.
pub(super) enum Piece {
    Rows(Arc<SetRows>, Range<usize>),
    /// The heading of a group, and whether it only repeats one of a page before.
    Group(Arc<SetGroup>, bool),
}

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

/// How many elements each row that is drawn for these pieces has, in order. A slice that follows its row on the same page
/// is part of that row, and has none.
pub(super) fn elements(pieces: &[Piece]) -> Vec<usize> {
    let mut all = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Group(_, again) => all.extend((!again).then_some(2)),
            Piece::Rows(set, rows) => {
                for row in &set.rows[rows.clone()] {
                    if !row.continues || all.is_empty() {
                        all.push(row.elements());
                    }
                }
            }
        }
    }
    all
}

/// Whether any thread can draw these pieces.
pub(super) fn are_drawn_anywhere(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| match piece {
        Piece::Rows(set, rows) => set.rows[rows.clone()].iter().all(|row| row.anywhere),
        // The rows below it are not drawn anywhere either if it is not.
        Piece::Group(..) => true,
    })
}

impl TableLayout {
    /// The layout for a table of this form.
    pub(super) fn new(setter: &mut Typesetter, settings: Arc<PdfSettings>, form: TableForm) -> Self {
        let TableForm { columns: forms, group, texts, density, page } = form;
        let mut left = MARGIN;
        let mut columns = Vec::with_capacity(forms.len());
        for form in forms {
            let label = printable(&form.label).into_owned();
            let lines = setter.set(&label, Weight::Bold, inner(form.width, density.size));
            let align = if form.kind.number { Align::Right } else { Align::Left };
            let (width, place, list) = (form.width, form.place, form.kind.list);
            columns.push(TableColumn { label, lines, left, width, place, list, align });
            left += width;
        }
        let tallest = columns.iter().map(|column| column.lines.len()).max().unwrap_or(1).max(1);
        let head_height = density.height(count(tallest)) + 2.0;
        Self { columns, group, texts: texts.max(1), density, page, head_height, settings }
    }

    /// The width of the table.
    fn width(&self) -> f32 {
        self.page.0 - 2.0 * MARGIN
    }

    /// Texts of a row.
    pub(super) fn texts(&self) -> usize {
        self.texts
    }

    /// The height of a row, or of a slice.
    pub(super) fn row_height(&self, row: &SetRow) -> f32 {
        let above = if row.continues { 0.0 } else { self.density.above };
        let below = if row.goes_on { 0.0 } else { self.density.above };
        count(row.tallest) * self.density.leading + above + below
    }

    /// Sets rows on lines.
    pub(super) fn set(&self, setter: &mut Typesetter, texts: Texts) -> SetRows {
        let count = texts.len() / self.texts;
        let mut rows = Vec::with_capacity(count);
        let mut group: Option<Arc<SetGroup>> = None;
        for row in 0..count {
            let text = |place: usize| texts.cell(row * self.texts + place);
            setter.faces.lacks_characters = false;
            let mut cells = Vec::with_capacity(self.columns.len());
            for column in &self.columns {
                let width = inner(column.width, self.density.size);
                let most =
                    if column.list { self.settings.list_lines_max } else { self.settings.text_lines_max };
                let (shown, lines) =
                    cell::set(setter, text(column.place), column.list, width, most.max(1) as usize);
                let own = match shown {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(text) => Some(text.into()),
                };
                cells.push(SetCell { own, lines });
            }
            let mut anywhere = !setter.faces.lacks_characters;
            if let Some(form) = &self.group {
                let key = text(form.key);
                if group.as_ref().is_none_or(|known| known.key != key) {
                    group = Some(Arc::new(form.set(setter, text, self.width(), self.density)));
                }
                anywhere &= group.as_ref().is_some_and(|group| group.anywhere);
            }
            push_slices(
                &mut rows,
                SetRow {
                    source: row,
                    continues: false,
                    goes_on: false,
                    tallest: 1,
                    cells,
                    group: group.clone(),
                    anywhere,
                },
            );
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
        compose(deflater, sheet, &plan.numbers, self.page, |open| {
            assert_eq!(open, plan.body, "rows are in the body");
            plan.body_number
        })
    }

    /// Draws a page after the first; also says in how many cells a character was replaced.
    pub(super) fn page(&self, setter: &mut Typesetter, plan: &PagePlan) -> (Sheet, u64) {
        let mut sheet = self.begin_page();
        let top = TOP + self.head_height;
        let replaced = self.pieces(setter, &mut sheet, top, plan.body, &plan.pieces);
        furniture(setter, &self.settings, &mut sheet, self.page, Part::Table, plan.number);
        (sheet, replaced)
    }

    /// A page after the first, with the header.
    pub(super) fn begin_page(&self) -> Sheet {
        let mut sheet = Sheet::new(self.page.1);
        sheet.begin_furniture();
        sheet.form(HEAD_FORM, (0.0, TOP));
        sheet.end();
        sheet
    }

    /// Draws rows and headings, in a body, one below the other; says in how many cells a character was replaced.
    pub(super) fn pieces(
        &self,
        setter: &mut Typesetter,
        sheet: &mut Sheet,
        top: f32,
        body: usize,
        pieces: &[Piece],
    ) -> u64 {
        let (mut y, mut replaced) = (top, 0);
        // The row that is being drawn, and the elements of its cells.
        let mut open: Option<Vec<Option<usize>>> = None;
        for piece in pieces {
            match piece {
                Piece::Group(group, again) => {
                    let element = (!again).then(|| {
                        let row = sheet.element(Role::Row, Parent::Open(body));
                        sheet.element(Role::GroupHeader(self.columns.len()), Parent::Here(row))
                    });
                    let replaces = std::mem::take(&mut setter.replaces);
                    group.draw(setter, sheet, y, self.width(), element);
                    replaced += u64::from(setter.replaces && !again);
                    setter.replaces |= replaces;
                    y += group.height;
                }
                Piece::Rows(set, rows) => {
                    for row in &set.rows[rows.clone()] {
                        let is_again = row.continues && open.is_none();
                        let cells = match open.take() {
                            Some(cells) if row.continues => cells,
                            Some(_) | None => open_row(sheet, body, row),
                        };
                        replaced += self.row(setter, sheet, y, set, row, &cells);
                        if is_again && row.cells.first().is_some_and(|cell| cell.lines.is_empty()) {
                            self.continued(setter, sheet, y);
                        }
                        open = Some(cells);
                        y += self.row_height(row);
                        if !row.goes_on {
                            sheet.begin_decoration();
                            sheet.line((MARGIN, y), (self.page.0 - MARGIN, y), RULE, 0.4);
                            sheet.end();
                        }
                    }
                }
            }
        }
        replaced
    }

    /// Draws the cells of a row or slice into their elements; says in how many a character was replaced.
    fn row(
        &self,
        setter: &mut Typesetter,
        sheet: &mut Sheet,
        y: f32,
        set: &SetRows,
        row: &SetRow,
        elements: &[Option<usize>],
    ) -> u64 {
        let mut replaced = 0;
        let above = if row.continues { 0.0 } else { self.density.above };
        for ((cell, column), element) in row.cells.iter().zip(&self.columns).zip(elements) {
            let Some(element) = element.filter(|_| !cell.lines.is_empty()) else { continue };
            let given = || set.texts.cell(row.source * self.texts + column.place);
            let text = cell.own.as_deref().unwrap_or_else(given);
            let replaces = std::mem::take(&mut setter.replaces);
            sheet.begin(element);
            self.cell(setter, sheet, column, y + above, (text, &cell.lines), INK);
            sheet.end();
            replaced += u64::from(setter.replaces);
            setter.replaces |= replaces;
        }
        replaced
    }

    /// Draws lines into a column, from the upper edge of the text on.
    fn cell(
        &self,
        setter: &mut Typesetter,
        sheet: &mut Sheet,
        column: &TableColumn,
        top: f32,
        (text, lines): (&str, &[Line]),
        colour: super::style::Rgb,
    ) {
        let Density { size, leading, .. } = self.density;
        let side = CELL_SIDE * size;
        sheet.lines(
            setter,
            text,
            lines,
            size,
            column.left + side,
            column.width - 2.0 * side,
            top + size * ASCENT,
            leading,
            column.align,
            colour,
        );
    }

    /// Says in the first column that a row goes on.
    fn continued(&self, setter: &mut Typesetter, sheet: &mut Sheet, y: f32) {
        let Some(column) = self.columns.first() else { return };
        let lines = setter.set(CONTINUED, Weight::Regular, inner(column.width, self.density.size));
        sheet.begin_furniture();
        self.cell(setter, sheet, column, y, (CONTINUED, &lines[..1]), MUTED);
        sheet.end();
    }

    /// Draws the header row; tagged below `row`, where there is one.
    pub(super) fn head(&self, setter: &mut Typesetter, sheet: &mut Sheet, top: f32, row: Option<usize>) {
        let right = self.page.0 - MARGIN;
        let decorated = row.is_some();
        if decorated {
            sheet.begin_decoration();
        }
        sheet.rectangle(MARGIN, top, self.width(), self.head_height, HEAD);
        let bottom = top + self.head_height;
        sheet.line((MARGIN, bottom), (right, bottom), STRONG_RULE, 0.8);
        if decorated {
            sheet.end();
        }
        for column in &self.columns {
            if let Some(row) = row {
                let element = sheet.element(Role::ColumnHeader, Parent::Here(row));
                sheet.begin(element);
            }
            let top = top + self.density.above + 1.0;
            self.cell(setter, sheet, column, top, (&column.label, &column.lines), ACCENT);
            if decorated {
                sheet.end();
            }
        }
    }
}

/// The element of a row, and those of its cells that are not empty.
fn open_row(sheet: &mut Sheet, body: usize, row: &SetRow) -> Vec<Option<usize>> {
    let element = sheet.element(Role::Row, Parent::Open(body));
    let cell = |cell: &SetCell| {
        if cell.lines.is_empty() {
            sheet.elements[element].kids.push(Kid::EmptyCell);
            return None;
        }
        Some(sheet.element(Role::Cell, Parent::Here(element)))
    };
    row.cells.iter().map(cell).collect()
}

/// Adds a row, in slices if it is high.
fn push_slices(rows: &mut Vec<SetRow>, whole: SetRow) {
    let tallest = |cells: &[SetCell]| cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(1).max(1);
    let lines = tallest(&whole.cells);
    if lines <= SLICE_LINES {
        rows.push(SetRow { tallest: lines, ..whole });
        return;
    }
    let SetRow { source, group, anywhere, mut cells, .. } = whole;
    for start in (0..lines).step_by(SLICE_LINES) {
        let slice = |cell: &mut SetCell| {
            let rest = cell.lines.split_off(cell.lines.len().min(SLICE_LINES));
            SetCell { own: cell.own.clone(), lines: std::mem::replace(&mut cell.lines, rest) }
        };
        let cells: Vec<SetCell> = cells.iter_mut().map(slice).collect();
        rows.push(SetRow {
            source,
            continues: start > 0,
            goes_on: start + SLICE_LINES < lines,
            tallest: tallest(&cells),
            cells,
            group: group.clone(),
            anywhere,
        });
    }
}

/// The width of a cell's text, in thousandths of its size.
fn inner(width: f32, size: f32) -> f32 {
    (width / size - 2.0 * CELL_SIDE) * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "some tens of lines")]
fn count(lines: usize) -> f32 {
    lines as f32
}
