//! `cargo xtask book`: does what the README, the pages of the book and the documents of `docs` ask their reader to do, and
//! compares what happens with what they show.
//!
//! Why not one of the crates that run commands of documents: a page is one session. It writes files, starts a service,
//! exports variables, and uses ids that were printed before; those crates run each command by itself.
//!
//! `crates/harness/src/book/page.rs` says how a page is written, `crates/harness/src/book/expectation.rs` what may differ.

mod expectation;
mod page;
mod shell;

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::install;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
pub use page::PageKind;
use page::Step;
use shell::Shell;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask book`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Only pages whose path contains this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub page: String,
    /// Make the picture of a cover from the PDF of the first page; needs pdftoppm (Debian: poppler-utils)
    #[arg(long)]
    pub picture: bool,
}

/// The folder of the documents of reference, which the book includes.
const DOCUMENTS: &str = "docs/";

/// The page whose folder has a PDF to make the picture from, that PDF, and the picture.
const PICTURE: (&str, &str, &str) =
    ("book/src/start.md", "Identities Report.pdf", "book/src/images/cover.png");

/// Runs it and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = pages(workspace, &binary, &options.page)?;
    if options.picture {
        picture(workspace)?;
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// Does what the pages say whose path contains `named`: one passed for each command, one failed for each page whose reader
/// is stopped.
///
/// # Errors
/// When there is no such page.
pub fn pages(workspace: &Workspace, binary: &Path, named: &str) -> Result<Tally> {
    let mut tally = Tally::default();
    if let Err(failure) = install::programs_of_readers() {
        tally.cannot_run("the examples of the book", &failure, must_run_everything());
        return Ok(tally);
    }
    let mut found = vec![workspace.root.join("README.md")];
    find(&workspace.root.join("book/src"), &mut found)?;
    find(&workspace.root.join(DOCUMENTS), &mut found)?;
    found.sort();
    let place = workspace.fresh_folder("book")?;
    for page in &found {
        let name = page.strip_prefix(&workspace.root).unwrap_or(page).display().to_string();
        if !name.contains(named) {
            continue;
        }
        let text = std::fs::read_to_string(page).context(|| format!("{name} cannot be read"))?;
        let mut done = 0;
        let kind = if name.starts_with(DOCUMENTS) { PageKind::Reference } else { PageKind::Book };
        let steps = page::steps(&text, kind);
        let ended = steps.and_then(|steps| follow(steps, &text, &place.join(&name), binary, &mut done));
        tally.passed += done;
        match ended {
            Ok(()) if done > 0 => println!("ok    {name}: {done} commands"),
            Ok(()) => {}
            Err(failure) => {
                tally.failed += 1;
                println!("FAIL  {name}:{failure}");
            }
        }
    }
    if tally == Tally::default() {
        return Err(Failure::new(format!("no page with commands has {named:?} in its path")));
    }
    Ok(tally)
}

/// Whether every block of code in a page is one that is run, or only shown.
///
/// # Errors
/// When one is not; the text has its line.
pub fn check(page: &str, kind: PageKind) -> Result<()> {
    page::steps(page, kind).map(|_| ())
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    for entry in std::fs::read_dir(folder).context(unreadable)? {
        let path = entry.context(unreadable)?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    Ok(())
}

/// Follows the steps of one page and counts its commands. The text of a failure begins with the line.
fn follow(steps: Vec<Step>, text: &str, place: &Path, binary: &Path, done: &mut u64) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut shell = Shell::new(place, binary, text)?;
    for step in steps {
        match step {
            Step::File { name, text } => {
                shell.write(&name, &text)?;
                continue;
            }
            Step::Command { line, text, output, fails } => {
                let at =
                    |failure: &dyn std::fmt::Display| Failure::new(format!("{line}: `{text}`: {failure}"));
                let ran = shell.run(&text).map_err(|failure| at(&failure))?;
                let printed = || ran.lines.iter().map(|line| format!("\n    {line}")).collect::<String>();
                if ran.succeeded == fails {
                    let expected = if fails { "to fail" } else { "to succeed" };
                    return Err(at(&format!("expected {expected}, and this was printed:{}", printed())));
                }
                if let Err(differs) = shell.expects(&output, &ran.lines) {
                    let expected = output.get(differs).map_or("the end", String::as_str);
                    let of_page = line + 1 + text.matches('\n').count() + differs;
                    return Err(Failure::new(format!(
                        "{of_page}: `{text}`: the page shows\n    {expected}\n  and this was printed:{}",
                        printed()
                    )));
                }
            }
            Step::Server { line, text, output } => {
                let started = shell.serve(&text, &output);
                started.map_err(|failure| Failure::new(format!("{line}: `{text}`: {failure}")))?;
            }
        }
        *done += 1;
    }
    shell.stop()
}

/// The first page of a PDF that a reader of the book fetched, as a picture.
fn picture(workspace: &Workspace) -> Result<()> {
    let (page, pdf, picture) = PICTURE;
    let pdf = workspace.cache()?.join("book").join(page).join("folder").join(pdf);
    let picture = workspace.root.join(picture);
    if let Some(folder) = picture.parent() {
        std::fs::create_dir_all(folder).context(|| format!("{} cannot be made", folder.display()))?;
    }
    let options = ["-png", "-singlefile", "-f", "1", "-scale-to", "1000"];
    command::run(Command::new("pdftoppm").args(options).arg(pdf).arg(picture.with_extension("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder below the system's for temporary files, removed when dropped.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("muster-book-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder can be made");
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn follow_in(name: &str, page: &str) -> (u64, std::result::Result<(), String>) {
        let (place, mut done) = (Place::new(name), 0);
        let steps = page::steps(page, PageKind::Book).expect("every block is of a known kind");
        let ended = follow(steps, page, &place.0, Path::new("/bin/true"), &mut done);
        (done, ended.map_err(|failure| failure.to_string()))
    }

    #[test]
    fn a_page_is_one_session() {
        let id = "0123456789abcdef0123456789abcdef";
        let page = format!(
            "```text,file=a.txt\nhello\n```\n\n```console\n$ cat a.txt\nhello\n$ export ID=$(md5sum < a.txt | cut -c1-32)\n\
             $ echo $ID\n{id}\n$ echo x {id} \\\n    y; muster\nx {id} y\n```\n\n\
             ```console,server\n$ bash -c 'echo at 127.0.0.1:8080; exec sleep 1000'\nat 127.0.0.1:8080\n```\n\n\
             ```console,fails\n$ test \"$ID\" != {id}\n```\n"
        );
        assert_eq!(follow_in("session", &page), (6, Ok(())));
    }

    #[test]
    fn what_stops_the_reader_is_told_with_its_line() {
        let (done, ended) = follow_in("output", "```console\n$ true\n$ printf 'a\\nb\\n'\na\nc\n```\n");
        let failure = ended.expect_err("the output is another one");
        assert!(done == 1 && failure.starts_with("5: `printf") && failure.contains("    c\n"), "{failure}");
        let (_, ended) = follow_in("status", "\n```console\n$ echo why; false\nwhy\n```\n");
        let failure = ended.expect_err("the status is another one");
        assert!(
            failure.starts_with("3: `echo why; false`: expected to succeed") && failure.contains("why"),
            "{failure}"
        );
    }
}
