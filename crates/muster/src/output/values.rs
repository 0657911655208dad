//! Results as values for programs. The form does not depend on the terminal, the time or the place.

use muster_reports::nearest::hint;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The form of values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// One JSON document, indented.
    #[default]
    Json,
    /// One line of JSON for each result.
    Ndjson,
    /// CSV as RFC 4180 has it, with a header.
    Csv,
}

/// Results as text without its last line end: `value` is one result or a list of them. Of each, only `fields` are written,
/// unless there are none. A field may be in an object: `snapshot.id`.
///
/// # Errors
/// In words: no result has a field.
pub fn written(value: Value, form: Form, fields: &[String]) -> Result<String, String> {
    let is_list = value.is_array();
    let results = match value {
        Value::Array(results) => results,
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![one]
        }
    };
    let results = if fields.is_empty() { results } else { chosen(&results, fields)? };
    Ok(match form {
        Form::Json if is_list => format!("{:#}", Value::Array(results)),
        Form::Json => results.first().map_or_else(String::new, |one| format!("{one:#}")),
        Form::Ndjson => lines(results.iter().map(Value::to_string)),
        Form::Csv => csv(&results, fields),
    })
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// The results with these fields only, by the names that were given.
fn chosen(results: &[Value], fields: &[String]) -> Result<Vec<Value>, String> {
    for field in fields {
        if !results.is_empty() && !results.iter().any(|result| may_have(result, field)) {
            let names = names(results);
            let near = hint(field, names.iter().map(String::as_str));
            return Err(format!(
                "--json: no result has a field {field:?}{near}; expected some of {}",
                names.join(", ")
            ));
        }
    }
    let choose = |result: &Value| {
        let member = |field: &String| (field.clone(), found(result, field).cloned().unwrap_or_default());
        Value::Object(fields.iter().map(member).collect())
    };
    Ok(results.iter().map(choose).collect())
}

/// The value of a field. A name with a point in it is found before a field of an object.
fn found<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(field) {
        return Some(found);
    }
    field.match_indices('.').find_map(|(at, _)| found(value.get(&field[..at])?, &field[at + 1..]))
}

/// Whether the field is there, or would be in an object that is null here: `pin.reason` of a snapshot that is not pinned.
fn may_have(value: &Value, field: &str) -> bool {
    found(value, field).is_some()
        || field.match_indices('.').any(|(at, _)| {
            value.get(&field[..at]).is_some_and(|inner| inner.is_null() || may_have(inner, &field[at + 1..]))
        })
}

/// The names of all fields, sorted: so they do not depend on which result is the first.
fn names(results: &[Value]) -> Vec<String> {
    let names = results.iter().filter_map(Value::as_object).flat_map(Map::keys);
    names.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

fn csv(results: &[Value], fields: &[String]) -> String {
    let names = if fields.is_empty() { names(results) } else { fields.to_vec() };
    if names.is_empty() {
        return lines(results.iter().map(|result| quoted(&cell(Some(result))).into_owned()));
    }
    let head = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",");
    let rows = results.iter().map(|result| {
        let cells = names.iter().map(|name| quoted(&cell(result.get(name))).into_owned());
        cells.collect::<Vec<_>>().join(",")
    });
    lines(std::iter::once(head).chain(rows))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            other.to_string()
        }
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn fields(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn people() -> Value {
        json!([
            {"id": 1, "name": "Ada, \"the\" first", "tags": ["a"], "source": {"name": "HR", "a.b": 5}},
            {"id": 2, "name": null, "tags": [], "left": true},
        ])
    }

    #[test]
    fn a_field_of_an_object_that_none_has_is_empty() {
        let snapshots = json!([{"id": "a", "pin": null}, {"id": "b", "pin": null}]);
        let wanted = fields(&["id", "pin.reason"]);
        assert_eq!(written(snapshots, Form::Csv, &wanted).unwrap(), "id,pin.reason\na,\nb,");
        let refused = written(json!([{"id": "a", "pin": {"by": "x"}}]), Form::Csv, &fields(&["pin.reason"]));
        assert!(refused.unwrap_err().contains("no result has a field \"pin.reason\""));
    }

    #[test]
    fn each_form_is_as_it_is_documented() {
        assert_eq!(written(json!([{"a": 1}]), Form::Json, &[]).unwrap(), "[\n  {\n    \"a\": 1\n  }\n]");
        assert_eq!(written(json!({"a": [1]}), Form::Json, &[]).unwrap(), "{\n  \"a\": [\n    1\n  ]\n}");
        assert_eq!(written(json!([]), Form::Json, &[]).unwrap(), "[]");
        assert_eq!(
            written(json!([{"a": 1}, {"b": "x"}]), Form::Ndjson, &[]).unwrap(),
            "{\"a\":1}\n{\"b\":\"x\"}"
        );
        assert_eq!(written(json!([]), Form::Ndjson, &[]).unwrap(), "");
        assert_eq!(
            written(people(), Form::Csv, &fields(&["id", "name", "tags", "left"])).unwrap(),
            "id,name,tags,left\n1,\"Ada, \"\"the\"\" first\",\"[\"\"a\"\"]\",\n2,,[],true"
        );
        let text = written(people(), Form::Csv, &[]).unwrap();
        assert_eq!(text.lines().next().unwrap(), "id,left,name,source,tags");
    }

    #[test]
    fn fields_are_chosen_in_the_order_of_their_names() {
        let text = written(people(), Form::Ndjson, &fields(&["source.name", "id", "source.a.b"])).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows[0], json!({"source.name": "HR", "id": 1, "source.a.b": 5}));
        assert_eq!(rows[1], json!({"source.name": null, "id": 2, "source.a.b": null}));
        let error = written(people(), Form::Json, &fields(&["nam"])).unwrap_err();
        assert_eq!(
            error,
            "--json: no result has a field \"nam\": the nearest name is \"name\"; expected some of id, left, name, source, tags"
        );
        assert_eq!(
            written(json!([]), Form::Json, &fields(&["nam"])).unwrap(),
            "[]",
            "nobody knows which fields there are"
        );
    }
}
