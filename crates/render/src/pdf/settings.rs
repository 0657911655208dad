//! How a PDF is made.

use super::fonts::FontSet;

/// The size of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paper {
    /// 297 by 210 mm.
    #[default]
    A4,
    /// 11 by 8.5 inches.
    Letter,
}

impl Paper {
    /// Width and height in points, the longer side across.
    pub(super) fn landscape(self) -> (f32, f32) {
        match self {
            Self::A4 => (841.89, 595.28),
            Self::Letter => (792.0, 612.0),
        }
    }

    /// Width and height in points, the longer side upright.
    pub(super) fn portrait(self) -> (f32, f32) {
        let (long, short) = self.landscape();
        (short, long)
    }
}

/// How a PDF is made.
#[derive(Debug, Clone)]
pub struct PdfSettings {
    /// Paper.
    pub paper: Paper,
    /// The most pages the table may have.
    pub pages_max: u32,
    /// The most lines a text may have; what is longer is cut and says so.
    pub text_lines_max: u32,
    /// The most lines a list of values may have. It is so high that lists of entitlements are there in full; it bounds
    /// the memory that a row takes.
    pub list_lines_max: u32,
    /// Bytes of rows that are held before the table begins. A report that has no more is known before its first page is
    /// written.
    pub held_bytes: usize,
    /// Fonts.
    pub fonts: FontSet,
    /// Language of labels and headings, as a BCP 47 tag.
    pub language: String,
    /// Title: the report's name, and what it is about.
    pub title: String,
    /// The text at the right of each page's head, such as the tenant.
    pub subtitle: String,
    /// The text at the right of each page's foot, such as the task's id.
    pub footer: String,
}

impl PdfSettings {
    /// A4, 5,000 pages, 30 lines of a text, 2,000 lines of a list, the fonts in the program, English.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            paper: Paper::A4,
            pages_max: 5000,
            text_lines_max: 30,
            list_lines_max: 2000,
            held_bytes: 8 << 20,
            fonts: FontSet::bundled(),
            language: "en".to_owned(),
            title: title.into(),
            subtitle: String::new(),
            footer: String::new(),
        }
    }
}
