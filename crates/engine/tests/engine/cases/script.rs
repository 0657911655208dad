//! The text of a case as steps, in the form that the module above describes. What is malformed is refused with its line, so that
//! no step is passed over.

use muster_sources::SourceDefinition;
use std::path::Path;

/// A step of a case.
#[derive(Debug)]
pub struct Step {
    /// The line on which it begins, counted from 1.
    pub line: usize,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    /// A definition that can be read.
    Source(String),
    NoSource(String),
    File {
        name: String,
        content: String,
    },
    NoFile(String),
    /// All manual links.
    Links(Vec<Link>),
    Refresh {
        accept: Vec<String>,
        publish_incomplete: bool,
        expected: Option<Vec<String>>,
    },
    Query {
        sql: String,
        expected: Vec<String>,
    },
}

#[derive(Debug)]
pub struct Link {
    pub source: String,
    pub account: String,
    pub identity: String,
}

/// What is wrong in a line.
pub type Fault = (usize, String);

/// What separates a step from what is expected of it.
const EXPECTED: &str = "----";
/// Columns of a list of manual links.
const LINK_COLUMNS: [&str; 3] = ["account", "userName", "type"];

/// The steps of a case.
pub fn parse(text: &str) -> Result<Vec<Step>, Fault> {
    let mut reader = Reader { lines: text.lines().collect(), at: 0 };
    if !reader.lines.first().is_some_and(|line| line.starts_with("# ")) {
        return Err((1, "expected a comment that says what the case is about".to_owned()));
    }
    let mut steps = Vec::new();
    while let Some(line) = reader.lines.get(reader.at).copied() {
        reader.at += 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let number = reader.at;
        let action = reader.action(line.trim_end()).map_err(|reason| (number, reason))?;
        steps.push(Step { line: number, action });
    }
    let is_expectation =
        |step: &Step| matches!(step.action, Action::Query { .. } | Action::Refresh { expected: Some(_), .. });
    // Nothing would see what a last step does.
    if !steps.last().is_some_and(is_expectation) {
        let line = steps.last().map_or(1, |step| step.line);
        return Err((line, format!("expected a query, or a refresh with {EXPECTED}, as the last step")));
    }
    Ok(steps)
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    /// The next line.
    at: usize,
}

impl Reader<'_> {
    /// The step that begins with this line.
    fn action(&mut self, line: &str) -> Result<Action, String> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("source", "") => self.source(),
            ("no", rest) => match rest.split_once(' ') {
                Some(("source", name)) => Ok(Action::NoSource(name.to_owned())),
                Some(("file", name)) => Ok(Action::NoFile(file_name(name)?)),
                Some(_) | None => Err("expected `no source NAME` or `no file NAME`".to_owned()),
            },
            ("file", name) => Ok(Action::File { name: file_name(name)?, content: self.text() }),
            ("links", "") => self.links(),
            ("refresh", options) => self.refresh(options),
            ("query", "") => self.query(),
            ("", _) => Err("the indented line belongs to no step".to_owned()),
            (EXPECTED, "") => Err(format!("{EXPECTED} follows only a refresh or the text of a query")),
            _ => Err(format!(
                "unknown step {line:?}: expected source, no source NAME, file NAME, no file NAME, links, refresh or query"
            )),
        }
    }

    /// The indented lines that follow, without their indent. Empty lines between them belong to them.
    fn text(&mut self) -> String {
        let (mut text, mut empty) = (String::new(), 0);
        while let Some(line) = self.lines.get(self.at + empty) {
            if line.trim().is_empty() {
                empty += 1;
            } else if let Some(line) = line.strip_prefix("  ") {
                text += &"\n".repeat(empty);
                text += line;
                text.push('\n');
                self.at += empty + 1;
                empty = 0;
            } else {
                break;
            }
        }
        text
    }

    /// The expected lines, where the next line announces some.
    fn expected(&mut self) -> Option<Vec<String>> {
        if self.lines.get(self.at).map(|line| line.trim_end()) != Some(EXPECTED) {
            return None;
        }
        let lines = self.lines[self.at + 1..].iter().take_while(|line| !line.trim().is_empty());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        self.at += 1 + lines.len();
        Some(lines)
    }

    fn source(&mut self) -> Result<Action, String> {
        let definition = self.text();
        SourceDefinition::from_toml(&definition, Path::new("definition"))
            .map_err(|error| error.to_string())?;
        Ok(Action::Source(definition))
    }

    fn links(&mut self) -> Result<Action, String> {
        let list = self.text();
        let mut reader = csv::Reader::from_reader(list.as_bytes());
        let columns = reader.headers().map_err(|error| error.to_string())?;
        if columns.iter().ne(LINK_COLUMNS) {
            return Err(format!("expected the columns {}", LINK_COLUMNS.join(",")));
        }
        let mut links = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| error.to_string())?;
            let cell = |at: usize| row[at].to_owned();
            links.push(Link { account: cell(0), identity: cell(1), source: cell(2) });
        }
        Ok(Action::Links(links))
    }

    fn refresh(&mut self, options: &str) -> Result<Action, String> {
        let (mut accept, mut publish_incomplete) = (Vec::new(), false);
        let mut words = options.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "--accept-missing" => {
                    accept.push(words.next().ok_or("--accept-missing names no source")?.to_owned());
                }
                "--publish-incomplete" => publish_incomplete = true,
                _ => {
                    return Err(format!(
                        "unknown option {word:?}: expected --accept-missing SOURCE or --publish-incomplete"
                    ));
                }
            }
        }
        Ok(Action::Refresh { accept, publish_incomplete, expected: self.expected() })
    }

    fn query(&mut self) -> Result<Action, String> {
        let sql = self.text();
        if sql.is_empty() {
            return Err("expected the query in indented lines".to_owned());
        }
        let expected = self.expected().ok_or_else(|| format!("expected {EXPECTED} after the query"))?;
        Ok(Action::Query { sql, expected })
    }
}

/// A name in the case's own folder.
fn file_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains('/') {
        return Err("expected the name of a file, without a folder".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_case_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("", 1, "expected a comment"),
            ("query\n  SELECT 1\n----\n1\n", 1, "expected a comment"),
            ("# A\n\nfiel a.csv\n", 3, "unknown step \"fiel a.csv\""),
            ("# A\n  indented\n", 2, "belongs to no step"),
            ("# A\nrefresh\n  indented\n", 3, "belongs to no step"),
            ("# A\nfile a/b.csv\n", 2, "without a folder"),
            ("# A\nfile\n", 2, "expected the name of a file"),
            ("# A\nno way\n", 2, "expected `no source NAME`"),
            ("# A\nfile a.csv\n  x\n----\n", 4, "---- follows only"),
            ("# A\nrefresh --all\n", 2, "unknown option \"--all\""),
            ("# A\nrefresh --accept-missing\n", 2, "names no source"),
            ("# A\nquery\nSELECT 1\n", 2, "expected the query in indented lines"),
            ("# A\nquery\n  SELECT 1\n\n----\n1\n", 2, "expected ---- after the query"),
            ("# A\nsource\n  name = \"HR\"\n  kind = \"paper\"\n", 2, "\"paper\" cannot be read"),
            ("# A\nlinks\n  type,account\n", 2, "expected the columns account,userName,type"),
            ("# A\nlinks\n  account,userName,type\n  a,b\n", 2, "2 fields"),
            ("# A\nrefresh\n", 2, "as the last step"),
            ("# A\nquery\n  SELECT 1\n----\n1\n\nrefresh\n", 7, "as the last step"),
        ] {
            let (at, found) = parse(text).unwrap_err();
            assert!(at == line && found.contains(reason), "{text:?}: line {at}: {found}");
        }
    }

    #[test]
    fn a_text_ends_with_its_last_indented_line_and_an_expectation_with_an_empty_one() {
        let text = "# A\nfile a.csv\n  one\n\n   two\n\nrefresh --publish-incomplete --accept-missing HR\nquery\n  \
                    SELECT 1\n  UNION\n----\n1 | \n  2\n\n# Nothing\nquery\n  SELECT 2\n----\n";
        let steps = parse(text).unwrap();
        let [file, refresh, query, nothing] = &steps[..] else { panic!("{steps:?}") };
        let lines = [file, refresh, query, nothing].map(|step| step.line);
        assert_eq!(lines, [2, 7, 8, 16]);
        assert!(
            matches!(&file.action, Action::File { name, content } if name == "a.csv" && content == "one\n\n two\n")
        );
        assert!(matches!(
            &refresh.action,
            Action::Refresh { accept, publish_incomplete: true, expected: None } if accept == &["HR"]
        ));
        assert!(matches!(
            &query.action,
            Action::Query { sql, expected } if sql == "SELECT 1\nUNION\n" && expected == &["1 |", "  2"]
        ));
        assert!(matches!(&nothing.action, Action::Query { expected, .. } if expected.is_empty()));
    }
}
