//! What commands print: a table for people, or JSON for programs.
//!
//! Results are written to standard output and everything else to standard error, so that a command can be part of a
//! pipe. Tables have no colour, and a line under their header only on a terminal.

use crate::failure::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

pub use muster_runs::thousands as count;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Whether its cells are numbers, which are aligned right.
    pub number: bool,
}

/// A column of texts.
pub const fn text(title: &'static str) -> Column {
    Column { title, number: false }
}

/// A column of numbers.
pub const fn number(title: &'static str) -> Column {
    Column { title, number: true }
}

impl Output {
    /// Prints `items`: as JSON, or as a table with the `cells` of each.
    pub fn list<T: Serialize>(
        self,
        items: &[T],
        columns: &[Column],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> Result {
        match self {
            Self::Json => json(&items),
            Self::Table => print(&table(columns, items.iter().map(cells))),
        }
    }
}

/// Prints one value as JSON.
pub fn json(value: &impl Serialize) -> Result {
    let text =
        serde_json::to_string_pretty(value).context(|| "the result cannot be written as JSON".into())?;
    print(&text)
}

/// Prints a text and ends its line. A reader that has gone away (`| head`) is not a failure.
pub fn print(text: &str) -> Result {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context(|| "standard output cannot be written".into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A table as text.
pub fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    // Cells are never wrapped, because an id on two lines cannot be copied.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if std::io::stdout().is_terminal() {
        table.set_style(TableComponent::HeaderLines, '─');
        table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    }
    table.force_no_tty();
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        table.add_row(row);
    }
    for (at, column) in columns.iter().enumerate() {
        if let (true, Some(cells)) = (column.number, table.column_mut(at)) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_and_lines_have_no_trailing_space() {
        let rows = [vec!["HR".to_owned(), "7".to_owned()], vec!["Directory".to_owned(), "1,234".to_owned()]];
        let text = table(&[text("source"), number("read")], rows.into_iter());
        assert_eq!(text, " source      read\n HR             7\n Directory  1,234");
    }
}
