//! The book is whole: its contents name every page once, what a page includes is there, it has every document of `docs`, and
//! every block of code is one that `cargo xtask book` runs or that is only shown. The README is checked as a page.

use super::documents::joined;
use super::files::Files;
use super::markdown::linked_paths;
use muster_harness::book::{self, PageKind};

/// The folder of the pages.
const PAGES: &str = "book/src/";
const CONTENTS: &str = "book/src/SUMMARY.md";
const INCLUDE: &str = "{{#include ";

/// Everything that is wrong with the book.
pub fn faults(files: &Files) -> Vec<String> {
    let Some(contents) = files.texts.get(CONTENTS) else { return vec![format!("{CONTENTS} is not there")] };
    let linked: Vec<_> =
        linked_paths(contents).into_iter().map(|link| format!("{PAGES}{}", link.text)).collect();
    let mut faults = Vec::new();
    let mut included = Vec::new();
    for (path, text) in
        files.ending(".md").filter(|(path, _)| path.starts_with(PAGES) || *path == "README.md")
    {
        let times = linked.iter().filter(|link| *link == path).count();
        if times != 1 && ![CONTENTS, "README.md"].contains(&path) {
            faults.push(format!("{CONTENTS} names {path} {times} times: expected once"));
        }
        if let Err(failure) = book::check(text, PageKind::Book) {
            faults.push(format!("{path}: {failure}"));
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for rest in text.split(INCLUDE).skip(1) {
            let target = joined(folder, rest.split("}}").next().unwrap_or_default());
            if !files.texts.contains_key(&target) {
                faults.push(format!("{path} includes {target}, which is not there"));
            }
            included.push(target);
        }
    }
    let documents: Vec<_> = files.ending(".md").filter(|(path, _)| path.starts_with("docs/")).collect();
    for (path, text) in &documents {
        if let Err(failure) = book::check(text, PageKind::Reference) {
            faults.push(format!("{path}: {failure}"));
        }
    }
    let left_out = documents.iter().filter(|(path, _)| !included.iter().any(|target| target == path));
    faults.extend(left_out.map(|(path, _)| format!("no page of the book includes {path}")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(texts: &[(&str, &str)]) -> Vec<String> {
        faults(&Files { texts: texts.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect() })
    }

    #[test]
    fn what_is_missing_is_named() {
        let contents = (CONTENTS, "- [A](a.md)\n- [B](b/b.md)\n");
        let b = ("book/src/b/b.md", "{{#include ../../../docs/b.md}}\n");
        let a = ("book/src/a.md", "```console\n$ true\n```\n");
        assert_eq!(faults_of(&[contents, a, b, ("docs/b.md", "")]), Vec::<String>::new());
        assert_eq!(faults_of(&[contents, a, b]), ["book/src/b/b.md includes docs/b.md, which is not there"]);
        assert_eq!(
            faults_of(&[
                contents,
                a,
                b,
                ("docs/b.md", ""),
                ("docs/c.md", ""),
                ("book/src/d.md", "```\nx\n```\n")
            ]),
            [
                "book/src/SUMMARY.md names book/src/d.md 0 times: expected once",
                "book/src/d.md: line 1: a block \"\": expected console, powershell, sh, text, or a file (,file=NAME)",
                "no page of the book includes docs/c.md",
            ]
        );
    }
}
