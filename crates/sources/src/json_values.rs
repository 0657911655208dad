//! JSON values to attribute values.

use serde_json::Value;

use crate::passwords::strip;

/// The values of a member: of a list its elements; null is none; an object, or a list in a list, its JSON text.
pub(crate) fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(elements) => elements.into_iter().filter_map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            text(value).into_iter().collect()
        }
    }
}

/// One value; `None` for null. A whole number is given without a point, however it is written: `7.0` is `7`.
pub(crate) fn text(mut value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Number(number) => Some(whole(&number.to_string()).to_owned()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            strip(&mut value);
            Some(value.to_string())
        }
    }
}

/// The text of a floating-point number without the point that says nothing, while each whole number is told from the
/// next (below 2^53).
pub(crate) fn whole(number: &str) -> &str {
    const DISTINCT_BELOW: u64 = 1 << 53;
    match number.strip_suffix(".0") {
        Some("-0") => "0",
        Some(digits) if digits.parse::<i64>().is_ok_and(|digits| digits.unsigned_abs() < DISTINCT_BELOW) => {
            digits
        }
        Some(_) | None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_nested_values() {
        let cases: [(Value, &[&str]); 9] = [
            (serde_json::json!([7.0, -0.0, 1e3, 1e20]), &["7", "0", "1000", "1e+20"]),
            (
                serde_json::json!([9_007_199_254_740_991.0, 9_007_199_254_740_992.0]),
                &["9007199254740991", "9007199254740992.0"],
            ),
            (serde_json::json!({"password": "x", "b": 1}), &[r#"{"b":1}"#]),
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
