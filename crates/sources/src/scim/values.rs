//! A resource's attributes, flattened to names and values.
//!
//! A part of a complex attribute is named with a dot (`name.familyName`). Of several complex values each gives its
//! `value`, the primary one first, and the group's `display` stands under `groups.display`. The enterprise extension's
//! attributes begin with `enterprise.`, those of other extensions with their URN and a colon.

use serde_json::{Map, Value};

use super::seen::version;
use crate::ndjson::values::{text, texts};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The name that a resource's version has among its attributes.
pub(super) const VERSION: &str = "meta.version";

/// The attributes of a user. What describes the resource itself (`schemas`, `meta`) is left out, but for its times and,
/// where it is an entity tag, its version.
pub(super) fn flatten(resource: Map<String, Value>) -> Vec<(String, Vec<String>)> {
    let mut fields = Vec::new();
    let version = version(&resource).map(|tag| (VERSION.to_owned(), vec![tag.text().to_owned()]));
    for (name, value) in resource {
        match name.as_str() {
            // Names are the same in any case (RFC 7643, section 2.1), and a password must not get through in any.
            _ if ["schemas", "password"].iter().any(|left_out| name.eq_ignore_ascii_case(left_out)) => {}
            "meta" => {
                for time in ["created", "lastModified"] {
                    let found = value.get(time).cloned().map(texts).unwrap_or_default();
                    fields.push((format!("meta.{time}"), found));
                }
            }
            ENTERPRISE => extension("enterprise.", value, &mut fields),
            urn if urn.starts_with("urn:") => extension(&format!("{urn}:"), value, &mut fields),
            _ => attribute(name, value, &mut fields),
        }
    }
    fields.extend(version);
    fields.retain(|(_, values)| !values.is_empty());
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
                let name = if part == "value" { name.clone() } else { format!("{name}.{part}") };
                fields.push((name, texts(value)));
            }
        }
        Value::Array(mut elements) => {
            let is_primary = |element: &Value| element.get("primary").and_then(Value::as_bool) == Some(true);
            elements.sort_by_key(|element| !is_primary(element));
            let displays = elements.iter().filter_map(|element| text(element.get("display")?.clone()));
            if name == "groups" {
                fields.push(("groups.display".to_owned(), displays.collect()));
            }
            let values = elements.into_iter().filter_map(|element| match element {
                Value::Object(mut members) => match members.remove("value") {
                    Some(value) => text(value),
                    None => text(Value::Object(members)),
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    text(element)
                }
            });
            fields.push((name, values.collect()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.push((name, texts(value)))
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
