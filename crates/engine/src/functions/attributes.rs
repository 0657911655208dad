//! `attribute(map, name)`, `attribute_first(map, name)`, `attribute_text(map, name)`: one attribute of a map.

use super::{AttributesColumn, texts_type};
use datafusion::arrow::array::{ArrayRef, StringBuilder, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum AttributeResult {
    /// All values, as a list.
    Values,
    /// The first value.
    First,
    /// All values in one text, as in multi-valued cells (docs/reports.md).
    Text,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct AttributeFunction {
    name: &'static str,
    result: AttributeResult,
    signature: Signature,
}

impl AttributeFunction {
    fn new(name: &'static str, result: AttributeResult) -> Self {
        Self { name, result, signature: Signature::any(2, Volatility::Immutable) }
    }

    /// `attribute(map, name)`: the list of values, null where absent.
    pub(super) fn values() -> Self {
        Self::new("attribute", AttributeResult::Values)
    }

    /// `attribute_first(map, name)`: the first value, null where absent.
    pub(super) fn first() -> Self {
        Self::new("attribute_first", AttributeResult::First)
    }

    /// `attribute_text(map, name)`: the values joined with `; `. A `;` inside a value is doubled. A single value is
    /// unchanged.
    pub(super) fn text() -> Self {
        Self::new("attribute_text", AttributeResult::Text)
    }
}

impl ScalarUDFImpl for AttributeFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Map(_, _), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8] => {
                Ok(match self.result {
                    AttributeResult::Values => texts_type(),
                    AttributeResult::First | AttributeResult::Text => DataType::Utf8,
                })
            }
            _ => exec_err!("{}: expected (attributes map, attribute name)", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [map, name] = &arguments.args[..] else {
            return exec_err!("{}: expected two arguments", self.name);
        };
        let ColumnarValue::Scalar(name) = name else {
            return exec_err!("{}: the attribute name must be a constant", self.name);
        };
        let Some(Some(name)) = name.try_as_str() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(arguments.return_field.data_type())?));
        };
        let map = map.to_array(rows)?;
        let column = AttributesColumn::open(&map)?;
        let array: ArrayRef = match self.result {
            AttributeResult::Values => {
                let entries: UInt32Array = (0..rows)
                    .map(|row| {
                        column.entry(row, name).map(|at| u32::try_from(at).expect("a batch has few entries"))
                    })
                    .collect();
                let lists = take(&column.lists, &entries, None)?;
                datafusion::arrow::compute::cast(&lists, &texts_type())?
            }
            AttributeResult::First | AttributeResult::Text => {
                let mut texts = StringBuilder::new();
                let mut joined = String::new();
                for row in 0..rows {
                    let Some(entry) = column.entry(row, name) else {
                        texts.append_null();
                        continue;
                    };
                    if self.result == AttributeResult::First {
                        texts.append_option(column.texts(entry).next());
                        continue;
                    }
                    joined.clear();
                    push_cell(&mut joined, column.texts(entry));
                    texts.append_value(&joined);
                }
                Arc::new(texts.finish())
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

/// Values in one text, as in multi-valued cells: joined with `; `. A `;` inside a value is doubled. A single value is
/// unchanged.
pub(crate) fn cell<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    push_cell(&mut joined, texts);
    joined
}

fn push_cell<'a>(joined: &mut String, mut texts: impl Iterator<Item = &'a str>) {
    let Some(first) = texts.next() else { return };
    let Some(second) = texts.next() else { return joined.push_str(first) };
    push_doubled(joined, first);
    for text in std::iter::once(second).chain(texts) {
        joined.push_str("; ");
        push_doubled(joined, text);
    }
}

fn push_doubled(joined: &mut String, text: &str) {
    for (at, part) in text.split(';').enumerate() {
        if at > 0 {
            joined.push_str(";;");
        }
        joined.push_str(part);
    }
}
