//! One page: what is drawn on it and how it is tagged.
//!
//! When a page is full, everything that it needs except fonts is known: its content, its structure elements and its
//! entry in the parent tree. They are written together and not kept.
//!
//! Measures are points from the upper left corner of the page, downwards, as text is laid out.

use std::io::Write as _;

use super::glyphs::{Line, advance, to_u32};
use super::operators::{push_number, push_reference, push_text_string};
use super::show::CurrentFont;
use super::style::Rgb;
use super::typeset::Typesetter;
use crate::scalar::push_unsigned;

/// What an element is, by its standard structure type (ISO 32000-1, 14.8.4).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    H1,
    H2,
    H3,
    P,
    THead,
    TBody,
    Row,
    /// A header cell of a column.
    ColumnHeader,
    /// A header cell of a row.
    RowHeader,
    /// A header cell above some rows, over so many columns.
    GroupHeader(usize),
    Cell,
    /// A drawing, with its alternative text and its box: left, top, right, bottom.
    Figure {
        alternative: String,
        bounds: [f32; 4],
    },
}

impl Role {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::H1 => "H1",
            Self::H2 => "H2",
            Self::H3 => "H3",
            Self::P => "P",
            Self::THead => "THead",
            Self::TBody => "TBody",
            Self::Row => "TR",
            Self::ColumnHeader | Self::RowHeader | Self::GroupHeader(_) => "TH",
            Self::Cell => "TD",
            Self::Figure { .. } => "Figure",
        }
    }
}

/// The parent of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// In an element that goes on over pages, by its place in the document's list of those.
    Open(usize),
    /// In another element of this page.
    Here(usize),
}

/// A structure element of this page.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) role: Role,
    pub(super) parent: Parent,
    /// Its marked content.
    pub(super) marks: Vec<u32>,
    pub(super) kids: Vec<Kid>,
}

/// What is inside an element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kid {
    Element(usize),
    /// A cell without content. It needs no number of its own, which keeps large reports within PDF/A's limit.
    EmptyCell,
}

/// A page being drawn.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) content: Vec<u8>,
    pub(super) elements: Vec<Element>,
    /// The element of each marked content.
    pub(super) marks: Vec<usize>,
    font: CurrentFont,
    fill: Option<Rgb>,
    stroke: Option<Rgb>,
    width: Option<f32>,
    height: f32,
}

/// A side of a page or table that text keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl Sheet {
    pub(super) fn new(height: f32) -> Self {
        Self { height, ..Self::default() }
    }

    /// Adds an element; its place on this page.
    pub(super) fn element(&mut self, role: Role, parent: Parent) -> usize {
        let place = self.elements.len();
        if let Parent::Here(parent) = parent {
            self.elements[parent].kids.push(Kid::Element(place));
        }
        self.elements.push(Element { role, parent, marks: Vec::new(), kids: Vec::new() });
        place
    }

    /// What is drawn now is the content of an element.
    pub(super) fn begin(&mut self, element: usize) {
        let mark = self.marks.len();
        self.marks.push(element);
        let element = &mut self.elements[element];
        element.marks.push(to_u32(mark));
        self.content.push(b'/');
        self.content.extend_from_slice(element.role.name().as_bytes());
        self.content.extend_from_slice(b"<</MCID ");
        push_unsigned(&mut self.content, mark as u64);
        self.content.extend_from_slice(b">>BDC\n");
    }

    /// What is drawn now belongs to the page, not to the document.
    pub(super) fn begin_furniture(&mut self) {
        self.content.extend_from_slice(b"/Artifact<</Type/Pagination>>BDC\n");
    }

    /// What is drawn now is decoration.
    pub(super) fn begin_decoration(&mut self) {
        self.content.extend_from_slice(b"/Artifact<</Type/Layout>>BDC\n");
    }

    /// Ends what was begun.
    pub(super) fn end(&mut self) {
        self.content.extend_from_slice(b"EMC\n");
    }

    pub(super) fn fill(&mut self, colour: Rgb) {
        if self.fill != Some(colour) {
            self.fill = Some(colour);
            push_colour(&mut self.content, colour);
            self.content.extend_from_slice(b"rg\n");
        }
    }

    pub(super) fn stroke(&mut self, colour: Rgb, width: f32) {
        if self.stroke != Some(colour) {
            self.stroke = Some(colour);
            push_colour(&mut self.content, colour);
            self.content.extend_from_slice(b"RG\n");
        }
        if self.width != Some(width) {
            self.width = Some(width);
            self.numbers(&[width]);
            self.content.extend_from_slice(b"w\n");
        }
    }

    pub(super) fn rectangle(&mut self, left: f32, top: f32, width: f32, height: f32, colour: Rgb) {
        self.fill(colour);
        self.numbers(&[left, self.height - top - height, width, height]);
        self.content.extend_from_slice(b"re f\n");
    }

    /// A line through points; closed and filled, or drawn.
    pub(super) fn path(&mut self, points: &[(f32, f32)], filled: bool) {
        for (index, (x, y)) in points.iter().enumerate() {
            self.numbers(&[*x, self.height - y]);
            self.content.extend_from_slice(if index == 0 { b"m\n" } else { b"l\n" });
        }
        self.content.extend_from_slice(if filled { b"f\n" } else { b"S\n" });
    }

    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), colour: Rgb, width: f32) {
        self.stroke(colour, width);
        self.path(&[from, to], false);
    }

    /// A line of text whose baseline begins at a point.
    pub(super) fn text(
        &mut self,
        setter: &mut Typesetter,
        text: &str,
        line: &Line,
        size: f32,
        at: (f32, f32),
        colour: Rgb,
    ) {
        if line.glyphs.is_empty() {
            return;
        }
        self.fill(colour);
        self.content.extend_from_slice(b"BT\n");
        self.numbers(&[at.0, self.height - at.1]);
        self.content.extend_from_slice(b"Td\n");
        setter.show(&mut self.content, text, &line.glyphs, size, &mut self.font);
        self.content.extend_from_slice(b"ET\n");
    }

    /// Lines of text in a box: the baseline of the first, the distance between them, and the side they keep to; lines of
    /// right-to-left paragraphs keep to the other side.
    #[expect(clippy::too_many_arguments, reason = "a text has this many properties")]
    pub(super) fn lines(
        &mut self,
        setter: &mut Typesetter,
        text: &str,
        lines: &[Line],
        size: f32,
        left: f32,
        width: f32,
        baseline: f32,
        leading: f32,
        align: Align,
        colour: Rgb,
    ) {
        let mut y = baseline;
        for line in lines {
            let right = (align == Align::Right) != line.rtl;
            let used = line.width * size / 1000.0;
            // Spaces at the end of a right-to-left line are drawn first, to the left of it.
            let all = advance(&line.glyphs) * size / 1000.0;
            let hanging = if line.rtl { all - used } else { 0.0 };
            let x = if right { left + width - used } else { left };
            self.text(setter, text, line, size, (x - hanging, y), colour);
            y += leading;
        }
    }

    /// Draws a form from the shared resources with its origin at a point.
    pub(super) fn form(&mut self, name: &str, at: (f32, f32)) {
        self.content.extend_from_slice(b"q 1 0 0 1 ");
        self.numbers(&[at.0, self.height - at.1]);
        writeln!(self.content, "cm /{name} Do Q").expect("a vector takes every write");
    }

    fn numbers(&mut self, values: &[f32]) {
        for value in values {
            push_number(&mut self.content, *value);
            self.content.push(b' ');
        }
    }
}

fn push_colour(out: &mut Vec<u8>, (red, green, blue): Rgb) {
    for part in [red, green, blue] {
        push_number(out, f32::from(part) / 255.0);
        out.push(b' ');
    }
}

/// An element's dictionary. `number` gives the number of an element of this page.
pub(super) fn push_element(
    out: &mut Vec<u8>,
    element: &Element,
    own: u32,
    parent: u32,
    page: u32,
    page_height: f32,
    number: impl Fn(usize) -> u32,
) {
    out.extend_from_slice(b"<</S/");
    out.extend_from_slice(element.role.name().as_bytes());
    out.extend_from_slice(b"/P ");
    push_reference(out, parent);
    out.extend_from_slice(b"/Pg ");
    push_reference(out, page);
    match &element.role {
        Role::ColumnHeader => out.extend_from_slice(b"/A<</O/Table/Scope/Column>>"),
        Role::RowHeader => out.extend_from_slice(b"/A<</O/Table/Scope/Row>>"),
        Role::GroupHeader(columns) => {
            out.extend_from_slice(b"/A<</O/Table/Scope/Row/ColSpan ");
            push_unsigned(out, *columns as u64);
            out.extend_from_slice(b">>");
        }
        Role::Figure { alternative, bounds: [left, top, right, bottom] } => {
            out.extend_from_slice(b"/Alt");
            push_text_string(out, alternative);
            out.extend_from_slice(b"/A<</O/Layout/Placement/Block/BBox[");
            for value in [*left, page_height - bottom, *right, page_height - top] {
                push_number(out, value);
                out.push(b' ');
            }
            out.extend_from_slice(b"]>>");
        }
        Role::H1 | Role::H2 | Role::H3 | Role::P | Role::THead | Role::TBody | Role::Row | Role::Cell => {}
    }
    match (element.marks.as_slice(), element.kids.as_slice()) {
        ([], []) => {}
        ([mark], []) => {
            out.extend_from_slice(b"/K ");
            push_unsigned(out, (*mark).into());
        }
        (marks, kids) => {
            out.extend_from_slice(b"/K[");
            for mark in marks {
                push_unsigned(out, (*mark).into());
                out.push(b' ');
            }
            for kid in kids {
                match kid {
                    Kid::Element(place) => {
                        push_reference(out, number(*place));
                        out.push(b' ');
                    }
                    Kid::EmptyCell => {
                        out.extend_from_slice(b"<</S/TD/P ");
                        push_reference(out, own);
                        out.extend_from_slice(b">>");
                    }
                }
            }
            out.push(b']');
        }
    }
    out.extend_from_slice(b">>");
}
