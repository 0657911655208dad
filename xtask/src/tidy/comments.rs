//! Documents that comments name must be in the repository, so that a reader of the code can open them.
//!
//! A name is a path from the root: `docs/files.md`, `ARCHITECTURE.md`, `tests/published/reports-v1.yaml`.

use super::files::Files;

/// How comments begin, by the end of the file's path.
const COMMENTS: [(&str, &str); 6] =
    [(".rs", "//"), (".mjs", "//"), (".java", "//"), (".py", "#"), (".toml", "#"), (".sql", "--")];
/// What counts as a document.
const DOCUMENTS: [&str; 2] = [".md", ".yaml"];
/// Documents that the service writes; they are in no repository.
const WRITTEN: [&str; 1] = ["VERIFY.md"];

/// Places of comments that name a document which the repository does not have.
pub fn faults(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in &files.texts {
        let Some((_, mark)) = COMMENTS.iter().find(|(end, _)| path.ends_with(end)) else { continue };
        for (index, line) in text.lines().enumerate() {
            for name in comment(line, mark).into_iter().flat_map(documents) {
                if !WRITTEN.contains(&name) && !files.texts.contains_key(name) {
                    faults.push(format!("{path}:{}: {name} is not in the repository", index + 1));
                }
            }
        }
    }
    faults
}

/// The comment of a line: the whole line, or what follows code and a space.
fn comment<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let line = line.trim_start();
    line.strip_prefix(mark).or_else(|| line.split_once(&format!(" {mark} ")).map(|(_, comment)| comment))
}

/// Names of documents in a text; addresses are none.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    text.split(move |c| !is_part(c))
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| !word.contains("://"))
        .filter(|word| DOCUMENTS.iter().any(|end| word.strip_suffix(end).is_some_and(ends_a_name)))
}

/// Whether this is a path without its extension: `*.md` and a bare `.yaml` name no document.
fn ends_a_name(path: &str) -> bool {
    path.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        let texts = [(path, text), ("docs/a.md", ""), ("TOP.md", ""), ("tests/b.yaml", "")];
        let texts = texts.into_iter().map(|(path, text)| (path.into(), text.into()));
        faults(&Files { texts: texts.collect() })
    }

    /// A line of code with a comment after it. (Written out, it would be a comment of this file.)
    fn after_code(comment: &str) -> String {
        format!("    let x = 1; {} {comment}\n", "//")
    }

    #[test]
    fn documents_that_are_there_may_be_named() {
        let right = [
            "//! See `docs/a.md`, TOP.md and tests/b.yaml.",
            "// (docs/a.md#part): https://example.org/x.md",
            "/// VERIFY.md, `*.md`, files that end in `.yaml`.",
            "let page = \"docs/gone.md\";",
        ];
        assert_eq!(check("crates/a/src/lib.rs", &right.join("\n")), [""; 0]);
        assert_eq!(check("crates/a/src/lib.rs", &after_code("docs/a.md")), [""; 0]);
    }

    #[test]
    fn documents_that_are_not_there_are_found_with_their_lines() {
        for (path, text) in [
            ("a.rs", "\n//! The order (`docs/gone.md`, part 2).\n".to_owned()),
            ("a.rs", format!("\n{}", after_code("as docs/gone.md says"))),
            ("a.py", "\n# docs/gone.md.\n".to_owned()),
            ("a.sql", "\n-- docs/gone.md\n".to_owned()),
        ] {
            assert_eq!(check(path, &text), [format!("{path}:2: docs/gone.md is not in the repository")]);
        }
        // A path begins at the root, so that it is found without a search.
        assert_eq!(check("a.rs", "/// `a.md`\n"), ["a.rs:1: a.md is not in the repository"]);
        assert_eq!(check("a.rs", "/// `b.yaml`\n"), ["a.rs:1: b.yaml is not in the repository"]);
    }
}
