//! The glyphs that were drawn.
//!
//! A glyph gets its number in the file when it is first drawn, so pages can be written at once and the fonts at the end.
//! A number means one text in the file's `ToUnicode` table: the first that it was drawn for.
//!
//! Numbers are given out in the order of the pages. Once a glyph has one, it never changes, so a page whose glyphs all have
//! numbers can be drawn by any thread.

use std::sync::Arc;

use subsetter::GlyphRemapper;

/// The glyphs of one font that were drawn.
#[derive(Clone)]
pub(super) struct Usage {
    pub(super) remapper: GlyphRemapper,
    /// The text of each glyph by its number in the file; 0 is `.notdef`.
    pub(super) texts: Vec<Arc<str>>,
    /// By a glyph's number in the font: its number in the file and its letter, if it has one, so that the many
    /// glyphs of a table are found without a hash.
    letters: Vec<(u16, char)>,
}

impl Default for Usage {
    fn default() -> Self {
        Self { remapper: GlyphRemapper::new(), texts: vec!["".into()], letters: Vec::new() }
    }
}

impl Usage {
    pub(super) fn is_empty(&self) -> bool {
        self.texts.len() == 1
    }

    /// Whether a glyph has this text, or none yet.
    pub(super) fn fits(&self, id: u16, text: &str) -> bool {
        self.remapper.get(id).is_none_or(|number| *self.texts[usize::from(number)] == *text)
    }

    /// The number in the file of a glyph that has one, and whether its text there is just this one.
    #[inline]
    pub(super) fn known(&self, id: u16, text: &str) -> Option<(u16, bool)> {
        let known = self.letters.get(usize::from(id)).copied().unwrap_or((0, '\0'));
        if known.0 != 0 && only_letter(text) == Some(known.1) {
            return Some((known.0, true));
        }
        let number = self.remapper.get(id)?;
        // `.notdef` has a number and no text.
        let own = self.texts.get(usize::from(number))?;
        Some((number, **own == *text))
    }

    /// Gives a number to a glyph that has none; this is its text.
    pub(super) fn add(&mut self, id: u16, text: &str) -> u16 {
        let number = self.remapper.remap(id);
        self.texts.push(text.into());
        if let Some(letter) = only_letter(text) {
            let end = self.letters.len().max(usize::from(id) + 1);
            self.letters.resize(end, (0, '\0'));
            self.letters[usize::from(id)] = (number, letter);
        }
        number
    }
}

/// The letter of a text that is one letter long.
#[inline]
fn only_letter(text: &str) -> Option<char> {
    let mut letters = text.chars();
    letters.next().filter(|_| letters.as_str().is_empty())
}
