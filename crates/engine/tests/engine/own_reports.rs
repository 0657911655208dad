//! The reports that are of no published kind, over planted cases: each verdict, worked out by hand.

use crate::installation::{Installation, Ran, shared_data};
use muster_reports::arguments::RawValue;
use muster_reports::caller::DataScope;
use muster_reports::ids::SourceId;
use std::process::Command;
use std::sync::Arc;

pub const HR: &str = r#"
name = "HR"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
attributes = [{ name = "uid", from = "id" }, { name = "lastname", from = "id" }, { name = "email", from = "mail" }]
[profile.dates]
ends = { from = "ends" }
left_on = { from = "left" }
[lifecycle]
attribute = "status"
states = { A = "active", T = "terminated" }
"#;

pub const DIRECTORY: &str = r#"
name = "Directory"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "dir.csv"
native_identity = "dn"
multi_valued = ["objectClass", "memberOf"]
multi_value_separator = "|"
disabled = { column = "off" }
privileged = { column = "admin" }
[account.columns]
preset = "active_directory"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

/// The directory, the groups of which are entitlements.
fn directory_with_groups() -> String {
    DIRECTORY.replace("disabled = {", "entitlements = [\"memberOf\"]\ndisabled = {")
}

fn number(number: i64) -> RawValue {
    RawValue::Number(number.to_string())
}

/// Pairs of cells.
fn pairs<'a>(ran: &'a Ran, one: &str, other: &str) -> Vec<(&'a str, &'a str)> {
    ran.column(one).into_iter().zip(ran.column(other)).collect()
}

/// The second count agrees with the rows, and each subtotal adds up to them.
pub fn checked(ran: Ran) -> Ran {
    let counted = &ran.reconciliation;
    assert_eq!(counted.reported, counted.expected, "{counted:?}");
    for subtotal in &counted.subtotals {
        assert_eq!(subtotal.parts.iter().map(|part| part.rows).sum::<u64>(), counted.reported, "{counted:?}");
    }
    ran
}

pub fn report(installation: &Installation, kind: &str, arguments: &[(&str, RawValue)]) -> Ran {
    checked(installation.report(kind, arguments))
}

/// What is left out, as the cover says it.
pub fn left_out(ran: &Ran) -> Vec<(&str, u64)> {
    ran.reconciliation.excluded.iter().map(|count| (count.label.as_str(), count.rows)).collect()
}

/// FILETIMEs by Python: int((t - datetime(1601, 1, 1)).total_seconds()) * 10**7. The snapshot is at 2026-01-01T01:00:00Z;
/// 90 days before that is 2025-10-03T01:00:00Z, and 104 days before it 2025-09-19T01:00:00Z.
fn directory() -> Installation {
    let mut installation = Installation::new();
    installation.source(
        HR,
        "hr.csv",
        "id,mail,status,ends,left\n1,one@x,A,,\n2,two@x,T,,\n3,three@x,A,,\n4,four@x,A,,\n",
    );
    installation.source(
        DIRECTORY,
        "dir.csv",
        "dn,emp,off,admin,lastLogonTimestamp,pwdLastSet,accountExpires,objectClass,memberOf,managedBy\n\
         exact,1,no,no,134027172000000000,134039268000000000,0,user,\"CN=Staff,DC=x|CN=Domain Admins,CN=Users,DC=x\",\n\
         late,2,no,no,134027172010000000,134039268010000000,9223372036854775807,user,,\n\
         edge,3,no,no,134039268000000000,0,134039268000000000,user,,\n\
         used,,no,yes,134039268010000000,,,user,,\n\
         none,,no,no,,soon,later,,\"CN=schema admins,DC=x\",\n\
         zero,,no,yes,0,,,user,\"CN=Administrators,CN=Builtin,DC=x\",\n\
         odd,,no,no,soon,,,user,,\n\
         off,4,yes,no,116444736000000000,116444736000000000,,user,CN=Domain Admins,\n\
         pc1,,no,no,134039268010000000,,,user|computer,,exact\n\
         pc2,,no,no,134039268010000000,,,computer,,late\n\
         pc3,,no,no,134039268010000000,,,computer,,nobody\n\
         pc4,,yes,no,134039268010000000,,,msDS-GroupManagedServiceAccount,,\n\
         pc5,,no,no,134039268010000000,,,computer,,three@x\n",
    );
    installation.refresh();
    installation
}

#[test]
fn dormant_accounts_are_told_from_those_of_which_nothing_is_known() {
    let installation = directory();
    let ran = report(&installation, "DORMANT_ACCOUNTS", &[]);
    let hr = [("1", "UNKNOWN"), ("2", "UNKNOWN"), ("3", "UNKNOWN"), ("4", "UNKNOWN")];
    let directory = [
        // 104 days, of which the directory may be 14 days late: 90 days at least.
        ("edge", "PERHAPS"),
        ("exact", "DORMANT"),
        // A second less.
        ("late", "PERHAPS"),
        ("none", "UNKNOWN"),
        ("odd", "UNKNOWN"),
        ("zero", "UNKNOWN"),
    ];
    let all: Vec<_> = directory.iter().chain(&hr).copied().collect();
    assert_eq!(pairs(&ran, "nativeIdentity", "verdict"), all);
    assert_eq!(ran.column("idleDays"), ["90", "104", "103", "", "", "", "", "", "", ""]);
    assert_eq!(ran.column("unreadable")[3..6], ["password_set; expires", "last_used", ""]);
    assert_eq!(ran.column("lastUsed")[1], "2025-09-19T01:00:00.000Z");
    assert_eq!(ran.column("lastUsedLatest")[1], "2025-10-03T01:00:00.000Z");
    assert_eq!(
        left_out(&ran),
        [
            ("of another source", 0),
            ("no longer on the source", 0),
            ("disabled", 2),
            ("used since then", 5),
            ("last use unknown", 0)
        ]
    );
    let known =
        [("includeUnknown", RawValue::Boolean(false)), ("source", installation.source_id("Directory"))];
    let ran = report(&installation, "DORMANT_ACCOUNTS", &known);
    assert_eq!(ran.column("nativeIdentity"), ["edge", "exact", "late"]);
    assert_eq!(left_out(&ran)[0], ("of another source", 4));
    assert_eq!(left_out(&ran)[4], ("last use unknown", 3));
    let many = [
        ("days", number(104)),
        ("includeUnknown", RawValue::Boolean(false)),
        ("includeDisabled", RawValue::Boolean(true)),
    ];
    let ran = report(&installation, "DORMANT_ACCOUNTS", &many);
    assert_eq!(pairs(&ran, "nativeIdentity", "verdict"), [("exact", "PERHAPS"), ("off", "DORMANT")]);
    // The same again, as bytes.
    assert_eq!(ran.csv, installation.report("DORMANT_ACCOUNTS", &many).csv);
}

#[test]
fn passwords_are_old_recent_or_unknown() {
    let installation = directory();
    let directory = installation.source_id("Directory");
    let ran = report(&installation, "PASSWORD_AGE", &[("source", directory.clone())]);
    // `late` had its password set a second later than 90 days ago.
    let expected = [
        ("edge", "UNKNOWN"),
        ("exact", "OLD"),
        ("none", "UNKNOWN"),
        ("odd", "UNKNOWN"),
        ("pc1", "UNKNOWN"),
        ("pc2", "UNKNOWN"),
        ("pc3", "UNKNOWN"),
        ("pc5", "UNKNOWN"),
        ("used", "UNKNOWN"),
        ("zero", "UNKNOWN"),
    ];
    assert_eq!(pairs(&ran, "nativeIdentity", "verdict"), expected);
    assert_eq!((ran.column("passwordDays")[1], ran.column("passwordDays")[0]), ("90", ""));
    assert_eq!(ran.column("neverExpires")[0..3], ["false", "true", ""]);
    assert_eq!(left_out(&ran)[3], ("password set since then", 1));
    let known = [("includeUnknown", RawValue::Boolean(false)), ("days", number(89)), ("source", directory)];
    assert_eq!(report(&installation, "PASSWORD_AGE", &known).column("nativeIdentity"), ["exact", "late"]);
}

#[test]
fn privileged_accounts_say_what_makes_them_privileged() {
    let installation = directory();
    let ran = report(&installation, "PRIVILEGED_ACCESS", &[]);
    // `off` is in no such group: what follows the name in a distinguished name is missing.
    let expected = [
        ("exact", "by its values"),
        ("none", "by its values"),
        ("used", "marked by its source"),
        ("zero", "marked by its source, and by its values"),
    ];
    assert_eq!(pairs(&ran, "nativeIdentity", "grounds"), expected);
    assert_eq!(
        ran.column("privilegedBy"),
        ["CN=Domain Admins,CN=Users,DC=x", "CN=schema admins,DC=x", "", "CN=Administrators,CN=Builtin,DC=x"]
    );
    assert_eq!(ran.column("identityName"), ["1", "", "", ""]);
}

#[test]
fn machine_accounts_have_an_owner_or_not() {
    let installation = directory();
    let ran = report(&installation, "MACHINE_ACCOUNTS", &[]);
    let expected = [
        ("pc1", "OWNED"),
        // Its owner is TERMINATED.
        ("pc2", "OWNER_LEFT"),
        ("pc3", "OWNER_NOT_FOUND"),
        ("pc4", "NO_OWNER"),
        ("pc5", "OWNED"),
    ];
    assert_eq!(pairs(&ran, "nativeIdentity", "verdict"), expected);
    assert_eq!(ran.column("ownerName"), ["1", "2", "", "", "3"]);
    assert_eq!(left_out(&ran)[2], ("of one person, or of unknown kind", 12));
}

/// Snapshots are at 01:00, 02:00 and 03:00 on 2026-01-01.
fn leavers() -> Installation {
    let definition = DIRECTORY.replace(
        "preset = \"active_directory\"",
        "last_used = { from = \"seen\" }\nexpires = { from = \"end\" }",
    );
    let mut installation = Installation::new();
    let header = "id,mail,status,ends,left\n";
    let active: String = (1..=13).map(|id| format!("{id:02},{id}@x,A,,\n")).collect();
    installation.source(HR, "hr.csv", &format!("{header}{active}"));
    let accounts = |off: &[u32], gone: &[u32], seen: &str| {
        let row = |id: u32| {
            let off = if off.contains(&id) { "yes" } else { "no" };
            let seen = if id == 5 { seen } else { "" };
            let end = if id == 11 { "2026-01-01T01:20:00Z" } else { "" };
            format!("a{id:02},{id:02},{off},no,{seen},{end},,\n")
        };
        let rows: String = (1..=13).filter(|id| !gone.contains(id)).map(row).collect();
        format!("dn,emp,off,admin,seen,end,objectClass,memberOf\n{rows}")
    };
    installation.source(&definition, "dir.csv", &accounts(&[], &[], ""));
    installation.refresh();
    let left = "01,1@x,A,,2026-01-01T01:30:00Z\n02,2@x,A,,\n03,3@x,A,,2026-01-01T01:30:00Z\n04,4@x,A,,2026-01-01T01:30:00Z\n\
                05,5@x,A,,2026-01-01T01:30:00Z\n06,6@x,T,,\n08,8@x,A,2026-01-01,\n09,9@x,A,,\n10,10@x,A,,2026-01-01T01:30:00Z\n\
                11,11@x,A,,2026-01-01T01:30:00Z\n12,12@x,A,,soon\n13,13@x,A,2025-12-31,2026-05-01\n";
    installation.source(HR, "hr.csv", &format!("{header}{left}"));
    installation.source(&definition, "dir.csv", &accounts(&[1, 2, 5, 6], &[10], "2026-01-01T01:45:00Z"));
    installation.refresh();
    let left = left
        .replace("02,2@x,A,,", "02,2@x,A,,2026-01-01T02:30:00Z")
        .replace("09,9@x,A,,", "09,9@x,A,,2026-01-01T02:59:00Z");
    installation.source(HR, "hr.csv", &format!("{header}{left}"));
    installation.source(&definition, "dir.csv", &accounts(&[1, 2, 3, 5, 6], &[10], "2026-01-01T01:45:00Z"));
    installation.refresh();
    installation
}

#[test]
fn access_of_leavers_ended_in_time_late_or_nobody_can_tell() {
    let installation = leavers();
    let at_once = report(&installation, "LEAVERS_WITH_ACCESS", &[("days", number(0))]);
    let verdicts = |ran: &Ran| -> Vec<String> {
        ran.column("nativeIdentity")
            .iter()
            .zip(ran.column("basis"))
            .zip(ran.column("verdict"))
            .map(|((account, basis), verdict)| format!("{account} {basis} {verdict}"))
            .collect()
    };
    assert_eq!(
        verdicts(&at_once),
        [
            // Disabled between 01:00 and 02:00; left at 01:30.
            "a01 LEFT CANNOT_TELL",
            // Disabled by 02:00; left at 02:30.
            "a02 LEFT IN_TIME",
            // Seen at 02:00, disabled by 03:00; left at 01:30.
            "a03 LEFT LATE",
            // Still there at 03:00.
            "a04 LEFT LATE",
            // Used at 01:45.
            "a05 LEFT USED_AFTER_LEAVING",
            // TERMINATED without a date, disabled in the same snapshot.
            "a06 STATUS CANNOT_TELL",
            // No longer in HR from 02:00 on; still there at 03:00.
            "a07 LOST LATE",
            // Left a minute before the snapshot; still there.
            "a09 LEFT LATE",
            // Gone from the directory between 01:00 and 02:00.
            "a10 LEFT CANNOT_TELL",
            // Expired at 01:20, though nobody disabled it.
            "a11 LEFT IN_TIME",
        ]
    );
    // 08 ends today, of 12 the date cannot be read, and 13 leaves in May, whatever the contract says.
    assert_eq!(
        left_out(&at_once),
        [
            ("of nobody whom the caller sees", 0),
            ("on an authoritative source", 13),
            ("of a person who has not left", 3)
        ]
    );
    assert_eq!(
        at_once.column("accessSeen")[..3],
        ["2026-01-01T01:00:00.000Z", "2026-01-01T01:00:00.000Z", "2026-01-01T02:00:00.000Z"]
    );
    assert_eq!(
        at_once.column("accessEnded")[..3],
        ["2026-01-01T02:00:00.000Z", "2026-01-01T02:00:00.000Z", "2026-01-01T03:00:00.000Z"]
    );
    assert_eq!(at_once.column("missingSince")[8], "2026-01-01T02:00:00.000Z");
    let a_day = report(&installation, "LEAVERS_WITH_ACCESS", &[]);
    assert_eq!(
        verdicts(&a_day),
        [
            "a01 LEFT IN_TIME",
            "a02 LEFT IN_TIME",
            "a03 LEFT IN_TIME",
            "a04 LEFT OPEN",
            "a05 LEFT USED_AFTER_LEAVING",
            "a06 STATUS CANNOT_TELL",
            "a07 LOST CANNOT_TELL",
            "a09 LEFT OPEN",
            "a10 LEFT IN_TIME",
            "a11 LEFT IN_TIME",
        ]
    );
    // A caller who sees one source: the same accounts, because the people own them. The dead account has no owner in view.
    let directory = SourceId::new(installation.sources[1].definition.id.clone());
    let scope = DataScope::Sources([directory].into_iter().collect());
    let scoped =
        checked(installation.scoped_report(installation.manifest(), "LEAVERS_WITH_ACCESS", &[], &scope));
    assert_eq!(scoped.rows.len(), 9);
    assert_eq!(left_out(&scoped)[0], ("of nobody whom the caller sees", 1));
}

#[test]
fn sources_are_fresh_stale_or_never_read() {
    let mut installation = directory();
    let ran = report(&installation, "SOURCE_FRESHNESS", &[("hours", number(0))]);
    assert_eq!(pairs(&ran, "sourceName", "verdict"), [("Directory", "FRESH"), ("HR", "FRESH")]);
    assert_eq!(ran.column("read"), ["13", "4"]);
    // The directory is not there any more; what it had is kept.
    std::fs::remove_file(installation.dir.path().join("dir.csv")).unwrap();
    installation.publish_incomplete = true;
    installation.refresh();
    let ran = report(&installation, "SOURCE_FRESHNESS", &[("hours", number(0))]);
    assert_eq!(pairs(&ran, "sourceName", "verdict"), [("Directory", "STALE"), ("HR", "FRESH")]);
    assert_eq!((ran.column("ageHours"), ran.column("reads")), (vec!["1", "0"], vec!["2", "2"]));
    let ran = report(&installation, "SOURCE_FRESHNESS", &[]);
    assert_eq!(pairs(&ran, "sourceName", "verdict"), [("Directory", "LAST_READ_FAILED"), ("HR", "FRESH")]);
}

#[test]
fn refused_records_are_listed_with_what_they_leave_behind() {
    let mut installation = directory();
    installation.source(
        &HR.replace(
            "delete_threshold_percent = 100",
            "delete_threshold_percent = 100\nrefused_max_percent = 50",
        ),
        "hr.csv",
        "id,mail,status,ends,left\n1,one@x,A,,\n2,two@x,T,,,x\n3,three@x,A,,\n4,four@x,A,,\n",
    );
    installation.refresh();
    let ran = report(&installation, "REFUSED_RECORDS", &[]);
    assert_eq!((ran.column("line"), ran.column("nativeIdentity")), (vec!["3"], vec!["2"]));
    assert_eq!((ran.column("accountName"), ran.column("identityName")), (vec!["2"], vec!["2"]));
    let other = [("source", installation.source_id("Directory"))];
    assert!(report(&installation, "REFUSED_RECORDS", &other).rows.is_empty());
}

/// Entitlements of three accounts: a has x and y, b has x and is disabled and nobody's, c has none.
fn entitled() -> Installation {
    let definition = DIRECTORY
        .replace(
            "multi_valued = [\"objectClass\", \"memberOf\"]",
            "multi_valued = [\"groups\"]\nentitlements = [\"groups\"]",
        )
        .replace("preset = \"active_directory\"", "kind = { default = \"human\" }");
    let hr = HR
        .replace("attributes = [", "attributes = [{ name = \"manager\", from = \"boss\" }, ")
        .replace("[profile.dates]\nends = { from = \"ends\" }\nleft_on = { from = \"left\" }\n", "");
    let mut installation = Installation::new();
    installation.source(&hr, "hr.csv", "id,mail,status,boss\n1,one@x,A,\n2,two@x,A,1\n");
    installation.source(
        &definition,
        "dir.csv",
        "dn,emp,off,admin,groups\na,1,no,no,x|y\nb,9,yes,no,x\nc,2,no,yes,\nd,2,no,no,z\n",
    );
    installation.refresh();
    // d is gone, and z with it.
    installation.source(
        &definition,
        "dir.csv",
        "dn,emp,off,admin,groups\na,1,no,no,x|y\nb,9,yes,no,x\nc,2,no,yes,\n",
    );
    installation.refresh();
    installation
}

#[test]
fn access_says_who_has_what_and_why() {
    let installation = entitled();
    let ran = report(&installation, "ACCESS", &[]);
    let cells = |ran: &Ran| -> Vec<String> {
        let columns = ["identityName", "nativeIdentity", "entitlement", "attribute", "linkedBy"];
        let columns = columns.map(|name| ran.column(name));
        (0..ran.rows.len()).map(|row| columns.each_ref().map(|column| column[row]).join("|")).collect()
    };
    let rule = ran.column("linkedBy")[1].to_owned();
    assert!(rule.starts_with("rule "), "{rule}");
    assert_eq!(
        cells(&ran),
        [
            format!("1|a|x|groups|{rule}"),
            format!("1|a|y|groups|{rule}"),
            "1|1|||its account on an authoritative source".to_owned(),
            format!("2|c|||{rule}"),
            "2|2|||its account on an authoritative source".to_owned(),
            "|b|x|groups|unmatched".to_owned(),
        ]
    );
    assert_eq!(left_out(&ran), [("no longer on the source", 1), ("of another source or person", 0)]);
    let one = [("identity", RawValue::Text("1".into())), ("source", installation.source_id("Directory"))];
    let ran = report(&installation, "ACCESS", &one);
    assert_eq!(ran.column("entitlement"), ["x", "y"]);
    assert_eq!(left_out(&ran)[1].1, 4);
}

/// Snapshots are at 01:00 and 02:00, and here at 03:00 and 04:00.
#[test]
fn access_says_since_when_by_which_record_and_through_which_group() {
    let mut installation = entitled();
    let accounts =
        |a: &str| format!("dn,emp,off,admin,groups,groupPaths\na,1,no,no,{a}\nb,9,yes,no,x,\nc,2,no,yes,,\n");
    // a gets w through two groups, and loses y.
    std::fs::write(installation.dir.path().join("dir.csv"), accounts("w|x,w ← v ← x")).unwrap();
    installation.refresh();
    let third = installation.manifest().id.to_string();
    let columns = ["nativeIdentity", "entitlement", "since", "groupPath", "recordLine", "recordRead"];
    let cells = |ran: &Ran| -> Vec<String> {
        let columns = columns.map(|name| ran.column(name));
        let of = |text: &str| text.strip_prefix("2026-01-01T").unwrap_or(text).replace(":00:00.000Z", "");
        (0..ran.rows.len()).map(|row| columns.each_ref().map(|column| of(column[row])).join("|")).collect()
    };
    let ran = report(&installation, "ACCESS", &[]);
    assert_eq!(
        cells(&ran),
        [
            "a|w|03|w ← v ← x|2|03",
            "a|x|01||2|03",
            "1||01||2|01",
            // Their content is that of the first read.
            "c||01||4|01",
            "2||01||3|01",
            "b|x|01||3|01",
        ]
    );
    let snapshots = (ran.column("sinceSnapshot"), ran.column("recordSnapshot"));
    assert_eq!((snapshots.0[0], snapshots.1[0]), (third.as_str(), third.as_str()));
    assert_eq!((snapshots.0[1], snapshots.1[1]), (snapshots.0[5], third.as_str()));
    assert_eq!(snapshots.0[5], snapshots.1[5]);
    assert!(snapshots.0[5] != third && !snapshots.0[5].is_empty(), "{snapshots:?}");
    let read = installation.manifest().sources.iter().find(|run| run.name == "Directory").unwrap();
    assert_eq!(Some(ran.column("recordDigest")[0]), read.input_digest.as_deref());
    assert_ne!(ran.column("recordDigest")[0], ran.column("recordDigest")[5]);
    // What comes back is there since then.
    std::fs::write(installation.dir.path().join("dir.csv"), accounts("x|y,")).unwrap();
    installation.refresh();
    let ran = report(&installation, "ACCESS", &[("identity", RawValue::Text("1".into()))]);
    assert_eq!(cells(&ran), ["a|x|01||2|04", "a|y|04||2|04", "1||01||2|01"]);
}

#[test]
fn entitlements_are_counted_with_those_who_have_them() {
    let installation = entitled();
    let ran = report(&installation, "ENTITLEMENTS", &[]);
    let columns = ["entitlement", "attribute", "accounts", "enabledAccounts", "people", "accountsOfNobody"];
    let cells: Vec<String> =
        (0..ran.rows.len()).map(|row| columns.map(|name| ran.column(name)[row]).join("|")).collect();
    assert_eq!(cells, ["x|groups|2|1|1|1", "y|groups|1|1|1|0"]);
    assert!(
        report(&installation, "ENTITLEMENTS", &[("source", installation.source_id("HR"))]).rows.is_empty()
    );
}

#[test]
fn a_manager_reviews_the_accounts_of_people() {
    let installation = entitled();
    let ran = report(&installation, "MANAGER_REVIEW", &[]);
    let expected = [("1", "c"), ("1", "2"), ("", "a"), ("", "1")];
    assert_eq!(pairs(&ran, "managerName", "nativeIdentity"), expected);
    assert_eq!(left_out(&ran)[1], ("of nobody whom the caller sees", 1));
    let one = report(&installation, "MANAGER_REVIEW", &[("manager", RawValue::Text("1".into()))]);
    assert_eq!(one.column("nativeIdentity"), ["c", "2"]);
    assert_eq!(left_out(&one)[2].1, 2);
}

/// The columns of a report that the Python program prints.
const PRINTED: [(&str, &[&str]); 11] = [
    ("DORMANT_ACCOUNTS", &["nativeIdentity", "verdict"]),
    ("PASSWORD_AGE", &["nativeIdentity", "verdict"]),
    ("PRIVILEGED_ACCESS", &["nativeIdentity", "grounds"]),
    ("MACHINE_ACCOUNTS", &["nativeIdentity", "verdict"]),
    ("ACCESS", &["identityName", "nativeIdentity", "entitlement", "recordLine", "since"]),
    ("ENTITLEMENTS", &["entitlement", "accounts", "enabledAccounts", "people"]),
    ("MANAGER_REVIEW", &["managerName", "nativeIdentity"]),
    ("LEAVERS_WITH_ACCESS", &["nativeIdentity", "basis", "verdict"]),
    ("REFUSED_RECORDS", &["sourceName", "line", "nativeIdentity"]),
    ("SOURCE_FRESHNESS", &["sourceName", "verdict", "read", "refused", "loaded", "reads"]),
    ("ATTRIBUTE_MAPPINGS", &["attribute", "verdict", "people", "withValue", "withoutValue"]),
];

/// The same, of reports over a period.
const PRINTED_OF_PERIOD: [(&str, &[&str]); 3] = [
    ("ACCESS_CHANGES", &["nativeIdentity", "object", "change", "entitlement", "attribute"]),
    ("ACCESS_IN_PERIOD", &["identityName", "nativeIdentity", "entitlement", "verdict"]),
    ("IDENTITY_CHANGES", &["identityName", "change", "attribute"]),
];
const PRINTED_OF_POLICIES: &[&str] =
    &["policyName", "verdict", "identityName", "side", "nativeIdentity", "entitlement"];

/// Whether a report has the rows that the Python program has printed; of a report about accounts, those of the directory.
fn compare(dataset: &str, kind: &str, columns: &[&str], ran: &Ran, expected: &str) {
    let columns: Vec<_> = columns.iter().map(|name| ran.column(name)).collect();
    let of_accounts =
        !matches!(kind, "IDENTITY_CHANGES" | "SOD_VIOLATIONS" | "SOURCE_FRESHNESS" | "ATTRIBUTE_MAPPINGS");
    let is_compared = |row: &usize| !of_accounts || ran.column("sourceName")[*row] == "Directory";
    let mut rows: Vec<String> = (0..ran.rows.len())
        .filter(is_compared)
        .map(|row| columns.iter().map(|column| column[row]).collect::<Vec<_>>().join("\t"))
        .collect();
    let wanted = expected.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix('\t'));
    let mut wanted: Vec<String> = wanted.map(str::to_owned).collect();
    rows.sort_unstable();
    wanted.sort_unstable();
    assert!(!wanted.is_empty(), "{dataset}: {kind}");
    assert_eq!(rows, wanted, "{dataset}: {kind}");
}

/// Real people, accounts, groups and managers; the times are made up. Another program computes what each report must say.
#[test]
fn real_organisations_as_another_program_sees_them() {
    let Some(data) = shared_data() else { return };
    let hr = HR.replace("attributes = [", "attributes = [{ name = \"manager\", from = \"manager\" }, ");
    for dataset in ["hris", "webinar", "Example", "European"] {
        let out = tempfile::tempdir().unwrap();
        let ran = Command::new("python3")
            .args(["-c", include_str!("own_reports.py"), dataset])
            .args([data.as_path(), out.path()])
            .output();
        let Ok(ran) = ran else { return println!("SKIPPED: there is no python3") };
        assert!(ran.status.success(), "{dataset}: {}", String::from_utf8_lossy(&ran.stderr));
        let expected = String::from_utf8(ran.stdout).unwrap();
        let mut installation = Installation::new();
        let mut snapshots = Vec::new();
        for turn in ["1", "2"] {
            let file =
                |name: &str| std::fs::read_to_string(out.path().join(format!("{name}-{turn}.csv"))).unwrap();
            installation.source(&hr, "hr.csv", &file("hr"));
            installation.source(&directory_with_groups(), "dir.csv", &file("dir"));
            installation.refresh();
            snapshots.push(Arc::new(installation.manifest().clone()));
        }
        for (kind, columns) in PRINTED {
            compare(dataset, kind, columns, &report(&installation, kind, &[]), &expected);
        }
        for (kind, columns) in PRINTED_OF_PERIOD {
            let (earlier, last) = (&snapshots[..1], &snapshots[1]);
            let ran = installation.report_over(last, earlier, kind, &[], &DataScope::Everything);
            compare(dataset, kind, columns, &checked(ran), &expected);
        }
        let policies = std::fs::read_to_string(out.path().join("policies.json")).unwrap();
        let ran = report(&installation, "SOD_VIOLATIONS", &[("policies", RawValue::Text(policies))]);
        compare(dataset, "SOD_VIOLATIONS", PRINTED_OF_POLICIES, &ran, &expected);
    }
}
