//! What reports say after a refresh. What a refresh does is told by the cases (`cases.rs`).

use crate::installation::{HR, Installation};

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
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name,mail\n1,Ann,same@x\n2,Bob,same@x\n");
    installation.source(AD, "ad.csv", "dn,mail\na,same@x\n");
    installation.refresh();
    let uncorrelated = installation.report("UNCORRELATED_ACCOUNTS", &[]);
    let identities = installation.report("IDENTITIES", &[]);
    let mut ids = identities.column("id");
    ids.sort_unstable();
    assert_eq!(uncorrelated.column("candidates"), [ids.join("; ")]);
}

#[test]
fn a_protected_identity_is_not_an_orphan() {
    let mut installation = Installation::new();
    let definition = HR
        .replace("priority = 10", "priority = 10\nprotected = [\"2\"]")
        .replace("kind =", "delete_threshold_percent = 50\nkind =");
    installation.source(&definition, "hr.csv", "id,name,mail\n1,Ann,a@x\n2,Glass,b@x\n");
    installation.refresh();
    installation.source(&definition, "hr.csv", "id,name,mail\n1,Ann,a@x\n");
    installation.refresh();
    let orphans = installation.report("ORPHAN_IDENTITIES", &[]);
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
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name,mail\n1,Ann,ann@x\n");
    installation.source(AD, "ad.csv", "dn,mail\na,ann@x\n");
    installation.refresh();
    let first = installation.manifest.clone().unwrap();
    let before = installation.report("IDENTITIES_DETAILS", &[]).csv;
    installation.source(HR, "hr.csv", "id,name,mail\n1,Anne,ann@x\n2,Bob,b@x\n");
    installation.refresh();
    assert_ne!(installation.report("IDENTITIES_DETAILS", &[]).csv, before);
    assert_eq!(installation.report_of(&first, "IDENTITIES_DETAILS", &[]).csv, before);
}

/// Names and values contain everything that has a meaning in a query.
#[test]
fn texts_of_sources_and_definitions_are_texts() {
    for text in ["$now", "$never", "'", "''; --", "\\'", "{id}", "\"", "%s", "refresh_time()", "a\u{0}b"] {
        let mut installation = Installation::new();
        let toml = |text: &str| format!("{text:?}").replace("\\0", "\\u0000");
        let csv = text.replace('"', "\"\"");
        let people = HR
            .replace("priority = 10", &format!("priority = 10\nprotected = [{}]", toml(text)))
            .replace("name = \"Employees\"", &format!("name = {}", toml(text)))
            .replace("from = \"name\"", &format!("from = {}", toml(text)));
        installation.source(
            &people,
            "hr.csv",
            &format!("id,\"{csv}\",mail\n\"{csv}\",\"{csv}\",m@x\n2,N2,m2@x\n"),
        );
        let rule = AD.replace("\"email\"", "\"uid\"").replace("\"mail\"", &toml(text));
        installation.source(&rule, "ad.csv", &format!("dn,\"{csv}\"\n\"{csv}\",\"{csv}\"\n"));
        installation.link("AD", text, text);
        installation.refresh();
        installation.full = true;
        installation.refresh();
        assert_eq!(installation.accounts("AD").column("identityName"), [text], "{text:?}");
        let names = installation.report("IDENTITIES", &[]);
        let at = names.column("name").iter().position(|name| *name == text).unwrap();
        assert_eq!(names.column("lastName")[at], text);
        assert_eq!(names.column("identityProfile")[at], text);
    }
}
