//! Definition files: what they become, and what is said of wrong ones.

use std::collections::BTreeMap;
use std::path::Path;

use muster_sources::{
    AccountColumns, AttributeMapping, CorrelationRule, DatePlace, DelimitedSettings, DocumentType,
    DocumentsSettings, FlagRule, IdentityStatus, LifecycleDefinition, ManagerDefinition, ManagerMatch,
    MappingSource, PreferDefinition, ProfileDates, ProfileDefinition, ReaderSettings, SourceDefinition,
    Template, TimeColumn, TimeFormat, Transform,
};

fn parse(text: &str) -> Result<SourceDefinition, String> {
    SourceDefinition::from_toml(text, Path::new("sources/hr.toml")).map_err(|error| error.to_string())
}

const WHOLE: &str = r##"
id = "2C9180897E7742B2017E781782F705B9"
name = "Employees"
kind = "delimited"
delete_threshold_percent = 25
optional = ["admin"]
never_kept = ["pin"]
refused_max_percent = 5

[delimited]
path = "people.tsv"
as_of = { file_name = "people-{date}.tsv" }
delimiter = "\t"
encoding = "latin1"
skip_lines = 2
comments = ["#", "sep="]
native_identity = "empnum"
name_column = "login"
display_name = "cn"
uuid = "guid"
multi_value_separator = "|"
multi_valued = ["groups"]
merge_rows = true
entitlements = ["groups"]
attributes = ["empnum", "status", "groups", "firstname", "surname"]
[delimited.disabled]
column = "status"
values = ["Former employee"]
[delimited.privileged]
column = "admin"

[profile]
name = "People"
priority = 10
protected = ["1"]
prefer = { states = ["active"], newest = "status" }
manager = { attribute = "type", match = "native_identity" }
[[profile.attributes]]
name = "uid"
from = "empnum"
transforms = ["trim", "lower", "upper", "capitalize"]
required = true
[[profile.attributes]]
name = "type"
value = "employee"
[[profile.attributes]]
name = "email"
template = "{firstname}.{surname}@example.com"
transforms = [{ split = "#", index = 1 }, { replace = "a", with = "" }, { lookup = { "A" = "Active" }, default = "?" }]

[[correlation]]
identity_attribute = "uid"
account_attribute = "empnum"
[[correlation]]
identity_attribute = "email"
account_attribute = "surname"
ignore_case = true

[lifecycle]
attribute = "status"
states = { "Active" = "active", "Former employee" = "gone" }
status = { active = "ACTIVE", gone = "TERMINATED" }

[profile.dates]
ends = { from = "firstname", format = "day_month_year", unknown = ["-"] }

[account.columns]
last_used = { from = "surname" }
"##;

fn whole() -> SourceDefinition {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mapping = |name: &str, source, transforms, required| AttributeMapping {
        name: name.to_owned(),
        source,
        transforms,
        required,
    };
    let rule = |identity: &str, account: &str, ignore_case| CorrelationRule {
        identity_attribute: identity.to_owned(),
        account_attribute: account.to_owned(),
        ignore_case,
    };
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>()
    };
    SourceDefinition {
        id: "2c9180897e7742b2017e781782f705b9".to_owned(),
        name: "Employees".to_owned(),
        delete_threshold_percent: 25,
        refused_max_percent: 5,
        accounts_missing_max: None,
        total: None,
        owner: None,
        reader: ReaderSettings::from(DelimitedSettings {
            path: "people.tsv".to_owned(),
            as_of: Some(DatePlace::FileName("people-{date}.tsv".to_owned())),
            delimiter: '\t',
            encoding: "latin1".to_owned(),
            skip_lines: 2,
            comments: vec!["#".to_owned(), "sep=".to_owned()],
            native_identity: "empnum".to_owned(),
            name_column: Some("login".to_owned()),
            display_name: Some("cn".to_owned()),
            uuid: Some("guid".to_owned()),
            multi_value_separator: "|".to_owned(),
            multi_valued: names(&["groups"]),
            merge_rows: true,
            entitlements: names(&["groups"]),
            attributes: Some(names(&["empnum", "status", "groups", "firstname", "surname"])),
            disabled: Some(FlagRule {
                column: "status".to_owned(),
                values: Some(names(&["Former employee"])),
            }),
            locked: None,
            system: None,
            privileged: Some(FlagRule { column: "admin".to_owned(), values: None }),
        }),
        profile: Some(ProfileDefinition {
            name: "People".to_owned(),
            priority: 10,
            attributes: vec![
                mapping(
                    "uid",
                    MappingSource::Attribute("empnum".to_owned()),
                    vec![Transform::Trim, Transform::Lower, Transform::Upper, Transform::Capitalize],
                    true,
                ),
                mapping("type", MappingSource::Static("employee".to_owned()), vec![], false),
                mapping(
                    "email",
                    MappingSource::Template(
                        Template::try_from("{firstname}.{surname}@example.com".to_owned()).unwrap(),
                    ),
                    vec![
                        Transform::Split { separator: "#".to_owned(), index: 1 },
                        Transform::Replace { pattern: "a".to_owned(), with: String::new() },
                        Transform::Lookup { table: map(&[("A", "Active")]), default: Some("?".to_owned()) },
                    ],
                    false,
                ),
            ],
            protected: names(&["1"]),
            prefer: PreferDefinition { states: names(&["active"]), newest: Some("status".to_owned()) },
            manager: ManagerDefinition {
                attribute: "type".to_owned(),
                matched: ManagerMatch::NativeIdentity,
            },
            dates: ProfileDates {
                ends: Some(TimeColumn {
                    from: "firstname".to_owned(),
                    format: TimeFormat::DayMonthYear,
                    unknown: names(&["-"]),
                    ..TimeColumn::default()
                }),
                ..ProfileDates::default()
            },
        }),
        correlation: vec![rule("uid", "empnum", false), rule("email", "surname", true)],
        lifecycle: Some(LifecycleDefinition {
            attribute: "status".to_owned(),
            states: map(&[("Active", "active"), ("Former employee", "gone")]),
            status: BTreeMap::from([
                ("active".to_owned(), IdentityStatus::Active),
                ("gone".to_owned(), IdentityStatus::Terminated),
            ]),
        }),
        optional: vec!["admin".to_owned()],
        never_kept: vec!["pin".to_owned()],
        columns: AccountColumns {
            last_used: Some(TimeColumn { from: "surname".to_owned(), ..TimeColumn::default() }),
            ..AccountColumns::default()
        },
    }
}

#[test]
fn a_definition_with_every_key() {
    assert_eq!(parse(WHOLE), Ok(whole()));
}

#[test]
fn stored_json_gives_the_same_definition() {
    let json = serde_json::to_string(&whole()).unwrap();
    assert_eq!(serde_json::from_str::<SourceDefinition>(&json).unwrap(), whole());
    assert!(json.contains(r##"{"name":"uid","from":"empnum","transforms":["trim","lower","##), "{json}");
    assert!(json.contains(r##"{"split":"#","index":1}"##), "{json}");
}

#[test]
fn the_least_definition_has_the_documented_defaults() {
    let text =
        "name = \"A\"\nkind = \"delimited\"\n[delimited]\npath = \"a.csv\"\nnative_identity = \"id\"\n";
    let definition = parse(text).unwrap();
    // printf 'source:A' | sha256sum
    assert_eq!(definition.id, "da707149bfe23f484cedec68c1dfcaa3");
    assert_eq!((definition.delete_threshold_percent, definition.refused_max_percent), (10, 10));
    assert_eq!(definition.reader, ReaderSettings::from(DelimitedSettings::new("a.csv", "id")));
    assert!(!definition.is_authoritative());
}

/// `WHOLE` with one text replaced, and the message it gives.
fn fault(old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{old:?}");
    parse(&WHOLE.replacen(old, new, 1)).unwrap_err()
}

#[test]
fn faults_name_the_file_the_key_and_what_was_expected() {
    let cases = [
        (r#"name = "Employees""#, r#"name = " ""#, "sources/hr.toml: name: must not be blank"),
        (r#""2C91"#, r#""XX91"#, "sources/hr.toml: id: expected 32 hex digits"),
        (
            r#"kind = "delimited""#,
            r#"kind = "punched cards""#,
            "sources/hr.toml: kind: \"punched cards\" cannot be read: this version reads \"delimited\", \"delta\", \"documents\", \"ldap\", \"ndjson\", \"parquet\", \"scim\", \"sql\", \"tenant\"",
        ),
        (
            r#"kind = "delimited""#,
            r#"kind = "ldap""#,
            "sources/hr.toml: ldap: expected this table, for the kind is \"ldap\"",
        ),
        ("= 25", "= 101", "sources/hr.toml: delete_threshold_percent: 101: expected 0 to 100"),
        (
            r#""\t""#,
            r#""\"""#,
            "sources/hr.toml: delimited.delimiter: expected one ASCII character that is neither a quote nor a line end",
        ),
        (
            "latin1",
            "klingon",
            "sources/hr.toml: delimited.encoding: unknown encoding \"klingon\": expected a WHATWG label such as \"utf-8\"",
        ),
        (
            r#"["empnum", "#,
            r#"["status", "#,
            "sources/hr.toml: delimited.attributes[1]: \"status\" is listed twice",
        ),
        (
            r#"["empnum", "#,
            "[",
            "sources/hr.toml: profile.attributes[0]: account attribute \"empnum\" is not among delimited.attributes",
        ),
        (
            "priority = 10",
            "priority = -1",
            "sources/hr.toml: profile.priority: -1: expected a whole number from 0 to 4294967295",
        ),
        (
            r#"name = "uid""#,
            r#"name = "type""#,
            "sources/hr.toml: profile.attributes[1].name: identity attribute \"type\" is mapped twice",
        ),
        (
            r#"name = "uid""#,
            r#"name = "id""#,
            "sources/hr.toml: profile.attributes: expected a mapping of the identity attribute \"uid\"",
        ),
        (
            r#"account_attribute = "empnum""#,
            r#"account_attribute = """#,
            "sources/hr.toml: correlation[0].account_attribute: must not be blank",
        ),
        (
            r#"protected = ["1"]"#,
            r#"protected = [" "]"#,
            "sources/hr.toml: profile.protected[0]: must not be blank",
        ),
        (
            r#"optional = ["admin"]"#,
            r#"optional = ["Admin"]"#,
            "sources/hr.toml: optional[0]: no key names \"Admin\": the nearest is \"admin\"",
        ),
        (
            r#"never_kept = ["pin"]"#,
            r#"never_kept = ["Surname"]"#,
            "sources/hr.toml: delimited.attributes: attribute \"surname\" is never kept: it is among `never_kept`",
        ),
        (
            r#"display_name = "cn""#,
            r#"display_name = "user_password""#,
            "sources/hr.toml: delimited.display_name: attribute \"user_password\" is never kept: its name says that it holds passwords",
        ),
        (
            r##"comments = ["#", "##,
            "comments = [\"a\\tb\", ",
            "sources/hr.toml: delimited.comments[0]: expected what lines begin with, up to 64 bytes without the delimiter and quotes",
        ),
        (
            r#"states = { "Active" = "active", "Former employee" = "gone" }"#,
            "states = {}",
            "sources/hr.toml: lifecycle.states: expected at least one state",
        ),
        (
            "max_percent = 5",
            "max_percent = -1",
            "sources/hr.toml: refused_max_percent: -1: expected 0 to 100",
        ),
        (
            r#", gone = "TERMINATED""#,
            "",
            "sources/hr.toml: lifecycle.status: state \"gone\" is not in it: expected its status, ACTIVE, DISABLED or TERMINATED",
        ),
        (
            r#", gone = "TERMINATED""#,
            r#", gone = "TERMINATED", left = "DISABLED""#,
            "sources/hr.toml: lifecycle.status: no value of lifecycle.states gives the state \"left\"",
        ),
        (
            r#"states = ["active"]"#,
            r#"states = ["Active"]"#,
            "sources/hr.toml: profile.prefer.states[0]: no value of lifecycle.states gives the state \"Active\"",
        ),
        (
            r#"newest = "status""#,
            r#"newest = "start""#,
            "sources/hr.toml: profile.prefer.newest: account attribute \"start\" is not among delimited.attributes",
        ),
        (
            r#"match = "native_identity""#,
            r#"match = " ""#,
            "sources/hr.toml: profile.manager.match: must not be blank",
        ),
    ];
    for (old, new, expected) in cases {
        assert_eq!(fault(old, new), expected);
    }
}

#[test]
fn faults_of_shape_have_line_and_column() {
    let cases = [
        // The line of the text that is wrong, and what must be said of it.
        ("merge_rows", "merge_row", ":23:1: unknown field `merge_row`"),
        (r#"path = "people.tsv""#, "path = 1", ":11:8: invalid type: integer `1`, expected a string"),
        (r#""trim""#, r#""trimm""#, "unknown transform \"trimm\": expected \"trim\", \"lower\""),
        ("index = 1", "index = -1", ":49:38: invalid value"),
        (r##"split = "#", "##, "", "not a transform: expected"),
        (r#"value = "employee""#, "", "expected exactly one of `from`, `value` and `template`"),
        ("{surname}@", "{surname@", "expected `}` after `{surname@example.com`"),
        ("account_attribute = \"empnum\"\n", "", "missing field `account_attribute`"),
        ("[lifecycle]", "[lifecicle]", "unknown field `lifecicle`"),
    ];
    for (old, new, expected) in cases {
        let message = fault(old, new);
        assert!(message.starts_with("sources/hr.toml:"), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

/// Definitions that were kept before there were such keys, and states whose meaning nobody has said.
#[test]
fn what_is_not_said_of_states_and_managers_has_documented_defaults() {
    let text = WHOLE
        .replace("status = { active = \"ACTIVE\", gone = \"TERMINATED\" }\n", "")
        .replace("prefer = { states = [\"active\"], newest = \"status\" }\n", "")
        .replace("manager = { attribute = \"type\", match = \"native_identity\" }\n", "");
    let definition = parse(&text).unwrap();
    let status = definition.lifecycle.as_ref().unwrap().status.clone();
    let said = [("active", "ACTIVE"), ("inactive", "DISABLED"), ("terminated", "TERMINATED")];
    assert!(status.iter().map(|(state, status)| (state.as_str(), status.as_str())).eq(said), "{status:?}");
    let profile = definition.profile.as_ref().unwrap();
    assert_eq!(profile.prefer, PreferDefinition::default());
    let uid = ManagerMatch::Attribute("uid".to_owned());
    assert_eq!(profile.manager, ManagerDefinition { attribute: "manager".to_owned(), matched: uid });
    let mut old = serde_json::to_value(&definition).unwrap();
    old.as_object_mut().unwrap().remove("refused_max_percent");
    for (table, keys) in [("lifecycle", &["status"][..]), ("profile", &["prefer", "manager"])] {
        keys.iter().for_each(|key| drop(old[table].as_object_mut().unwrap().remove(*key)));
    }
    let read: SourceDefinition = serde_json::from_value(old).unwrap();
    assert_eq!(read, SourceDefinition { refused_max_percent: 10, ..definition });
}

#[test]
fn a_lifecycle_needs_a_profile() {
    let start = WHOLE.find("[profile]").unwrap();
    let end = WHOLE.find("[[correlation]]").unwrap();
    let dates = WHOLE.find("[profile.dates]").unwrap();
    let text = format!("{}{}", &WHOLE[..start], &WHOLE[end..dates]);
    let expected = "sources/hr.toml: lifecycle: only a source with a [profile] gives lifecycle states";
    assert_eq!(parse(&text).unwrap_err(), expected);
}

const DOCUMENTS: &str = "name = \"Roles\"\nkind = \"documents\"\n[documents]\npath = \"roles.ndjson\"\n";

#[test]
fn a_source_of_documents() {
    let definition = parse(DOCUMENTS).unwrap();
    let settings = DocumentsSettings { path: "roles.ndjson".to_owned(), index: None };
    assert_eq!(definition.reader, ReaderSettings::from(settings));
    assert_eq!(definition.reader.kind(), "documents");
    let of_one_kind = parse(&format!("{DOCUMENTS}index = \"accountactivities\"\n")).unwrap();
    let settings =
        DocumentsSettings { path: "roles.ndjson".to_owned(), index: Some(DocumentType::AccountActivities) };
    assert_eq!(of_one_kind.reader, ReaderSettings::from(settings));
    let json = serde_json::to_string(&of_one_kind).unwrap();
    let reader = r#""reader":{"documents":{"path":"roles.ndjson","index":"accountactivities"}}"#;
    assert!(json.contains(reader), "{json}");
    assert_eq!(serde_json::from_str::<SourceDefinition>(&json).unwrap(), of_one_kind);
}

#[test]
fn faults_of_a_source_of_documents() {
    let rule = "[[correlation]]\nidentity_attribute = \"a\"\naccount_attribute = \"b\"\n";
    let profile = "[profile]\nname = \"P\"\npriority = 1\n\
                   [[profile.attributes]]\nname = \"uid\"\nfrom = \"a\"\n";
    let delimited = "[delimited]\npath = \"a.csv\"\nnative_identity = \"a\"\n";
    let cases = [
        (DOCUMENTS.replace("roles.ndjson", " "), "documents.path: must not be blank"),
        (format!("{DOCUMENTS}{rule}"), "correlation: a source of documents has no accounts"),
        (format!("{DOCUMENTS}{profile}"), "profile: a source of documents has no accounts"),
        (
            format!("{DOCUMENTS}{delimited}"),
            "delimited: expected no such table, for the kind is \"documents\"",
        ),
        (
            DOCUMENTS.replace("\"documents\"", "\"delimited\""),
            "delimited: expected this table, for the kind is \"delimited\"",
        ),
        (
            "name = \"A\"\nkind = \"documents\"\n".to_owned(),
            "documents: expected this table, for the kind is \"documents\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&text), Err(format!("sources/hr.toml: {expected}")), "{text}");
    }
    let message = parse(&format!("{DOCUMENTS}index = \"people\"\n")).unwrap_err();
    let expected = "sources/hr.toml:5:9: unknown variant `people`, expected one of `identities`, ";
    assert!(message.starts_with(expected), "{message}");
}

/// The definitions in docs/sources.md, in their order.
fn documented() -> Vec<SourceDefinition> {
    let text = std::fs::read_to_string("../../docs/sources.md").unwrap();
    let examples = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    examples.map(|example| parse(example).unwrap_or_else(|fault| panic!("{fault}\n{example}"))).collect()
}

#[test]
fn every_documented_example_is_a_definition() {
    let kinds: Vec<_> = documented().iter().map(|definition| definition.reader.kind()).collect();
    assert_eq!(
        kinds,
        ["delta", "ldap", "ldap", "sql", "ndjson", "parquet", "scim", "tenant", "tenant", "tenant"]
    );
}

#[test]
fn faults_of_a_directory() {
    let start = "name = \"A\"\nkind = \"ldap\"\n[ldap]\nbase_dns = [\"dc=x\"]\n";
    let cases = [
        ("url = \"http://x\"", "ldap.url: expected ldaps://host or ldap://host, with or without a port"),
        ("url = \"ldaps://me:secret@x\"", "ldap.url: expected nothing but host and port"),
        (
            "url = \"ldaps://x\"\nbind_dn = \"cn=a\"",
            "ldap.bind_dn: expected `password_file` or `password_env` with it",
        ),
        (
            "url = \"ldap://x\"\nbind_dn = \"cn=a\"\npassword_env = \"P\"",
            "ldap.url: expected ldaps or `starttls`: the password would be sent in plain text",
        ),
        (
            "url = \"ldaps://x\"\nbind_dn = \"cn=a\"\npassword_env = \"P\"\npassword_file = \"p\"",
            "ldap.password_file: expected either `password_file` or `password_env`",
        ),
        (
            "url = \"ldaps://x\"\nfilter = \"(a\"",
            "ldap.filter: expected a filter such as \"(objectClass=person)\"",
        ),
        (
            "url = \"ldaps://x\"\n[ldap.account]\nnative_identity = \"dn\"\nattributes = [\"cn\", \"CN\"]",
            "ldap.account.attributes[1]: \"CN\" is listed twice",
        ),
        (
            "url = \"ldaps://x\"\n[ldap.account]\nnative_identity = \"dn\"\nattributes = [\"cn\"]\nentitlements = [\"m\"]",
            "ldap.account.entitlements[0]: account attribute \"m\" is not among ldap.account.attributes",
        ),
        (
            "url = \"ldaps://x\"\n[delimited]\npath = \"a\"\nnative_identity = \"b\"",
            "delimited: expected no such table, for the kind is \"ldap\"",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(parse(&format!("{start}{rest}")).unwrap_err(), format!("sources/hr.toml: {expected}"));
    }
}
