//! Where keys come from, and how old they are.

use super::{command, fails, json, muster, path, people, succeeds};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first secret key of RFC 8032, section 7.1, and its public key as an Ed25519 `SubjectPublicKeyInfo` in Base64.
const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A data directory with a source.
fn house() -> (tempfile::TempDir, PathBuf) {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    (dir, data)
}

pub fn write_secret(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn of<'a>(listed: &'a Value, purpose: &str) -> &'a Value {
    let mut keys = listed.as_array().unwrap().iter();
    keys.find(|key| key["purpose"] == json!(purpose)).unwrap()
}

#[test]
fn keys_are_listed_with_their_ages_and_none_is_made() {
    let (_dir, data) = house();
    let keys = data.join("keys");
    let seal = std::fs::File::options().write(true).open(keys.join("audit.key")).unwrap();
    // Ten days and an hour before it was made.
    let made = seal.metadata().unwrap().modified().unwrap();
    seal.set_modified(made - Duration::from_secs(10 * 86_400 + 3_600)).unwrap();
    let before = std::fs::read_dir(&keys).unwrap().count();
    let listed = json(&muster(&data, &["keys", "list", "--output", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), 5, "{listed}");
    let sealing = of(&listed, "seal of the audit trail");
    assert_eq!(sealing["ageDays"], json!(10), "{listed}");
    assert_eq!(sealing["file"], json!(keys.join("audit.key").to_str().unwrap()));
    assert_eq!(of(&listed, "evidence packages")["made"], Value::Null, "nothing was signed yet");
    assert_eq!(std::fs::read_dir(&keys).unwrap().count(), before);

    succeeds(&muster(&data, &["keys", "rotate"]));
    let listed = json(&muster(&data, &["keys", "list", "--output", "json"]));
    assert_eq!(of(&listed, "access tokens")["ageDays"], json!(0));
    assert!(of(&listed, "access tokens")["previousUntil"].is_string(), "{listed}");
    let table = succeeds(&muster(&data, &["keys", "list"]));
    assert!(
        table.lines().any(|line| line.contains("evidence packages") && line.contains("not made yet")),
        "{table}"
    );

    let none = data.with_file_name("none");
    assert!(fails(&muster(&none, &["keys", "list"]), 1).contains("is not a data directory"));
    assert!(!none.exists());
}

#[test]
fn a_key_is_taken_from_the_file_that_a_setting_names() {
    let (dir, data) = house();
    let file = dir.path().join("evidence.key");
    write_secret(&file, &format!("{SECRET}\n"), 0o600);
    let asked = |mode| {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        command(&data, &["evidence", "key"]).env("MUSTER__KEYS__EVIDENCE", &file).output().unwrap()
    };
    let told = succeeds(&asked(0o600));
    assert!(told.contains(PUBLIC), "{told}");
    assert!(fails(&asked(0o644), 1).contains("others may read the key"));
    std::fs::write(&file, "9d61b1\n").unwrap();
    let damaged = fails(&asked(0o600), 1);
    assert!(damaged.contains("keys.evidence") && damaged.contains("expected 64 hex digits"), "{damaged}");
    assert!(!damaged.contains("9d61b1"), "{damaged}");
    std::fs::remove_file(&file).unwrap();
    let gone = command(&data, &["evidence", "key"]).env("MUSTER__KEYS__EVIDENCE", &file).output().unwrap();
    assert!(fails(&gone, 1).contains("keys.evidence: there is no file"), "none is made in its place");
    assert!(!data.join("keys/evidence.key").exists());
}

#[test]
fn a_key_is_taken_from_a_credential_of_systemd() {
    let (dir, data) = house();
    let credentials = dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    // What systemd's access list for the user of the service looks like.
    write_secret(&credentials.join("sign"), SECRET, 0o440);
    let ask = |folder: Option<&Path>, arguments: &[&str]| {
        let mut ask = command(&data, arguments);
        ask.env("MUSTER__KEYS__EVIDENCE", "credential:sign").env_remove("CREDENTIALS_DIRECTORY");
        if let Some(folder) = folder {
            ask.env("CREDENTIALS_DIRECTORY", folder);
        }
        ask.output().unwrap()
    };
    let told = succeeds(&ask(Some(&credentials), &["evidence", "key"]));
    assert!(told.contains(PUBLIC), "{told}");
    let refused = fails(&ask(None, &["evidence", "key"]), 2);
    assert!(refused.contains("LoadCredential=sign:FILE"), "{refused}");
    assert!(!data.join("keys/evidence.key").exists(), "no other key is made");

    let list = ["keys", "list", "--output", "json"];
    let with = json(&ask(Some(&credentials), &list));
    assert_eq!(of(&with, "evidence packages")["file"], json!("credential:sign"));
    assert_eq!(of(&with, "evidence packages")["ageDays"], json!(0));
    let without = json(&ask(None, &list));
    assert!(
        of(&without, "evidence packages")["trouble"].as_str().unwrap().contains("LoadCredential"),
        "{without}"
    );
}

/// The seal holds with the key, wherever it is, and not with another one.
#[test]
fn the_seal_of_the_trail_follows_its_key() {
    let (dir, data) = house();
    let moved = dir.path().join("seal");
    std::fs::rename(data.join("keys/audit.key"), &moved).unwrap();
    let verify =
        |seal: &Path| command(&data, &["audit", "verify"]).env("MUSTER__KEYS__AUDIT", seal).output().unwrap();
    assert!(succeeds(&verify(&moved)).contains("the head is sealed"));
    assert!(!data.join("keys/audit.key").exists());
    let other = dir.path().join("other");
    write_secret(&other, SECRET, 0o600);
    assert_eq!(verify(&other).status.code(), Some(1));
}
