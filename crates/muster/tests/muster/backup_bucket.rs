//! Backups in a bucket: over moto, which answers as S3 does.

use super::backup::{BEFORE_THE_LIST, crash_at, house};
use super::{command, fails, json, muster, succeeds};
use muster_testkit::servers::{ReservedPort, Server};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The variable with the program, if it is not on the path.
const PROGRAM: &str = "MUSTER_MOTO_SERVER";
/// The secret of the tests' credential. No message may have it.
const SECRET: &str = "not-to-be-seen";

/// A service that answers as S3 does, with an empty bucket `backups`.
struct S3 {
    _server: Server,
    port: ReservedPort,
}

impl S3 {
    /// `None` where there is no moto.
    fn start() -> Option<Self> {
        let on_path = std::env::var_os("PATH").and_then(|path| {
            std::env::split_paths(&path).map(|folder| folder.join("moto_server")).find(|file| file.is_file())
        });
        let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from).or(on_path) else {
            println!(
                "SKIPPED: moto_server is not on the path (Python's package moto[server]); {PROGRAM} names it"
            );
            return None;
        };
        let port = ReservedPort::new();
        let server = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.number().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self { _server: Server(server), port };
        for _ in 0..1_200 {
            if TcpStream::connect(("127.0.0.1", started.port.number())).is_ok() {
                assert!(started.ask("PUT", "/backups", b"").starts_with(b"HTTP/1.1 200"));
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("moto_server does not listen");
    }

    /// The whole answer to a request of the bucket's owner; moto does not check the signature.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port.number())).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: AWS tests:none\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.port.number(),
            body.len()
        );
        connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        answer
    }

    fn command(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = command(data, arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port.number()))
            .envs([("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "eu-central-1")])
            .envs([("AWS_ACCESS_KEY_ID", "tests"), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
        command
    }

    fn call(&self, data: &Path, arguments: &[&str]) -> Output {
        let output = self.command(data, arguments).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains(SECRET));
        output
    }

    fn verdict(&self, data: &Path, place: &str) -> Value {
        let output = self.call(data, &["backup", "verify", place, "--output", "json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn names(&self, data: &Path, place: &str) -> Vec<String> {
        let listed = json(&self.call(data, &["backup", "list", place, "--output", "json"]));
        listed.as_array().unwrap().iter().map(|backup| backup["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_backup_in_a_bucket_is_taken_checked_and_restored() {
    let Some(s3) = S3::start() else { return };
    let (dir, data, _) = house();
    // Three parts of a file, and a bit.
    let large: Vec<u8> = (0..(50_u32 << 20)).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(data.join("keys/large"), &large).unwrap();
    let place = "s3://backups/muster/one";
    let first = json(&s3.call(&data, &["backup", "take", place, "--keys", "--output", "json"]));
    assert_eq!(first["files"], first["copiedFiles"]);
    assert_eq!(s3.verdict(&data, place)["verdict"], json!("ok"));
    let second = json(&s3.call(&data, &["backup", "take", place, "--keys", "--output", "json"]));
    assert_eq!(second["copiedFiles"], json!(1), "the database: {second}");
    assert_eq!(s3.names(&data, place).len(), 2);

    let restored = dir.path().join("restored");
    let name = second["name"].as_str().unwrap();
    succeeds(&s3.call(&restored, &["restore", place, "--backup", name]));
    assert_eq!(std::fs::read(restored.join("keys/large")).unwrap(), large);
    succeeds(&muster(&restored, &["audit", "verify"]));
    assert_eq!(json(&muster(&restored, &["check", "--output", "json"]))["damaged"], json!([]));
    let snapshots = |data: &Path| json(&muster(data, &["snapshot", "list", "--output", "json"]));
    assert_eq!(snapshots(&restored), snapshots(&data));

    // The same files as in a folder: each is named by its digest, so the two places can be copied into each other.
    let folder = dir.path().join("folder");
    let folder = folder.to_str().unwrap();
    succeeds(&muster(&data, &["backup", "take", folder, "--keys"]));
    let listed =
        String::from_utf8(s3.ask("GET", "/backups?list-type=2&prefix=muster/one/objects/", b"")).unwrap();
    let in_folder = std::fs::read_dir(Path::new(folder).join("objects")).unwrap();
    let mut same = 0;
    for first in in_folder {
        for object in std::fs::read_dir(first.unwrap().path()).unwrap() {
            let name = object.unwrap().file_name().into_string().unwrap();
            same +=
                usize::from(listed.contains(&format!("<Key>muster/one/objects/{}/{name}</Key>", &name[..2])));
        }
    }
    // Each has its own copy of the database.
    assert_eq!(same as u64 + 1, second["files"].as_u64().unwrap());
}

#[test]
fn damage_in_a_bucket_is_found() {
    let Some(s3) = S3::start() else { return };
    let (dir, data, _) = house();
    let place = "s3://backups";
    succeeds(&s3.call(&data, &["backup", "take", place, "--keys"]));
    assert_eq!(s3.verdict(&data, place)["verdict"], json!("ok"));
    let listed = String::from_utf8(s3.ask("GET", "/backups?list-type=2&prefix=objects/", b"")).unwrap();
    let key = listed.split("<Key>").nth(1).unwrap().split("</Key>").next().unwrap().to_owned();
    assert!(s3.ask("PUT", &format!("/backups/{key}"), b"other").starts_with(b"HTTP/1.1 200"));
    assert_eq!(s3.verdict(&data, place)["verdict"], json!("failed"));
    let target = dir.path().join("target");
    assert!(fails(&s3.call(&target, &["restore", place]), 1).contains("the backup is damaged"));
    assert!(!target.join("muster.db").exists());
    assert!(s3.ask("DELETE", &format!("/backups/{key}"), b"").starts_with(b"HTTP/1.1 204"));
    let missing = s3.verdict(&data, place).to_string();
    assert!(missing.contains("is missing") && missing.contains("s3://backups/objects/"), "{missing}");
    // The next backup writes what is gone.
    succeeds(&s3.call(&data, &["backup", "take", place, "--keys"]));
    assert_eq!(s3.verdict(&data, place)["verdict"], json!("ok"));
}

/// A large file is sent in parts: what a killed command has sent of it is no file.
#[test]
fn a_backup_in_a_bucket_that_is_killed_is_none() {
    let Some(s3) = S3::start() else { return };
    let (_dir, data, _) = house();
    let large: Vec<u8> = (0..(17_u32 << 20)).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(data.join("keys/large"), large).unwrap();
    let take = |place: &str| s3.command(&data, &["backup", "take", place, "--keys"]);
    let whole =
        json(&s3.call(&data, &["backup", "take", "s3://backups/whole", "--keys", "--output", "json"]));
    // The files of keys are the last, and `large` is the last of them.
    let in_parts = format!("backup-file-drafted:{}", whole["copiedFiles"]);
    crash_at(take("s3://backups/parts"), &in_parts);
    assert_eq!(s3.names(&data, "s3://backups/parts"), Vec::<String>::new());
    succeeds(&take("s3://backups/parts").output().unwrap());
    assert_eq!(s3.verdict(&data, "s3://backups/parts")["verdict"], json!("ok"));

    let place = "s3://backups/killed";
    for at in BEFORE_THE_LIST {
        crash_at(take(place), at);
        assert_eq!(s3.names(&data, place), Vec::<String>::new(), "{at}");
    }
    crash_at(take(place), "backup-listed:1");
    assert_eq!(s3.names(&data, place).len(), 1);
    assert_eq!(s3.verdict(&data, place)["verdict"], json!("ok"));
}

#[test]
fn places_that_cannot_be_used_are_refused_with_words() {
    let Some(s3) = S3::start() else { return };
    let (dir, data, _) = house();
    let other = fails(&s3.call(&data, &["backup", "take", "ftp://backups"]), 2);
    assert!(other.contains("expected a folder or s3://BUCKET/FOLDER"), "{other}");
    let none = fails(&s3.call(&data, &["backup", "list", "s3://backups/none"]), 1);
    assert!(none.contains("s3://backups/none is not a folder of backups"), "{none}");
    let unknown = fails(&s3.call(&data, &["backup", "take", "s3://no-such-bucket"]), 1);
    assert!(unknown.contains("s3://no-such-bucket") && unknown.contains("NoSuchBucket"), "{unknown}");
    assert!(s3.ask("PUT", "/backups/mine/notes.txt", b"mine").starts_with(b"HTTP/1.1 200"));
    let used = fails(&s3.call(&data, &["backup", "take", "s3://backups/mine"]), 1);
    assert!(used.contains("has files and is not a folder of backups"), "{used}");
    let mut plain = s3.command(&data, &["backup", "take", "s3://backups/plain"]);
    let plain = fails(&plain.env_remove("AWS_ALLOW_HTTP").output().unwrap(), 1);
    assert!(plain.contains("s3://backups/plain"), "{plain}");
    assert!(!dir.path().join("ftp:").exists());
}
