//! Text to glyphs on lines: which font draws what, shaping, the order of right-to-left text, line breaks.
//!
//! Two ways lead to the same result. Text of simple Latin, Greek and Cyrillic letters (nearly all of a report) is
//! looked up letter by letter. All other text is divided into runs of one direction, script and font
//! (UAX #9, UAX #24) and shaped; its lines are shaped again after they are broken, because a break changes joined letters.
//!
//! Lengths are in thousandths of the font size, so that a measured text fits every size.

use std::collections::{BTreeMap, BTreeSet};

use rustybuzz::{ShapePlan, UnicodeBuffer};

use super::embed::Usage;
use super::fonts::{FontData, FontSet, bundled};
use super::line_breaks::{Unit, break_lines};
use super::shaping;

/// Place of the regular font among the faces.
pub(super) const REGULAR: u8 = 0;
/// Place of the bold font.
pub(super) const BOLD: u8 = 1;
/// Characters up to here may have an entry in the table of simple letters.
const SIMPLE_END: u32 = 0x2200;

/// Which of the two main fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

impl Weight {
    pub(super) fn face(self) -> u8 {
        match self {
            Self::Regular => REGULAR,
            Self::Bold => BOLD,
        }
    }
}

/// One glyph. Glyphs that together show the same bytes of the text are neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    pub(super) face: u8,
    /// The number in the font's file.
    pub(super) id: u16,
    pub(super) advance: f32,
    pub(super) dx: f32,
    pub(super) dy: f32,
    /// Whether the advance is the font's own.
    pub(super) plain: bool,
    /// Whether it is part of right-to-left text.
    pub(super) rtl: bool,
    /// The bytes of the text that it shows.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A line, its glyphs from left to right.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) glyphs: Vec<Glyph>,
    /// Width without spaces at its logical end.
    pub(super) width: f32,
    /// Where it ends in the text, in bytes.
    pub(super) end: usize,
    /// Whether it is part of a right-to-left paragraph.
    pub(super) rtl: bool,
}

/// A font that is ready to be shaped with.
pub(super) struct LoadedFace {
    pub(super) data: FontData,
    pub(super) face: rustybuzz::Face<'static>,
    /// Thousandths of an em for each unit of the font.
    pub(super) scale: f32,
    pub(super) usage: Usage,
}

impl LoadedFace {
    pub(super) fn glyph(&self, character: char) -> Option<u16> {
        self.face.glyph_index(character).map(|id| id.0).filter(|id| *id != 0)
    }

    pub(super) fn natural(&self, id: u16) -> f32 {
        let units = self.face.glyph_hor_advance(rustybuzz::ttf_parser::GlyphId(id)).unwrap_or(0);
        f32::from(units) * self.scale
    }
}

/// Sets text, and knows which glyphs were drawn.
pub(super) struct Typesetter {
    fonts: FontSet,
    pub(super) faces: Vec<LoadedFace>,
    /// Faces of fonts found in folders, by their number there.
    found: BTreeMap<usize, u8>,
    /// Glyph and advance of simple letters, 0 where there is none; for the regular and the bold font.
    simple: [Vec<(u16, f32)>; 2],
    /// Characters that were to be drawn and that no font has.
    pub(super) replaced: BTreeSet<char>,
    /// Set when one of them is drawn.
    pub(super) replaces: bool,
    pub(super) replacement: u16,
    pub(super) buffer: Option<UnicodeBuffer>,
    /// How to shape with a face, from right to left or not, in a script: making a plan takes longer than using it.
    pub(super) plans: BTreeMap<(u8, bool, u32), ShapePlan>,
    units: Vec<Unit>,
}

impl Typesetter {
    pub(super) fn new(fonts: FontSet) -> Self {
        let faces: Vec<LoadedFace> =
            bundled().map(|data| load(data).expect("the fonts in the program are fonts")).collect();
        let simple = [REGULAR, BOLD].map(|face| {
            let face = &faces[usize::from(face)];
            let entry = |code: u32| {
                let character = char::from_u32(code).filter(|character| is_simple(*character))?;
                let id = face.glyph(character)?;
                Some((id, face.natural(id)))
            };
            (0..SIMPLE_END).map(|code| entry(code).unwrap_or((0, 0.0))).collect()
        });
        let replacement = faces[usize::from(REGULAR)].glyph('\u{fffd}').expect("Noto Sans has U+FFFD");
        Self {
            fonts,
            faces,
            found: BTreeMap::new(),
            simple,
            replaced: BTreeSet::new(),
            replaces: false,
            replacement,
            buffer: Some(UnicodeBuffer::new()),
            plans: BTreeMap::new(),
            units: Vec::new(),
        }
    }

    /// The width of the text's longest line, and of its longest word.
    pub(super) fn measure(&mut self, text: &str, weight: Weight) -> (f32, f32) {
        let (mut longest, mut word) = (0.0_f32, 0.0_f32);
        for range in paragraphs(text) {
            let mut units = std::mem::take(&mut self.units);
            self.units_of(&text[range.clone()], range.start, weight, &mut units);
            let (mut line, mut spaces, mut current) = (0.0, 0.0, 0.0);
            for unit in &units {
                if unit.is_space() {
                    spaces += unit.advance;
                    current = 0.0;
                    continue;
                }
                line += spaces + unit.advance;
                spaces = 0.0;
                current = if unit.breaks_anywhere() { unit.advance } else { current + unit.advance };
                word = word.max(current);
            }
            longest = longest.max(line);
            self.units = units;
        }
        (longest, word)
    }

    /// Sets a text on lines no longer than `width`; one glyph may be longer than that. `text` must have been made
    /// [`printable`].
    pub(super) fn set(&mut self, text: &str, weight: Weight, width: f32) -> Vec<Line> {
        let mut lines = Vec::with_capacity(1);
        for range in paragraphs(text) {
            let paragraph = &text[range.clone()];
            match self.simple_glyphs(paragraph, range.start, weight) {
                Some(line) if line.width <= width => lines.push(line),
                Some(line) => self.break_simple(paragraph, range.start, line, width, &mut lines),
                None => self.set_complex(text, range, weight, width, &mut lines),
            }
        }
        lines
    }

    /// A whole paragraph of simple letters as one line.
    fn simple_glyphs(&self, paragraph: &str, offset: usize, weight: Weight) -> Option<Line> {
        let face = weight.face();
        let table = &self.simple[usize::from(face)];
        let mut glyphs = Vec::with_capacity(paragraph.len());
        let (mut pen, mut width) = (0.0, 0.0);
        for (at, character) in paragraph.char_indices() {
            let (id, advance) = *table.get(u32::from(character) as usize)?;
            if id == 0 {
                return None;
            }
            pen += advance;
            if character != ' ' {
                width = pen;
            }
            let start = to_u32(offset + at);
            let end = to_u32(offset + at + character.len_utf8());
            glyphs.push(Glyph { face, id, advance, dx: 0.0, dy: 0.0, plain: true, rtl: false, start, end });
        }
        Some(Line { glyphs, width, end: offset + paragraph.len(), rtl: false })
    }

    fn break_simple(
        &mut self,
        paragraph: &str,
        offset: usize,
        whole: Line,
        width: f32,
        lines: &mut Vec<Line>,
    ) {
        let mut units = std::mem::take(&mut self.units);
        units.clear();
        units.extend(paragraph.chars().zip(&whole.glyphs).map(|(character, glyph)| {
            Unit::new(character, glyph.start as usize - offset, glyph.end as usize - offset, glyph.advance)
        }));
        for range in break_lines(&units, width) {
            let end = offset + units[range.end - 1].end;
            let width = trimmed_width(&units[range.clone()]);
            lines.push(Line { glyphs: whole.glyphs[range].to_vec(), width, end, rtl: false });
        }
        self.units = units;
    }

    /// The units of a paragraph, for measuring and breaking.
    fn units_of(&mut self, paragraph: &str, offset: usize, weight: Weight, units: &mut Vec<Unit>) {
        units.clear();
        match self.simple_glyphs(paragraph, offset, weight) {
            Some(line) => units.extend(paragraph.chars().zip(&line.glyphs).map(|(character, glyph)| {
                Unit::new(
                    character,
                    glyph.start as usize - offset,
                    glyph.end as usize - offset,
                    glyph.advance,
                )
            })),
            None => {
                let bidi = unicode_bidi::BidiInfo::new(paragraph, None);
                let items = shaping::items(self, paragraph, &bidi.levels, weight);
                shaping::units(self, paragraph, &items, units);
            }
        }
    }

    fn set_complex(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        weight: Weight,
        width: f32,
        lines: &mut Vec<Line>,
    ) {
        let paragraph = &text[range.clone()];
        let bidi = unicode_bidi::BidiInfo::new(paragraph, None);
        let items = shaping::items(self, paragraph, &bidi.levels, weight);
        let mut units = std::mem::take(&mut self.units);
        units.clear();
        shaping::units(self, paragraph, &items, &mut units);
        for cut in break_lines(&units, width) {
            let bytes = units[cut.start].start..units[cut.end - 1].end;
            let mut line = shaping::line(self, paragraph, &bidi, &items, bytes.clone());
            for glyph in &mut line.glyphs {
                glyph.start += to_u32(range.start);
                glyph.end += to_u32(range.start);
            }
            line.width = trimmed_width(&units[cut]);
            line.end = range.start + bytes.end;
            lines.push(line);
        }
        self.units = units;
    }

    /// The face that draws a character, and `None` where no font has it.
    pub(super) fn face_for(&mut self, character: char, weight: Weight) -> Option<u8> {
        let main = weight.face();
        if self.faces[usize::from(main)].glyph(character).is_some() {
            return Some(main);
        }
        let count = bundled().count();
        let other = |face: &usize| *face != usize::from(BOLD) && self.faces[*face].glyph(character).is_some();
        if let Some(face) = (0..count).find(other) {
            return u8::try_from(face).ok();
        }
        if let Some((place, data)) = self.fonts.search(character) {
            if let Some(face) = self.found.get(&place) {
                return Some(*face);
            }
            let face = u8::try_from(self.faces.len()).ok()?;
            if let Some(loaded) = load(data)
                && loaded.glyph(character).is_some()
            {
                self.faces.push(loaded);
                self.found.insert(place, face);
                return Some(face);
            }
        }
        None
    }
}

fn load(data: FontData) -> Option<LoadedFace> {
    let face = data.face()?;
    #[expect(clippy::cast_precision_loss, reason = "a font has at most 16,384 units")]
    let scale = 1000.0 / face.units_per_em() as f32;
    Some(LoadedFace { data, face, scale, usage: Usage::default() })
}

/// The width without the spaces at the end.
fn trimmed_width(units: &[Unit]) -> f32 {
    let end = units.iter().rposition(|unit| !unit.is_space()).map_or(0, |last| last + 1);
    units[..end].iter().map(|unit| unit.advance).sum()
}

/// Simple letters: one glyph each, whatever their neighbours are.
fn is_simple(character: char) -> bool {
    matches!(u32::from(character),
        0x20..=0x7e | 0xa0..=0xac | 0xae..=0x24f | 0x370..=0x482 | 0x48a..=0x52f | 0x1e00..=0x1fff
        | 0x2010..=0x2027 | 0x2030..=0x205e | 0x20a0..=0x20bf | 0x2100..=0x214f | 0x2190..=0x21ff)
}

/// The paragraphs of a text, without their line ends.
fn paragraphs(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let base = text.as_ptr() as usize;
    text.split('\n').map(move |part| {
        let start = part.as_ptr() as usize - base;
        start..start + part.len()
    })
}

/// The text with one kind of line end and of space, and nothing that has no form on paper.
pub(super) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let strange = |character: char| {
        character.is_control() && character != '\n' || matches!(character, '\u{2028}' | '\u{2029}' | '\u{ad}')
    };
    if !text.contains(strange) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push(' '),
            // A soft hyphen only says where a word may be divided.
            '\u{ad}' => {}
            other if other.is_control() && other != '\n' => clean.push('\u{fffd}'),
            other => clean.push(other),
        }
    }
    clean.into()
}

pub(super) fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a cell's text is cut far below 4 GiB")
}
