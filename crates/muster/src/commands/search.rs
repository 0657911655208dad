//! `muster search`: what a query means, without running it.

use crate::cli::SearchCommand;
use crate::clock::SystemClock;
use crate::failure::{Failure, Result};
use crate::output::{Output, json, print, table, text};
use muster_engine::search::{Explanation, explain};
use muster_reports::ports::Clock;
use serde_json::json;

/// Does what `command` says.
pub fn run(command: &SearchCommand, output: Output) -> Result {
    match command {
        SearchCommand::Check { query } => check(query, output),
    }
}

fn check(query: &str, output: Output) -> Result {
    if let Err(error) = muster_querystring::parse(query) {
        // A failure is one line; the place is shown before it.
        print(&pointed(query, error.column))?;
        return Err(Failure::usage(error.to_string()));
    }
    let explained = explain(query, SystemClock.now()).map_err(|error| Failure::new(error.to_string()))?;
    match output {
        Output::Json => json(&as_json(&explained)),
        Output::Table => print(&as_text(&explained)),
    }
}

/// The query with a mark under the place.
fn pointed(query: &str, column: usize) -> String {
    let line: String = query.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{line}\n{}^", " ".repeat(column.saturating_sub(1)))
}

fn as_json(explained: &Explanation) -> serde_json::Value {
    json!({
        "query": explained.canonical,
        "tree": explained.tree,
        "indices": explained.indices.iter().map(|index| json!({
            "index": index.index,
            "matchesNothing": index.nothing,
            "fields": index.fields,
            "unknownFields": index.unknown,
            "columnsRead": index.columns,
            "pushedDown": index.pushed,
        })).collect::<Vec<_>>(),
    })
}

fn as_text(explained: &Explanation) -> String {
    let columns =
        [text("index"), text("fields"), text("no such field"), text("columns read"), text("pushed down")];
    let rows = explained.indices.iter().map(|index| {
        let read = if index.nothing { "none: nothing matches".to_owned() } else { short(&index.columns) };
        vec![
            index.index.to_owned(),
            index.fields.join("\n"),
            index.unknown.join("\n"),
            read,
            index.pushed.join("\n"),
        ]
    });
    format!("{}\n\n{}\n\n{}", explained.canonical, explained.tree.join("\n"), table(&columns, rows))
}

/// A few names, or how many there are.
fn short(names: &[String]) -> String {
    const SHOWN_MAX: usize = 6;
    if names.len() > SHOWN_MAX { format!("{} columns", names.len()) } else { names.join("\n") }
}
