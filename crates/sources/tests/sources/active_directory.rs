//! Active Directory, with Samba as a real domain controller: one controller, one test, because provisioning takes
//! longer than all that is asked of it.

use muster_sources::{ChangeSettings, GroupSettings, LdapSettings};

use crate::servers::samba::{PASSWORD, Samba};
use crate::support;

/// Bert is disabled; Cora's lock is of 2024 and has run out; Dora's begins in 2100. Anna expires when
/// `(datetime(2024, 1, 15, 8, 30) - datetime(1601, 1, 1)).total_seconds() * 10**7` says.
const ENTRIES: &str = "\
dn: CN=Anna Adams,CN=Users,DC=example,DC=org
objectClass: user
sAMAccountName: anna
displayName: Anna Adams
mail: anna@example.org
userAccountControl: 512
accountExpires: 133497810000000000

dn: CN=Bert Brown,CN=Users,DC=example,DC=org
objectClass: user
sAMAccountName: bert
userAccountControl: 514

dn: CN=Cora Clark,CN=Users,DC=example,DC=org
objectClass: user
sAMAccountName: cora
userAccountControl: 512
lockoutTime: 133497810000000000

dn: CN=Dora Dean,CN=Users,DC=example,DC=org
objectClass: user
sAMAccountName: dora
userAccountControl: 512
lockoutTime: 157469184000000000

dn: CN=Readers,CN=Users,DC=example,DC=org
objectClass: group
sAMAccountName: Readers
member: CN=Anna Adams,CN=Users,DC=example,DC=org
";

#[test]
fn a_domain_controller_is_read() {
    let Some(samba) = Samba::start(ENTRIES) else { return };
    let read = |settings: LdapSettings| {
        let definition = support::definition_of(settings);
        support::read(&definition, samba.folder.path())
    };
    let mut settings = samba.settings();
    settings.page_size = 3;
    settings.account.name = Some("sAMAccountName".to_owned());
    settings.account.entitlements = vec!["memberOf".to_owned()];
    settings.account.attributes =
        Some(["mail", "accountExpires", "pwdLastSet", "memberOf", "unicodePwd"].map(str::to_owned).to_vec());
    let outcome = read(settings.clone()).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    // Those that a domain has from its beginning, in addition to ours: Administrator, Guest and krbtgt.
    assert!(outcome.records.len() >= 7, "{:?}", outcome.records);
    let users = "CN=Domain Users,CN=Users,DC=example,DC=org";
    let expect = |account: &str, name: &str, rest: String| {
        let guid = samba.stored(account, "objectGUID");
        let flags = if account == "bert" {
            " [d]"
        } else if account == "dora" {
            " [l]"
        } else {
            ""
        };
        let record = format!("0 CN={name},CN=Users,DC=example,DC=org{flags} {account}/-/{guid} {{{rest}}} ");
        let found = outcome.records.iter().find(|text| text.starts_with(&record));
        assert!(found.is_some(), "{record}: {:?}", outcome.records);
        found.unwrap().strip_prefix(&record).unwrap().to_owned()
    };
    let readers = "CN=Readers,CN=Users,DC=example,DC=org";
    let rest = format!(
        "mail=anna@example.org, accountExpires=2024-01-15T08:30:00Z, pwdLastSet=never, memberOf={users}|{readers}"
    );
    assert_eq!(expect("anna", "Anna Adams", rest), format!("{users}|{readers}"));
    for (account, name) in [("bert", "Bert Brown"), ("cora", "Cora Clark"), ("dora", "Dora Dean")] {
        let rest = format!("accountExpires=never, pwdLastSet=never, memberOf={users}");
        assert_eq!(expect(account, name, rest), users);
    }
    let guest = outcome.records.iter().find(|text| text.contains("CN=Guest,")).unwrap();
    assert!(guest.contains(" [d] Guest/"), "{guest}");
    assert!(guest.contains("CN=Domain Guests,") && !guest.contains(users), "another primary group: {guest}");
    assert_eq!(outcome.summary.warnings[0], "referrals to other servers that were not followed: 1");

    let mut by_sid = samba.settings();
    by_sid.filter = "(sAMAccountName=anna)".to_owned();
    by_sid.account.native_identity = "objectSid".to_owned();
    by_sid.account.attributes = Some(vec!["sAMAccountName".to_owned()]);
    by_sid.groups = Some(GroupSettings {
        base_dn: "dc=example,dc=org".to_owned(),
        filter: "(objectClass=group)".to_owned(),
        member_attribute: "member".to_owned(),
        account_attribute: "dn".to_owned(),
        value: "sAMAccountName".to_owned(),
        attribute: "groups".to_owned(),
        nested: false,
    });
    let (sid, guid) = (samba.stored("anna", "objectSid"), samba.stored("anna", "objectGUID"));
    let expected = format!("0 {sid} {sid}/-/{guid} {{sAMAccountName=anna, groups=Readers}} Readers");
    assert_eq!(read(by_sid).unwrap().records, [expected]);

    changes(&samba);

    let text = read(samba.plain_settings()).err().unwrap().to_string();
    assert!(text.contains("refused: the server wants a secured connection (rc=8"), "{text}");
    assert!(!text.contains(PASSWORD));
    std::fs::write(samba.folder.path().join("password"), "not it").unwrap();
    let text = read(settings).err().unwrap().to_string();
    assert!(text.contains("refused: name or password is wrong (rc=49") && !text.contains("not it"), "{text}");
}

/// What changed since a read, by the numbers that the controller gives to changes.
fn changes(samba: &Samba) {
    let mut settings = samba.settings();
    settings.changes = Some(ChangeSettings { full_every: 20 });
    settings.account.entitlements = vec!["memberOf".to_owned()];
    settings.account.attributes = Some(vec!["mail".to_owned(), "memberOf".to_owned()]);
    let definition = support::definition_of(settings);
    let read = |cursor: &Option<String>| {
        let outcome = support::read_after(&definition, samba.folder.path(), cursor.as_deref()).unwrap();
        assert_eq!(outcome.summary.incomplete_reason, None);
        assert_eq!(outcome.summary.warnings.len(), 1, "but the referral: {:?}", outcome.summary.warnings);
        outcome
    };
    let names = |outcome: &support::Outcome| {
        let name =
            |record: &String| record.split("CN=").nth(1).unwrap().split(',').next().unwrap().to_owned();
        let mut names: Vec<_> = outcome.records.iter().map(name).collect();
        names.sort();
        names
    };
    let full = read(&None);
    assert!(!full.summary.changes_only);
    let cursor = full.summary.cursor.clone();
    // Accounts that were ever locked are read again, for a lock runs out without a change.
    let next = read(&cursor);
    assert_eq!(names(&next), ["Cora Clark", "Dora Dean"]);
    assert_eq!((next.summary.changes_only, next.present.len()), (true, full.records.len()));

    samba.change(
        "dn: CN=Anna Adams,CN=Users,DC=example,DC=org\nchangetype: modify\nreplace: mail\nmail: adams@example.org\n\n\
         dn: CN=Bert Brown,CN=Users,DC=example,DC=org\nchangetype: delete\n",
    );
    let next = read(&cursor);
    assert_eq!(names(&next), ["Anna Adams", "Cora Clark", "Dora Dean"]);
    assert!(
        next.records.iter().any(|record| record.contains("mail=adams@example.org")),
        "{:?}",
        next.records
    );
    assert_eq!((next.summary.changes_only, next.present.len()), (true, full.records.len() - 1));
    assert!(!next.present.iter().any(|name| name.contains("Bert")));

    // A member's own entry does not change with the group.
    samba.change(
        "dn: CN=Readers,CN=Users,DC=example,DC=org\nchangetype: modify\nadd: member\n\
         member: CN=Cora Clark,CN=Users,DC=example,DC=org\n",
    );
    let last = read(&next.summary.cursor);
    assert_eq!((last.summary.changes_only, last.records.len()), (false, full.records.len() - 1));
}
