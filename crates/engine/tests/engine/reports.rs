//! The six reports over one small organisation, as whole files that a person can check by eye.

use crate::installation::{Installation, block_on};
use muster_engine::EngineError;
use muster_reports::error::error_chain;
use muster_reports::{Arguments, DataScope, ReportDefinition};

pub const HR: &str = r#"
id = "000000000000000000000000000000a1"
name = "HR"
kind = "delimited"
delete_threshold_percent = 50
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
[lifecycle]
attribute = "status"
states = { "A" = "active", "T" = "terminated" }
"#;

const AD: &str = r#"
id = "000000000000000000000000000000a2"
name = "AD"
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
[delimited.system]
column = "kind"
values = ["service"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

pub fn installation() -> Installation {
    let mut installation = Installation::new();
    installation.source(
        HR,
        "hr.csv",
        "id,given,name,mail,status\n1,Ann,\"O'Hara, Dr.\",ann@x,A\n2,Bob,Ωmega,bob@x,T\n3,Cid,Leaver,cid@x,A\n4,Dee,,dee@x,A\n",
    );
    installation.source(
        AD,
        "ad.csv",
        "dn,sam,emp,off,kind,groups\n\
         \"cn=ann,o=x\",ann,1,no,person,a;b|c\n\
         cn=bob,bob,2,yes,person,\n\
         cn=cid,cid,3,no,person,z\n\
         cn=lost,lost,99,no,person,\n\
         cn=robot,robot,,no,service,\n",
    );
    installation.refresh();
    installation.source(
        HR,
        "hr.csv",
        "id,given,name,mail,status\n1,Ann,\"O'Hara, Dr.\",ann@x,A\n2,Bob,Ωmega,bob@x,T\n4,Dee,,dee@x,A\n",
    );
    installation.refresh();
    installation
}

/// Replaces ids (32 hex digits) with letters in order of appearance, so that the expected text is readable.
fn readable(csv: &str) -> String {
    let mut names = std::collections::BTreeMap::new();
    let mut out = String::new();
    let mut word = String::new();
    for character in csv.replace("\r\n", "\n").chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
            continue;
        }
        if word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()) && !word.starts_with("0000") {
            let next = format!("<{}>", names.len());
            out.push_str(names.entry(word.clone()).or_insert(next));
        } else {
            out.push_str(&word);
        }
        word.clear();
        out.push(character);
    }
    out.trim_end().to_owned()
}

fn check(csv: &str, expected: &str) {
    assert_eq!(readable(csv), expected.trim());
}

#[test]
fn accounts_of_a_source() {
    check(
        &installation().accounts("AD").csv,
        "
nativeIdentity,name,sourceId,sourceName,identityId,identityName,identityDisplayName,correlated,manuallyCorrelated,situation,disabled,locked,systemAccount,entitlementCount,created,modified,dn,sam,emp,off,kind,groups
\"cn=ann,o=x\",ann,000000000000000000000000000000a2,AD,<0>,1,\"Ann O'Hara, Dr.\",true,false,LINKED,false,false,false,2,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,\"cn=ann,o=x\",ann,1,no,person,a;;b; c
cn=bob,bob,000000000000000000000000000000a2,AD,<1>,2,Bob Ωmega,true,false,LINKED,true,false,false,0,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,cn=bob,bob,2,yes,person,
cn=cid,cid,000000000000000000000000000000a2,AD,<2>,3,Cid Leaver,false,false,PLACEHOLDER_OWNER,false,false,false,1,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,cn=cid,cid,3,no,person,z
cn=lost,lost,000000000000000000000000000000a2,AD,,,,false,false,UNMATCHED,false,false,false,0,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,cn=lost,lost,99,no,person,
cn=robot,robot,000000000000000000000000000000a2,AD,,,,false,false,UNMATCHED,false,false,true,0,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,cn=robot,robot,,no,service,
",
    );
}

#[test]
fn identities() {
    check(
        &installation().report("IDENTITIES", &[]).csv,
        "
id,name,displayName,firstName,lastName,email,identityProfile,authoritativeSource,lifecycleState,status,correlated,managerName,accountCount,created,modified,uid,attributes.firstname,attributes.lastname,attributes.email,attributes.displayName,cloudLifecycleState
<0>,1,\"Ann O'Hara, Dr.\",Ann,\"O'Hara, Dr.\",ann@x,Employees,HR,active,ACTIVE,true,,2,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,1,Ann,\"O'Hara, Dr.\",ann@x,\"Ann O'Hara, Dr.\",active
<1>,2,Bob Ωmega,Bob,Ωmega,bob@x,Employees,HR,terminated,TERMINATED,true,,2,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,2,Bob,Ωmega,bob@x,Bob Ωmega,terminated
<2>,3,Cid Leaver,Cid,Leaver,cid@x,,,active,ACTIVE,false,,1,2026-01-01T01:00:00.000Z,2026-01-01T02:00:00.000Z,3,Cid,Leaver,cid@x,Cid Leaver,active
<3>,4,,Dee,,dee@x,Employees,HR,active,ACTIVE,true,,1,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z,4,Dee,,dee@x,,active
",
    );
}

#[test]
fn identities_details() {
    let ran = installation().report("IDENTITIES_DETAILS", &[]);
    let rows: Vec<String> = ran
        .column("name")
        .iter()
        .zip(ran.column("sourceName"))
        .zip(ran.column("nativeIdentity"))
        .zip(ran.column("accountDisabled"))
        .zip(ran.column("entitlements"))
        .map(|((((name, source), native), disabled), entitlements)| {
            format!("{name} {source} {native} {disabled} {entitlements}").trim_end().to_owned()
        })
        .collect();
    assert_eq!(
        rows,
        [
            "1 AD cn=ann,o=x false a;;b; c",
            "1 HR 1 false",
            "2 AD cn=bob true",
            "2 HR 2 false",
            "3 AD cn=cid false z",
            "4 HR 4 false",
        ]
    );
}

#[test]
fn orphan_identities() {
    check(
        &installation().report("ORPHAN_IDENTITIES", &[]).csv,
        "
id,name,displayName,email,cause,lostSince,lastAuthoritativeSource,accountCount,accounts,created,modified
<0>,3,Cid Leaver,cid@x,LOST_AUTHORITATIVE,2026-01-01T02:00:00.000Z,HR,1,AD:cn=cid,2026-01-01T01:00:00.000Z,2026-01-01T02:00:00.000Z
",
    );
}

#[test]
fn uncorrelated_accounts() {
    check(
        &installation().report("UNCORRELATED_ACCOUNTS", &[]).csv,
        "
account,displayName,userName,type,sourceId,sourceName,situation,candidates,disabled,created,modified
cn=cid,,3,AD,000000000000000000000000000000a2,AD,PLACEHOLDER_OWNER,,false,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z
cn=lost,,,AD,000000000000000000000000000000a2,AD,UNMATCHED,,false,2026-01-01T01:00:00.000Z,2026-01-01T01:00:00.000Z
",
    );
}

#[test]
fn identity_errors() {
    check(
        &installation().errors("HR").csv,
        "
identityId,identityName,displayName,nativeIdentity,identityProfile,errorCode,attribute,value,message,detected
<0>,4,,4,Employees,MISSING_REQUIRED_ATTRIBUTE,lastname,,attribute lastname is empty after mapping: the identity profile requires it,2026-01-01T01:00:00.000Z
",
    );
}

#[test]
fn every_report_reconciles() {
    let installation = installation();
    let uncorrelated = installation.report("UNCORRELATED_ACCOUNTS", &[]).reconciliation;
    // HR: 3 live accounts and 1 missing. AD: 5, one of them a system account. 1, 2 and 4 own 5 live accounts.
    assert_eq!(uncorrelated.population, 9);
    let excluded: Vec<u64> = uncorrelated.excluded.iter().map(|c| c.rows).collect();
    assert_eq!(excluded, [1, 1, 5]);
    assert_eq!((uncorrelated.expected, uncorrelated.reported), (2, 2));
}

/// Attributes may have the name of a report column, names that differ by case only, and any characters.
#[test]
fn attributes_of_any_name_are_columns_of_their_own() {
    let mut installation = Installation::new();
    installation.source(
        "name = \"Odd\"\nkind = \"delimited\"\n[delimited]\npath = \"odd.csv\"\nnative_identity = \"dn\"\n",
        "odd.csv",
        "dn,name,attributes.name,Name,NAME,a.b,\"quo\"\"te\",$x,it's,situation,\"c0\"\nd1,v1,v2,v3,v4,v5,v6,v7,v8,v9,v10\n",
    );
    installation.refresh();
    let ran = installation.accounts("Odd");
    let headers = [
        "dn",
        "attributes.attributes.name",
        "attributes.name",
        "attributes.attributes.attributes.Name",
        "attributes.attributes.attributes.attributes.NAME",
        "a.b",
        "quo\"te",
        "$x",
        "it's",
        "attributes.situation",
        "c0",
    ];
    assert_eq!(ran.header[16..], headers);
    assert_eq!(ran.rows[0][16..], ["d1", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10"]);
    assert_eq!(ran.column("situation"), ["UNMATCHED"]);
}

/// A custom report over the accounts, with these texts. Returns its rows or the text of the error.
fn custom(
    installation: &Installation,
    query: &str,
    population: &str,
    order: &str,
    scope: &DataScope,
) -> Result<u64, String> {
    let definition = format!(
        "id = \"mine\"\nversion = 1\nname = \"Mine\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
         order_by = [{order}]\nquery = '''{query}'''\npopulation = '''{population}'''\n\
         [[columns]]\nname = \"n\"\nlabel = \"N\"\nmeaning = \"m\"\n"
    );
    let definition = ReportDefinition::from_toml(&definition, "mine.toml").unwrap();
    let words = |error: EngineError| error_chain(&error);
    block_on(async {
        let plan = installation
            .engine
            .prepare(installation.manifest(), &definition, &Arguments::default(), scope)
            .await;
        let plan = plan.map_err(words)?;
        let counted = plan.reconcile().await.map_err(words)?;
        let mut rows = plan.start().map_err(words)?;
        let mut count = 0;
        while let Some(batch) = rows.next().await.map_err(words)? {
            count += batch.num_rows() as u64;
        }
        assert_eq!(count, counted.expected);
        Ok(count)
    })
}

const COUNT: &str = "SELECT count(*) FROM accounts";

#[test]
fn a_custom_report_reads_the_tables_of_the_snapshot_and_nothing_else() {
    let installation = installation();
    let all = DataScope::Everything;
    let names = "SELECT native_identity AS n FROM accounts";
    assert_eq!(custom(&installation, names, COUNT, "\"n\"", &all), Ok(9));
    let tables = installation.dir.path().join("tables/accounts").display().to_string();
    let mut files = std::fs::read_dir(&tables).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let outside = installation.dir.path().join("outside.csv");
    let nobody = DataScope::Sources([].into());
    for sql in [
        format!("COPY (SELECT * FROM accounts) TO '{}'", outside.display()),
        format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{tables}'"),
        format!("SELECT native_identity AS n FROM '{}'", file.display()),
        format!("SELECT native_identity AS n FROM \"{}\"", file.display()),
        format!("SELECT native_identity AS n FROM parquet_scan('{}')", file.display()),
        "INSERT INTO accounts SELECT * FROM accounts".to_owned(),
        "EXPLAIN ANALYZE INSERT INTO accounts SELECT * FROM accounts".to_owned(),
        "SET datafusion.catalog.information_schema = true".to_owned(),
        "SELECT table_name AS n FROM information_schema.tables".to_owned(),
        "SELECT value AS n FROM generate_series(1, 3)".to_owned(),
        "SELECT id AS n FROM written_accounts".to_owned(),
        format!("{names}; {names}"),
    ] {
        // As the population query: a count, which only this rule refuses.
        let counting =
            ["native_identity", "table_name", "value", "id"].iter().fold(sql.clone(), |sql, name| {
                sql.replace(&format!("SELECT {name} AS n"), "SELECT count(*) AS n")
            });
        for scope in [&all, &nobody] {
            assert!(custom(&installation, &sql, COUNT, "\"n\"", scope).is_err(), "{sql}");
            assert!(custom(&installation, names, &counting, "\"n\"", scope).is_err(), "{counting}");
        }
    }
    assert!(!outside.exists());
    // A caller without sources sees no rows, however the table is named.
    for name in ["accounts", "public.accounts", "datafusion.public.accounts", "\"accounts\""] {
        let names = format!("SELECT native_identity AS n FROM {name}");
        assert_eq!(custom(&installation, &names, COUNT, "\"n\"", &nobody), Ok(0), "{name}");
    }
}

#[test]
fn a_custom_report_whose_keys_do_not_tell_rows_apart_fails_in_words() {
    let installation = installation();
    let all = DataScope::Everything;
    let names = "SELECT native_identity AS n, source_name AS s FROM accounts";
    let refused = custom(&installation, names, COUNT, "\"s\"", &all).unwrap_err();
    assert!(refused.contains("mine: row 2 has the same sort keys as row 1"), "{refused}");
    // Rows that are equal in all shown columns have one order.
    assert_eq!(custom(&installation, "SELECT source_name AS n FROM accounts", COUNT, "\"n\"", &all), Ok(9));
}

#[test]
fn a_count_that_is_none_fails() {
    let installation = installation();
    let names = "SELECT native_identity AS n FROM accounts";
    for count in [
        "SELECT CAST(NULL AS BIGINT)",
        "SELECT -9",
        "SELECT 'nine'",
        "SELECT 9.5",
        "SELECT 9 UNION ALL SELECT 9",
    ] {
        let refused = custom(&installation, names, count, "\"n\"", &DataScope::Everything).unwrap_err();
        assert!(refused.contains("counting \"population\""), "{count}: {refused}");
    }
}

/// A view holds the whole text that it was cut from, and a sort counts that text for each batch. With views,
/// organisations of a hundred thousand people did not fit into memory.
#[test]
fn tables_are_read_as_plain_texts() {
    let types = installation().types("IDENTITIES_DETAILS");
    assert_eq!((types["name"].as_str(), types["accountName"].as_str()), ("Utf8", "Utf8"));
    assert!(!types.values().any(|name| name.contains("View")), "{types:?}");
}
