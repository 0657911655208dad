//! Backups: taken, checked, restored, killed, and taken while refreshes go on.

use super::{command, fails, json, muster, path, people, succeeds};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An installation with two snapshots.
pub fn house() -> (tempfile::TempDir, PathBuf, String) {
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

/// Ends the command at the pass of a failpoint, which it must reach.
pub fn crash_at(mut call: Command, at: &str) {
    let ended = call.env("MUSTER_CRASH_AT", at).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains(&format!("crashed at {at}")), "{at}: {said}");
}

/// The steps of a backup before its list has its name.
pub const BEFORE_THE_LIST: [&str; 7] = [
    "backup-database-copied:1",
    "backup-file-drafted:1",
    "backup-file-kept:1",
    "backup-file-drafted:4",
    "backup-file-kept:4",
    "backup-files-kept:1",
    "event-kept:1",
];

/// A backup that is killed at a step before its list is none, and one that has its list is whole.
#[test]
fn a_backup_that_is_killed_is_none() {
    let (_dir, data, backups) = house();
    let take = ["backup", "take", &backups, "--keys"];
    let names = || {
        let listed = json(&muster(&data, &["backup", "list", &backups, "--output", "json"]));
        listed.as_array().unwrap().len()
    };
    for at in BEFORE_THE_LIST {
        crash_at(command(&data, &take), at);
        assert_eq!(names(), 0, "{at}");
        let none = muster(&data, &["backup", "verify", &backups]);
        assert!(fails(&none, 5).contains("has no complete backup"));
    }
    crash_at(command(&data, &take), "backup-listed:1");
    assert_eq!(names(), 1);
    assert_eq!(verdict(&data, &[&backups])["verdict"], json!("ok"));
    // What the killed ones left is used or removed.
    let taken = json(&muster(&data, &[&take[..], &["--output", "json"]].concat()));
    assert_eq!(taken["copiedFiles"], json!(1), "the database: {taken}");
    assert_eq!(verdict(&data, &[&backups])["verdict"], json!("ok"));
    succeeds(&muster(&data, &["audit", "verify"]));
}

/// A restore that is killed at any step leaves a folder that no command opens; after its last step, a whole installation.
#[test]
fn a_restore_that_is_killed_is_no_installation() {
    let (dir, data, backups) = house();
    succeeds(&muster(&data, &["backup", "take", &backups, "--keys"]));
    let target = dir.path().join("target");
    for at in [
        "restore-begun:1",
        "restore-file-copied:1",
        "restore-file-copied:5",
        "restore-database-copied:1",
        "restore-database-named:1",
        "event-inserted:1",
        "event-kept:1",
        "restore-recorded:1",
    ] {
        crash_at(command(&target, &["restore", &backups]), at);
        for arguments in [
            &["audit", "verify"][..],
            &["serve", "--init"],
            &["refresh"],
            &["keys", "list"],
            &["upgrade", "--check"],
        ] {
            let refused = fails(&muster(&target, arguments), 1);
            assert!(refused.contains("has not ended: remove what it made"), "{at}: {refused}");
        }
        assert!(fails(&muster(&target, &["restore", &backups]), 1).contains("has files"), "{at}");
        std::fs::remove_dir_all(&target).unwrap();
    }
    succeeds(&muster(&target, &["restore", &backups]));
    succeeds(&muster(&target, &["audit", "verify"]));
    let events = json(&muster(&target, &["audit", "list", "--output", "json"]));
    let restored = events.as_array().unwrap().iter().filter(|event| event["operation"] == json!("restored"));
    assert_eq!(restored.count(), 1);
}

/// A service over a restored state says so at each start, with the last event that it has, until somebody removes the mark.
#[test]
fn a_service_over_a_restored_state_says_so() {
    let (dir, data, backups) = house();
    succeeds(&muster(&data, &["backup", "take", &backups, "--keys"]));
    let target = dir.path().join("target");
    succeeds(&muster(&target, &["restore", &backups]));
    let events = json(&muster(&target, &["audit", "list", "--output", "json"]));
    let last = events.as_array().unwrap().last().unwrap()["number"].as_u64().unwrap();
    // It says so before it takes the address, which is not one of this machine.
    let start = || {
        let mut serve = command(&target, &["serve", "--listen", "192.0.2.1:9"]);
        let ended = serve.env("MUSTER__SERVER__BEHIND_PROXY", "true").env("NO_COLOR", "1").output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    let said = start();
    assert!(
        said.contains("was restored from a backup") && said.contains("which head did you note last?"),
        "{said}"
    );
    assert!(said.contains(&format!("last_event={last}")), "{said}");
    std::fs::remove_file(target.join("restored")).unwrap();
    assert!(!start().contains("restored from a backup"));
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
