//! To whom a record belongs: several records of one person, directory entries that move, lifecycle states, managers.

use crate::house::House;
use muster_engine::refresh::SourceOutcome;

const HR: &str = r#"
name = "HR"
kind = "delimited"
delete_threshold_percent = 50
[delimited]
path = "hr.csv"
native_identity = "rec"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "uid"
[[profile.attributes]]
name = "lastname"
from = "uid"
[[profile.attributes]]
name = "email"
from = "uid"
[[profile.attributes]]
name = "employeeNumber"
from = "emp"
[[profile.attributes]]
name = "manager"
from = "boss"
[lifecycle]
attribute = "state"
states = { "A" = "active", "T" = "terminated", "L" = "leave" }
status = { active = "ACTIVE", terminated = "TERMINATED", leave = "DISABLED" }
[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "emp"
"#;

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
uuid = "guid"
[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "emp"
"#;

fn hr(house: &mut House, definition: &str, rows: &[&str]) {
    house.source(definition, "hr.csv", &format!("rec,uid,emp,state,start,boss\n{}\n", rows.join("\n")));
}

fn ad(house: &mut House, rows: &[&str]) {
    house.source(AD, "ad.csv", &format!("dn,guid,emp\n{}\n", rows.join("\n")));
}

/// `uid state status manager`, one for each identity.
fn people(house: &House) -> Vec<String> {
    let found = house.report("IDENTITIES", &[]);
    let columns = ["name", "lifecycleState", "status", "managerName"].map(|name| found.column(name));
    (0..found.rows.len()).map(|at| columns.each_ref().map(|column| column[at]).join(" ")).collect()
}

/// `native code attribute value`, one for each error.
fn errors(house: &House) -> Vec<String> {
    let found = house.errors("HR");
    let columns = ["nativeIdentity", "errorCode", "attribute", "value"].map(|name| found.column(name));
    (0..found.rows.len()).map(|at| columns.each_ref().map(|column| column[at]).join(" ")).collect()
}

const KIM: [&str; 4] = [
    "R-100,kim,500,T,2015-01-01,boss1",
    "R-200,kim,500,A,2024-03-01,boss2",
    "R-300,boss1,501,A,2010-01-01,",
    "R-301,boss2,502,A,2010-01-01,",
];

#[test]
fn of_several_records_of_one_person_the_current_one_decides_in_whatever_order_they_come() {
    let expected = ["boss1 active ACTIVE ", "boss2 active ACTIVE ", "kim active ACTIVE boss2"];
    let mut at_once = House::new();
    hr(&mut at_once, HR, &KIM);
    at_once.refresh();
    assert_eq!(people(&at_once), expected);
    assert_eq!(errors(&at_once), ["R-200 MULTIPLE_RECORDS cloudLifecycleState active"]);
    let message = at_once.errors("HR").column("message")[0].to_owned();
    assert_eq!(
        message,
        "the person has 2 records, whose states differ: R-100 (terminated), R-200 (active); R-200 decides"
    );
    let id = |house: &House| {
        let found = house.report("IDENTITIES", &[]);
        let at = found.column("name").iter().position(|name| *name == "kim").unwrap();
        found.column("id")[at].to_owned()
    };
    // The rows in another order; the old record first; a third record later.
    let mut turned = House::new();
    hr(&mut turned, HR, &[KIM[3], KIM[1], KIM[0], KIM[2]]);
    turned.refresh();
    assert_eq!((people(&turned), id(&turned)), (people(&at_once), id(&at_once)));
    let mut later = House::new();
    hr(&mut later, HR, &[KIM[0], KIM[2], KIM[3]]);
    later.refresh();
    assert_eq!(people(&later)[2], "kim terminated TERMINATED boss1");
    hr(&mut later, HR, &KIM);
    later.refresh();
    assert_eq!((people(&later), id(&later)), (people(&at_once), id(&at_once)));
    let mut newest = House::new();
    hr(&mut newest, HR, &KIM[1..]);
    newest.refresh();
    hr(&mut newest, HR, &KIM);
    newest.refresh();
    assert_eq!(people(&newest), expected);
    newest.refresh();
    assert_eq!(people(&newest), expected);
}

#[test]
fn what_is_preferred_is_the_profiles_word() {
    let rows = [
        "R-1,kim,500,A,2015-01-01,",
        "R-2,kim,500,A,2024-03-01,",
        "R-3,kim,500,A,,",
        "R-4,kim,500,L,2025-01-01,",
        "R-5,kim,500,A,someday,",
    ];
    for (prefer, decides) in [
        ("", "R-1"),
        ("prefer = { newest = \"start\" }", "R-2"),
        ("prefer = { states = [\"leave\", \"active\"], newest = \"start\" }", "R-4"),
        ("prefer = { states = [\"terminated\"], newest = \"start\" }", "R-4"),
        ("prefer = { states = [\"active\"] }", "R-1"),
    ] {
        let mut house = House::new();
        hr(&mut house, &HR.replace("priority = 10", &format!("priority = 10\n{prefer}")), &rows);
        house.refresh();
        assert_eq!(people(&house).len(), 1, "{prefer}");
        let found = errors(&house);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{decides} MULTIPLE_RECORDS")),
            "{prefer}: {found:?}"
        );
    }
}

/// A contractor's number equals the employee number that another person in the same read seeks.
#[test]
fn records_that_only_seek_wait_for_those_that_hold_and_a_circle_is_cut() {
    let definition = HR.replace("account_attribute = \"emp\"", "account_attribute = \"boss\"");
    let mut house = House::new();
    // R-1 seeks 2, which R-2 holds. R-3 and R-4 seek each other.
    hr(&mut house, &definition, &["R-1,a,1,A,,2", "R-2,b,2,A,,", "R-3,c,3,A,,4", "R-4,d,4,A,,3"]);
    house.refresh();
    let names: Vec<_> =
        people(&house).iter().map(|person| person.split(' ').next().unwrap().to_owned()).collect();
    // R-1 is b's record. In the circle, each record becomes a person.
    assert_eq!(names, ["a", "c", "d"], "R-1 decides by its native identity what b's identity is called");
    assert_eq!(house.accounts("HR").column("identityName"), ["a", "a", "c", "d"]);
}

#[test]
fn an_entry_that_moves_stays_the_account_that_it_was() {
    let mut house = House::new();
    let rows: Vec<String> = (1..=10).map(|n| format!("{n},p{n},E{n},A,,")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    hr(&mut house, HR, &rows);
    let entry = |n: u32, place: &str| {
        format!("cn{n}-{place},g{n},{}", if n == 2 { String::new() } else { format!("E{n}") })
    };
    let entries =
        |place: fn(u32) -> &'static str| -> Vec<String> { (1..=10).map(|n| entry(n, place(n))).collect() };
    let load = |house: &mut House, entries: Vec<String>| {
        ad(house, &entries.iter().map(String::as_str).collect::<Vec<_>>());
        let outcome = house.refresh();
        outcome.sources.into_iter().find(|source| source.run.name == "AD").unwrap()
    };
    load(&mut house, entries(|_| "bonn"));
    house.link("AD", "cn2-bonn", "p2");
    house.refresh();
    let created = |house: &House| -> Vec<String> {
        house.accounts("AD").column("created").into_iter().map(str::to_owned).collect()
    };
    let counts = |source: &SourceOutcome| {
        let run = &source.run;
        (run.created, run.updated, run.unchanged, run.missing, run.stale)
    };
    let first = created(&house);
    // First one entry moves, then four, which exceeds the delete threshold. No account is missing and none is new.
    let moved = load(&mut house, entries(|n| if n == 2 { "berlin" } else { "bonn" }));
    assert_eq!(counts(&moved), (0, 1, 9, 0, 0));
    let check = |house: &House| {
        let found = house.accounts("AD");
        let at = found.column("nativeIdentity").iter().position(|name| name.starts_with("cn2-")).unwrap();
        assert_eq!(
            (found.column("identityName")[at], found.column("manuallyCorrelated")[at]),
            ("p2", "true")
        );
        assert_eq!((found.rows.len(), created(house)), (10, first.clone()));
        assert!(house.report("IDENTITIES", &[]).column("accountCount").iter().all(|n| *n == "2"));
    };
    check(&house);
    let moved = load(&mut house, entries(|n| if n <= 4 { "köln" } else { "bonn" }));
    assert_eq!(counts(&moved), (0, 4, 6, 0, 0));
    check(&house);
    // The link follows the account, and stays in effect after a full refresh.
    house.full = true;
    let same = load(&mut house, entries(|n| if n <= 4 { "köln" } else { "bonn" }));
    assert_eq!(counts(&same), (0, 0, 10, 0, 0));
    check(&house);
    house.full = false;
    // A new entry at the old place is another account, without the link.
    let mut more = entries(|n| if n <= 4 { "köln" } else { "bonn" });
    more.push("cn2-bonn,g99,".to_owned());
    let came = load(&mut house, more.clone());
    assert_eq!(counts(&came), (1, 0, 10, 0, 0));
    let found = house.accounts("AD");
    let at = found.column("nativeIdentity").iter().position(|name| *name == "cn2-bonn").unwrap();
    assert_eq!((found.column("identityName")[at], found.rows.len()), ("", 11));
    assert_eq!(counts(&load(&mut house, more)), (0, 0, 11, 0, 0));
}

#[test]
fn two_entries_that_change_places_and_ids_that_are_not_unique() {
    let mut house = House::new();
    hr(&mut house, HR, &["1,p1,E1,A,,", "2,p2,E2,A,,"]);
    ad(&mut house, &["x,g1,E1", "y,g2,E2", "z,,", "v,same,", "w,same,"]);
    house.refresh();
    house.link("AD", "x", "p2");
    house.refresh();
    // The two entries exchange their names. The link stays with its entry.
    ad(&mut house, &["y,g1,E1", "x,g2,E2", "z,,", "v,same,", "w,same,"]);
    house.refresh();
    let found = house.accounts("AD");
    let owners: Vec<_> =
        found.column("nativeIdentity").into_iter().zip(found.column("identityName")).collect();
    assert_eq!(owners, [("v", ""), ("w", ""), ("x", "p2"), ("y", "p2"), ("z", "")]);
    assert_eq!(found.column("manuallyCorrelated"), ["false", "false", "false", "true", "false"]);
    // An id that two entries share identifies neither: a renamed entry is new, and the old account is missing.
    ad(&mut house, &["y,g1,E1", "x,g2,E2", "z,,", "v,same,", "u,same,"]);
    house.accept = vec!["AD"];
    let outcome = house.refresh();
    let run = &outcome.sources.iter().find(|source| source.run.name == "AD").unwrap().run;
    assert_eq!((run.created, run.missing), (1, 1));
}

#[test]
fn a_person_who_moves_stays_the_person() {
    let definition = HR.replace("native_identity = \"rec\"", "native_identity = \"rec\"\nuuid = \"emp\"");
    let mut house = House::new();
    hr(&mut house, &definition, &["cn=a,a,1,A,,", "cn=b,b,2,A,,"]);
    house.refresh();
    let ids = |house: &House| house.report("IDENTITIES", &[]).column("id").join(" ");
    let before = ids(&house);
    hr(&mut house, &definition, &["cn=a-new,a,1,A,,", "cn=b,b,2,A,,"]);
    house.refresh();
    assert_eq!(ids(&house), before);
    assert_eq!(house.report("ORPHAN_IDENTITIES", &[]).rows.len(), 0);
}

#[test]
fn the_mapping_says_what_a_state_means_and_errors_do_not() {
    let rows = ["1,ada,1,A,,", "2,bob,2,T,,gone", "3,cid,3,L,,", "4,dee,4,X,,", "5,eve,5,,,"];
    let mut house = House::new();
    hr(&mut house, HR, &rows);
    house.refresh();
    assert_eq!(
        people(&house),
        ["ada active ACTIVE ", "bob terminated TERMINATED ", "cid leave DISABLED ", "dee   ", "eve   "]
    );
    assert_eq!(
        errors(&house),
        [
            "2 MANAGER_UNRESOLVED manager gone",
            "4 UNMAPPED_LIFECYCLE_VALUE cloudLifecycleState X",
            "5 UNMAPPED_LIFECYCLE_VALUE cloudLifecycleState ",
        ]
    );
    let names = |query: &str| {
        let found = house.search(query, |request| {
            request.columns = vec!["name".into()];
            request.indices = vec!["identities".into()];
            request.sort = vec!["name".into()];
        });
        found.files["identities"].column("name").join(" ")
    };
    assert_eq!(names("status:TERMINATED"), "bob");
    assert_eq!(names("inactive:true"), "bob cid");
    assert_eq!(names("inactive:false"), "ada");
    assert_eq!(names("processingState:WARNING"), "bob dee eve");
    // No attribute name is special: here the names are exchanged.
    let turned = HR.replace(
        "active = \"ACTIVE\", terminated = \"TERMINATED\"",
        "active = \"TERMINATED\", terminated = \"ACTIVE\"",
    );
    hr(&mut house, &turned, &rows[..2]);
    house.accept = vec!["HR"];
    house.refresh();
    assert_eq!(people(&house)[..2], ["ada active TERMINATED ", "bob terminated ACTIVE "]);
}

#[test]
fn managers_are_found_by_any_attribute_and_by_native_identity() {
    let rows = ["CN=Ada,ada,1,A,,", "CN=Bob,bob,2,A,,1", "CN=Cid,cid,3,A,,cn=ada", "CN=Dee,dee,4,A,,CN=Ada"];
    let managers = |manager: &str| {
        let mut house = House::new();
        hr(&mut house, &HR.replace("priority = 10", &format!("priority = 10\n{manager}")), &rows);
        house.refresh();
        let found: Vec<String> =
            people(&house).iter().map(|p| p.rsplit(' ').next().unwrap().to_owned()).collect();
        let message = house.errors("HR").column("message").first().map(|text| (*text).to_owned());
        (found.join(","), message.unwrap_or_default())
    };
    let (found, message) = managers("manager = { match = \"employeeNumber\" }");
    assert_eq!(found, ",ada,,");
    assert_eq!(message, "no identity, or more than one, has the manager's employeeNumber cn=ada");
    let (found, message) = managers("manager = { match = \"native_identity\" }");
    assert_eq!(found, ",,ada,ada");
    assert_eq!(message, "no identity, or more than one, has the manager's native identity 1");
    assert_eq!(managers("").0, ",,,");
}
