//! The heading above the rows of a group: its title, then the other columns that all of its rows have in common.

use super::density::Density;
use super::faces::Weight;
use super::glyphs::Line;
use super::page::{Align, Sheet};
use super::style::{CELL_SIDE, GROUP, INK, MARGIN, RULE};
use super::typeset::{Typesetter, printable};

/// Part of the width that a title may take beside the rest.
const TITLE_PART: f32 = 0.5;
/// Most lines of the title, and of the rest.
const LINES_MAX: usize = 3;
/// Distance of the first baseline from the upper edge of the text, in sizes of the text.
const ASCENT: f32 = 0.95;

/// Where the heading has its texts among those of a row.
#[derive(Debug, Clone)]
pub(super) struct GroupForm {
    /// The text by which rows belong together.
    pub(super) key: usize,
    /// Labels and places of what the heading shows.
    pub(super) columns: Vec<(String, usize)>,
}

/// A heading on lines.
pub(super) struct SetGroup {
    pub(super) key: String,
    title: (String, Vec<Line>),
    rest: (String, Vec<Line>),
    /// Where the rest begins, from the left edge of the table.
    rest_left: f32,
    density: Density,
    pub(super) height: f32,
    /// Whether its characters are all in the fonts of the program.
    pub(super) anywhere: bool,
}

impl GroupForm {
    /// The heading above a row that has these texts, over a table so wide.
    pub(super) fn set<'t>(
        &self,
        setter: &mut Typesetter,
        text: impl Fn(usize) -> &'t str,
        width: f32,
        density: Density,
    ) -> SetGroup {
        let lacked = std::mem::take(&mut setter.faces.lacks_characters);
        let Density { size, leading, above } = density;
        let side = CELL_SIDE * size;
        let mut shown = self.columns.iter().filter(|(_, place)| !text(*place).is_empty());
        let empty = || self.columns.first().map_or_else(String::new, |(label, _)| format!("{label}: empty"));
        let title = shown.next().map_or_else(empty, |(_, place)| text(*place).to_owned());
        let rest: Vec<String> = shown.map(|(label, place)| format!("{label}: {}", text(*place))).collect();
        let (title, rest) = (printable(&title).into_owned(), printable(&rest.join(" \u{b7} ")).into_owned());
        let room = |points: f32| points / size * 1000.0;
        let mut titles = setter.set(&title, Weight::Bold, room(width * TITLE_PART - side));
        titles.truncate(LINES_MAX);
        let title_width = titles.iter().map(|line| line.width).fold(0.0, f32::max) * size / 1000.0;
        let rest_left = side + title_width + 1.5 * size;
        let mut rests = if rest.is_empty() {
            Vec::new()
        } else {
            setter.set(&rest, Weight::Regular, room(width - rest_left - side))
        };
        rests.truncate(LINES_MAX);
        #[expect(clippy::cast_precision_loss, reason = "at most three lines")]
        let lines = titles.len().max(rests.len()) as f32;
        let anywhere = !std::mem::replace(&mut setter.faces.lacks_characters, lacked);
        SetGroup {
            key: text(self.key).to_owned(),
            title: (title, titles),
            rest: (rest, rests),
            rest_left,
            density,
            height: lines * leading + 2.0 * above,
            anywhere,
        }
    }
}

impl SetGroup {
    /// Draws it at a height; as an element's content, or as a repetition that is not read aloud.
    pub(super) fn draw(
        &self,
        setter: &mut Typesetter,
        sheet: &mut Sheet,
        top: f32,
        width: f32,
        element: Option<usize>,
    ) {
        let Density { size, leading, above } = self.density;
        sheet.begin_decoration();
        sheet.rectangle(MARGIN, top, width, self.height, GROUP);
        sheet.line((MARGIN, top + self.height), (MARGIN + width, top + self.height), RULE, 0.4);
        sheet.end();
        match element {
            Some(element) => sheet.begin(element),
            None => sheet.begin_furniture(),
        }
        let side = CELL_SIDE * size;
        let baseline = top + above + size * ASCENT;
        for ((text, lines), left, right) in
            [(&self.title, side, self.rest_left), (&self.rest, self.rest_left, width - side)]
        {
            let (left, room) = (MARGIN + left, right - left);
            // A title from right to left stays at the left, before the rest.
            let mut y = baseline;
            for line in lines {
                let room = if line.rtl { (line.width * size / 1000.0).min(room) } else { room };
                let one = std::slice::from_ref(line);
                sheet.lines(setter, text, one, size, left, room, y, leading, Align::Left, INK);
                y += leading;
            }
        }
        sheet.end();
    }
}
