//! The commands as a person or a script calls them: the real binary, its output and its status.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "muster/backup.rs"]
mod backup;
#[path = "muster/backup_bucket.rs"]
mod backup_bucket;
#[path = "muster/backup_postgres.rs"]
mod backup_postgres;
#[path = "muster/command_line.rs"]
mod command_line;
#[path = "muster/definitions.rs"]
mod definitions;
#[path = "muster/exit_statuses.rs"]
mod exit_statuses;
#[path = "muster/guards.rs"]
mod guards;
#[path = "muster/keeping.rs"]
mod keeping;
#[path = "muster/logs.rs"]
mod logs;
#[path = "muster/mcp.rs"]
mod mcp;
#[path = "muster/mirror.rs"]
mod mirror;
#[path = "muster/plan.rs"]
mod plan;
#[path = "muster/reports.rs"]
mod reports;
#[path = "muster/results_bucket.rs"]
mod results_bucket;
#[path = "muster/reviews.rs"]
mod reviews;
#[path = "muster/sdk.rs"]
mod sdk;
#[path = "muster/secrets.rs"]
mod secrets;
/// The emulator that the readers' tests have.
#[expect(dead_code, reason = "what only those tests ask for")]
#[path = "../../sources/tests/sources/servers/tenant.rs"]
mod tenant;
#[path = "muster/tokens.rs"]
mod tokens;
#[path = "muster/upgrade.rs"]
mod upgrade;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Calls the binary over this data directory, with no setting of the caller's environment.
fn muster(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") || name.to_string_lossy().starts_with("SAIL_") {
            command.env_remove(name);
        }
    }
    // What a person keeps below a home folder is nothing to a test.
    let home = data.parent().unwrap();
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command.current_dir(home).args(arguments).arg("--data").arg(data);
    command
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    out.into_owned()
}

/// The one line on standard error of a call that ended with `status`.
#[track_caller]
fn fails(output: &Output, status: i32) -> String {
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{err}");
    assert!(err.starts_with("error: "), "{err}");
    // Clap's messages have several lines.
    if status != 2 {
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    err
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&succeeds(output)).unwrap()
}

/// A folder with a definition of people and its file: three records, the second without a name.
fn people() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("people.csv", "id,name\n1,Ada\n,Bob\n3,Cy\n");
    write(
        "people.toml",
        "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n\
         [profile]\nname = \"People\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\nfrom = \"name\"\n",
    );
    dir
}

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

/// A bit of a table's file flips: the check and the refresh say so, and the way out leads out.
#[test]
fn damaged_files_are_found_and_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("people.csv", "id,name\n1,Ada\n3,Cy\n");
    write(
        "people.toml",
        "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n\
         [profile]\nname = \"People\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\nfrom = \"name\"\n",
    );
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh"]));
    let checked = json(&muster(&data, &["check", "--output", "json"]));
    assert_eq!((&checked["damaged"], &checked["snapshotsUnchecked"]), (&Value::Array(vec![]), &0.into()));
    assert!(checked["tableFiles"].as_u64().unwrap() >= 5, "{checked}");

    let tables = data.join("tables");
    let file_of = |table: &str| {
        let files = std::fs::read_dir(tables.join(table)).unwrap().map(|entry| entry.unwrap().path());
        let mut files = files.filter(|path| path.extension().is_some_and(|end| end == "parquet"));
        files.next().unwrap()
    };
    let file = file_of("accounts");
    let mut content = std::fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 0x10;
    std::fs::write(&file, content).unwrap();
    let found = muster(&data, &["check"]);
    assert!(fails(&found, 1).contains("files that are damaged or gone: 1"));
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        text.contains("table \"accounts\"") && text.contains("does not have the content that was written"),
        "{text}"
    );

    for refresh in [&["refresh"][..], &["refresh", "--full"]] {
        let refused = fails(&muster(&data, refresh), 1);
        assert!(refused.contains("back from a backup, or run `muster refresh --rebuild`"), "{refused}");
    }
    let told = succeeds(&muster(&data, &["refresh", "--rebuild"]));
    assert!(told.contains("the table was written again, without the dates"), "{told}");
    // The snapshot of before is kept, and stays damaged; the new one is not.
    let again = muster(&data, &["check"]);
    assert!(fails(&again, 1).contains("files that are damaged or gone: 1"));
}

#[test]
fn a_source_is_checked_added_and_listed() {
    let dir = people();
    let data = dir.path().join("data");
    let file = path(&dir, "people.toml");
    let check = muster(&data, &["source", "check", &file, "--output", "json"]);
    assert!(fails(&check, 1).contains("a refresh would refuse 1 of 3 records"));
    let checked: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(
        (&checked["read"], &checked["accepted"], &checked["rejected"]),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!(checked["rejections"][0]["line"], 3);
    assert!(!data.exists(), "a check keeps nothing");

    assert!(succeeds(&muster(&data, &["source", "add", &file])).starts_with("source \"People\" added, id "));
    assert!(
        succeeds(&muster(&data, &["source", "add", &file])).starts_with("source \"People\" replaced, id ")
    );
    let listed = json(&muster(&data, &["source", "list", "--output", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["name"], &listed[0]["authoritative"]), (&"People".into(), &true.into()));
    assert_eq!(listed[0]["baseDir"], dir.path().canonicalize().unwrap().to_str().unwrap());
}

/// The check says what the refresh then does, and as it does, it counts nobody twice.
#[test]
fn a_check_compares_with_the_last_snapshot() {
    let dir = people();
    let data = dir.path().join("data");
    let write = |text: &str| std::fs::write(dir.path().join("people.csv"), text).unwrap();
    let check = || muster(&data, &["source", "check", &path(&dir, "people.toml"), "--output", "json"]);
    write("id,name\n1,Ada\n2,Bob\n3,Cy\n4,Dee\n");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    assert_eq!(json(&check())["accountsBefore"], Value::Null);
    succeeds(&muster(&data, &["refresh"]));
    write("id,name\n1,Ada\n");
    let found = check();
    let missing = "accounts of the last snapshot are missing, more than the delete threshold of 10 percent";
    assert!(
        fails(&found, 1).contains(&format!("a refresh would keep accounts: 3 or more of the 4 {missing}"))
    );
    let checked: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&checked["accounts"], &checked["accountsBefore"]), (&1.into(), &4.into()));
    let told = succeeds(&muster(&data, &["refresh"]));
    assert!(
        told.contains("3 of 4 accounts are missing, more than the delete threshold of 10 percent"),
        "{told}"
    );
    assert_eq!(json(&check())["warnings"], Value::Array(vec![]));
}

/// Exports that have their dates in their names, put in place one after another.
#[test]
fn history_is_loaded_under_the_dates_in_the_names_of_its_files() {
    let dir = people();
    let data = dir.path().join("data");
    let definition = std::fs::read_to_string(dir.path().join("people.toml")).unwrap();
    let dated = "path = \"people-*.csv\"\nas_of = { file_name = \"people-{date}.csv\" }";
    let definition = definition.replace("path = \"people.csv\"", dated);
    std::fs::write(dir.path().join("people.toml"), definition).unwrap();
    let put = |old: &str, new: &str, text: &str| {
        std::fs::remove_file(dir.path().join(old)).unwrap();
        std::fs::write(dir.path().join(new), text).unwrap();
    };
    put("people.csv", "people-2024-01-31.csv", "id,name\n1,Ada\n3,Cy\n");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let told = succeeds(&muster(&data, &["refresh"]));
    assert!(told.contains("People: the data is as of 2024-01-31T23:59:59.999+00:00"), "{told}");
    put("people-2024-01-31.csv", "people-20240229.csv", "id,name\n1,Ada\n3,Cy\n4,Dee\n");
    succeeds(&muster(&data, &["refresh"]));
    let again = fails(&muster(&data, &["refresh"]), 1);
    assert!(
        again.contains("expected a time after the last snapshot's, 2024-02-29T23:59:59.999+00:00"),
        "{again}"
    );
    put("people-20240229.csv", "people-new.csv", "id,name\n1,Ada\n3,Cy\n4,Dee\n");
    let named = muster(&data, &["refresh"]);
    assert!(fails(&named, 1).contains("no snapshot was published because of People"));
    let told = String::from_utf8_lossy(&named.stdout).into_owned();
    assert!(told.contains("people-new.csv: as_of.file_name: the name has no date as in"), "{told}");
    let accounts = |moment: &str| {
        let shown = json(&muster(&data, &["snapshot", "show", moment, "--output", "json"]));
        shown["snapshot"]["rows"]["accounts"].clone()
    };
    assert_eq!(
        (accounts("2024-01-31"), accounts("2024-02-29"), accounts("newest")),
        (2.into(), 3.into(), 3.into())
    );
}

/// Two exports of the past, loaded in their order: each has its date, and what it says has, too.
#[test]
fn history_is_loaded_under_its_own_dates() {
    let dir = people();
    let data = dir.path().join("data");
    let write = |text: &str| std::fs::write(dir.path().join("people.csv"), text).unwrap();
    write("id,name\n1,Ada\n3,Cy\n");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    succeeds(&muster(&data, &["refresh", "--as-of", "2024-01-31"]));
    write("id,name\n1,Ada\n3,Cy\n4,Dee\n");
    let early = fails(&muster(&data, &["refresh", "--as-of", "2023-12-31T12:00:00Z"]), 1);
    assert!(
        early.contains("expected a time after the last snapshot's, 2024-01-31T23:59:59.999+00:00"),
        "{early}"
    );
    let late = fails(&muster(&data, &["refresh", "--as-of", "2999-01-01"]), 1);
    assert!(late.contains("expected no time to come"), "{late}");
    assert!(fails(&muster(&data, &["refresh", "--as-of", "May"]), 2).contains("expected a date such as"));
    succeeds(&muster(&data, &["refresh", "--as-of", "2024-02-29T12:00:00Z"]));
    succeeds(&muster(&data, &["refresh"]));
    let accounts = |moment: &str| {
        let shown = json(&muster(&data, &["snapshot", "show", moment, "--output", "json"]));
        shown["snapshot"]["rows"]["accounts"].clone()
    };
    assert_eq!(
        (accounts("2024-01-31"), accounts("2024-02-29"), accounts("newest")),
        (2.into(), 3.into(), 3.into())
    );
    fails(&muster(&data, &["snapshot", "show", "2024-01-30"]), 5);
}

#[test]
fn links_are_kept_and_refused_rows_fail_the_command() {
    let dir = people();
    let data = dir.path().join("data");
    succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
    let links = path(&dir, "links.csv");
    std::fs::write(&links, "account,displayName,userName,type\n1,Ada,ada,People\n").unwrap();
    let counts = json(&muster(&data, &["source", "link", &links, "--output", "json"]));
    assert_eq!((&counts["linked"], &counts["withoutUserName"]), (&1.into(), &0.into()));
    std::fs::write(&links, "account,displayName,userName,type\n1,Ada,ada,Pets\n").unwrap();
    let output = muster(&data, &["source", "link", &links]);
    assert!(fails(&output, 1).contains("1 rows of"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("line 2: type is \"Pets\""));
}

#[test]
fn a_source_that_is_removed_is_not_read_and_its_accounts_are_missing() {
    let dir = people();
    let data = dir.path().join("data");
    let file = path(&dir, "people.toml");
    let other = std::fs::read_to_string(&file).unwrap().replace("\"People\"", "\"Guests\"");
    std::fs::write(path(&dir, "guests.toml"), other.replace("people.csv", "guests.csv")).unwrap();
    std::fs::write(path(&dir, "guests.csv"), "id,name\n7,Guy\n").unwrap();
    succeeds(&muster(&data, &["source", "add", &file]));
    succeeds(&muster(&data, &["source", "add", &path(&dir, "guests.toml")]));
    let links = path(&dir, "links.csv");
    std::fs::write(&links, "account,displayName,userName,type\n7,Guy,Guy,Guests\n").unwrap();
    succeeds(&muster(&data, &["source", "link", &links]));
    succeeds(&muster(&data, &["refresh"]));

    let unknown = fails(&muster(&data, &["source", "remove", "Pets"]), 5);
    assert!(unknown.contains("no source is named \"Pets\""), "{unknown}");
    std::fs::remove_file(path(&dir, "guests.csv")).unwrap();
    fails(&muster(&data, &["refresh"]), 1);
    let linked = fails(&muster(&data, &["source", "remove", "Guests"]), 1);
    assert!(linked.contains("source \"Guests\" stays (`muster source links`"), "{linked}");
    assert!(linked.contains("1 accounts of the source are linked by hand"), "{linked}");
    let removed = succeeds(&muster(&data, &["source", "remove", "Guests", "--links"]));
    assert!(
        removed.starts_with("source \"Guests\" removed, id ") && removed.ends_with(", links 1\n"),
        "{removed}"
    );
    succeeds(&muster(&data, &["refresh"]));
    let listed = json(&muster(&data, &["source", "list", "--output", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let shown = json(&muster(&data, &["snapshot", "show", "newest", "--output", "json"]));
    let rows = &shown["snapshot"]["rows"];
    assert_eq!((&rows["sources"], &rows["accounts"]), (&1.into(), &3.into()));
    let trail = succeeds(&muster(&data, &["audit", "list", "--output", "json"]));
    assert!(trail.contains("removed"), "{trail}");
}

#[test]
fn a_client_is_made_listed_without_its_secret_and_disabled() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let arguments = ["client", "create", "--kind", "user", "--name", "ada", "--level", "ORG_ADMIN"];
    let made = json(&muster(&data, &[&arguments[..], &["--scope", "sp:scopes:all"]].concat()));
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert_eq!((id.len(), secret.len()), (32, 64));
    let list = || succeeds(&muster(&data, &["client", "list", "--output", "json"]));
    assert!(list().contains(id) && !list().contains(secret));
    assert_eq!(made["accessTokenValiditySeconds"], 43_200, "as the settings say");
    let arguments = [&arguments[..], &["--scope", "sp:report:read", "--token-lifetime", "900"]].concat();
    assert_eq!(json(&muster(&data, &arguments))["accessTokenValiditySeconds"], 900);
    let enabled = || {
        let listed: Value = serde_json::from_str(&list()).unwrap();
        let mut listed = listed.as_array().unwrap().iter();
        listed.find(|client| client["id"] == id).unwrap()["enabled"].clone()
    };
    assert_eq!(enabled(), true);
    succeeds(&muster(&data, &["client", "disable", id]));
    assert_eq!(enabled(), false);
    assert!(
        fails(&muster(&data, &["client", "disable", "nobody"]), 5).contains("there is no client \"nobody\"")
    );
}

#[test]
fn wrong_use_ends_with_2_and_names_what_was_expected() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let unknown =
        fails(&muster(&data, &["client", "create", "--kind", "user", "--name", "a", "--scope", "all"]), 2);
    assert!(unknown.contains("sp:report:manage"), "{unknown}");
    let application =
        ["client", "create", "--kind", "application", "--name", "a", "--scope", "sp:scopes:all"];
    fails(&muster(&data, &[&application[..], &["--level", "USER"]].concat()), 2);
    fails(&muster(&data, &["serve", "--listen", "0.0.0.0:8080"]), 2);
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("muster.toml"), "[worker]\ncuont = 3\n").unwrap();
    let typo = fails(&muster(&data, &["config", "show"]), 2);
    assert!(typo.contains("muster.toml: unknown key worker.cuont: expected one of"), "{typo}");
}

#[test]
fn a_missing_data_directory_is_not_made_by_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(fails(&muster(&data, &["source", "list"]), 1).contains("is not a data directory"));
    assert!(fails(&muster(&data, &["refresh"]), 1).contains("is not a data directory"));
    assert!(!data.exists());
}

#[test]
fn settings_are_shown_with_their_origin() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let shown = json(&muster(&data, &["config", "show", "--output", "json"]));
    let row = |key: &str| shown.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(
        (&row("server.listen")["value"], &row("server.listen")["origin"]),
        (&"127.0.0.1:8080".into(), &"default".into())
    );
    assert_eq!(row("data.dir")["origin"], "--data");
}

#[test]
fn kinds_are_listed_with_their_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let kinds = json(&muster(&data, &["report", "list-kinds", "--output", "json"]));
    let ids: Vec<_> = kinds.as_array().unwrap().iter().map(|kind| kind["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "ACCESS",
            "ACCESS_CHANGES",
            "ACCESS_IN_PERIOD",
            "ACCOUNTS",
            "ATTRIBUTE_MAPPINGS",
            "DORMANT_ACCOUNTS",
            "ENTITLEMENTS",
            "IDENTITIES",
            "IDENTITIES_DETAILS",
            "IDENTITY_CHANGES",
            "IDENTITY_PROFILE_IDENTITY_ERROR",
            "LEAVERS_WITH_ACCESS",
            "MACHINE_ACCOUNTS",
            "MANAGER_REVIEW",
            "ORPHAN_IDENTITIES",
            "PASSWORD_AGE",
            "PRIVILEGED_ACCESS",
            "REFUSED_RECORDS",
            "REVIEW_DECISIONS",
            "REVIEW_REVOKES",
            "SEARCH_EXPORT",
            "SOD_VIOLATIONS",
            "SOURCE_FRESHNESS",
            "UNCORRELATED_ACCOUNTS",
        ]
    );
    let accounts = ids.iter().position(|id| *id == "ACCOUNTS").unwrap();
    assert_eq!(kinds[accounts]["arguments"][0]["name"], "application");
    assert!(!data.exists());
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let service = ["--base-url", "http://127.0.0.1:1", "--client-id", "a", "--client-secret", "b"];
    let error = fails(&muster(&data, &[&["report", "result", "1"][..], &service].concat()), 1);
    assert!(error.contains("http://127.0.0.1:1"), "{error}");
}
