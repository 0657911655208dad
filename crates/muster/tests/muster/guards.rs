//! A refresh that would lose too much publishes nothing, and says what, how much, and the ways on.

use super::{fails, json, muster, path, succeeds};
use serde_json::{Value, json};
use std::path::Path;

/// A data directory with 300 people, of whom all may go as far as the source says, and its first snapshot.
fn of_300_people(dir: &Path) -> std::path::PathBuf {
    let data = dir.join("data");
    std::fs::write(dir.join("people.csv"), people()).unwrap();
    let definition = "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\n\
         native_identity = \"id\"\n[profile]\nname = \"People\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\n\
         from = \"name\"\n";
    std::fs::write(dir.join("people.toml"), definition).unwrap();
    succeeds(&muster(&data, &["source", "add", dir.join("people.toml").to_str().unwrap()]));
    succeeds(&muster(&data, &["refresh"]));
    data
}

fn people() -> String {
    let rows: String = (1..=300).map(|n| format!("{n:03},Person {n}\n")).collect();
    format!("id,name\n{rows}")
}

#[test]
fn a_file_that_was_cut_off_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_300_people(dir.path());
    let snapshots = || json(&muster(&data, &["snapshot", "list", "--output", "json"]));
    let kept = snapshots();
    let whole = people();
    // In the middle of a line: the first 149 people, and half a record.
    std::fs::write(dir.path().join("people.csv"), &whole[..whole.find("150,").unwrap() + 2]).unwrap();

    let refused = muster(&data, &["refresh"]);
    let told = fails(&refused, 7);
    for part in [
        "error: no snapshot was published, because more would be lost than `refresh.guards` allows: ",
        "accounts_missing: 151 of 300 accounts are missing from source \"People\", the limit is 20 % or 60 (",
        " and others); `muster refresh --plan --to FILE` says what would change, and `muster refresh --accept-losses` \
         publishes it",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let out = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(out.contains("no snapshot was published: the last one stays in force"), "{out}");
    assert_eq!(snapshots(), kept, "nothing was published");
    let events = json(&muster(&data, &["audit", "list", "--output", "json"]));
    let last = events.as_array().unwrap().last().unwrap();
    assert_eq!(last["operation"], "refresh_failed");
    assert!(last["details"].as_str().unwrap().contains("accounts_missing: 151 of 300"), "{last}");

    // The plan says the same, and stops with the same status; losses that are accepted are none of the plan's.
    let planned = muster(&data, &["refresh", "--plan", "--output", "json"]);
    assert!(fails(&planned, 7).contains("accounts_missing: 151 of 300"));
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    let exceeded = &planned["refresh"]["exceeded"][0];
    assert_eq!(
        (
            &exceeded["guard"],
            &exceeded["source"],
            &exceeded["number"],
            &exceeded["limit"],
            &exceeded["allowed"]
        ),
        (&json!("accounts_missing"), &json!("People"), &json!(151), &json!("20 %"), &json!(60))
    );
    succeeds(&muster(&data, &["refresh", "--plan", "--accept-losses"]));
    assert_eq!(snapshots(), kept);

    // The whole file publishes.
    std::fs::write(dir.path().join("people.csv"), format!("{whole}301,New\n")).unwrap();
    succeeds(&muster(&data, &["refresh"]));
    let newest = json(&muster(&data, &["snapshot", "show", "newest", "--output", "json"]));
    assert_eq!(newest["snapshot"]["rows"]["identities"], 301);
    assert_eq!(snapshots().as_array().unwrap().len(), 2);
}

#[test]
fn accepted_losses_are_published_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_300_people(dir.path());
    let half: String = people().lines().take(151).map(|line| format!("{line}\n")).collect();
    std::fs::write(dir.path().join("people.csv"), half).unwrap();
    // What the source lost is accepted; that half of the people leave is not.
    let told = fails(&muster(&data, &["refresh", "--accept-missing", "People"]), 7);
    assert!(
        told.contains("identities_lost: 150 of 300 identities would be lost, the limit is 20 % or 60"),
        "{told}"
    );
    assert!(told.contains("orphans_gained: 150 of 300") && !told.contains("accounts_missing"), "{told}");

    let done = succeeds(&muster(&data, &["refresh", "--accept-missing", "People", "--accept-losses"]));
    assert!(done.contains("beyond refresh.guards: identities_lost: 150 of 300"), "{done}");
    let events = json(&muster(&data, &["audit", "list", "--output", "json"]));
    let events = events.as_array().unwrap();
    let [.., started, published] = &events[..] else { panic!("{events:?}") };
    let details = |event: &Value| event["details"].as_str().unwrap().to_owned();
    assert_eq!(
        (&started["operation"], &published["operation"]),
        (&json!("refresh_started"), &json!("snapshot_published"))
    );
    assert!(details(started).contains("accepting losses beyond the limits"), "{started}");
    assert!(details(published).contains("accepted losses: identities_lost: 150 of 300"), "{published}");
}

/// The settings of the installation decide, and a number is what it says however few there are.
#[test]
fn the_settings_say_how_much_may_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_300_people(dir.path());
    let without: String = people().lines().take(300).map(|line| format!("{line}\n")).collect();
    std::fs::write(dir.path().join("people.csv"), without).unwrap();
    std::fs::write(data.join("muster.toml"), "[refresh.guards]\naccounts_missing = 0\n").unwrap();
    let told = fails(&muster(&data, &["refresh"]), 7);
    assert!(
        told.contains(
            "accounts_missing: 1 of 300 accounts are missing from source \"People\", the limit is 0 ("
        ),
        "{told}"
    );
    std::fs::write(data.join("muster.toml"), "[refresh.guards]\naccounts_missing = \"none\"\n").unwrap();
    succeeds(&muster(&data, &["refresh"]));
    let definition = path(&dir, "people.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replacen("kind", "accounts_missing_max = \"5 percent\"\nkind", 1))
        .unwrap();
    let wrong = fails(&muster(&data, &["source", "add", &definition]), 1);
    assert!(wrong.contains("people.toml:2:24: \"5 percent\": expected a number such as 100"), "{wrong}");
}
