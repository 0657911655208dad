//! How close the text of the table is set.

/// How close the text is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Density {
    /// Size of the text.
    pub(super) size: f32,
    /// Distance of baselines, in points.
    pub(super) leading: f32,
    /// Free space above and below the text of a cell.
    pub(super) above: f32,
}

impl Density {
    /// For tables of a few pages.
    pub(super) const WIDE: Self = Self { size: 8.0, leading: 10.0, above: 2.4 };
    /// For long tables.
    pub(super) const CLOSE: Self = Self { size: 7.0, leading: 8.0, above: 0.4 };

    /// The height of a row of so many lines.
    pub(super) fn height(self, lines: f32) -> f32 {
        lines * self.leading + 2.0 * self.above
    }
}
