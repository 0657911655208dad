//! docs/refresh-steps.md: the steps as a graph and as a table.

use super::{ALL, Kind, Step};
use crate::refresh::extent::Needed;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
# Steps of a refresh

This page is written from `crates/engine/src/refresh/steps.rs` and the files in `crates/engine/src/refresh/steps` by `cargo xtask \
docs`; change those.

A refresh is a sequence of queries. Each is one file, reads relations that stand before it, and leaves one: its rows are *kept* in \
the work folder, *planned* wherever they are read, or *read* by the program, which decides by them. `prev_` relations are tables of \
the last snapshot, `written_` ones those of this snapshot as they were written; `{type}` stands for each type of document. What a \
refresh makes of sources is described in [snapshots.md](snapshots.md).
";

fn when(needed: Needed) -> &'static str {
    match needed {
        Needed::Always => "always",
        Needed::Everything => "if everything is made again",
        Needed::Part => "if something is taken over",
        Needed::Identities => "if identities are made again",
        Needed::IdentitiesKept => "if identities are taken over",
        Needed::PartWithIdentities => "if identities are made again and something else is taken over",
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
    let mut left: BTreeMap<&str, Kind> = BTreeMap::new();
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
            Kind::Kept => ('[', ']'),
            Kind::View => ('(', ')'),
            Kind::Read => ('>', ']'),
        };
        writeln!(page, "  {}{}\"{name}\"{}", node(name), shape.0, shape.1).expect("a text takes all");
    }
    for (from, to) in edges {
        writeln!(page, "  {from} --> {to}").expect("a text takes all");
    }
    page.push_str("```\n\nKept relations are rectangles, planned ones are rounded, and what the program reads has a notch.\n");
    page.push_str("\n## Table\n\n| file | leaves | when | reads | what it is |\n|---|---|---|---|---|\n");
    for step in ALL {
        let kind = match step.kind {
            Kind::Kept => "kept",
            Kind::View => "planned",
            Kind::Read => "read",
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
    crate::pages::check("docs/refresh-steps.md", &page());
}
