//! Backups: taken, checked, restored, killed, and taken while refreshes go on.

use super::{command, fails, json, muster, path, people, succeeds};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// An installation with two snapshots.
fn house() -> (tempfile::TempDir, PathBuf, String) {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
    std::fs::write(dir.path().join("people.csv"), "id,name\n1,Ada\n3,Cy\n4,Dee\n").unwrap();
    succeeds(&muster(&data, &["refresh"]));
    let backups = path(&dir, "backups");
    (dir, data, backups)
}

fn verdict(data: &Path, arguments: &[&str]) -> Value {
    let output = muster(data, &[&["backup", "verify", "--output", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(verdict: &Value, outcome: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().unwrap().iter();
    let of = findings.filter(|finding| finding["outcome"] == json!(outcome));
    of.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_is_taken_checked_and_restored() {
    let (dir, data, backups) = house();
    let first = json(&muster(&data, &["backup", "take", &backups, "--output", "json"]));
    assert_eq!(first["files"], first["copiedFiles"]);
    let checked = verdict(&data, &[&backups]);
    assert_eq!(checked["verdict"], json!("inconclusive"), "{checked}");
    assert!(texts(&checked, "inconclusive")[0].contains("the backup has no keys"), "{checked}");
    let keys = data.join("keys");
    let checked = verdict(&data, &[&backups, "--keys", keys.to_str().unwrap()]);
    assert_eq!((&checked["verdict"], texts(&checked, "ok").len()), (&json!("ok"), 5), "{checked}");

    let second = json(&muster(&data, &["backup", "take", &backups, "--keys", "--output", "json"]));
    // The database, and the keys of secrets, tokens and so on: whatever there is.
    let there = std::fs::read_dir(&keys).unwrap().count() as u64;
    assert_eq!(second["copiedFiles"], json!(1 + there), "{second}");
    assert_eq!(verdict(&data, &[&backups])["verdict"], json!("ok"));
    let listed = json(&muster(&data, &["backup", "list", &backups, "--output", "json"]));
    let keyed: Vec<_> = listed.as_array().unwrap().iter().map(|backup| backup["keys"].clone()).collect();
    assert_eq!(keyed, [json!(false), json!(true)]);

    let trail = |data: &Path| json(&muster(data, &["audit", "list", "--output", "json"]));
    let events = trail(&data).as_array().unwrap().clone();
    let last = events.last().unwrap();
    assert_eq!(last["operation"], json!("backup_taken"));
    let noted = format!("{}:{}", last["number"], last["hash"].as_str().unwrap());

    // Of the first backup: the event of the second is lost.
    let restored = dir.path().join("restored");
    let name = first["name"].as_str().unwrap();
    let refused = fails(&muster(&restored, &["restore", &backups, "--backup", name]), 2);
    assert!(refused.contains("the backup has no keys: expected --keys FOLDER"), "{refused}");
    let keys = keys.to_str().unwrap();
    let arguments = ["restore", &backups, "--backup", name, "--keys", keys, "--noted", &noted];
    let told = succeeds(&muster(&restored, &arguments));
    let lost = last["number"].as_u64().unwrap();
    assert!(told.contains(&format!("lost: events {lost} to {lost} at least")), "{told}");
    let refused = fails(&muster(&restored, &arguments), 1);
    assert!(refused.contains("has files: expected a new or an empty folder"), "{refused}");

    succeeds(&muster(&restored, &["audit", "verify"]));
    let found = json(&muster(&restored, &["check", "--output", "json"]));
    assert_eq!(found["damaged"], json!([]));
    let snapshots = |data: &Path| json(&muster(data, &["snapshot", "list", "--output", "json"]));
    assert_eq!(snapshots(&restored), snapshots(&data));
    let after = trail(&restored).as_array().unwrap().clone();
    assert_eq!(after[..after.len() - 1], events[..events.len() - 1]);
    assert_eq!(after.last().unwrap()["operation"], json!("restored"));
    // The restored installation goes on: its tables are read and written.
    succeeds(&muster(&restored, &["refresh"]));
    assert_eq!(snapshots(&restored).as_array().unwrap().len(), 3);
}

#[test]
fn a_damaged_backup_fails_its_check_and_its_restore() {
    let (dir, data, backups) = house();
    succeeds(&muster(&data, &["backup", "take", &backups, "--keys"]));
    let objects = files_below(&dir.path().join("backups/objects"));
    for object in &objects {
        let sound = std::fs::read(object).unwrap();
        let mut damaged = sound.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(object, &damaged).unwrap();
        let checked = verdict(&data, &[&backups]);
        assert_eq!(checked["verdict"], json!("failed"), "{}", object.display());
        let target = dir.path().join("target");
        assert_eq!(muster(&target, &["restore", &backups]).status.code(), Some(1));
        assert!(!target.join("muster.db").exists(), "{}", object.display());
        std::fs::remove_dir_all(&target).unwrap();
        std::fs::write(object, &sound).unwrap();
    }
    assert_eq!(verdict(&data, &[&backups])["verdict"], json!("ok"));
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// A backup that is killed at any moment is whole or is none, and the next one is whole.
#[test]
fn a_backup_that_is_killed_is_none() {
    let (_dir, data, backups) = house();
    let mut whole = 0;
    for step in 0..12 {
        let mut taking = command(&data, &["backup", "take", &backups, "--keys"]);
        let mut taking = taking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Not to wait for anything: the moment is what varies.
        std::thread::sleep(Duration::from_millis(step * 20));
        taking.kill().unwrap();
        taking.wait().unwrap();
        let listed = muster(&data, &["backup", "list", &backups, "--output", "json"]);
        if listed.status.success() {
            let names: Value = serde_json::from_slice(&listed.stdout).unwrap();
            for backup in names.as_array().unwrap().iter().skip(whole) {
                let checked = verdict(&data, &[&backups, "--backup", backup["name"].as_str().unwrap()]);
                assert_eq!(checked["verdict"], json!("ok"), "{checked}");
            }
            whole = names.as_array().unwrap().len();
        }
    }
    succeeds(&muster(&data, &["backup", "take", &backups, "--keys"]));
    assert_eq!(verdict(&data, &[&backups])["verdict"], json!("ok"));
    succeeds(&muster(&data, &["audit", "verify"]));
}

/// Only the newest snapshot is kept, so each refresh takes away what the one before had.
#[test]
fn backups_are_whole_while_refreshes_go_on() {
    let (dir, data, backups) = house();
    let settings = [("MUSTER__SNAPSHOTS__KEEP_LAST", "1"), ("MUSTER__DATA__TRASH_DAYS", "0")];
    let people = dir.path().join("people.csv");
    let rounds = std::thread::scope(|scope| {
        let refreshing = scope.spawn(|| {
            for round in 0..6 {
                std::fs::write(&people, format!("id,name\n1,Ada\n3,Cy\n{},Eve\n", 10 + round)).unwrap();
                let refreshed = command(&data, &["refresh"]).envs(settings).output().unwrap();
                succeeds(&refreshed);
            }
        });
        let mut rounds = 0;
        while !refreshing.is_finished() || rounds == 0 {
            succeeds(&muster(&data, &["backup", "take", &backups, "--keys"]));
            rounds += 1;
        }
        refreshing.join().unwrap();
        rounds
    });
    let listed = json(&muster(&data, &["backup", "list", &backups, "--output", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), rounds);
    for backup in listed.as_array().unwrap() {
        let checked = verdict(&data, &[&backups, "--backup", backup["name"].as_str().unwrap()]);
        assert_eq!(checked["verdict"], json!("ok"), "{checked}");
    }
}
