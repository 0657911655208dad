//! An Identity Security Cloud tenant: an emulator that pages, sorts, limits and fails as the real one says it does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use muster_sources::{
    DocumentType, FlagCondition, ReadError, TenantObjects, TenantSettings, documents, open_documents,
    open_source,
};
use serde_json::{Value, json};

use crate::servers::tenant::{CLIENT, Data, SECRET, SOURCE, Tenant};
use crate::support::{self, Outcome};

fn environment(name: &str) -> Option<String> {
    (name == "TENANT_SECRET").then(|| SECRET.to_owned())
}

pub fn settings(tenant: &Tenant) -> TenantSettings {
    TenantSettings {
        allow_plaintext: true,
        client_secret_env: Some("TENANT_SECRET".to_owned()),
        ..TenantSettings::new(tenant.url.clone(), CLIENT, "Directory")
    }
}

pub fn read(settings: TenantSettings) -> Result<Outcome, ReadError> {
    let definition = support::definition_of(settings);
    support::read_all(open_source(&definition, Path::new("."), &environment)?)
}

/// An id whose order is that of the numbers.
pub fn id(number: usize) -> String {
    format!("{:032x}", number * 3 + 1)
}

/// An account as the published schema has it, every required member among them.
pub fn account(number: usize, source: &str) -> Value {
    json!({
        "id": id(number), "name": format!("user{number}"), "created": "2015-05-28T14:07:17Z",
        "modified": "2015-05-28T14:07:17Z", "sourceId": source, "sourceName": "Directory",
        "identityId": format!("i{number}"), "connectionType": "direct", "isMachine": false,
        "attributes": {"login": format!("user{number}"), "memberOf": [format!("g{}", number % 7), "all"]},
        "authoritative": false, "description": null, "disabled": false, "locked": false,
        "nativeIdentity": format!("CN=user{number}"), "systemAccount": false, "uncorrelated": false, "uuid": null,
        "manuallyCorrelated": false, "hasEntitlements": true, "origin": "AGGREGATED",
        "identity": {"id": format!("i{number}"), "type": "IDENTITY", "name": format!("User {number}")},
        "aMemberOfTomorrow": {"deep": [1, {"x": null}]},
    })
}

/// A tenant with `count` accounts of the directory, those of another source between them, in no order.
pub fn directory(count: usize) -> Data {
    let attribute = |name: &str, is_entitlement: bool| {
        json!({"name": name, "type": "STRING", "schema": null, "isMulti": is_entitlement,
               "isEntitlement": is_entitlement, "isGroup": is_entitlement})
    };
    let schemas = json!([
        {"id": "s2", "name": "group", "attributes": [attribute("cn", false)]},
        {"id": "s1", "name": "account", "nativeObjectType": "User", "identityAttribute": "dn", "displayAttribute": "cn",
         "attributes": [attribute("login", false), attribute("memberOf", true), attribute("mail", false)]},
    ]);
    let source = |id: &str, name: &str| json!({"id": id, "name": name, "connector": "active-directory"});
    let accounts = (0..count).rev().map(|number| account(number, SOURCE));
    let others = (0..7).map(|number| account(1_000_000 + number, "0000"));
    Data {
        sources: vec![source("0000", "Other \"R\\D\""), source(SOURCE, "Directory")],
        schemas: BTreeMap::from([(SOURCE.to_owned(), schemas)]),
        accounts: others.chain(accounts).collect(),
        ..Data::default()
    }
}

/// The native identities that a read must give: counted from the numbers and not from what was read.
fn natives(count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("CN=user{number}")).collect()
}

/// The native identities of what was read; there must be no repetition.
pub fn read_natives(outcome: &Outcome) -> BTreeSet<String> {
    let native = |record: &String| record.split(' ').nth(1).unwrap().to_owned();
    let found: BTreeSet<String> = outcome.records.iter().map(native).collect();
    assert_eq!(found.len(), outcome.records.len(), "a record came twice");
    found
}

pub fn whole(outcome: &Outcome, count: usize) {
    assert_eq!(outcome.summary.incomplete_reason, None);
    assert_eq!(outcome.summary.reported_total, Some(count as u64));
    assert_eq!(read_natives(outcome), natives(count));
}

#[test]
fn accounts_of_one_source_with_what_its_schema_says() {
    let mut data = directory(4);
    data.accounts.retain(|account| account["sourceId"] != SOURCE);
    let mut accounts: Vec<Value> = (0..5).map(|number| account(number, SOURCE)).collect();
    // Carries an identity's id and is uncorrelated; has no name; has a uuid.
    accounts[1]["uncorrelated"] = json!(true);
    accounts[1]["name"] = Value::Null;
    accounts[1]["uuid"] = json!("{b0dce506-d6d4-44d2-8a32-d9a5b21fb175}");
    accounts[2]["disabled"] = json!(true);
    accounts[2]["locked"] = json!(true);
    accounts[2]["isMachine"] = json!(true);
    accounts[2]["ownerIdentity"] = json!({"id": "o1", "type": "IDENTITY", "name": "Adam Kennedy"});
    accounts[2]["attributes"] =
        json!({"displayName": "Robot", "memberOf": "solo", "login": 7, "homegrown": "x"});
    accounts[3]["attributes"] = Value::Null;
    accounts[3]["manuallyCorrelated"] = json!(true);
    accounts[4]["nativeIdentity"] = Value::Null;
    data.accounts.extend(accounts);
    let tenant = Tenant::start(data);
    let outcome = read(settings(&tenant)).unwrap();
    let tail = |number: usize, manual: bool| {
        format!(
            "tenant.id={}, tenant.identityId=i{number}, tenant.identityName=User {number}, tenant.manuallyCorrelated={manual}",
            id(number)
        )
    };
    let machine = "tenant.isMachine=true, tenant.ownerName=Adam Kennedy";
    let expected = [
        format!("0 CN=user0 user0/-/- {{login=user0, memberOf=g0|all, {}}} g0|all", tail(0, false)),
        format!(
            "0 CN=user1 -/-/{{b0dce506-d6d4-44d2-8a32-d9a5b21fb175}} {{login=user1, memberOf=g1|all, tenant.id={}, \
             tenant.manuallyCorrelated=false}} g1|all",
            id(1)
        ),
        format!(
            "0 CN=user2 [dls] user2/Robot/- {{login=7, memberOf=solo, {}, {machine}}} solo",
            tail(2, false)
        ),
        format!("0 CN=user3 user3/-/- {{{}}}", tail(3, true)),
    ];
    assert_eq!(outcome.records, expected);
    let refused = ["5 -: \"tenant.nativeIdentity\" is absent: expected the native identity"];
    assert_eq!(outcome.rejection_texts(), refused);
    assert_eq!(outcome.summary.incomplete_reason, None);
    let warned = [
        "attributes that the source's account schema does not list are left out: \"displayName\", \"homegrown\"",
    ];
    assert_eq!(outcome.summary.warnings, warned);

    // The same source by its id, with a list of its own.
    let mut listed = settings(&tenant);
    listed.source = Some(SOURCE.to_owned());
    listed.attributes = Some(vec!["homegrown".to_owned(), "tenant.identityId".to_owned()]);
    listed.entitlements = Some(Vec::new());
    listed.privileged = Some(FlagCondition {
        attribute: "memberOf".to_owned(),
        values: Some(vec!["SOLO".to_owned()]),
        present: false,
    });
    let outcome = read(listed).unwrap();
    assert_eq!(outcome.records[2], "0 CN=user2 [dlsp] user2/Robot/- {homegrown=x, tenant.identityId=i2}");
    assert_eq!(outcome.summary.warnings, [""; 0]);
}

#[test]
fn more_than_the_window_of_a_search_backed_list() {
    let tenant = Tenant::start(Data { search_backed: true, ..directory(10_600) });
    whole(&read(settings(&tenant)).unwrap(), 10_600);
    let asked = tenant.asked();
    let pages: Vec<&String> = asked.iter().filter(|line| line.starts_with("GET /accounts ")).collect();
    assert!(pages.iter().all(|line| line.contains(" sorters=id") && line.contains(" limit=")), "{pages:?}");
    assert!(pages.iter().any(|line| line.contains(" searchAfter=")));
    // Where offsets are taken, they go on.
    let tenant = Tenant::start(directory(10_600));
    whole(&read(settings(&tenant)).unwrap(), 10_600);
    assert!(!tenant.asked().iter().any(|line| line.contains("searchAfter")));
}

#[test]
fn pages_of_every_size_give_each_account_once() {
    for (count, page_size, cap) in [
        (0, 250, None),
        (1, 250, None),
        (250, 250, None),
        (251, 250, None),
        (499, 250, None),
        (120, 250, Some(50)),
        (33, 2, None),
    ] {
        let tenant = Tenant::start(Data { page_cap: cap, ..directory(count) });
        let outcome = read(TenantSettings { page_size, ..settings(&tenant) }).unwrap();
        whole(&outcome, count);
    }
}

#[test]
fn the_emulator_repeats_and_skips_without_an_order() {
    // Proves that the tests above would notice an unsorted read: the emulator's pages overlap when nobody sorts.
    let tenant = Tenant::start(directory(600));
    let mut unsorted = BTreeSet::new();
    let mut given = 0;
    for offset in [0, 250, 500] {
        let body = plain_get(&tenant, &format!("/v2025/accounts?limit=250&offset={offset}"));
        for element in body.as_array().unwrap() {
            given += 1;
            unsorted.insert(element["id"].to_string());
        }
    }
    assert!(unsorted.len() < given, "{} of {given}", unsorted.len());
    assert_eq!(
        plain_get(&tenant, "/v2025/accounts?limit=251")["messages"][0]["text"],
        "limit must be less than or equal to 250"
    );
}

/// One request without the reader.
fn plain_get(tenant: &Tenant, target: &str) -> Value {
    let form: String = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}",
        SECRET.replace('+', "%2B").replace('&', "%26").replace(' ', "+")
    );
    let token =
        plain(tenant, &format!("POST /oauth/token HTTP/1.1\r\nContent-Length: {}\r\n\r\n{form}", form.len()));
    let token = token["access_token"].as_str().unwrap();
    plain(tenant, &format!("GET {target} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n"))
}

fn plain(tenant: &Tenant, request: &str) -> Value {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(tenant.url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn uncorrelated_identities_are_not_hidden() {
    let identity = |number: usize, correlated: bool| {
        json!({
            "id": format!("i{number}"), "name": format!("User {number}"), "alias": format!("alias{number}"),
            "emailAddress": null, "processingState": "OK", "identityStatus": "ACTIVE", "isManager": false,
            "managerRef": {"type": "IDENTITY", "id": "i0", "name": "User 0"}, "correlated": correlated,
            "lifecycleState": {"stateName": "active", "manuallyUpdated": false},
            "attributes": {"uid": format!("{number}"), "lastname": "User", "tenant.id": "forged"},
        })
    };
    let identities = (0..700).map(|number| identity(number, number % 3 != 0)).collect();
    let tenant = Tenant::start(Data { identities, ..Data::default() });
    let wanted = TenantSettings { objects: TenantObjects::Identities, source: None, ..settings(&tenant) };
    let outcome = read(wanted.clone()).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    assert_eq!(read_natives(&outcome), (0..700).map(|number| format!("i{number}")).collect());
    let listed = ["uid", "tenant.managerId", "tenant.lifecycleState"].map(str::to_owned).to_vec();
    let outcome = read(TenantSettings { attributes: Some(listed), ..wanted }).unwrap();
    let expected = "0 i3 alias3/User 3/- {uid=3, tenant.managerId=i0, tenant.lifecycleState=active}";
    assert!(outcome.records.iter().any(|record| record == expected), "{:?}", outcome.records.first());
}

#[test]
fn attributes_of_any_size_are_kept() {
    // 200 accounts of 400 KB each: no page of 250 of them is within what is read at once.
    let mut data = directory(200);
    let letters = "abcdefghij".repeat(40_000);
    for account in &mut data.accounts {
        account["attributes"]["mail"] = json!(letters);
    }
    let tenant = Tenant::start(data);
    let outcome = read(settings(&tenant)).unwrap();
    whole(&outcome, 200);
    assert!(outcome.records.iter().all(|record| record.contains(&letters)));
}

#[test]
fn documents_of_an_index_as_lines() {
    let role = |number: usize| json!({"id": id(number), "name": format!("Role {number}"), "_type": "role", "enabled": true});
    let roles: Vec<Value> = (0..613).rev().map(role).collect();
    let documents = BTreeMap::from([("roles".to_owned(), roles)]);
    let tenant = Tenant::start(Data { documents, token_requests: 2, ..Data::default() });
    let wanted = |index| TenantSettings {
        objects: TenantObjects::Documents,
        index: Some(index),
        source: None,
        ..settings(&tenant)
    };
    let read_index = |index| {
        let definition = support::definition_of(wanted(index));
        let mut reader = open_documents(&definition, Path::new("."), &environment).unwrap().unwrap();
        let mut names = Vec::new();
        while let Some(batch) = reader.next_batch().unwrap() {
            assert!(batch.rejections.is_empty(), "{:?}", batch.rejections);
            for typed in batch.documents {
                assert_eq!(typed.document_type, index);
                let documents = (0..typed.lines.len()).map(|row| documents::to_json(&typed.records, row));
                names
                    .extend(documents.map(|document| document.unwrap()["name"].as_str().unwrap().to_owned()));
            }
        }
        (names, reader.finish().unwrap())
    };
    let (names, summary) = read_index(DocumentType::Roles);
    assert_eq!(names, (0..613).map(|number| format!("Role {number}")).collect::<Vec<_>>());
    assert_eq!((summary.read, summary.reported_total, summary.incomplete_reason), (613, Some(613), None));
    let lines: usize = (0..613).map(|number| role(number).to_string().len() + 1).sum();
    assert_eq!(summary.bytes, lines as u64);
    let (names, summary) = read_index(DocumentType::Entitlements);
    assert_eq!((names.len(), summary.read, summary.complete), (0, 0, true));
    // Accounts are not there, and say so.
    let text = read(wanted(DocumentType::Roles)).err().unwrap().to_string();
    assert!(text.ends_with("holds search documents: expected a source of accounts"), "{text}");
}

#[test]
fn a_part_of_an_index_is_worth_nothing() {
    let role = |number: usize| json!({"id": id(number), "name": format!("Role {number}"), "_type": "role"});
    let documents = BTreeMap::from([("roles".to_owned(), (0..600).map(role).collect())]);
    // A role goes while the third page is asked for.
    let tenant = Tenant::scripted(Data { documents, ..Data::default() }, |asked, data| {
        if asked.number == 2 {
            data.documents.get_mut("roles").unwrap().remove(0);
        }
        None
    });
    let wanted = TenantSettings {
        objects: TenantObjects::Documents,
        index: Some(DocumentType::Roles),
        source: None,
        ..settings(&tenant)
    };
    let definition = support::definition_of(wanted);
    let mut reader = open_documents(&definition, Path::new("."), &environment).unwrap().unwrap();
    let error = loop {
        match reader.next_batch() {
            Ok(batch) => assert!(batch.is_some(), "the read did not fail"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.ends_with("the tenant reported 600 elements at first and 599 at the end"), "{error}");
}

#[test]
fn definitions_of_a_tenant() {
    let parse = |table: &str| {
        let text = format!(
            "name = \"x\"\nkind = \"tenant\"\n[tenant]\nurl = \"https://x.api.identitynow.com\"\n{table}"
        );
        muster_sources::SourceDefinition::from_toml(&text, Path::new("t.toml"))
            .map_err(|error| error.to_string())
    };
    let secret = "client_id = \"c\"\nclient_secret_file = \"f\"\n";
    assert!(parse(&format!("{secret}source = \"Directory\"")).is_ok());
    assert!(parse(&format!("{secret}objects = \"identities\"")).is_ok());
    let cases = [
        ("", "t.toml: tenant.source: expected the name or the id of the source whose accounts are read"),
        (
            "source = \"a\"\nobjects = \"identities\"",
            "t.toml: tenant.source: expected no such key: only accounts are of one source",
        ),
        ("source = \"a\"\npage_size = 251", "t.toml: tenant.page_size: expected 2 to 250"),
        (
            "source = \"a\"\nclient_secret_env = \"E\"",
            "t.toml: tenant.client_secret_file: expected either `client_secret_file` or `client_secret_env`",
        ),
        (
            "source = \"a\"\nversion = \"../x\"",
            "t.toml: tenant.version: expected a version of the API, such as \"v2025\"",
        ),
        (
            "source = \"a\"\nattributes = [\"a\", \"a\"]",
            "t.toml: tenant.attributes[1]: \"a\" is listed twice",
        ),
        (
            "source = \"a\"\nattributes = [\"a\"]\nentitlements = [\"b\"]",
            "t.toml: tenant.entitlements[0]: account attribute \"b\" is not among tenant.attributes",
        ),
    ];
    for (table, expected) in cases {
        assert_eq!(parse(&format!("{secret}{table}")).err().as_deref(), Some(expected));
    }
}

/// `cargo test --release -p muster-sources --test sources -- --ignored --nocapture twenty_thousand`
#[test]
#[ignore = "measures and does not test"]
fn twenty_thousand_accounts() {
    for search_backed in [false, true] {
        let tenant = Tenant::start(Data { search_backed, ..directory(20_000) });
        let definition = support::definition_of(settings(&tenant));
        // Linux forgets the peak so far; what the emulator holds is not the reader's.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = memory("VmRSS");
        let (start, cpu) = (std::time::Instant::now(), cpu_seconds());
        let mut reader = open_source(&definition, Path::new("."), &environment).unwrap();
        let mut rows = 0;
        while let Some(batch) = reader.next_batch().unwrap() {
            rows += batch.records.num_rows();
        }
        let summary = reader.finish().unwrap();
        assert_eq!((rows, summary.incomplete_reason), (20_000, None));
        let seconds = start.elapsed().as_secs_f64();
        let grown = memory("VmHWM").saturating_sub(before);
        let cpu = cpu_seconds() - cpu;
        println!(
            "search-backed {search_backed}: {:.0} rows/s, {cpu:.2} s of processor with the emulator, peak {grown} kB more than \
             before",
            f64::from(20_000) / seconds
        );
    }
}

/// A line of what Linux says about this process, in kB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Processor time of this process, in seconds; Linux counts hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|text| text.parse::<f64>().unwrap() / 100.0).sum()
}
