//! The data directory as accidents find it: not there, open to others, locked twice, linked, without its database.

use super::{command, fails, json, muster, path, people, succeeds};
use serde_json::Value;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A service that listens; killed when dropped.
struct Serving(Child);

impl Serving {
    fn start(data: &Path, more: &[&str]) -> Self {
        let mut process = command(data, &[&["serve", "--listen", "127.0.0.1:0"], more].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("listening")), "it ended before it listened");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self(process)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Everything below a folder, itself included.
fn all(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_service_makes_no_folder_unless_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let refused = fails(&muster(&data, &SERVE), 1);
    assert!(
        refused.contains("is not a data directory: `muster source add` and `muster serve --init` make one"),
        "{refused}"
    );
    assert!(!data.exists());
    drop(Serving::start(&data, &["--init"]));
    drop(Serving::start(&data, &[]));
}

#[test]
fn a_folder_that_others_can_use_is_closed_and_all_in_it() {
    let dir = people();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let added = muster(&data, &["source", "add", &path(&dir, "people.toml")]);
    succeeds(&added);
    let said = String::from_utf8_lossy(&added.stderr);
    assert!(said.contains("others could use this folder (mode 755): now only its owner can"), "{said}");
    // Whatever the umask: `sh` sets the widest.
    let wide = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" refresh --data \"$1\"", env!("CARGO_BIN_EXE_muster")])
        .arg(&data)
        .output()
        .unwrap();
    succeeds(&wide);
    for place in all(&data) {
        let wanted = if place.is_dir() { 0o700 } else { 0o600 };
        // A table's folder before its first version is below closed ones.
        assert_eq!(mode(&place), wanted, "{}", place.display());
    }
    std::fs::set_permissions(data.join("keys/audit.key"), Permissions::from_mode(0o644)).unwrap();
    let refused = fails(&muster(&data, &["source", "list"]), 1);
    assert!(refused.contains("others may read the key") && refused.contains("(mode 644)"), "{refused}");
}

#[test]
fn root_is_refused_where_the_folder_is_somebody_elses() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    if data.metadata().unwrap().uid() != 0 {
        eprintln!("skipped: only root can give a folder to another user");
        return;
    }
    std::os::unix::fs::chown(&data, Some(65_534), None).unwrap();
    let refused = fails(&muster(&data, &["refresh"]), 1);
    assert!(
        refused.contains("could not read: expected to be called by its owner, as `sudo -u "),
        "{refused}"
    );
    std::os::unix::fs::chown(&data, Some(0), None).unwrap();
    succeeds(&muster(&data, &["refresh"]));
}

#[test]
fn folders_whose_names_mean_something_else_are_refused() {
    let dir = people();
    for name in ["[x]", "a*b", "a?b", "100%41", "a\\b", "%2e%2e"] {
        let data = dir.path().join(name);
        let refused = fails(&muster(&data, &["source", "add", &path(&dir, "people.toml")]), 2);
        assert!(
            refused.contains("in its path: expected a path without control characters and *"),
            "{refused}"
        );
        assert!(!data.exists(), "{name}");
    }
    let data = dir.path().join("d\u{e4}ta of 'ours' ~1 +x");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
}

#[test]
fn a_second_service_is_refused_though_the_lock_file_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _serving = Serving::start(&data, &["--init"]);
    std::fs::remove_file(data.join("service.lock")).unwrap();
    let refused = fails(&muster(&data, &SERVE), 1);
    assert!(refused.contains("another process serves this data directory"), "{refused}");
}

#[test]
fn a_linked_folder_of_work_is_emptied_and_stays_linked() {
    let dir = people();
    let (data, elsewhere) = (dir.path().join("data"), dir.path().join("scratch"));
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    std::fs::create_dir_all(elsewhere.join("left/over")).unwrap();
    std::fs::create_dir(elsewhere.join("lost+found")).unwrap();
    let work = data.join("work");
    if work.exists() {
        std::fs::remove_dir_all(&work).unwrap();
    }
    symlink(&elsewhere, &work).unwrap();
    drop(Serving::start(&data, &[]));
    assert!(work.is_symlink());
    assert!(!elsewhere.join("left").exists() && elsewhere.join("lost+found").exists());
    succeeds(&muster(&data, &["refresh"]));
}

#[test]
fn a_lost_database_is_refused_and_no_result_goes() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
    let result = data.join("results/0123456789abcdef0123456789abcdef.1.report.csv");
    std::fs::create_dir_all(data.join("results")).unwrap();
    std::fs::write(&result, "id\n").unwrap();
    std::fs::remove_file(data.join("muster.db")).unwrap();
    let lost = fails(&muster(&data, &SERVE), 1);
    assert!(lost.contains("is a data directory without its database muster.db"), "{lost}");
    let empty = fails(&muster(&data, &["source", "add", &path(&dir, "people.toml")]), 1);
    assert!(empty.contains("the database is empty") && empty.contains("--adopt"), "{empty}");
    assert!(fails(&muster(&data, &["refresh"]), 1).contains("the database is empty"));
    assert!(result.exists());
    // Joined on purpose, the one file goes to the trash, and the trail says both.
    drop(Serving::start(&data, &["--adopt"]));
    assert!(!result.exists());
    let trash = all(&data.join("results/trash"));
    assert!(trash.iter().any(|place| place.file_name() == result.file_name()), "{trash:?}");
    let events = json(&muster(&data, &["audit", "list", "--output", "json"]));
    let told: Vec<_> = events.as_array().unwrap().iter().map(|event| event["operation"].clone()).collect();
    assert_eq!(told, ["configuration_changed", "files_removed"]);
}

#[test]
fn the_trail_says_who_called_and_what_a_refresh_did() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
    std::fs::remove_file(path(&dir, "people.csv")).unwrap();
    fails(&muster(&data, &["refresh"]), 1);
    let events = json(&muster(&data, &["audit", "list", "--output", "json"]));
    let events = events.as_array().unwrap();
    let of = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let told: Vec<_> = events.iter().map(|event| of(event, "operation")).collect();
    assert_eq!(
        told,
        [
            "configuration_changed",
            "refresh_started",
            "snapshot_published",
            "refresh_started",
            "refresh_failed"
        ]
    );
    assert!(
        of(&events[4], "details").contains("no snapshot was published because of People"),
        "{}",
        events[4]
    );
    let name = Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    for event in events {
        assert_eq!(of(event, "client"), "command-line");
        // Behind it may stand whom `sudo` worked for.
        assert!(of(event, "who").starts_with(name.trim()), "{event}");
    }
    let verified = succeeds(&muster(&data, &["audit", "verify"]));
    assert!(verified.starts_with("holds  5 events"), "{verified}");
}
