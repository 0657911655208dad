//! Documents to columns.
//!
//! What comes here has been checked: a value is of its field's kind, or null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Int64Builder, ListArray, ListBuilder, MapBuilder, MapFieldNames,
    StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Fields;
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value};

use super::check::{boolean, count, date};
use super::schema::{UTC, arrow_fields, objects_item, schema, shape};
use super::shape::{FieldShape, Shape};
use super::{DocumentType, ID};
use crate::record::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, attributes_value, list_item,
};

/// Builds a batch of one kind of document.
pub(super) struct DocumentBuilder {
    document_type: DocumentType,
    columns: Columns,
    rows: usize,
}

impl DocumentBuilder {
    pub(super) fn new(document_type: DocumentType) -> Self {
        Self { document_type, columns: Columns::new(shape(document_type)), rows: 0 }
    }

    /// Takes a document that `check` has found sound.
    pub(super) fn append(&mut self, document: &Map<String, Value>) {
        debug_assert!(document.get(ID).is_some_and(Value::is_string), "checked documents have an id");
        self.columns.append(Some(document));
        self.rows += 1;
    }

    pub(super) fn finish(self) -> RecordBatch {
        let schema = schema(self.document_type);
        let columns = self.columns.columns.into_iter().map(|(_, column)| column.finish()).collect();
        RecordBatch::try_new(schema, columns).expect("schema and columns come from one shape")
    }
}

/// The fields of a document or of objects in it.
struct Columns {
    /// With the name of each.
    columns: Vec<(&'static str, Column)>,
    fields: Fields,
}

enum Column {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Count(Int64Builder),
    Date(TimestampMicrosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
    Map(Box<MapBuilder<StringBuilder, ListBuilder<StringBuilder>>>),
    Object { columns: Columns, present: Vec<bool> },
    Objects { columns: Columns, present: Vec<bool>, lengths: Vec<usize> },
}

impl Columns {
    fn new(shape: &'static [FieldShape]) -> Self {
        Self {
            columns: shape.iter().map(|field| (field.name.as_str(), Column::new(&field.shape))).collect(),
            fields: arrow_fields(shape),
        }
    }

    fn append(&mut self, object: Option<&Map<String, Value>>) {
        for (name, column) in &mut self.columns {
            column.append(object.and_then(|object| object.get(*name)));
        }
    }

    fn finish(self, rows: usize, nulls: Option<NullBuffer>) -> StructArray {
        let columns: Vec<ArrayRef> = self.columns.into_iter().map(|(_, column)| column.finish()).collect();
        debug_assert!(columns.iter().all(|column| column.len() == rows), "each object filled each column");
        StructArray::new(self.fields, columns, nulls)
    }
}

impl Column {
    fn new(shape: &'static Shape) -> Self {
        let texts = || ListBuilder::new(StringBuilder::new()).with_field(list_item());
        match shape {
            Shape::Text { .. } => Self::Text(StringBuilder::new()),
            Shape::Boolean => Self::Boolean(BooleanBuilder::new()),
            Shape::Count => Self::Count(Int64Builder::new()),
            Shape::Date => Self::Date(TimestampMicrosecondBuilder::new()),
            Shape::Texts => Self::Texts(texts()),
            Shape::Map => {
                let names = MapFieldNames {
                    entry: ATTRIBUTES_ENTRY_FIELD.to_owned(),
                    key: ATTRIBUTES_KEY_FIELD.to_owned(),
                    value: ATTRIBUTES_VALUE_FIELD.to_owned(),
                };
                let builder = MapBuilder::new(Some(names), StringBuilder::new(), texts());
                Self::Map(Box::new(builder.with_values_field(attributes_value())))
            }
            Shape::Object(fields) => Self::Object { columns: Columns::new(fields), present: Vec::new() },
            Shape::Objects(fields) => {
                Self::Objects { columns: Columns::new(fields), present: Vec::new(), lengths: Vec::new() }
            }
        }
    }

    fn append(&mut self, value: Option<&Value>) {
        match self {
            Self::Text(builder) => builder.append_option(value.and_then(Value::as_str)),
            Self::Boolean(builder) => builder.append_option(value.and_then(boolean)),
            Self::Count(builder) => builder.append_option(value.and_then(count)),
            Self::Date(builder) => builder.append_option(value.and_then(Value::as_str).and_then(date)),
            Self::Texts(builder) => {
                let value = value.filter(|value| !value.is_null());
                let one = value.and_then(Value::as_str);
                let several = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                one.into_iter().chain(several).for_each(|text| builder.values().append_value(text));
                builder.append(value.is_some());
            }
            Self::Map(builder) => append_map(builder, value.and_then(Value::as_object)),
            Self::Object { columns, present } => {
                let object = value.and_then(Value::as_object);
                present.push(object.is_some());
                columns.append(object);
            }
            Self::Objects { columns, present, lengths } => {
                let items = value.and_then(Value::as_array);
                present.push(items.is_some());
                let mut length = 0;
                for object in items.into_iter().flatten().filter_map(Value::as_object) {
                    columns.append(Some(object));
                    length += 1;
                }
                lengths.push(length);
            }
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Count(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish().with_timezone(UTC)),
            Self::Texts(mut builder) => Arc::new(builder.finish()),
            Self::Map(mut builder) => Arc::new(builder.finish()),
            Self::Object { columns, present } => {
                let rows = present.len();
                Arc::new(columns.finish(rows, Some(NullBuffer::from(present))))
            }
            Self::Objects { columns, present, lengths } => {
                let item = Arc::new(objects_item(columns.fields.clone()));
                let items = columns.finish(lengths.iter().sum(), None);
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(ListArray::new(item, offsets, Arc::new(items), Some(NullBuffer::from(present))))
            }
        }
    }
}

/// A free map: each value is a list of texts. Null is an absent name, as everywhere in documents.
fn append_map(
    builder: &mut MapBuilder<StringBuilder, ListBuilder<StringBuilder>>,
    object: Option<&Map<String, Value>>,
) {
    for (name, value) in object.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        builder.keys().append_value(name);
        let values = builder.values();
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        items.iter().filter(|item| !item.is_null()).for_each(|item| append_text(values.values(), item));
        values.append(true);
    }
    builder.append(object.is_some()).expect("every name was given with its values");
}

/// A text as it is, anything else as its JSON.
fn append_text(builder: &mut StringBuilder, value: &Value) {
    match value.as_str() {
        Some(text) => builder.append_value(text),
        None => builder.append_value(value.to_string()),
    }
}
