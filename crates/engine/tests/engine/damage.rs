//! Files of tables that a disk lost or changed: nothing is read from them, and a refresh continues as far as it can.

use crate::installation::{Installation, block_on};
use muster_engine::digests::Checked;
use muster_reports::error::error_chain;
use muster_reports::ids::ReportId;
use muster_reports::{Arguments, Catalogue, DataScope, SnapshotManifest};
use std::path::PathBuf;
use std::sync::Arc;

const HR: &str = r#"
name = "HR"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "lastname"
from = "name"
"#;

/// Three people, refreshed twice, and an engine that has read nothing yet.
fn installation() -> Installation {
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name\n1,Ann\n2,Bob\n3,Cid\n");
    installation.refresh();
    installation.source(HR, "hr.csv", "id,name\n1,Ann\n2,Bea\n3,Cid\n");
    installation.refresh();
    installation.reopened()
}

/// The first file of a table of the newest snapshot.
fn file_of(installation: &Installation, table: &str) -> PathBuf {
    let name = installation.manifest().files[table].keys().next().unwrap();
    installation.dir.path().join("tables").join(table).join(name)
}

/// Changes one bit in the middle of a file; its size stays.
fn flip(path: &PathBuf) {
    let mut content = std::fs::read(path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 0x04;
    std::fs::write(path, content).unwrap();
}

/// The report of people, or the reason why there is none.
fn people(installation: &Installation) -> Result<Vec<String>, String> {
    let catalogue = Catalogue::built_in();
    let definition = catalogue.get(&ReportId::new("IDENTITIES")).unwrap();
    let arguments = Arguments::check(&definition.arguments, &Default::default()).unwrap();
    let everything = &DataScope::Everything;
    match block_on(installation.engine.prepare(installation.manifest(), &definition, &arguments, everything))
    {
        Err(error) => Err(error_chain(&error)),
        Ok(_) => Ok(installation
            .report("IDENTITIES", &[])
            .column("lastName")
            .into_iter()
            .map(str::to_owned)
            .collect()),
    }
}

fn check(installation: &Installation, manifest: &SnapshotManifest) -> Checked {
    block_on(installation.engine.check(std::slice::from_ref(manifest))).unwrap()
}

/// Prepares the next refresh as the service does.
fn go_on(installation: &mut Installation, rebuild: bool) -> Result<Vec<String>, String> {
    let last = Arc::clone(installation.manifest.as_ref().unwrap());
    let (last, notes) =
        block_on(installation.engine.without_damage(last, rebuild)).map_err(|error| error_chain(&error))?;
    installation.manifest = Some(last);
    installation.refresh();
    Ok(notes)
}

#[test]
fn a_flipped_bit_is_found_before_anything_is_read() {
    let installation = installation();
    let sound = check(&installation, installation.manifest());
    assert_eq!((sound.damaged.len(), sound.unchecked), (0, 0));
    let listed: usize = installation.manifest().files.values().map(|files| files.len()).sum();
    assert_eq!(sound.files, listed as u64);

    let path = file_of(&installation, "identities");
    let whole = std::fs::read(&path).unwrap();
    flip(&path);
    // This process has found the file intact; another process reads it for the first time.
    assert_eq!(check(&installation, installation.manifest()).damaged.len(), 1);
    let other = installation.reopened();
    assert!(other.engine.apparent_damage(other.manifest()).is_none(), "its size is right");
    let error = people(&other).unwrap_err();
    assert!(
        error.contains("table \"identities\"")
            && error.contains("does not have the content that was written"),
        "{error}"
    );
    assert_eq!(other.engine.apparent_damage(other.manifest()).unwrap().table, "identities");

    std::fs::write(&path, whole).unwrap();
    assert!(other.engine.apparent_damage(other.manifest()).is_none(), "what is put back is seen");
    assert_eq!(people(&other).unwrap(), ["Ann", "Bea", "Cid"]);
    assert!(check(&other, other.manifest()).damaged.is_empty());
}

#[test]
fn a_lost_table_that_sources_give_again_is_made_again() {
    for table in ["identity_documents", "identity_errors", "sources"] {
        let mut installation = installation();
        let before = people(&installation).unwrap();
        std::fs::remove_file(file_of(&installation, table)).unwrap();
        if table == "identity_documents" {
            // A report opens the tables that it names.
            assert_eq!(people(&installation.reopened()).unwrap(), before);
        }
        assert_eq!(installation.engine.apparent_damage(installation.manifest()).unwrap().table, table);
        let notes = go_on(&mut installation, false).unwrap();
        assert!(notes.len() == 1 && notes[0].contains(table) && notes[0].contains("is missing"), "{notes:?}");
        assert!(check(&installation, installation.manifest()).damaged.is_empty());
        assert_eq!(people(&installation).unwrap(), before);
        assert_eq!(installation.manifest().rows["identity_documents"], 3);
    }
}

#[test]
fn what_only_the_tables_know_is_not_dropped_unasked() {
    let mut installation = installation();
    flip(&file_of(&installation, "accounts"));
    let error = go_on(&mut installation, false).unwrap_err();
    for expected in [
        "table \"accounts\"",
        "back from a backup",
        "`muster refresh --rebuild`",
        "which of them were removed",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let notes = go_on(&mut installation, true).unwrap();
    assert!(notes[0].contains("the table was written again, without the dates"), "{notes:?}");
    assert!(check(&installation, installation.manifest()).damaged.is_empty());
    assert_eq!(people(&installation).unwrap(), ["Ann", "Bea", "Cid"]);
    assert_eq!(
        (installation.manifest().rows["accounts"], installation.manifest().rows["identities"]),
        (3, 3)
    );
}

#[test]
fn a_snapshot_without_digests_still_opens_and_the_next_one_has_them() {
    let mut installation = installation();
    let mut old = installation.manifest().clone();
    old.files.clear();
    let text = serde_json::to_string(&old).unwrap();
    assert!(!text.contains("\"files\""), "{text}");
    installation.manifest = Some(Arc::new(serde_json::from_str(&text).unwrap()));
    assert_eq!(people(&installation).unwrap(), ["Ann", "Bea", "Cid"]);
    let checked = check(&installation, installation.manifest());
    assert_eq!((checked.files, checked.unchecked, checked.damaged.len()), (0, 1, 0));
    assert!(go_on(&mut installation, false).unwrap().is_empty());
    assert!(installation.manifest().files["identities"].len() == 1);
    assert_eq!(check(&installation, installation.manifest()).unchecked, 0);
}
