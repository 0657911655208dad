//! Numbers before and after a refresh, texts with any characters, explanations, and links that cannot hold.

use crate::house::{HR, House, block_on};
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
fn house(n: u32) -> House {
    let mut house = House::new();
    hr(&mut house, &people(1..=n));
    ad(&mut house, &accounts(1..=n));
    house
}

fn people(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("{n},N{n},m{n}@x\n")).collect()
}

fn accounts(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("a{n},{n},on\n")).collect()
}

fn hr(house: &mut House, rows: &str) {
    house.source(HR, "hr.csv", &format!("id,name,mail\n{rows}"));
}

fn ad(house: &mut House, rows: &str) {
    house.source(AD, "ad.csv", &format!("dn,emp,state\n{rows}"));
}

#[test]
fn totals_are_given_with_those_of_the_last_refresh() {
    let mut house = house(10);
    let totals = |outcome: &RefreshOutcome| -> Vec<_> {
        outcome.totals.iter().map(|total| (total.counted, total.now, total.before)).collect()
    };
    let first = house.refresh();
    assert_eq!(totals(&first)[0], ("linked accounts", 20, None));
    // 10 is missing, nobody has a11, and two records of HR are refused.
    hr(&mut house, &format!("{}11,N11,m11@x\n12,N12\n13,N13\n", people(1..=9)));
    ad(&mut house, &format!("{}a11,,on\n", accounts(1..=10)));
    house.sources.iter_mut().for_each(|source| source.definition.refused_max_percent = 50);
    let second = house.refresh();
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

/// Names and values with everything that means something in a query.
#[test]
fn texts_of_sources_and_definitions_are_texts() {
    for text in ["$now", "$never", "'", "''; --", "\\'", "{id}", "\"", "%s", "refresh_time()", "a\u{0}b"] {
        let mut house = House::new();
        let toml = |text: &str| format!("{text:?}").replace("\\0", "\\u0000");
        let csv = text.replace('"', "\"\"");
        let people = HR
            .replace("priority = 10", &format!("priority = 10\nprotected = [{}]", toml(text)))
            .replace("name = \"Employees\"", &format!("name = {}", toml(text)))
            .replace("from = \"name\"", &format!("from = {}", toml(text)));
        house.source(&people, "hr.csv", &format!("id,\"{csv}\",mail\n\"{csv}\",\"{csv}\",m@x\n2,N2,m2@x\n"));
        let rule = AD.replace("\"emp\"", &toml(text));
        house.source(&rule, "ad.csv", &format!("dn,\"{csv}\"\n\"{csv}\",\"{csv}\"\n"));
        house.link("AD", text, text);
        house.refresh();
        house.full = true;
        house.refresh();
        assert_eq!(house.accounts("AD").column("identityName"), [text], "{text:?}");
        let names = house.report("IDENTITIES", &[]);
        let at = names.column("name").iter().position(|name| *name == text).unwrap();
        assert_eq!(names.column("lastName")[at], text);
        assert_eq!(names.column("identityProfile")[at], text);
    }
}

#[test]
fn an_explanation_says_what_nobody_sees() {
    let mut house = house(3);
    ad(&mut house, "a1,1\u{200b},on\na2,2,on\na3,nobody,on\n");
    house.refresh();
    let explain = |native: &str| {
        let manifest = house.manifest.clone().unwrap();
        block_on(house.engine.explain_correlation(manifest, "AD", native)).unwrap().rules.remove(0)
    };
    let rule = explain("a1");
    let near: Vec<_> = rule.near.iter().map(|near| (near.identity.name.as_str(), near.differ_in)).collect();
    assert_eq!((rule.found, near), (0, vec![("1", "white space or invisible characters")]));
    assert_eq!((explain("a2").found, explain("a2").near.len()), (1, 0));
    assert_eq!((explain("a3").found, explain("a3").near.len()), (0, 0));
}

#[test]
fn links_of_nobody_and_to_nobody_are_refused_with_the_nearest_name() {
    let mut house = House::new();
    hr(&mut house, "kowalski,N1,m1@x\nnowak,N2,m2@x\n");
    ad(&mut house, "cn=kowalski,,on\ncn=nowak,,on\n");
    house.refresh();
    house.link("AD", "cn=kowalski", "kowalski");
    house.link("AD", "cn=Kowalski", "nowak");
    house.link("AD", "cn=nowak", "novak");
    house.link("AD", "elsewhere", "nobody");
    let refused = block_on(house.engine.refused_links(house.manifest.clone().unwrap(), house.links.clone()));
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
