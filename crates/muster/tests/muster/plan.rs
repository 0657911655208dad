//! `refresh --plan` says what a refresh would do, and changes nothing.

use super::{json, muster, path, succeeds};
use serde_json::{Value, json};

/// The number of accounts to which `change` happened.
fn accounts(differences: &Value, change: &str) -> Value {
    let counted = differences.as_array().unwrap().iter().find(|counted| {
        counted["object"] == "account" && counted["change"] == change && counted["attribute"].is_null()
    });
    counted.map_or(Value::Null, |counted| counted["count"].clone())
}

#[test]
fn a_plan_says_what_would_differ_and_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("people.csv", "id,name\n1,Ada\n2,Bob\n3,Cy\n");
    write(
        "people.toml",
        "name = \"People\"\nkind = \"delimited\"\ndelete_threshold_percent = 100\n[delimited]\npath = \"people.csv\"\n\
         native_identity = \"id\"\n[profile]\nname = \"People\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\n\
         from = \"name\"\n",
    );
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let snapshots = || json(&muster(&data, &["snapshot", "list", "--output", "json"]));
    let refreshes = || {
        let trail = json(&muster(&data, &["audit", "list", "--output", "json"]));
        let is_refresh = |event: &&Value| event["operation"].as_str().unwrap().starts_with("refresh");
        trail.as_array().unwrap().iter().filter(is_refresh).count()
    };

    let first = succeeds(&muster(&data, &["refresh", "--plan"]));
    assert!(
        first.contains("no snapshot was published: ") && first.contains("no snapshot to compare with"),
        "{first}"
    );
    assert_eq!((snapshots(), refreshes()), (json!([]), 0));

    succeeds(&muster(&data, &["refresh"]));
    let kept = snapshots();
    assert_eq!((kept.as_array().unwrap().len(), refreshes()), (1, 1));
    // Bob leaves, Ada has another name, Di and Eve come.
    write("people.csv", "id,name\n1,Ada Lovelace\n3,Cy\n4,Di\n5,Eve\n");
    let file = path(&dir, "differences.csv");
    let planned = json(&muster(&data, &["refresh", "--plan", "--to", &file, "--output", "json"]));
    let differences = &planned["differences"];
    assert_eq!(accounts(differences, "added"), 2, "{planned}");
    assert_eq!(accounts(differences, "removed"), 1, "{planned}");
    assert_eq!(accounts(differences, "changed"), 1, "{planned}");
    assert_eq!((&planned["against"], &planned["refresh"]["snapshot"]), (&kept[0]["id"], &Value::Null));
    let rows = std::fs::read_to_string(&file).unwrap();
    assert!(rows.contains("Ada Lovelace"), "{rows}");
    assert_eq!((snapshots(), refreshes()), (kept.clone(), 1), "a plan is no refresh");

    // What was planned is what then happens.
    succeeds(&muster(&data, &["refresh"]));
    let old = kept[0]["id"].as_str().unwrap();
    let happened = json(&muster(&data, &["snapshot", "compare", old, "newest", "--output", "json"]));
    assert_eq!(&happened["counts"], differences);
    let nothing = succeeds(&muster(&data, &["refresh", "--plan"]));
    assert!(nothing.ends_with("nothing differs\n"), "{nothing}");
}
