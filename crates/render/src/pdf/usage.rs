//! The glyphs that were drawn.
//!
//! A glyph gets its number in the file when it is first drawn, so pages can be written at once and the fonts at the end.
//! A number means one text in the file's `ToUnicode` table: the first that it was drawn for.

use subsetter::GlyphRemapper;

/// The glyphs of one font that were drawn.
pub(super) struct Usage {
    pub(super) remapper: GlyphRemapper,
    /// The text of each glyph by its number in the file; 0 is `.notdef`.
    pub(super) texts: Vec<Box<str>>,
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

    /// The glyph's number in the file, and whether its text there is just this one.
    pub(super) fn take(&mut self, id: u16, text: &str) -> (u16, bool) {
        let mut letters = text.chars();
        let letter = letters.next().filter(|_| letters.next().is_none());
        let known = self.letters.get(usize::from(id)).copied().unwrap_or((0, '\0'));
        if known.0 != 0 && letter == Some(known.1) {
            return (known.0, true);
        }
        let number = self.remapper.remap(id);
        match self.texts.get(usize::from(number)) {
            Some(known) => (number, **known == *text),
            None => {
                self.texts.push(text.into());
                if let Some(letter) = letter {
                    let end = self.letters.len().max(usize::from(id) + 1);
                    self.letters.resize(end, (0, '\0'));
                    self.letters[usize::from(id)] = (number, letter);
                }
                (number, true)
            }
        }
    }
}
