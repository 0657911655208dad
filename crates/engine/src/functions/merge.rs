//! `merge_attributes(list of maps)` and `merge_texts(list of lists)`: the union of all values, for sources with several
//! rows for one account.

use super::{AttributesColumn, attributes_type, index, strings, texts_type};
use datafusion::arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::LIST_ITEM_FIELD;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The result does not depend on the order of the maps: names and values are sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MergeFunction {
    signature: Signature,
}

impl MergeFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MergeFunction {
    fn name(&self) -> &str {
        "merge_attributes"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(attributes_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [lists] = &arguments.args[..] else {
            return exec_err!("merge_attributes: expected one argument");
        };
        let lists = lists.to_array(rows)?;
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return exec_err!("merge_attributes: found {}: expected a list of maps", lists.data_type());
        };
        let maps = AttributesColumn::open(lists.values())?;
        let mut builder = super::mapping::attributes_builder();
        for row in 0..rows {
            let mut merged: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            if lists.is_valid(row) {
                let offsets = lists.value_offsets();
                for at in index(offsets[row])..index(offsets[row + 1]) {
                    for entry in maps.entries(at) {
                        merged.entry(maps.keys.value(entry)).or_default().extend(maps.texts(entry));
                    }
                }
            }
            for (name, values) in merged {
                builder.keys().append_value(name);
                for value in values {
                    builder.values().values().append_value(value);
                }
                builder.values().append(true);
            }
            builder.append(true)?;
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}

/// One sorted list of the texts of all lists, each once.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MergeTextsFunction {
    signature: Signature,
}

impl MergeTextsFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MergeTextsFunction {
    fn name(&self) -> &str {
        "merge_texts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(texts_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [outer] = &arguments.args[..] else { return exec_err!("merge_texts: expected one argument") };
        let outer = outer.to_array(rows)?;
        let Some((outer, inner)) =
            outer.as_list_opt::<i32>().and_then(|o| o.values().as_list_opt::<i32>().map(|i| (o, i)))
        else {
            return exec_err!("merge_texts: found {}: expected a list of lists", outer.data_type());
        };
        let items = strings(inner.values())?;
        let item = Field::new(LIST_ITEM_FIELD, DataType::Utf8, true);
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item);
        let (outer_offsets, inner_offsets) = (outer.value_offsets(), inner.value_offsets());
        for row in 0..rows {
            let mut merged: BTreeSet<&str> = BTreeSet::new();
            if outer.is_valid(row) {
                for list in index(outer_offsets[row])..index(outer_offsets[row + 1]) {
                    let range = index(inner_offsets[list])..index(inner_offsets[list + 1]);
                    merged.extend(range.filter(|at| items.is_valid(*at)).map(|at| items.value(at)));
                }
            }
            for text in merged {
                builder.values().append_value(text);
            }
            builder.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}
