//! `cargo xtask tidy`: rules of this repository that no compiler checks.
//!
//! Each rule is a module with one function from the repository to the list of its faults.

mod book;
mod circles;
mod comments;
mod documents;
mod edges;
pub mod files;
mod imports;
mod licences;
mod markdown;
mod messages;
mod sizes;
mod words;

use crate::docs;
use muster_harness::failure::Result;
use muster_harness::workspace::Workspace;

/// Checks every rule and prints the faults. Whether there was none.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let files = files::Files::read(workspace)?;
    let rules: [(&str, Vec<String>); 10] = [
        ("book", book::faults(&files)),
        ("comments", comments::faults(&files)),
        ("crate edges", edges::faults(workspace, &files)?),
        ("documents", documents::faults(&files)),
        ("generated documents", docs::faults(workspace)?),
        ("import circles", circles::faults(&files)),
        ("licences", licences::faults(workspace, &files)?),
        ("messages", messages::faults(&files)?),
        ("sizes", sizes::faults(&files)),
        ("words", words::faults(&files)),
    ];
    let mut in_order = true;
    for (rule, faults) in rules {
        for fault in &faults {
            println!("FAIL  tidy, {rule}: {fault}");
        }
        if faults.is_empty() {
            println!("ok    tidy, {rule}");
        }
        in_order &= faults.is_empty();
    }
    Ok(in_order)
}
