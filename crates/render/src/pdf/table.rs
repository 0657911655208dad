//! The report's table: rows onto pages, each page written when it is full.
//!
//! Threads set the rows and draw the pages. In between, the writer puts the rows on pages, which needs only their heights,
//! and sets the numbers of the pages' objects aside.
//!
//! Invariants:
//! - a row of a few lines is on one page; a higher one is in slices of a few lines;
//! - the heading of a group is on the page of its first row, and is repeated on each page where the group goes on;
//! - pages are written in their order, and glyphs get their numbers in the order of the pages.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use pdf_writer::Rect;

use super::compose::PageObjects;
use super::document::{Document, Part, TABLE, Turned};
use super::error::PdfError;
use super::faces::Weight;
use super::furniture::furniture;
use super::group::SetGroup;
use super::layout::{
    HEAD_FORM, PagePlan, PageTools, Piece, SetRows, TableForm, TableLayout, are_drawn_anywhere, elements,
};
use super::page::{Align, Parent, Role, Sheet};
use super::style::{ACCENT, BODY, BOTTOM, INK, MARGIN, MUTED, TOP};
use super::texts::Texts;
use super::typeset::printable;
use crate::chart::numbers::grouped;
use crate::workers::{InOrder, Spares, Workers};

/// Pages under one body of the table: a list of a few thousand rows is held until it is written.
const BODY_PAGES: usize = 64;
/// Rows that are set at once.
const SET_ROWS: usize = 64;
/// Size of the heading above the table.
const HEADING: f32 = 13.0;
/// Distance of baselines of the texts above the table.
const LEADING: f32 = 11.5;
/// Most lines of a text above the table.
const LINES_MAX: usize = 12;

/// The table being written.
pub(super) struct Table {
    layout: Arc<TableLayout>,
    workers: Workers,
    tools: Spares<PageTools>,
    set: InOrder<SetRows>,
    made: InOrder<Option<std::io::Result<PageObjects>>>,
    /// What is to be written next, in this order.
    unwritten: VecDeque<Unwritten>,
    /// The place of its body among the document's open elements; there is none before the first row.
    body: Option<usize>,
    /// What precedes the rows of the first page; after the last row, what the last page has.
    sheet: Sheet,
    /// The rows of the page at hand, where the first of them begins, and where the next one will.
    pieces: Vec<Piece>,
    top: f32,
    y: f32,
    /// The group of the row before.
    group: Option<Arc<SetGroup>>,
    page: usize,
    /// Cells in which a character is replaced.
    cells_replaced: u64,
}

enum Unwritten {
    /// A page that a thread is drawing, or, where no other can, that the writer draws in its turn.
    Page(Arc<PagePlan>),
    Body(Turned),
}

impl Table {
    /// A table of this form, below its heading and some remarks. The first page begins.
    pub(super) fn new<W: Write>(
        document: &mut Document<W>,
        form: TableForm,
        remarks: &[String],
        threads: usize,
    ) -> Result<Self, PdfError> {
        let layout = TableLayout::new(&mut document.setter, document.settings.clone(), form);
        let (page_width, page_height) = document.size();
        // The header that every page but the first draws, as a form.
        let mut head = Sheet::new(0.0);
        layout.head(&mut document.setter, &mut head, 0.0, None);
        let bounds = Rect::new(0.0, -layout.head_height - 1.0, page_width, 1.0);
        document.form(HEAD_FORM, bounds, &head.content)?;
        let mut table = Self {
            layout: Arc::new(layout),
            workers: Workers::new(threads),
            tools: Spares::new(),
            set: InOrder::new(),
            made: InOrder::new(),
            unwritten: VecDeque::new(),
            body: None,
            sheet: Sheet::new(page_height),
            pieces: Vec::new(),
            top: TOP,
            y: TOP,
            group: None,
            page: 0,
            cells_replaced: 0,
        };
        table.begin_page(document)?;
        let heading = table.sheet.element(Role::H2, Parent::Open(TABLE));
        let lines = document.setter.set("Rows", Weight::Bold, f32::INFINITY);
        table.sheet.begin(heading);
        let at = (MARGIN, TOP + HEADING - 1.0);
        table.sheet.text(&mut document.setter, "Rows", &lines[0], HEADING, at, ACCENT);
        table.sheet.end();
        table.y = TOP + HEADING + HEADING * 0.5;
        for remark in remarks {
            table.paragraph(document, remark, MUTED);
        }
        Ok(table)
    }

    /// A text over the whole width, before the first row.
    fn paragraph<W: Write>(&mut self, document: &mut Document<W>, text: &str, colour: super::style::Rgb) {
        let text = printable(text);
        let width = document.size().0 - 2.0 * MARGIN;
        let mut lines = document.setter.set(&text, Weight::Regular, width * 1000.0 / BODY);
        lines.truncate(LINES_MAX);
        let element = self.sheet.element(Role::P, Parent::Open(TABLE));
        self.sheet.begin(element);
        let (setter, baseline) = (&mut document.setter, self.y + BODY);
        self.sheet.lines(setter, &text, &lines, BODY, MARGIN, width, baseline, LEADING, Align::Left, colour);
        self.sheet.end();
        #[expect(clippy::cast_precision_loss, reason = "some lines")]
        let height = lines.len() as f32 * LEADING;
        self.y += height + 3.0;
    }

    /// Adds rows of a batch, whose columns have types that CSV has a form for.
    pub(super) fn rows<W: Write>(
        &mut self,
        document: &mut Document<W>,
        arrays: &Arc<Vec<ArrayRef>>,
        rows: Range<usize>,
    ) -> Result<(), PdfError> {
        let end = rows.end;
        for start in rows.step_by(SET_ROWS) {
            let arrays = arrays.clone();
            self.give(document, move || Texts::of(&arrays, start..end.min(start + SET_ROWS)))?;
        }
        Ok(())
    }

    /// Adds rows whose texts are made already.
    pub(super) fn texts<W: Write>(
        &mut self,
        document: &mut Document<W>,
        texts: &Texts,
    ) -> Result<(), PdfError> {
        let cells = SET_ROWS * self.layout.texts();
        for start in (0..texts.len()).step_by(cells) {
            let part = texts.part(start..texts.len().min(start + cells));
            self.give(document, move || part)?;
        }
        Ok(())
    }

    fn give<W: Write>(
        &mut self,
        document: &mut Document<W>,
        texts: impl FnOnce() -> Texts + Send + 'static,
    ) -> Result<(), PdfError> {
        let (layout, tools) = (self.layout.clone(), self.tools.clone());
        self.set.give(&mut self.workers, move || {
            let mut own = tools.take().unwrap_or_else(PageTools::new);
            let rows = layout.set(&mut own.setter, texts());
            tools.give_back(own);
            rows
        });
        self.follow(document, self.workers.in_flight_max())
    }

    /// Puts rows that are set on pages.
    fn follow<W: Write>(&mut self, document: &mut Document<W>, waiting_max: usize) -> Result<(), PdfError> {
        while let Some(set) = self.set.take(waiting_max) {
            let set = Arc::new(set);
            for (row, of) in set.rows.iter().enumerate() {
                if of.anywhere {
                    self.row(document, &set, row)?;
                } else if !of.continues {
                    // All slices of the row are set again at once.
                    let texts = set.texts_of(of.source, self.layout.texts());
                    let mut again = self.layout.set(&mut document.setter, texts);
                    // It may have glyphs of fonts that only the writer has.
                    again.rows.iter_mut().for_each(|row| row.anywhere = false);
                    let again = Arc::new(again);
                    for row in 0..again.rows.len() {
                        self.row(document, &again, row)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn row<W: Write>(
        &mut self,
        document: &mut Document<W>,
        set: &Arc<SetRows>,
        row: usize,
    ) -> Result<(), PdfError> {
        let of = &set.rows[row];
        let height = self.layout.row_height(of);
        let begins = |group: &&Arc<SetGroup>| self.group.as_ref().is_none_or(|last| last.key != group.key);
        let heading = of.group.as_ref().filter(begins).cloned();
        let above = heading.as_ref().map_or(0.0, |heading| heading.height);
        let (_, page_height) = document.size();
        if self.y + above + height > page_height - BOTTOM {
            self.end_page(document)?;
            self.begin_page(document)?;
        }
        if self.body.is_none() {
            self.begin_body(document);
        }
        if self.pieces.is_empty() {
            self.top = self.y;
        }
        if let Some(heading) = heading {
            self.heading(heading, false);
        } else if let Some(group) = of.group.as_ref().filter(|_| self.pieces.is_empty()) {
            self.heading(group.clone(), true);
        }
        self.y += height;
        match self.pieces.last_mut() {
            Some(Piece::Rows(last, rows)) if Arc::ptr_eq(last, set) && rows.end == row => rows.end += 1,
            Some(_) | None => self.pieces.push(Piece::Rows(set.clone(), row..row + 1)),
        }
        Ok(())
    }

    /// The heading of the rows that follow, or of some whose first ones are on an earlier page.
    fn heading(&mut self, group: Arc<SetGroup>, again: bool) {
        self.y += group.height;
        self.pieces.push(Piece::Group(group.clone(), again));
        self.group = Some(group);
    }

    /// In how many cells a character was replaced since this was last asked.
    pub(super) fn take_cells_replaced(&mut self) -> u64 {
        std::mem::take(&mut self.cells_replaced)
    }

    /// Draws all rows that are still held back. No rows follow.
    pub(super) fn end_rows<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        self.follow(document, 0)?;
        self.write(document, 0)?;
        let Some(body) = self.body.filter(|_| !self.pieces.is_empty()) else { return Ok(()) };
        if self.page > 1 {
            self.sheet = self.layout.begin_page();
        }
        self.draw_rows(document, body);
        Ok(())
    }

    /// Writes the last page. `population` is how many things were looked at for rows.
    pub(super) fn finish<W: Write>(
        &mut self,
        document: &mut Document<W>,
        population: u64,
    ) -> Result<(), PdfError> {
        self.end_rows(document)?;
        if self.body.is_none() {
            let text = format!("No rows: none found among {}.", grouped(population));
            self.paragraph(document, &text, INK);
        }
        self.finish_page(document)
    }

    fn begin_page<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        let max = document.settings.pages_max;
        if self.page >= max as usize {
            return Err(PdfError::TooManyPages { max });
        }
        self.page += 1;
        self.y = TOP;
        if let Some(body) = self.body {
            self.y += self.layout.head_height;
            if self.page.is_multiple_of(BODY_PAGES) {
                self.unwritten.push_back(Unwritten::Body(document.turn(body)));
            }
        }
        Ok(())
    }

    /// The table begins, with its one tagged header.
    fn begin_body<W: Write>(&mut self, document: &mut Document<W>) {
        let table = document.open_on(&self.sheet, "Table", TABLE);
        let head = document.open("THead", Some(table));
        let row = self.sheet.element(Role::Row, Parent::Open(head));
        self.layout.head(&mut document.setter, &mut self.sheet, self.y, Some(row));
        self.y += self.layout.head_height;
        self.body = Some(document.open("TBody", Some(table)));
    }

    /// Draws the rows of the page at hand onto its sheet.
    fn draw_rows<W: Write>(&mut self, document: &mut Document<W>, body: usize) {
        let pieces = std::mem::take(&mut self.pieces);
        self.cells_replaced +=
            self.layout.pieces(&mut document.setter, &mut self.sheet, self.top, body, &pieces);
    }

    /// Writes the page whose rows are drawn.
    fn finish_page<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        let size = document.size();
        furniture(&mut document.setter, &document.settings, &mut self.sheet, size, Part::Table, self.page);
        let page = document.finish_page(Part::Table, &std::mem::take(&mut self.sheet))?;
        if self.page == 1 {
            document.bookmark("Rows", Part::Table, page);
        }
        Ok(())
    }

    /// The page is full. The first one is drawn at once, because its elements are not only rows.
    fn end_page<W: Write>(&mut self, document: &mut Document<W>) -> Result<(), PdfError> {
        let Some(body) = self.body else { return self.finish_page(document) };
        if self.page == 1 {
            self.draw_rows(document, body);
            return self.finish_page(document);
        }
        let pieces = std::mem::take(&mut self.pieces);
        let elements = elements(&pieces);
        let numbers = document.begin_page(Part::Table, elements.iter().sum())?;
        let places = elements.iter().scan(0, |next, count| Some(std::mem::replace(next, *next + count)));
        let body_number = document.hang_from(body, &numbers, places);
        let anywhere = are_drawn_anywhere(&pieces);
        let plan = Arc::new(PagePlan { number: self.page, pieces, anywhere, body, body_number, numbers });
        self.unwritten.push_back(Unwritten::Page(plan.clone()));
        if anywhere {
            let (layout, tools) = (self.layout.clone(), self.tools.clone());
            let glyphs = document.setter.numbers();
            self.made.give(&mut self.workers, move || {
                let mut own = tools.take().unwrap_or_else(PageTools::new);
                let page = layout.make_page(&mut own, glyphs, &plan);
                tools.give_back(own);
                page
            });
        }
        self.write(document, self.workers.in_flight_max())
    }

    /// Writes what is made, in order.
    fn write<W: Write>(&mut self, document: &mut Document<W>, waiting_max: usize) -> Result<(), PdfError> {
        while let Some(next) = self.unwritten.front() {
            match next {
                Unwritten::Page(plan) => {
                    let made = if plan.anywhere {
                        let Some(made) = self.made.take(waiting_max) else { return Ok(()) };
                        made
                    } else {
                        None
                    };
                    let objects = match made {
                        Some(made) => made?,
                        None => {
                            let (sheet, replaced) = self.layout.page(&mut document.setter, plan);
                            self.cells_replaced += replaced;
                            self.layout.compose(document.objects.deflater(), &sheet, plan)?
                        }
                    };
                    document.write_page(&plan.numbers, &objects)?;
                }
                Unwritten::Body(turned) => document.write_turned(turned)?,
            }
            self.unwritten.pop_front();
        }
        Ok(())
    }
}
