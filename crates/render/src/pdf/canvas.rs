//! A box on a page that a chart is drawn in.
//!
//! Coordinates are points from the upper left corner of the box, and are rounded to a twentieth of a point: the eye does
//! not see less, and the numbers in the page stay short.

use super::faces::Weight;
use super::page::Sheet;
use super::style::Rgb;
use super::typeset::{Typesetter, printable};

/// Size of the text.
const TEXT: f32 = 8.0;
/// Parts of a point that coordinates are rounded to.
const PARTS: f64 = 20.0;

/// Where a text is, seen from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextSide {
    /// The text begins at the point.
    Left,
    Center,
    /// The text ends at the point.
    Right,
}

/// A box on a page.
pub(super) struct Canvas<'a> {
    sheet: &'a mut Sheet,
    setter: &'a mut Typesetter,
    left: f32,
    top: f32,
    width: f64,
    height: f64,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(
        sheet: &'a mut Sheet,
        setter: &'a mut Typesetter,
        (left, top): (f32, f32),
        (width, height): (f32, f32),
    ) -> Self {
        let (width, height) = (rounded(width.into()), rounded(height.into()));
        Self { sheet, setter, left, top, width, height }
    }

    pub(super) fn width(&self) -> f64 {
        self.width
    }

    pub(super) fn height(&self) -> f64 {
        self.height
    }

    fn at(&self, x: f64, y: f64) -> (f32, f32) {
        (self.left + points(x), self.top + points(y))
    }

    pub(super) fn rectangle(&mut self, left: f64, top: f64, right: f64, bottom: f64, colour: Rgb) {
        let ((left, top), (right, bottom)) = (self.at(left, top), self.at(right, bottom));
        self.sheet.rectangle(left, top, right - left, bottom - top, colour);
    }

    pub(super) fn line(&mut self, x0: f64, y0: f64, x1: f64, y1: f64, colour: Rgb, width: f64) {
        let (from, to) = (self.at(x0, y0), self.at(x1, y1));
        self.sheet.line(from, to, colour, points(width));
    }

    /// A text on one line, the middle of its capitals at the height of a point.
    pub(super) fn text(&mut self, text: &str, x: f64, y: f64, colour: Rgb, side: TextSide, weight: Weight) {
        let (x, y) = self.at(x, y);
        let text = printable(text);
        let lines = self.setter.set(&text, weight, f32::INFINITY);
        let Some(line) = lines.first() else { return };
        let width = line.width * TEXT / 1000.0;
        let x = match side {
            TextSide::Left => x,
            TextSide::Right => x - width,
            TextSide::Center => x - width / 2.0,
        };
        // Capitals are 0.7 of the size high.
        let baseline = y + 0.36 * TEXT;
        self.sheet.text(self.setter, &text, line, TEXT, (x, baseline), colour);
    }

    pub(super) fn text_width(&mut self, text: &str) -> f64 {
        let width = self.setter.measure(&printable(text), Weight::Regular).line;
        rounded((width * TEXT / 1000.0).into())
    }

    /// A text on one line, or on two that are divided between words, the second one's end left out where it is too wide.
    pub(super) fn divided(&mut self, text: &str, room: f64) -> Vec<String> {
        if self.text_width(text) <= room {
            return vec![text.to_owned()];
        }
        let ends = text.char_indices().filter(|(_, character)| " -_/.,:@".contains(*character));
        let ends: Vec<usize> = ends.map(|(at, character)| at + character.len_utf8()).collect();
        let first = ends.into_iter().rev().find(|end| self.text_width(text[..*end].trim_end()) <= room);
        match first {
            Some(end) if end < text.len() => {
                vec![text[..end].trim_end().to_owned(), self.shortened(&text[end..], room)]
            }
            Some(_) | None => vec![self.shortened(text, room)],
        }
    }

    /// A text that is not wider than the room, its end left out where it is.
    pub(super) fn shortened(&mut self, text: &str, room: f64) -> String {
        if self.text_width(text) <= room {
            return text.to_owned();
        }
        let mut end = text.len();
        while end > 0 {
            end = text.floor_char_boundary(end - 1);
            let short = format!("{}\u{2026}", text[..end].trim_end());
            if self.text_width(&short) <= room {
                return short;
            }
        }
        String::new()
    }
}

fn rounded(points: f64) -> f64 {
    (points * PARTS).round() / PARTS
}

fn points(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a page is some hundred points wide")]
    let points = rounded(value) as f32;
    points
}
