//! `cargo xtask docs`: docs/reports.md, written from the report definitions, and docs/limits.md, from the code.
//!
//! Definitions and code are what runs; the documents are what people read. Tidy fails when they differ. The pages of tables,
//! of steps of a refresh, of settings and of commands are written by tests of the engine and of `muster`, which have the declarations as
//! values; the same tests fail when a page is stale.

mod limits;

use crate::tidy::files::Files;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::{Workspace, cargo};
use std::fmt::Write;
use toml::{Table, Value};

const DOCUMENT: &str = "docs/reports.md";
const DEFINITIONS: &str = "crates/reports/definitions";

/// The tests that write pages. The binary is built with the features of the service, with which everything is built already.
const PAGES: [&str; 9] = [
    "test",
    "--release",
    "--package",
    "muster",
    "--package",
    "muster-engine",
    "--lib",
    "--bins",
    "the_page_of",
];

const HEAD: &str = "\
# Reports

`cargo xtask docs` writes this page from the definitions in `crates/reports/definitions`; change those, not this page.

Every report is a CSV file as in RFC 4180: UTF-8 without a byte order mark, lines end in CR LF, and the first line has the \
technical names of the columns (`csv.header = \"label\"` writes labels instead). A null is an empty cell, and a time is \
RFC 3339 in UTC. Several values in one cell are joined by `; `, and a `;` inside a value is doubled; a single value is written \
unchanged. Rows are totally ordered, so the same snapshot and the same arguments give the same bytes. A change of columns, \
of order or of meaning is a new version of the definition.

A result is SUCCESS when the rows written equal the rows that a second count over the same snapshot expects, \
and every source of the report was read completely. It is WARNING when a reader must know something, which `messages` \
says ([messages.md](messages.md)). Otherwise it is FAILURE and has no file. The service may keep the counts and charts of a \
snapshot for later reports over the same tables; it always reads the rows, and compares them with the counts.

Reports that serve a rule, such as PCI DSS 8.2.6, are of Muster and of no published kind: `muster report run`, the console and \
`POST /muster/v1/reports/{id}/run` start them, and the published routes do not. They have the same guarantees. What they know of \
accounts and people comes from the typed columns of source definitions ([sources.md](sources.md#typed-columns)); what a source does \
not say is unknown, and never counts as good. Days are counted back from the time of the snapshot.
";

/// Writes the documents.
pub fn write(workspace: &Workspace) -> Result<()> {
    // First, because the page of limits has rows of the page of settings.
    command::run(cargo().current_dir(&workspace.root).env("UPDATE_PAGES", "1").args(PAGES))?;
    for (document, text) in texts(workspace)? {
        let path = workspace.root.join(document);
        std::fs::write(&path, text).context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn texts(workspace: &Workspace) -> Result<[(&'static str, String); 2]> {
    Ok([(DOCUMENT, text(workspace)?), (limits::DOCUMENT, limits::text(&Files::read(workspace)?.texts))])
}

/// The documents that are not what definitions and code say.
pub fn faults(workspace: &Workspace) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (document, text) in texts(workspace)? {
        let path = workspace.root.join(document);
        // One that is not there is as stale as any other.
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            faults.push(format!("{document} is not what the code says: run cargo xtask docs"));
        }
    }
    Ok(faults)
}

fn text(workspace: &Workspace) -> Result<String> {
    let folder = workspace.root.join(DEFINITIONS);
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut definitions = Vec::new();
    for entry in std::fs::read_dir(&folder).context(unreadable)? {
        let path = entry.context(unreadable)?.path();
        let text = std::fs::read_to_string(&path).context(|| path.display().to_string())?;
        let definition: Table = toml::from_str(&text).context(|| path.display().to_string())?;
        definitions.push((field(&definition, "id")?.to_owned(), definition));
    }
    definitions.sort_by(|one, other| one.0.cmp(&other.0));
    let mut document = HEAD.to_owned();
    for (_, definition) in &definitions {
        document.push_str(&section(definition)?);
    }
    Ok(document)
}

fn section(definition: &Table) -> Result<String> {
    let id = field(definition, "id")?;
    let version = definition.get("version").and_then(Value::as_integer).unwrap_or_default();
    let mut text = format!("\n## {id}\n\n**{}**, version {version}.", field(definition, "name")?);
    let formats = list(definition, "formats").map(|format| format.as_str().unwrap_or_default());
    let add =
        |text: &mut String, more: std::fmt::Arguments<'_>| text.write_fmt(more).expect("a text takes all");
    add(&mut text, format_args!(" {}", field(definition, "description")?));
    add(&mut text, format_args!(" One row is {}.", field(definition, "row")?));
    let search = definition.get("search").and_then(Value::as_bool).unwrap_or(false);
    let keys: Vec<_> =
        list(definition, "order_by").filter_map(Value::as_str).map(|k| format!("`{k}`")).collect();
    if !search {
        add(&mut text, format_args!(" Ordered by {}.", keys.join(", ")));
    }
    add(&mut text, format_args!(" Formats: {}.\n", formats.collect::<Vec<_>>().join(", ")));
    let norms: Vec<_> = list(definition, "norms").filter_map(Value::as_str).collect();
    if !norms.is_empty() {
        add(&mut text, format_args!("\nIt serves {}.\n", norms.join(", ")));
    }

    let arguments: Vec<_> = list(definition, "arguments").filter_map(Value::as_table).collect();
    if !arguments.is_empty() {
        text.push_str("\n| argument | holds | required | meaning |\n|---|---|---|---|\n");
    }
    for argument in arguments {
        let required = argument.get("required").and_then(Value::as_bool).unwrap_or(false);
        let need = match (required, argument.get("default")) {
            (true, _) => "yes".to_owned(),
            (false, Some(default)) => format!("no: `{default}`"),
            (false, None) => "no".to_owned(),
        };
        let (name, meaning) = (field(argument, "name")?, field(argument, "meaning")?);
        add(&mut text, format_args!("| `{name}` | {} | {need} | {meaning} |\n", holds(argument)?));
    }

    if search {
        text.push_str("\nQueries, columns and files are described in [search.md](search.md).\n");
        return Ok(text);
    }
    text.push_str("\n| column | label | meaning |\n|---|---|---|\n");
    for column in list(definition, "columns").filter_map(Value::as_table) {
        let (name, label, meaning) =
            (field(column, "name")?, field(column, "label")?, field(column, "meaning")?);
        add(&mut text, format_args!("| `{name}` | {label} | {meaning} |\n"));
    }
    match definition.get("attribute_columns").and_then(Value::as_str) {
        Some("identity") => {
            text.push_str("\nThen every identity attribute of the schema, in schema order.\n")
        }
        Some("source") => text.push_str("\nThen every account attribute of the source, in schema order.\n"),
        Some(other) => return Err(Failure::new(format!("{id}: attribute_columns is {other:?}"))),
        None => {}
    }
    if let Some(pdf) = definition.get("pdf").and_then(Value::as_table) {
        let names = |key: &str| {
            let names = list(pdf, key).filter_map(Value::as_str).map(|name| format!("`{name}`"));
            names.collect::<Vec<_>>().join(", ")
        };
        add(&mut text, format_args!("\nThe table of the PDF shows {}", names("columns")));
        if pdf.contains_key("fill_in") {
            add(&mut text, format_args!(". A reader fills in {}", names("fill_in")));
        }
        match pdf.get("group_by").and_then(Value::as_str) {
            Some(key) => {
                let above = names("group");
                add(&mut text, format_args!(". Above the rows with the same `{key}` stand {above}.\n"));
            }
            None => text.push_str(".\n"),
        }
    }
    Ok(text)
}

/// What an argument holds, for people.
fn holds(argument: &Table) -> Result<String> {
    let allowed: Vec<_> = list(argument, "allowed").filter_map(Value::as_str).collect();
    Ok(match field(argument, "type")? {
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => match (argument.get("min"), argument.get("max")) {
            (Some(min), Some(max)) => format!("whole number from {min} to {max}"),
            _ => "whole number".to_owned(),
        },
        "date" => "day such as `2026-03-31`".to_owned(),
        "source_id" => "id of a source".to_owned(),
        "authoritative_source_id" => "id of an authoritative source".to_owned(),
        "source_name" => "name of that source".to_owned(),
        "query" => "search query".to_owned(),
        "names" => "names with commas between them".to_owned(),
        "texts" if !allowed.is_empty() => format!("list of {}", allowed.join(", ")),
        other => other.replace('_', " "),
    })
}

fn field<'table>(table: &'table Table, key: &str) -> Result<&'table str> {
    table
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::new(format!("a definition has no text {key}")))
}

fn list<'table>(table: &'table Table, key: &str) -> impl Iterator<Item = &'table Value> {
    table.get(key).and_then(Value::as_array).into_iter().flatten()
}
