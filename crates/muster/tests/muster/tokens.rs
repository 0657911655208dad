//! The key of evidence packages in a token: SoftHSM, which is a token in a folder.

use super::{command, fails, json, muster, path, people, succeeds};
use muster_testkit::servers::ReservedPort;
use serde_json::json;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const TOOL: &str = "/usr/bin/softhsm2-util";
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "493817";

/// The first secret key of RFC 8032, section 7.1, as PKCS #8 has it, and its public key as a `SubjectPublicKeyInfo`.
const PRIVATE_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                           MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                           -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A data directory, and a token with that key.
struct House {
    dir: tempfile::TempDir,
    data: PathBuf,
}

impl House {
    /// `None` where there is no SoftHSM.
    fn new() -> Option<Self> {
        if !Path::new(TOOL).is_file() || !Path::new(MODULE).is_file() {
            println!("SKIPPED: {TOOL} is not installed (the package softhsm2)");
            return None;
        }
        let dir = people();
        let data = dir.path().join("data");
        succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
        let house = Self { dir, data };
        std::fs::create_dir(house.at("tokens")).unwrap();
        house.write("softhsm.conf", &format!("directories.tokendir = {}\n", house.at("tokens").display()));
        house.write("key.pem", PRIVATE_PEM);
        house.write("pin", &format!("{PIN}\n"));
        house.tool(&["--init-token", "--free", "--label", "muster", "--so-pin", "31415926", "--pin", PIN]);
        let pem = path(&house.dir, "key.pem");
        house.tool(&[
            "--import", &pem, "--token", "muster", "--label", "evidence", "--id", "01", "--pin", PIN,
        ]);
        Some(house)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that only its owner reads.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
        std::fs::set_permissions(self.at(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn tool(&self, arguments: &[&str]) {
        let done = Command::new(TOOL)
            .env("SOFTHSM2_CONF", self.at("softhsm.conf"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn uri(&self) -> String {
        format!(
            "pkcs11:token=muster;object=evidence?module-path={MODULE}&pin-source=file:{}",
            path(&self.dir, "pin")
        )
    }

    fn command(&self, uri: &str, arguments: &[&str]) -> Command {
        let mut command = command(&self.data, arguments);
        command.env("SOFTHSM2_CONF", self.at("softhsm.conf")).env("MUSTER__KEYS__EVIDENCE", uri);
        command
    }

    fn call(&self, uri: &str, arguments: &[&str]) -> Output {
        self.command(uri, arguments).output().unwrap()
    }
}

/// A service, stopped when dropped.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn packages_are_signed_by_the_token_and_verify_with_its_public_key() {
    let Some(house) = House::new() else { return };
    let uri = house.uri();
    let told = succeeds(&house.call(&uri, &["evidence", "key"]));
    assert!(told.contains(PUBLIC), "{told}");
    let public = path(&house.dir, "public.pem");
    std::fs::write(&public, &told).unwrap();

    succeeds(&house.call(&uri, &["refresh"]));
    let client = ["client", "create", "--kind", "user", "--name", "ada", "--level", "ORG_ADMIN"];
    let client = json(&house.call(&uri, &[&client[..], &["--scope", "sp:scopes:all"]].concat()));
    let port = ReservedPort::new();
    let address = format!("127.0.0.1:{}", port.number());
    let serve = house
        .command(&uri, &["serve", "--listen", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _service = Service(serve);
    let mut looks = 0;
    while TcpStream::connect(&address).is_err() {
        looks += 1;
        assert!(looks < 3_000, "the service does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let ask = |arguments: &[&str]| {
        house
            .command(&uri, arguments)
            .env("MUSTER_BASE_URL", format!("http://{address}"))
            .env("MUSTER_CLIENT_ID", client["id"].as_str().unwrap())
            .env("MUSTER_CLIENT_SECRET", client["secret"].as_str().unwrap())
            .output()
            .unwrap()
    };
    succeeds(&ask(&["report", "run", "IDENTITIES", "--wait"]));
    let runs = json(&ask(&["report", "list", "--json", "id"]));
    let run = runs[0]["id"].as_str().unwrap().to_owned();
    // Two packages, over one session of the token.
    for name in ["one.zip", "two.zip"] {
        let package = path(&house.dir, name);
        succeeds(&ask(&["report", "evidence", &run, "--to", &package]));
        succeeds(&muster(&house.data, &["verify", &package, "--key", &public]));
    }
    assert!(!house.data.join("keys/evidence.key").exists(), "no other key is made");
    let listed = json(&house.call(&uri, &["keys", "list", "--output", "json"]));
    let mut keys = listed.as_array().unwrap().iter();
    let key = keys.find(|key| key["purpose"] == json!("evidence packages")).unwrap();
    assert_eq!((&key["file"], &key["ageDays"]), (&json!(uri), &json!(null)));
    assert_eq!(key["trouble"], json!("it is in a token, which does not tell its age"));
}

#[test]
fn what_is_wrong_with_a_token_is_said_and_its_pin_is_not() {
    let Some(house) = House::new() else { return };
    let uri = house.uri();
    let refused = |uri: &str, status: i32, reason: &str| {
        let error = fails(&house.call(uri, &["evidence", "key"]), status);
        assert!(error.contains("keys.evidence: ") && error.contains(reason), "{error}");
        assert!(!error.contains(PIN), "{error}");
    };
    refused(&uri.replace("token=muster", "token=other"), 1, "0 tokens are as the URI says");
    refused(&uri.replace("token=muster", "token=other"), 1, "those that are there: \"muster\"");
    refused(&uri.replace("object=evidence", "object=other"), 1, "0 objects of the token are a public key");
    refused(&uri.replace(MODULE, "/usr/lib/no-such.so"), 1, "the library of the token cannot be loaded");
    refused(&uri.replace("pin-source=file:", "pin-value="), 2, "pin-value has a PIN");
    house.write("pin", "000000\n");
    refused(&uri, 1, "the token does not let us in");
    house.write("pin", PIN);
    std::fs::set_permissions(house.at("pin"), PermissionsExt::from_mode(0o644)).unwrap();
    refused(&uri, 1, "others may read");
    assert!(!house.data.join("keys/evidence.key").exists());

    let seal = command(&house.data, &["audit", "verify"]).env("MUSTER__KEYS__AUDIT", &uri).output().unwrap();
    assert!(fails(&seal, 2).contains("only keys.evidence may be in a token"));
}
