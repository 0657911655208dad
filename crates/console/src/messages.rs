//! What to do about a message of a run, as docs/messages.md says it.
//!
//! Why the document itself: `cargo xtask tidy` compares its keys with those of the code, so no message is without words here.

use std::collections::HashMap;
use std::sync::LazyLock;

const PAGE: &str = include_str!("../../../docs/messages.md");

/// By key, what to do.
static ADVICE: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let advice = rows.filter_map(|row| {
        let (key, cells) = row.split_once("` | ")?;
        let (_, advice) = cells.split_once(" | ")?;
        Some((key, plain(advice)))
    });
    advice.collect()
});

/// Text without the marks of the document: links are their labels, and code is its text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, label, after)) = link(rest) {
        plain.push_str(before);
        plain.push_str(label);
        rest = after;
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

/// The first link: what is before it, its label, and what is after it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (head, tail) = text.split_once("](")?;
    let (before, label) = head.rsplit_once('[')?;
    Some((before, label, tail.split_once(')')?.1))
}

/// What to do about a message with this key; empty for an unknown one, and where there is nothing to do.
pub(crate) fn advice(key: &str) -> &'static str {
    match ADVICE.get(key).map(String::as_str) {
        None | Some("Nothing." | "") => "",
        Some(advice) => advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_that_of_the_document() {
        assert_eq!(advice("source_stale"), "Run muster refresh, and check that it runs regularly.");
        assert_eq!((advice("saved_search"), advice("unknown")), ("", ""));
    }

    #[test]
    fn marks_of_the_document_are_left_out() {
        assert_eq!(plain("See [limits](limits.md#a) and `x.y`, or [z](q)."), "See limits and x.y, or z.");
        assert_eq!(plain("no [link] here (really)"), "no [link] here (really)");
    }
}
