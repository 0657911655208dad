//! A tenant is mirrored, refreshed and reported on, with every command a process of its own.

use crate::tenant::{CLIENT, Data, Fault, SECRET, Tenant};
use crate::{command, fails, json, muster, succeeds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const HR: &str = "2c91808568c529c60168cca6f90c0001";
const DIRECTORY: &str = "2c91808568c529c60168cca6f90c0002";

/// The account of `source` that belongs to an identity of the tenant.
fn account(source: &str, number: usize, identity: Option<usize>, attributes: Value) -> Value {
    json!({
        "id": format!("{source}{number}"), "name": format!("user{number}"), "sourceId": source,
        // An account that is not correlated may carry an identity's id.
        "identityId": format!("i{}", identity.unwrap_or(number)), "uncorrelated": identity.is_none(),
        "identity": {"id": "x", "name": "x"}, "nativeIdentity": format!("n{number}"), "uuid": null,
        "disabled": number == 3, "locked": false, "manuallyCorrelated": number == 4, "attributes": attributes,
    })
}

/// Five people; of nine accounts in the directory one is another's second, and two belong to nobody.
fn acme() -> Data {
    let schema = |names: &[&str]| {
        let attribute = |name: &&str| json!({"name": name, "isEntitlement": *name == "memberOf"});
        json!([{"name": "account", "attributes": names.iter().map(attribute).collect::<Vec<_>>()}])
    };
    let mapping = |name: &str, attribute: &str| {
        json!({"identityAttributeName": name, "transformDefinition": {"type": "accountAttribute",
            "attributes": {"attributeName": attribute, "sourceId": HR, "sourceName": "HR"}}})
    };
    let people = (1..=5).map(|number| {
        account(
            HR,
            number,
            Some(number),
            json!({"empnum": format!("E{number}"), "surname": "Adams",
            "mail": format!("e{number}@example.org"), "status": if number == 5 { "gone" } else { "active" }}),
        )
    });
    let owners = [Some(1), Some(2), Some(3), Some(4), Some(5), Some(1), None, None, Some(2)];
    let accounts = owners.into_iter().enumerate().map(|(index, owner)| {
        account(DIRECTORY, index + 1, owner, json!({"login": format!("l{index}"), "memberOf": ["staff"]}))
    });
    let role = |number: usize| json!({"id": format!("r{number}"), "name": format!("Role {number}"), "_type": "role"});
    Data {
        sources: vec![json!({"id": DIRECTORY, "name": "Directory"}), json!({"id": HR, "name": "HR"})],
        schemas: BTreeMap::from([
            (HR.to_owned(), schema(&["empnum", "surname", "mail", "status"])),
            (DIRECTORY.to_owned(), schema(&["login", "memberOf"])),
        ]),
        identity_profiles: vec![json!({"id": "p1", "name": "Employees", "priority": 10,
            "authoritativeSource": {"id": HR, "name": "HR"}, "identityAttributeConfig": {"enabled": true,
            "attributeTransforms": [mapping("uid", "empnum"), mapping("lastname", "surname"), mapping("email", "mail"),
                mapping("cloudLifecycleState", "status"),
                {"identityAttributeName": "location", "transformDefinition": {"type": "rule", "attributes": {"name": "x"}}}]}})],
        lifecycle_states: BTreeMap::from([(
            "p1".to_owned(),
            json!([{"technicalName": "active"}, {"technicalName": "gone", "identityState": "INACTIVE_LONG_TERM"}]),
        )]),
        accounts: people.chain(accounts).collect(),
        identities: (1..=6)
            .map(|number| json!({"id": format!("i{number}"), "correlated": number < 6}))
            .collect(),
        documents: BTreeMap::from([("roles".to_owned(), vec![role(1), role(2)])]),
        ..Data::default()
    }
}

/// A data directory and the secret's file in the same folder.
struct Place {
    _dir: tempfile::TempDir,
    data: PathBuf,
    secret: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let data = dir.path().join("data");
        Self { data, secret: secret.to_str().unwrap().to_owned(), _dir: dir }
    }

    fn mirror(&self, tenant: &Tenant, more: &[&str]) -> std::process::Output {
        let arguments = [
            "source",
            "mirror",
            "--name",
            "Acme",
            "--tenant",
            &tenant.url,
            "--client-id",
            CLIENT,
            "--secret-file",
            &self.secret,
            "--allow-plaintext",
            "--output",
            "json",
        ];
        muster(&self.data, &[&arguments[..], more].concat())
    }

    fn sources(&self) -> Value {
        json(&muster(&self.data, &["source", "list", "--output", "json"]))
    }
}

fn states(mirrored: &Value) -> Vec<String> {
    let text = |source: &Value| {
        let changed: Vec<_> =
            source["changed"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        format!(
            "{} {} {}",
            source["name"].as_str().unwrap(),
            source["state"].as_str().unwrap(),
            changed.join(",")
        )
    };
    mirrored["sources"].as_array().unwrap().iter().map(|source| text(source).trim_end().to_owned()).collect()
}

#[test]
fn a_second_time_changes_what_changed_and_a_failure_changes_nothing() {
    let place = Place::new();
    let documents = ["--documents", "roles"];
    let tenant = Tenant::start(acme());
    let dry = json(&place.mirror(&tenant, &[&documents[..], &["--dry-run"]].concat()));
    assert_eq!((&dry["dryRun"], dry["sources"].as_array().unwrap().len()), (&json!(true), 3));
    assert_eq!(place.sources(), json!([]), "a dry run keeps nothing");

    let first = json(&place.mirror(&tenant, &documents));
    assert_eq!(states(&first), ["HR added", "Directory added", "Acme roles added"]);
    let left = &first["leftOut"].as_array().unwrap()[..];
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["what"], "identity attribute \"location\"");
    assert_eq!((&first["identities"], &first["identitiesCorrelated"]), (&json!(6), &json!(5)));
    let registered = place.sources();
    assert_eq!(registered.as_array().unwrap().len(), 3);
    let again = json(&place.mirror(&tenant, &documents));
    assert_eq!(states(&again), ["HR unchanged", "Directory unchanged", "Acme roles unchanged"]);
    assert!(!format!("{first}{again}{registered}").contains("s3cret"));

    // The same tenant later, at the address that it had: nothing is kept while a part of it cannot be read.
    tenant.change(|data| {
        data.sources[0]["deleteThreshold"] = json!(30);
        data.sources[0]["name"] = json!("HR");
        data.sources[1]["name"] = json!("Directory");
    });
    tenant.script(|asked, _| {
        (asked.path == "/identity-profiles").then(|| Fault::Answer("403 Forbidden", "", String::new()))
    });
    let error = fails(&place.mirror(&tenant, &documents), 1);
    assert!(
        error.contains("the identity profiles could not be read: the tenant answered 403 Forbidden"),
        "{error}"
    );
    assert_eq!(place.sources(), registered);
    tenant.script(|_, _| None);
    let changed = json(&place.mirror(&tenant, &documents));
    let expected =
        ["Directory changed name", "HR changed delete_threshold_percent,name", "Acme roles unchanged"];
    assert_eq!(states(&changed), expected);
}

#[test]
fn a_mirrored_tenant_is_reported_on() {
    let place = Place::new();
    let tenant = Tenant::start(acme());
    json(&place.mirror(&tenant, &["--documents", "roles"]));
    succeeds(&muster(&place.data, &["refresh"]));
    let arguments = [
        "client",
        "create",
        "--kind",
        "user",
        "--name",
        "ada",
        "--level",
        "ORG_ADMIN",
        "--scope",
        "sp:scopes:all",
    ];
    let client = json(&muster(&place.data, &arguments));
    let service = Serving::start(&place.data, &client, 2);

    let people = service.report("IDENTITIES", &[]);
    let column = |rows: &[BTreeMap<String, String>], name: &str| {
        let mut values: Vec<_> = rows.iter().map(|row| row[name].clone()).collect();
        values.sort();
        values
    };
    assert_eq!(column(&people, "name"), ["E1", "E2", "E3", "E4", "E5"]);
    let accounts_of = |id: &str, name: &str| {
        let [id, name] = [format!("application={id}"), format!("sourceName={name}")];
        service.report("ACCOUNTS", &["--argument", &id, "--argument", &name])
    };
    let accounts = accounts_of(DIRECTORY, "Directory");
    assert_eq!(accounts.len(), 9);
    // As the tenant has linked them, by hand too; two belong to nobody, whatever id they carry.
    assert_eq!(column(&accounts, "identityName"), ["", "", "E1", "E1", "E2", "E2", "E3", "E4", "E5"]);
    let open: Vec<_> = accounts.iter().filter(|row| row["identityName"].is_empty()).cloned().collect();
    assert_eq!(column(&open, "nativeIdentity"), ["n7", "n8"]);
    let disabled: Vec<_> = accounts.iter().filter(|row| row["disabled"] == "true").cloned().collect();
    assert_eq!(column(&disabled, "nativeIdentity"), ["n3"]);
    assert_eq!(accounts_of(HR, "HR").len(), 5);
}

/// A service in a process of its own, and a client of it.
pub struct Serving {
    process: Child,
    data: PathBuf,
    /// The arguments that say how it is reached.
    pub client: Vec<String>,
}

impl Serving {
    pub fn start(data: &Path, client: &Value, workers: u32) -> Self {
        Self::start_with(data, client, workers, &[])
    }

    /// With these variables of the environment.
    pub fn start_with(data: &Path, client: &Value, workers: u32, variables: &[(&str, &str)]) -> Self {
        Self::try_start(data, client, workers, variables).unwrap()
    }

    /// As [`Serving::start_with`]; `None` if the process ends before it listens.
    pub fn try_start(data: &Path, client: &Value, workers: u32, variables: &[(&str, &str)]) -> Option<Self> {
        let mut process = command(data, &["serve", "--listen", "127.0.0.1:0"])
            .envs(variables.iter().copied())
            .env("MUSTER__LOG__FORMAT", "json")
            .env("MUSTER__WORKER__COUNT", workers.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).ok()?;
            Some(line["fields"]["address"].as_str()?.to_owned())
        });
        let Some(address) = address else {
            process.wait().unwrap();
            return None;
        };
        // Whatever it says later must find a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        let client = [
            ("--base-url", format!("http://{address}")),
            ("--client-id", text("id")),
            ("--client-secret", text("secret")),
        ];
        let client = client.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        Some(Self { process, data: data.to_owned(), client })
    }

    /// Runs a report and gives its rows.
    fn report(&self, kind: &str, arguments: &[&str]) -> Vec<BTreeMap<String, String>> {
        let client: Vec<&str> = self.client.iter().map(String::as_str).collect();
        let call = |command: &[&str]| muster(&self.data, &[command, &client].concat());
        let run = json(&call(&[&["report", "run", kind, "--wait", "--output", "json"], arguments].concat()));
        let id = run["id"].as_str().unwrap();
        let text = succeeds(&call(&["report", "get", id, "--to", "-"]));
        let mut rows = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        rows.deserialize().map(Result::unwrap).collect()
    }
}

impl Serving {
    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
