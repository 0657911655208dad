//! Why there is no PDF.

use std::io;

use crate::RenderError;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// As for other files.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The table is too long; the caller leaves the format out and says so.
    #[error("the table has more than {max} pages")]
    TooManyPages {
        /// The most it may have.
        max: u32,
    },
    /// The file would have more parts than PDF/A-2 allows (ISO 19005-2, 6.1.13).
    #[error("the file has more than {max} objects")]
    TooManyObjects {
        /// The most it may have.
        max: u32,
    },
    /// A font could not be cut down to what is used of it.
    #[error("font {name:?} could not be embedded")]
    Font {
        /// Its PostScript name.
        name: String,
        /// What the subsetter answered.
        #[source]
        source: subsetter::Error,
    },
    /// A chart could not be drawn.
    #[error("chart {title:?} could not be drawn: {reason}")]
    Chart {
        /// Its title.
        title: String,
        /// What was wrong.
        reason: String,
    },
}

impl PdfError {
    /// Whether the report is merely too large for this format.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::TooManyPages { .. } | Self::TooManyObjects { .. } => true,
            Self::Render(_) | Self::Font { .. } | Self::Chart { .. } => false,
        }
    }
}

impl From<io::Error> for PdfError {
    fn from(error: io::Error) -> Self {
        Self::Render(error.into())
    }
}
