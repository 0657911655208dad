//! Sample organisations: their counts, made again by another program that knows only the definitions.
#![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use arrow::array::AsArray;
use muster_sample::{Options, SourceSummary, Summary, generate};
use muster_sources::documents::to_json;
use muster_sources::{DocumentType, ReadSummary, SourceDefinition, column};

fn options(identities: u64, seed: u64, generation: u32) -> Options {
    Options { identities, seed, generation, ..Options::default() }
}

/// The counts as Python makes them, each source under its name; `None` where there is no Python that can.
fn recount(folders: &[&Path]) -> Option<serde_json::Value> {
    let script = "tests/sample/recount.py";
    let able = Command::new("python3").args(["-c", "import tomllib"]).output();
    if !able.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: no python3 of at least 3.11 to count with");
        return None;
    }
    let output = Command::new("python3").arg(script).args(folders).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    by_name(&mut counts);
    Some(counts)
}

/// Replaces the list of sources by a map, so that their order does not matter.
fn by_name(counts: &mut serde_json::Value) {
    let sources = counts["sources"].as_array().unwrap().iter();
    counts["sources"] =
        sources.map(|source| (source["name"].as_str().unwrap().to_owned(), source.clone())).collect();
}

fn counts(summary: &Summary) -> serde_json::Value {
    let mut counts = serde_json::to_value(summary).unwrap();
    by_name(&mut counts);
    counts
}

#[test]
fn the_summary_is_what_another_program_counts() {
    for (identities, seed) in [(1, 1), (20, 2), (500, 3), (4_000, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let summary = generate(folder.path(), options(identities, seed, 0)).unwrap();
        assert_eq!(summary.identities, identities);
        let Some(expected) = recount(&[folder.path()]) else { return };
        assert_eq!(counts(&summary), expected, "{identities} identities");
    }
}

#[test]
fn the_later_generation_is_what_another_program_counts() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let earlier = generate(before.path(), options(4_000, 5, 0)).unwrap();
    let later = generate(after.path(), options(4_000, 5, 1)).unwrap();
    assert_eq!(later.identities + later.removed, earlier.identities);
    assert!(later.removed * 10 < 3_400, "below the delete threshold");
    assert_eq!(later.removed_protected, 1);
    let Some(expected) = recount(&[before.path(), after.path()]) else { return };
    assert_eq!(counts(&later), expected);
}

#[test]
fn every_peculiarity_occurs_from_five_hundred_people_on() {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(folder.path(), options(500, 1, 1)).unwrap();
    let counts = counts(&summary);
    for (name, count) in counts.as_object().unwrap() {
        assert!(name == "sources" || name == "documents" || count.as_u64() > Some(0), "{name}");
    }
    for name in [
        "rejected",
        "of_removed",
        "uncorrelated",
        "system",
        "disputed",
        "without_uid",
        "disabled",
        "locked",
        "privileged",
    ] {
        let sum: u64 = counts["sources"]
            .as_object()
            .unwrap()
            .values()
            .map(|source| source[name].as_u64().unwrap())
            .sum();
        assert!(sum > 0, "{name}");
    }
}

/// The definition in a file of the organisation.
fn load(folder: &Path, file: &str) -> SourceDefinition {
    let path = folder.join(file);
    SourceDefinition::from_toml(&std::fs::read_to_string(&path).unwrap(), &path).unwrap()
}

/// What a read of a source came to, and the entitlements that its accounts have.
fn read(definition: &SourceDefinition, folder: &Path) -> (ReadSummary, BTreeSet<String>) {
    let mut reader = muster_sources::open(definition, folder).unwrap();
    let mut entitlements = BTreeSet::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        let lists = batch.records.column_by_name(column::ENTITLEMENTS).unwrap().as_list::<i32>();
        entitlements.extend(lists.values().as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    (reader.finish().unwrap(), entitlements)
}

#[test]
fn our_reader_sees_the_rows_and_rejects_the_broken_ones() {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(folder.path(), options(2_000, 6, 0)).unwrap();
    for source in &summary.sources {
        let definition = load(folder.path(), &source.definition);
        assert_eq!(definition.name, source.name);
        let (read, _) = read(&definition, folder.path());
        assert!(read.complete, "{}", source.name);
        assert_eq!((read.read, read.rejected), (source.rows, source.rejected), "{}", source.name);
        let fates = source.linked + source.of_removed + source.uncorrelated + source.system + source.disputed;
        assert_eq!(source.accounts, fates + source.without_uid, "{}", source.name);
    }
    let accounts: u64 = summary.sources.iter().map(|source| source.accounts).sum();
    assert!((9_400..10_600).contains(&accounts), "about five accounts for each of 2000: {accounts}");
    let directory = &summary.sources[2];
    assert_eq!(directory.name, "Active Directory");
    let text = std::fs::read_to_string(folder.path().join(&directory.definition)).unwrap();
    assert!(text.contains("id = \"2c9180897e7742b2017e781782f705b9\""));
}

/// Entitlements that accounts of the organisation have, and roles that are made of them.
#[test]
fn the_access_model_is_made_of_entitlements_that_accounts_have() {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(folder.path(), options(2_000, 6, 0)).unwrap();
    let definition = load(folder.path(), &summary.documents.definition);
    assert_eq!(definition.name, summary.documents.name);
    assert!(muster_sources::open(&definition, folder.path()).is_err(), "it has no accounts");
    let mut reader = muster_sources::open_documents(&definition, folder.path(), &|_| None).unwrap().unwrap();
    let mut documents = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.rejections, []);
        for typed in &batch.documents {
            let rows = 0..typed.records.num_rows();
            documents.extend(rows.map(|row| (typed.document_type, to_json(&typed.records, row).unwrap())));
        }
    }
    assert_eq!(reader.finish().unwrap().warnings, [""; 0]);
    let of = |kind| documents.iter().filter(move |(found, _)| *found == kind);
    assert_eq!(of(DocumentType::Roles).count() as u64, summary.documents.roles);
    assert_eq!(of(DocumentType::AccessProfiles).count() as u64, summary.documents.access_profiles);
    for (_, profile) in of(DocumentType::AccessProfiles) {
        let named = |source: &&SourceSummary| profile["source"]["name"] == source.name.as_str();
        let source = load(folder.path(), &summary.sources.iter().find(named).unwrap().definition);
        assert_eq!(profile["source"]["id"], source.id.as_str());
        let (_, held) = read(&source, folder.path());
        for entitlement in profile["entitlements"].as_array().unwrap() {
            let value = entitlement["value"].as_str().unwrap();
            assert!(held.contains(value), "{value}");
        }
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn the_seed_decides_every_byte_and_the_generation_only_one_file() {
    let files = |seed, generation| {
        let folder = tempfile::tempdir().unwrap();
        generate(folder.path(), options(600, seed, generation)).unwrap();
        contents(folder.path())
    };
    let first = files(1, 0);
    assert_eq!(first.len(), 24, "eleven sources of accounts and one of documents, each with its definition");
    assert_eq!(first, files(1, 0));
    let differing = |other: BTreeMap<String, Vec<u8>>| {
        first.keys().filter(|name| first[*name] != other[*name]).cloned().collect::<Vec<_>>()
    };
    assert_eq!(differing(files(1, 1)), ["employees.csv"]);
    assert_eq!(differing(files(2, 0)).len(), 12, "every data file");
}

#[test]
fn options_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for options in [options(0, 1, 0), options(1, 1, 2)] {
        assert_eq!(generate(folder.path(), options).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
    assert_eq!(contents(folder.path()).len(), 0);
}
