//! Cells of a search's files, and its sort keys: each is a column, derived from a document's column and a path.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use super::flatten::{PathValues, Target, index, values};
use crate::functions::texts_type;
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, StringArray, StructArray, UInt32Array, make_comparator, new_null_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::compute::{SortOptions, cast, take};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::LIST_ITEM_FIELD;
use std::cmp::Ordering;
use std::sync::Arc;

/// How the values at a path are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// In a cell: the value itself, a list of texts if there may be several values, objects unchanged.
    Cell,
    /// As an ascending sort key: the smallest value of a row.
    Least,
    /// As a descending sort key: the greatest value of a row.
    Greatest,
}

/// `search_cell_N(column)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CellFunction {
    name: String,
    path: String,
    leaf: DataType,
    many: bool,
    usage: Use,
    signature: Signature,
}

impl CellFunction {
    /// `path` is the part of the name after the column; `target` describes the values at the path.
    pub(super) fn new(name: String, path: &str, target: &Target, usage: Use) -> Self {
        Self {
            name,
            path: path.to_owned(),
            leaf: target.leaf.clone(),
            many: target.many,
            usage,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for CellFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match (self.usage, self.many) {
            (Use::Cell, true) if is_object(&self.leaf) => {
                DataType::List(Arc::new(Field::new(LIST_ITEM_FIELD, self.leaf.clone(), true)))
            }
            (Use::Cell, true) => texts_type(),
            // Objects have no order.
            (Use::Least | Use::Greatest, _) if is_object(&self.leaf) => DataType::Null,
            (Use::Cell, false) | (Use::Least | Use::Greatest, _) => self.leaf.clone(),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [column] = &arguments.args[..] else {
            return exec_err!("{}: expected one argument", self.name);
        };
        let column = column.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(self.make(&column)?))
    }
}

impl CellFunction {
    /// Computes the cells for a column.
    ///
    /// # Errors
    /// When the column is not of the type that the path was made for.
    pub(super) fn make(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let found = values(column, &self.path)?;
        let made = self.of(found, column.len())?;
        Ok(cast(&made, &self.return_type(&[])?)?)
    }

    fn of(&self, found: PathValues, rows: usize) -> Result<ArrayRef> {
        match (self.usage, is_object(&self.leaf)) {
            (Use::Cell, true) if self.many => Ok(found.into_list()),
            (Use::Cell, false) if self.many => {
                let PathValues { offsets, values } = found;
                let values = texts(&values)?;
                Ok(PathValues { offsets, values }.into_list())
            }
            (Use::Least | Use::Greatest, true) => Ok(new_null_array(&DataType::Null, rows)),
            (Use::Cell, true) => Ok(referenced(&chosen(&found, Ordering::Less)?)),
            (Use::Cell | Use::Least, _) => chosen(&found, Ordering::Less),
            (Use::Greatest, false) => chosen(&found, Ordering::Greater),
        }
    }
}

fn is_object(leaf: &DataType) -> bool {
    matches!(leaf, DataType::Struct(_) | DataType::Map(_, _))
}

/// Objects, with null in place of objects without any value: a missing reference is not an object.
fn referenced(objects: &ArrayRef) -> ArrayRef {
    match objects.as_struct_opt() {
        Some(object) => {
            let holds = NullBuffer::new(holds(objects));
            Arc::new(StructArray::new(object.fields().clone(), object.columns().to_vec(), Some(holds)))
        }
        None => Arc::clone(objects),
    }
}

/// Which rows have a value at any depth.
fn holds(values: &ArrayRef) -> BooleanBuffer {
    let rows = values.len();
    let there = values.nulls().map_or_else(|| BooleanBuffer::new_set(rows), |nulls| nulls.inner().clone());
    match values.as_struct_opt() {
        Some(object) => {
            let inside = object.columns().iter().map(holds);
            &there & &inside.fold(BooleanBuffer::new_unset(rows), |found, here| &found | &here)
        }
        None => there,
    }
}

/// The smallest or greatest value of each row. `wanted` is its order relative to the others.
fn chosen(found: &PathValues, wanted: Ordering) -> Result<ArrayRef> {
    if found.offsets.windows(2).all(|row| row[1] - row[0] == 1) {
        return Ok(Arc::clone(&found.values));
    }
    let compare = make_comparator(&found.values, &found.values, SortOptions::default())?;
    let rows: UInt32Array = found
        .offsets
        .windows(2)
        .map(|row| {
            let best = (index(row[0])..index(row[1]))
                .reduce(|best, other| if compare(other, best) == wanted { other } else { best });
            best.and_then(|at| u32::try_from(at).ok())
        })
        .collect();
    Ok(take(&found.values, &rows, None)?)
}

/// Values as texts, as a cell shows them.
fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            let texts = times.iter().map(|at| at.and_then(DateTime::from_timestamp_micros).map(written));
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        _ => Ok(cast(values, &DataType::Utf8)?),
    }
}

fn written(at: DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
