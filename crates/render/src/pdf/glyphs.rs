//! Glyphs, and the lines that they make.
//!
//! Lengths are in thousandths of the font size, so that a measured text fits every size.

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

/// How much room glyphs take.
pub(super) fn advance(glyphs: &[Glyph]) -> f32 {
    glyphs.iter().map(|glyph| glyph.advance).sum()
}

/// A place in a text.
pub(super) fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a cell's text is cut far below 4 GiB")
}
