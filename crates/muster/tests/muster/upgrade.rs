//! Data directories of other versions: brought up to date, gone on from, or refused with words.

use super::{fails, json, muster, path, people, succeeds};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs Python over the database of a data directory, as `db`.
fn in_database(data: &Path, script: &str) {
    let program = format!(
        "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{script}\ndb.commit()\ndb.close()\n"
    );
    let ran =
        Command::new("/usr/bin/python3").args(["-c", &program]).arg(data.join("muster.db")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn house() -> (tempfile::TempDir, PathBuf) {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
    (dir, data)
}

#[test]
fn an_upgrade_is_looked_at_and_made() {
    let (_dir, data) = house();
    let check = ["upgrade", "--check", "--output", "json"];
    let now = json(&muster(&data, &check));
    assert_eq!((&now["steps"], &now["found"]), (&json!([]), &now["known"]), "{now}");

    // As the version left it that had no definitions of reports.
    in_database(
        &data,
        "for table in ('review_decisions', 'review_items', 'reviews', 'sod_reports', 'sod_policies', 'report_definitions'):\n    \
             db.execute(f'DROP TABLE {table}')\ndb.execute('DELETE FROM _sqlx_migrations WHERE version >= 20')",
    );
    let looked = muster(&data, &check);
    assert_eq!(looked.status.code(), Some(3));
    let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!(looked["steps"][0], json!({ "number": 20, "name": "report definitions" }), "{looked}");
    assert_eq!((&looked["found"], &looked["applied"]), (&json!(16), &json!(false)));
    assert_eq!(muster(&data, &check).status.code(), Some(3), "to look changes nothing");

    let made = json(&muster(&data, &["upgrade", "--output", "json"]));
    assert_eq!((&made["applied"], &made["steps"]), (&json!(true), &looked["steps"]));
    succeeds(&muster(&data, &["upgrade", "--check"]));
    succeeds(&muster(&data, &["definition", "list"]));
    succeeds(&muster(&data, &["audit", "verify"]));
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_left_as_it_is() {
    let (_dir, data) = house();
    in_database(
        &data,
        "db.execute(\"INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)\"\n           \" VALUES (9000, 'to come', 1, x'00', 1)\")",
    );
    let database = std::fs::read(data.join("muster.db")).unwrap();
    for arguments in
        [&["upgrade", "--check"][..], &["upgrade"], &["refresh"], &["serve"], &["audit", "verify"]]
    {
        let refused = fails(&muster(&data, arguments), 1);
        assert!(
            refused.contains("was written by a newer version: its tables are of version 9000"),
            "{refused}"
        );
    }
    assert_eq!(std::fs::read(data.join("muster.db")).unwrap(), database);
    let none = data.with_file_name("none");
    assert!(fails(&muster(&none, &["upgrade", "--check"]), 1).contains("is not a data directory"));
    assert!(!none.exists());
}

/// The data directories of `tests/data-directories`, each as the version of its name left it: a source of three people,
/// two snapshots, one result and its evidence, a schedule, a credential.
#[test]
fn data_directories_of_earlier_versions_are_gone_on_from() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data-directories");
    let mut found = 0;
    for entry in std::fs::read_dir(&kept).unwrap() {
        let archive = entry.unwrap().path();
        if archive.extension().is_none_or(|end| end != "gz") {
            continue;
        }
        found += 1;
        let dir = tempfile::tempdir().unwrap();
        let unpacked =
            Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(dir.path()).status().unwrap();
        assert!(unpacked.success());
        let data = dir.path().join("data");
        gone_on_from(dir.path(), &data);
    }
    assert!(found > 0, "there is one at least");
}

fn gone_on_from(dir: &Path, data: &Path) {
    // What that version said of itself, when it was packed.
    let noted: Value = serde_json::from_slice(&std::fs::read(dir.join("noted.json")).unwrap()).unwrap();
    let looked = muster(data, &["upgrade", "--check"]);
    assert!(matches!(looked.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&looked.stderr));
    succeeds(&muster(data, &["upgrade"]));
    let head = noted["auditHead"].as_str().unwrap();
    succeeds(&muster(data, &["audit", "verify", "--noted", head]));
    assert_eq!(json(&muster(data, &["check", "--output", "json"]))["damaged"], json!([]));
    let snapshots = json(&muster(data, &["snapshot", "list", "--output", "json"]));
    let ids: Vec<_> = snapshots.as_array().unwrap().iter().map(|snapshot| snapshot["id"].clone()).collect();
    assert_eq!(json!(ids), noted["snapshots"]);
    let key = json(&muster(data, &["evidence", "key", "--output", "json"]));
    assert_eq!(key["fingerprint"], noted["evidenceKey"]);
    // Evidence of that version still verifies.
    let evidence = dir.join("evidence.zip");
    let public = dir.join("public.pem");
    std::fs::write(&public, key["publicKey"].as_str().unwrap()).unwrap();
    let verified = muster(data, &["verify", evidence.to_str().unwrap(), "--key", public.to_str().unwrap()]);
    succeeds(&verified);
    // It goes on from the last snapshot, which has Ada, Cy and Dee. The folder of the source is another one now.
    std::fs::write(dir.join("people.csv"), "id,name\n1,Ada\n3,Cy\n5,Eve\n").unwrap();
    let added = succeeds(&muster(data, &["source", "add", dir.join("people.toml").to_str().unwrap()]));
    assert!(added.contains("replaced"), "{added}");
    succeeds(&muster(data, &["refresh", "--accept-missing", "People"]));
    let newest = ids[0].as_str().unwrap();
    let compared = json(&muster(data, &["snapshot", "compare", newest, "newest", "--output", "json"]));
    let counts = compared["counts"].as_array().unwrap();
    for change in ["added", "removed"] {
        let of_accounts = json!({ "object": "account", "change": change, "count": 1 });
        assert!(counts.contains(&of_accounts), "{compared}");
    }
    let listed = json(&muster(data, &["schedule", "list", "--output", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    succeeds(&muster(data, &["audit", "verify"]));
}
