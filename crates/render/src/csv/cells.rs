//! The cells of one column of one batch: the type is looked at once for the column, not for each cell.

#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]

use arrow::array::{
    Array, AsArray, BooleanArray, GenericListArray, GenericStringArray, LargeStringArray, OffsetSizeTrait,
    StringArray, StringViewArray,
};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type};

use crate::guard::{FormulaGuard, guard, needs_guard};
use crate::json::{is_scalar, is_text, is_writable, push_json, push_scalar, text};
use crate::scalar::{push_integer, push_timestamp, push_unsigned};

/// A column; the layouts that reports are mostly made of have a path of their own.
pub(crate) enum Cells<'a> {
    /// With whether all of its texts are [plain](is_plain).
    Text(&'a StringArray, bool),
    /// As `Text`.
    LargeText(&'a LargeStringArray, bool),
    TextView(&'a StringViewArray),
    Boolean(&'a BooleanArray),
    Int32(&'a arrow::array::Int32Array),
    Int64(&'a arrow::array::Int64Array),
    UInt64(&'a arrow::array::UInt64Array),
    Microseconds(&'a arrow::array::TimestampMicrosecondArray),
    TextList(&'a GenericListArray<i32>),
    LargeTextList(&'a GenericListArray<i64>),
    /// Any other type of one value.
    Scalar(&'a dyn Array),
    /// Any other nested type.
    Json(&'a dyn Array),
}

/// Room for what must be looked at before it is quoted.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    list: String,
    json: Vec<u8>,
}

impl<'a> Cells<'a> {
    /// `None` for a type that has no form in CSV.
    pub(crate) fn new(array: &'a dyn Array) -> Option<Self> {
        let data_type = array.data_type();
        Some(match data_type {
            DataType::Utf8 => {
                let texts = array.as_string();
                Self::Text(texts, is_plain(bytes_of(texts)))
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string();
                Self::LargeText(texts, is_plain(bytes_of(texts)))
            }
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int32 => Self::Int32(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Self::UInt64(array.as_primitive::<UInt64Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Microseconds(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::List(item) if is_text(item.data_type()) => Self::TextList(array.as_list()),
            DataType::LargeList(item) if is_text(item.data_type()) => Self::LargeTextList(array.as_list()),
            other if is_scalar(other) => Self::Scalar(array),
            other if is_writable(other) => Self::Json(array),
            _ => return None,
        })
    }

    /// Appends the cell of a row.
    #[inline]
    pub(crate) fn push(
        &self,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
        row: usize,
        formula_guard: FormulaGuard,
    ) {
        match self {
            Self::Text(array, plain) if array.is_valid(row) => {
                push_known(out, array.value(row), *plain, formula_guard);
            }
            Self::LargeText(array, plain) if array.is_valid(row) => {
                push_known(out, array.value(row), *plain, formula_guard);
            }
            Self::TextView(array) if array.is_valid(row) => push_text(out, array.value(row), formula_guard),
            Self::Boolean(array) if array.is_valid(row) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
            }
            Self::Int32(array) if array.is_valid(row) => push_integer(out, array.value(row).into()),
            Self::Int64(array) if array.is_valid(row) => push_integer(out, array.value(row)),
            Self::UInt64(array) if array.is_valid(row) => push_unsigned(out, array.value(row)),
            Self::Microseconds(array) if array.is_valid(row) => {
                push_timestamp(out, array.value(row), TimeUnit::Microsecond);
            }
            Self::TextList(array) if array.is_valid(row) => {
                join_list(&mut scratch.list, array, row);
                push_text(out, &scratch.list, formula_guard);
            }
            Self::LargeTextList(array) if array.is_valid(row) => {
                join_list(&mut scratch.list, array, row);
                push_text(out, &scratch.list, formula_guard);
            }
            Self::Scalar(array) => push_scalar(out, *array, row),
            Self::Json(array) if array.is_valid(row) => {
                // JSON begins with a brace or a bracket, so it is never a formula.
                scratch.json.clear();
                push_json(&mut scratch.json, *array, row);
                push_field(out, &scratch.json);
            }
            Self::Text(..)
            | Self::LargeText(..)
            | Self::TextView(_)
            | Self::Boolean(_)
            | Self::Int32(_)
            | Self::Int64(_)
            | Self::UInt64(_)
            | Self::Microseconds(_)
            | Self::TextList(_)
            | Self::LargeTextList(_)
            | Self::Json(_) => {}
        }
    }
}

/// `a; b` in place of what was there, with a `;` inside a value doubled and null items left out. A single value is
/// written as it is.
pub(crate) fn join_list<O: OffsetSizeTrait>(joined: &mut String, lists: &GenericListArray<O>, row: usize) {
    let items = lists.values().as_ref();
    let offsets = lists.value_offsets();
    joined.clear();
    let places = offsets[row].as_usize()..offsets[row + 1].as_usize();
    let several = places.clone().filter(|item| items.is_valid(*item)).nth(1).is_some();
    let mut first = true;
    for item in places {
        if items.is_null(item) {
            continue;
        }
        if !first {
            joined.push_str("; ");
        }
        first = false;
        let value = text(items, item).unwrap_or_default();
        if !several {
            joined.push_str(value);
            continue;
        }
        for (index, part) in value.split(';').enumerate() {
            if index > 0 {
                joined.push_str(";;");
            }
            joined.push_str(part);
        }
    }
}

/// A text, guarded where that is wanted, as a field.
#[inline]
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str, formula_guard: FormulaGuard) {
    if formula_guard == FormulaGuard::On && needs_guard(text) {
        push_field(out, guard(text).as_bytes());
    } else {
        push_field(out, text.as_bytes());
    }
}

/// As [`push_text`], for a text of a column whose texts may all be known to be plain.
#[inline]
fn push_known(out: &mut Vec<u8>, text: &str, plain: bool, formula_guard: FormulaGuard) {
    if plain && (formula_guard == FormulaGuard::Off || !needs_guard(text)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_text(out, text, formula_guard);
    }
}

/// The bytes of all texts of an array, one after another.
fn bytes_of<O: OffsetSizeTrait>(texts: &GenericStringArray<O>) -> &[u8] {
    let offsets = texts.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => &texts.value_data()[first.as_usize()..last.as_usize()],
        _ => &[],
    }
}

/// Whether RFC 4180 has no quotes around any part of this.
fn is_plain(bytes: &[u8]) -> bool {
    memchr::memchr3(b',', b'"', b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_none()
}

/// A field, quoted where RFC 4180 needs it.
#[inline]
fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    // No early end: the loop over the whole field is turned into vector instructions. Most fields are too short for more.
    let special = field.iter().fold(false, |found, &byte| {
        found | (byte == b',') | (byte == b'"') | (byte == b'\r') | (byte == b'\n')
    });
    if !special {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for (index, part) in field.split(|&byte| byte == b'"').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part);
    }
    out.push(b'"');
}
