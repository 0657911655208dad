//! A whole tenant as source definitions: what is taken over, what is named as left out, and what a second time changes.

use std::collections::BTreeMap;
use std::path::Path;

use muster_sources::{
    DocumentType, MirrorRequest, ReadError, SourceDefinition, TenantMirror, TenantSettings, mirror_tenant,
};
use serde_json::{Value, json};

use crate::servers::tenant::{Data, Fault, SECRET, Tenant};
use crate::support;
use crate::tenant::settings;

const HR: &str = "2c91808568c529c60168cca6f90c0001";
/// Ids of the newer form have hyphens.
const DIRECTORY: &str = "2B838DE9-db9b-abcf-e646-d4f274ad4238";

fn environment(name: &str) -> Option<String> {
    (name == "TENANT_SECRET").then(|| SECRET.to_owned())
}

fn mirror(tenant: &Tenant, registered: &[SourceDefinition]) -> Result<TenantMirror, ReadError> {
    let settings = TenantSettings { source: None, ..settings(tenant) };
    let documents = [DocumentType::Roles, DocumentType::AccessProfiles];
    let request = MirrorRequest { settings: &settings, name: "Acme", documents: &documents, registered };
    mirror_tenant(request, Path::new("."), &environment)
}

fn account_attribute(name: &str) -> Value {
    json!({"type": "accountAttribute", "attributes": {"attributeName": name, "sourceName": "HR", "sourceId": HR}})
}

fn schema(names: &[&str]) -> Value {
    let attribute =
        |name: &&str| json!({"name": name, "type": "STRING", "isEntitlement": *name == "memberOf"});
    json!([{"id": "x", "name": "account", "attributes": names.iter().map(attribute).collect::<Vec<_>>()}])
}

/// An authoritative source and a directory, as the published schemas have them.
pub fn acme() -> Data {
    let transforms = [
        ("uid", account_attribute("empnum")),
        (
            "lastname",
            json!({"type": "reference", "attributes": {"id": "Tidy", "input": account_attribute("surname")}}),
        ),
        ("email", json!({"type": "rule", "attributes": {"name": "Make an address"}})),
        ("cloudLifecycleState", account_attribute("status")),
    ];
    let transforms: Vec<Value> = transforms
        .into_iter()
        .map(|(name, definition)| json!({"identityAttributeName": name, "transformDefinition": definition}))
        .collect();
    Data {
        sources: vec![
            json!({"id": HR, "name": "HR", "authoritative": true, "deleteThreshold": 5, "connector": "delimited-file",
                "managerCorrelationMapping": {"accountAttributeName": "boss", "identityAttributeName": "uid"},
                "managerCorrelationRule": null}),
            json!({"id": DIRECTORY, "name": "Directory", "authoritative": false, "deleteThreshold": 200}),
            json!({"id": "odd", "name": "Empty"}),
        ],
        schemas: BTreeMap::from([
            (HR.to_owned(), schema(&["empnum", "surname", "status", "boss"])),
            (DIRECTORY.to_owned(), schema(&["login", "memberOf"])),
            ("odd".to_owned(), json!([{"id": "y", "name": "group", "attributes": []}])),
        ]),
        identity_profiles: vec![json!({
            "id": "p1", "name": "Employees", "priority": 10, "authoritativeSource": {"type": "SOURCE", "id": HR, "name": "HR"},
            "identityCount": 2, "identityAttributeConfig": {"enabled": true, "attributeTransforms": transforms},
        })],
        lifecycle_states: BTreeMap::from([(
            "p1".to_owned(),
            json!([{"id": "1", "name": "Active", "technicalName": "active"}, {"id": "2", "technicalName": "gone", "identityState": "INACTIVE_LONG_TERM"}]),
        )]),
        transforms: vec![json!({"id": "t1", "name": "Tidy", "type": "upper", "internal": false,
            "attributes": {"input": {"type": "trim", "attributes": {}}}})],
        identities: vec![
            json!({"id": "i1", "name": "Ada", "alias": "1", "correlated": true}),
            json!({"id": "i2", "name": "Bob", "alias": "2", "correlated": false}),
        ],
        ..Data::default()
    }
}

/// What a definition says, as a file has it: the parser must take it.
fn checked(definition: &SourceDefinition) -> Value {
    let mut value = serde_json::to_value(definition).unwrap();
    let reader = value["reader"].as_object().unwrap().clone();
    let (kind, table) = reader.into_iter().next().unwrap();
    let file = value.as_object_mut().unwrap();
    file.remove("reader");
    file.insert("kind".to_owned(), json!(kind));
    file.insert(kind, table);
    let text = toml::to_string(&without_nulls(value.clone())).unwrap();
    let parsed = SourceDefinition::from_toml(&text, Path::new("made.toml"));
    assert_eq!(parsed.as_ref().map_err(ToString::to_string), Ok(definition), "{text}");
    serde_json::to_value(definition).unwrap()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn left_out(mirror: &TenantMirror) -> Vec<String> {
    mirror.left_out.iter().map(|left| format!("{}: {}: {}", left.source, left.what, left.reason)).collect()
}

#[test]
fn each_source_is_a_definition_with_its_profile() {
    let tenant = Tenant::start(acme());
    let mirror = mirror(&tenant, &[]).unwrap();
    let [directory, hr, roles, profiles] = &mirror.definitions[..] else {
        panic!("{:?}", mirror.definitions)
    };
    let hr = checked(hr);
    assert_eq!(
        (&hr["id"], &hr["name"], &hr["delete_threshold_percent"]),
        (&json!(HR), &json!("HR"), &json!(5))
    );
    assert_eq!(hr["reader"]["tenant"]["source"], HR);
    assert_eq!(hr["reader"]["tenant"]["client_secret_env"], "TENANT_SECRET");
    let from = |name: &str, from: &str, transforms: Value| json!({"name": name, "from": from, "transforms": transforms, "required": false});
    let expected = json!({
        "name": "Employees", "priority": 10, "protected": [],
        "prefer": {"states": [], "newest": null}, "manager": {"attribute": "manager", "match": "uid"},
        "attributes": [
            from("uid", "empnum", json!([])),
            from("lastname", "surname", json!(["trim", "upper"])),
            from("cloudLifecycleState", "status", json!([])),
            from("manager", "boss", json!([])),
            from("tenantId", "tenant.identityId", json!([])),
        ],
    });
    assert_eq!(hr["profile"], expected);
    assert_eq!(
        hr["lifecycle"],
        json!({"attribute": "status", "states": {"active": "active", "gone": "gone"},
            "status": {"active": "ACTIVE", "gone": "TERMINATED"}})
    );
    let rule = json!([{"identity_attribute": "tenantId", "account_attribute": "tenant.identityId", "ignore_case": false}]);
    assert_eq!(hr["correlation"], rule);

    let directory = checked(directory);
    assert_eq!(directory["id"], "2b838de9db9babcfe646d4f274ad4238");
    assert_eq!(directory["reader"]["tenant"]["source"], DIRECTORY);
    assert_eq!((&directory["profile"], &directory["correlation"]), (&Value::Null, &rule));
    assert_eq!(directory["delete_threshold_percent"], 10);

    for (documents, index) in [(roles, "roles"), (profiles, "accessprofiles")] {
        let documents = checked(documents);
        assert_eq!(documents["name"], format!("Acme {index}"));
        assert_eq!(documents["reader"]["tenant"]["objects"], "documents");
        assert_eq!(documents["reader"]["tenant"]["index"], index);
    }
    let expected = [
        "Directory: delete threshold: 200: expected 0 to 100; 10 is taken",
        "Empty: accounts: the source has no account schema",
        "HR: identity attribute \"email\": a transform of type \"rule\" is not supported",
    ];
    assert_eq!(left_out(&mirror), expected);
    assert_eq!((mirror.identities, mirror.identities_correlated), (Some(2), Some(1)));
    assert!(mirror.gone.is_empty());
    // Nothing is read twice.
    let asked = tenant.asked();
    assert_eq!(asked.iter().filter(|line| line.starts_with("GET /transforms")).count(), 1, "{asked:?}");
}

#[test]
fn a_second_time_keeps_ids_and_names_what_is_gone() {
    let tenant = Tenant::start(acme());
    let first = mirror(&tenant, &[]).unwrap().definitions;
    assert_eq!(mirror(&tenant, &first).unwrap().definitions, first);
    // A source is known by its id, whatever it is called.
    tenant.change(|data| data.sources[0]["name"] = json!("Human resources"));
    let renamed = mirror(&tenant, &first).unwrap().definitions;
    assert_eq!((&renamed[1].id, renamed[1].name.as_str()), (&first[1].id, "Human resources"));
    tenant.change(|data| data.sources[0]["name"] = json!("HR"));

    // One written by hand, by the source's name, under an id and a name of its own; another system's source with a name
    // that the tenant uses, too; and one of this tenant whose source is not there.
    let by_hand = SourceDefinition {
        id: "0".repeat(32),
        name: "Our people".to_owned(),
        ..support::definition_of(TenantSettings { source: Some("HR".to_owned()), ..settings(&tenant) })
    };
    let foreign = SourceDefinition {
        id: "1".repeat(32),
        name: "Directory".to_owned(),
        ..support::definition(muster_sources::DelimitedSettings::new("x.csv", "id"))
    };
    let lost = SourceDefinition {
        id: "2".repeat(32),
        name: "Lost".to_owned(),
        ..support::definition_of(TenantSettings { source: Some("not there".to_owned()), ..settings(&tenant) })
    };
    let again = mirror(&tenant, &[by_hand.clone(), foreign, lost.clone()]).unwrap();
    let names: Vec<_> =
        again.definitions.iter().map(|found| (found.id.as_str(), found.name.as_str())).collect();
    assert_eq!(names[0], ("2b838de9db9babcfe646d4f274ad4238", "Directory (Acme)"));
    assert_eq!(names[1], (by_hand.id.as_str(), "HR"));
    assert!(
        left_out(&again)
            .contains(&"Directory: name: another source has it: \"Directory (Acme)\" is taken".to_owned())
    );
    assert_eq!(again.gone, [lost]);
}

#[test]
fn profiles_that_cannot_be_taken_over_are_named() {
    let profile = |id: &str, name: &str, priority: Value, source: &str, enabled: bool| {
        json!({"id": id, "name": name, "priority": priority, "authoritativeSource": {"id": source},
            "identityAttributeConfig": {"enabled": enabled, "attributeTransforms": [
                {"identityAttributeName": "tenantId", "transformDefinition": account_attribute("empnum")},
                {"identityAttributeName": "tenantId", "transformDefinition": account_attribute("surname")},
                {"identityAttributeName": "cloudLifecycleState", "transformDefinition": {"type": "lookup", "attributes": {
                    "input": account_attribute("status"), "table": {"A": "active", "default": "gone"}}}}]}})
    };
    let mut data = acme();
    data.sources[0]["managerCorrelationMapping"]["identityAttributeName"] = json!("email");
    data.identity_profiles = vec![
        profile("p1", "Second", json!(20), HR, true),
        profile("p2", "First", json!(10), HR, true),
        profile("p3", "Off", json!(30), DIRECTORY, false),
        profile("p4", "Unseen", json!(40), "elsewhere", true),
    ];
    for id in ["p2", "p3", "p4"] {
        data.lifecycle_states.insert(id.to_owned(), json!([]));
    }
    let tenant = Tenant::start(data);
    let mirror = mirror(&tenant, &[]).unwrap();
    let hr = checked(&mirror.definitions[1]);
    assert_eq!(
        (&hr["profile"]["name"], &hr["lifecycle"]["states"]),
        (&json!("First"), &json!({"A": "active"}))
    );
    // Its uid is the account's name, which must then be kept; what names the tenant's id has another name.
    let mapped: Vec<_> = hr["profile"]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mapping| format!("{}={}", mapping["name"].as_str().unwrap(), mapping["from"].as_str().unwrap()))
        .collect();
    assert_eq!(
        mapped,
        ["tenantId=empnum", "cloudLifecycleState=status", "uid=tenant.name", "tenantId_=tenant.identityId"]
    );
    assert_eq!(hr["correlation"][0]["identity_attribute"], "tenantId_");
    let kept = [
        "empnum",
        "surname",
        "status",
        "boss",
        "tenant.id",
        "tenant.identityId",
        "tenant.identityName",
        "tenant.manuallyCorrelated",
        "tenant.isMachine",
        "tenant.ownerName",
        "tenant.name",
    ];
    assert_eq!(hr["reader"]["tenant"]["attributes"], json!(kept));
    assert_eq!(checked(&mirror.definitions[0])["profile"], Value::Null);
    let expected = [
        "Directory: delete threshold: 200: expected 0 to 100; 10 is taken",
        "Directory: identity profile \"Off\": its mappings are switched off in the tenant: no identity is made of its accounts",
        "Empty: accounts: the source has no account schema",
        "HR: identity attribute \"tenantId\": it has no name of its own",
        "HR: identity attribute \"uid\": the profile has no mapping of it that can be taken over: it is the account's name",
        "HR: identity profile \"Second\": the source has the profile \"First\" already, which goes before it",
        "HR: lifecycle states: a value that is not listed gives no state here, and \"gone\" in the tenant",
        "HR: managers: the tenant compares \"boss\" of the account with \"email\" of the manager: expected an attribute of \
         the account schema, and \"uid\"",
        "elsewhere: identity profile \"Unseen\": it rests on a source that the client may not see",
    ];
    assert_eq!(left_out(&mirror), expected);
}

#[test]
fn more_sources_than_a_page_are_all_there() {
    let mut data = acme();
    for number in 0..600 {
        let id = format!("{number:032x}");
        data.sources.push(json!({"id": id, "name": format!("Application {number}")}));
        data.schemas.insert(id, schema(&["login"]));
    }
    let mirror = mirror(&Tenant::start(data), &[]).unwrap();
    // With HR and the directory, and two of documents.
    assert_eq!(mirror.definitions.len(), 604);
}

#[test]
fn what_cannot_be_read_fails_all_of_it() {
    let error = |spoil: fn(&str) -> Option<Fault>| {
        let tenant = Tenant::start(acme());
        tenant.script(move |asked, _| spoil(&asked.path));
        let error = mirror(&tenant, &[]).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret") && !text.contains("token-"), "{text}");
        error.to_string().replace(&tenant.url, "URL")
    };
    assert_eq!(
        error(|path| (path == "/identity-profiles").then(|| Fault::Answer(
            "403 Forbidden",
            "",
            String::new()
        ))),
        "URL: the identity profiles could not be read: the tenant answered 403 Forbidden"
    );
    assert_eq!(
        error(|path| path.ends_with("/schemas").then(|| Fault::Answer("200 OK", "", "{}".to_owned()))),
        "URL: source \"Directory\": the tenant's answer is not a list of schemas"
    );
    assert_eq!(
        error(|path| (path == "/transforms").then(|| Fault::Answer("404 Not Found", "", String::new()))),
        "URL: the transform \"Tidy\" could not be read: the tenant answered 404 Not Found"
    );
    // A source comes between the pages and the count at the end.
    let tenant = Tenant::scripted(acme(), move |asked, data| {
        if asked.query.get("limit").is_some_and(|limit| limit == "1") && asked.path == "/sources" {
            data.sources.push(json!({"id": "z", "name": "New"}));
        }
        None
    });
    let text = mirror(&tenant, &[]).err().unwrap().to_string();
    let expected = "the sources could not be read: the tenant reported 3 elements at first and 4 at the end";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn busy_answers_and_broken_connections_do_not_end_it() {
    let mut number = 0;
    let data = Data { token_requests: 3, ..acme() };
    let tenant = Tenant::scripted(data, move |_, _| {
        number += 1;
        match number % 4 {
            1 => Some(Fault::Answer("429 Too Many Requests", "Retry-After: 0\r\n", String::new())),
            3 => Some(Fault::BreakOff),
            _ => None,
        }
    });
    assert_eq!(mirror(&tenant, &[]).unwrap().definitions.len(), 4);
    assert!(tenant.tokens() > 2);
}
