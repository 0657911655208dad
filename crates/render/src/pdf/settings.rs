//! How a PDF is made.

use super::fonts::FontSet;

/// The size of a page; it is printed in landscape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paper {
    /// 297 by 210 mm.
    #[default]
    A4,
    /// 11 by 8.5 inches.
    Letter,
}

impl Paper {
    /// Width and height in points.
    pub(super) fn landscape(self) -> (f32, f32) {
        match self {
            Self::A4 => (841.89, 595.28),
            Self::Letter => (792.0, 612.0),
        }
    }
}

/// How a PDF is made.
#[derive(Debug, Clone)]
pub struct PdfSettings {
    /// Paper.
    pub paper: Paper,
    /// The most pages the table may have.
    pub pages_max: u32,
    /// The most lines a cell of several values may have, and a third of what one text may have; what is longer is cut
    /// and says so.
    pub cell_lines_max: u32,
    /// Fonts.
    pub fonts: FontSet,
    /// Language of labels and headings, as a BCP 47 tag.
    pub language: String,
    /// Title: the report's name.
    pub title: String,
    /// The text at the right of each page's head, such as the tenant.
    pub subtitle: String,
    /// The text at the right of each page's foot, such as the task's id.
    pub footer: String,
}

impl PdfSettings {
    /// A4, 5,000 pages, 10 lines in a cell, the fonts in the program, English.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            paper: Paper::A4,
            pages_max: 5000,
            cell_lines_max: 10,
            fonts: FontSet::bundled(),
            language: "en".to_owned(),
            title: title.into(),
            subtitle: String::new(),
            footer: String::new(),
        }
    }
}
