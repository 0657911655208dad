//! What people and scripts rely on whatever they call: exit statuses, forms of output, names in place of ids, services that
//! are kept under names.

use crate::reports::{Installation, started};
use crate::{command, fails, json, muster, path, people, succeeds};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Calls with a text on standard input.
fn with_input(mut command: std::process::Command, input: &str) -> Output {
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

/// A report of a source by its name, its files in a folder, and what its warning is worth.
#[test]
fn a_report_is_run_by_the_name_of_its_source_and_fetched_at_once() {
    let installation = Installation::new(2);
    let out = installation.dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let folder = out.to_str().unwrap();
    let run = ["run", "ACCOUNTS", "--source", "People", "--format", "ndjson", "--wait", "-o", folder];
    let ran = installation.report(&run);
    let shown = succeeds(&ran);
    let mut files: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert!(files.contains(&"Account Export.csv".to_owned()) && files.len() >= 2, "{files:?}");
    assert!(files.iter().all(|file| shown.contains(&format!("{folder}/{file}"))), "{shown}");
    assert!(std::fs::read_to_string(out.join("Account Export.csv")).unwrap().contains("Ada"));

    let again = installation.report(&run);
    assert_eq!(again.status.code(), Some(1));
    assert!(told(&again).contains("is there already and stays as it is"), "{}", told(&again));
    let file = out.join("people.csv");
    let one = [
        "run",
        "ACCOUNTS",
        "--source",
        "People",
        "--wait",
        "--to",
        file.to_str().unwrap(),
        "--output",
        "json",
    ];
    let result = json(&installation.report(&one));
    assert_eq!(result["files"], Value::from(vec![file.to_str().unwrap()]));
    assert_eq!(result["rows"], 2);
    assert!(file.is_file());
    // Who wants this file wants it written.
    let sheet = out.join("people.xlsx");
    let to = sheet.to_str().unwrap();
    succeeds(&installation.report(&["run", "ACCOUNTS", "--source", "People", "--wait", "-o", to]));
    assert!(std::fs::read(&sheet).unwrap().starts_with(b"PK"));
    let early = installation.report(&["run", "IDENTITIES", "-o", folder]);
    assert!(fails(&early, 2).contains("expected --wait with them"));
    let foreign = installation.report(&["run", "IDENTITIES", "--source", "People"]);
    assert!(fails(&foreign, 2).contains("IDENTITIES is not about one source"));

    // The report says that its source's name is another: a warning, which counts only if it is asked for.
    let application = format!(
        "application={}",
        json(&installation.muster(&["source", "show", "People", "--output", "json"]))["id"].as_str().unwrap()
    );
    let warned = ["run", "ACCOUNTS", "--argument", &application, "--argument", "sourceName=Pets", "--wait"];
    succeeds(&installation.report(&warned));
    let strict = installation.report(&[&warned[..], &["--strict"]].concat());
    assert_eq!(strict.status.code(), Some(3));
    assert!(
        told(&strict).contains("ended with a warning: argument \"sourceName\" is \"Pets\""),
        "{}",
        told(&strict)
    );
}

/// No worker: the report waits until somebody cancels it.
#[test]
fn a_wait_ends_with_its_time_and_with_a_cancel() {
    let installation = Installation::new(0);
    let waited = installation.report(&["run", "IDENTITIES", "--wait", "--timeout", "0"]);
    assert_eq!(waited.status.code(), Some(124));
    let told = told(&waited);
    let id = started(told.lines().next().unwrap());
    assert!(told.ends_with("it had not ended after 0 s\n") && told.contains("the report runs on"), "{told}");
    let running = ["list", "--state", "running", "--json", "id", "--output", "csv"];
    assert_eq!(succeeds(&installation.report(&running)), format!("id\n{id}\n"));
    let watching =
        installation.command(&["watch", id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    succeeds(&installation.report(&["cancel", id]));
    let watched = watching.wait_with_output().unwrap();
    assert_eq!(watched.status.code(), Some(6), "{watched:?}");
    assert_eq!(succeeds(&installation.report(&running)), "id\n");
    assert_eq!(installation.report(&["list", "--state", "terminated"]).status.code(), Some(0));
}

#[test]
fn what_is_not_allowed_and_what_does_not_exist_have_their_own_status() {
    let installation = Installation::new(2);
    let unknown = "0".repeat(32);
    for call in [["result", &unknown], ["watch", &unknown], ["get", &unknown]] {
        fails(&installation.report(&call), 5);
    }
    // An application may not cancel.
    let made =
        ["client", "create", "--kind", "application", "--name", "export", "--scope", "sp:report:manage"];
    let made = json(&installation.muster(&made));
    let text = |name: &str| made[name].as_str().unwrap();
    let url = &installation.service.client[1];
    let application = ["--base-url", url, "--client-id", text("id"), "--client-secret", text("secret")];
    let call =
        |arguments: &[&str]| muster(&installation.data, &[&["report"], arguments, &application].concat());
    let id = succeeds(&call(&["run", "IDENTITIES"]));
    let refused = fails(&call(&["cancel", id.trim()]), 4);
    assert!(refused.contains("(403)") && refused.contains("`muster client list`"), "{refused}");
    let wrong = ["--base-url", url, "--client-id", text("id"), "--client-secret", "wrong"];
    let refused = fails(&muster(&installation.data, &[&["report", "list"], &wrong[..]].concat()), 4);
    assert!(refused.contains("no access token") && refused.contains("`muster login`"), "{refused}");
    // By its name it is the same client.
    succeeds(&installation.muster(&["client", "disable", "export"]));
    let disabled = fails(&call(&["list"]), 4);
    assert!(!disabled.contains(text("secret")), "{disabled}");
}

#[test]
fn results_have_a_form_that_does_not_change() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let list = |more: &[&str]| succeeds(&muster(&data, &[&["source", "list"], more].concat()));
    assert_eq!(
        list(&["--json", "name,authoritative", "--output", "csv"]),
        "name,authoritative\nPeople,true\n"
    );
    assert_eq!(
        list(&["--json", "name,kind", "--output", "ndjson"]),
        "{\"kind\":\"delimited\",\"name\":\"People\"}\n"
    );
    let all = list(&["--output", "csv"]);
    assert_eq!(all.lines().next(), Some("authoritative,baseDir,id,kind,name"));
    let value: Value = serde_json::from_str(&list(&["--json", "name"])).unwrap();
    assert_eq!(value, serde_json::json!([{ "name": "People" }]));
    let wrong = fails(&muster(&data, &["source", "list", "--json", "nam"]), 2);
    assert!(wrong.contains("no result has a field \"nam\": the nearest name is \"name\""), "{wrong}");
}

#[test]
fn services_are_kept_under_names_and_their_secrets_are_not_shown() {
    let installation = Installation::new(0);
    let client = &installation.service.client;
    let (url, id, secret) = (&client[1], &client[3], &client[5]);
    let call = |arguments: &[&str]| muster(&installation.data, arguments);
    let nowhere = fails(&call(&["report", "list"]), 2);
    assert!(nowhere.contains("no service is known") && nowhere.contains("`muster login`"), "{nowhere}");

    let login = ["login", "here", "--base-url", url, "--client-id", id, "--secret-file", "-"];
    let wrong = with_input(command(&installation.data, &login), "wrong\n");
    assert!(fails(&wrong, 4).contains("no access token"));
    let accepted = with_input(command(&installation.data, &login), &format!("{secret}\n"));
    assert!(succeeds(&accepted).contains("it is kept as \"here\" and in use"));
    let file = installation.dir.path().join(".config/muster/environments.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    succeeds(&call(&["report", "list"]));

    let add =
        ["env", "add", "there", "--base-url", "http://127.0.0.1:1", "--client-id", "x", "--secret-file", "-"];
    assert!(succeeds(&with_input(command(&installation.data, &add), "y")).contains("`muster env use there`"));
    let listed = call(&["env", "list", "--output", "json"]);
    assert!(!succeeds(&listed).contains(secret.as_str()));
    let listed = json(&listed);
    assert_eq!((&listed[0]["name"], &listed[0]["active"]), (&"here".into(), &true.into()));
    assert!(fails(&call(&["report", "list", "--env", "there"]), 1).contains("http://127.0.0.1:1"));
    succeeds(&call(&["env", "use", "there"]));
    fails(&call(&["report", "list"]), 1);
    succeeds(&call(&["report", "list", "--env", "here"]));
    succeeds(&call(&["report", "list", "--base-url", url]));
    let foreign = fails(&call(&["report", "list", "--base-url", "http://127.0.0.1:2"]), 2);
    assert!(foreign.contains("no client is kept for http://127.0.0.1:2"), "{foreign}");
    fails(&call(&["env", "use", "nowhere"]), 5);
    succeeds(&call(&["env", "remove", "there"]));
    fails(&call(&["report", "list"]), 2);

    // The variables of the published SDKs.
    let mut sail = command(&installation.data, &["report", "list"]);
    sail.env("SAIL_BASE_URL", url).env("SAIL_CLIENT_ID", id).env("SAIL_CLIENT_SECRET", secret);
    succeeds(&sail.output().unwrap());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(fails(&call(&["env", "list"]), 1).contains("chmod 600"));
}

#[test]
fn a_definition_is_written_from_a_file_and_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let csv = path(&dir, "staff.csv");
    std::fs::write(
        &csv,
        b"empnum;givenName;surname;mail;groups\n1;Zo\xe9;King;zoe@example.com;a|b\n2;Bob;Roe;;c|d\n",
    )
    .unwrap();
    let made = succeeds(&muster(&data, &["source", "init", &csv, "--name", "Staff", "--authoritative"]));
    assert!(made.contains("windows-1252, delimiter ';'"), "{made}");
    let toml = path(&dir, "staff.toml");
    let again = fails(&muster(&data, &["source", "init", &csv]), 1);
    assert!(again.contains("staff.toml is there already"), "{again}");
    succeeds(&muster(&data, &["source", "check", &toml]));
    succeeds(&muster(&data, &["source", "add", &toml]));
    let never = succeeds(&muster(&data, &["source", "show", "Staff"]));
    assert!(never.contains("read last: never"), "{never}");
    succeeds(&muster(&data, &["refresh"]));
    let shown = json(&muster(&data, &["source", "show", "Staff", "--output", "json"]));
    assert_eq!((&shown["lastRead"]["loaded"], &shown["authoritative"]), (&2.into(), &true.into()), "{shown}");
    assert!(shown["definition"].to_string().contains("windows-1252"), "{shown}");
    fails(&muster(&data, &["source", "show", "Stuff"]), 5);
}

#[test]
fn links_are_removed_one_by_one_and_all_together() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let links = path(&dir, "links.csv");
    std::fs::write(
        &links,
        "account,displayName,userName,type\n1,Ada,ada,People\n3,Cy,cy,People\n4,Di,di,People\n",
    )
    .unwrap();
    succeeds(&muster(&data, &["source", "link", &links]));
    let unlink = |accounts: &[&str]| muster(&data, &[&["source", "unlink", "People"], accounts].concat());
    assert!(succeeds(&unlink(&["1"])).contains("were removed: 1"));
    let missing = unlink(&["1", "3"]);
    assert!(fails(&missing, 5).contains("1 accounts have no link that was made by hand"));
    assert!(succeeds(&unlink(&["--all"])).contains("were removed: 1"));
    assert_eq!(succeeds(&muster(&data, &["source", "links"])).lines().count(), 1, "the header");
    fails(&unlink(&[]), 2);
}

#[test]
fn an_installation_says_how_it_is_and_what_to_do() {
    let dir = people();
    let data = dir.path().join("data");
    let nothing = muster(&data, &["doctor"]);
    assert!(fails(&nothing, 1).contains("wrong: database"));
    assert!(!data.exists());
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let young = muster(&data, &["doctor", "--strict", "--output", "json"]);
    assert_eq!(young.status.code(), Some(3), "{young:?}");
    let findings: Value = serde_json::from_slice(&young.stdout).unwrap();
    let of = |findings: &Value, check: &str| {
        findings.as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap().clone()
    };
    assert_eq!(of(&findings, "snapshot")["toDo"], "`muster refresh` makes the first one");
    assert!(succeeds(&muster(&data, &["status"])).contains("snapshot: none; `muster refresh` makes one"));
    std::fs::write(dir.path().join("people.csv"), "id,name\n1,Ada\n3,Cy\n").unwrap();
    succeeds(&muster(&data, &["refresh"]));
    let status = json(&muster(&data, &["status", "--output", "json"]));
    assert_eq!((&status["snapshot"]["accounts"], &status["sources"][0]["accounts"]), (&2.into(), &2.into()));
    assert!(status["disks"][0]["freeBytes"].as_u64().unwrap() > 0);
    let shown = succeeds(&muster(&data, &["status"]));
    assert!(shown.contains("tasks: none waits or runs") && shown.contains(" People "), "{shown}");
    succeeds(&muster(&data, &["doctor"]));

    let key = data.join("keys/audit.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = muster(&data, &["doctor"]);
    assert!(fails(&open, 1).contains("keys"));
    let text = String::from_utf8_lossy(&open.stdout).into_owned();
    assert!(
        text.contains(&format!("do: `chmod 600 {}`", key.canonicalize().unwrap().display()))
            || text.contains("`chmod 600 "),
        "{text}"
    );
}
