//! What reports say after a refresh. What a refresh does is told by the cases (`cases.rs`).

use crate::house::{HR, House};

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#;

#[test]
fn the_candidates_of_a_disputed_account_are_reported() {
    let mut house = House::new();
    house.source(HR, "hr.csv", "id,name,mail\n1,Ann,same@x\n2,Bob,same@x\n");
    house.source(AD, "ad.csv", "dn,mail\na,same@x\n");
    house.refresh();
    let uncorrelated = house.report("UNCORRELATED_ACCOUNTS", &[]);
    let identities = house.report("IDENTITIES", &[]);
    let mut ids = identities.column("id");
    ids.sort_unstable();
    assert_eq!(uncorrelated.column("candidates"), [ids.join("; ")]);
}

#[test]
fn a_protected_identity_is_no_orphan() {
    let mut house = House::new();
    let definition = HR
        .replace("priority = 10", "priority = 10\nprotected = [\"2\"]")
        .replace("kind =", "delete_threshold_percent = 50\nkind =");
    house.source(&definition, "hr.csv", "id,name,mail\n1,Ann,a@x\n2,Glass,b@x\n");
    house.refresh();
    house.source(&definition, "hr.csv", "id,name,mail\n1,Ann,a@x\n");
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
    let mut house = House::new();
    house.source(HR, "hr.csv", "id,name,mail\n1,Ann,ann@x\n");
    house.source(AD, "ad.csv", "dn,mail\na,ann@x\n");
    house.refresh();
    let first = house.manifest.clone().unwrap();
    let before = house.report("IDENTITIES_DETAILS", &[]).csv;
    house.source(HR, "hr.csv", "id,name,mail\n1,Anne,ann@x\n2,Bob,b@x\n");
    house.refresh();
    assert_ne!(house.report("IDENTITIES_DETAILS", &[]).csv, before);
    assert_eq!(house.report_of(&first, "IDENTITIES_DETAILS", &[]).csv, before);
}
