//! Real data from elsewhere: an HR export of 50 people and a directory of 43 accounts.
//!
//! A few lines of Python over the same files compute the expected results.

use crate::installation::{Installation, shared_data};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

const PEOPLE: &str = r##"
name = "HR"
kind = "delimited"
[delimited]
path = "people.csv"
native_identity = "empnum"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "empnum"
[[profile.attributes]]
name = "firstname"
from = "firstname"
[[profile.attributes]]
name = "lastname"
from = "surname"
[[profile.attributes]]
name = "email"
template = "{firstname}.{surname}.{empnum}@example.com"
transforms = ["lower", { replace = " ", with = "-" }]
[[profile.attributes]]
name = "city"
from = "locality"
[[profile.attributes]]
name = "jobTitle"
from = "job"
transforms = [{ split = "#", index = 1 }]
[lifecycle]
attribute = "status"
states = { "Active" = "active", "Former employee" = "terminated", "Long-term leave" = "leave" }
status = { active = "ACTIVE", terminated = "TERMINATED", leave = "DISABLED" }
"##;

const DIRECTORY: &str = r#"
name = "Directory"
kind = "delimited"
[delimited]
path = "directory.csv"
native_identity = "dn"
name_column = "uid"
display_name = "displayName"
multi_value_separator = ";"
multi_valued = ["memberOf"]
entitlements = ["memberOf"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "employeeNumber"
"#;

/// Runs Python over the two files; returns its lines.
fn python(program: &str, people: &str, directory: &str) -> Option<Vec<String>> {
    let mut child = Command::new("python3")
        .args(["-c", program, people, directory])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .inspect_err(|_| println!("SKIPPED: there is no python3"))
        .ok()?;
    child.stdin.take();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

const ORPHANS_AND_UNCORRELATED: &str = r#"
import csv, sys
people = list(csv.DictReader(open(sys.argv[1], encoding="utf-8")))
stay = {p["empnum"] for p in people if p["status"] != "Former employee"}
known = {p["empnum"] for p in people}
for p in people:
    if p["empnum"] not in stay: print("orphan", p["empnum"])
for a in csv.DictReader(open(sys.argv[2], encoding="utf-8")):
    if a["employeeNumber"] not in stay: print("uncorrelated", a["dn"])
    if a["employeeNumber"] in known: print("linked", a["dn"])
"#;

#[test]
fn fifty_people_and_a_directory() {
    let Some(data) = shared_data() else { return };
    let (people, directory) = (data.join("hris/people.csv"), data.join("hris/directory.csv"));
    let mut installation = Installation::new();
    installation.source(PEOPLE, "people.csv", &std::fs::read_to_string(&people).unwrap());
    installation.source(DIRECTORY, "directory.csv", &std::fs::read_to_string(&directory).unwrap());
    let outcome = installation.refresh();
    for source in &outcome.sources {
        assert_eq!(source.failure, None);
        assert_eq!(source.run.rejected, 0, "{:?}", source.rejections);
    }

    // These counts were computed by hand when the files were chosen.
    assert_eq!(installation.report("IDENTITIES", &[]).rows.len(), 50);
    let accounts = installation.accounts("Directory");
    assert_eq!(accounts.rows.len(), 43);
    assert_eq!(accounts.column("situation").iter().filter(|s| **s == "LINKED").count(), 38);
    assert_eq!(installation.report("UNCORRELATED_ACCOUNTS", &[]).rows.len(), 5);
    assert_eq!(installation.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
    assert_eq!(installation.errors("HR").rows.len(), 0);
    // 38 linked directory accounts and 50 accounts of HR: one row each. Every identity has an account.
    assert_eq!(installation.report("IDENTITIES_DETAILS", &[]).rows.len(), 88);
    let first = installation.report("IDENTITIES", &[]);
    assert_eq!(first.column("displayName")[0], "Geena Green");
    assert_eq!(first.column("jobTitle")[0], "CEO");
    let details = installation.report("IDENTITIES_DETAILS", &[]);
    let lopez = details.column("accountName").iter().position(|n| *n == "alopez").unwrap();
    assert_eq!(
        details.column("entitlements")[lopez],
        "cn=all-users,ou=groups,dc=example,dc=com; cn=app:example-life-insurance:risk-actuaries,ou=appgroups,dc=example,dc=com"
    );

    let Some(lines) =
        python(ORPHANS_AND_UNCORRELATED, &people.to_string_lossy(), &directory.to_string_lossy())
    else {
        return;
    };
    let expected = |word: &str| -> BTreeSet<String> {
        lines.iter().filter_map(|l| l.strip_prefix(word)).map(|l| l.trim_start().to_owned()).collect()
    };
    let linked: BTreeSet<String> = accounts
        .column("nativeIdentity")
        .iter()
        .zip(accounts.column("situation"))
        .filter(|(_, situation)| *situation == "LINKED")
        .map(|(native, _)| (*native).to_owned())
        .collect();
    assert_eq!(linked, expected("linked"));

    // The two former employees leave the HR file.
    let all = std::fs::read_to_string(&people).unwrap();
    let without: String =
        all.split_inclusive('\n').filter(|line| !line.contains("Former employee")).collect();
    std::fs::File::create(installation.dir.path().join("people.csv"))
        .unwrap()
        .write_all(without.as_bytes())
        .unwrap();
    installation.refresh();
    let orphans = installation.report("ORPHAN_IDENTITIES", &[]);
    let names: BTreeSet<String> = orphans.column("name").iter().map(|n| (*n).to_owned()).collect();
    assert_eq!(names, expected("orphan"));
    assert_eq!(orphans.column("cause"), ["LOST_AUTHORITATIVE", "LOST_AUTHORITATIVE"]);
    assert_eq!(orphans.column("lastAuthoritativeSource"), ["HR", "HR"]);
    let uncorrelated = installation.report("UNCORRELATED_ACCOUNTS", &[]);
    let natives: BTreeSet<String> = uncorrelated.column("account").iter().map(|n| (*n).to_owned()).collect();
    assert_eq!(natives, expected("uncorrelated"));
    // An identity is never deleted: all 50 are still reported, 48 of them correlated.
    assert_eq!(installation.report("IDENTITIES", &[]).rows.len(), 50);
    let correlated = [("correlatedOnly", muster_reports::arguments::RawValue::Boolean(true))];
    assert_eq!(installation.report("IDENTITIES", &correlated).rows.len(), 48);
}
