//! JSON values to attribute values.

use serde_json::Value;

/// The values of a member: of a list its elements; null is none; an object, or a list in a list, its JSON text.
pub(crate) fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(elements) => elements.into_iter().filter_map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            text(value).into_iter().collect()
        }
    }
}

/// One value; `None` for null.
pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_nested_values() {
        let cases: [(Value, &[&str]); 6] = [
            (serde_json::json!("a"), &["a"]),
            (serde_json::json!([1, null, true, "x"]), &["1", "true", "x"]),
            (serde_json::json!({"b": 1, "a": [2]}), &[r#"{"a":[2],"b":1}"#]),
            (serde_json::json!([[1], {"a": null}]), &["[1]", r#"{"a":null}"#]),
            (serde_json::json!(null), &[]),
            (serde_json::json!(-0.5), &["-0.5"]),
        ];
        for (value, expected) in cases {
            assert_eq!(texts(value), expected);
        }
    }
}
