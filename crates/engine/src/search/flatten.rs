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
        let has_none = |row: usize| self.offsets[row] == self.offsets[row + 1];
        if (0..nulls.len()).all(|row| nulls.is_valid(row) || has_none(row)) {
            return Ok(self);
        }
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

/// The values of the entries of each row whose key matches `name`.
fn map_values(map: &MapArray, name: &str) -> Result<PathValues> {
    let (offsets, lists) = entries(map, name)?;
    values(&lists, "")?.regrouped(&offsets).masked(map.nulls())
}

/// The entries of each row whose key matches `name`: offsets that begin at zero, and what they lead to. A row that is
/// null may have entries.
pub(super) fn entries(map: &MapArray, name: &str) -> Result<(Vec<i32>, ArrayRef)> {
    let offsets = map.value_offsets();
    let (first, last) =
        (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
    let (start, end) = (index(first), index(last));
    if name == "*" {
        let offsets = offsets.iter().map(|at| at - first).collect();
        return Ok((offsets, map.values().slice(start, end - start)));
    }
    let keys = map.keys();
    let taken = match keys.data_type() {
        DataType::Utf8 => {
            let keys = keys.as_string::<i32>();
            matching_keys(name, offsets, |at| keys.value(at))
        }
        DataType::Utf8View => {
            let keys = keys.as_string_view();
            matching_keys(name, offsets, |at| keys.value(at))
        }
        other => return Err(exec_datafusion_err!("a map has keys of {other}: expected texts")),
    };
    let mut seen = 0;
    let offsets = offsets.iter().map(|end| {
        let end = index(*end);
        while taken.get(seen).is_some_and(|at| (*at as usize) < end) {
            seen += 1;
        }
        i32::try_from(seen).expect("a map has as many entries as an offset can tell")
    });
    let offsets = offsets.collect();
    Ok((offsets, take(map.values(), &UInt32Array::from(taken), None)?))
}

/// The places of the keys that match `name`. The keys of a row lie between two offsets, and no row has a key twice.
fn matching_keys<'a>(name: &str, offsets: &[i32], key: impl Fn(usize) -> &'a str) -> Vec<u32> {
    let rows = offsets.windows(2).map(|row| index(row[0])..index(row[1]));
    let place = |at: usize| u32::try_from(at).ok();
    if name.contains('*') {
        return rows.flatten().filter(|at| fits(name, key(*at))).filter_map(place).collect();
    }
    // Most rows have the same keys in the same order.
    let mut last = 0;
    let found = rows.filter_map(|mut row| {
        let (first, likely) = (row.start, row.start + last);
        if likely < row.end && key(likely) == name {
            return place(likely);
        }
        let found = row.find(|at| key(*at) == name)?;
        last = found - first;
        place(found)
    });
    found.collect()
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
