//! The cover of a result as JSON text that always has the same bytes.

use serde_json::Value;

/// The cover as indented JSON: members sorted by name at every level, two spaces a level, LF line ends, one at
/// the end.
#[must_use]
pub fn to_json(cover: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(&sorted(cover)).expect("a value is always JSON");
    text.push(b'\n');
    text
}

/// `serde_json` keeps members sorted only if no crate of the build enables insertion order.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_and_lines_indented() {
        let cover = json!({"rows": 2, "files": [{"name": "a.csv", "bytes": 10}], "exact": null});
        let expected = "{\n  \"exact\": null,\n  \"files\": [\n    {\n      \"bytes\": 10,\n      \"name\": \"a.csv\"\n    \
                        }\n  ],\n  \"rows\": 2\n}\n";
        assert_eq!(String::from_utf8_lossy(&to_json(&cover)), expected);
    }
}
