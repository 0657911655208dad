//! Guards on what is read: refused records, missing accounts, lost links, unknown names.

use crate::house::{HR, House, block_on};
use muster_engine::refresh::{RefreshOutcome, SourceOutcome};
use muster_reports::snapshot::SourceRun;

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

fn of<'a>(outcome: &'a RefreshOutcome, name: &str) -> &'a SourceOutcome {
    outcome.sources.iter().find(|source| source.run.name == name).unwrap()
}

fn run(house: &mut House, name: &str) -> SourceRun {
    of(&house.refresh(), name).run.clone()
}

#[test]
fn a_read_of_which_all_records_were_refused_has_failed() {
    let mut house = house(2);
    house.refresh();
    let before = house.manifest.clone();
    ad(&mut house, "a1,1,on,\na2,2,on,\n");
    let outcome = house.refresh();
    let failure = of(&outcome, "AD").failure.clone().unwrap();
    assert!(failure.starts_with("all 2 records were refused; the first: line 2: "), "{failure}");
    assert!(outcome.manifest.is_none() && house.manifest == before);
    // If the refresh continues without the source, its accounts stay unchanged, and the outcome says so.
    house.publish_incomplete = true;
    let ad = run(&mut house, "AD");
    assert_eq!((ad.complete, ad.loaded, ad.stale, ad.missing), (false, 2, 2, 0));
}

#[test]
fn more_refused_records_than_the_definition_allows_make_the_read_incomplete() {
    let mut house = house(10);
    house.refresh();
    // a2's record is refused and a1 is missing: one of nine records is more than 10 percent.
    ad(&mut house, &format!("a2,2\n{}", accounts(3..=10)));
    let incomplete = run(&mut house, "AD");
    assert_eq!((incomplete.complete, incomplete.missing, incomplete.stale), (false, 0, 2));
    assert_eq!(
        incomplete.remark.as_deref(),
        Some("1 of 9 records were refused, more than refused_max_percent of 10: the read is not complete")
    );
    // One of ten is not more. The account of the refused record stays unchanged, and the other account is missing.
    ad(&mut house, &format!("a2,2\n{}a11,,on\n", accounts(3..=10)));
    let complete = run(&mut house, "AD");
    assert_eq!((complete.complete, complete.missing, complete.stale), (true, 1, 1));
    assert_eq!((complete.read, complete.rejected, complete.remark), (10, 1, None));
}

#[test]
fn a_refused_record_of_nobody_could_be_anybody() {
    let mut house = house(10);
    house.refresh();
    // Ada's key is blank: it must not make her an orphan.
    hr(&mut house, &format!(",N1,m1@x\n{}", people(2..=10)));
    let hr = run(&mut house, "HR");
    assert_eq!((hr.complete, hr.rejected, hr.missing, hr.stale), (true, 1, 0, 1));
    let remark = hr.remark.unwrap();
    assert!(
        remark.contains("1 accounts are missing, and 1 refused records have no native identity"),
        "{remark}"
    );
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
}

#[test]
fn refused_records_of_people_are_errors_of_their_profile() {
    let mut house = House::new();
    let broken = "3,N3,m3@x\n3,N3,other@x\n4,N4,Jr,m4@x\n,N5,m5@x\n,N6,m6@x\n";
    hr(&mut house, &format!("{}{broken}", people(1..=2)));
    house.refresh();
    let rows = |house: &House| {
        let errors = house.errors("HR");
        assert_eq!(errors.reconciliation.expected, errors.reconciliation.reported);
        let cells = errors.column("nativeIdentity").into_iter().zip(errors.column("errorCode"));
        let cells = cells.zip(errors.column("message")).zip(errors.column("identityName"));
        cells
            .map(|(((native, code), message), identity)| {
                format!("{native}|{code}|{}|{identity}", message.split(':').next().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let refused = [
        "3|RECORD_REFUSED|line 4|",
        "3|RECORD_REFUSED|line 5|",
        "4|RECORD_REFUSED|line 6|",
        "|RECORD_REFUSED|line 7|",
        "|RECORD_REFUSED|line 8|",
    ];
    let mut found = rows(&house);
    found.sort();
    let mut expected = refused.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    // A known person keeps their data, and the error belongs to that identity.
    hr(&mut house, "1,N1,m1@x\n2,N2\n");
    let run = run(&mut house, "HR");
    assert_eq!((run.rejected, run.stale), (1, 1));
    assert_eq!(rows(&house), ["2|RECORD_REFUSED|line 3|2"]);
    let states = house.search("id:*", |request| {
        request.columns = vec!["name".into(), "status".into(), "processingState".into()];
        request.indices = vec!["identities".into()];
        request.sort = vec!["name".into()];
    });
    assert_eq!(
        states.files["identities"].csv,
        "name,status,processingState\r\n1,ACTIVE,\r\n2,ACTIVE,ERROR\r\n"
    );
    // When the record can be read again, there is no error.
    hr(&mut house, &people(1..=2));
    house.refresh();
    assert_eq!(house.errors("HR").rows.len(), 0);
}

#[test]
fn accounts_past_the_threshold_are_held_until_somebody_accepts_their_loss() {
    let mut house = house(10);
    house.refresh();
    ad(&mut house, &accounts(1..=8));
    let held = run(&mut house, "AD");
    assert_eq!((held.missing, held.stale, held.loaded), (0, 2, 10));
    ad(&mut house, &accounts(2..=8));
    let again = run(&mut house, "AD");
    assert_eq!((again.missing, again.stale), (0, 3), "1 of 8 is more than 10 percent");
    ad(&mut house, &accounts((2..=8).chain(11..=40)));
    let held = run(&mut house, "AD");
    assert_eq!((held.missing, held.stale, held.created), (0, 3, 30));
    assert!(held.remark.unwrap().starts_with("3 accounts have been missing since an earlier read"));
    ad(&mut house, &accounts((3..=8).chain(11..=40)));
    let one = run(&mut house, "AD");
    assert_eq!((one.missing, one.stale), (1, 3), "1 of 37 is within 10 percent, and those held do not count");
    // One of them exists again.
    ad(&mut house, &accounts((3..=9).chain(11..=40)));
    let back = run(&mut house, "AD");
    assert_eq!((back.missing, back.stale, back.unchanged), (0, 2, 37));
    house.accept = vec!["AD"];
    let accepted = run(&mut house, "AD");
    assert_eq!((accepted.missing, accepted.stale, accepted.remark), (2, 0, None));
}

/// The same for people: identities are recomputed when one of them is held, and when one exists again.
#[test]
fn people_past_the_threshold_are_held_and_no_orphans() {
    let mut house = house(5);
    house.refresh();
    for (rows, expected) in [(1..=4, (0, 1)), (1..=4, (0, 1)), (1..=5, (0, 0))] {
        hr(&mut house, &people(rows));
        let hr = run(&mut house, "HR");
        assert_eq!((hr.missing, hr.stale), expected);
        assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
    }
    hr(&mut house, &people(1..=4));
    house.accept = vec!["HR"];
    assert_eq!(run(&mut house, "HR").missing, 1);
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).column("name"), ["5"]);
}

#[test]
fn a_read_whose_keys_are_all_new_is_refused() {
    let mut house = house(3);
    house.refresh();
    ad(&mut house, "x1,1,on\nx2,2,on\nx3,3,on\n");
    let outcome = house.refresh();
    let failure = of(&outcome, "AD").failure.clone().unwrap();
    assert!(failure.contains("has the column of the native identity changed?"), "{failure}");
    assert!(failure.contains("`muster refresh --accept-missing \"AD\"`"), "{failure}");
    assert!(outcome.manifest.is_none());
    // A refresh that continues without the source uses none of its data.
    house.publish_incomplete = true;
    house.refresh();
    assert_eq!(house.accounts("AD").column("nativeIdentity"), ["a1", "a2", "a3"]);
    house.publish_incomplete = false;
    house.accept = vec!["AD"];
    let accepted = run(&mut house, "AD");
    assert_eq!((accepted.created, accepted.missing), (3, 3));
    assert_eq!(house.accounts("AD").column("situation"), ["LINKED", "LINKED", "LINKED"]);
}

#[test]
fn links_that_are_lost_at_once_stop_the_refresh() {
    let mut house = house(10);
    house.refresh();
    let before = house.manifest.clone();
    let unlinked = |n: u32| {
        format!("{}{}", accounts(n + 1..=10), (1..=n).map(|n| format!("a{n},,on\n")).collect::<String>())
    };
    ad(&mut house, &unlinked(2));
    let outcome = house.refresh();
    assert_eq!(
        of(&outcome, "AD").failure.as_deref(),
        Some(
            "2 of 10 linked accounts would lose their identity, more than the threshold of 10 percent; \
             `muster refresh --accept-missing \"AD\"` accepts it"
        )
    );
    assert!(outcome.manifest.is_none() && house.manifest == before);
    house.accept = vec!["AD"];
    assert!(house.refresh().manifest.is_some());
    let situations = house.accounts("AD");
    assert_eq!(situations.column("situation").iter().filter(|s| **s == "UNMATCHED").count(), 2);
    // A change of one person stops no refresh.
    ad(&mut house, &unlinked(3));
    assert!(house.refresh().manifest.is_some());
}

#[test]
fn what_there_is_stands_beside_what_there_was() {
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

#[test]
fn a_rule_over_an_attribute_that_no_identity_has_is_refused() {
    let mut house = house(2);
    house.refresh();
    let before = house.manifest.clone();
    house.source(&AD.replace("= \"uid\"", "= \"Uid\""), "ad.csv", "dn,emp,state\na1,1,on\na2,2,on\n");
    let outcome = house.refresh();
    assert_eq!(
        of(&outcome, "AD").failure.as_deref(),
        Some(
            "correlation[0].identity_attribute: no profile maps \"Uid\", so the rule links nobody; the nearest is \"uid\""
        )
    );
    assert!(outcome.manifest.is_none() && house.manifest == before);
}

/// Names and values with all characters that have a meaning in a query.
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
fn a_column_that_is_called_otherwise_leaves_the_last_snapshot() {
    let mut house = house(2);
    house.refresh();
    let before = house.manifest.clone();
    house.source(AD, "ad.csv", "dn,Emp,state\na1,1,on\na2,2,on\n");
    let outcome = house.refresh();
    let failure = of(&outcome, "AD").failure.clone().unwrap();
    assert!(failure.contains("correlation[0].account_attribute") && failure.contains("\"Emp\""), "{failure}");
    assert!(outcome.manifest.is_none() && house.manifest == before);
    assert_eq!(house.accounts("AD").column("situation"), ["LINKED", "LINKED"]);
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
