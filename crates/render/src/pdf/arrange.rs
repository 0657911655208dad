//! What the table looks like: decided from the rows that are held before the first page is written.
//!
//! A table of a few pages is set wide. A longer one is set close, across or upright, whichever takes fewer pages. Where all
//! rows are held, a column that has one value throughout is said once above the table.

use super::columns::{ColumnSample, Fitted, fit};
use super::density::Density;
use super::faces::Weight;
use super::group::GroupForm;
use super::layout::{ColumnForm, ColumnKind, TableForm};
use super::settings::Paper;
use super::style::{BOTTOM, MARGIN, TOP};
use super::texts::Texts;
use super::typeset::{Typesetter, printable};

/// Rows whose texts are measured; they are spread over all that are held.
const MEASURED_ROWS: usize = 1000;
/// Bytes of a text that are measured.
const MEASURED_BYTES: usize = 2000;
/// Pages up to which a table is set wide.
const WIDE_PAGES_MAX: f32 = 8.0;
/// How many times as many pages a table across may take as one upright.
const ACROSS_PAGES: f32 = 1.05;
/// In a table of fewer rows, every column is kept: its values may be alike by chance.
const CONSTANT_ROWS_MIN: usize = 10;
/// Room to write something by hand, in thousandths of the font size: some 23 mm.
const WRITTEN: f32 = 9_000.0;
/// A longer value is not said above the table.
const CONSTANT_BYTES_MAX: usize = 120;

/// A column that the table may show.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) label: String,
    pub(super) kind: ColumnKind,
    /// The place of its text among those of a row.
    pub(super) place: usize,
    /// Whether a reader fills it in by hand.
    pub(super) is_filled_in: bool,
}

/// The rows that are held.
pub(super) struct Held<'a> {
    pub(super) texts: &'a Texts,
    /// Texts of a row.
    pub(super) per_row: usize,
    /// Whether the report has no others.
    pub(super) is_all: bool,
}

impl Held<'_> {
    fn rows(&self) -> usize {
        self.texts.len() / self.per_row.max(1)
    }

    fn text(&self, row: usize, place: usize) -> &str {
        self.texts.cell(row * self.per_row + place)
    }

    /// The value that a column has in every row of the report, if that is known.
    fn constant(&self, place: usize) -> Option<&str> {
        if !self.is_all || self.rows() < CONSTANT_ROWS_MIN {
            return None;
        }
        let value = self.text(0, place);
        let same =
            value.len() <= CONSTANT_BYTES_MAX && (1..self.rows()).all(|row| self.text(row, place) == value);
        same.then_some(value)
    }

    /// Groups of rows that have a text in common.
    fn groups(&self, key: usize) -> usize {
        let begins = |row: &usize| *row == 0 || self.text(*row, key) != self.text(*row - 1, key);
        (0..self.rows()).filter(begins).count()
    }
}

/// The form of the table, and what is said above it.
pub(super) fn arrange(
    setter: &mut Typesetter,
    candidates: &[Candidate],
    group: Option<GroupForm>,
    held: &Held<'_>,
    paper: Paper,
) -> (TableForm, Vec<String>) {
    let (columns, remarks) = without_constants(candidates, held);
    let samples: Vec<ColumnSample> = columns.iter().map(|column| sample(setter, column, held)).collect();
    let across = paper.landscape();
    let headings = group.as_ref().map_or(0.0, |group| ratio(held.groups(group.key), held.rows().max(1)));
    let try_out = |density: Density, page: (f32, f32)| {
        let fitted = fit(&samples, page.0 - 2.0 * MARGIN, density.size);
        let row = density.height(fitted.lines) + headings * density.height(1.0);
        // A header of two lines.
        let room = page.1 - TOP - BOTTOM - density.height(2.0);
        let pages = ratio(held.rows(), 1) * row / room;
        Trial { density, page, fitted, pages }
    };
    let wide = try_out(Density::WIDE, across);
    let chosen = if held.is_all && wide.fitted.is_comfortable && wide.pages <= WIDE_PAGES_MAX {
        wide
    } else {
        let (across, upright) = (try_out(Density::CLOSE, across), try_out(Density::CLOSE, paper.portrait()));
        let is_shorter = across.pages > ACROSS_PAGES * upright.pages;
        if upright.fitted.is_comfortable && is_shorter { upright } else { across }
    };
    let columns = columns.iter().zip(&chosen.fitted.widths).map(|(column, width)| ColumnForm {
        label: column.label.clone(),
        kind: column.kind,
        place: column.place,
        width: *width,
    });
    let form = TableForm {
        columns: columns.collect(),
        group,
        texts: held.per_row,
        density: chosen.density,
        page: chosen.page,
    };
    (form, remarks)
}

/// What a table would be like.
struct Trial {
    density: Density,
    page: (f32, f32),
    fitted: Fitted,
    pages: f32,
}

/// The columns that differ from row to row, and a remark about the others. At least one column is left.
fn without_constants(candidates: &[Candidate], held: &Held<'_>) -> (Vec<Candidate>, Vec<String>) {
    let (mut kept, mut said) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match held.constant(candidate.place).filter(|_| !candidate.is_filled_in) {
            Some("") => said.push(format!("{}: empty", candidate.label)),
            Some(value) => said.push(format!("{}: {value}", candidate.label)),
            None => kept.push(candidate.clone()),
        }
    }
    if kept.is_empty() || said.is_empty() {
        return (candidates.to_vec(), Vec::new());
    }
    (kept, vec![format!("The same in every row: {}.", said.join(" \u{b7} "))])
}

fn sample(setter: &mut Typesetter, column: &Candidate, held: &Held<'_>) -> ColumnSample {
    let header = setter.measure(&printable(&column.label), Weight::Bold);
    let mut sample = ColumnSample { header, cells: Vec::new() };
    for row in measured(held.rows()) {
        let text = held.text(row, column.place);
        let text = printable(&text[..text.floor_char_boundary(MEASURED_BYTES)]).into_owned();
        let widths = setter.measure(&text, Weight::Regular);
        // Date and time stay on one line.
        let widths = if column.kind.time { widths.whole() } else { widths };
        sample.cells.push(if column.is_filled_in { widths.or_room_for(WRITTEN) } else { widths });
    }
    sample
}

/// The rows that are measured: one of each of some equally long runs, not always at the same place in its run, because
/// rows may repeat at a distance.
fn measured(rows: usize) -> impl Iterator<Item = usize> {
    let run = rows.div_ceil(MEASURED_ROWS).max(1);
    // Multiples of this number modulo 2^32 are spread evenly (Knuth's multiplicative hash).
    let place = move |number: usize| (number.wrapping_mul(2_654_435_761) >> 7) % run;
    (0..rows.div_ceil(run)).map(move |number| number * run + place(number)).filter(move |row| *row < rows)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn ratio(one: usize, other: usize) -> f32 {
    one as f32 / other as f32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::super::fonts::FontSet;
    use super::*;

    /// Rows of three texts: a key that two rows have in common, a constant, and a number.
    fn texts(rows: usize) -> Texts {
        let keys = StringArray::from_iter_values((0..rows).map(|row| format!("key {}", row / 2)));
        let constants = StringArray::from_iter_values((0..rows).map(|_| "Workday"));
        let numbers = StringArray::from_iter_values((0..rows).map(|row| row.to_string()));
        let arrays: [ArrayRef; 3] = [Arc::new(keys), Arc::new(constants), Arc::new(numbers)];
        Texts::of(&arrays, 0..rows)
    }

    fn arranged(rows: usize, is_all: bool) -> (TableForm, Vec<String>) {
        arranged_with(rows, is_all, None)
    }

    fn arranged_with(rows: usize, is_all: bool, filled_in: Option<usize>) -> (TableForm, Vec<String>) {
        let texts = texts(rows);
        let held = Held { texts: &texts, per_row: 3, is_all };
        let column = |label: &str, place| Candidate {
            label: label.to_owned(),
            kind: ColumnKind::default(),
            place,
            is_filled_in: filled_in == Some(place),
        };
        let columns = [column("Key", 0), column("Source", 1), column("Number", 2)];
        arrange(&mut Typesetter::new(FontSet::bundled()), &columns, None, &held, Paper::A4)
    }

    #[test]
    fn a_column_with_one_value_is_said_above_the_table() {
        let places = |form: &TableForm| form.columns.iter().map(|column| column.place).collect::<Vec<_>>();
        let (form, remarks) = arranged(20, true);
        assert_eq!(
            (places(&form), remarks),
            (vec![0, 2], vec!["The same in every row: Source: Workday.".to_owned()])
        );
        // Nine rows may be alike by chance, and of later rows nothing is known.
        for (rows, is_all) in [(9, true), (20, false)] {
            let (form, remarks) = arranged(rows, is_all);
            assert_eq!((places(&form), remarks.len()), (vec![0, 1, 2], 0));
        }
    }

    #[test]
    fn a_column_that_is_filled_in_stays_and_has_room() {
        let (form, remarks) = arranged_with(20, true, Some(1));
        let column = form.columns.iter().find(|column| column.place == 1).expect("it is there");
        assert!(remarks.is_empty() && column.width >= 65.0, "{remarks:?}, {} pt", column.width);
    }

    #[test]
    fn short_tables_are_set_wide_and_long_ones_upright_where_that_saves_pages() {
        let (short, _) = arranged(100, true);
        assert_eq!((short.density, short.page), (Density::WIDE, Paper::A4.landscape()));
        let (long, _) = arranged(3000, true);
        assert_eq!((long.density, long.page), (Density::CLOSE, Paper::A4.portrait()));
    }

    /// Whatever the distance is at which rows repeat, all of their kinds are measured.
    #[test]
    fn measured_rows_do_not_keep_time_with_the_report() {
        for rows in [999, 1000, 5000, 10_000, 36_000] {
            let measured: Vec<usize> = measured(rows).collect();
            assert!((500..=1000).contains(&measured.len()) && measured.is_sorted(), "{}", measured.len());
            for distance in [2, 3, 5, 7, 10] {
                let kinds: std::collections::BTreeSet<usize> =
                    measured.iter().map(|row| row % distance).collect();
                assert_eq!(kinds.len(), distance, "{rows} rows that repeat after {distance}");
            }
        }
    }

    #[test]
    fn groups_are_counted_where_the_key_changes() {
        let texts = texts(7);
        assert_eq!(Held { texts: &texts, per_row: 3, is_all: true }.groups(0), 4);
    }
}
