//! Tables that fit the terminal: columns without a cell are left out, and the widest texts are cut and end with an ellipsis.
//!
//! Ids and numbers are not cut: an id is there to be copied, and a number without its end is another number.

use super::Column;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const ELLIPSIS: char = '…';
/// A column is not made narrower than this.
const WIDTH_LEAST: usize = 8;
/// What each column of the table takes beside its text: a space before and after it, and one to the next column.
const PADDING: usize = 3;
/// The last column has no next one, and the space after its text is not written.
const PADDING_SAVED: usize = 2;

/// The columns and rows of a table of which each line takes at most `width` columns of the terminal, as far as that can be
/// had.
pub fn fitted(columns: &[Column], rows: Vec<Vec<String>>, width: usize) -> (Vec<Column>, Vec<Vec<String>>) {
    if over(&widths(columns, &rows), width) == 0 {
        return (columns.to_vec(), rows);
    }
    let has_cells: Vec<_> = (0..columns.len())
        .map(|at| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let columns: Vec<_> = kept(columns.iter().copied(), &has_cells);
    let mut rows: Vec<Vec<String>> = rows.into_iter().map(|row| kept(row.into_iter(), &has_cells)).collect();
    cut(&columns, &mut rows, width);
    (columns, rows)
}

fn kept<T>(items: impl Iterator<Item = T>, wanted: &[bool]) -> Vec<T> {
    items.zip(wanted).filter_map(|(item, wanted)| wanted.then_some(item)).collect()
}

fn widths(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<_> = columns.iter().map(|column| column.title.width()).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.width());
        }
    }
    widths
}

/// How many columns of the terminal are too few.
fn over(widths: &[usize], width: usize) -> usize {
    (widths.iter().sum::<usize>() + PADDING * widths.len()).saturating_sub(width + PADDING_SAVED)
}

fn cut(columns: &[Column], rows: &mut [Vec<String>], width: usize) {
    let mut widths = widths(columns, rows);
    let may_cut: Vec<_> = columns
        .iter()
        .map(|column| !column.number && column.title != "id" && !column.title.ends_with(" id"))
        .collect();
    let least = |at: usize| columns[at].title.width().max(WIDTH_LEAST);
    for _ in 0..over(&widths, width) {
        let candidates = (0..widths.len()).filter(|at| may_cut[*at] && widths[*at] > least(*at));
        let Some(widest) = candidates.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    for row in rows {
        for (cell, width) in row.iter_mut().zip(&widths) {
            if cell.width() > *width {
                *cell = shortened(cell, *width);
            }
        }
    }
}

fn shortened(text: &str, width: usize) -> String {
    let mut short = String::new();
    let mut taken = 1;
    for character in text.chars() {
        taken += character.width().unwrap_or(0);
        if taken > width {
            break;
        }
        short.push(character);
    }
    let mut short = short.trim_end().to_owned();
    short.push(ELLIPSIS);
    short
}

#[cfg(test)]
mod tests {
    use super::super::{number, text};
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn the_widest_text_is_cut_and_ids_are_not() {
        let columns = [text("id"), text("message"), number("rows")];
        let id = "a248c16fe22222b2bd49615481311111";
        let rows = vec![
            row(&[id, "the disk is full, so nothing was written", "1,234,567"]),
            row(&["b", "short", "1"]),
        ];
        let (columns, rows) = fitted(&columns, rows, 60);
        // 32, 12 and 9, with 3 for each column, less 2, are 60.
        assert_eq!(rows[0], row(&[id, "the disk is…", "1,234,567"]));
        assert_eq!(rows[1], row(&["b", "short", "1"]));
        let lines = super::super::table(&columns, rows.into_iter());
        assert!(lines.lines().all(|line| line.chars().count() <= 60), "{lines}");
    }

    #[test]
    fn what_fits_stays_and_what_cannot_fit_keeps_its_head() {
        let columns = [text("name"), text("kept"), text("description"), number("n")];
        let (same, rows) = fitted(&columns, vec![row(&["Ada", "", "first", "1"])], 80);
        assert_eq!((same.len(), &rows[0]), (4, &row(&["Ada", "", "first", "1"])));
        let long = vec![row(&["Augusta Ada King", "", "Countess of Lovelace", "1"])];
        let (columns, rows) = fitted(&columns, long, 10);
        let titles: Vec<_> = columns.iter().map(|column| column.title).collect();
        assert_eq!(titles, ["name", "description", "n"], "a column without a cell says nothing");
        assert_eq!(rows[0], row(&["Augusta…", "Countess o…", "1"]));
    }

    /// Wide characters take two columns.
    #[test]
    fn width_is_counted_in_columns_of_the_terminal() {
        assert_eq!(shortened("佐藤さん", 5), "佐藤…");
        assert_eq!(shortened("a\u{301}bcd", 3), "a\u{301}b…");
    }
}
