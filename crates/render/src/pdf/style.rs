//! How pages look: sizes in points, colours. Text has a contrast of at least 7 to 1 on its ground.

/// A colour.
pub(super) type Rgb = (u8, u8, u8);

/// Free space at the left and right of a page.
pub(super) const MARGIN: f32 = 32.0;
/// Baseline of the line at the top of a page.
pub(super) const HEADER_BASELINE: f32 = 25.0;
/// Where what the page is about begins.
pub(super) const TOP: f32 = 34.0;
/// Free space at the bottom, the footer in it.
pub(super) const BOTTOM: f32 = 31.0;
/// Distance of the footer's baseline from the lower edge.
pub(super) const FOOTER: f32 = 17.0;
/// Text of header and footer.
pub(super) const SMALL: f32 = 7.5;
/// Text of the cover.
pub(super) const BODY: f32 = 8.5;
/// Free space at each side of the text of a cell, in sizes of the text.
pub(super) const CELL_SIDE: f32 = 0.44;

/// Text.
pub(super) const INK: Rgb = (0x11, 0x18, 0x27);
/// Text that is less important.
pub(super) const MUTED: Rgb = (0x47, 0x55, 0x69);
/// Headings.
pub(super) const ACCENT: Rgb = (0x1e, 0x3a, 0x6e);
/// Ground of a table's header.
pub(super) const HEAD: Rgb = (0xea, 0xef, 0xf6);
/// Line under a table's header.
pub(super) const STRONG_RULE: Rgb = (0x94, 0xa3, 0xb8);
/// Ground of the heading of some rows.
pub(super) const GROUP: Rgb = (0xf4, 0xf6, 0xfa);
/// Line between rows.
pub(super) const RULE: Rgb = (0xdd, 0xe3, 0xeb);
/// Ground of a warning.
pub(super) const WARNING: Rgb = (0xfe, 0xf3, 0xc7);
/// Edge of a warning.
pub(super) const WARNING_EDGE: Rgb = (0xb4, 0x53, 0x09);
