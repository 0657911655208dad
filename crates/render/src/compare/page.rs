//! A comparison as a page of HTML: the runs, the counts, and the first lines of the differences.
//!
//! The content of cells comes from sources, and anybody who can name an account chooses it. So everything is escaped,
//! there are no scripts, links, forms or pictures, and [`POLICY`] forbids a browser all of them. The size of the page
//! is bounded; the CSV file has all differences.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use muster_reports::made::ComparisonCounts;

use crate::chart::numbers::grouped;
use crate::file::{Digested, RenderError, Written};

/// Lines on a page.
pub const LINES_MAX: usize = 2_000;
/// Characters of a cell on a page.
pub const CELL_CHARACTERS_MAX: usize = 500;

/// The header Content-Security-Policy of a page: its own style, named by its digest, and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-FMHyoS8XvuMpW2EhOqobBmNq85NC7sgpT/E4kmFfzQo='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font-family:sans-serif;margin:2rem;color:#1b1b1b;background:#fff}\
table{border-collapse:collapse;margin:1rem 0}\
th,td{text-align:start;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere;white-space:pre-wrap}\
th{background:#f2f4f7}td.n{text-align:end;white-space:nowrap}\
tr.ADDED td:first-child{color:#0b5d1e}tr.REMOVED td:first-child{color:#8c1d18}tr.CHANGED td:first-child{color:#1d4f91}";

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its task result id.
    pub id: String,
    /// When its data was read.
    pub data_of: String,
    /// When it ended.
    pub completed: String,
    /// Its arguments.
    pub arguments: String,
    /// Rows of its file.
    pub rows: u64,
}

/// What a page says in addition to the differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The report's name.
    pub title: String,
    /// Whose data it is.
    pub tenant: String,
    /// The earlier run.
    pub old: Run,
    /// The later run.
    pub new: Run,
}

/// Writes the page of a comparison. `changes` is the file that it wrote, without a formula guard, and has `changes_rows`
/// lines after its header.
///
/// # Errors
/// When `changes` cannot be read, or the sink refuses.
pub fn write<W: Write>(
    facts: &Facts,
    counts: &ComparisonCounts,
    changes: impl Read,
    changes_rows: u64,
    sink: W,
) -> Result<Written, RenderError> {
    let page = page(facts, counts, changes, changes_rows)?;
    let mut sink = Digested::new(sink);
    sink.write_all(page.as_bytes())?;
    sink.flush()?;
    Ok(sink.written(changes_rows.min(LINES_MAX as u64)))
}

fn page(
    facts: &Facts,
    counts: &ComparisonCounts,
    changes: impl Read,
    changes_rows: u64,
) -> io::Result<String> {
    let mut page = String::new();
    let title = format!("{}: two runs compared", facts.title);
    page.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    escape(&mut page, &title);
    let _ = write!(page, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>");
    escape(&mut page, &title);
    page.push_str("</h1>\n");
    runs(&mut page, facts, &counts.keys);
    rows(&mut page, counts);
    for (what, names) in
        [("the later run", &counts.columns_added), ("the earlier run", &counts.columns_removed)]
    {
        if !names.is_empty() {
            let _ = write!(page, "<p>Columns that only {what} has, and that are not compared: ");
            escape(&mut page, &names.join(", "));
            page.push_str(".</p>\n");
        }
    }
    lines(&mut page, &counts.keys, changes, changes_rows)?;
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

fn runs(page: &mut String, facts: &Facts, keys: &[String]) {
    let Facts { tenant, old, new, .. } = facts;
    page.push_str("<table>\n<thead>\n");
    row(page, "", "th", ["", "Earlier run", "Later run"]);
    page.push_str("</thead>\n<tbody>\n");
    let (old_rows, new_rows) = (grouped(old.rows), grouped(new.rows));
    for cells in [
        ["Task result", old.id.as_str(), new.id.as_str()],
        ["Data of", &old.data_of, &new.data_of],
        ["Completed", &old.completed, &new.completed],
        ["Arguments", &old.arguments, &new.arguments],
        ["Rows", &old_rows, &new_rows],
    ] {
        row(page, "", "td", cells);
    }
    page.push_str("</tbody>\n</table>\n<p>Tenant: ");
    escape(page, tenant);
    page.push_str(". Rows are told apart by ");
    escape(page, &keys.join(", "));
    page.push_str(".</p>\n");
}

fn rows(page: &mut String, counts: &ComparisonCounts) {
    let ComparisonCounts { added, removed, changed, unchanged, .. } = counts;
    page.push_str("<h2>Rows</h2>\n<table>\n<thead>\n");
    row(page, "", "th", ["Added", "Removed", "Changed", "Unchanged"]);
    page.push_str("</thead>\n<tbody>\n<tr>");
    for count in [added, removed, changed, unchanged] {
        let _ = write!(page, "<td class=\"n\">{}</td>", grouped(*count));
    }
    page.push_str("</tr>\n</tbody>\n</table>\n");
}

fn lines(page: &mut String, keys: &[String], changes: impl Read, all: u64) -> io::Result<()> {
    page.push_str("<h2>Differences</h2>\n");
    if all == 0 {
        page.push_str("<p>There are none.</p>\n");
        return Ok(());
    }
    if all > LINES_MAX as u64 {
        let _ = writeln!(
            page,
            "<p>The first {} of {} lines; the CSV file of this comparison has all of them.</p>",
            grouped(LINES_MAX as u64),
            grouped(all)
        );
    }
    page.push_str("<table>\n<thead>\n");
    let heads = keys.iter().map(String::as_str);
    row(page, "", "th", ["Change"].into_iter().chain(heads).chain(["Column", "Old", "New"]));
    page.push_str("</thead>\n<tbody>\n");
    let mut reader = csv::ReaderBuilder::new().from_reader(changes);
    for record in reader.records().take(LINES_MAX) {
        let record = record.map_err(io::Error::other)?;
        // One of our five words, as `compare` wrote it.
        let change =
            record.get(0).filter(|change| change.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        row(page, change.unwrap_or_default(), "td", record.iter());
    }
    page.push_str("</tbody>\n</table>\n");
    Ok(())
}

/// A row of cells; `class` is a word of ours.
fn row<'a>(page: &mut String, class: &str, tag: &str, cells: impl IntoIterator<Item = &'a str>) {
    match class {
        "" => page.push_str("<tr>"),
        class => {
            let _ = write!(page, "<tr class=\"{class}\">");
        }
    }
    for cell in cells {
        let _ = write!(page, "<{tag} dir=\"auto\">");
        match cell.char_indices().nth(CELL_CHARACTERS_MAX) {
            None => escape(page, cell),
            Some((at, _)) => {
                escape(page, &cell[..at]);
                let more = cell[at..].chars().count();
                let _ = write!(page, "… (+{more} characters)");
            }
        }
        let _ = write!(page, "</{tag}>");
    }
    page.push_str("</tr>\n");
}

/// Escapes text for elements and attributes. Characters that HTML cannot contain become `�`.
fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\t' | '\n' => page.push(character),
            other if other.is_control() => page.push('\u{FFFD}'),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_policy_names_the_digest_of_the_style() {
        let digest = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("style-src 'sha256-{digest}'")), "{digest}");
    }
}
