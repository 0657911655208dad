//! Columns back to documents.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

/// A row as a document with the columns' names: what is null is left out, dates are RFC 3339 in UTC with
/// milliseconds, and a value of a free map that is a list of one text is that text.
///
/// The batch is of [`schema`](super::schema) or has some columns of one; any of Arrow's layouts of text will do.
///
/// # Errors
/// [`ArrowError::SchemaError`] for a column of a type that no document has.
///
/// # Panics
/// When the batch has no such row.
pub fn to_json(batch: &RecordBatch, row: usize) -> Result<Value, ArrowError> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| field.name().as_str());
    object(fields.zip(batch.columns().iter().map(AsRef::as_ref)), row)
}

fn object<'a>(
    columns: impl Iterator<Item = (&'a str, &'a dyn Array)>,
    row: usize,
) -> Result<Value, ArrowError> {
    let mut object = Map::new();
    for (name, column) in columns {
        if column.is_valid(row) {
            object.insert(name.to_owned(), value(column, row)?);
        }
    }
    Ok(Value::Object(object))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other type of Arrow's is answered with an error")]
fn value(column: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    Ok(match column.data_type() {
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(column.as_string_view().value(row)),
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = DateTime::from_timestamp_micros(micros)
                .ok_or_else(|| ArrowError::CastError(format!("{micros} microseconds are no date")))?;
            Value::from(time.to_rfc3339_opts(SecondsFormat::Millis, true))
        }
        DataType::List(_) => list(column.as_list::<i32>().value(row).as_ref())?,
        DataType::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            object(names.zip(column.as_struct().columns().iter().map(AsRef::as_ref)), row)?
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (names, values) = (entries.column(0), entries.column(1));
            let mut object = Map::new();
            for entry in (0..entries.len()).filter(|entry| values.is_valid(*entry)) {
                let name = value(names, entry)?.as_str().unwrap_or_default().to_owned();
                let mut value = value(values, entry)?;
                if let Value::Array(items) = &mut value
                    && items.len() == 1
                {
                    value = items.remove(0);
                }
                object.insert(name, value);
            }
            Value::Object(object)
        }
        other => return Err(ArrowError::SchemaError(format!("no document has a column of type {other}"))),
    })
}

fn list(items: &dyn Array) -> Result<Value, ArrowError> {
    (0..items.len()).filter(|item| items.is_valid(*item)).map(|item| value(items, item)).collect()
}
