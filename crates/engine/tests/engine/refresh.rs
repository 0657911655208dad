//! Refresh, case by case. The expected results were derived by hand from the few rows of each case.

use crate::house::House;

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
[[profile.attributes]]
name = "email"
from = "mail"
transforms = ["lower"]
[[profile.attributes]]
name = "grade"
from = "grade"
transforms = [{ lookup = { "1" = "junior", "2" = "senior" } }]
[[profile.attributes]]
name = "manager"
from = "boss"
"#;

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
ignore_case = true
"#;

fn house(hr: &str, ad: &str) -> House {
    let mut house = House::new();
    house.source(HR, "hr.csv", &format!("id,name,mail,grade,boss\n{hr}"));
    house.source(AD, "ad.csv", &format!("dn,emp,mail\n{ad}"));
    house
}

fn situations(house: &House) -> Vec<String> {
    let accounts = house.accounts("AD");
    accounts
        .column("nativeIdentity")
        .iter()
        .zip(accounts.column("situation"))
        .zip(accounts.column("identityName"))
        .map(|((native, situation), identity)| format!("{native} {situation} {identity}"))
        .collect()
}

#[test]
fn the_first_rule_that_matches_decides() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,1\n", "a,1,BOB@X\nb,,BOB@X\nc,9,nobody@x\nd,,\n");
    house.refresh();
    assert_eq!(situations(&house), ["a LINKED 1", "b LINKED 2", "c UNMATCHED ", "d UNMATCHED "]);
}

#[test]
fn two_matches_dispute_and_none_is_picked() {
    let mut house = house("1,Ann,same@x,1,\n2,Bob,same@x,1,1\n", "a,,same@x\n");
    house.refresh();
    assert_eq!(situations(&house), ["a DISPUTED "]);
    let uncorrelated = house.report("UNCORRELATED_ACCOUNTS", &[]);
    let identities = house.report("IDENTITIES", &[]);
    let mut ids = identities.column("id");
    ids.sort_unstable();
    assert_eq!(uncorrelated.column("candidates"), [ids.join("; ")]);
}

#[test]
fn a_manual_link_wins_survives_and_follows_its_identity() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,1\n", "a,1,\n");
    house.link("AD", "a", "2");
    house.refresh();
    assert_eq!(situations(&house), ["a LINKED 2"]);
    assert_eq!(house.accounts("AD").column("manuallyCorrelated"), ["true"]);
    house.refresh();
    assert_eq!(situations(&house), ["a LINKED 2"]);
    house.links.clear();
    house.refresh();
    assert_eq!(situations(&house), ["a LINKED 1"]);
}

#[test]
fn errors_name_what_is_wrong() {
    let mut house = house("1,,ann@x,1,\n2,Bob,,7,1\n3,Cid,c@x,,9\n", "");
    house.refresh();
    let errors = house.errors("HR");
    let found: Vec<String> = errors
        .column("nativeIdentity")
        .iter()
        .zip(errors.column("errorCode"))
        .zip(errors.column("attribute"))
        .zip(errors.column("value"))
        .map(|(((native, code), attribute), value)| format!("{native} {code} {attribute} {value}"))
        .collect();
    assert_eq!(
        found,
        [
            "1 MISSING_REQUIRED_ATTRIBUTE lastname ",
            "2 MISSING_REQUIRED_ATTRIBUTE email ",
            "2 TRANSFORM_FAILED grade 7",
            "3 MANAGER_UNRESOLVED manager 9",
        ]
    );
    let identities = house.report("IDENTITIES", &[]);
    assert_eq!(identities.column("status"), ["ACTIVE", "ACTIVE", "ACTIVE"]);
    assert_eq!(identities.column("managerName"), ["", "1", ""]);
}

#[test]
fn an_account_without_a_uid_becomes_no_identity_and_is_reported() {
    let mut house = House::new();
    let definition = HR.replace("from = \"id\"", "from = \"number\"");
    house.source(&definition, "hr.csv", "id,name,mail,grade,boss,number\nx,Ann,a@x,1,,\ny,Bob,b@x,1,,2\n");
    house.refresh();
    assert_eq!(house.report("IDENTITIES", &[]).column("name"), ["2"]);
    let errors = house.errors("HR");
    assert_eq!(errors.column("nativeIdentity"), ["x"]);
    assert_eq!(errors.column("identityId"), [""]);
    assert_eq!(errors.column("attribute"), ["uid"]);
}

#[test]
fn a_shared_uid_lists_both_sides() {
    let mut house = House::new();
    let definition = HR.replace("from = \"id\"", "from = \"number\"");
    house.source(&definition, "hr.csv", "id,name,mail,grade,boss,number\nx,Ann,a@x,1,,7\ny,Bob,b@x,1,,7\n");
    house.refresh();
    let errors = house.errors("HR");
    assert_eq!(errors.column("errorCode"), ["NON_UNIQUE_ATTRIBUTE", "NON_UNIQUE_ATTRIBUTE"]);
    assert_eq!(errors.column("nativeIdentity"), ["x", "y"]);
    assert_eq!(errors.column("value"), ["7", "7"]);
}

#[test]
fn a_leaver_becomes_an_orphan_and_its_accounts_uncorrelated() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,\n", "a,1,\nb,2,\n");
    house.refresh();
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Ann,ann@x,1,\n");
    let outcome = house.refresh();
    let hr = outcome.sources.iter().find(|s| s.run.name == "HR").unwrap();
    assert_eq!((hr.run.missing, hr.run.unchanged), (1, 1));
    assert_eq!(situations(&house), ["a LINKED 1", "b PLACEHOLDER_OWNER 2"]);
    let orphans = house.report("ORPHAN_IDENTITIES", &[]);
    assert_eq!(orphans.column("name"), ["2"]);
    assert_eq!(orphans.column("accounts"), ["AD:b"]);
    assert_eq!(orphans.column("lostSince"), ["2026-01-01T02:00:00.000Z"]);
    assert_eq!(house.report("UNCORRELATED_ACCOUNTS", &[]).column("account"), ["b"]);
    // When the account exists again, the loss ends and the identity is the same.
    let before = orphans.column("id")[0].to_owned();
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Ann,ann@x,1,\n2,Bob,bob@x,1,\n");
    house.refresh();
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
    assert!(house.report("IDENTITIES", &[]).column("id").contains(&before.as_str()));
}

#[test]
fn past_the_delete_threshold_nobody_is_missing() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,\n3,Cid,c@x,1,\n", "");
    house.refresh();
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Ann,ann@x,1,\n");
    let outcome = house.refresh();
    let hr = outcome.sources.iter().find(|s| s.run.name == "HR").unwrap();
    assert_eq!(hr.run.missing, 0);
    assert_eq!(
        hr.run.remark.as_deref(),
        Some(
            "2 of 3 accounts are missing, more than the delete threshold of 50 percent: they were kept; \
             `muster refresh --accept-missing \"HR\"` accepts it"
        )
    );
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
}

#[test]
fn an_incomplete_read_marks_nobody_missing() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,\n", "");
    house.refresh();
    // The quote is never closed, so the read ends early.
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Ann,ann@x,1,\n\"2,Bob");
    let outcome = house.refresh();
    let hr = outcome.sources.iter().find(|s| s.run.name == "HR").unwrap();
    assert!(!hr.run.complete);
    assert_eq!((hr.run.missing, hr.run.rejected), (0, 1));
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
}

#[test]
fn a_rejected_record_keeps_its_account() {
    let mut house = house("1,Ann,ann@x,1,\n2,Bob,bob@x,1,\n", "");
    house.refresh();
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Ann,ann@x,1,\n2,Bob,too,many,fields,here\n");
    let outcome = house.refresh();
    let hr = outcome.sources.iter().find(|s| s.run.name == "HR").unwrap();
    assert_eq!((hr.run.read, hr.run.rejected, hr.run.missing, hr.run.loaded), (2, 1, 0, 2));
    assert_eq!(hr.rejections[0].line, 3);
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
}

#[test]
fn a_source_that_cannot_be_read_leaves_the_last_snapshot() {
    let mut house = house("1,Ann,ann@x,1,\n", "a,1,\n");
    house.refresh();
    let before = house.manifest.clone();
    std::fs::remove_file(house.dir.path().join("ad.csv")).unwrap();
    let outcome = house.refresh();
    assert!(outcome.manifest.is_none());
    let ad = outcome.sources.iter().find(|s| s.run.name == "AD").unwrap();
    assert!(ad.failure.as_ref().unwrap().contains("ad.csv"), "{:?}", ad.failure);
    assert_eq!(house.manifest, before);
    assert_eq!(situations(&house), ["a LINKED 1"]);
    // If the refresh may continue without the source, its accounts stay unchanged.
    house.publish_incomplete = true;
    let outcome = house.refresh();
    assert!(!outcome.manifest.unwrap().source(&house.sources[1].definition.id).unwrap().complete);
    assert_eq!(situations(&house), ["a LINKED 1"]);
}

#[test]
fn conflicting_rows_are_all_rejected_and_equal_ones_are_one() {
    let mut house = house("1,Ann,ann@x,1,\n", "a,1,\na,1,\nb,1,\nb,2,\n");
    let outcome = house.refresh();
    let ad = outcome.sources.iter().find(|s| s.run.name == "AD").unwrap();
    assert_eq!((ad.run.read, ad.run.rejected, ad.run.loaded), (4, 2, 1));
    let lines: Vec<u64> = ad.rejections.iter().map(|r| r.line).collect();
    assert_eq!(lines, [4, 5]);
    assert_eq!(situations(&house), ["a LINKED 1"]);
}

#[test]
fn rows_of_one_account_are_united_where_the_source_says_so() {
    let mut house = house("1,Ann,ann@x,1,\n", "");
    let badge = r#"
name = "Badge"
kind = "delimited"
[delimited]
path = "badge.csv"
native_identity = "card"
merge_rows = true
entitlements = ["door"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;
    house.source(badge, "badge.csv", "card,emp,door\nk,1,west\nk,1,east\nk,1,west\n");
    house.refresh();
    let accounts = house.accounts("Badge");
    assert_eq!(accounts.column("door"), ["east; west"]);
    assert_eq!(accounts.column("entitlementCount"), ["2"]);
    assert_eq!(accounts.column("identityName"), ["1"]);
}

const CONTRACTORS: &str = r#"
name = "Contractors"
kind = "delimited"
[delimited]
path = "contractors.csv"
native_identity = "no"
[profile]
name = "Contractors"
priority = 20
[[profile.attributes]]
name = "uid"
from = "no"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#;

#[test]
fn priority_moves_the_profile_and_never_the_id() {
    let mut house = house("1,Ann,ann@x,1,\n", "");
    house.source(CONTRACTORS, "contractors.csv", "no,name,mail\nc7,Ann,ann@x\nc8,Zoe,zoe@x\n");
    house.refresh();
    let before = house.report("IDENTITIES", &[]);
    assert_eq!(before.column("name"), ["1", "c8"]);
    assert_eq!(before.column("identityProfile"), ["Employees", "Contractors"]);
    house.source(
        &CONTRACTORS.replace("priority = 20", "priority = 5"),
        "contractors.csv",
        "no,name,mail\nc7,Ann,ann@x\nc8,Zoe,zoe@x\n",
    );
    house.refresh();
    let after = house.report("IDENTITIES", &[]);
    assert_eq!(after.column("name"), ["c7", "c8"]);
    assert_eq!(after.column("identityProfile"), ["Contractors", "Contractors"]);
    let sorted = |ids: Vec<&str>| {
        let mut ids: Vec<_> = ids.into_iter().map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(before.column("id")), sorted(after.column("id")));
}

#[test]
fn a_protected_identity_is_no_orphan() {
    let mut house = House::new();
    let definition = HR.replace("priority = 10", "priority = 10\nprotected = [\"2\"]");
    house.source(&definition, "hr.csv", "id,name,mail,grade,boss\n1,Ann,a@x,1,\n2,Glass,b@x,1,\n");
    house.refresh();
    house.source(&definition, "hr.csv", "id,name,mail,grade,boss\n1,Ann,a@x,1,\n");
    house.refresh();
    let orphans = house.report("ORPHAN_IDENTITIES", &[]);
    assert_eq!(orphans.rows.len(), 0);
    let left_out: Vec<_> =
        orphans.reconciliation.excluded.iter().map(|c| (c.label.as_str(), c.rows)).collect();
    assert_eq!(
        left_out,
        [
            ("has an account on an authoritative source", 1),
            ("protected, without an account on an authoritative source", 1)
        ]
    );
}

#[test]
fn an_old_snapshot_reads_as_it_was() {
    let mut house = house("1,Ann,ann@x,1,\n", "a,1,\n");
    house.refresh();
    let first = house.manifest.clone().unwrap();
    let before = house.report("IDENTITIES_DETAILS", &[]).csv;
    house.source(HR, "hr.csv", "id,name,mail,grade,boss\n1,Anne,ann@x,2,\n2,Bob,b@x,1,\n");
    house.refresh();
    assert_ne!(house.report("IDENTITIES_DETAILS", &[]).csv, before);
    assert_eq!(house.report_of(&first, "IDENTITIES_DETAILS", &[]).csv, before);
}
