//! Headings, paragraphs, small tables and charts, one below the other over pages.

use std::io::Write;

use super::canvas::Canvas;
use super::chart;
use super::document::{COVER, DOCUMENT, Document, Part};
use super::error::PdfError;
use super::faces::Weight;
use super::furniture::furniture;
use super::glyphs::Line;
use super::page::{Align, Kid, Parent, Role, Sheet};
use super::style::{
    ACCENT, BODY, BOTTOM, HEAD, INK, MARGIN, MUTED, RULE, Rgb, STRONG_RULE, TOP, WARNING, WARNING_EDGE,
};
use super::typeset::printable;
use crate::chart::Chart;

const LEADING: f32 = 1.3;
const ASCENT: f32 = 1.0;
const PAD: f32 = 2.6;
/// Between the halves of the width.
const HALF_GAP: f32 = 26.0;
/// The height of a heading inside a section.
pub(super) const SUBHEADING: f32 = 22.0;
/// Free space below a chart.
pub(super) const BELOW_CHART: f32 = 6.0;

/// A column of a small table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) label: &'a str,
    /// Part of the width, in proportion to the parts of the other columns.
    pub(super) share: f32,
    pub(super) align: Align,
}

/// A column with texts aligned left.
pub(super) fn left(label: &str, share: f32) -> Field<'_> {
    Field { label, share, align: Align::Left }
}

/// A column with numbers aligned right.
pub(super) fn right(label: &str, share: f32) -> Field<'_> {
    Field { label, share, align: Align::Right }
}

/// Pages being filled from top to bottom.
pub(super) struct Flow<'d, W: Write> {
    pub(super) document: &'d mut Document<W>,
    pub(super) sheet: Sheet,
    pub(super) y: f32,
    page: usize,
    part: Part,
    /// The element that holds the part.
    root: usize,
    /// Bookmarks of this page.
    titles: Vec<String>,
    /// The column that is being filled: its left side and its width.
    left: f32,
    room: f32,
}

impl<'d, W: Write> Flow<'d, W> {
    /// The pages of the cover.
    pub(super) fn new(document: &'d mut Document<W>) -> Self {
        Self::of(document, Part::Cover, COVER)
    }

    /// The pages of the appendix, in an element of their own.
    pub(super) fn appendix(document: &'d mut Document<W>) -> Self {
        let root = document.open("Part", Some(DOCUMENT));
        Self::of(document, Part::Appendix, root)
    }

    fn of(document: &'d mut Document<W>, part: Part, root: usize) -> Self {
        let (width, height) = document.size();
        let sheet = Sheet::new(height);
        let room = width - 2.0 * MARGIN;
        Self { document, sheet, y: TOP, page: 1, part, root, titles: Vec::new(), left: MARGIN, room }
    }

    /// Whether so much, which pages may divide, has room without another page than the first `most`.
    #[expect(clippy::cast_precision_loss, reason = "some pages")]
    pub(super) fn fits(&self, height: f32, most: usize) -> bool {
        let further = most.saturating_sub(self.page) as f32 * self.page_room();
        self.page <= most && self.y + height <= self.bottom() + further
    }

    /// The page on which the last of these heights ends, if each is on one page.
    pub(super) fn page_after(&self, heights: impl IntoIterator<Item = f32>) -> usize {
        let (mut page, mut y) = (self.page, self.y);
        for height in heights {
            if y + height > self.bottom() && y > TOP {
                (page, y) = (page + 1, TOP);
            }
            y += height;
        }
        page
    }

    /// What follows goes into the first or second half of the width, or (`None`) takes all of it again.
    pub(super) fn half(&mut self, place: Option<usize>) {
        let whole = self.document.size().0 - 2.0 * MARGIN;
        let half = (whole - HALF_GAP) / 2.0;
        (self.left, self.room) = match place {
            None => (MARGIN, whole),
            Some(0) => (MARGIN, half),
            Some(_) => (MARGIN + half + HALF_GAP, half),
        };
    }

    /// The width that is filled.
    pub(super) fn room(&self) -> f32 {
        self.room
    }

    /// The most height that anything can have.
    pub(super) fn page_room(&self) -> f32 {
        self.bottom() - TOP
    }

    fn bottom(&self) -> f32 {
        self.document.size().1 - BOTTOM
    }

    /// Begins a new page unless this much room is left.
    pub(super) fn need(&mut self, height: f32) -> Result<(), PdfError> {
        if self.y + height > self.bottom() && self.y > TOP { self.end_page() } else { Ok(()) }
    }

    /// Ends the page and begins the next.
    fn end_page(&mut self) -> Result<(), PdfError> {
        let size = self.document.size();
        let Document { setter, settings, .. } = &mut *self.document;
        furniture(setter, settings, &mut self.sheet, size, self.part, self.page);
        let page = self.document.finish_page(self.part, &self.sheet)?;
        for title in self.titles.drain(..) {
            self.document.bookmark(&title, self.part, page);
        }
        self.page += 1;
        self.sheet = Sheet::new(self.document.size().1);
        self.y = TOP;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), PdfError> {
        self.end_page()
    }

    pub(super) fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// A heading, which stays with what follows.
    pub(super) fn heading(&mut self, text: &str, follows: f32) -> Result<(), PdfError> {
        self.need(34.0 + follows)?;
        if self.y > TOP {
            self.y += 12.0;
        }
        self.titles.push(text.to_owned());
        self.text(Role::H2, text, Weight::Bold, 12.0, ACCENT)?;
        self.y += 3.0;
        Ok(())
    }

    /// A heading inside a section.
    pub(super) fn subheading(&mut self, text: &str, follows: f32) -> Result<(), PdfError> {
        self.need(SUBHEADING + follows)?;
        self.y += 6.0;
        self.text(Role::H3, text, Weight::Bold, 9.5, INK)?;
        self.y += 1.5;
        Ok(())
    }

    /// A text over the whole width, on as many pages as it needs.
    pub(super) fn text(
        &mut self,
        role: Role,
        text: &str,
        weight: Weight,
        size: f32,
        colour: Rgb,
    ) -> Result<(), PdfError> {
        let text = printable(text).into_owned();
        let width = self.room;
        let lines = self.document.setter.set(&text, weight, width * 1000.0 / size);
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            self.need(size * LEADING)?;
            let room = ((self.bottom() - self.y) / (size * LEADING)).floor().max(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of lines")]
            let (now, later) = rest.split_at(rest.len().min(room as usize));
            let element = self.sheet.element(role.clone(), Parent::Open(self.root));
            self.sheet.begin(element);
            let baseline = self.y + size * ASCENT;
            let setter = &mut self.document.setter;
            let (left, leading) = (self.left, size * LEADING);
            self.sheet.lines(setter, &text, now, size, left, width, baseline, leading, Align::Left, colour);
            self.sheet.end();
            self.y += count(now) * leading;
            rest = later;
        }
        Ok(())
    }

    pub(super) fn paragraph(&mut self, text: &str) -> Result<(), PdfError> {
        self.text(Role::P, text, Weight::Regular, BODY, INK)?;
        self.y += 3.0;
        Ok(())
    }

    /// A text in a box that catches the eye; for warnings.
    pub(super) fn notice(&mut self, text: &str) -> Result<(), PdfError> {
        let text = printable(text).into_owned();
        let width = self.room - 16.0;
        let lines = self.document.setter.set(&text, Weight::Regular, width * 1000.0 / BODY);
        let leading = BODY * LEADING;
        let height = count(&lines) * leading + 6.0;
        self.need(height + 3.0)?;
        self.sheet.begin_decoration();
        self.sheet.rectangle(MARGIN, self.y, width + 16.0, height, WARNING);
        self.sheet.rectangle(MARGIN, self.y, 3.0, height, WARNING_EDGE);
        self.sheet.end();
        let element = self.sheet.element(Role::P, Parent::Open(self.root));
        self.sheet.begin(element);
        let (left, baseline) = (MARGIN + 10.0, self.y + 3.0 + BODY * ASCENT);
        let setter = &mut self.document.setter;
        self.sheet.lines(setter, &text, &lines, BODY, left, width, baseline, leading, Align::Left, INK);
        self.sheet.end();
        self.y += height + 3.0;
        Ok(())
    }

    /// Large numbers with their names, side by side: tables of one row.
    pub(super) fn figures(&mut self, figures: &[(&str, String)]) -> Result<(), PdfError> {
        const WIDTH_MIN: f32 = 110.0;
        // On a narrow page, they are on two lines.
        let rows = if self.room / count(figures) < WIDTH_MIN { 2 } else { 1 };
        for row in figures.chunks(figures.len().div_ceil(rows).max(1)) {
            self.figure_row(row)?;
        }
        self.y += 4.0;
        Ok(())
    }

    fn figure_row(&mut self, figures: &[(&str, String)]) -> Result<(), PdfError> {
        const HEIGHT: f32 = 44.0;
        const GAP: f32 = 8.0;
        self.need(HEIGHT)?;
        let width = (self.room + GAP) / count(figures) - GAP;
        let table = self.document.open_on(&self.sheet, "Table", self.root);
        let head = self.sheet.element(Role::THead, Parent::Open(table));
        let head = self.sheet.element(Role::Row, Parent::Here(head));
        let body = self.sheet.element(Role::TBody, Parent::Open(table));
        let body = self.sheet.element(Role::Row, Parent::Here(body));
        for (place, (name, value)) in figures.iter().enumerate() {
            let left = MARGIN + count(&figures[..place]) * (width + GAP);
            self.sheet.begin_decoration();
            self.sheet.rectangle(left, self.y, width, HEIGHT, HEAD);
            self.sheet.end();
            for (role, row, text, weight, size, down, colour) in [
                (Role::ColumnHeader, head, *name, Weight::Regular, BODY, 15.0, MUTED),
                (Role::Cell, body, value.as_str(), Weight::Bold, 16.0, 36.0, INK),
            ] {
                let lines = self.document.setter.set(text, weight, f32::INFINITY);
                // A value that is wider than its box is made smaller.
                let wide = lines[0].width * size / 1000.0;
                let size = if wide > width - 16.0 { (size * (width - 16.0) / wide).max(7.0) } else { size };
                let element = self.sheet.element(role, Parent::Here(row));
                self.sheet.begin(element);
                let at = (left + 8.0, self.y + down);
                self.sheet.text(&mut self.document.setter, text, &lines[0], size, at, colour);
                self.sheet.end();
            }
        }
        self.y += HEIGHT + GAP;
        Ok(())
    }

    /// Names and their values, two pairs on a line.
    pub(super) fn pairs(&mut self, pairs: &[(String, String)]) -> Result<(), PdfError> {
        const NAME: f32 = 120.0;
        const GAP: f32 = 20.0;
        let half = (self.room - GAP) / 2.0;
        let table = self.document.open_on(&self.sheet, "Table", self.root);
        let mut body = None;
        let leading = BODY * LEADING;
        for row in pairs.chunks(2) {
            let mut cells = Vec::new();
            for (place, (name, value)) in row.iter().enumerate() {
                let left = if place == 0 { MARGIN } else { MARGIN + half + GAP };
                let (name, value) = (printable(name).into_owned(), printable(value).into_owned());
                let names = self.document.setter.set(&name, Weight::Regular, (NAME - 6.0) * 1000.0 / BODY);
                let values = self.document.setter.set(&value, Weight::Regular, (half - NAME) * 1000.0 / BODY);
                cells.push((left, name, names, value, values));
            }
            let tallest = cells.iter().map(|cell| cell.2.len().max(cell.4.len())).max().unwrap_or(1);
            #[expect(clippy::cast_precision_loss, reason = "some lines")]
            let height = tallest as f32 * leading + 2.0 * PAD - 2.0;
            let page = self.page;
            self.need(height)?;
            if page != self.page {
                body = None;
            }
            let body = *body.get_or_insert_with(|| self.sheet.element(Role::TBody, Parent::Open(table)));
            let row_element = self.sheet.element(Role::Row, Parent::Here(body));
            let baseline = self.y + PAD - 1.0 + BODY * ASCENT;
            for (left, name, names, value, values) in &cells {
                for (role, text, lines, left, width, colour) in [
                    (Role::RowHeader, name, names, *left, NAME - 6.0, MUTED),
                    (Role::Cell, value, values, left + NAME, half - NAME, INK),
                ] {
                    let element = self.sheet.element(role, Parent::Here(row_element));
                    self.sheet.begin(element);
                    let setter = &mut self.document.setter;
                    self.sheet.lines(
                        setter,
                        text,
                        lines,
                        BODY,
                        left,
                        width,
                        baseline,
                        leading,
                        Align::Left,
                        colour,
                    );
                    self.sheet.end();
                }
            }
            if row.len() == 1 && pairs.len() > 1 {
                self.sheet.elements[row_element].kids.extend([Kid::EmptyCell, Kid::EmptyCell]);
            }
            self.y += height;
            self.sheet.begin_decoration();
            for (left, ..) in &cells {
                self.sheet.line((*left, self.y), (left + half, self.y), RULE, 0.4);
            }
            self.sheet.end();
        }
        Ok(())
    }

    /// A small table over part of the width; its header is repeated on each page it reaches.
    pub(super) fn grid(
        &mut self,
        fields: &[Field<'_>],
        rows: &[Vec<String>],
        part: f32,
    ) -> Result<(), PdfError> {
        let widths = self.widths(fields, rows, self.room * part);
        let labels: Vec<String> = fields.iter().map(|field| field.label.to_owned()).collect();
        let head = self.set_row(&labels, &widths, Weight::Bold);
        let table = self.document.open_on(&self.sheet, "Table", self.root);
        self.need(2.0 * height_of(&head))?;
        self.draw_row(&head, fields, &widths, Parent::Open(table), Some(true));
        let mut body = self.sheet.element(Role::TBody, Parent::Open(table));
        for row in rows {
            let cells = self.set_row(row, &widths, Weight::Regular);
            let page = self.page;
            self.need(height_of(&cells))?;
            if page != self.page {
                self.draw_row(&head, fields, &widths, Parent::Open(table), None);
                body = self.sheet.element(Role::TBody, Parent::Open(table));
            }
            self.draw_row(&cells, fields, &widths, Parent::Here(body), Some(false));
        }
        self.y += 4.0;
        Ok(())
    }

    /// The widths of columns: in proportion to their shares, but none so narrow that a word is divided, if the others have
    /// room. Ids and digests, which are divided in any case, do not count.
    fn widths(&mut self, fields: &[Field<'_>], rows: &[Vec<String>], full: f32) -> Vec<f32> {
        let total: f32 = fields.iter().map(|field| field.share).sum();
        let mut widths: Vec<f32> = fields.iter().map(|field| full * field.share / total).collect();
        let mut piece = |text: &str, weight| {
            let piece = self.document.setter.measure(&printable(text), weight).piece * BODY / 1000.0;
            if piece < full / 4.0 { piece } else { 0.0 }
        };
        let needed: Vec<f32> = (0..fields.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                let words = cells.map(|cell| piece(cell, Weight::Regular)).fold(0.0, f32::max);
                // A rounding less would divide the word all the same.
                words.max(piece(fields[column].label, Weight::Bold)) + 8.5
            })
            .collect();
        let sum = |of: fn(f32, f32) -> f32| -> f32 {
            widths.iter().zip(&needed).map(|(width, needed)| of(*width, *needed).max(0.0)).sum()
        };
        let (lack, spare) = (sum(|width, needed| needed - width), sum(|width, needed| width - needed));
        if lack > 0.0 && lack <= spare {
            for (width, needed) in widths.iter_mut().zip(&needed) {
                let over = (*width - needed).max(0.0);
                *width = width.max(*needed) - over * lack / spare;
            }
        }
        widths
    }

    /// How high [`grid`](Self::grid) will be, where it is on one page.
    pub(super) fn grid_height(&mut self, fields: &[Field<'_>], rows: &[Vec<String>], part: f32) -> f32 {
        let widths = self.widths(fields, rows, self.room * part);
        let labels: Vec<String> = fields.iter().map(|field| field.label.to_owned()).collect();
        let mut height = height_of(&self.set_row(&labels, &widths, Weight::Bold)) + 4.0;
        for row in rows {
            height += height_of(&self.set_row(row, &widths, Weight::Regular));
        }
        height
    }

    fn set_row(&mut self, texts: &[String], widths: &[f32], weight: Weight) -> Vec<(String, Vec<Line>)> {
        let set = |(text, width): (&String, &f32)| {
            let text = printable(text).into_owned();
            let lines = self.document.setter.set(&text, weight, (width - 8.0) * 1000.0 / BODY);
            (text, lines)
        };
        texts.iter().zip(widths).map(set).collect()
    }

    /// Draws a row: a header in an element of its own, a repeated header (`None`), or a row below `parent`.
    fn draw_row(
        &mut self,
        cells: &[(String, Vec<Line>)],
        fields: &[Field<'_>],
        widths: &[f32],
        parent: Parent,
        header: Option<bool>,
    ) {
        let height = height_of(cells);
        let full: f32 = widths.iter().sum();
        let is_header = header != Some(false);
        let row = match header {
            Some(true) => {
                let head = self.sheet.element(Role::THead, parent);
                Some(self.sheet.element(Role::Row, Parent::Here(head)))
            }
            Some(false) => Some(self.sheet.element(Role::Row, parent)),
            None => None,
        };
        self.sheet.begin_decoration();
        if is_header {
            self.sheet.rectangle(self.left, self.y, full, height, HEAD);
        }
        let (colour, width) = if is_header { (STRONG_RULE, 0.8) } else { (RULE, 0.4) };
        let bottom = self.y + height;
        self.sheet.line((self.left, bottom), (self.left + full, bottom), colour, width);
        self.sheet.end();
        let mut left = self.left;
        for ((text, lines), (field, width)) in cells.iter().zip(fields.iter().zip(widths)) {
            match row {
                Some(row) if text.is_empty() && !is_header => {
                    self.sheet.elements[row].kids.push(Kid::EmptyCell);
                    left += width;
                    continue;
                }
                Some(row) => {
                    let role = if is_header { Role::ColumnHeader } else { Role::Cell };
                    let element = self.sheet.element(role, Parent::Here(row));
                    self.sheet.begin(element);
                }
                None => self.sheet.begin_furniture(),
            }
            let (baseline, leading) = (self.y + PAD - 1.0 + BODY * ASCENT, BODY * LEADING);
            let colour = if is_header { ACCENT } else { INK };
            let setter = &mut self.document.setter;
            self.sheet.lines(
                setter,
                text,
                lines,
                BODY,
                left + 4.0,
                width - 8.0,
                baseline,
                leading,
                field.align,
                colour,
            );
            self.sheet.end();
            left += width;
        }
        self.y = bottom;
    }

    /// A chart that was checked and shortened, with its alternative text.
    pub(super) fn chart(&mut self, chart: &Chart) -> Result<(), PdfError> {
        let (width, height) = (self.room, chart::height(chart, self.room));
        self.need(height)?;
        let bounds = [self.left, self.y, self.left + width, self.y + height];
        let role = Role::Figure { alternative: chart.description.clone(), bounds };
        let figure = self.sheet.element(role, Parent::Open(self.root));
        self.sheet.begin(figure);
        let mut canvas =
            Canvas::new(&mut self.sheet, &mut self.document.setter, (self.left, self.y), (width, height));
        chart::draw(chart, &mut canvas);
        self.sheet.end();
        self.y += height + BELOW_CHART;
        Ok(())
    }
}

fn height_of(cells: &[(String, Vec<Line>)]) -> f32 {
    let tallest = cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "some lines")]
    let height = tallest as f32 * BODY * LEADING + 2.0 * PAD - 2.0;
    height
}

#[expect(clippy::cast_precision_loss, reason = "few of them")]
fn count<T>(of: &[T]) -> f32 {
    of.len() as f32
}
