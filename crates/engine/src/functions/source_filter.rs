//! Filters a list of objects by `source.id`, for callers whose data scope is limited to some sources.

use super::index;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Keeps the elements of these sources. If `kind` is given, keeps only elements with this `type`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct OfSourcesFunction {
    name: &'static str,
    sources: BTreeSet<String>,
    kind: Option<&'static str>,
    signature: Signature,
}

impl OfSourcesFunction {
    pub(crate) fn new(name: &'static str, sources: BTreeSet<String>, kind: Option<&'static str>) -> Self {
        Self { name, sources, kind, signature: Signature::any(1, Volatility::Immutable) }
    }
}

/// A text of every element. `path` leads to it through nested objects.
fn texts(elements: &ArrayRef, path: &[&str]) -> Option<StringArray> {
    let mut found = Arc::clone(elements);
    for name in path {
        found = Arc::clone(found.as_struct_opt()?.column_by_name(name)?);
    }
    super::strings(&found).ok()
}

impl ScalarUDFImpl for OfSourcesFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [list @ DataType::List(_)] => Ok(list.clone()),
            other => exec_err!("{}: expected a list of objects, found {other:?}", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [list] = &arguments.args[..] else {
            return exec_err!("{}: expected a list of objects", self.name);
        };
        let list = list.to_array(rows)?;
        let (Some(list), DataType::List(item)) = (list.as_list_opt::<i32>(), list.data_type()) else {
            return exec_err!("{}: expected a list of objects, found {}", self.name, list.data_type());
        };
        let elements = list.values();
        let Some(sources) = texts(elements, &["source", "id"]) else {
            return exec_err!("{}: the elements have no source.id", self.name);
        };
        let kinds = self.kind.and_then(|kind| texts(elements, &["type"]).map(|kinds| (kind, kinds)));
        let shown = |at: usize| {
            sources.is_valid(at)
                && self.sources.contains(sources.value(at))
                && kinds.as_ref().is_none_or(|(kind, kinds)| kinds.is_valid(at) && kinds.value(at) == *kind)
        };
        let mut kept = Vec::new();
        let mut lengths = Vec::with_capacity(rows);
        let offsets = list.value_offsets();
        for row in 0..rows {
            let before = kept.len();
            if list.is_valid(row) {
                let range = index(offsets[row])..index(offsets[row + 1]);
                let numbers = range.filter(|at| shown(*at));
                kept.extend(numbers.map(|at| u32::try_from(at).expect("a batch has few elements")));
            }
            lengths.push(kept.len() - before);
        }
        let elements = take(elements, &UInt32Array::from(kept), None)?;
        let nulls = list.nulls().cloned();
        let list =
            ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), elements, nulls)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
