//! Properties for any input (docs/identity-model.md).

use crate::installation::{Installation, Ran};
use muster_reports::arguments::RawValue;
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::{BTreeMap, BTreeSet};

fn authoritative(name: &str, file: &str, priority: u32) -> String {
    format!(
        r#"
name = "{name}"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "{file}"
native_identity = "id"
[profile]
name = "{name} people"
priority = {priority}
[[profile.attributes]]
name = "uid"
from = "uid"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#
    )
}

const DIRECTORY: &str = r#"
name = "Directory"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "directory.csv"
native_identity = "dn"
[delimited.system]
column = "system"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
ignore_case = true
"#;

/// Small alphabets, so that conflicts, disputes and blanks are frequent.
#[derive(Debug, Clone)]
struct Person {
    id: u8,
    uid: Option<u8>,
    name: Option<u8>,
    mail: Option<u8>,
}

#[derive(Debug, Clone)]
struct Account {
    dn: u8,
    emp: Option<u8>,
    mail: Option<u8>,
    system: bool,
}

#[derive(Debug, Clone)]
struct Organisation {
    staff: Vec<Person>,
    contractors: Vec<Person>,
    accounts: Vec<Account>,
    link: Option<(u8, u8)>,
}

fn text(value: Option<u8>, prefix: &str) -> String {
    value.map_or_else(String::new, |v| format!("{prefix}{v}"))
}

impl Organisation {
    fn install(&self, installation: &mut Installation, priorities: (u32, u32)) {
        let people = |people: &[Person], prefix: &str| {
            people.iter().fold("id,uid,name,mail\n".to_owned(), |file, p| {
                let (uid, name, mail) = (text(p.uid, prefix), text(p.name, "N"), text(p.mail, "m"));
                file + &format!("{prefix}{},{uid},{name},{mail}\n", p.id)
            })
        };
        installation.source(
            &authoritative("Staff", "staff.csv", priorities.0),
            "staff.csv",
            &people(&self.staff, "s"),
        );
        installation.source(
            &authoritative("Contractors", "contractors.csv", priorities.1),
            "contractors.csv",
            &people(&self.contractors, "c"),
        );
        let accounts = self.accounts.iter().fold("dn,emp,mail,system\n".to_owned(), |file, a| {
            file + &format!("d{},{},{},{}\n", a.dn, text(a.emp, "s"), text(a.mail, "M"), a.system)
        });
        installation.source(DIRECTORY, "directory.csv", &accounts);
        installation.links.clear();
        if let Some((dn, uid)) = self.link {
            installation.link("Directory", &format!("d{dn}"), &format!("s{uid}"));
        }
    }
}

fn unique<T: std::fmt::Debug + Clone>(
    item: impl Strategy<Value = T>,
    key: fn(&T) -> u8,
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(item, 0..most).prop_map(move |items| {
        let mut seen = BTreeSet::new();
        items.into_iter().filter(|item| seen.insert(key(item))).collect()
    })
}

fn organisation() -> impl Strategy<Value = Organisation> {
    let few = |most: u8| proptest::option::weighted(0.85, 0..most);
    let person = move || {
        (0..12u8, few(8), few(3), few(5)).prop_map(|(id, uid, name, mail)| Person { id, uid, name, mail })
    };
    let account = (0..20u8, few(8), few(5), proptest::bool::weighted(0.2))
        .prop_map(|(dn, emp, mail, system)| Account { dn, emp, mail, system });
    (
        unique(person(), |p| p.id, 9),
        unique(person(), |p| p.id, 6),
        unique(account, |a| a.dn, 14),
        proptest::option::of((0..20u8, 0..8u8)),
    )
        .prop_map(|(staff, contractors, accounts, link)| Organisation {
            staff,
            contractors,
            accounts,
            link,
        })
}

fn all_reports(installation: &Installation) -> BTreeMap<String, Ran> {
    let mut reports = BTreeMap::new();
    for kind in ["IDENTITIES", "IDENTITIES_DETAILS", "ORPHAN_IDENTITIES", "UNCORRELATED_ACCOUNTS"] {
        reports.insert(kind.to_owned(), installation.report(kind, &[]));
    }
    let correlated = [("correlatedOnly", RawValue::Boolean(true))];
    reports.insert("correlated".into(), installation.report("IDENTITIES_DETAILS", &correlated));
    for source in ["Staff", "Contractors", "Directory"] {
        reports.insert(format!("accounts of {source}"), installation.accounts(source));
    }
    for source in ["Staff", "Contractors"] {
        reports.insert(format!("errors of {source}"), installation.errors(source));
    }
    reports
}

fn files(reports: &BTreeMap<String, Ran>) -> BTreeMap<&str, &str> {
    reports.iter().map(|(name, ran)| (name.as_str(), ran.csv.as_str())).collect()
}

/// The result of the rules for a directory account, from the reported identities, by brute force without joins.
fn expected_link(
    account: &Account,
    link: Option<(u8, u8)>,
    identities: &[(String, String, String)],
) -> String {
    let find = |matches: &dyn Fn(&(String, String, String)) -> bool| -> Vec<String> {
        identities.iter().filter(|i| matches(i)).map(|i| i.0.clone()).collect()
    };
    if let Some((dn, uid)) = link
        && dn == account.dn
        && let [only] = &find(&|i| i.1 == format!("s{uid}"))[..]
    {
        return format!("linked {only}");
    }
    let (emp, mail) = (text(account.emp, "s"), text(account.mail, "m"));
    let by_uid = if emp.is_empty() { Vec::new() } else { find(&|i| i.1 == emp) };
    let by_mail = if mail.is_empty() { Vec::new() } else { find(&|i| i.2 == mail) };
    let decided = if by_uid.is_empty() { by_mail } else { by_uid };
    match &decided[..] {
        [] => "UNMATCHED".into(),
        [only] => format!("linked {only}"),
        _ => "DISPUTED".into(),
    }
}

proptest! {
    #![proptest_config(Config { cases: 10, max_shrink_iters: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn accounts_are_linked_as_the_rules_say_and_reports_add_up(organisation in organisation()) {
        let mut installation = Installation::new();
        organisation.install(&mut installation, (10, 20));
        installation.refresh();
        let reports = all_reports(&installation);
        for (name, ran) in &reports {
            prop_assert_eq!(ran.reconciliation.expected, ran.reconciliation.reported, "{}", name);
            for subtotal in &ran.reconciliation.subtotals {
                let sum: u64 = subtotal.parts.iter().map(|p| p.rows).sum();
                prop_assert_eq!(sum, ran.reconciliation.reported, "{} by {}", name, &subtotal.by);
            }
        }
        let people = &reports["IDENTITIES"];
        let identities: Vec<_> = people
            .column("id").into_iter().zip(people.column("name")).zip(people.column("email"))
            .map(|((id, uid), mail)| (id.to_owned(), uid.to_owned(), mail.to_owned()))
            .collect();
        let directory = &reports["accounts of Directory"];
        prop_assert_eq!(directory.rows.len(), organisation.accounts.len());
        for account in &organisation.accounts {
            let at = directory.column("nativeIdentity").iter().position(|n| *n == format!("d{}", account.dn));
            let at = at.expect("every account of the file is reported");
            let (situation, owner) = (directory.column("situation")[at], directory.column("identityId")[at]);
            let found = if owner.is_empty() { situation.to_owned() } else { format!("linked {owner}") };
            prop_assert_eq!(found, expected_link(account, organisation.link, &identities));
        }
        let unowned = organisation.accounts.iter()
            .filter(|a| !a.system && !expected_link(a, organisation.link, &identities).starts_with("linked"))
            .count();
        let reported = reports["UNCORRELATED_ACCOUNTS"].column("sourceName").iter().filter(|s| **s == "Directory").count();
        prop_assert_eq!(reported, unowned);
    }

    #[test]
    fn refreshing_twice_changes_nothing(organisation in organisation()) {
        let mut installation = Installation::new();
        organisation.install(&mut installation, (10, 20));
        installation.refresh();
        let first = all_reports(&installation);
        installation.refresh();
        let second = all_reports(&installation);
        prop_assert_eq!(files(&first), files(&second));
    }

    #[test]
    fn the_order_of_rows_is_irrelevant(organisation in organisation(), turn in 1..5usize) {
        let mut installation = Installation::new();
        organisation.install(&mut installation, (10, 20));
        installation.refresh();
        let first = all_reports(&installation);
        let mut turned = organisation.clone();
        turned.staff.reverse();
        turned.contractors.reverse();
        let most = turned.accounts.len().max(1);
        turned.accounts.rotate_left(turn % most);
        let mut other = Installation::new();
        turned.install(&mut other, (10, 20));
        other.refresh();
        let second = all_reports(&other);
        prop_assert_eq!(files(&first), files(&second));
    }

    #[test]
    fn priorities_move_profiles_and_never_ids(organisation in organisation()) {
        let mut installation = Installation::new();
        organisation.install(&mut installation, (10, 20));
        installation.refresh();
        let owners = |installation: &Installation| -> BTreeMap<String, String> {
            ["Staff", "Contractors"].into_iter().flat_map(|source| {
                let accounts = installation.accounts(source);
                let natives: Vec<String> = accounts.column("nativeIdentity").into_iter().map(str::to_owned).collect();
                let ids: Vec<String> = accounts.column("identityId").into_iter().map(str::to_owned).collect();
                natives.into_iter().zip(ids).filter(|(_, id)| !id.is_empty()).collect::<Vec<_>>()
            }).collect()
        };
        let before = owners(&installation);
        organisation.install(&mut installation, (20, 10));
        installation.refresh();
        let after = owners(&installation);
        for (native, id) in &before {
            prop_assert_eq!(after.get(native), Some(id), "{}", native);
        }
    }

    #[test]
    fn an_incomplete_run_never_raises_the_orphan_count(organisation in organisation(), kept in 0..9usize) {
        let mut installation = Installation::new();
        organisation.install(&mut installation, (10, 20));
        installation.refresh();
        let before = installation.report("ORPHAN_IDENTITIES", &[]).rows.len();
        let path = installation.dir.path().join("staff.csv");
        let whole = std::fs::read_to_string(&path).unwrap();
        let cut: String = whole.split_inclusive('\n').take(1 + kept).collect();
        std::fs::write(&path, format!("{cut}\"never closed")).unwrap();
        let outcome = installation.refresh();
        let staff = outcome.sources.iter().find(|s| s.run.name == "Staff").unwrap();
        prop_assert!(!staff.run.complete);
        prop_assert!(installation.report("ORPHAN_IDENTITIES", &[]).rows.len() <= before);
    }
}
