//! Crate edges: each manifest against the table in ARCHITECTURE.md.
//!
//! The table's row says everything that a crate may name beyond what every crate may: workspace members, and
//! the outside crates that have one owner. A manifest that names more, or less than the row's members, is a
//! fault, so that the table stays the truth.

use super::files::Files;
use super::markdown;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// Outside crates that are heavy, native or a face to the world: a row must allow them.
const GUARDED: [&str; 25] = [
    "arrow",
    "askama",
    "axum",
    "ballista",
    "clap",
    "cryptoki",
    "datafusion",
    "deltalake",
    "figment",
    "hyper",
    "ldap3",
    "lettre",
    "object_store",
    "opentelemetry",
    "opentelemetry-otlp",
    "opentelemetry_sdk",
    "parquet",
    "pdf-writer",
    "rdkafka",
    "reqwest",
    "rust_xlsxwriter",
    "sqlx",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "ureq",
];
/// Header of the table.
const HEADER: [&str; 3] = ["crate", "members it names", "guarded crates it names"];
const DOCUMENT: &str = "ARCHITECTURE.md";

/// What a crate names, or may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    members: BTreeSet<String>,
    guarded: BTreeSet<String>,
}

/// Where manifests and table differ.
pub fn faults(workspace: &Workspace, files: &Files) -> Result<Vec<String>> {
    let document = files
        .texts
        .get(DOCUMENT)
        .ok_or_else(|| Failure::new(format!("{DOCUMENT} is not there: it has the table of crate edges")))?;
    let rows = markdown::table(document, &HEADER)
        .ok_or_else(|| Failure::new(format!("{DOCUMENT} has no table with the columns {HEADER:?}")))?;
    let allowed = rows.iter().map(|row| row_names(row)).collect::<Result<BTreeMap<_, _>>>()?;
    let mut manifests = BTreeMap::new();
    for (path, text) in files.ending("/Cargo.toml") {
        let folder = path.trim_start_matches("crates/").trim_end_matches("/Cargo.toml");
        // Below a crate there may be a workspace of its own.
        if !folder.contains('/') {
            manifests.insert(folder.to_owned(), manifest_names(text, path, &workspace.packages)?);
        }
    }
    Ok(compare(&allowed, &manifests))
}

fn row_names(row: &[String]) -> Result<(String, Names)> {
    let [name, members, guarded, ..] = row else {
        return Err(Failure::new(format!("{DOCUMENT}: the row {row:?} has fewer than three cells")));
    };
    let set =
        |cell: &str| cell.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    Ok((name.clone(), Names { members: set(members), guarded: set(guarded) }))
}

/// Dependencies for building and running; what only tests use is free.
fn manifest_names(text: &str, path: &str, packages: &[String]) -> Result<Names> {
    let manifest: toml::Table = toml::from_str(text).context(|| path.to_owned())?;
    let mut names = Names::default();
    for section in ["dependencies", "build-dependencies"] {
        for name in
            manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys)
        {
            if packages.contains(name) {
                names.members.insert(name.trim_start_matches("muster-").to_owned());
            } else if GUARDED.contains(&name.as_str()) {
                names.guarded.insert(name.clone());
            }
        }
    }
    Ok(names)
}

fn compare(allowed: &BTreeMap<String, Names>, manifests: &BTreeMap<String, Names>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, manifest) in manifests {
        let Some(row) = allowed.get(name) else {
            faults.push(format!("crate {name} has no row in {DOCUMENT}"));
            continue;
        };
        let sides = [(&manifest.members, &row.members), (&manifest.guarded, &row.guarded)];
        for (named, may) in sides {
            let more =
                named.difference(may).map(|other| format!("crate {name} names {other}: its row does not"));
            let less = may
                .difference(named)
                .map(|other| format!("the row of {name} has {other}: its manifest has not"));
            faults.extend(more.chain(less));
        }
    }
    let gone = allowed.keys().filter(|name| !manifests.contains_key(*name));
    faults.extend(gone.map(|name| format!("{DOCUMENT} has a row for {name}, which is not a crate")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(members: &[&str], guarded: &[&str]) -> Names {
        let set = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        Names { members: set(members), guarded: set(guarded) }
    }

    #[test]
    fn a_manifest_is_read_without_its_tests() {
        let text = "[dependencies]\nmuster-reports.workspace = true\nsqlx.workspace = true\nserde = \"1\"\n\
                    [dev-dependencies]\naxum = \"1\"\n";
        let found = manifest_names(text, "a", &["muster-reports".to_owned()]);
        assert_eq!(found.expect("valid"), names(&["reports"], &["sqlx"]));
    }

    #[test]
    fn every_difference_is_a_fault() {
        let allowed = [("store", names(&["reports"], &["sqlx"])), ("gone", names(&[], &[]))];
        let manifests = [("store", names(&[], &["sqlx", "axum"])), ("fresh", names(&[], &[]))];
        let map = |list: [(&str, Names); 2]| list.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert_eq!(
            compare(&map(allowed), &map(manifests)),
            [
                "crate fresh has no row in ARCHITECTURE.md",
                "the row of store has reports: its manifest has not",
                "crate store names axum: its row does not",
                "ARCHITECTURE.md has a row for gone, which is not a crate",
            ]
        );
    }
}
