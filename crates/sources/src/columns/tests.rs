//! What typed columns are made of, with times worked out by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

fn columns(toml: &str) -> AccountColumns {
    let columns: AccountColumns = toml::from_str(toml).unwrap();
    assert_eq!(columns.fault(), None);
    columns.resolved(None)
}

fn read(columns: &AccountColumns, record: &[(&str, &[&'static str])]) -> TypedAccount {
    columns.read(&|name| {
        record.iter().find(|(found, _)| *found == name).map(|(_, values)| values.to_vec()).unwrap_or_default()
    })
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

/// FILETIMEs by hand, in Python: int((datetime(2024, 1, 15, 8, 30) - datetime(1601, 1, 1)).total_seconds()) * 10**7
#[test]
fn active_directory_means_what_its_documentation_says() {
    let columns = columns("preset = \"active_directory\"");
    let used = read(
        &columns,
        &[
            ("lastLogonTimestamp", &["133497810000000000"]),
            ("pwdLastSet", &["0"]),
            ("accountExpires", &["9223372036854775807"]),
            ("objectClass", &["top", "person", "user"]),
            ("memberOf", &["CN=Staff,DC=x", "cn=domain admins,CN=Users,DC=x"]),
        ],
    );
    assert_eq!(used.last_used, at("2024-01-15T08:30:00Z"));
    assert_eq!(used.last_used_latest, at("2024-01-29T08:30:00Z"));
    assert_eq!((used.password_set, used.expires, used.never_expires), (None, None, Some(true)));
    assert_eq!((used.kind, used.owner), (None, None));
    assert_eq!(used.privileged_by, ["cn=domain admins,CN=Users,DC=x"]);
    assert!(used.unreadable.is_empty());
    let machine = read(
        &columns,
        &[
            ("accountExpires", &["133497810000000000"]),
            ("objectClass", &["top", "person", "user", "computer"]),
            ("managedBy", &["CN=Ann,DC=x"]),
        ],
    );
    assert_eq!((machine.last_used, machine.last_used_latest), (None, None));
    assert_eq!((machine.expires, machine.never_expires), (at("2024-01-15T08:30:00Z"), Some(false)));
    assert_eq!((machine.kind, machine.owner.as_deref()), (Some(AccountKind::Service), Some("CN=Ann,DC=x")));
    // As the reader of directories gives them.
    let read_before = read(
        &columns,
        &[
            ("lastLogonTimestamp", &["2024-01-15T08:30:00Z"]),
            ("accountExpires", &["never"]),
            ("pwdLastSet", &["never"]),
        ],
    );
    assert_eq!(read_before.last_used, at("2024-01-15T08:30:00Z"));
    assert_eq!((read_before.password_set, read_before.never_expires), (None, Some(true)));
}

#[test]
fn what_is_not_said_is_unknown_and_what_cannot_be_read_is_named() {
    let columns = columns(
        "last_used = { from = \"seen\", unknown = [\"n/a\"] }\nexpires = { from = \"end\", never = [\"open\"] }\n\
         kind = { from = \"type\", values = { service = [\"svc*\"], human = [\"*\"] } }",
    );
    let nothing = read(&columns, &[("seen", &[" "]), ("type", &[])]);
    assert_eq!(nothing, TypedAccount::default());
    let told = read(&columns, &[("seen", &["N/A"]), ("end", &["Open"]), ("type", &["SVC-7"])]);
    assert_eq!(
        (told.last_used, told.never_expires, told.kind),
        (None, Some(true), Some(AccountKind::Service))
    );
    assert!(told.unreadable.is_empty());
    let wrong =
        read(&columns, &[("seen", &["2024-01-01", "soon"]), ("end", &["2024-02-30"]), ("type", &["x"])]);
    assert_eq!((wrong.last_used, wrong.never_expires), (None, None));
    assert_eq!((wrong.kind, wrong.unreadable), (Some(AccountKind::Human), vec!["last_used", "expires"]));
    let several = read(&columns, &[("seen", &["2024-01-01", "2024-03-01", "2024-02-01"])]);
    assert_eq!(several.last_used, at("2024-03-01T00:00:00Z"));
    // The last day belongs to the account.
    assert_eq!(read(&columns, &[("end", &["2024-01-31"])]).expires, at("2024-01-31T23:59:59.999Z"));
    let both = read(&columns, &[("end", &["2024-01-31", "open"])]);
    assert_eq!((both.expires, both.never_expires), (None, Some(true)));
}

#[test]
fn a_column_of_the_definition_wins_over_the_preset() {
    let own =
        columns("preset = \"active_directory\"\nlast_used = { from = \"lastLogon\", format = \"filetime\" }");
    let account = read(&own, &[("lastLogon", &["133497810000000000"]), ("lastLogonTimestamp", &["1"])]);
    assert_eq!(account.last_used, at("2024-01-15T08:30:00Z"));
    assert_eq!(account.last_used_latest, account.last_used);
}

#[test]
fn keys_that_say_nothing_are_refused() {
    for (toml, key) in [
        ("last_used = { from = \"a\", never = [\"x\"] }", "last_used.never"),
        ("expires = { from = \"a\", lag_days = 3 }", "expires.lag_days"),
        ("last_used = { from = \"a\", lag_days = 367 }", "last_used.lag_days"),
        ("last_used = { from = \" \" }", "last_used.from"),
        ("kind = {}", "kind"),
        ("kind = { from = \"a\" }", "kind"),
        ("kind = { values = { human = [\"x\"] } }", "kind"),
        ("privileged_by = { from = \"a\", values = [] }", "privileged_by.values"),
    ] {
        let columns: AccountColumns = toml::from_str(toml).unwrap();
        assert_eq!(columns.fault().unwrap().0, key, "{toml}");
    }
    let dates: ProfileDates = toml::from_str("ends = { from = \"a\", never = [\"x\"] }").unwrap();
    assert_eq!(dates.fault().unwrap().0, "ends.never");
}

/// Attributes and values as the vendors' documentation shows them.
#[test]
fn services_say_what_their_documentation_says() {
    let sap = columns("preset = \"sap_cloud\"");
    let of_sap = |name: &'static str| format!("urn:ietf:params:scim:schemas:extension:sap:2.0:User:{name}");
    let (from, to, login) = (of_sap("validFrom"), of_sap("validTo"), of_sap("loginTime"));
    let user: [(&str, &[&str]); 4] = [
        (&from, &["2023-05-01T00:00:00Z"]),
        (&to, &["2123-05-01T00:00:00Z"]),
        (&login, &["2024-01-01T11:22:33Z"]),
        ("meta.lastModified", &["2026-01-01T00:00:00Z"]),
    ];
    let account = read(&sap, &user);
    assert_eq!(
        (account.last_used, account.expires),
        (at("2024-01-01T11:22:33Z"), at("2123-05-01T00:00:00Z"))
    );
    assert_eq!((account.password_set, account.kind, account.never_expires), (None, None, Some(false)));

    let ibm = columns("preset = \"ibm_verify\"");
    let changed = "urn:ietf:params:scim:schemas:extension:ibm:2.0:User:pwdChangedTime";
    let account =
        read(&ibm, &[(changed, &["2021-01-19T05:17:15Z"]), ("meta.lastModified", &["2026-01-01T00:00:00Z"])]);
    assert_eq!(account.password_set, at("2021-01-19T05:17:15Z"));
    assert_eq!((account.last_used, account.expires, account.never_expires), (None, None, None));

    let slack = columns("preset = \"slack\"");
    let guest = "urn:ietf:params:scim:schemas:extension:slack:guest:2.0:User:expiration";
    assert_eq!(read(&slack, &[(guest, &["2020-11-30T23:59:59Z"])]).expires, at("2020-11-30T23:59:59Z"));
    // Somebody who is no guest: that is unknown, and not never.
    assert_eq!(read(&slack, &[]), TypedAccount::default());
}

#[test]
fn a_tenant_says_which_accounts_are_of_machines_and_whose() {
    let tenant = columns("preset = \"tenant\"");
    let machine = read(&tenant, &[("tenant.isMachine", &["true"]), ("tenant.ownerName", &["Adam Kennedy"])]);
    assert_eq!((machine.kind, machine.owner.as_deref()), (Some(AccountKind::Service), Some("Adam Kennedy")));
    assert_eq!(read(&tenant, &[("tenant.identityName", &["User 1"])]), TypedAccount::default());
}
