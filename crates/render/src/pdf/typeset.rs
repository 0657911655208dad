//! Text to glyphs on lines: simple letters, the order of right-to-left text, line breaks.
//!
//! Two ways lead to the same result. Text of simple Latin, Greek and Cyrillic letters (nearly all of a report) is
//! looked up letter by letter. All other text is divided into runs of one direction, script and font
//! (UAX #9, UAX #24) and shaped; its lines are shaped again after they are broken, because a break changes joined letters.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::faces::{BOLD, Faces, LoadedFace, REGULAR, Weight};
use super::fonts::FontSet;
use super::glyphs::{Glyph, Line, to_u32};
use super::line_breaks::{Unit, break_lines};
use super::shaping;
use super::text_widths::TextWidths;
use super::usage::Usage;

/// Characters up to here may have an entry in the table of simple letters.
const SIMPLE_END: u32 = 0x2200;

/// The table of simple letters of the regular and of the bold font, made once for the process.
static SIMPLE: OnceLock<[Vec<(u16, f32)>; 2]> = OnceLock::new();

/// Sets text, and knows which glyphs were drawn.
pub(super) struct Typesetter {
    pub(super) faces: Faces,
    /// Glyph and advance of simple letters, 0 where there is none; for the regular and the bold font.
    simple: &'static [Vec<(u16, f32)>; 2],
    /// Characters that were to be drawn and that no font has.
    pub(super) replaced: BTreeSet<char>,
    /// Set when one of them is drawn.
    pub(super) replaces: bool,
    pub(super) numbering: Numbering,
    units: Vec<Unit>,
}

/// Whether glyphs may get numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    /// Each glyph gets the next number when it is first drawn.
    Growing,
    /// A glyph without a number is drawn wrongly, and `lacks` is set.
    Fixed { lacks: bool },
}

impl Numbering {
    /// The number of a face's glyph that is drawn for a text, and whether its text in the file is just this one.
    #[inline]
    pub(super) fn number(&mut self, face: &mut LoadedFace, id: u16, text: &str) -> (u16, bool) {
        if let Some(known) = face.usage.known(id, text) {
            return known;
        }
        match self {
            Self::Growing => (Arc::make_mut(&mut face.usage).add(id, text), true),
            Self::Fixed { lacks } => {
                *lacks = true;
                (0, true)
            }
        }
    }
}

impl Typesetter {
    pub(super) fn new(fonts: FontSet) -> Self {
        let faces = Faces::new(fonts);
        let simple = SIMPLE.get_or_init(|| [REGULAR, BOLD].map(|face| simple_letters(&faces, face)));
        Self {
            faces,
            simple,
            replaced: BTreeSet::new(),
            replaces: false,
            numbering: Numbering::Growing,
            units: Vec::new(),
        }
    }

    /// The glyphs that have numbers now.
    pub(super) fn numbers(&self) -> Vec<Arc<Usage>> {
        self.faces.loaded.iter().map(|face| face.usage.clone()).collect()
    }

    /// Draws with these numbers, and gives out no further ones.
    pub(super) fn fix_numbers(&mut self, numbers: Vec<Arc<Usage>>) {
        for (face, numbers) in self.faces.loaded.iter_mut().zip(numbers) {
            face.usage = numbers;
        }
        self.numbering = Numbering::Fixed { lacks: false };
        self.replaces = false;
        self.faces.lacks_characters = false;
    }

    /// Whether what was set or drawn since the numbers were fixed needs a font, or a number, that is not here.
    pub(super) fn lacks(&self) -> bool {
        self.numbering == Numbering::Fixed { lacks: true } || self.replaces || self.faces.lacks_characters
    }

    /// How wide a text is, and its parts that no line break divides.
    pub(super) fn measure(&mut self, text: &str, weight: Weight) -> TextWidths {
        let mut widths = TextWidths::default();
        for range in paragraphs(text) {
            let mut units = std::mem::take(&mut self.units);
            self.units_of(&text[range.clone()], range.start, weight, &mut units);
            let (mut line, mut spaces, mut in_word, mut piece) = (0.0, 0.0, false, 0.0);
            for unit in &units {
                if unit.is_space() {
                    spaces += unit.advance;
                    (in_word, piece) = (false, 0.0);
                    continue;
                }
                line += spaces + unit.advance;
                spaces = 0.0;
                let goes_on = in_word && !unit.breaks_anywhere();
                match widths.words.last_mut() {
                    Some(word) if goes_on => *word += unit.advance,
                    Some(_) | None => widths.words.push(unit.advance),
                }
                piece = if goes_on { piece + unit.advance } else { unit.advance };
                widths.piece = widths.piece.max(piece);
                if unit.is_joint() {
                    piece = 0.0;
                }
                in_word = !unit.breaks_anywhere();
            }
            widths.line = widths.line.max(line);
            self.units = units;
        }
        widths
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
                let items = shaping::items(&mut self.faces, paragraph, &bidi.levels, weight);
                shaping::units(&mut self.faces, paragraph, &items, units);
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
        let items = shaping::items(&mut self.faces, paragraph, &bidi.levels, weight);
        let mut units = std::mem::take(&mut self.units);
        units.clear();
        shaping::units(&mut self.faces, paragraph, &items, &mut units);
        for cut in break_lines(&units, width) {
            let bytes = units[cut.start].start..units[cut.end - 1].end;
            let mut line = shaping::line(&mut self.faces, paragraph, &bidi, &items, bytes.clone());
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
}

/// Glyph and advance of each simple letter that a face has, by its code.
fn simple_letters(faces: &Faces, face: u8) -> Vec<(u16, f32)> {
    let face = &faces.loaded[usize::from(face)];
    let entry = |code: u32| {
        let character = char::from_u32(code).filter(|character| is_simple(*character))?;
        let id = face.glyph(character)?;
        Some((id, face.natural(id)))
    };
    (0..SIMPLE_END).map(|code| entry(code).unwrap_or((0, 0.0))).collect()
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

/// The text with one kind of line end and of space, and nothing that has no form on paper. Marks that turn the direction of
/// what follows are shown as signs: a name with one of them would change what the rest of its line says.
pub(super) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let strange = |character: char| {
        character.is_control() && character != '\n'
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{ad}')
            || turns(character)
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
            other if turns(other) => clean.push_str(&format!("[U+{:04X}]", u32::from(other))),
            other if other.is_control() && other != '\n' => clean.push('\u{fffd}'),
            other => clean.push(other),
        }
    }
    clean.into()
}

/// Whether it embeds, overrides or isolates a direction (UAX #9). Letters of right-to-left scripts need none of these, and
/// marks such as U+200F turn nothing but what is beside them.
fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_turn_a_line_are_shown() {
        for (text, expected) in [
            ("Ann \u{202e}nimda", "Ann [U+202E]nimda"),
            ("\u{2066}a\u{2069}\u{202a}b\u{202c}", "[U+2066]a[U+2069][U+202A]b[U+202C]"),
            // A right-to-left name needs no mark, and may have one that turns nothing else.
            ("\u{645}\u{62d}\u{645}\u{62f}\u{200f}!", "\u{645}\u{62d}\u{645}\u{62f}\u{200f}!"),
            ("a\tb", "a b"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    /// What is drawn has the order of what was written, whatever stands in it.
    #[test]
    fn no_text_turns_what_stands_beside_it() {
        let mut setter = Typesetter::new(FontSet::bundled());
        let text = printable("ab\u{202e}cd");
        let lines = setter.set(&text, Weight::Regular, 1e6);
        let starts: Vec<_> = lines[0].glyphs.iter().map(|glyph| glyph.start).collect();
        assert!(starts.is_sorted(), "{starts:?}");
        assert_eq!(lines.len(), 1);
    }
}
