//! `content_digest(...)` and `stable_id(...)`: equal content gives equal results, whatever the batch or the row order.

#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]

use super::{AttributesColumn, index, strings};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringArray, StringBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_reports::ids::{hex, stable_id};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// `content_digest(a, b, ...)`: 32 hex digits over all values. The order of a map's keys and of a list's items does not
/// matter.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DigestFunction {
    signature: Signature,
}

impl DigestFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

enum DigestedColumn {
    Texts(StringArray),
    Flags(BooleanArray),
    Numbers(Int64Array),
    Lists(ListArray, StringArray),
    Maps(Box<AttributesColumn>),
}

impl DigestedColumn {
    fn open(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
                Self::Texts(strings(array)?)
            }
            DataType::Boolean => Self::Flags(array.as_boolean().clone()),
            kind if kind.is_integer() => Self::Numbers(
                cast(array, &DataType::Int64)?
                    .as_primitive::<datafusion::arrow::datatypes::Int64Type>()
                    .clone(),
            ),
            DataType::List(_) => {
                let lists = array.as_list::<i32>().clone();
                let items = strings(lists.values())?;
                Self::Lists(lists, items)
            }
            DataType::Map(_, _) => Self::Maps(Box::new(AttributesColumn::open(array)?)),
            other => return exec_err!("content_digest: {other} has no canonical form"),
        })
    }

    /// Appends the canonical form of a row's value. It is hashed in one piece, which is faster than many small ones.
    fn feed(&self, row: usize, form: &mut Vec<u8>) {
        match self {
            Self::Texts(texts) if texts.is_valid(row) => feed_text(form, b's', texts.value(row)),
            Self::Flags(flags) if flags.is_valid(row) => form.extend([b'b', u8::from(flags.value(row))]),
            Self::Numbers(numbers) if numbers.is_valid(row) => {
                form.extend(b"n");
                form.extend(numbers.value(row).to_be_bytes());
            }
            Self::Lists(lists, items) if lists.is_valid(row) => {
                let offsets = lists.value_offsets();
                form.extend(b"l");
                for at in index(offsets[row])..index(offsets[row + 1]) {
                    if items.is_valid(at) {
                        feed_text(form, b's', items.value(at));
                    } else {
                        form.extend(b"0");
                    }
                }
                form.extend(b"e");
            }
            Self::Maps(maps) => {
                let mut entries: Vec<usize> = maps.entries(row).collect();
                entries.sort_unstable_by_key(|at| maps.keys.value(*at));
                form.extend(b"m");
                for at in entries {
                    feed_text(form, b'k', maps.keys.value(at));
                    for text in maps.texts(at) {
                        feed_text(form, b's', text);
                    }
                }
                form.extend(b"e");
            }
            Self::Texts(_) | Self::Flags(_) | Self::Numbers(_) | Self::Lists(_, _) => form.extend(b"0"),
        }
    }
}

/// The digests of rows of these columns, as `content_digest` gives them.
pub(crate) fn content_digests(columns: &[ArrayRef], rows: usize) -> Result<StringArray> {
    let columns: Vec<DigestedColumn> = columns.iter().map(DigestedColumn::open).collect::<Result<_>>()?;
    let mut digests = StringBuilder::with_capacity(rows, rows * 32);
    let mut form = Vec::new();
    for row in 0..rows {
        form.clear();
        columns.iter().for_each(|column| column.feed(row, &mut form));
        digests.append_value(hex(&Sha256::digest(&form)[..16]));
    }
    Ok(digests.finish())
}

fn feed_text(form: &mut Vec<u8>, tag: u8, text: &str) {
    form.push(tag);
    form.extend((text.len() as u64).to_be_bytes());
    form.extend(text.as_bytes());
}

impl ScalarUDFImpl for DigestFunction {
    fn name(&self) -> &str {
        "content_digest"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        Ok(ColumnarValue::Array(Arc::new(content_digests(&arrays, rows)?)))
    }
}

/// `stable_id(a, b, ...)`: the id for these texts, as [`muster_reports::ids::stable_id`] computes it. Null if one of
/// them is null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct StableIdFunction {
    signature: Signature,
}

impl StableIdFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for StableIdFunction {
    fn name(&self) -> &str {
        "stable_id"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let columns: Vec<StringArray> = arrays.iter().map(|a| strings(a)).collect::<Result<_>>()?;
        let rows = columns.first().map_or(0, |c| c.len());
        let mut ids = StringBuilder::with_capacity(rows, rows * 32);
        for row in 0..rows {
            if columns.iter().any(|column| column.is_null(row)) {
                ids.append_null();
            } else {
                ids.append_value(stable_id(columns.iter().map(|column| column.value(row))));
            }
        }
        Ok(ColumnarValue::Array(Arc::new(ids.finish())))
    }
}
