//! `muster search`: shows what a query means, without running it.

use crate::cli::SearchCommand;
use crate::clock::SystemClock;
use crate::failure::{Failure, Result};
use crate::output::{Output, json, print, table, text};
use muster_engine::search::{Explanation, explain};
use muster_reports::ports::Clock;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

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

/// The query with a mark under the place, as a terminal shows it: some characters take two columns, some none.
pub fn pointed(query: &str, column: usize) -> String {
    let line: String = query.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    // A place after the end of the query is shown after its last character.
    let missing = column.saturating_sub(1).saturating_sub(before.chars().count());
    format!("{line}\n{}^", " ".repeat(before.width() + missing))
}

/// What a query means, for programs.
pub fn as_json(explained: &Explanation) -> serde_json::Value {
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
        "warnings": explained.warnings,
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
    let warnings: String =
        explained.warnings.iter().map(|warning| format!("\n\nwarning: {warning}")).collect();
    format!("{}\n\n{}\n\n{}{warnings}", explained.canonical, explained.tree.join("\n"), table(&columns, rows))
}

/// A few names, or how many there are.
fn short(names: &[String]) -> String {
    /// Most names that are shown; of more, only the number is shown.
    const SHOWN_MAX: usize = 6;
    if names.len() > SHOWN_MAX { format!("{} columns", names.len()) } else { names.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_mistake() {
        // Terminals show each of the two letters over two columns, and the accent over the letter before it.
        for (query, column, mark) in [
            ("name:a AND", 11, 10),
            ("東京 (", 5, 6),
            ("e\u{301}te\u{301} (", 7, 4),
            ("a\tb )", 5, 4),
            ("", 1, 0),
        ] {
            let shown = pointed(query, column);
            let line = shown.lines().nth(1);
            assert_eq!(line, Some(format!("{}^", " ".repeat(mark)).as_str()), "{query}");
        }
    }

    #[test]
    fn what_matches_nothing_is_said() {
        let explained = explain("-stauts:x created:[now-2D TO now]", SystemClock.now()).expect("a query");
        let text = as_text(&explained);
        assert!(text.contains("warning: \"stauts\": the searched documents have no such field"), "{text}");
        assert!(text.contains("the nearest name is \"status\""), "{text}");
        assert!(
            text.contains("warning: \"created:[now-2D TO now]\" matches nothing: expected date math"),
            "{text}"
        );
    }

    #[test]
    fn the_words_of_a_term_are_shown() {
        let explained = explain("email:ann@x.org id:a-b email:ann", SystemClock.now()).expect("a query");
        assert_eq!(
            explained.tree,
            [
                "may      email: term \"ann@x.org\", one of the words \"ann\", \"x.org\"; \
                 in quotes they would have to follow one another",
                "may      id: term \"a-b\"",
                "may      email: term \"ann\"",
            ]
        );
    }
}
