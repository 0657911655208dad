//! JSON patches (RFC 6902) of an object: `add`, `replace`, `remove` and `test`.

use crate::failure::Failure;
use crate::input::{json_body, json_type};
use crate::state::AppState;
use axum::body::Body;
use axum::http::request::Parts;
use muster_reports::error::shown;
use serde::Serialize;
use serde_json::{Map, Value};

/// Most operations of a patch.
const OPERATIONS_MAX: usize = 100;

/// The operations of a body.
pub(crate) async fn operations(state: &AppState, parts: &Parts, body: Body) -> Result<Vec<Value>, Failure> {
    const EXPECTED: &str = "a list of JSON patch operations";
    match json_body(state, parts, body, EXPECTED).await? {
        Some(Value::Array(operations)) => Ok(operations),
        None => Err(Failure::invalid(format!("the body is empty: expected {EXPECTED}"))),
        Some(other) => {
            Err(Failure::invalid(format!("the body is {}: expected {EXPECTED}", json_type(&other))))
        }
    }
}

/// The value after all operations, in their order.
fn patched(mut value: Value, operations: &[Value]) -> Result<Value, Failure> {
    if operations.len() > OPERATIONS_MAX {
        return Err(Failure::invalid(format!(
            "the patch has {} operations: expected at most {OPERATIONS_MAX}",
            operations.len()
        )));
    }
    for (number, operation) in (1..).zip(operations) {
        apply(&mut value, operation)
            .map_err(|what| Failure::invalid(format!("operation {number} of the patch: {what}")))?;
    }
    Ok(value)
}

/// The members that an object, written as JSON, has after all operations.
pub(crate) fn patched_members(
    before: &impl Serialize,
    operations: &[Value],
) -> Result<Map<String, Value>, Failure> {
    let before = serde_json::to_value(before)
        .map_err(|error| Failure::internal("what is to be patched could not be written as JSON", error))?;
    let Value::Object(after) = patched(before, operations)? else {
        return Err(Failure::invalid("the patch replaces the whole: expected operations on members"));
    };
    Ok(after)
}

fn apply(whole: &mut Value, operation: &Value) -> Result<(), String> {
    let Value::Object(operation) = operation else {
        return Err(format!("it is {}: expected an object", json_type(operation)));
    };
    let text = |name: &str| match operation.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => Err(format!("{name} is {}: expected a text", json_type(other))),
        None => Err(format!("{name} is missing: expected a text")),
    };
    let value = || operation.get("value").cloned().ok_or_else(|| "value is missing: expected one".to_owned());
    let path = text("path")?;
    let absent = || format!("path is {}: there is nothing", shown(path));
    match text("op")? {
        "test" => match whole.pointer(path).ok_or_else(absent)? {
            own if *own == value()? => Ok(()),
            _ => Err(format!("the value at {} is another one", shown(path))),
        },
        "replace" => {
            *whole.pointer_mut(path).ok_or_else(absent)? = value()?;
            Ok(())
        }
        "add" => add(whole, path, value()?),
        "remove" => {
            let (parent, name) = parent(whole, path)?;
            let removed = match parent {
                Value::Object(members) => members.remove(&name).is_some(),
                Value::Array(items) => match name.parse::<usize>().ok().filter(|at| *at < items.len()) {
                    Some(at) => {
                        items.remove(at);
                        true
                    }
                    None => false,
                },
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            };
            if removed { Ok(()) } else { Err(absent()) }
        }
        other => Err(format!("op is {}: expected add, replace, remove or test", shown(other))),
    }
}

fn add(whole: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (parent, name) = parent(whole, path)?;
    match parent {
        Value::Object(members) => {
            members.insert(name, value);
            Ok(())
        }
        Value::Array(items) => {
            let at = if name == "-" { Some(items.len()) } else { name.parse().ok() };
            match at.filter(|at| *at <= items.len()) {
                Some(at) => {
                    items.insert(at, value);
                    Ok(())
                }
                None => Err(format!("path is {}: expected a place of the list, or -", shown(path))),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(format!("path is {}: its parent is no object and no list", shown(path)))
        }
    }
}

/// What a path leads into, and the last part of the path.
fn parent<'v>(whole: &'v mut Value, path: &str) -> Result<(&'v mut Value, String), String> {
    let Some((parent, name)) = path.rsplit_once('/') else {
        return Err(format!("path is {}: expected a JSON pointer to a member", shown(path)));
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    let parent = whole.pointer_mut(parent);
    parent.map(|parent| (parent, name)).ok_or_else(|| format!("path is {}: there is nothing", shown(path)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn patch(operations: &Value) -> Result<Value, String> {
        let whole = json!({"name": "a", "list": [1, 2], "inner": {"x/y": true}});
        patched(whole, operations.as_array().unwrap()).map_err(|failure| failure.cause().to_owned())
    }

    #[test]
    fn operations_are_those_of_the_rfc() {
        for (operation, expected) in [
            (
                json!({"op": "replace", "path": "/name", "value": "b"}),
                json!({"name": "b", "list": [1, 2], "inner": {"x/y": true}}),
            ),
            (
                json!({"op": "add", "path": "/list/-", "value": 3}),
                json!({"name": "a", "list": [1, 2, 3], "inner": {"x/y": true}}),
            ),
            (
                json!({"op": "add", "path": "/list/0", "value": 3}),
                json!({"name": "a", "list": [3, 1, 2], "inner": {"x/y": true}}),
            ),
            (
                json!({"op": "add", "path": "/more", "value": null}),
                json!({"name": "a", "list": [1, 2], "inner": {"x/y": true}, "more": null}),
            ),
            (
                json!({"op": "remove", "path": "/list/1"}),
                json!({"name": "a", "list": [1], "inner": {"x/y": true}}),
            ),
            (
                json!({"op": "remove", "path": "/inner/x~1y"}),
                json!({"name": "a", "list": [1, 2], "inner": {}}),
            ),
            (
                json!({"op": "test", "path": "/list/0", "value": 1}),
                json!({"name": "a", "list": [1, 2], "inner": {"x/y": true}}),
            ),
        ] {
            assert_eq!(patch(&json!([operation])), Ok(expected), "{operation}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (operation, expected) in [
            (json!(1), "it is a number: expected an object"),
            (json!({"op": "copy", "path": "/x", "from": "/name"}), "op is \"copy\": expected add, replace"),
            (json!({"op": "replace", "path": "/x", "value": 1}), "path is \"/x\": there is nothing"),
            (json!({"op": "remove", "path": "/list/2"}), "path is \"/list/2\": there is nothing"),
            (json!({"op": "remove", "path": "name"}), "path is \"name\": expected a JSON pointer"),
            (json!({"op": "add", "path": "/list/3", "value": 1}), "path is \"/list/3\": expected a place"),
            (
                json!({"op": "add", "path": "/name/x", "value": 1}),
                "path is \"/name/x\": its parent is no object",
            ),
            (json!({"op": "replace", "path": "/name"}), "value is missing"),
            (json!({"op": "test", "path": "/name", "value": "b"}), "the value at \"/name\" is another one"),
        ] {
            let refused =
                patch(&json!([{"op": "test", "path": "/name", "value": "a"}, operation])).unwrap_err();
            assert!(refused.starts_with(&format!("operation 2 of the patch: {expected}")), "{refused}");
        }
    }
}
