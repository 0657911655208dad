//! ATTRIBUTE_MAPPINGS and SOD_VIOLATIONS over planted cases: each verdict, worked out by hand.

use crate::installation::{Installation, Ran};
use crate::own_reports::{DIRECTORY, HR, checked, left_out, report};
use muster_reports::arguments::RawValue;
use muster_reports::caller::DataScope;
use muster_reports::ids::SourceId;

/// Three people: 1 has everything, 2 has a site that the table lacks and no boss, 3 has no mail and a room without a floor.
#[test]
fn mappings_say_how_many_people_have_a_value() {
    let definition = HR.replace(
        "attributes = [",
        "attributes = [{ name = \"site\", from = \"site\", transforms = [{ lookup = { B = \"Berlin\" }, default = \"Elsewhere\" }] }, \
         { name = \"boss\", from = \"boss\" }, { name = \"never\", from = \"never\" }, \
         { name = \"floor\", from = \"room\", transforms = [{ split = \"-\", index = 1 }] }, ",
    );
    let mut installation = Installation::new();
    let people = "id,mail,status,ends,left,site,boss,never,room\n1,1@x,A,,,B,2,,1-1\n2,2@x,T,,,C,,,1-2\n3,,A,,,B,1,,12\n";
    installation.source(&definition, "hr.csv", people);
    // Nobody's profile.
    let contractors = HR
        .replace("\"HR\"", "\"Contractors\"")
        .replace("hr.csv", "c.csv")
        .replace("priority = 10", "priority = 20");
    installation.source(&contractors, "c.csv", "id,mail,status,ends,left\n");
    installation.refresh();
    let ran = report(&installation, "ATTRIBUTE_MAPPINGS", &[]);
    let columns = [
        "sourceName",
        "attribute",
        "verdict",
        "people",
        "withValue",
        "withFallback",
        "withoutValue",
        "failed",
        "differing",
    ];
    let cells: Vec<String> =
        (0..ran.rows.len()).map(|row| columns.map(|name| ran.column(name)[row]).join("|")).collect();
    assert_eq!(
        cells,
        [
            "HR|site|OK|3|2|1|0|0|0",
            "HR|boss|OK|3|2|0|1|0|0",
            "HR|never|NEVER_FILLED|3|0|0|3|0|0",
            "HR|floor|FAILED|3|2|0|0|1|0",
            "HR|uid|OK|3|3|0|0|0|0",
            "HR|lastname|OK|3|3|0|0|0|0",
            "HR|email|REQUIRED_MISSING|3|2|0|1|0|0",
            "HR|displayName|OK|3|3|0|0|0|0",
            "HR|cloudLifecycleState|OK|3|3|0|0|0|0",
            "Contractors|uid|NOBODY|0|0|0|0|0|0",
            "Contractors|lastname|NOBODY|0|0|0|0|0|0",
            "Contractors|email|NOBODY|0|0|0|0|0|0",
            "Contractors|displayName|NOBODY|0|0|0|0|0|0",
            "Contractors|cloudLifecycleState|NOBODY|0|0|0|0|0|0",
        ]
    );
    assert_eq!(ran.column("fallback")[0], "\"Elsewhere\" for what the table lacks");
    let one =
        report(&installation, "ATTRIBUTE_MAPPINGS", &[("source", installation.source_id("Contractors"))]);
    assert_eq!((one.rows.len(), left_out(&one)), (5, vec![("of another source", 9)]));
}

/// The policy Pay forbids x and y, Ship forbids x and what nobody knows. 1 has x and y on one account, 2 on two, 3 has x twice,
/// 4 has x and y, and y is on an account of nobody too.
#[test]
fn violations_have_both_sides_and_exceptions_are_shown() {
    let definition = DIRECTORY
        .replace(
            "multi_valued = [\"objectClass\", \"memberOf\"]",
            "multi_valued = [\"groups\"]\nentitlements = [\"groups\"]",
        )
        .replace("preset = \"active_directory\"", "kind = { default = \"human\" }");
    let mut installation = Installation::new();
    let people: String = (1..=4).map(|id| format!("{id},{id}@x,A,,\n")).collect();
    installation.source(HR, "hr.csv", &format!("id,mail,status,ends,left\n{people}"));
    installation.source(
        &definition,
        "dir.csv",
        "dn,emp,off,admin,groups\na,1,no,no,x|y|z\nb,2,no,no,x\nc,2,yes,no,y\nd,3,no,no,x\ne,3,no,no,x\nf,4,no,no,y|x\ng,9,no,no,y\n",
    );
    installation.refresh();
    let RawValue::Text(directory) = installation.source_id("Directory") else { panic!() };
    let x = muster_reports::ids::stable_id(["entitlement", directory.as_str(), "groups", "x"]);
    let policies = format!(
        r#"[{{"id": "p1", "name": "Pay", "level": "CRITICAL", "ownerRef": {{"type": "IDENTITY", "name": "Ada"}},
             "conflictingAccessCriteria": {{
               "leftCriteria": {{"name": "in", "criteriaList": [{{"type": "ENTITLEMENT", "id": "{x}"}}]}},
               "rightCriteria": {{"name": "out", "criteriaList": [
                 {{"source": "Directory", "value": "y"}}, {{"source": "Directory", "value": "never"}}]}}}}}},
            {{"name": "Ship", "conflictingAccessCriteria": {{
               "leftCriteria": {{"criteriaList": [{{"source": "{directory}", "value": "x"}}]}},
               "rightCriteria": {{"criteriaList": [{{"type": "ENTITLEMENT", "id": "e404", "name": "Gone"}}]}}}}}}]"#
    );
    let exceptions = r#"[
        {"policy": "Pay", "identity": "2", "owner": "Ada", "reason": "small team", "ends": "2026-01-01"},
        {"policy": "p1", "identity": "4", "owner": "Ada", "reason": "until the audit", "ends": "2025-12-31"},
        {"policy": "Pay", "identity": "3", "owner": "Bob", "reason": "in advance", "ends": "2027-01-01"},
        {"policy": "Old", "identity": "1", "owner": "Bob", "reason": "of a policy that is gone", "ends": "2027-01-01"}]"#;
    let arguments =
        [("policies", RawValue::Text(policies.clone())), ("exceptions", RawValue::Text(exceptions.into()))];
    let cells = |ran: &Ran| -> Vec<String> {
        let columns = [
            "policyName",
            "verdict",
            "identityName",
            "side",
            "nativeIdentity",
            "entitlement",
            "exceptionOwner",
        ];
        (0..ran.rows.len()).map(|row| columns.map(|name| ran.column(name)[row]).join("|")).collect()
    };
    let ran = report(&installation, "SOD_VIOLATIONS", &arguments);
    assert_eq!(
        cells(&ran),
        [
            "Old|UNUSED_EXCEPTION|1||||Bob",
            // The exception ends with the day of the snapshot.
            "Pay|ACCEPTED|2|LEFT|b|x|Ada",
            "Pay|ACCEPTED|2|RIGHT|c|y|Ada",
            "Pay|NO_LONGER_ACCEPTED|4|LEFT|f|x|Ada",
            "Pay|NO_LONGER_ACCEPTED|4|RIGHT|f|y|Ada",
            "Pay|UNUSED_EXCEPTION|3||||Bob",
            "Pay|VIOLATION|1|LEFT|a|x|",
            "Pay|VIOLATION|1|RIGHT|a|y|",
            "Ship|UNKNOWN_ENTITLEMENT||RIGHT||Gone|",
        ]
    );
    assert_eq!(ran.column("level")[1..3], ["CRITICAL", "CRITICAL"]);
    assert_eq!((ran.column("policyOwner")[1], ran.column("disabled")[2]), ("Ada", "true"));
    assert!(ran.column("linkedBy")[1].starts_with("rule "), "{:?}", ran.column("linkedBy"));
    // Pay: 3 has x twice. Ship: five accounts have x (a, b, d, e, f).
    assert_eq!(
        left_out(&ran),
        [
            ("of a person who has entitlements of one list only", 7),
            ("exceptions that are shown with their violations", 2)
        ]
    );
    let without = report(&installation, "SOD_VIOLATIONS", &arguments[..1]);
    let verdicts = without.column("verdict");
    assert_eq!((verdicts.iter().filter(|one| **one == "VIOLATION").count(), verdicts.len()), (6, 7));
    // Who sees HR only sees no entitlement: nothing can be told.
    let RawValue::Text(hr) = installation.source_id("HR") else { panic!() };
    let scope = DataScope::Sources([SourceId::new(hr)].into_iter().collect());
    let scoped = checked(installation.scoped_report(
        installation.manifest(),
        "SOD_VIOLATIONS",
        &arguments[..1],
        &scope,
    ));
    assert_eq!(scoped.column("verdict"), ["UNKNOWN_ENTITLEMENT", "UNKNOWN_ENTITLEMENT"]);
}

/// What the policies by query find in [`QUERIED`]: of the policy Rights, 1 has y and z of the left list and x of the right one, 2 has
/// y and x on two accounts, 4 has both on one, and 3 has x twice. Nothing has a left list that finds no entitlement. The query of
/// General finds 1, 2 and 4.
const QUERIED: &str = "dn,emp,off,admin,groups\na,1,no,no,x|y|z\nb,2,no,no,x\nc,2,yes,no,y\nd,3,no,no,x\ne,3,no,no,x\nf,4,no,no,y|x\ng,9,no,no,y\n";

#[test]
fn policies_by_query_find_people_and_entitlements() {
    let definition = DIRECTORY
        .replace(
            "multi_valued = [\"objectClass\", \"memberOf\"]",
            "multi_valued = [\"groups\"]\nentitlements = [\"groups\"]",
        )
        .replace("preset = \"active_directory\"", "kind = { default = \"human\" }");
    let mut installation = Installation::new();
    let people: String = (1..=4).map(|id| format!("{id},{id}@x,A,,\n")).collect();
    installation.source(HR, "hr.csv", &format!("id,mail,status,ends,left\n{people}"));
    installation.source(&definition, "dir.csv", QUERIED);
    installation.refresh();
    let policies = r#"[
        {"name": "Rights", "conflictingAccessCriteria": {
           "leftCriteria": {"criteriaList": [{"query": "value:(y OR z)"}]},
           "rightCriteria": {"criteriaList": [{"source": "Directory", "value": "x"}]}}},
        {"name": "Nothing", "conflictingAccessCriteria": {
           "leftCriteria": {"criteriaList": [{"query": "value:never"}]},
           "rightCriteria": {"criteriaList": [{"source": "Directory", "value": "y"}]}}},
        {"name": "General", "type": "GENERAL", "policyQuery": "@access(value:x) AND @access(value:y)"}]"#;
    let exceptions = r#"[
        {"policy": "General", "identity": "4", "owner": "Ada", "reason": "small team", "ends": "2026-01-01"},
        {"policy": "General", "identity": "3", "owner": "Bob", "reason": "in advance", "ends": "2027-01-01"}]"#;
    let arguments =
        [("policies", RawValue::Text(policies.into())), ("exceptions", RawValue::Text(exceptions.into()))];
    let cells = |ran: &Ran| -> Vec<String> {
        let columns = ["policyName", "verdict", "identityName", "side", "nativeIdentity", "entitlement"];
        (0..ran.rows.len()).map(|row| columns.map(|name| ran.column(name)[row]).join("|")).collect()
    };
    let ran = report(&installation, "SOD_VIOLATIONS", &arguments);
    assert_eq!(
        cells(&ran),
        [
            "General|ACCEPTED|4|QUERY||",
            "General|UNUSED_EXCEPTION|3|||",
            "General|VIOLATION|1|QUERY||",
            "General|VIOLATION|2|QUERY||",
            "Nothing|UNKNOWN_ENTITLEMENT||LEFT||value:never",
            "Rights|VIOLATION|1|LEFT|a|y",
            "Rights|VIOLATION|1|LEFT|a|z",
            "Rights|VIOLATION|1|RIGHT|a|x",
            "Rights|VIOLATION|2|LEFT|c|y",
            "Rights|VIOLATION|2|RIGHT|b|x",
            "Rights|VIOLATION|4|LEFT|f|y",
            "Rights|VIOLATION|4|RIGHT|f|x",
        ]
    );
    assert_eq!((ran.column("exceptionOwner")[0], ran.column("exceptionReason")[0]), ("Ada", "small team"));
    assert_eq!(ran.column("linkedBy")[2], "found by the query of the policy");
    // Rights: 3 has x twice. Nothing: 1, 2 and 4 have y.
    assert_eq!(
        left_out(&ran),
        [
            ("of a person who has entitlements of one list only", 5),
            ("exceptions that are shown with their violations", 1)
        ]
    );
    // Who sees HR only sees no entitlement and nobody's access: nobody is found.
    let RawValue::Text(hr) = installation.source_id("HR") else { panic!() };
    let scope = DataScope::Sources([SourceId::new(hr)].into_iter().collect());
    let scoped = checked(installation.scoped_report(
        installation.manifest(),
        "SOD_VIOLATIONS",
        &arguments[..1],
        &scope,
    ));
    assert_eq!(
        cells(&scoped),
        [
            "Nothing|UNKNOWN_ENTITLEMENT||LEFT||value:never",
            "Rights|UNKNOWN_ENTITLEMENT||LEFT||value:(y OR z)"
        ]
    );
}

/// A query that names a field that is not there finds nothing. A report that said so would say that nobody violates the policy.
#[test]
#[should_panic(expected = "of a policy: ")]
fn a_query_of_an_unknown_field_is_refused() {
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,mail,status,ends,left\n1,1@x,A,,\n");
    installation.refresh();
    let policies = r#"[{"name": "Wrong", "policyQuery": "departmnt:Finance"}]"#;
    installation.report("SOD_VIOLATIONS", &[("policies", RawValue::Text(policies.into()))]);
}
