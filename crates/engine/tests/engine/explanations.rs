//! What people are told: totals before and after a refresh, why a rule does not match an account, and which manual links
//! name nobody.

use crate::installation::{HR, Installation, block_on};
use muster_engine::refresh::RefreshOutcome;

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

/// People 1 to `n`, each with an account.
fn installation(n: u32) -> Installation {
    let mut installation = Installation::new();
    hr(&mut installation, &people(1..=n));
    ad(&mut installation, &accounts(1..=n));
    installation
}

fn people(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("{n},N{n},m{n}@x\n")).collect()
}

fn accounts(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("a{n},{n},on\n")).collect()
}

fn hr(installation: &mut Installation, rows: &str) {
    installation.source(HR, "hr.csv", &format!("id,name,mail\n{rows}"));
}

fn ad(installation: &mut Installation, rows: &str) {
    installation.source(AD, "ad.csv", &format!("dn,emp,state\n{rows}"));
}

#[test]
fn totals_are_given_with_those_of_the_last_refresh() {
    let mut installation = installation(10);
    let totals = |outcome: &RefreshOutcome| -> Vec<_> {
        outcome.totals.iter().map(|total| (total.counted, total.now, total.before)).collect()
    };
    let first = installation.refresh();
    assert_eq!(totals(&first)[0], ("linked accounts", 20, None));
    // 10 is missing, nobody has a11, and two records of HR are refused.
    hr(&mut installation, &format!("{}11,N11,m11@x\n12,N12\n13,N13\n", people(1..=9)));
    ad(&mut installation, &format!("{}a11,,on\n", accounts(1..=10)));
    installation.sources.iter_mut().for_each(|source| source.definition.refused_max_percent = 50);
    let second = installation.refresh();
    assert_eq!(
        totals(&second),
        [
            ("linked accounts", 20, Some(20)),
            ("uncorrelated accounts", 2, Some(0)),
            ("disputed accounts", 0, Some(0)),
            ("orphan identities", 1, Some(0)),
            ("identity errors", 2, Some(0)),
            ("refused records", 2, Some(0)),
        ]
    );
}

#[test]
fn an_explanation_shows_invisible_differences() {
    let mut installation = installation(3);
    ad(&mut installation, "a1,1\u{200b},on\na2,2,on\na3,nobody,on\n");
    installation.refresh();
    let explain = |native: &str| {
        let manifest = installation.manifest.clone().unwrap();
        block_on(installation.engine.explain_correlation(manifest, "AD", native)).unwrap().rules.remove(0)
    };
    let rule = explain("a1");
    let near: Vec<_> = rule.near.iter().map(|near| (near.identity.name.as_str(), near.differ_in)).collect();
    assert_eq!((rule.found, near), (0, vec![("1", "white space or invisible characters")]));
    assert_eq!((explain("a2").found, explain("a2").near.len()), (1, 0));
    assert_eq!((explain("a3").found, explain("a3").near.len()), (0, 0));
}

#[test]
fn links_of_nobody_and_to_nobody_are_refused_with_the_nearest_name() {
    let mut installation = Installation::new();
    hr(&mut installation, "kowalski,N1,m1@x\nnowak,N2,m2@x\n");
    ad(&mut installation, "cn=kowalski,,on\ncn=nowak,,on\n");
    installation.refresh();
    installation.link("AD", "cn=kowalski", "kowalski");
    installation.link("AD", "cn=Kowalski", "nowak");
    installation.link("AD", "cn=nowak", "novak");
    installation.link("AD", "elsewhere", "nobody");
    let refused = block_on(
        installation.engine.refused_links(installation.manifest.clone().unwrap(), installation.links.clone()),
    );
    let refused: Vec<_> = refused.unwrap().into_iter().collect();
    let account = |name: &str, hint: &str| {
        format!("account is {name:?}: expected the native identity of an account of the source{hint}")
    };
    assert_eq!(
        refused,
        [
            (1, account("cn=Kowalski", ": the nearest name is \"cn=kowalski\"")),
            (
                2,
                "userName is \"novak\": expected the name of an identity: the nearest name is \"nowak\""
                    .to_owned()
            ),
            (3, account("elsewhere", "")),
        ]
    );
}
