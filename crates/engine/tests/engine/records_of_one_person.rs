//! Several records of one person: the same one decides in any order, the profile says which one, and a search finds the
//! status that its state means.

use crate::installation::Installation;

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

fn hr(installation: &mut Installation, definition: &str, rows: &[&str]) {
    installation.source(
        definition,
        "hr.csv",
        &format!("rec,uid,emp,state,start,boss\n{}\n", rows.join("\n")),
    );
}

/// `uid state status manager`, one for each identity.
fn people(installation: &Installation) -> Vec<String> {
    let found = installation.report("IDENTITIES", &[]);
    let columns = ["name", "lifecycleState", "status", "managerName"].map(|name| found.column(name));
    (0..found.rows.len()).map(|at| columns.each_ref().map(|column| column[at]).join(" ")).collect()
}

/// `native code attribute value`, one for each error.
fn errors(installation: &Installation) -> Vec<String> {
    let found = installation.errors("HR");
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
fn the_current_record_of_a_person_decides_in_any_order() {
    let expected = ["boss1 active ACTIVE ", "boss2 active ACTIVE ", "kim active ACTIVE boss2"];
    let mut at_once = Installation::new();
    hr(&mut at_once, HR, &KIM);
    at_once.refresh();
    assert_eq!(people(&at_once), expected);
    assert_eq!(errors(&at_once), ["R-200 MULTIPLE_RECORDS cloudLifecycleState active"]);
    let message = at_once.errors("HR").column("message")[0].to_owned();
    assert_eq!(
        message,
        "the person has 2 records, whose states differ: R-100 (terminated), R-200 (active); R-200 decides"
    );
    let id = |installation: &Installation| {
        let found = installation.report("IDENTITIES", &[]);
        let at = found.column("name").iter().position(|name| *name == "kim").unwrap();
        found.column("id")[at].to_owned()
    };
    // The rows in another order; the old record first; a third record later.
    let mut turned = Installation::new();
    hr(&mut turned, HR, &[KIM[3], KIM[1], KIM[0], KIM[2]]);
    turned.refresh();
    assert_eq!((people(&turned), id(&turned)), (people(&at_once), id(&at_once)));
    let mut later = Installation::new();
    hr(&mut later, HR, &[KIM[0], KIM[2], KIM[3]]);
    later.refresh();
    assert_eq!(people(&later)[2], "kim terminated TERMINATED boss1");
    hr(&mut later, HR, &KIM);
    later.refresh();
    assert_eq!((people(&later), id(&later)), (people(&at_once), id(&at_once)));
    let mut newest = Installation::new();
    hr(&mut newest, HR, &KIM[1..]);
    newest.refresh();
    hr(&mut newest, HR, &KIM);
    newest.refresh();
    assert_eq!(people(&newest), expected);
    newest.refresh();
    assert_eq!(people(&newest), expected);
}

#[test]
fn the_profile_says_which_record_is_preferred() {
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
        let mut installation = Installation::new();
        hr(&mut installation, &HR.replace("priority = 10", &format!("priority = 10\n{prefer}")), &rows);
        installation.refresh();
        assert_eq!(people(&installation).len(), 1, "{prefer}");
        let found = errors(&installation);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{decides} MULTIPLE_RECORDS")),
            "{prefer}: {found:?}"
        );
    }
}

#[test]
fn a_status_can_be_searched_for() {
    let rows = ["1,ada,1,A,,", "2,bob,2,T,,gone", "3,cid,3,L,,", "4,dee,4,X,,", "5,eve,5,,,"];
    let mut installation = Installation::new();
    hr(&mut installation, HR, &rows);
    installation.refresh();
    let names = |query: &str| {
        let found = installation.search(query, |request| {
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
}
