//! Identities of several snapshots: who is listed, and which files are read for one of them.

use crate::installation::{Installation, block_on};
use datafusion::arrow::array::AsArray;
use muster_engine::history::shows_the_same;
use muster_reports::error::error_chain;
use muster_reports::history::PeopleQuery;
use muster_reports::{DataScope, SnapshotManifest};
use std::fmt::Write as _;
use std::sync::Arc;

const HR: &str = r#"
name = "HR"
kind = "delimited"
delete_threshold_percent = 100
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
name = "displayName"
from = "name"
[[profile.attributes]]
name = "lastname"
from = "name"
"#;

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
[delimited.disabled]
column = "off"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

const DIRECTORY: &str = r#"
name = "Directory"
kind = "documents"
[documents]
path = "people.ndjson"
index = "identities"
"#;

/// The list of people: name, when they left (the day and hour), and whether they are active.
fn people(
    installation: &Installation,
    snapshots: &[Arc<SnapshotManifest>],
    query: PeopleQuery,
) -> Vec<String> {
    let query = PeopleQuery { limit: 100, ..query };
    let people = block_on(installation.engine.people(snapshots, &DataScope::Everything, &query));
    let shown = |person: muster_reports::history::ListedIdentity| {
        let left = person.deleted.map_or_else(|| "-".into(), |at| at.format("%dT%H").to_string());
        format!("{} {left} {}", person.display_name.unwrap_or(person.id), person.active)
    };
    people.unwrap_or_else(|e| panic!("{}", error_chain(&e))).into_iter().map(shown).collect()
}

/// Documents of a source come and go, and nothing in the newest snapshot tells of those that are gone.
#[test]
fn people_whom_only_older_snapshots_know_are_listed() {
    let mut installation = Installation::new();
    let mut snapshots = Vec::new();
    for (hr, documents) in [
        ("1,Ann\n", r#"{"id": "x1", "displayName": "Xia", "inactive": true}"#),
        ("1,Ann\n2,Bob\n", r#"{"id": "x2", "displayName": "Yann"}"#),
        ("1,Ann\n", r#"{"id": "x3", "displayName": "Zoe"}"#),
    ] {
        installation.source(HR, "hr.csv", &format!("id,name\n{hr}"));
        installation.source(DIRECTORY, "people.ndjson", &format!("{documents}\n"));
        snapshots.insert(0, Arc::new(installation.refresh().manifest.unwrap()));
    }
    let all = ["Ann - true", "Bob 01T03 false", "Xia 01T02 false", "Yann 01T03 false", "Zoe - true"];
    assert_eq!(people(&installation, &snapshots, PeopleQuery::default()), all);
    let deleted = PeopleQuery { deleted: Some(true), ..PeopleQuery::default() };
    assert_eq!(people(&installation, &snapshots, deleted), all[1..4]);
    let page = PeopleQuery { offset: 3, ..PeopleQuery::default() };
    assert_eq!(people(&installation, &snapshots, page), all[3..]);
    assert_eq!(people(&installation, &snapshots[..1], PeopleQuery::default()), [all[0], all[1], all[4]]);
    assert_eq!(people(&installation, &[], PeopleQuery::default()), [""; 0]);

    // A refresh that starts again knows nobody whom the sources do not have.
    installation.manifest = None;
    installation.source(DIRECTORY, "people.ndjson", "");
    snapshots.insert(0, Arc::new(installation.refresh().manifest.unwrap()));
    let again = people(&installation, &snapshots, PeopleQuery::default());
    assert!(again.contains(&"Bob 01T03 false".to_owned()), "{again:?}");
    assert!(again.contains(&"Zoe 01T04 false".to_owned()), "{again:?}");
}

/// So many people that their documents are in several files.
fn many() -> Installation {
    let mut installation = Installation::with_threads(2);
    let mut rows = "id,name\n".to_owned();
    for number in 0..5_000 {
        writeln!(rows, "{number},P{number}").unwrap();
    }
    installation.source(HR, "hr.csv", &rows);
    installation.refresh();
    installation.source(HR, "hr.csv", &rows.replace("\n7,P7\n", "\n7,Seven\n"));
    installation.refresh();
    installation
}

fn named(
    installation: &Installation,
    manifest: &SnapshotManifest,
    id: &str,
) -> Result<Option<String>, String> {
    let everything = DataScope::Everything;
    let found = block_on(installation.engine.identity_in(manifest, &everything, id));
    let found = found.map_err(|error| error_chain(&error))?;
    Ok(found.map(|rows| {
        let names = rows.identity.column_by_name("displayName").unwrap();
        names.as_string::<i32>().value(0).to_owned()
    }))
}

#[test]
fn one_identity_is_read_from_its_own_files() {
    let mut installation = many();
    damage_elsewhere_does_no_harm(&installation);
    shared_files_show_the_same(&mut installation);
}

/// Damage in a file is not noticed where another file has the identity. The file is mended at the end.
fn damage_elsewhere_does_no_harm(installation: &Installation) {
    let identities = installation.report("IDENTITIES", &[]);
    let (ids, names) = (identities.column("id"), identities.column("displayName"));
    let manifest = installation.manifest();
    let files: Vec<_> = manifest.files["identity_documents"].keys().cloned().collect();
    assert!(files.len() > 1, "{files:?}");
    // The first digits of ids say in which file they are: the least id is in the first file, the greatest in the last.
    let at = |id: &&str| ids.iter().position(|known| known == id).unwrap();
    let (least, greatest) = (*ids.iter().min().unwrap(), *ids.iter().max().unwrap());
    let reopened = installation.reopened();
    let path = installation.dir.path().join("tables/identity_documents").join(&files[0]);
    let whole = std::fs::read(&path).unwrap();
    let mut content = whole.clone();
    content[whole.len() / 2] ^= 0x04;
    std::fs::write(&path, content).unwrap();
    assert_eq!(named(&reopened, manifest, greatest).unwrap().as_deref(), Some(names[at(&greatest)]));
    let refused = named(&reopened, manifest, least).unwrap_err();
    assert!(refused.contains("does not have the content that was written"), "{refused}");
    assert_eq!(named(&reopened, manifest, "ffffffffffffffffffffffffffffffff").unwrap(), None);
    // Whoever reads the whole table notices.
    let everybody = PeopleQuery { limit: 1, ..PeopleQuery::default() };
    let snapshots = [Arc::new(manifest.clone())];
    let refused =
        block_on(reopened.engine.people(&snapshots, &DataScope::Everything, &everybody)).unwrap_err();
    assert!(error_chain(&refused).contains("damaged"), "{refused}");
    std::fs::write(&path, whole).unwrap();
}

/// An account that is disabled changes the document of one person, and no identity.
fn shared_files_show_the_same(installation: &mut Installation) {
    installation.source(AD, "ad.csv", "dn,emp,off\ncn=seven,7,false\n");
    installation.refresh();
    let last = installation.manifest.clone().unwrap();
    let identities = installation.report("IDENTITIES", &[]);
    let (ids, names) = (identities.column("id"), identities.column("displayName"));
    let seven = ids[names.iter().position(|name| *name == "Seven").unwrap()];
    installation.source(AD, "ad.csv", "dn,emp,off\ncn=seven,7,true\n");
    let next = installation.refresh().manifest.unwrap();
    let everything = DataScope::Everything;
    assert!(!shows_the_same(&last, &next, &everything, seven));
    let same = ids.iter().filter(|id| shows_the_same(&last, &next, &everything, id)).count();
    assert!(same > 1_000 && same < 5_000, "{same} of 5,000 are in files that were kept");
    // What a limited caller sees depends on accounts, too.
    let limited = DataScope::of_sources(["s1"]).unwrap();
    assert!(!ids.iter().any(|id| shows_the_same(&last, &next, &limited, id)));
}
