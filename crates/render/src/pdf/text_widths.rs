//! How wide a text is.

/// The widths of a text and of its parts, in thousandths of the font size.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TextWidths {
    /// On one line.
    pub(super) line: f32,
    /// Of its words, in order.
    pub(super) words: Vec<f32>,
    /// Of its longest part without a space or punctuation after which a word may be divided.
    pub(super) piece: f32,
}

impl TextWidths {
    /// The width of its longest word.
    pub(super) fn longest_word(&self) -> f32 {
        self.words.iter().copied().fold(0.0, f32::max)
    }

    /// As wide as this, if it is less.
    pub(super) fn or_room_for(mut self, width: f32) -> Self {
        self.line = self.line.max(width);
        self.words.push(width);
        self
    }

    /// The widths of a text that is never divided.
    pub(super) fn whole(self) -> Self {
        Self { words: vec![self.line], piece: self.line, ..self }
    }
}
