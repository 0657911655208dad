//! A resource's attributes, flattened to names and values.
//!
//! A part of a complex attribute is named with a dot (`name.familyName`). Of several complex values each gives its
//! `value`, the primary one first, and the group's `display` stands under `groups.display`. The enterprise extension's
//! attributes begin with `enterprise.`, those of other extensions with their URN and a colon; those of the core schema
//! have no beginning, though they stand under its URN.
//!
//! Names and URNs are the same in any case (RFC 7643, section 2.1): those that the RFC knows get its spelling.

use serde_json::{Map, Value};

use super::members::{member, take};
use super::version::EntityTag;
use crate::json_values::{text, texts};
use crate::passwords::is_password;

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The name that a resource's version has among its attributes.
pub(super) const VERSION: &str = "meta.version";

/// The name of the attribute that tells whether an account can be used.
const ACTIVE: &str = "active";

/// Attributes of RFC 7643 (4.1 to 4.3) as they are named here.
const KNOWN: [&str; 36] = [
    "id",
    "externalId",
    "userName",
    "name.formatted",
    "name.familyName",
    "name.givenName",
    "name.middleName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    ACTIVE,
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "groups.display",
    "entitlements",
    "roles",
    "x509Certificates",
    "enterprise.employeeNumber",
    "enterprise.costCenter",
    "enterprise.organization",
    "enterprise.division",
    "enterprise.department",
    "enterprise.manager",
    "enterprise.manager.displayName",
    "enterprise.manager.$ref",
];

/// The attributes of a user. What describes the resource itself (`schemas`, `meta`) is left out, but for its times and,
/// where it is an entity tag, its version; so are passwords.
pub(super) fn flatten(resource: Map<String, Value>) -> Vec<(String, Vec<String>)> {
    let mut fields = Vec::new();
    let version = EntityTag::of(&resource).map(|tag| (VERSION.to_owned(), vec![tag.text().to_owned()]));
    for (name, mut value) in resource {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("meta") {
            for time in ["created", "lastModified"] {
                let found = take(&mut value, time).map(texts).unwrap_or_default();
                fields.push((format!("meta.{time}"), found));
            }
        } else if is(CORE) {
            extension("", value, &mut fields);
        } else if is(ENTERPRISE) {
            extension("enterprise.", value, &mut fields);
        } else if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
            extension(&format!("{name}:"), value, &mut fields);
        } else if !is("schemas") {
            attribute(name, value, &mut fields);
        }
    }
    fields.extend(version);
    fields.retain(|(name, values)| !values.is_empty() && !is_password(name));
    for (name, _) in &mut fields {
        if let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            (*known).clone_into(name);
        }
    }
    // `{"a": {"b": 1}, "a.b": 2}` has one name in two ways, and a record has a name once.
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields.dedup_by(|(name, values), (kept, all)| {
        let is_same = name == kept;
        if is_same {
            all.append(values);
        }
        is_same
    });
    fields
}

/// Whether a flattened user is active, where that is said; the attribute is then `true` or `false`.
///
/// # Errors
/// It says something else, or both.
pub(super) fn active(fields: &mut [(String, Vec<String>)]) -> Result<Option<bool>, &'static str> {
    let Some((_, values)) = fields.iter_mut().find(|(name, _)| name == ACTIVE) else { return Ok(None) };
    let mut said = values.iter().map(|value| boolean(value));
    let first = said.next().flatten().ok_or("active is not readable: expected true or false")?;
    if said.any(|other| other != Some(first)) {
        return Err("active says different things: expected one value");
    }
    *values = vec![first.to_string()];
    Ok(Some(first))
}

/// A boolean as services write it, as text and number too; `None` for what is none.
fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |wanted: &&str| text.eq_ignore_ascii_case(wanted);
    if ["true", "1"].iter().any(is) {
        Some(true)
    } else if ["false", "0"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

fn extension(prefix: &str, value: Value, fields: &mut Vec<(String, Vec<String>)>) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        attribute(format!("{prefix}{name}"), value, fields);
    }
}

fn attribute(name: String, value: Value, fields: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(members) => {
            for (part, value) in members {
                // A reference such as the manager is worth its value.
                let name =
                    if part.eq_ignore_ascii_case("value") { name.clone() } else { format!("{name}.{part}") };
                fields.push((name, texts(value)));
            }
        }
        Value::Array(mut elements) => {
            let part =
                |element: &Value, name: &str| member(element.as_object()?, name).cloned().and_then(text);
            let is_primary =
                |element: &Value| part(element, "primary").and_then(|text| boolean(&text)) == Some(true);
            elements.sort_by_key(|element| !is_primary(element));
            if name.eq_ignore_ascii_case("groups") {
                let displays = elements.iter().filter_map(|element| part(element, "display"));
                fields.push(("groups.display".to_owned(), displays.collect()));
            }
            let values = elements.into_iter().filter_map(|mut element| {
                let value = take(&mut element, "value");
                text(value.unwrap_or(element))
            });
            fields.push((name, values.collect()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.push((name, texts(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_left_out_in_any_case() {
        let user =
            serde_json::json!({"id": "7", "Password": "hidden", "PASSWORD": ["hidden"], "Schemas": ["x"]});
        let Value::Object(user) = user else { unreachable!("it is an object") };
        assert_eq!(flatten(user), [("id".to_owned(), vec!["7".to_owned()])]);
    }

    #[test]
    fn a_name_in_two_ways_is_one_attribute() {
        let user = serde_json::json!({"a": {"b": "x", "value": "v"}, "a.b": ["y", "z"], "c": 1});
        let Value::Object(user) = user else { unreachable!("it is an object") };
        let fields = flatten(user).into_iter().map(|(name, values)| format!("{name}={}", values.join("|")));
        assert_eq!(fields.collect::<Vec<_>>(), ["a=v", "a.b=x|y|z", "c=1"]);
    }

    fn flat(user: Value) -> Vec<(String, Vec<String>)> {
        let Value::Object(user) = user else { unreachable!("it is an object") };
        flatten(user)
    }

    fn lines(user: Value) -> Vec<String> {
        flat(user).into_iter().map(|(name, values)| format!("{name}={}", values.join("|"))).collect()
    }

    #[test]
    fn names_are_the_same_in_any_case() {
        let user = serde_json::json!({
            "ID": "7", "UserName": "anna", "Name": {"FamilyName": "Adams"},
            "Emails": [{"Value": "home@x", "Primary": false}, {"value": "work@x", "PRIMARY": "True"}],
            "GROUPS": [{"Value": "g1", "Display": "Readers"}],
            "URN:IETF:params:scim:schemas:extension:enterprise:2.0:user": {"EmployeeNumber": "1"},
        });
        let expected = [
            "emails=work@x|home@x",
            "enterprise.employeeNumber=1",
            "groups=g1",
            "groups.display=Readers",
            "id=7",
            "name.familyName=Adams",
            "userName=anna",
        ];
        assert_eq!(lines(user), expected);
    }

    #[test]
    fn the_core_schema_has_no_beginning_and_its_password_is_left_out() {
        let user = serde_json::json!({
            "id": "7", "urn:ietf:params:scim:schemas:core:2.0:User": {"userName": "anna", "password": "hidden"},
            "urn:example:2.0:User": {"Password": "hidden", "badge": {"password": "hidden", "value": 5}},
            "keys": [{"password": "hidden", "kind": "x"}],
        });
        let expected = ["id=7", r#"keys={"kind":"x"}"#, "urn:example:2.0:User:badge=5", "userName=anna"];
        assert_eq!(lines(user), expected);
    }

    #[test]
    fn active_is_read_however_it_is_written() {
        let cases = [
            (serde_json::json!({"active": "False"}), Ok(Some(false)), "false"),
            (serde_json::json!({"Active": " true "}), Ok(Some(true)), "true"),
            (serde_json::json!({"active": 0}), Ok(Some(false)), "false"),
            (serde_json::json!({"active": 1.0}), Ok(Some(true)), "true"),
            (serde_json::json!({"active": null}), Ok(None), ""),
            (serde_json::json!({"active": false, "Active": "False"}), Ok(Some(false)), "false"),
            (
                serde_json::json!({"active": "no"}),
                Err("active is not readable: expected true or false"),
                "no",
            ),
            (
                serde_json::json!({"active": true, "ACTIVE": false}),
                Err("active says different things: expected one value"),
                "false|true",
            ),
        ];
        for (user, expected, text) in cases {
            let mut fields = flat(user.clone());
            assert_eq!(active(&mut fields), expected, "{user}");
            let shown = fields.first().map_or_else(String::new, |(_, values)| values.join("|"));
            assert_eq!(shown, text, "{user}");
        }
    }

    #[test]
    fn a_user_with_everything() {
        let user = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "7", "userName": "anna", "active": true, "nickName": null, "password": "hidden",
            "meta": {"resourceType": "User", "created": "2024-01-15T08:30:00Z", "version": "W/\"1\""},
            "name": {"familyName": "Adams", "givenName": "Anna"},
            "emails": [{"value": "home@x"}, {"value": "work@x", "primary": true}],
            "groups": [{"value": "g1", "display": "Readers", "$ref": "x"}],
            "addresses": [{"locality": "Berlin"}],
            ENTERPRISE: {"employeeNumber": "1", "manager": {"value": "9", "displayName": "Boss"}},
            "urn:example:2.0:User": {"badge": 5},
        });
        let Value::Object(user) = user else { unreachable!("it is an object") };
        let mut fields: Vec<String> =
            flatten(user).into_iter().map(|(name, values)| format!("{name}={}", values.join("|"))).collect();
        fields.sort();
        let expected = [
            r#"addresses={"locality":"Berlin"}"#,
            "active=true",
            "emails=work@x|home@x",
            "enterprise.employeeNumber=1",
            "enterprise.manager.displayName=Boss",
            "enterprise.manager=9",
            "groups.display=Readers",
            "groups=g1",
            "id=7",
            "meta.created=2024-01-15T08:30:00Z",
            "meta.version=W/\"1\"",
            "name.familyName=Adams",
            "name.givenName=Anna",
            "urn:example:2.0:User:badge=5",
            "userName=anna",
        ];
        let mut expected: Vec<_> = expected.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(fields, expected);
    }
}
