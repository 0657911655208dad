//! `attribute(map, name)`, `attribute_first(map, name)`, `attribute_text(map, name)`: one attribute of a map.

use super::{AttributesColumn, texts_type};
use datafusion::arrow::array::{ArrayRef, StringBuilder};
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
        let entries = column.entries_named(name, rows);
        let array: ArrayRef = match self.result {
            AttributeResult::Values => Arc::new(column.lists_of(entries)?),
            AttributeResult::First => column.firsts_of(entries)?,
            AttributeResult::Text => {
                let mut texts = StringBuilder::new();
                let mut joined = String::new();
                for entry in entries {
                    let Some(entry) = entry else {
                        texts.append_null();
                        continue;
                    };
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::functions::mapping::attributes_builder;
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;

    /// Names with their values; `None` is a null row, a null list or a null value.
    type Row = Option<Vec<(&'static str, Option<Vec<Option<&'static str>>>)>>;

    fn column(rows: &[Row]) -> ArrayRef {
        let mut builder = attributes_builder();
        for row in rows {
            for (name, values) in row.iter().flatten() {
                builder.keys().append_value(name);
                for value in values.iter().flatten() {
                    builder.values().values().append_option(*value);
                }
                builder.values().append(values.is_some());
            }
            builder.append(row.is_some()).unwrap();
        }
        Arc::new(builder.finish())
    }

    fn called(function: AttributeFunction, column: &ArrayRef, name: &str) -> ArrayRef {
        let returned = function.return_type(&[column.data_type().clone(), DataType::Utf8]).unwrap();
        let arguments = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::clone(column)), ColumnarValue::Scalar(name.into())],
            arg_fields: Vec::new(),
            number_rows: column.len(),
            return_field: Arc::new(Field::new("value", returned.clone(), true)),
            config_options: Arc::new(ConfigOptions::new()),
        };
        let value = function.invoke_with_args(arguments).unwrap().to_array(column.len()).unwrap();
        assert_eq!(value.data_type(), &returned);
        value
    }

    fn texts(column: &ArrayRef) -> Vec<Option<String>> {
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_value_is_found_wherever_it_is_in_its_row() {
        let one = |text| Some(vec![Some(text)]);
        let rows: [Row; 9] = [
            Some(vec![("a", one("a0")), ("b", one("b0"))]),
            Some(vec![("b", one("b1"))]),
            None,
            Some(vec![]),
            Some(vec![("a", None), ("b", Some(vec![None, Some("b4"), Some("x;y")]))]),
            Some(vec![("a", one("a5")), ("c", one("c5"))]),
            Some(vec![("c", one("c6")), ("a", one("a6")), ("b", Some(vec![]))]),
            Some(vec![("a", one("a7")), ("b", one("b7"))]),
            Some(vec![("b", None)]),
        ];
        let whole = column(&rows);
        // A part of a column that begins in the middle.
        for first in [0, 4] {
            let column = whole.slice(first, rows.len() - first);
            let expected = |texts: [Option<&str>; 9]| -> Vec<Option<String>> {
                texts[first..].iter().map(|text| text.map(str::to_owned)).collect()
            };
            let found = texts(&called(AttributeFunction::first(), &column, "b"));
            let b = [Some("b0"), Some("b1"), None, None, Some("b4"), None, None, Some("b7"), None];
            assert_eq!(found, expected(b));
            let found = texts(&called(AttributeFunction::first(), &column, "a"));
            let a = [Some("a0"), None, None, None, None, Some("a5"), Some("a6"), Some("a7"), None];
            assert_eq!(found, expected(a));
            let found = texts(&called(AttributeFunction::text(), &column, "b"));
            let b = [Some("b0"), Some("b1"), None, None, Some("b4; x;;y"), None, Some(""), Some("b7"), None];
            assert_eq!(found, expected(b));
            let lists = called(AttributeFunction::values(), &column, "b");
            let lists = lists.as_list::<i32>();
            let found: Vec<_> =
                (0..lists.len()).map(|row| lists.is_valid(row).then(|| texts(&lists.value(row)))).collect();
            let text = |text: &str| Some(text.to_owned());
            let all = [
                Some(vec![text("b0")]),
                Some(vec![text("b1")]),
                None,
                None,
                Some(vec![None, text("b4"), text("x;y")]),
                None,
                Some(vec![]),
                Some(vec![text("b7")]),
                None,
            ];
            assert_eq!(found, all[first..]);
        }
    }
}
