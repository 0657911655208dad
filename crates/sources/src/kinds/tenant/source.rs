//! The source whose accounts are read, found by name or id, and its account schema.

use reqwest::StatusCode;
use serde_json::Value;

use super::service::{Refusal, Request, Service};
use super::values;

/// What the source's account schema says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccountSchema {
    /// Names of the attributes, in the schema's order.
    pub(super) attributes: Vec<String>,
    /// Those whose values are entitlements.
    pub(super) entitlements: Vec<String>,
}

/// The id of the source that `wanted` names; `root` is the API's path with its version.
///
/// # Errors
/// There is no such source, or it cannot be asked for.
pub(super) async fn find(service: &mut Service, root: &str, wanted: &str) -> Result<String, String> {
    let failed = |refusal: Refusal| format!("the source could not be looked up: {}", refusal.reason());
    if is_id(wanted) {
        let request = Request { path: format!("{root}/sources/{wanted}"), query: Vec::new(), body: None };
        match service.ask(&request).await {
            Ok(answer) if answer.body.get("id").and_then(Value::as_str) == Some(wanted) => {
                return Ok(wanted.to_owned());
            }
            Ok(_) => return Err(format!("the tenant gave another source than {wanted:?}")),
            // A name may look like an id.
            Err(Refusal::Status(StatusCode::NOT_FOUND, _)) => {}
            Err(refusal) => return Err(failed(refusal)),
        }
    }
    let query = vec![("filters", format!("name eq {}", quoted(wanted))), ("limit", "250".to_owned())];
    let request = Request { path: format!("{root}/sources"), query, body: None };
    let answer = service.ask(&request).await.map_err(failed)?;
    let Value::Array(found) = answer.body else {
        return Err("the tenant's answer is not a list of sources".to_owned());
    };
    let text = |source: &Value, name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut ids: Vec<String> = found
        .iter()
        .filter(|source| text(source, "name").as_deref() == Some(wanted))
        .filter_map(|source| text(source, "id"))
        .collect();
    match (ids.pop(), ids.len()) {
        (Some(id), 0) => Ok(id),
        (Some(_), others) => Err(format!("{} sources have the name {wanted:?}: expected one", others + 1)),
        (None, _) => Err(format!("the tenant has no source {wanted:?} that the client may see")),
    }
}

/// The account schema of a source; `None` when it has none.
///
/// # Errors
/// It cannot be asked for.
pub(super) async fn account_schema(
    service: &mut Service,
    root: &str,
    id: &str,
) -> Result<Option<AccountSchema>, String> {
    let request = Request { path: format!("{root}/sources/{id}/schemas"), query: Vec::new(), body: None };
    let answer = service.ask(&request).await;
    let answer =
        answer.map_err(|refusal| format!("the source's schemas could not be read: {}", refusal.reason()))?;
    of_accounts(&answer.body)
}

/// The account schema among a source's schemas.
///
/// # Errors
/// The answer is not a list.
pub(super) fn of_accounts(schemas: &Value) -> Result<Option<AccountSchema>, String> {
    let Value::Array(schemas) = schemas else {
        return Err("the tenant's answer is not a list of schemas".to_owned());
    };
    Ok(schemas.iter().find(|schema| schema.get("name").and_then(Value::as_str) == Some("account")).map(read))
}

fn read(schema: &Value) -> AccountSchema {
    let mut read = AccountSchema::default();
    for attribute in schema.get("attributes").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = attribute.get("name").and_then(Value::as_str) else { continue };
        // What is named as the tenant's own is left out of accounts, too.
        if name.trim().is_empty()
            || values::is_ours(name)
            || read.attributes.iter().any(|earlier| earlier == name)
        {
            continue;
        }
        read.attributes.push(name.to_owned());
        if attribute.get("isEntitlement").and_then(Value::as_bool) == Some(true) {
            read.entitlements.push(name.to_owned());
        }
    }
    read
}

/// Ids are 32 hex digits, with or without hyphens between them.
fn is_id(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| *byte != b'-');
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') && digits.count() == 32
}

/// A text as filters write it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_quotes() {
        for id in ["2c91808568c529c60168cca6f90c1324", "2B838DE9-db9b-abcf-e646-d4f274ad4238"] {
            assert!(is_id(id), "{id}");
        }
        for name in ["Employees", "2c91808568c529c60168cca6f90c132", "2c91808568c529c60168cca6f90c132/", ""] {
            assert!(!is_id(name), "{name}");
        }
        assert_eq!(quoted(r#"R\D "Berlin""#), r#""R\\D \"Berlin\"""#);
    }

    #[test]
    fn a_schema_gives_names_once_and_marks_entitlements() {
        let schema = serde_json::json!({"name": "account", "attributes": [
            {"name": "login", "isEntitlement": false, "unknown": {}},
            {"name": "memberOf", "isMulti": true, "isEntitlement": true},
            {"name": "login"}, {"name": null}, {"name": " "}, {"name": "Tenant.id", "isEntitlement": true}, 7,
        ]});
        let expected = AccountSchema {
            attributes: vec!["login".to_owned(), "memberOf".to_owned()],
            entitlements: vec!["memberOf".to_owned()],
        };
        assert_eq!(read(&schema), expected);
    }
}
