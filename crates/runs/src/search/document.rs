//! Documents as JSON: from rows of their tables, as the published documents have them.
//!
//! A field without a value is absent, and so is an object of which nothing is known. Times are RFC 3339 in UTC with
//! milliseconds. A value of a free map is a text, or a list where there are several.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use muster_engine::search::fits;
use muster_reports::error::{Error, Result};
use muster_reports::search::ShownFields;
use serde_json::{Map, Value};

/// Of an account activity's `attributeRequest`: a text, or a list where there are several.
const TEXT_OR_LIST: &str = "value";

/// The id of a document, and its fields.
pub(crate) type Row = (String, Map<String, Value>);

/// The documents of a batch.
///
/// # Errors
/// `Internal` when a document has no id, or a value of a type that documents do not have.
pub(crate) fn documents(batch: &RecordBatch, shown: &ShownFields) -> Result<Vec<Row>> {
    let schema = batch.schema();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut fields = Map::new();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if let Some(value) = json(field.name(), column, row)? {
                fields.insert(field.name().clone(), value);
            }
        }
        let Some(Value::String(id)) = fields.get("id").cloned() else {
            return Err(Error::internal("a document could not be read", "it has no id"));
        };
        rows.push((id, select(fields, "", shown.includes.is_empty(), shown)));
    }
    Ok(rows)
}

/// One value; `None` for none.
fn json(name: &str, array: &dyn Array, row: usize) -> Result<Option<Value>> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return Ok(None);
    }
    Ok(match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Some(array.as_string_view().value(row).into()),
        DataType::Boolean => Some(array.as_boolean().value(row).into()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            DateTime::from_timestamp_micros(micros)
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true).into())
        }
        DataType::List(_) => {
            let values = items(&array.as_list::<i32>().value(row))?;
            Some(if name == TEXT_OR_LIST { single_or_list(values) } else { Value::Array(values) })
        }
        DataType::Struct(_) => {
            let object = array.as_struct();
            let mut members = Map::new();
            for (name, column) in object.column_names().into_iter().zip(object.columns()) {
                if let Some(value) = json(name, column, row)? {
                    members.insert(name.to_owned(), value);
                }
            }
            (!members.is_empty()).then_some(Value::Object(members))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let mut members = Map::new();
            for entry in 0..entries.len() {
                let (key, value) =
                    (json("", entries.column(0), entry)?, json(TEXT_OR_LIST, entries.column(1), entry)?);
                if let (Some(Value::String(key)), Some(value)) = (key, value) {
                    members.insert(key, value);
                }
            }
            Some(Value::Object(members))
        }
        other => {
            return Err(Error::internal(
                "a document could not be read",
                format!("field {name:?} is {other}: expected a type of a document's field"),
            ));
        }
    })
}

fn items(array: &dyn Array) -> Result<Vec<Value>> {
    let mut values = Vec::with_capacity(array.len());
    for at in 0..array.len() {
        values.extend(json("", array, at)?);
    }
    Ok(values)
}

fn single_or_list(mut values: Vec<Value>) -> Value {
    match values.pop() {
        Some(only) if values.is_empty() => only,
        last => {
            values.extend(last);
            Value::Array(values)
        }
    }
}

/// The fields of an object at `path` that are shown; `is_included` says that an object around them is included whole.
fn select(
    fields: Map<String, Value>,
    path: &str,
    is_included: bool,
    shown: &ShownFields,
) -> Map<String, Value> {
    if is_included && shown.excludes.is_empty() {
        return fields;
    }
    let mut selected = Map::new();
    for (name, value) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_named = |names: &[String]| names.iter().any(|name| fits(name, &path));
        if is_named(&shown.excludes) {
            continue;
        }
        let is_included = is_included || is_named(&shown.includes);
        let value = match value {
            Value::Object(members) => {
                let members = select(members, &path, is_included, shown);
                (is_included || !members.is_empty()).then_some(Value::Object(members))
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let items = items.into_iter().filter_map(|item| match item {
                    Value::Object(members) => Some(Value::Object(select(members, &path, is_included, shown))),
                    other => is_included.then_some(other),
                });
                let items: Vec<_> = items.collect();
                let has_some = items.iter().any(|item| item.as_object().is_none_or(|item| !item.is_empty()));
                (is_included || has_some).then_some(Value::Array(items))
            }
            value => is_included.then_some(value),
        };
        selected.extend(value.map(|value| (name, value)));
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selected(includes: &[&str], excludes: &[&str]) -> Value {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let shown = ShownFields { includes: names(includes), excludes: names(excludes), nested: true };
        let document = json!({
            "id": "i1", "name": "ann", "tags": ["a", "b"], "manager": {"id": "i2", "name": "bob"},
            "attributes": {"city": "Rome", "cityCode": "RM"},
            "accounts": [
                {"id": "a1", "name": "ann", "source": {"id": "s1", "name": "AD"}},
                {"id": "a2", "source": {"id": "s2"}},
            ],
        });
        let Value::Object(fields) = document else { unreachable!("it is an object") };
        Value::Object(select(fields, "", shown.includes.is_empty(), &shown))
    }

    #[test]
    fn fields_are_included_and_excluded_by_their_paths() {
        for (includes, excludes, expected) in [
            (&["name"][..], &[][..], json!({"name": "ann"})),
            (&["nothing", "name.first"], &[], json!({})),
            (&["id", "manager"], &["manager.id"], json!({"id": "i1", "manager": {"name": "bob"}})),
            (&["manager.name", "tags"], &[], json!({"manager": {"name": "bob"}, "tags": ["a", "b"]})),
            (&["attributes.city"], &[], json!({"attributes": {"city": "Rome"}})),
            (&["attributes.city*"], &["*Code"], json!({"attributes": {"city": "Rome"}})),
            (&["accounts.source.name"], &[], json!({"accounts": [{"source": {"name": "AD"}}, {}]})),
            (&["accounts.id", "accounts.name"], &["accounts.id"], json!({"accounts": [{"name": "ann"}, {}]})),
            (&["tags"], &["tags"], json!({})),
            (&[], &["accounts", "attributes", "manager", "tags"], json!({"id": "i1", "name": "ann"})),
            (
                &[],
                &["accounts.source", "accounts.name", "tags", "manager.*", "attributes.c*"],
                json!({"id": "i1", "name": "ann", "manager": {}, "attributes": {}, "accounts": [{"id": "a1"}, {"id": "a2"}]}),
            ),
        ] {
            assert_eq!(selected(includes, excludes), expected, "{includes:?} {excludes:?}");
        }
    }

    #[test]
    fn one_text_is_a_text_and_several_are_a_list() {
        assert_eq!(single_or_list(vec![json!("a")]), json!("a"));
        assert_eq!(single_or_list(vec![json!("a"), json!("b")]), json!(["a", "b"]));
        assert_eq!(single_or_list(Vec::new()), json!([]));
    }
}
