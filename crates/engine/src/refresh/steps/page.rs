//! docs/refresh-steps.md: the steps as a graph and as a table.

use super::{ALL, Step, StepKind};
use crate::refresh::incremental::Needed;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
# Steps of a refresh

`cargo xtask docs` writes this page from `crates/engine/src/refresh/steps.rs` and the files in \
`crates/engine/src/refresh/steps`; change those files, not this page.

A refresh is a sequence of queries. Each query is one file. It reads earlier relations and leaves one relation. The rows of a \
relation are *kept* in the work folder, *planned* (computed wherever they are read), or *read* by the program, which decides by \
them. A `prev_` relation is a table of the last snapshot. A `written_` relation is a table of this snapshot as it was written. \
`{type}` stands for each type of document. [snapshots.md](snapshots.md) describes what a refresh does.
";

fn when(needed: Needed) -> &'static str {
    match needed {
        Needed::Always => "always",
        Needed::Full => "in a full refresh",
        Needed::Incremental => "in an incremental refresh",
        Needed::Identities => "if identities are recomputed",
        Needed::IdentitiesCopied => "if identities are copied",
        Needed::SomeIdentities => "if some identities are recomputed",
        Needed::FewIdentities => "unless all identities are recomputed",
        Needed::AllIdentities => "if all identities are recomputed",
        Needed::AllIdentitiesAgain => "if all identities are recomputed in an incremental refresh",
        Needed::IncrementalWithIdentities => "if identities are recomputed in an incremental refresh",
        Needed::Chosen(when) => when,
    }
}

/// The comment at the beginning of a step's file.
fn meaning(step: &Step) -> String {
    let lines = step.sql.lines().map_while(|line| line.strip_prefix("-- "));
    lines.collect::<Vec<_>>().join(" ")
}

/// The name of a relation as a node of the graph, without characters that Mermaid does not accept.
fn node(relation: &str) -> String {
    relation.replace(['{', '}'], "")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut left: BTreeMap<&str, StepKind> = BTreeMap::new();
    let mut edges: BTreeSet<(String, String)> = BTreeSet::new();
    for step in ALL {
        left.entry(step.name).or_insert(step.kind);
        for read in step.reads.split_whitespace().filter(|read| *read != step.name) {
            // A relation of one type of document or table is drawn as the relation of all of them.
            let drawn = ALL.iter().find(|other| is_one_of(read, other.name)).map_or(read, |other| other.name);
            edges.insert((node(drawn), node(step.name)));
        }
    }
    page.push_str("\n## Graph\n\n```mermaid\nflowchart LR\n");
    for (name, kind) in &left {
        let shape = match kind {
            StepKind::Kept => ('[', ']'),
            StepKind::View => ('(', ')'),
            StepKind::Read => ('>', ']'),
        };
        writeln!(page, "  {}{}\"{name}\"{}", node(name), shape.0, shape.1).expect("a text takes all");
    }
    for (from, to) in edges {
        writeln!(page, "  {from} --> {to}").expect("a text takes all");
    }
    page.push_str("```\n\nKept relations are rectangles, planned ones are rounded, and relations that the program reads have a notch.\n");
    page.push_str("\n## Table\n\n| file | leaves | when | reads | what it is |\n|---|---|---|---|---|\n");
    for step in ALL {
        let kind = match step.kind {
            StepKind::Kept => "kept",
            StepKind::View => "planned",
            StepKind::Read => "read",
        };
        let reads: Vec<_> = step.reads.split_whitespace().map(|read| format!("`{read}`")).collect();
        writeln!(
            page,
            "| `{}` | `{}`, {kind} | {} | {} | {} |",
            step.file,
            step.name,
            when(step.needed),
            reads.join(", "),
            meaning(step),
        )
        .expect("a text takes all");
    }
    page
}

/// Whether `name` is the relation of `family` for some type of document.
fn is_one_of(name: &str, family: &str) -> bool {
    let types = muster_sources::DocumentType::ALL.map(super::words_of);
    name != family && types.iter().any(|words| super::expanded(family, words) == name)
}

#[test]
fn the_page_of_steps_is_what_is_declared() {
    muster_testkit::generated_docs::check("docs/refresh-steps.md", &page());
}
