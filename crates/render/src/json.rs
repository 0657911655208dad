//! A nested value as JSON text, for the cells that CSV has no form for.
//!
//! Members are in stored order, without white space; a time is the text that its own cell would have; a number that
//! JSON cannot express (NaN, infinity) is null.

#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]

use arrow::array::{Array, AsArray, GenericListArray, OffsetSizeTrait};
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::scalar::{
    push_date, push_float, push_formatted, push_integer, push_single, push_timestamp, push_unsigned,
};

const MILLISECONDS_PER_DAY: i64 = 86_400_000;

/// Whether [`push_json`] can write values of this type.
pub(crate) fn is_writable(data_type: &DataType) -> bool {
    if is_scalar(data_type) {
        return true;
    }
    if let DataType::List(item) | DataType::LargeList(item) = data_type {
        return is_writable(item.data_type());
    }
    if let DataType::Struct(fields) = data_type {
        return fields.iter().all(|field| is_writable(field.data_type()));
    }
    if let DataType::Map(entry, _) = data_type
        && let DataType::Struct(fields) = entry.data_type()
        && let [key, value] = fields.as_ref()
    {
        return is_text(key.data_type()) && is_writable(value.data_type());
    }
    false
}

/// Whether the type is text in one of Arrow's layouts.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether [`push_scalar`] can write values of this type.
pub(crate) fn is_scalar(data_type: &DataType) -> bool {
    is_text(data_type)
        || data_type.is_integer()
        || matches!(
            data_type,
            DataType::Null
                | DataType::Boolean
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
                | DataType::Date32
                | DataType::Date64
                | DataType::Timestamp(..)
        )
}

/// Appends the JSON of one value of a writable type.
pub(crate) fn push_json(out: &mut Vec<u8>, array: &dyn Array, row: usize) {
    // An array of type Null has no null mask to ask.
    if array.is_null(row) || array.data_type() == &DataType::Null {
        out.extend_from_slice(b"null");
        return;
    }
    match array.data_type() {
        DataType::List(_) => push_items(out, array.as_list::<i32>(), row),
        DataType::LargeList(_) => push_items(out, array.as_list::<i64>(), row),
        DataType::Struct(_) => {
            let members = array.as_struct();
            out.push(b'{');
            for (index, (name, values)) in
                members.column_names().into_iter().zip(members.columns()).enumerate()
            {
                push_member(out, index, name);
                push_json(out, values.as_ref(), row);
            }
            out.push(b'}');
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (keys, values) = (map.keys(), map.values());
            let offsets = map.value_offsets();
            out.push(b'{');
            for (index, entry) in (offsets[row].as_usize()..offsets[row + 1].as_usize()).enumerate() {
                push_member(out, index, text(keys.as_ref(), entry).unwrap_or_default());
                push_json(out, values.as_ref(), entry);
            }
            out.push(b'}');
        }
        DataType::Float32 if !array.as_primitive::<Float32Type>().value(row).is_finite() => {
            out.extend_from_slice(b"null");
        }
        DataType::Float64 if !array.as_primitive::<Float64Type>().value(row).is_finite() => {
            out.extend_from_slice(b"null");
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            out.push(b'"');
            push_scalar(out, array, row);
            out.push(b'"');
        }
        _ => match text(array, row) {
            Some(text) => push_string(out, text),
            None => push_scalar(out, array, row),
        },
    }
}

/// Appends the text of one value of a scalar type; nothing for null.
pub(crate) fn push_scalar(out: &mut Vec<u8>, array: &dyn Array, row: usize) {
    if array.is_null(row) {
        return;
    }
    macro_rules! integer {
        ($kind:ty) => {
            push_integer(out, i64::from(array.as_primitive::<$kind>().value(row)))
        };
    }
    match array.data_type() {
        DataType::Boolean => {
            out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" });
        }
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => push_unsigned(out, array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => push_single(out, array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => push_float(out, array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            push_formatted(
                out,
                format_args!("{}", array.as_primitive::<Decimal128Type>().value_as_string(row)),
            );
        }
        DataType::Date32 => push_date(out, i64::from(array.as_primitive::<Date32Type>().value(row))),
        DataType::Date64 => {
            push_date(out, array.as_primitive::<Date64Type>().value(row).div_euclid(MILLISECONDS_PER_DAY));
        }
        DataType::Timestamp(unit, _) => {
            let value = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
            };
            push_timestamp(out, value, *unit);
        }
        _ => out.extend_from_slice(text(array, row).unwrap_or_default().as_bytes()),
    }
}

/// The text of a value of a text type; `None` for other types.
pub(crate) fn text(array: &dyn Array, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

fn push_items<O: OffsetSizeTrait>(out: &mut Vec<u8>, lists: &GenericListArray<O>, row: usize) {
    let (items, offsets) = (lists.values().as_ref(), lists.value_offsets());
    out.push(b'[');
    for (index, item) in (offsets[row].as_usize()..offsets[row + 1].as_usize()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_json(out, items, item);
    }
    out.push(b']');
}

fn push_member(out: &mut Vec<u8>, index: usize, name: &str) {
    if index > 0 {
        out.push(b',');
    }
    push_string(out, name);
    out.push(b':');
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    // No early end: the loop over the whole text is turned into vector instructions.
    let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    if !text.as_bytes().iter().fold(false, |found, byte| found | special(byte)) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a vector takes every write");
}
