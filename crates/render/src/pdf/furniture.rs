//! The lines at the top and bottom of a page.

use super::document::Part;
use super::faces::Weight;
use super::glyphs::advance;
use super::page::Sheet;
use super::settings::PdfSettings;
use super::style::{ACCENT, FOOTER, HEADER_BASELINE, MARGIN, MUTED, SMALL};
use super::typeset::{Typesetter, printable};

/// Draws the lines at the top and bottom of a page of this width and height.
pub(super) fn furniture(
    setter: &mut Typesetter,
    settings: &PdfSettings,
    sheet: &mut Sheet,
    (page_width, page_height): (f32, f32),
    part: Part,
    page: usize,
) {
    let foot = page_height - FOOTER;
    let counted = match part {
        Part::Cover => format!("Cover page {page} of "),
        Part::Table => format!("Page {page} of "),
        Part::Appendix => format!("Appendix page {page} of "),
    };
    let title = printable(&settings.title);
    let subtitle = printable(&settings.subtitle);
    let footer = printable(&settings.footer);
    sheet.begin_furniture();
    let room = (page_width - 2.0 * MARGIN) / SMALL * 1000.0;
    let mut put = |sheet: &mut Sheet, text: &str, weight, right: bool, y: f32| {
        let part = if right { 0.36 } else { 0.6 };
        let lines = setter.set(text, weight, room * part);
        let Some(line) = lines.first() else { return 0.0 };
        let width = line.width * SMALL / 1000.0;
        let x = if right { page_width - MARGIN - width } else { MARGIN };
        let colour = if weight == Weight::Bold { ACCENT } else { MUTED };
        sheet.text(setter, text, line, SMALL, (x, y), colour);
        advance(&line.glyphs) * SMALL / 1000.0
    };
    if part != Part::Cover || page > 1 {
        put(sheet, &title, Weight::Bold, false, HEADER_BASELINE);
        put(sheet, &subtitle, Weight::Regular, true, HEADER_BASELINE);
    }
    put(sheet, &footer, Weight::Regular, true, foot);
    let width = put(sheet, &counted, Weight::Regular, false, foot);
    sheet.form(part.total(), (MARGIN + width, foot));
    sheet.end();
}
