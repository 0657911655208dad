//! Tables that fit the terminal: the widest texts are cut, and end with an ellipsis.
//!
//! Ids and numbers are not cut: an id is there to be copied, and a number without its end is another number.

use super::Column;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const ELLIPSIS: char = '…';
/// A column is not made narrower than this.
const WIDTH_LEAST: usize = 8;
/// Columns of the terminal that each column of the table takes beside its text: a space before and after it.
const PADDING: usize = 2;

/// Cuts cells so that each line of the table takes at most `width` columns of the terminal, as far as that can be had.
pub fn cut(columns: &[Column], rows: &mut [Vec<String>], width: usize) {
    let mut widths: Vec<_> = columns.iter().map(|column| column.title.width()).collect();
    for row in rows.iter() {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.width());
        }
    }
    let may_cut: Vec<_> = columns
        .iter()
        .map(|column| !column.number && column.title != "id" && !column.title.ends_with(" id"))
        .collect();
    let least = |at: usize| columns[at].title.width().max(WIDTH_LEAST);
    // The last space of a line is not written.
    let mut over = (widths.iter().sum::<usize>() + PADDING * widths.len()).saturating_sub(width + 1);
    while over > 0 {
        let candidates = (0..widths.len()).filter(|at| may_cut[*at] && widths[*at] > least(*at));
        let Some(widest) = candidates.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
        over -= 1;
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

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn the_widest_text_is_cut_and_ids_are_not() {
        let columns = [text("id"), text("message"), number("rows")];
        let id = "a248c16fe22222b2bd49615481311111";
        let mut rows =
            [row([id, "the disk is full, so nothing was written", "1,234,567"]), row(["b", "short", "1"])];
        cut(&columns, &mut rows, 60);
        assert_eq!(rows[0], row([id, "the disk is f…", "1,234,567"]));
        assert_eq!(rows[1], row(["b", "short", "1"]));
        // 32, 14 and 9 columns with 2 for each column are 61, of which the last is not written.
        assert!(
            super::super::table(&columns, rows.to_vec().into_iter())
                .lines()
                .all(|line| line.chars().count() <= 60)
        );
    }

    #[test]
    fn what_fits_stays_and_what_cannot_fit_keeps_its_head() {
        let columns = [text("name"), text("description"), number("n")];
        let mut rows = [row(["Ada", "first", "1"])];
        cut(&columns, &mut rows, 80);
        assert_eq!(rows[0], row(["Ada", "first", "1"]));
        let mut rows = [row(["Augusta Ada King", "Countess of Lovelace", "1"])];
        cut(&columns, &mut rows, 10);
        assert_eq!(rows[0], row(["Augusta…", "Countess o…", "1"]));
    }

    /// Wide characters take two columns.
    #[test]
    fn width_is_counted_in_columns_of_the_terminal() {
        assert_eq!(shortened("佐藤さん", 5), "佐藤…");
        assert_eq!(shortened("a\u{301}bcd", 3), "a\u{301}b…");
    }
}
