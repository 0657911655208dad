//! Directories: OpenLDAP's slapd as a real server, with made-up entries and with those of two public directories.

use std::path::Path;

use muster_sources::{FlagCondition, GroupSettings, LdapSettings, ReadError, SearchScope};

use crate::servers::certificates;
use crate::servers::slapd::{self, PASSWORD, Slapd};
use crate::support::{self, Outcome, real_data};

/// Three people, a service account, two groups and the administrator that the tests bind as. The second `cn` is
/// "Łucja Ćma" and the photo is the bytes ff d8 ff, each in base64, as LDIF wants it.
const PEOPLE: &str = "\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=admin,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: admin
userPassword: s3cret-of-the-admin

dn: ou=People,dc=example,dc=org
objectClass: organizationalUnit
ou: People

dn: uid=anna,ou=People,dc=example,dc=org
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: Adams
mail: anna@example.org
mail: a.adams@example.org
employeeNumber: 1
userPassword: {SSHA}notforreports
jpegPhoto:: /9j/

dn: uid=lucja,ou=People,dc=example,dc=org
objectClass: inetOrgPerson
uid: lucja
cn:: xYF1Y2phIMSGbWE=
sn;lang-en: Moth
sn: x
employeeType: Former
memberOf: cn=readers,dc=example,dc=org

dn: uid=robot,dc=example,dc=org
objectClass: inetOrgPerson
uid: robot
cn: Robot
sn: R

dn: cn=readers,dc=example,dc=org
objectClass: groupOfNames
cn: readers
member: uid=lucja,ou=People,dc=example,dc=org
member: uid=anna,ou=People,dc=example,dc=org

dn: cn=posix,dc=example,dc=org
objectClass: posixGroup
cn: posix
gidNumber: 5
memberUid: lucja
";

fn people() -> Option<Slapd> {
    Slapd::start("dc=example,dc=org", PEOPLE, "")
}

fn read(slapd: &Slapd, settings: LdapSettings) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(settings), slapd.folder.path())
}

/// Reads what fails, and gives the whole text of the error.
fn failure(slapd: &Slapd, settings: LdapSettings) -> String {
    let Err(error) = read(slapd, settings) else { panic!("the read did not fail") };
    let text = format!("{error} {error:?}");
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

#[test]
fn everything_about_entries() {
    let Some(slapd) = people() else { return };
    let mut settings = slapd::settings(&slapd);
    settings.account.name = Some("UID".to_owned());
    settings.account.disabled = Some(FlagCondition {
        attribute: "employeetype".to_owned(),
        values: Some(vec!["former".to_owned()]),
        present: false,
    });
    settings.account.privileged =
        Some(FlagCondition { attribute: "employeeNumber".to_owned(), values: None, present: true });
    settings.account.entitlements = vec!["memberOf".to_owned()];
    let outcome = read(&slapd, settings).unwrap();
    // Without a list of attributes all are given by alphabet, the passwords excepted; ff d8 ff is "/9j/". Of two mail
    // addresses the server's first comes first.
    let expected = [
        "0 uid=anna,ou=People,dc=example,dc=org [p] anna/-/- {cn=Anna, \
         dn=uid=anna,ou=People,dc=example,dc=org, employeeNumber=1, jpegPhoto=/9j/, \
         mail=anna@example.org|a.adams@example.org, objectClass=inetOrgPerson, sn=Adams, uid=anna}",
        "0 uid=lucja,ou=People,dc=example,dc=org [d] lucja/-/- {cn=Łucja Ćma, \
         dn=uid=lucja,ou=People,dc=example,dc=org, employeeType=Former, \
         memberOf=cn=readers,dc=example,dc=org, objectClass=inetOrgPerson, sn=x, sn;lang-en=Moth, uid=lucja} \
         cn=readers,dc=example,dc=org",
        "0 uid=robot,dc=example,dc=org robot/-/- {cn=Robot, dn=uid=robot,dc=example,dc=org, \
         objectClass=inetOrgPerson, sn=R, uid=robot}",
    ];
    assert_eq!(outcome.records, expected);
    assert!(outcome.summary.complete);
    assert!(outcome.summary.warnings.is_empty(), "{:?}", outcome.summary.warnings);
    let schema = [
        "cn",
        "dn",
        "employeeNumber",
        "employeeType",
        "jpegPhoto",
        "mail",
        "memberOf",
        "objectClass",
        "sn",
        "sn;lang-en",
        "uid",
    ];
    assert_eq!(outcome.summary.schema, schema);
}

#[test]
fn listed_attributes_in_their_order_and_a_uuid_that_is_operational() {
    let Some(slapd) = people() else { return };
    let mut settings = slapd::settings(&slapd);
    settings.scope = SearchScope::OneLevel;
    settings.base_dns = vec!["ou=People,dc=example,dc=org".to_owned(), "dc=example,dc=org".to_owned()];
    settings.account.native_identity = "uid".to_owned();
    settings.account.uuid = Some("entryUUID".to_owned());
    settings.account.attributes =
        Some(vec!["SN".to_owned(), "uid".to_owned(), "userPassword".to_owned(), "fax".to_owned()]);
    let outcome = read(&slapd, settings).unwrap();
    let without_uuid: Vec<_> = outcome
        .records
        .iter()
        .map(|text| {
            let (before, rest) = text.split_once("/-/").unwrap();
            let (uuid, attributes) = rest.split_once(' ').unwrap();
            assert_eq!((uuid.len(), uuid.matches('-').count()), (36, 4), "{uuid}");
            format!("{before} {attributes}")
        })
        .collect();
    let expected = [
        "0 anna anna {SN=Adams, uid=anna}",
        "0 lucja lucja {SN=x, uid=lucja}",
        "0 robot robot {SN=R, uid=robot}",
    ];
    assert_eq!(without_uuid, expected);
    assert_eq!(outcome.summary.schema, ["SN", "uid"]);
    let warnings =
        ["account.attributes: no record has \"userPassword\"", "account.attributes: no record has \"fax\""];
    assert_eq!(outcome.summary.warnings, warnings);
}

/// anna is in readers, readers is in staff and in guests, both are in everybody, and everybody is in readers again.
#[test]
fn groups_of_groups_are_found_with_their_paths() {
    let group = |name: &str, members: &[&str]| {
        let members: String =
            members.iter().map(|member| format!("member: cn={member},dc=example,dc=org\n")).collect();
        format!("\ndn: cn={name},dc=example,dc=org\nobjectClass: groupOfNames\ncn: {name}\n{members}")
    };
    let people = PEOPLE.replace("cn: readers\n", "cn: readers\nmember: cn=everybody,dc=example,dc=org\n");
    let groups = [
        group("staff", &["readers"]),
        group("guests", &["readers", "admin"]),
        group("everybody", &["staff", "guests"]),
    ];
    let entries = people + &groups.concat();
    let Some(slapd) = Slapd::start("dc=example,dc=org", &entries, "") else { return };
    let read = |nested: bool, attributes: Option<&str>| {
        let mut settings = slapd::settings(&slapd);
        settings.account.attributes = attributes.map(|name| vec![name.to_owned()]);
        settings.account.native_identity = "uid".to_owned();
        settings.groups = Some(GroupSettings {
            base_dn: "dc=example,dc=org".to_owned(),
            filter: "(objectClass=groupOfNames)".to_owned(),
            member_attribute: "member".to_owned(),
            account_attribute: "dn".to_owned(),
            value: "cn".to_owned(),
            attribute: "groups".to_owned(),
            nested,
        });
        read(&slapd, settings).unwrap().records
    };
    assert_eq!(read(false, Some("uid"))[0], "0 anna {uid=anna, groups=readers} readers");
    // `guests` comes before `staff`, so the path to `everybody` is by it: the fewest steps, then the first name.
    let groups = "everybody|guests|readers|staff";
    let paths = "everybody ← guests ← readers|guests ← readers|staff ← readers";
    assert_eq!(
        read(true, Some("uid")),
        [
            format!("0 anna {{uid=anna, groupPaths={paths}, groups={groups}}} {groups}"),
            format!("0 lucja {{uid=lucja, groupPaths={paths}, groups={groups}}} {groups}"),
            "0 robot {uid=robot}".to_owned(),
        ]
    );
    let all = read(true, None);
    assert!(all[0].contains(&format!("groupPaths={paths}, groups={groups}")), "{}", all[0]);
}

#[test]
fn groups_are_found_by_searching_for_them() {
    let Some(slapd) = people() else { return };
    let groups = |member_attribute: &str, account_attribute: &str, value: &str| {
        let mut settings = slapd::settings(&slapd);
        settings.account.attributes = Some(vec!["uid".to_owned()]);
        settings.account.native_identity = "uid".to_owned();
        settings.groups = Some(GroupSettings {
            base_dn: "dc=example,dc=org".to_owned(),
            filter: "(cn=*)".to_owned(),
            member_attribute: member_attribute.to_owned(),
            account_attribute: account_attribute.to_owned(),
            value: value.to_owned(),
            attribute: "groups".to_owned(),
            nested: false,
        });
        settings.page_size = 2;
        read(&slapd, settings).unwrap().records
    };
    let expected = [
        "0 anna {uid=anna, groups=cn=readers,dc=example,dc=org} cn=readers,dc=example,dc=org",
        "0 lucja {uid=lucja, groups=cn=readers,dc=example,dc=org} cn=readers,dc=example,dc=org",
        "0 robot {uid=robot}",
    ];
    assert_eq!(groups("member", "dn", "dn"), expected);
    let expected = ["0 anna {uid=anna}", "0 lucja {uid=lucja, groups=posix} posix", "0 robot {uid=robot}"];
    assert_eq!(groups("memberUid", "uid", "cn"), expected);
}

#[test]
fn a_connection_is_secured_for_the_host_that_was_asked_for() {
    let Some(slapd) = people() else { return };
    assert_eq!(read(&slapd, slapd::settings(&slapd)).unwrap().records.len(), 3, "LDAPS");
    let starttls = LdapSettings {
        url: format!("ldap://127.0.0.1:{}", slapd.port),
        starttls: true,
        ..slapd::settings(&slapd)
    };
    assert_eq!(read(&slapd, starttls.clone()).unwrap().records.len(), 3, "StartTLS");

    let folder = tempfile::tempdir().unwrap();
    let other = certificates::make(folder.path(), "127.0.0.1");
    let other_ca = Some(other.ca.display().to_string());
    for settings in [
        LdapSettings { ca_file: other_ca.clone(), ..slapd::settings(&slapd) },
        LdapSettings { ca_file: other_ca, ..starttls },
    ] {
        let text = failure(&slapd, settings);
        assert!(text.contains("no connection: ") && text.contains("invalid peer certificate"), "{text}");
    }
    let url = format!("ldaps://127.0.0.2:{}", slapd.tls_port);
    let text = failure(&slapd, LdapSettings { url, ..slapd::settings(&slapd) });
    assert!(text.contains("not valid for name") && text.contains("127.0.0.2"), "{text}");

    let url = format!("ldap://127.0.0.1:{}", slapd.port);
    let text = failure(&slapd, LdapSettings { url: url.clone(), ..slapd::settings(&slapd) });
    let expected = "url: expected ldaps or `starttls`: the password would be sent in plain text";
    assert!(text.contains(expected), "{text}");
    let plaintext = LdapSettings { url, allow_plaintext: true, ..slapd::settings(&slapd) };
    assert_eq!(read(&slapd, plaintext).unwrap().records.len(), 3);
}

#[test]
fn what_cannot_begin_fails_in_words() {
    let Some(slapd) = people() else { return };
    std::fs::write(slapd.folder.path().join("wrong"), "wr0ng-password").unwrap();
    let settings = LdapSettings { password_file: Some("wrong".to_owned()), ..slapd::settings(&slapd) };
    let text = failure(&slapd, settings);
    let expected = format!(
        "ldaps://127.0.0.1:{}: bind as \"cn=admin,dc=example,dc=org\" refused: name or password is wrong \
         (rc=49 (invalidCredentials)",
        slapd.tls_port
    );
    assert!(text.starts_with(&expected) && !text.contains("wr0ng"), "{text}");

    let settings =
        LdapSettings { base_dns: vec!["ou=Nowhere,dc=example,dc=org".to_owned()], ..slapd::settings(&slapd) };
    let text = failure(&slapd, settings);
    assert!(
        text.contains("search below \"ou=Nowhere,dc=example,dc=org\": the search was refused (rc=32 "),
        "{text}"
    );

    let settings = LdapSettings {
        password_file: None,
        password_env: Some("MUSTER_TEST_UNSET".to_owned()),
        ..slapd::settings(&slapd)
    };
    let text = failure(&slapd, settings);
    assert!(
        text.starts_with("environment variable MUSTER_TEST_UNSET: is not set: expected the password"),
        "{text}"
    );
}

#[test]
fn the_password_may_be_in_the_environment() {
    let Some(slapd) = people() else { return };
    let settings = LdapSettings {
        password_file: None,
        password_env: Some("DIRECTORY".to_owned()),
        ..slapd::settings(&slapd)
    };
    let definition = support::definition_of(settings);
    let environment = |name: &str| (name == "DIRECTORY").then(|| PASSWORD.to_owned());
    let reader = muster_sources::open_source(&definition, Path::new("."), &environment);
    let text = reader.map(support::read_all).unwrap().err().map(|error| error.to_string());
    // The CA file is looked for in the folder of the definition, and here it is not there.
    assert_eq!(text.as_deref(), Some("cannot read ./ca.pem"));
    let reader = muster_sources::open_source(&definition, slapd.folder.path(), &environment).unwrap();
    assert_eq!(support::read_all(reader).unwrap().records.len(), 3);
}

/// `count` people below `ou=People,dc=example,dc=org`.
fn many(count: usize) -> String {
    let mut text = PEOPLE.split("\ndn: uid=anna").next().unwrap().to_owned();
    for number in 0..count {
        text += &format!(
            "\ndn: uid=u{number},ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: u{number}\n\
             cn: User {number}\nsn: {number}\nmail: u{number}@example.org\nemployeeNumber: {number}\n"
        );
    }
    text
}

#[test]
fn a_size_limit_makes_the_read_incomplete() {
    // The server's limit for everyone is 500 by default, and holds for all pages together.
    let Some(slapd) = Slapd::start("dc=example,dc=org", &many(700), "sizelimit 500") else { return };
    for page_size in [200, 600] {
        let outcome = read(&slapd, LdapSettings { page_size, ..slapd::settings(&slapd) }).unwrap();
        assert!(!outcome.summary.complete);
        let reason = outcome.summary.incomplete_reason.unwrap();
        let expected = "search below \"dc=example,dc=org\": the server's size limit ended the search (rc=4 ";
        assert!(reason.starts_with(expected), "{reason}");
        assert!((400..=500).contains(&outcome.records.len()), "{}", outcome.records.len());
    }
    let Some(slapd) = Slapd::start("dc=example,dc=org", &many(700), "sizelimit unlimited") else { return };
    let outcome = read(&slapd, LdapSettings { page_size: 200, ..slapd::settings(&slapd) }).unwrap();
    assert!(outcome.summary.complete);
    assert_eq!(outcome.records.len(), 700);
}

#[test]
fn a_reader_that_is_left_early_is_incomplete() {
    let Some(slapd) = Slapd::start("dc=example,dc=org", &many(9000), "sizelimit unlimited") else { return };
    let definition = support::definition_of(slapd::settings(&slapd));
    let mut reader = muster_sources::open(&definition, slapd.folder.path()).unwrap();
    assert!(reader.next_batch().unwrap().is_some());
    let summary = reader.finish().unwrap();
    assert_eq!(summary.incomplete_reason.as_deref(), Some("the source was not read to its end"));
}

#[test]
fn a_public_directory_gives_what_its_export_says() {
    let Some(folder) = real_data("hris") else { return };
    let mut ldif = PEOPLE.split("\ndn: ou=People").next().unwrap().replace("dc=org", "dc=com");
    for name in
        ["100-baseEntry", "105-ldap-people", "110-ldap-people-system", "200-groups", "205-application-groups"]
    {
        ldif += "\n\n";
        ldif += &std::fs::read_to_string(folder.join(name).with_extension("ldif")).unwrap();
    }
    let Some(slapd) = Slapd::start("dc=example,dc=com", &ldif, "") else { return };
    let columns = [
        "uid",
        "cn",
        "displayName",
        "givenName",
        "sn",
        "employeeNumber",
        "title",
        "l",
        "st",
        "mail",
        "initials",
        "description",
    ];
    let mut settings = slapd::settings(&slapd);
    settings.base_dns =
        ["ou=users,dc=example,dc=com", "ou=service-accounts,dc=example,dc=com"].map(str::to_owned).to_vec();
    settings.page_size = 7;
    settings.account.attributes = Some(columns.map(str::to_owned).to_vec());
    settings.groups = Some(GroupSettings {
        base_dn: "dc=example,dc=com".to_owned(),
        filter: "(objectClass=groupOfNames)".to_owned(),
        member_attribute: "member".to_owned(),
        account_attribute: "dn".to_owned(),
        value: "dn".to_owned(),
        attribute: "memberOf".to_owned(),
        nested: false,
    });
    let outcome = read(&slapd, settings).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);

    // The delimited export was derived from the same files by other means.
    let mut export = muster_sources::DelimitedSettings::new("directory.csv", "dn");
    export.multi_valued = vec!["memberOf".to_owned()];
    export.entitlements = export.multi_valued.clone();
    export.attributes = Some(columns.into_iter().chain(["memberOf"]).map(str::to_owned).collect());
    let export = support::read(&support::definition(export), &folder).unwrap();
    let sorted = |records: &[String]| {
        let mut texts: Vec<String> = records.iter().map(|text| with_sorted_groups(text)).collect();
        texts.sort();
        texts
    };
    assert_eq!(outcome.records.len(), 43);
    assert_eq!(sorted(&outcome.records), sorted(&export.records));
}

/// A record's text without its line, with the groups in alphabetical order.
fn with_sorted_groups(text: &str) -> String {
    let (_, text) = text.split_once(' ').unwrap();
    let Some((before, rest)) = text.split_once("memberOf=") else { return text.to_owned() };
    let (groups, _) = rest.split_once('}').unwrap();
    let mut groups: Vec<_> = groups.split('|').collect();
    groups.sort_unstable();
    format!("{before}memberOf={}", groups.join("|"))
}

#[test]
fn public_directories_are_read_whole() {
    let Some(folder) = real_data("ldif") else { return };
    let cases = [
        ("Example.ldif", "dc=example,dc=com", 150),
        ("European.ldif", "o=Çéliné Ändrè", 353),
        ("example1k_posix.ldif", "dc=example,dc=com", 1000),
    ];
    for (name, suffix, people) in cases {
        let ldif = support::lossy_text(&folder.join(name));
        let ldif = without_attributes(
            &ldif,
            &["aci:", "nstimelimit:", "nssizelimit:", "nslookthroughlimit:", "nsidletimeout:"],
        );
        let Some(slapd) = Slapd::start(suffix, &ldif, "sizelimit unlimited") else { return };
        let settings =
            LdapSettings { bind_dn: None, password_file: None, page_size: 100, ..slapd::settings(&slapd) };
        let outcome = read(&slapd, settings).unwrap();
        assert_eq!((outcome.records.len(), outcome.summary.complete), (people, true), "{name}");
        assert!(outcome.rejections.is_empty());
    }
}

/// LDIF without the attributes that slapd has no schema for, their folded lines included.
fn without_attributes(ldif: &str, names: &[&str]) -> String {
    let mut result = String::new();
    let mut dropping = false;
    for line in ldif.lines() {
        if !line.starts_with(' ') {
            let lower = line.to_ascii_lowercase();
            dropping = names.iter().any(|name| lower.starts_with(name));
        }
        if !dropping {
            result += line;
            result.push('\n');
        }
    }
    result
}

#[test]
fn twenty_thousand_entries_in_pages() {
    let Some(slapd) = Slapd::start("dc=example,dc=org", &many(20_000), "sizelimit unlimited") else { return };
    let start = std::time::Instant::now();
    let definition = support::definition_of(slapd::settings(&slapd));
    let mut reader = muster_sources::open(&definition, slapd.folder.path()).unwrap();
    let (mut rows, mut largest) = (0, 0);
    while let Some(batch) = reader.next_batch().unwrap() {
        rows += batch.records.num_rows();
        largest = largest.max(batch.records.get_array_memory_size());
    }
    let summary = reader.finish().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{rows} entries in {seconds:.2} s: {:.0} a second", rows as f64 / seconds);
    assert_eq!((rows, summary.complete), (20_000, true));
    // 4096 entries of some 300 bytes, whatever the directory's size.
    assert!(largest < 8 << 20, "{largest}");
}
