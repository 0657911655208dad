//! Values of Arrow arrays to attribute values.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::sync::Arc;

use crate::json_values::whole;

/// The values of one column of a batch.
pub(crate) struct Column {
    array: ArrayRef,
    list: Option<ListArray>,
}

impl Column {
    /// Looks at a column; lists of every kind are brought into one form, and times that know their zone into UTC.
    ///
    /// # Errors
    /// The column has values that have no text.
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's enum, whose other types have one treatment")]
    pub(crate) fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let mut array = Arc::clone(array);
        if let DataType::Timestamp(unit, Some(_)) = array.data_type() {
            // The zone is only how the time is to be shown; it may be a name, for which there is no table here.
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            array = cast(&cast(&array, &DataType::Int64)?, &utc)?;
        }
        let list = match array.data_type() {
            DataType::List(_) => Some(array.as_list::<i32>().clone()),
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let form = DataType::List(Arc::new(Field::new("item", item.data_type().clone(), true)));
                Some(cast(&array, &form)?.as_list::<i32>().clone())
            }
            _ => None,
        };
        Ok(Self { array, list })
    }

    /// Whether the values are floating-point numbers, of which not every one can name an account.
    pub(crate) fn is_floating(&self) -> bool {
        self.array.data_type().is_floating()
    }

    /// The values of a row: of a list its elements, null none.
    pub(crate) fn texts(&self, row: usize) -> Result<Vec<String>, ArrowError> {
        if self.array.is_null(row) {
            return Ok(Vec::new());
        }
        let Some(list) = &self.list else { return Ok(text(self.array.as_ref(), row)?.into_iter().collect()) };
        let elements = list.value(row);
        let texts = (0..elements.len()).map(|index| text(elements.as_ref(), index));
        texts.filter_map(Result::transpose).collect()
    }
}

/// Why a value of a column of floating-point numbers does not name an account: one that is not whole, or so great that
/// its neighbours have the same text, may have been another number.
pub(crate) fn key_fault(texts: &[String]) -> Option<&'static str> {
    let is_whole = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (!texts.iter().all(is_whole))
        .then_some("is a floating-point number: expected a whole number below 2^53, or text")
}

/// One value as text; `None` for null.
fn text(array: &dyn Array, row: usize) -> Result<Option<String>, ArrowError> {
    Ok(crate::json_values::text(json(array, row)?))
}

/// What a column holds, so far as two files of one source must agree in it: an integer of any width is one kind.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow's enum, whose other types are each a kind of their own"
)]
pub(crate) fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytes".to_owned()
        }
        DataType::Dictionary(_, values) => kind(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("a list of {}", kind(item.data_type()))
        }
        DataType::Date32 | DataType::Date64 => "a date".to_owned(),
        DataType::Timestamp(_, zone) => {
            (if zone.is_some() { "a time with a zone" } else { "a time without a zone" }).to_owned()
        }
        DataType::Null => "nothing".to_owned(),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Struct(_) | DataType::Map(..) => "nested".to_owned(),
        _ if data_type.is_integer() => "a whole number".to_owned(),
        _ if data_type.is_floating() => "a floating-point number".to_owned(),
        _ if data_type.is_decimal() => "a decimal number".to_owned(),
        _ => data_type.to_string(),
    }
}

/// One value as JSON: numbers and booleans as such, what is nested as it is, bytes in base64, all else as the text
/// that Arrow gives it, which for times is RFC 3339.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's enum, whose other types have one treatment")]
pub(crate) fn json(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let elements = |elements: &dyn Array| {
        (0..elements.len()).map(|index| json(elements, index)).collect::<Result<_, _>>().map(Value::Array)
    };
    let bytes = |bytes: &[u8]| Ok(Value::String(STANDARD.encode(bytes)));
    match array.data_type() {
        DataType::Struct(fields) => {
            let mut members = Map::new();
            for (field, values) in fields.iter().zip(array.as_struct().columns()) {
                members.insert(field.name().clone(), json(values, row)?);
            }
            Ok(Value::Object(members))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let mut members = Map::new();
            for index in 0..entries.len() {
                let key = text(entries.column(0), index)?.unwrap_or_default();
                members.insert(key, json(entries.column(1), index)?);
            }
            Ok(Value::Object(members))
        }
        DataType::List(_) => elements(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => elements(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => elements(&array.as_fixed_size_list().value(row)),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row)),
        kind => {
            let shown =
                ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).try_to_string()?;
            let shown = if kind.is_floating() { whole(&shown).to_owned() } else { shown };
            let is_plain = kind.is_integer() || matches!(kind, DataType::Boolean);
            // Other numbers keep the digits that they have.
            let plain = if is_plain { serde_json::from_str(&shown).ok() } else { None };
            Ok(plain.unwrap_or(Value::String(shown)))
        }
    }
}
