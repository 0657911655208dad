//! Reads only the changes of a real directory server. The tables must equal those of an installation that reads the
//! whole directory.

use crate::installation::Installation;
use muster_reports::snapshot::{AggregationMode, SourceRun};
use muster_testkit::servers::slapd::{PASSWORD, Slapd};
use std::sync::Arc;

const SUFFIX: &str = "dc=example,dc=org";

const HR: &str = r#"
name = "HR"
kind = "delimited"
delete_threshold_percent = 50
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "lastname"
from = "name"
"#;

/// `u0` to `u19` below `ou=People`; `u3` has the number 3, and so on. `u0` was the last to change.
fn people() -> String {
    let mut text = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: cn=admin,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: admin\n\
         userPassword: {PASSWORD}\n\n"
    );
    for unit in ["People", "Elsewhere"] {
        text += &format!(
            "dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nstructuralObjectClass: organizationalUnit\n\
             ou: {unit}\n\n"
        );
    }
    for number in 0..20 {
        let month = if number == 0 { "02" } else { "01" };
        text += &format!(
            "dn: uid=u{number},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\n\
             structuralObjectClass: inetOrgPerson\nuid: u{number}\ncn: c{number}\nsn: s\n\
             employeeNumber: {number}\ncreateTimestamp: 20240101000000Z\n\
             modifyTimestamp: 2024{month}01000000Z\n\n"
        );
    }
    text
}

fn directory(slapd: &Slapd, changes: &str) -> String {
    format!(
        r#"
name = "Directory"
kind = "ldap"
delete_threshold_percent = 50
[ldap]
url = "ldaps://127.0.0.1:{}"
ca_file = "ca.pem"
bind_dn = "cn=admin,{SUFFIX}"
password_file = "password"
base_dns = ["ou=People,{SUFFIX}"]
[ldap.account]
native_identity = "uid"
name = "uid"
attributes = ["cn", "employeeNumber"]
{changes}
[[correlation]]
identity_attribute = "uid"
account_attribute = "employeeNumber"
"#,
        slapd.tls_port
    )
}

/// An installation over the people 1 to 4 and the directory.
fn installation(slapd: &Slapd, changes: &str) -> Installation {
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name\n1,One\n2,Two\n3,Three\n4,Four\n");
    installation.source_at(&directory(slapd, changes), slapd.folder.path());
    installation
}

/// The directory's run in a refresh that is made now.
fn refresh(installation: &mut Installation) -> SourceRun {
    let outcome = installation.refresh();
    let source = outcome.sources.iter().find(|source| source.run.name == "Directory").unwrap();
    assert_eq!(source.failure, None);
    source.run.clone()
}

fn counts(run: &SourceRun) -> [u64; 5] {
    [run.created, run.updated, run.unchanged, run.missing, run.loaded]
}

/// The directory's accounts in an installation, and the accounts without an owner.
fn reports(installation: &Installation) -> [String; 2] {
    [installation.accounts("Directory").csv, installation.report("UNCORRELATED_ACCOUNTS", &[]).csv]
}

#[test]
fn a_read_of_changes_comes_to_what_a_read_of_everything_comes_to() {
    let Some(slapd) = Slapd::start_changeable(SUFFIX, &people()) else { return };
    let mut sparing = installation(&slapd, "[ldap.changes]");
    let mut thorough = installation(&slapd, "");
    let run = refresh(&mut sparing);
    assert_eq!((run.mode, run.complete, counts(&run)), (AggregationMode::Full, true, [20, 0, 0, 0, 20]));
    refresh(&mut thorough);
    assert_eq!(reports(&sparing), reports(&thorough));

    // One account has another owner, one is deleted, one was moved, one was renamed, one is new and has an owner.
    slapd.change(&format!(
        "dn: uid=u1,ou=People,{SUFFIX}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: 4\n\n\
         dn: uid=u2,ou=People,{SUFFIX}\nchangetype: delete\n\n\
         dn: uid=u6,ou=People,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u6\ndeleteoldrdn: 1\n\
         newsuperior: ou=Elsewhere,{SUFFIX}\n\n\
         dn: uid=u5,ou=People,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u55\ndeleteoldrdn: 1\n\n\
         dn: uid=u99,ou=People,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u99\ncn: new\n\
         sn: s\nemployeeNumber: 2\n"
    ));
    let run = refresh(&mut sparing);
    assert_eq!((run.mode, run.complete, run.read), (AggregationMode::Partial, true, 4), "u0, too, is read");
    assert_eq!(counts(&run), [2, 1, 16, 3, 19]);
    let run = refresh(&mut thorough);
    assert_eq!((run.mode, run.read, counts(&run)), (AggregationMode::Full, 19, [2, 1, 16, 3, 19]));
    assert_eq!(reports(&sparing), reports(&thorough));
    let accounts = sparing.accounts("Directory");
    let owners: Vec<_> =
        accounts.column("nativeIdentity").into_iter().zip(accounts.column("identityName")).collect();
    let owned: Vec<_> = owners.iter().filter(|(_, owner)| !owner.is_empty()).collect();
    assert_eq!(owned, [&("u1", "4"), &("u3", "3"), &("u4", "4"), &("u99", "2")]);

    // Nothing changes in the directory. A person leaves whose account is not read.
    for installation in [&mut sparing, &mut thorough] {
        installation.source(HR, "hr.csv", "id,name\n1,One\n2,Two\n4,Four\n");
    }
    let run = refresh(&mut sparing);
    assert_eq!((run.mode, counts(&run)), (AggregationMode::Partial, [0, 0, 19, 0, 19]));
    refresh(&mut thorough);
    assert_eq!(reports(&sparing), reports(&thorough));

    // A requested full refresh reads everything. The next refresh reads changes again.
    sparing.full = true;
    let run = refresh(&mut sparing);
    assert_eq!((run.mode, run.read, counts(&run)), (AggregationMode::Full, 19, [0, 0, 19, 0, 19]));
    sparing.full = false;
    assert_eq!(refresh(&mut sparing).mode, AggregationMode::Partial);
}

#[test]
fn changes_to_accounts_that_are_not_known_are_not_believed() {
    let Some(slapd) = Slapd::start_changeable(SUFFIX, &people()) else { return };
    let mut other = installation(&slapd, "[ldap.changes]");
    refresh(&mut other);
    // As if a snapshot had been mixed up: the cursor exists, the accounts do not.
    let mut mixed = installation(&slapd, "[ldap.changes]");
    let directory = mixed.sources.pop().unwrap();
    mixed.refresh();
    let mut manifest = mixed.manifest().clone();
    manifest.sources.push(other.manifest().source(&directory.definition.id).unwrap().clone());
    mixed.manifest = Some(Arc::new(manifest));
    mixed.sources.push(directory);
    let run = refresh(&mut mixed);
    assert_eq!((run.mode, run.complete), (AggregationMode::Partial, false));
    let remark = run.remark.unwrap();
    assert!(
        remark.starts_with("the source says that 19 accounts are unchanged, but they are not known"),
        "{remark}"
    );
    let run = refresh(&mut mixed);
    assert_eq!((run.mode, run.complete, counts(&run)), (AggregationMode::Full, true, [19, 0, 1, 0, 20]));
    let names =
        |installation: &Installation| installation.accounts("Directory").column("nativeIdentity").join(" ");
    assert_eq!(names(&mixed), names(&other));
}
