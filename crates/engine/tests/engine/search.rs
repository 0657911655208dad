//! Searches over one small organisation. The expected results were derived by hand.

use crate::installation::{Found, Installation};
use chrono::TimeDelta;
use muster_reports::DataScope;

const HR: &str = r#"
id = "000000000000000000000000000000a1"
name = "HR Global"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
display_name = "name"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "firstname"
from = "given"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
[[profile.attributes]]
name = "city"
from = "city"
[[profile.attributes]]
name = "displayName"
template = "{given} {name}"
"#;

const AD: &str = r#"
id = "000000000000000000000000000000a2"
name = "Active Directory"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
name_column = "sam"
multi_value_separator = "|"
multi_valued = ["groups"]
entitlements = ["groups"]
[delimited.disabled]
column = "off"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

/// Four people. Ann has two directory accounts, the second of them disabled. Bob has one, which is disabled. Cid has
/// one. Dee has none. One account has no owner.
pub fn installation() -> Installation {
    let mut installation = Installation::new();
    installation.source(
        HR,
        "hr.csv",
        "id,given,name,mail,city\n\
         e1,Ann,O'Hara,ann@x.org,New York\n\
         e2,Bob,Smith-Jones,bob@x.org,York\n\
         e3,Cid,Müller,cid@x.org,London\n\
         e4,Dee,Smith,dee@x.org,\n",
    );
    installation.source(
        AD,
        "ad.csv",
        "dn,sam,emp,off,groups\n\
         cn=ann,ann,e1,false,Admins|Sales Team\n\
         cn=ann2,adm-ann,e1,true,Sales Team\n\
         cn=bob,bob,e2,true,Sales; East\n\
         cn=cid,cid,e3,false,\n\
         cn=nobody,nobody,zzz,true,Admins\n",
    );
    installation.refresh();
    installation
}

/// The names of the identities that a query matches.
fn names(installation: &Installation, query: &str) -> Vec<String> {
    let found = installation.search(query, |request| {
        request.indices = vec!["identities".into()];
        request.columns = vec!["name".into()];
        request.sort = vec!["name".into()];
    });
    found.files["identities"].rows.iter().map(|row| row[0].clone()).collect()
}

#[test]
fn queries_find_the_people_they_should() {
    let installation = installation();
    for (query, expected) in [
        ("*", "e1 e2 e3 e4"),
        ("", ""),
        ("name:e1", "e1"),
        ("name:E1", "e1"),
        ("name.exact:E1", ""),
        ("name.exact:e*", "e1 e2 e3 e4"),
        ("displayName:smith", "e2 e4"),
        ("lastName.exact:Smith", "e4"),
        ("lastName:m*ller", "e3"),
        ("lastName:muller~1", "e3"),
        ("attributes.city:york", "e1 e2"),
        ("attributes.city:\"new york\"", "e1"),
        ("attributes.city.exact:\"New York\"", "e1"),
        ("attributes.city:*", "e1 e2 e3"),
        ("NOT attributes.city:*", "e4"),
        ("_exists_:attributes.city AND NOT attributes.city:london", "e1 e2"),
        ("attributes.\\*:london", "e3"),
        ("\\*.city:london", "e3"),
        ("attributes.nothing:x", ""),
        ("NOT attributes.nothing:x", "e1 e2 e3 e4"),
        ("accountCount:1", "e4"),
        ("accountCount:>=2 AND accountCount:<3", "e2 e3"),
        ("accountCount:[2 TO *}", "e1 e2 e3"),
        ("accountCount:abc", ""),
        ("entitlementCount:0", "e3 e4"),
        ("disabled:true", ""),
        ("accounts.disabled:true", "e1 e2"),
        ("NOT accounts.disabled:true", "e3 e4"),
        ("access.name:admins", "e1"),
        ("access.name.exact:\"Sales Team\"", "e1"),
        ("access.name:sales AND attributes.city:york", "e1 e2"),
        // Ann has an enabled account and a disabled one. Which is which matters only inside one element.
        ("accounts.name:ann AND accounts.disabled:true", "e1"),
        ("@accounts(name.exact:ann AND disabled:true)", ""),
        ("@accounts(name.exact:adm-ann AND disabled:true)", "e1"),
        ("@accounts(source.name:\"Active Directory\" AND disabled:true)", "e1 e2"),
        ("@accounts(source.name:\"Active Directory\" AND NOT disabled:true)", "e1 e3"),
        ("NOT @accounts(source.name:\"Active Directory\")", "e4"),
        ("@access(NOT name:sales)", "e1"),
        ("@nothing(name:x)", ""),
        ("identityProfile.name:employees", "e1 e2 e3 e4"),
        ("source.name:hr", "e1 e2 e3 e4"),
        ("manager:*", ""),
        ("london", "e3"),
        ("york AND smith", "e2"),
        ("admins", "e1"),
        // As many clauses as Lucene allows in one list.
        (&format!("name:({})", "e1 ".repeat(1024)), "e1"),
        // Ids are compared whole with and without `.exact`.
        ("@accounts(source.id.exact:\"000000000000000000000000000000a2\")", "e1 e2 e3"),
        ("@accounts(source.id.exact:\"000000000000000000000000000000A2\")", ""),
        ("source.id.exact:000000000000000000000000000000a1", "e1 e2 e3 e4"),
        ("@accounts(accountAttributes.emp:e2)", "e2"),
        ("accounts.accountAttributes.sam.exact:adm-ann", "e1"),
        // Documents that are made here have entitlements as access only.
        ("roleCount:0 AND accessProfileCount:0 AND appCount:0", "e1 e2 e3 e4"),
        ("zzz", ""),
        ("email:/[ab].*/", "e1 e2"),
        ("created:2026-01-01", "e1 e2 e3 e4"),
        ("created:<2026-01-01", ""),
        ("created:[now-1h TO now]", "e1 e2 e3 e4"),
        ("protected:false AND name:e4", "e4"),
    ] {
        assert_eq!(names(&installation, query).join(" "), expected, "{query}");
    }
}

#[test]
fn every_index_has_a_file() {
    let installation = installation();
    let found = installation.search("sales", |_| {});
    let rows: Vec<_> = found.files.iter().map(|(name, file)| (*name, file.rows.len())).collect();
    // Identities: Ann and Bob by their groups. Entitlements: "Sales Team" and "Sales; East".
    assert_eq!(
        rows,
        [
            ("accessprofiles", 0),
            ("accountactivities", 0),
            ("entitlements", 2),
            ("events", 0),
            ("identities", 2),
            ("roles", 0)
        ]
    );
    assert_eq!(found.files["roles"].csv, "id\r\n");
    assert_eq!(found.warnings, Vec::<String>::new());
    let entitlements = &found.files["entitlements"].reconciliation;
    assert_eq!((entitlements.population, entitlements.excluded[0].rows), (3, 1));
}

fn exported(installation: &Installation, columns: &str, sort: &[&str]) -> Found {
    installation.search("NOT name:e4", |request| {
        request.indices = vec!["identities".into()];
        request.columns = columns.split(',').map(str::to_owned).collect();
        request.sort = sort.iter().map(|key| (*key).to_owned()).collect();
    })
}

#[test]
fn columns_are_as_asked_for() {
    let found = exported(
        &installation(),
        "displayName,attributes.city,accountCount,accounts.name,accounts.disabled,source,nothing,name",
        &["-name"],
    );
    assert_eq!(
        found.files["identities"].csv,
        "displayName,attributes.city,accountCount,accounts.name,accounts.disabled,source,nothing,name\r\n\
         Cid Müller,London,2,cid; e3,false; false,\"{\"\"id\"\":\"\"000000000000000000000000000000a1\"\",\"\"name\"\":\"\"HR Global\"\"}\",,e3\r\n\
         Bob Smith-Jones,York,2,bob; e2,true; false,\"{\"\"id\"\":\"\"000000000000000000000000000000a1\"\",\"\"name\"\":\"\"HR Global\"\"}\",,e2\r\n\
         Ann O'Hara,New York,3,ann; adm-ann; e1,false; true; false,\"{\"\"id\"\":\"\"000000000000000000000000000000a1\"\",\"\"name\"\":\"\"HR Global\"\"}\",,e1\r\n"
    );
    assert_eq!(
        found.warnings,
        ["column \"nothing\": the searched documents have no such field, so it is empty"],
    );
}

#[test]
fn a_list_is_spread_and_several_follow_one_another() {
    let found = exported(&installation(), "name,access.spread,accounts.spread", &["name"]);
    let file = &found.files["identities"];
    let shown: Vec<_> = file
        .column("name")
        .into_iter()
        .zip(file.column("access.name"))
        .zip(file.column("accounts.accountId"))
        .map(|((name, access), account)| format!("{name} {access} {account}"))
        .collect();
    assert_eq!(
        shown,
        [
            "e1 Admins ",
            "e1 Sales Team ",
            "e2 Sales; East ",
            // An empty list keeps one row.
            "e3  ",
            "e1  cn=ann",
            "e1  cn=ann2",
            "e1  e1",
            "e2  cn=bob",
            "e2  e2",
            "e3  cn=cid",
            "e3  e3",
        ]
    );
    assert_eq!(file.header[..3], ["name", "access.id", "access.name"]);
    // Three documents, with eight more rows.
    let added: Vec<_> = file.reconciliation.added.iter().map(|count| count.rows).collect();
    assert_eq!((file.reconciliation.expected, added), (11, vec![1, 7]));
}

#[test]
fn documents_without_a_value_come_last_either_way() {
    let installation = installation();
    let order = |key: &str| {
        let found = installation.search("*", |request| {
            request.indices = vec!["identities".into()];
            request.columns = vec!["name".into()];
            request.sort = vec![key.into()];
        });
        found.files["identities"].column("name").join(" ")
    };
    assert_eq!(order("attributes.city"), "e3 e1 e2 e4");
    assert_eq!(order("+attributes.city"), "e3 e1 e2 e4");
    assert_eq!(order("-attributes.city"), "e2 e1 e3 e4");
}

#[test]
fn a_sort_key_that_there_is_not_is_warned_about() {
    let found = installation().search("*", |request| request.sort = vec!["nothing".into(), "access".into()]);
    assert_eq!(
        found.warnings,
        [
            "sort key \"access\": the searched documents have no such field, so it was ignored: \
             it is an object with fields such as \"access.attribute\"",
            "sort key \"nothing\": the searched documents have no such field, so it was ignored"
        ]
    );
}

#[test]
fn names_and_values_that_nothing_fits_are_warned_about() {
    let installation = installation();
    let warned = |query: &str, index: &str| {
        installation
            .search(query, |request| {
                request.indices = vec![index.into()];
                request.columns = vec!["name".into(), "attributes.ctiy".into()];
                request.sort = vec!["-displayNmae".into()];
            })
            .warnings
    };
    let of_names = [
        "column \"attributes.ctiy\": the searched documents have no such field, so it is empty: \
         the nearest name is \"attributes.city\"",
        "sort key \"-displayNmae\": the searched documents have no such field, so it was ignored: \
         the nearest name is \"displayName\"",
    ];
    for (query, index, expected) in [
        ("name:e1 AND NOT accounts.disabled:true", "identities", vec![]),
        // The name exists in one of the searched types.
        ("accountCount:>1 OR stage:x", "*", vec![]),
        (
            "NOT stauts:x",
            "*",
            vec![
                "\"stauts\": the searched documents have no such field, so it matches nothing: the nearest name is \"status\"",
            ],
        ),
        (
            "@accounts(nmae:x) AND @acounts(name:x)",
            "*",
            vec![
                "\"nmae\": the elements of \"accounts\" have no such field, so it matches nothing: the nearest name is \"name\"",
                "\"@acounts\": the searched documents have no such list of objects, so it matches nothing: the nearest name is \"accounts\"",
            ],
        ),
        (
            "accounts:x",
            "identities",
            vec![
                "\"accounts\": the searched documents have no such field, so it matches nothing: it is an object with fields such as \"accounts.accountId\"",
            ],
        ),
        (
            "city:x",
            "identities",
            vec![
                "\"city\": the searched documents have no such field, so it matches nothing: the nearest name is \"attributes.city\"",
            ],
        ),
        (
            "attributes.citty.exact:x",
            "identities",
            vec![
                "\"attributes.citty\": the searched documents have no such field, so it matches nothing: the nearest name is \"attributes.city\"",
            ],
        ),
        (
            "@accounts(accountAttributes.empp:e1)",
            "identities",
            vec![
                "\"accountAttributes.empp\": the elements of \"accounts\" have no such field, so it matches nothing",
            ],
        ),
        (
            "created:[now-2D TO now]",
            "*",
            vec![
                "\"created:[now-2D TO now]\" matches nothing: expected date math as `+1M`, `-7d` or `/d` with one of the units y, M, w, d, h, H, m, s, found `-2D`",
            ],
        ),
        ("accountCount:abc", "*", vec!["\"accountCount:abc\" matches nothing: expected a whole number"]),
    ] {
        let expected: Vec<_> = expected.into_iter().chain(of_names).collect();
        assert_eq!(warned(query, index), expected, "{query}");
    }
    let many: Vec<String> = (0..100).map(|number| format!("unheard{number}:x")).collect();
    let warnings = installation.search(&many.join(" "), |_| {}).warnings;
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings[20], "and 80 more names or values that match nothing");
}

/// People whose attributes have dates, numbers and other texts. The expected results were derived by hand for 1 July
/// 2026.
#[test]
fn attributes_compare_as_what_they_are() {
    let mut installation = Installation::new();
    let hr = HR.replace(
        "name = \"city\"\nfrom = \"city\"",
        "name = \"startDate\"\nfrom = \"start\"\n[[profile.attributes]]\nname = \"endDate\"\nfrom = \"end\"",
    );
    installation.source(
        &hr,
        "hr.csv",
        "id,given,name,mail,start,end\n\
         p1,Adam,Ken,a@x.org,2015-03-01,2019-05-31\n\
         p2,Beth,Ray,b@x.org,2016-07-15,2030-12-31\n\
         p3,Carl,Low,c@x.org,2021-11-02,2025-12-31T23:30:00-05:00\n\
         p4,Dana,Fox,d@x.org,12,\n\
         p5,Evan,Odd,e@x.org,9.5,unknown\n",
    );
    installation.refresh();
    for (query, expected) in [
        // A value that is neither a date nor, among numbers, a number is still text.
        ("attributes.startDate:<2016-01-01", "p1 p4"),
        ("attributes.startDate:[2015-01-01 TO 2015-12-31]", "p1"),
        ("attributes.startDate:2015-03-01", "p1"),
        ("attributes.startDate:[2016-07-15 TO *]", "p2 p3 p5"),
        // The clock of the tests shows one o'clock on 1 January 2026.
        ("attributes.endDate:<now", "p1"),
        ("attributes.endDate:>now", "p2 p3"),
        ("attributes.endDate:[now TO now+4h]", "p3"),
        ("attributes.startDate:>9", "p1 p2 p3 p4 p5"),
        ("attributes.startDate:[9 TO 11]", "p5"),
        ("attributes.startDate.exact:<2016-01-01", "p1 p4"),
        ("attributes.startDate.exact:\"2015-03-01\"", "p1"),
        ("attributes.endDate:unknown", "p5"),
    ] {
        assert_eq!(names(&installation, query).join(" "), expected, "{query}");
    }
}

#[test]
fn cells_show_single_texts_and_missing_references_as_they_are() {
    let found = exported(&installation(), "name,access.name,manager,roleCount,ownsCount", &["name"]);
    assert_eq!(
        found.files["identities"].csv,
        "name,access.name,manager,roleCount,ownsCount\r\n\
         e1,Admins; Sales Team,,0,\r\n\
         e2,Sales; East,,0,\r\n\
         e3,,,0,\r\n"
    );
}

/// Documents of a source, together with documents that are made here.
const MODEL: &str = r#"
id = "000000000000000000000000000000a3"
name = "Access model"
kind = "documents"
[documents]
path = "model.ndjson"
"#;

#[test]
fn documents_of_a_source_are_found_and_replace_those_made_here() {
    let mut installation = installation();
    let sales = installation.search("name.exact:\"Sales Team\"", |_| {}).files["entitlements"].column("id")
        [0]
    .to_owned();
    let columns = ["attribute", "value", "source.id", "source.name"];
    let others = installation.search("NOT name.exact:\"Sales Team\"", |request| {
        request.columns = columns.map(str::to_owned).into();
    });
    let others = &others.files["entitlements"].rows;
    assert_eq!(others.len(), 2);
    // The ids are those of the other system. The second document names the source by its name.
    let of_other = |id: &str, row: &[String], source: &str| {
        format!(
            r#"{{"_type":"entitlement","id":"{id}","name":"{id}","attribute":"{}","value":"{}","source":{source}}}"#,
            row[0], row[1]
        )
    };
    let by_id = format!(r#"{{"id":"{}"}}"#, others[0][2]);
    let by_name = format!(r#"{{"id":"elsewhere","name":"{}"}}"#, others[1][3]);
    let lines = [
        of_other("theirs-1", &others[0], &by_id),
        of_other("theirs-2", &others[1], &by_name),
        r#"{"_type":"role","id":"r1","name":"Sales Manager","owner":{"name":"Ann"},"accessProfileCount":2}"#
            .to_owned(),
        r#"{"_type":"role","id":"r2","name":"Twice"}"#.to_owned(),
        r#"{"_type":"role","id":"r2","name":"Twice, but not the same"}"#.to_owned(),
        r#"{"_type":"role","name":"No id"}"#.to_owned(),
        format!(
            r#"{{"_type":"entitlement","id":"{sales}","name":"Sales Team","description":"Sells things","privileged":true}}"#
        ),
    ];
    installation.source(MODEL, "model.ndjson", &lines.join("\n"));
    let outcome = installation.refresh();
    let source = outcome.sources.iter().find(|source| source.run.name == "Access model").unwrap();
    // The role without an id, and both that share one.
    assert_eq!((source.run.read, source.run.rejected), (7, 3), "{:?}", source.rejections);
    let roles = installation
        .search("*", |request| request.columns = vec!["id".into(), "name".into(), "owner.name".into()]);
    assert_eq!(roles.files["roles"].csv, "id,name,owner.name\r\nr1,Sales Manager,Ann\r\n");
    let entitlements = installation.search("description:sells AND privileged:true", |_| {});
    assert_eq!(entitlements.files["entitlements"].column("id"), [sales.as_str()]);
    let mut ids = vec!["theirs-1", "theirs-2", &sales];
    ids.sort_unstable();
    let found = installation.search("*", |_| {});
    let mut all = found.files["entitlements"].column("id");
    all.sort_unstable();
    assert_eq!(all, ids);
    // A second refresh changes nothing.
    installation.refresh();
    assert_eq!(installation.search("*", |_| {}).files["entitlements"].rows.len(), 3);
}

#[test]
fn the_published_examples_load_unchanged() {
    let mut installation = Installation::new();
    let definition = MODEL.replace("model.ndjson", "search-document-examples.yaml");
    installation.source_at(&definition, std::path::Path::new("../../tests/published"));
    installation.refresh();
    let found = installation.search("*", |request| request.columns = vec!["id".into(), "name".into()]);
    let rows: Vec<_> = found.files.values().map(|file| file.rows.len()).collect();
    assert_eq!(rows, [1, 1, 1, 1, 1, 1]);
    // The example has four accounts. One of them is on the directory and is not disabled.
    let laura = |query: &str| installation.search(query, |_| {}).files["identities"].rows.len();
    assert_eq!(laura("name:laura AND attributes.city:brussels"), 1);
    assert_eq!(laura("@accounts(source.name:\"Active Directory\" AND manuallyCorrelated:true)"), 1);
    assert_eq!(laura("@accounts(source.name:\"HR Global\" AND manuallyCorrelated:true)"), 0);
    assert_eq!(laura("id:2c9180865c45e7e3015c46c434a80622"), 1);
    assert_eq!(laura("id:2C9180865C45E7E3015C46C434A80622"), 0);
    let spread = installation.search("*", |request| {
        request.indices = vec!["identities".into()];
        request.columns = vec!["name".into(), "accounts.spread".into()];
    });
    assert_eq!(spread.files["identities"].column("accounts.accountId").len(), 4);
}

#[test]
fn an_unreadable_source_of_documents_leaves_the_last_snapshot() {
    let mut installation = installation();
    installation.publish_incomplete = true;
    installation.source(MODEL, "model.ndjson", "{\"_type\":\"role\",\"id\":\"r1\",\"name\":\"Kept\"}\n");
    installation.refresh();
    std::fs::remove_file(installation.dir.path().join("model.ndjson")).unwrap();
    let outcome = installation.refresh();
    assert!(outcome.manifest.is_none());
    assert_eq!(installation.search("name:kept", |_| {}).files["roles"].rows.len(), 1);
}

/// Each search is compared with its counts, so counts of another search would fail it.
#[test]
fn counts_that_are_kept_are_those_of_who_asks_what_and_when() {
    let mut installation = installation();
    let (everybody, of_ad) =
        (DataScope::Everything, DataScope::of_sources(["000000000000000000000000000000a2"]).unwrap());
    let rows = |installation: &Installation, scope: &DataScope, query: &str, columns: &str, days: i64| {
        let found = installation.scoped_search(query, scope, |request| {
            request.indices = vec!["identities".into()];
            request.columns = columns.split(',').map(str::to_owned).collect();
            request.now += TimeDelta::days(days);
        });
        found.files["identities"].rows.len()
    };
    for _ in 0..2 {
        // Each person has an account of HR, too.
        assert_eq!(rows(&installation, &everybody, "*", "id", 0), 4);
        assert_eq!(rows(&installation, &everybody, "*", "id,accounts.spread", 0), 8);
        assert_eq!(rows(&installation, &of_ad, "*", "id,accounts.spread", 0), 4);
        assert_eq!(rows(&installation, &everybody, "@accounts(disabled:true)", "id", 0), 2);
        assert_eq!(rows(&installation, &everybody, "created:<now-7d", "id", 30), 4);
        assert_eq!(rows(&installation, &everybody, "created:<now-7d", "id", 0), 0);
    }
    let in_fields = |fields: &[&str]| {
        let found = installation.search("york", |request| {
            request.indices = vec!["identities".into()];
            request.fields = fields.iter().map(|&field| field.to_owned()).collect();
        });
        found.files["identities"].rows.len()
    };
    assert_eq!((in_fields(&["attributes.city"]), in_fields(&["name"]), in_fields(&[])), (2, 0, 2));
    installation.source(
        AD,
        "ad.csv",
        "dn,sam,emp,off,groups\n\
         cn=ann,ann,e1,false,Admins|Sales Team\n\
         cn=ann2,adm-ann,e1,false,Sales Team\n\
         cn=bob,bob,e2,false,Sales; East\n\
         cn=cid,cid,e3,true,\n\
         cn=nobody,nobody,zzz,true,Admins\n",
    );
    installation.refresh();
    assert_eq!(rows(&installation, &everybody, "@accounts(disabled:true)", "id", 0), 1);
}
