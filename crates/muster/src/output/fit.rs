//! Tables that fit the terminal: columns without a cell are left out, times are written to the minute, the widest texts are cut
//! and end with an ellipsis, and where that is not enough, the last columns are left out.
//!
//! Ids, numbers and times are not cut: an id is there to be copied, a number without its end is another number, and a time
//! without its hour is a day.

use super::Column;
use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const ELLIPSIS: char = '…';
/// A column is not made narrower than this.
const WIDTH_LEAST: usize = 8;
/// Columns that are never left out, but for those without a cell.
const COLUMNS_LEAST: usize = 2;
/// What each column of the table takes beside its text: a space before and after it, and one to the next column.
const PADDING: usize = 3;
/// The last column has no next one, and the space after its text is not written.
const PADDING_SAVED: usize = 2;

/// A table as far as it fits.
pub struct Fitted {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// The titles of the columns that have cells and are left out.
    pub left_out: Vec<&'static str>,
}

/// The columns and rows of a table of which each line takes at most `width` columns of the terminal, as far as that can be
/// had.
pub fn fitted(columns: &[Column], rows: Vec<Vec<String>>, width: usize) -> Fitted {
    if over(&widths(columns, &rows), width) == 0 {
        return Fitted { columns: columns.to_vec(), rows, left_out: Vec::new() };
    }
    let has_cells: Vec<_> = (0..columns.len())
        .map(|at| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let mut columns: Vec<_> = kept(columns.iter().copied(), &has_cells);
    let shown =
        |row: Vec<String>| kept(row.into_iter().map(|cell| to_the_minute(&cell).unwrap_or(cell)), &has_cells);
    let mut rows: Vec<Vec<String>> = rows.into_iter().map(shown).collect();
    let mut left_out = Vec::new();
    loop {
        let cut = cut(&columns, &rows, width);
        let last =
            columns.iter().rposition(|column| !is_id(column)).filter(|_| columns.len() > COLUMNS_LEAST);
        match last {
            // The texts that stay get the room.
            Some(last) if over(&widths(&columns, &cut), width) > 0 => {
                left_out.push(columns.remove(last).title);
                rows.iter_mut().for_each(|row| drop(row.remove(last)));
            }
            Some(_) | None => {
                left_out.reverse();
                return Fitted { columns, rows: cut, left_out };
            }
        }
    }
}

fn is_id(column: &Column) -> bool {
    column.title == "id" || column.title.ends_with(" id")
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

fn cut(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<Vec<String>> {
    let mut widths = widths(columns, rows);
    let is_time = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|cell| is_minute(cell)));
    let may_cut: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| !column.number && !is_id(column) && !is_time(at))
        .collect();
    let least = |at: usize| columns[at].title.width().max(WIDTH_LEAST);
    for _ in 0..over(&widths, width) {
        let candidates = (0..widths.len()).filter(|at| may_cut[*at] && widths[*at] > least(*at));
        let Some(widest) = candidates.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    let cell = |(cell, width): (&String, &usize)| match cell.width() > *width {
        true => shortened(cell, *width),
        false => cell.clone(),
    };
    rows.iter().map(|row| row.iter().zip(&widths).map(cell).collect()).collect()
}

/// How a time to the minute is written. The `Z` says that it is in UTC.
const MINUTE: &str = "%Y-%m-%d %H:%MZ";

/// A time in RFC 3339 as one to the minute.
fn to_the_minute(cell: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(cell).ok()?;
    Some(time.with_timezone(&Utc).format(MINUTE).to_string())
}

fn is_minute(cell: &str) -> bool {
    chrono::NaiveDateTime::parse_from_str(cell, MINUTE).is_ok()
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
        let Fitted { columns, rows, left_out } = fitted(&columns, rows, 60);
        assert!(left_out.is_empty());
        // 32, 12 and 9, with 3 for each column, less 2, are 60.
        assert_eq!(rows[0], row(&[id, "the disk is…", "1,234,567"]));
        assert_eq!(rows[1], row(&["b", "short", "1"]));
        let lines = super::super::table(&columns, rows.into_iter());
        assert!(lines.lines().all(|line| line.chars().count() <= 60), "{lines}");
    }

    #[test]
    fn what_fits_stays_and_what_cannot_fit_keeps_its_head() {
        let columns = [text("name"), text("kept"), text("description"), number("n")];
        let same = fitted(&columns, vec![row(&["Ada", "", "first", "1"])], 80);
        assert_eq!((same.columns.len(), &same.rows[0]), (4, &row(&["Ada", "", "first", "1"])));
        let long = vec![row(&["Augusta Ada King", "", "Countess of Lovelace", "1"])];
        let narrow = fitted(&columns, long, 10);
        let titles: Vec<_> = narrow.columns.iter().map(|column| column.title).collect();
        assert_eq!(titles, ["name", "description"], "a column without a cell says nothing");
        assert_eq!((&narrow.rows[0], narrow.left_out), (&row(&["Augusta…", "Countess o…"]), vec!["n"]));
    }

    /// An id is never left out, and what is left out gives its room to the texts before it.
    #[test]
    fn the_last_columns_are_left_out_where_cutting_is_not_enough() {
        let columns = [text("created"), text("report"), number("rows"), text("message"), text("id")];
        let id = "a248c16fe22222b2bd49615481311111";
        let cells =
            row(&["2026-11-30T12:03:59.5+02:00", "Identities Report", "1,522", "the disk is full", id]);
        let narrow = fitted(&columns, vec![cells.clone()], 75);
        let titles: Vec<_> = narrow.columns.iter().map(|column| column.title).collect();
        assert_eq!((titles, narrow.left_out), (vec!["created", "report", "rows", "id"], vec!["message"]));
        // 17 and 11 and 5 and 32, with 3 for each, less 2, are 75.
        assert_eq!(narrow.rows[0], row(&["2026-11-30 10:03Z", "Identities…", "1,522", id]));
        // A time is whole or not there.
        let narrower = fitted(&columns, vec![cells], 55);
        assert_eq!(narrower.rows[0], row(&["2026-11-30 10:03Z", id]));
    }

    /// Wide characters take two columns.
    #[test]
    fn width_is_counted_in_columns_of_the_terminal() {
        assert_eq!(shortened("佐藤さん", 5), "佐藤…");
        assert_eq!(shortened("a\u{301}bcd", 3), "a\u{301}b…");
    }
}
