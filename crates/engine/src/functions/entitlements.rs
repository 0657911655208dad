//! `attributes_kept(map, names)`: the entries of a map that have these names. `attribute_entries(map)`: one (name,
//! value) for each value of a map. Documents use both to show the entitlements of an account by attribute.

use super::{AttributesColumn, attributes_type, index};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, ListBuilder, MapArray, StringBuilder, StructArray, UInt32Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Field with an entry's name.
const NAME: &str = "name";
/// Field with an entry's value.
const VALUE: &str = "value";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct KeptFunction {
    signature: Signature,
}

impl KeptFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for KeptFunction {
    fn name(&self) -> &str {
        "attributes_kept"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(attributes_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [map, names] = &arguments.args[..] else {
            return exec_err!("attributes_kept: expected (attributes map, list of names)");
        };
        let (map, names) = (map.to_array(rows)?, names.to_array(rows)?);
        let column = AttributesColumn::open(&map)?;
        let Some(names) = names.as_list_opt::<i32>() else {
            return exec_err!("attributes_kept: names are {}: expected a list", names.data_type());
        };
        let wanted = super::strings(names.values())?;
        let mut kept = Vec::new();
        let mut lengths = Vec::with_capacity(rows);
        for row in 0..rows {
            let before = kept.len();
            let offsets = names.value_offsets();
            let range = if names.is_null(row) { 0..0 } else { index(offsets[row])..index(offsets[row + 1]) };
            kept.extend(
                column
                    .entries(row)
                    .filter(|at| range.clone().any(|name| wanted.value(name) == column.keys.value(*at)))
                    .map(|at| u32::try_from(at).expect("a batch has few entries")),
            );
            lengths.push(kept.len() - before);
        }
        let DataType::Map(entry, sorted) = attributes_type() else {
            return exec_err!("attributes are not a map: expected one");
        };
        let entries = take(column.map.entries(), &UInt32Array::from(kept), None)?;
        let entries = cast(&entries, entry.data_type())?;
        let map = MapArray::try_new(
            entry,
            OffsetBuffer::from_lengths(lengths),
            entries.as_struct().clone(),
            None,
            sorted,
        )?;
        Ok(ColumnarValue::Array(Arc::new(map)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct EntriesFunction {
    signature: Signature,
}

impl EntriesFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fields() -> Fields {
        Fields::from(vec![Field::new(NAME, DataType::Utf8, true), Field::new(VALUE, DataType::Utf8, true)])
    }

    fn item() -> Field {
        Field::new(muster_sources::LIST_ITEM_FIELD, DataType::Struct(Self::fields()), true)
    }
}

impl ScalarUDFImpl for EntriesFunction {
    fn name(&self) -> &str {
        "attribute_entries"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Self::item())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [map] = &arguments.args[..] else {
            return exec_err!("attribute_entries: expected one attributes map");
        };
        let map = map.to_array(rows)?;
        let column = AttributesColumn::open(&map)?;
        let (mut names, mut values) = (StringBuilder::new(), StringBuilder::new());
        let mut lengths = Vec::with_capacity(rows);
        let mut entries = 0;
        for row in 0..rows {
            let before = entries;
            for at in column.entries(row) {
                for text in column.texts(at) {
                    names.append_value(column.keys.value(at));
                    values.append_value(text);
                    entries += 1;
                }
            }
            lengths.push(entries - before);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(names.finish()), Arc::new(values.finish())];
        let entries = StructArray::try_new(Self::fields(), columns, None)?;
        let list = ListArray::try_new(
            Arc::new(Self::item()),
            OffsetBuffer::from_lengths(lengths),
            Arc::new(entries),
            None,
        )?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// A column of lists of texts.
pub(crate) fn text_lists<'a>(lists: impl Iterator<Item = &'a [String]>) -> Result<ArrayRef> {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        for text in list {
            builder.values().append_value(text);
        }
        builder.append(true);
    }
    Ok(cast(&builder.finish(), &super::texts_type())?)
}
