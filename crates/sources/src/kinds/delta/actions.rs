//! What a table's log says: the actions that matter to a reader, and which tables are understood.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

/// The newest reader version of the protocol; it lists features by name.
const READER_VERSION_OF_FEATURES: u32 = 3;
/// Features that a reader must know, and that this one does. Of the last two it knows enough to see whether a table
/// makes use of them; then it refuses.
const FEATURES: [&str; 4] = ["timestampNtz", "vacuumProtocolCheck", "columnMapping", "deletionVectors"];

/// One action of a commit, or one row of a checkpoint; those that only writers need are absent here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    pub(super) protocol: Option<Protocol>,
    pub(super) meta_data: Option<MetaData>,
    pub(super) add: Option<Add>,
    pub(super) remove: Option<Remove>,
}

/// What a reader must know to read the table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    min_reader_version: u32,
    #[serde(default)]
    reader_features: Option<Vec<String>>,
}

/// The table's columns and settings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    schema_string: String,
    #[serde(default)]
    pub(super) partition_columns: Vec<String>,
    #[serde(default)]
    configuration: Option<BTreeMap<String, Option<String>>>,
}

/// A file became part of the table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    /// Relative to the table's folder, percent-encoded.
    pub(super) path: String,
    #[serde(default)]
    pub(super) partition_values: BTreeMap<String, Option<String>>,
    pub(super) size: u64,
    /// JSON, of which the number of rows matters.
    #[serde(default)]
    stats: Option<String>,
    #[serde(default)]
    pub(super) deletion_vector: Option<Value>,
}

/// A file ended to be part of the table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    #[serde(default)]
    pub(super) deletion_vector: Option<Value>,
}

/// A column of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableColumn {
    pub(super) name: String,
    /// `None` for types with parts, and those that have no form here.
    pub(super) data_type: Option<DataType>,
}

impl Protocol {
    /// Why the table cannot be read.
    pub(super) fn fault(&self) -> Option<String> {
        let version = self.min_reader_version;
        if version > READER_VERSION_OF_FEATURES {
            return Some(format!(
                "expected a table for readers of version {READER_VERSION_OF_FEATURES} at most, found {version}"
            ));
        }
        if version < READER_VERSION_OF_FEATURES {
            return None;
        }
        let features = self.reader_features.iter().flatten();
        let unknown: Vec<_> =
            features.filter(|name| !FEATURES.contains(&name.as_str())).map(String::as_str).collect();
        (!unknown.is_empty())
            .then(|| format!("the table has features that are not read: {}", unknown.join(", ")))
    }
}

impl MetaData {
    /// Why the table cannot be read.
    pub(super) fn fault(&self) -> Option<String> {
        let mode =
            self.configuration.as_ref().and_then(|map| map.get("delta.columnMapping.mode")?.as_deref());
        let mode = mode.filter(|mode| *mode != "none")?;
        Some(format!("the table maps its columns to other names (mode {mode:?}), which is not read"))
    }

    /// The table's columns in their order.
    ///
    /// # Errors
    /// The schema has another shape than the protocol says.
    pub(super) fn columns(&self) -> Result<Vec<TableColumn>, String> {
        #[derive(Deserialize)]
        struct Schema {
            fields: Vec<Field>,
        }
        #[derive(Deserialize)]
        struct Field {
            name: String,
            r#type: Value,
        }
        let schema: Schema = serde_json::from_str(&self.schema_string)
            .map_err(|_| "the table's schema is not readable".to_owned())?;
        let column = |field: Field| TableColumn {
            name: field.name,
            data_type: field.r#type.as_str().and_then(primitive),
        };
        Ok(schema.fields.into_iter().map(column).collect())
    }
}

impl Add {
    /// How many rows the file has, where the log tells.
    pub(super) fn rows(&self) -> Option<u64> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stats {
            num_records: Option<u64>,
        }
        serde_json::from_str::<Stats>(self.stats.as_deref()?).ok()?.num_records
    }
}

/// The form of a primitive type; `binary` has none that a partition's value could be read in.
fn primitive(name: &str) -> Option<DataType> {
    Some(match name {
        "string" => DataType::Utf8,
        "long" => DataType::Int64,
        "integer" => DataType::Int32,
        "short" => DataType::Int16,
        "byte" => DataType::Int8,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => {
            let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn action(text: &str) -> Action {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn tables_that_are_not_understood() {
        let fault = |text: &str| action(text).protocol.unwrap().fault();
        assert_eq!(fault(r#"{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}"#), None);
        assert_eq!(
            fault(r#"{"protocol": {"minReaderVersion": 3, "readerFeatures": ["timestampNtz", "v2Checkpoint", "x"]}}"#)
                .unwrap(),
            "the table has features that are not read: v2Checkpoint, x"
        );
        assert_eq!(
            fault(r#"{"protocol": {"minReaderVersion": 4}}"#).unwrap(),
            "expected a table for readers of version 3 at most, found 4"
        );
        let mode = |mode: &str| {
            let text = format!(
                r#"{{"metaData": {{"schemaString": "", "configuration": {{"delta.columnMapping.mode": {mode}}}}}}}"#
            );
            action(&text).meta_data.unwrap().fault()
        };
        assert_eq!((mode("null"), mode(r#""none""#)), (None, None));
        assert!(mode(r#""name""#).unwrap().contains("maps its columns"));
    }

    #[test]
    fn columns_and_their_types() {
        let schema = serde_json::json!({"type": "struct", "fields": [
            {"name": "a", "type": "timestamp"}, {"name": "b", "type": "decimal(10,2)"},
            {"name": "c", "type": {"type": "array", "elementType": "string"}}, {"name": "d", "type": "binary"},
        ]});
        let action =
            action(&serde_json::json!({"metaData": {"schemaString": schema.to_string()}}).to_string());
        let column = |name: &str, data_type| TableColumn { name: name.to_owned(), data_type };
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        let expected = [
            column("a", Some(time)),
            column("b", Some(DataType::Decimal128(10, 2))),
            column("c", None),
            column("d", None),
        ];
        assert_eq!(action.meta_data.unwrap().columns().unwrap(), expected);
    }

    #[test]
    fn rows_of_a_file() {
        let rows = |stats: &str| {
            action(&format!(r#"{{"add": {{"path": "a", "size": 1, "stats": {stats}}}}}"#)).add.unwrap().rows()
        };
        assert_eq!(rows(r#""{\"numRecords\": 7, \"minValues\": {}}""#), Some(7));
        assert_eq!((rows("null"), rows(r#""{}""#)), (None, None));
    }
}
