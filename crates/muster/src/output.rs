//! What commands print: a table for people, or JSON, lines of JSON or CSV for programs.
//!
//! Results are written to standard output and everything else to standard error, so that a command can be part of a
//! pipe. Tables have no colour. On a terminal they have a line under their header, and are as wide as the terminal.
//!
//! A command decides what is printed and whether a table or values ([`Output`]). How values are written and how wide a
//! table is, is the same for all that one process prints: [`present`] sets it once.

mod fit;
mod values;

use crate::failure::{Context, Failure, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use unicode_width::UnicodeWidthStr;

pub use muster_runs::thousands as count;
pub use values::Form;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A table for people.
    Table,
    /// Values for programs.
    Json,
}

/// What `--output` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// A table for people
    Table,
    /// JSON, indented
    Json,
    /// JSON, each result in a line
    Ndjson,
    /// CSV with a header; a field that is a list or an object is JSON
    Csv,
}

/// How this process writes values and tables.
#[derive(Debug, Clone, Default)]
pub struct Presentation {
    /// The form of values.
    pub form: Form,
    /// The fields of each result that are written; all of them if there are none.
    pub fields: Vec<String>,
    /// Whether tables may be wider than the terminal.
    pub wide: bool,
}

static PRESENTATION: OnceLock<Presentation> = OnceLock::new();

/// Takes what the command line says about the output: for the rest of the process.
pub fn present(format: Option<OutputFormat>, fields: Vec<String>, wide: bool) -> Output {
    let (output, form) = match format {
        None if fields.is_empty() => (Output::Table, Form::default()),
        // To name fields is to ask for values.
        None | Some(OutputFormat::Json) => (Output::Json, Form::Json),
        Some(OutputFormat::Table) => (Output::Table, Form::default()),
        Some(OutputFormat::Ndjson) => (Output::Json, Form::Ndjson),
        Some(OutputFormat::Csv) => (Output::Json, Form::Csv),
    };
    // Set once: main calls it before anything is printed.
    let _ = PRESENTATION.set(Presentation { form, fields, wide });
    output
}

fn presentation() -> &'static Presentation {
    PRESENTATION.get_or_init(Presentation::default)
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
    /// Prints `items`: as values, or as a table with the `cells` of each.
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

/// Prints a value, or a list of them, in the form that the command line asked for.
pub fn json(value: &impl Serialize) -> Result {
    let failed = || "the result cannot be written as JSON".into();
    let Presentation { form, fields, .. } = presentation();
    let text = match (form, fields.is_empty()) {
        // The fields are in the order in which they are declared.
        (Form::Json, true) => serde_json::to_string_pretty(value).context(failed)?,
        (_, _) => {
            let value = serde_json::to_value(value).context(failed)?;
            values::written(value, *form, fields).map_err(Failure::usage)?
        }
    };
    match text.is_empty() {
        true => Ok(()),
        false => print(&text),
    }
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

/// Prints a line for people on standard error. Where it takes nothing, nothing is lost but the line.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The line below the header of a table.
const RULE: char = '─';

/// A table as text.
pub fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>) -> String {
    let (mut columns, mut rows) = (columns.to_vec(), rows.collect::<Vec<_>>());
    let mut table = Table::new();
    // Cells are never wrapped, because an id on two lines cannot be copied.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if std::io::stdout().is_terminal() {
        table.set_style(TableComponent::HeaderLines, RULE);
        table.set_style(TableComponent::MiddleHeaderIntersections, RULE);
        if let Some(width) = table.width().filter(|_| !presentation().wide) {
            let fitted = fit::fitted(&columns, rows, usize::from(width));
            if !fitted.left_out.is_empty() {
                say(&format!("Columns left out: {}; --wide shows them.", fitted.left_out.join(", ")));
            }
            (columns, rows) = (fitted.columns, fitted.rows);
        }
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
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    // The line below the header has no spaces at its end that could be left out.
    let is_rule = |line: &str| line.chars().all(|character| character == RULE);
    let widest = lines.iter().filter(|line| !is_rule(line)).map(|line| line.width()).max().unwrap_or(0);
    let shown = |line: String| if is_rule(&line) { line.chars().take(widest).collect() } else { line };
    lines.into_iter().map(shown).collect::<Vec<_>>().join("\n")
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
