//! Reads values in documents: from a column and a path to the values at the path.
//!
//! A path is a field's name with dots (`accounts.source.name`). It continues into every element of an array, so a row
//! can have many values. In a free map, the rest of the path is the key, including dots; a `*` in it matches any
//! characters.
//!
//! Texts keep the type of the table, which may be views. Nothing is converted.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use std::sync::Arc;

/// What a path refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The type of a value; never a list.
    pub(super) leaf: DataType,
    /// Whether a row can have several values.
    pub(super) many: bool,
    /// Whether the path leads into a free map.
    pub(super) free: bool,
    /// The field at the end of the path, with its metadata.
    pub(super) field: FieldRef,
}

/// The first name of a path, and the rest.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.split_once('.').unwrap_or((path, ""))
}

/// The values at `path` below a field; `None` if there is no such field.
pub(super) fn target(field: &FieldRef, path: &str) -> Option<Target> {
    match field.data_type() {
        DataType::List(item) => target(item, path).map(|found| Target {
            // The list has the metadata that describes its texts.
            field: if path.is_empty() { Arc::clone(field) } else { Arc::clone(&found.field) },
            many: true,
            ..found
        }),
        leaf if path.is_empty() => {
            Some(Target { leaf: leaf.clone(), many: false, free: false, field: Arc::clone(field) })
        }
        DataType::Struct(fields) => {
            let (name, rest) = split(path);
            fields.iter().find(|field| field.name() == name).and_then(|field| target(field, rest))
        }
        DataType::Map(entry, _) => {
            let DataType::Struct(fields) = entry.data_type() else { return None };
            let value = target(&fields[1], "")?;
            Some(Target { leaf: value.leaf, many: true, free: true, field: Arc::clone(&fields[1]) })
        }
        _ => None,
    }
}

/// Whether a key matches a name in which `*` matches any characters.
pub fn fits(name: &str, key: &str) -> bool {
    let mut parts = name.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The values of each row: row `n` has the values from `offsets[n]` to `offsets[n + 1]`. No value is null.
pub(super) struct PathValues {
    pub(super) offsets: OffsetBuffer<i32>,
    pub(super) values: ArrayRef,
}

impl PathValues {
    fn none(rows: usize, leaf: &DataType) -> Self {
        Self {
            offsets: OffsetBuffer::new_zeroed(rows),
            values: datafusion::arrow::array::new_empty_array(leaf),
        }
    }

    /// The values as one list for each row. A row without values has null.
    pub(super) fn into_list(self) -> ArrayRef {
        let lengths = self.offsets.lengths().map(|length| length > 0).collect::<Vec<_>>();
        let item = Field::new(muster_sources::LIST_ITEM_FIELD, self.values.data_type().clone(), true);
        Arc::new(ListArray::new(Arc::new(item), self.offsets, self.values, Some(NullBuffer::from(lengths))))
    }

    /// Row `n` of the result has the values of the rows from `outer[n]` to `outer[n + 1]`. The offsets in `outer` begin
    /// at zero.
    fn regrouped(self, outer: &[i32]) -> Self {
        let offsets: Vec<i32> = outer.iter().map(|at| self.offsets[index(*at)]).collect();
        Self { offsets: OffsetBuffer::new(offsets.into()), values: self.values }
    }

    /// Removes the values of the rows that are null in `nulls`.
    fn masked(self, nulls: Option<&NullBuffer>) -> Result<Self> {
        let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Ok(self) };
        let rows = (0..nulls.len()).flat_map(|row| {
            let range = self.offsets[row]..self.offsets[row + 1];
            nulls.is_valid(row).then_some(range).into_iter().flatten()
        });
        let kept: UInt32Array = rows.map(|at| u32::try_from(at).ok()).collect();
        let lengths = (0..nulls.len()).map(|row| {
            if nulls.is_valid(row) { index(self.offsets[row + 1] - self.offsets[row]) } else { 0 }
        });
        Ok(Self { offsets: OffsetBuffer::from_lengths(lengths), values: take(&self.values, &kept, None)? })
    }
}

/// Converts an offset into an index.
pub(super) fn index(offset: i32) -> usize {
    usize::try_from(offset).expect("offsets of Arrow lists are not negative")
}

/// The values at `path` below `array`. The path must exist.
///
/// # Errors
/// When the array is not of the type that the path was made for.
pub(super) fn values(array: &ArrayRef, path: &str) -> Result<PathValues> {
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (offsets, child) = entered(list);
            values(&child, path)?.regrouped(&offsets).masked(list.nulls())
        }
        _ if path.is_empty() => {
            let valid = (0..array.len()).filter(|row| array.is_valid(*row));
            let kept: UInt32Array = valid.map(|row| u32::try_from(row).ok()).collect();
            let offsets =
                OffsetBuffer::from_lengths((0..array.len()).map(|row| usize::from(array.is_valid(row))));
            let values = match array.null_count() {
                0 => Arc::clone(array),
                _ => take(array, &kept, None)?,
            };
            Ok(PathValues { offsets, values })
        }
        DataType::Struct(_) => {
            let (name, rest) = split(path);
            let object = array.as_struct();
            let child = object
                .column_by_name(name)
                .ok_or_else(|| exec_datafusion_err!("a document has no field {name:?}: expected one"))?;
            values(child, rest)?.masked(object.nulls())
        }
        DataType::Map(_, _) => map_values(array.as_map(), path),
        other => Err(exec_datafusion_err!("{other} has no field {path:?}: expected an object")),
    }
}

/// The offsets of a list, starting at zero, and the slice of items that they refer to.
pub(super) fn entered(list: &ListArray) -> (Vec<i32>, ArrayRef) {
    let offsets = list.value_offsets();
    let (first, last) =
        (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
    let child = list.values().slice(index(first), index(last - first));
    (offsets.iter().map(|at| at - first).collect(), child)
}

fn map_values(map: &MapArray, name: &str) -> Result<PathValues> {
    let keys = map.keys();
    let lists = map.values();
    let entries = map.value_offsets();
    let chosen = |at: &i32| key_fits(keys, index(*at), name);
    let mut taken = Vec::new();
    let mut lengths = Vec::with_capacity(map.len());
    for row in 0..map.len() {
        let before = taken.len();
        if map.is_valid(row) {
            taken.extend((entries[row]..entries[row + 1]).filter(chosen));
        }
        lengths.push(taken.len() - before);
    }
    let taken: UInt32Array = taken.into_iter().map(|at| u32::try_from(at).ok()).collect();
    if taken.is_empty() {
        let DataType::List(item) = lists.data_type() else {
            return Err(exec_datafusion_err!("a map holds {}: expected lists", lists.data_type()));
        };
        return Ok(PathValues::none(map.len(), item.data_type()));
    }
    let outer = OffsetBuffer::<i32>::from_lengths(lengths);
    Ok(values(&take(lists, &taken, None)?, "")?.regrouped(&outer))
}

/// Whether the key at `at` matches `name`.
fn key_fits(keys: &ArrayRef, at: usize, name: &str) -> bool {
    let key = match keys.data_type() {
        DataType::Utf8View => keys.as_string_view().value(at),
        _ => keys.as_string::<i32>().value(at),
    };
    if name.contains('*') { fits(name, key) } else { key == name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (name, key, expected) in [
            ("*", "city", true),
            ("*", "", true),
            ("c*y", "city", true),
            ("c*y", "cy", true),
            ("c*y", "cityx", false),
            ("*it*", "city", true),
            ("city", "city", true),
            ("city", "cit", false),
            ("a*a", "a", false),
            ("*.b*", "x.bc", true),
        ] {
            assert_eq!(fits(name, key), expected, "{name} {key}");
        }
    }
}
