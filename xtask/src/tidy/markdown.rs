//! As much of Markdown as the rules need: code spans, code blocks, tables, link targets.

/// A piece of code in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Line, counted from 1.
    pub line: usize,
    /// The text.
    pub text: String,
}

/// Texts of code spans (one line each), and lines of code blocks.
pub fn code(document: &str) -> Vec<Code> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in document.lines().enumerate() {
        let number = index + 1;
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push(Code { line: number, text: line.trim().to_owned() });
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.map(|span| Code { line: number, text: span.to_owned() }));
        }
    }
    found
}

/// Targets of inline links, with their lines; not URLs. A link to a place in the document itself begins with `#`.
pub fn links(document: &str) -> Vec<Code> {
    let mut found = Vec::new();
    for (index, line) in document.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push(Code { line: index + 1, text: target.to_owned() });
            }
        }
    }
    found
}

/// The paths among the targets, without places in them.
pub fn linked_paths(document: &str) -> Vec<Code> {
    let paths = links(document).into_iter().map(|link| {
        let path = link.text.split('#').next().unwrap_or_default().to_owned();
        Code { text: path, ..link }
    });
    paths.filter(|link| !link.text.is_empty()).collect()
}

/// The names of the document's headings, as links call them: small letters, hyphens for blanks, no other punctuation.
pub fn anchors(document: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in document.lines() {
        in_block ^= line.starts_with("```");
        let Some((marks, heading)) = line.split_once(' ') else { continue };
        if in_block || marks.is_empty() || marks.chars().any(|mark| mark != '#') {
            continue;
        }
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        found.push(kept.collect::<String>().to_lowercase().replace(' ', "-"));
    }
    found
}

/// Cells of the rows of the first table whose header begins with these cells; code marks are taken off.
pub fn table(document: &str, header: &[&str]) -> Option<Vec<Vec<String>>> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some(inner.split('|').map(|cell| cell.trim().replace('`', "")).collect())
    };
    let mut lines = document.lines();
    lines.find(|line| cells(line).is_some_and(|found| found.iter().zip(header).all(|(a, b)| a == b)))?;
    Some(lines.skip(1).map_while(cells).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Title\n\nRun `cargo xtask check` and see [it](docs/a.md#part), [web](https://x.y).\n\n\
                            ```sh\ncargo xtask test\n```\n\n| crate | names |\n|---|---|\n| `a` | `b`, `c` |\n| `d` | |\n\nEnd.\n";

    #[test]
    fn spans_and_blocks_are_code() {
        let texts: Vec<_> = code(DOCUMENT).into_iter().map(|code| (code.line, code.text)).collect();
        let expected =
            [(3, "cargo xtask check"), (6, "cargo xtask test"), (11, "a"), (11, "b"), (11, "c"), (12, "d")];
        assert_eq!(texts, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn links_are_paths() {
        assert_eq!(linked_paths(DOCUMENT), [Code { line: 3, text: "docs/a.md".into() }]);
    }

    #[test]
    fn headings_have_names() {
        let document = "# The `[ldap]` table\n\n```sh\n# a comment\n```\n\n## Who can, and how?\n#no\n";
        assert_eq!(anchors(document), ["the-ldap-table", "who-can-and-how"]);
        assert_eq!(links("see [a](#b), [c](d.md#e)").len(), 2);
        assert_eq!(linked_paths("see [a](#b), [c](d.md#e)"), [Code { line: 1, text: "d.md".into() }]);
    }

    #[test]
    fn a_table_ends_with_its_last_row() {
        let rows = table(DOCUMENT, &["crate", "names"]);
        assert_eq!(rows, Some(vec![vec!["a".into(), "b, c".into()], vec!["d".into(), String::new()]]));
        assert_eq!(table(DOCUMENT, &["other"]), None);
    }
}
