//! What a page says: files to write, and commands with their expected output.
//!
//! The info string of a code block says what the block is:
//! - `console`: lines that begin with `$ ` are commands, and the lines after a command are its output. A command that
//!   ends with a backslash continues on the next line. With `,fails`, the last command must not succeed; all others must.
//!   With `,server`, the only command keeps running while the rest of the page is read.
//! - anything with `,file=NAME`: the content of a file.
//! - `powershell`, `sh` and `text`: only shown.
//!
//! Any other block is refused in a page of the book, so that no example is left out by mistake. A document of reference shows
//! other languages too: what answers and files look like. What its examples need before is in comments, which no reader sees:
//! `<!-- console` or `<!-- console,server` in a line, then lines as in such a block, then `-->` in a line.

use crate::failure::{Failure, Result};
use std::path::{Component, Path};

/// Something that a page asks its reader to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a file.
    File {
        /// Its path, from the reader's folder.
        name: String,
        /// Its content.
        text: String,
    },
    /// Run a command to its end.
    Command {
        /// The line of the page, counted from 1.
        line: usize,
        /// What is typed.
        text: String,
        /// The output, line by line.
        output: Vec<String>,
        /// Whether it ends with a status other than 0.
        fails: bool,
    },
    /// Start a command that keeps running, and wait for its output.
    Server {
        /// The line of the page, counted from 1.
        line: usize,
        /// What is typed.
        text: String,
        /// The output, line by line.
        output: Vec<String>,
    },
}

/// Blocks that are only shown: commands for another machine, and texts.
const SHOWN: [&str; 3] = ["powershell", "sh", "text"];
/// How a block begins and ends, and one that readers do not see.
const FENCES: [(&str, &str); 2] = [("```", "```"), ("<!-- console", "-->")];

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// A page of the book, or the README.
    Book,
    /// A document of `docs`.
    Reference,
}

/// The steps of a page, in order.
///
/// # Errors
/// When a block is of no known kind; the text has its line.
pub fn steps(page: &str, kind: PageKind) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = page.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let begun = FENCES.iter().find_map(|(begin, end)| Some((line.strip_prefix(begin)?, *end)));
        let Some((info, end)) = begun else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != end).collect();
        let faulty = |fault: String| Failure::new(format!("line {number}: {fault}"));
        let mut words = info.split(',');
        let named = words.next().unwrap_or_default();
        let language = if end == "-->" { "console" } else { named };
        let options: Vec<&str> = words.collect();
        match (language, &options[..]) {
            (_, [option]) if option.starts_with("file=") => {
                let name = option.trim_start_matches("file=");
                if name.is_empty()
                    || !Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
                {
                    return Err(faulty(format!("{name:?} is not a file in the reader's folder")));
                }
                let text = body.iter().map(|line| format!("{line}\n")).collect();
                steps.push(Step::File { name: name.to_owned(), text });
            }
            ("console", []) => steps.extend(commands(&body, number, false).map_err(faulty)?),
            ("console", ["fails"]) => steps.extend(commands(&body, number, true).map_err(faulty)?),
            ("console", ["server"]) => {
                match <[Step; 1]>::try_from(commands(&body, number, false).map_err(faulty)?) {
                    Ok([Step::Command { line, text, output, .. }]) if !output.is_empty() => {
                        steps.push(Step::Server { line, text, output });
                    }
                    Ok(_) | Err(_) => {
                        return Err(faulty("expected one command, and output to wait for".into()));
                    }
                }
            }
            (language, []) if SHOWN.contains(&language) || kind == PageKind::Reference => {}
            _ => {
                return Err(faulty(format!(
                    "a block {info:?}: expected console, powershell, sh, text, or a file (,file=NAME)"
                )));
            }
        }
    }
    Ok(steps)
}

/// The commands of a block whose first line is `fence`.
fn commands(body: &[&str], fence: usize, last_fails: bool) -> std::result::Result<Vec<Step>, String> {
    let mut commands: Vec<(usize, String, Vec<String>)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in body.iter().zip(fence + 1..) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (_, Some((_, text, _))) if goes_on => text.push_str(&format!("\n{line}")),
            (Some(text), _) => commands.push((number, text.to_owned(), Vec::new())),
            (None, Some((_, _, output))) => {
                output.push((*line).to_owned());
                continue;
            }
            (None, None) => {
                return Err("the first line of a console is not a command: expected `$ ` before it".into());
            }
        }
        goes_on = line.ends_with('\\');
    }
    let last = commands.len();
    let steps = commands.into_iter().zip(1..).map(|((line, text, output), at)| Step::Command {
        line,
        text,
        output,
        fails: last_fails && at == last,
    });
    Ok(steps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page\n\n```toml,file=hr.toml\nname = \"HR\"\n```\n\nText `console`.\n\n\
        ```console\n$ muster refresh \\\n    --full\n read\n\n 3\n$ ls\n```\n\n```sh\nsudo true\n```\n\n\
        ```console,fails\n$ true\n$ false\n```\n\n```console,server\n$ muster serve\nlistening\n```\n";

    #[test]
    fn files_and_commands_are_read_in_order() {
        let command = |line, text: &str, output: &[&str], fails| Step::Command {
            line,
            text: text.into(),
            output: output.iter().map(|line| (*line).to_owned()).collect(),
            fails,
        };
        let expected = [
            Step::File { name: "hr.toml".into(), text: "name = \"HR\"\n".into() },
            command(10, "muster refresh \\\n    --full", &[" read", "", " 3"], false),
            command(15, "ls", &[], false),
            command(23, "true", &[], false),
            command(24, "false", &[], true),
            Step::Server { line: 28, text: "muster serve".into(), output: vec!["listening".into()] },
        ];
        assert_eq!(steps(PAGE, PageKind::Book).expect("every block is of a known kind"), expected);
    }

    #[test]
    fn a_block_that_would_not_be_run_is_refused() {
        for wrong in [
            "```toml\na = 1\n```",
            "```console,fials\n$ a\n```",
            "```console\na\n```",
            "```toml,file=../a\n```",
            "```toml,file=\n```",
            "```console,server\n$ a\n```",
            "```console,server\n$ a\n$ b\nc\n```",
            "```\na\n```",
        ] {
            let failure = steps(&format!("\n{wrong}\n"), PageKind::Book).expect_err(wrong).to_string();
            assert!(failure.starts_with("line 2: "), "{wrong}: {failure}");
        }
    }

    #[test]
    fn a_document_shows_other_languages_and_hides_what_its_examples_need() {
        let page = "```json\n{}\n```\n<!-- console\n$ true\n-->\n<!-- console,server\n$ a\nup\n-->\n<!-- a remark -->\n\
                    ```console\n$ echo 1\n1\n```\n";
        let read = steps(page, PageKind::Reference).expect("every block is of a known kind");
        let lines: Vec<_> = read
            .iter()
            .map(|step| match step {
                Step::File { name, .. } => (0, name.as_str()),
                Step::Command { line, text, .. } | Step::Server { line, text, .. } => (*line, text.as_str()),
            })
            .collect();
        assert_eq!(lines, [(5, "true"), (8, "a"), (13, "echo 1")]);
        let wrong = steps("<!-- console,fials\n$ a\n-->\n", PageKind::Reference);
        assert!(wrong.is_err());
    }
}
