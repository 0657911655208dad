//! Results in a bucket, as a person sets them up and looks after them: over moto, which answers as S3 does.

use super::secrets::write_secret;
use super::{command, fails, json, muster, path, people, succeeds};
use muster_testkit::servers::buckets::{ObjectStoreServer, SECRET};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

/// An installation whose results are in a bucket, and a credential for its service.
struct House {
    s3: ObjectStoreServer,
    dir: tempfile::TempDir,
    data: PathBuf,
    client: Value,
}

impl House {
    /// `None` where there is no store. `more` are lines of the settings.
    fn with(more: &str) -> Option<Self> {
        let dir = people();
        let s3 = ObjectStoreServer::moto(dir.path())?;
        let data = dir.path().join("data");
        succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
        succeeds(&muster(&data, &["refresh"]));
        let lines: Vec<String> =
            s3.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_secret(&data.join("bucket"), &lines.concat(), 0o600);
        let place = s3.place("results/one");
        let settings = format!("[results]\nlocation = \"{place}\"\nlocation_file = \"bucket\"\n{more}");
        std::fs::write(data.join("muster.toml"), settings).unwrap();
        let who = ["client", "create", "--kind", "user", "--name", "tests", "--level", "ORG_ADMIN"];
        let client =
            json(&muster(&data, &[&who[..], &["--scope", "sp:scopes:all", "--output", "json"]].concat()));
        Some(Self { s3, dir, data, client })
    }

    /// Calls a command that needs a service.
    fn call(&self, service: &Service, arguments: &[&str]) -> Output {
        let text = |key: &str| self.client[key].as_str().unwrap().to_owned();
        let output = command(&self.data, arguments)
            .env("MUSTER_BASE_URL", &service.address)
            .env("MUSTER_CLIENT_ID", text("id"))
            .env("MUSTER_CLIENT_SECRET", text("secret"))
            .output()
            .unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains(SECRET));
        output
    }

    fn keys(&self) -> Vec<String> {
        let listed = self.s3.ask("GET", "/muster?list-type=2&prefix=results/one/", &[], b"");
        let keys = listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
        keys.map(|key| key.trim_start_matches("results/one/").to_owned()).collect()
    }
}

/// A running service, killed when dropped.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(data: &Path) -> Self {
        let mut process = command(data, &["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let listening = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening")).unwrap();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = listening.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        Self { process, address: format!("http://{address}") }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const RUN: [&str; 5] = ["report", "run", "IDENTITIES", "--wait", "--argument"];

#[test]
fn a_report_goes_to_the_bucket_and_comes_back() {
    let Some(house) = House::with("") else { return };
    let service = Service::start(&house.data);
    let file = path(&house.dir, "people-report.csv");
    let run = [&RUN[..], &["correlatedOnly=false", "--to", &file]].concat();
    succeeds(&house.call(&service, &run));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("Ada"), "{text}");
    let keys = house.keys();
    let is_as = |end: &str| keys.iter().filter(|key| key.ends_with(end)).count();
    let found = (keys.len(), is_as("installation"), is_as(".1.report.csv"), is_as(".1.report.pdf"));
    assert_eq!(found, (3, 1, 1, 1), "{keys:?}");
    assert_eq!(std::fs::read_dir(house.data.join("results")).unwrap().count(), 0);
    drop(service);

    // Everything that looks at results finds them there.
    let found = json(&muster(&house.data, &["check", "--output", "json"]));
    assert_eq!((&found["resultFiles"], &found["damaged"]), (&json!(2), &json!([])), "{found}");
    let doctor = muster(&house.data, &["doctor", "--output", "json"]);
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let bucket =
        findings.as_array().unwrap().iter().find(|finding| finding["check"] == json!("bucket")).unwrap();
    assert_eq!(bucket["state"], json!("fine"), "{bucket}");
    assert_eq!(house.keys(), keys, "a check leaves nothing");

    // A backup has the file, and a restored installation reads it from its folder.
    let backups = path(&house.dir, "backups");
    succeeds(&muster(&house.data, &["backup", "take", &backups, "--keys"]));
    let restored = house.dir.path().join("restored");
    succeeds(&muster(&restored, &["restore", &backups]));
    assert_eq!(std::fs::read_dir(restored.join("results")).unwrap().count(), 2);

    // Damage is found.
    let name = keys.iter().find(|key| key.ends_with(".csv")).unwrap();
    let key = format!("/muster/results/one/{name}");
    assert!(house.s3.ask("PUT", &key, &[], b"other").starts_with("HTTP/1.1 200"));
    let damaged = muster(&house.data, &["check", "--output", "json"]);
    assert!(String::from_utf8_lossy(&damaged.stdout).contains(name), "{damaged:?}");
    assert!(!damaged.status.success());

    // And it expires.
    succeeds(&muster(&house.data, &["report", "expire", "--keep-days", "0", "--keep-last", "0"]));
    assert_eq!(house.keys(), ["installation"]);
}

#[test]
fn a_bucket_of_another_installation_is_refused() {
    let Some(house) = House::with("") else { return };
    drop(Service::start(&house.data));
    let other = house.dir.path().join("other");
    succeeds(&muster(&other, &["source", "add", &path(&house.dir, "people.toml")]));
    for file in ["bucket", "muster.toml"] {
        std::fs::copy(house.data.join(file), other.join(file)).unwrap();
    }
    let refused = fails(&muster(&other, &["serve", "--listen", "127.0.0.1:0"]), 1);
    assert!(refused.contains("belong to another installation"), "{refused}");
    let doctor = String::from_utf8(muster(&other, &["doctor"]).stdout).unwrap();
    assert!(doctor.contains("belong to another installation"), "{doctor}");
}

#[test]
fn settings_that_do_not_say_how_are_refused_with_words() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    for (settings, expected) in [
        (
            "[results]\nlocation = \"ftp://a/b\"",
            "results.location: \"ftp://a/b\" is of an unknown kind: expected s3://BUCKET/FOLDER",
        ),
        ("[results]\nlocation = \"s3://bucket/a b\"", "has an invalid name of a folder"),
        (
            "[data]\nshared = \"s3://bucket/tables\"\n[store]\nurl = \"postgres://a@b/c\"",
            "data.shared: \"s3://bucket/tables\": tables in a bucket are not supported yet",
        ),
        ("[results]\nlocation_file = \"bucket\"", "results.location_file: set without results.location"),
        ("[downloads]\npresign = true", "downloads.presign: set without results.location"),
        ("[downloads]\npresign_s = 3601", "downloads.presign_s: 3601: expected 1 to 3600"),
        ("[results]\npart_size = \"1B\"", "results.part_size: 1B: expected 1KiB to 1GiB"),
    ] {
        std::fs::write(data.join("muster.toml"), settings).unwrap();
        let refused = fails(&muster(&data, &["check"]), 2);
        assert!(refused.contains(expected), "{refused}");
    }
    std::fs::write(
        data.join("muster.toml"),
        "[results]\nlocation = \"s3://bucket\"\nlocation_file = \"bucket\"",
    )
    .unwrap();
    let lines = format!("AWS_REGION=a\nAWS_SECRET_ACCESS_KEY {SECRET}\n");
    write_secret(&data.join("bucket"), &lines, 0o600);
    let refused = fails(&muster(&data, &["check"]), 2);
    assert!(refused.contains("line 2 is no property") && !refused.contains(SECRET), "{refused}");
}
