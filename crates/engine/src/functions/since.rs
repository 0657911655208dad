//! `texts_since(list, list before, times before, now)`: since when each text of a list has been in it.
//!
//! A text that was in the list before keeps its time, which may be unknown. Any other text is there since now.

use super::{index, strings};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, ListBuilder, StringArray, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::LIST_ITEM_FIELD;
use std::collections::HashMap;
use std::sync::Arc;

/// The type of a list of times.
pub(crate) fn times_type() -> DataType {
    DataType::List(Arc::new(item()))
}

fn item() -> Field {
    Field::new(LIST_ITEM_FIELD, time_type(), true)
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SinceFunction {
    signature: Signature,
}

impl SinceFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(4, Volatility::Immutable) }
    }
}

/// A list of texts, and the range of its items in each row.
struct Texts {
    lists: ListArray,
    items: StringArray,
}

impl Texts {
    fn open(array: &ArrayRef) -> Result<Self> {
        let Some(lists) = array.as_list_opt::<i32>().cloned() else {
            return exec_err!("texts_since: found {}: expected a list of texts", array.data_type());
        };
        let items = strings(lists.values())?;
        Ok(Self { lists, items })
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.lists.value_offsets();
        if self.lists.is_null(row) { 0..0 } else { index(offsets[row])..index(offsets[row + 1]) }
    }
}

impl ScalarUDFImpl for SinceFunction {
    fn name(&self) -> &str {
        "texts_since"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(times_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [now, before, since, time] = &arguments.args[..] else {
            return exec_err!("texts_since: expected (list, list before, times before, time)");
        };
        let (now, before) = (Texts::open(&now.to_array(rows)?)?, Texts::open(&before.to_array(rows)?)?);
        let (since, time) = (since.to_array(rows)?, time.to_array(rows)?);
        let Some(since) = since.as_list_opt::<i32>() else {
            return exec_err!("texts_since: found {}: expected a list of times", since.data_type());
        };
        let Some(times) = since.values().as_primitive_opt::<TimestampMicrosecondType>() else {
            return exec_err!("texts_since: found {}: expected times", since.values().data_type());
        };
        let Some(time) = time.as_primitive_opt::<TimestampMicrosecondType>() else {
            return exec_err!("texts_since: found {}: expected a time", time.data_type());
        };
        let builder = TimestampMicrosecondBuilder::new().with_data_type(time_type());
        let mut builder = ListBuilder::new(builder).with_field(item());
        for row in 0..rows {
            let first = since.value_offsets()[row];
            let length = if since.is_null(row) { 0 } else { since.value_length(row) };
            // A list without times is from before they were recorded.
            let known = |at: usize| {
                let place = index(first) + at;
                (at < index(length) && times.is_valid(place)).then(|| times.value(place))
            };
            let earlier: HashMap<&str, Option<i64>> = before
                .range(row)
                .enumerate()
                .map(|(at, item)| (before.items.value(item), known(at)))
                .collect();
            for at in now.range(row) {
                let time = match earlier.get(now.items.value(at)) {
                    Some(known) => *known,
                    None => time.is_valid(row).then(|| time.value(row)),
                };
                builder.values().append_option(time);
            }
            builder.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}
