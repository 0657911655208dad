//! Reads of what changed in a directory since the last read: slapd with real changes in between.

use muster_sources::{ChangeSettings, GroupSettings, LdapSettings};

use crate::servers::slapd::{self, PASSWORD, Slapd};
use crate::support::{self, Outcome};

const SUFFIX: &str = "dc=example,dc=org";

/// Enough people that each change is a small part of them: `u0` to `u19` below `ou=People`, and one group with `u3`.
fn people() -> String {
    let mut text = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: cn=admin,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: admin\n\
         userPassword: {PASSWORD}\n\n\
         dn: ou=People,{SUFFIX}\nobjectClass: organizationalUnit\nstructuralObjectClass: organizationalUnit\nou: People\n\n\
         dn: ou=Elsewhere,{SUFFIX}\nobjectClass: organizationalUnit\nstructuralObjectClass: organizationalUnit\nou: Elsewhere\n\n"
    );
    for number in 0..20 {
        // The last change was one to u0, and a month after the others.
        let month = if number == 0 { "02" } else { "01" };
        text += &format!(
            "dn: uid=u{number},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nstructuralObjectClass: inetOrgPerson\n\
             uid: u{number}\ncn: c{number}\nsn: s\n\
             createTimestamp: 20240101000000Z\nmodifyTimestamp: 2024{month}01000000Z\n\n"
        );
    }
    text + &format!(
        "dn: cn=readers,{SUFFIX}\nobjectClass: groupOfNames\nstructuralObjectClass: groupOfNames\n\
         cn: readers\nmember: uid=u3,ou=People,{SUFFIX}\n\
         modifyTimestamp: 20240101000000Z\n"
    )
}

fn start() -> Option<Slapd> {
    Slapd::start_changeable(SUFFIX, &people())
}

fn settings(slapd: &Slapd) -> LdapSettings {
    let mut settings =
        LdapSettings { changes: Some(ChangeSettings { full_every: 20 }), ..slapd::settings(slapd) };
    settings.base_dns = vec![format!("ou=People,{SUFFIX}")];
    settings.page_size = 7;
    settings.account.native_identity = "uid".to_owned();
    settings.account.attributes = Some(vec!["cn".to_owned()]);
    settings
}

fn read(slapd: &Slapd, settings: &LdapSettings, cursor: Option<&str>) -> Outcome {
    let definition = support::definition_of(settings.clone());
    let outcome = support::read_after(&definition, slapd.folder.path(), cursor).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    let warned =
        outcome.summary.warnings.iter().any(|warning| warning.contains("what changed cannot be told"));
    assert!(!warned, "{:?}", outcome.summary.warnings);
    outcome
}

fn names(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut names: Vec<_> = numbers.into_iter().map(|number| format!("u{number}")).collect();
    names.sort();
    names
}

fn present(outcome: &Outcome) -> Vec<String> {
    let mut present = outcome.present.clone();
    present.sort();
    present
}

#[test]
fn only_what_changed_is_read_and_what_is_gone_is_not_there() {
    let Some(slapd) = start() else { return };
    let settings = settings(&slapd);
    let full = read(&slapd, &settings, None);
    assert_eq!((full.records.len(), full.summary.changes_only, full.present.len()), (20, false, 0));
    let cursor = full.summary.cursor.clone().expect("the directory tells when entries were changed");
    assert!(!cursor.contains(PASSWORD));

    // One is changed, one deleted, one moved away, one renamed, one stops being a person, one is new.
    slapd.change(&format!(
            "dn: uid=u1,ou=People,{SUFFIX}\nchangetype: modify\nreplace: cn\ncn: changed\n\n\
             dn: uid=u2,ou=People,{SUFFIX}\nchangetype: delete\n\n\
             dn: uid=u4,ou=People,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u4\ndeleteoldrdn: 1\n\
             newsuperior: ou=Elsewhere,{SUFFIX}\n\n\
             dn: uid=u5,ou=People,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=u55\ndeleteoldrdn: 1\n\n\
             dn: uid=u99,ou=People,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u99\ncn: new\nsn: s\n"
        ));
    let changes = read(&slapd, &settings, Some(&cursor));
    let mut records = changes.records.clone();
    records.sort();
    // u0 was the last to change before, and may have changed again in that second.
    assert_eq!(records, ["0 u0 {cn=c0}", "0 u1 {cn=changed}", "0 u55 {cn=c5}", "0 u99 {cn=new}"]);
    assert!(changes.summary.changes_only);
    let there = (0..20).filter(|number| ![2, 4, 5].contains(number)).chain([55, 99]);
    assert_eq!(present(&changes), names(there));

    // Nothing changes; what changed just now is read again, for a second is long and clocks differ.
    let again = read(&slapd, &settings, changes.summary.cursor.as_deref());
    assert_eq!((again.records.len(), again.present.len(), again.summary.changes_only), (3, 19, true));
}

#[test]
fn what_changes_cannot_show_is_read_whole() {
    let Some(slapd) = start() else { return };
    let mut settings = settings(&slapd);
    settings.groups = Some(GroupSettings {
        base_dn: SUFFIX.to_owned(),
        filter: "(objectClass=groupOfNames)".to_owned(),
        member_attribute: "member".to_owned(),
        account_attribute: "dn".to_owned(),
        value: "cn".to_owned(),
        attribute: "groups".to_owned(),
        nested: false,
    });
    let first = read(&slapd, &settings, None);
    assert!(
        first.records.contains(&"0 u3 {cn=c3, groups=readers} readers".to_owned()),
        "{:?}",
        first.records
    );
    let cursor = first.summary.cursor;
    let next = read(&slapd, &settings, cursor.as_deref());
    assert_eq!((next.records.len(), next.summary.changes_only), (1, true), "u0 changed last");

    // A member's own entry does not change with the group.
    let member = format!(
        "dn: cn=readers,{SUFFIX}\nchangetype: modify\nadd: member\nmember: uid=u7,ou=People,{SUFFIX}\n"
    );
    slapd.change(&member);
    let full = read(&slapd, &settings, next.summary.cursor.as_deref());
    assert_eq!((full.records.len(), full.summary.changes_only), (20, false));
    assert!(full.records.contains(&"0 u7 {cn=c7, groups=readers} readers".to_owned()));
    let cursor = full.summary.cursor;
    assert!(read(&slapd, &settings, cursor.as_deref()).summary.changes_only);
    slapd.change(&format!("dn: cn=readers,{SUFFIX}\nchangetype: delete\n"));
    assert!(!read(&slapd, &settings, cursor.as_deref()).summary.changes_only);

    // Another definition, another form of cursor, and after so many reads of changes.
    settings.groups = None;
    let mut cursor = read(&slapd, &settings, cursor.as_deref()).summary.cursor;
    settings.account.attributes = Some(vec!["sn".to_owned()]);
    assert!(!read(&slapd, &settings, cursor.as_deref()).summary.changes_only);
    assert!(!read(&slapd, &settings, Some("{}")).summary.changes_only);
    settings.account.attributes = Some(vec!["cn".to_owned()]);
    settings.changes = Some(ChangeSettings { full_every: 2 });
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let outcome = read(&slapd, &settings, cursor.as_deref());
        kinds.push(outcome.summary.changes_only);
        cursor = outcome.summary.cursor;
    }
    assert_eq!(kinds, [false, true, true, false, true], "the first has another definition");
}

#[test]
fn a_read_with_rejected_records_is_followed_by_a_full_one() {
    let Some(slapd) = start() else { return };
    // One of the twenty has what the key is taken from.
    slapd.change(&format!(
        "dn: uid=u0,ou=People,{SUFFIX}\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: 7\n"
    ));
    let mut settings = settings(&slapd);
    settings.account.native_identity = "employeeNumber".to_owned();
    let definition = support::definition_of(settings);
    let outcome = support::read_after(&definition, slapd.folder.path(), None).unwrap();
    assert_eq!((outcome.summary.rejected, outcome.summary.cursor), (19, None));
}
