//! Our own SQL functions: attribute maps, stable ids, content digests, profile mappings.
//!
//! All are pure and work on whole batches.

mod attributes;
mod bounded;
mod columns;
mod differences;
mod digest;
mod entitlements;
mod fixed_time;
mod mapping;
mod mappings;
mod merge;
mod since;
mod sod;
mod source_filter;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

pub(crate) use attributes::cell;
pub(crate) use columns::AccountColumnsFunction;
pub(crate) use differences::Pairs;
pub(crate) use digest::content_digests;
pub(crate) use entitlements::text_lists;
pub(crate) use fixed_time::MomentFunction;
pub(crate) use mapping::{MappingFunction, lifecycle_attribute};
pub(crate) use since::times_type;
pub(crate) use source_filter::OfSourcesFunction;

/// Registers the functions in a session, and limits the session's own functions.
pub(crate) fn register(context: &SessionContext) {
    bounded::register(context);
    for function in [
        ScalarUDF::from(attributes::AttributeFunction::values()),
        ScalarUDF::from(attributes::AttributeFunction::first()),
        ScalarUDF::from(attributes::AttributeFunction::text()),
        ScalarUDF::from(digest::DigestFunction::new()),
        ScalarUDF::from(digest::StableIdFunction::new()),
        ScalarUDF::from(merge::MergeFunction::new()),
        ScalarUDF::from(merge::MergeTextsFunction::new()),
        ScalarUDF::from(entitlements::KeptFunction::new()),
        ScalarUDF::from(entitlements::EntriesFunction::new()),
        ScalarUDF::from(since::SinceFunction::new()),
        ScalarUDF::from(sod::SodFunction::sides()),
        ScalarUDF::from(sod::SodFunction::exceptions()),
        ScalarUDF::from(mappings::MappingsFunction::new()),
        ScalarUDF::from(mappings::OutcomesFunction::new()),
        ScalarUDF::from(differences::CellsFunction::new()),
        ScalarUDF::from(differences::DifferencesFunction::new()),
    ] {
        context.register_udf(function);
    }
}

/// The type of an `attributes` column: names to lists of texts.
pub(crate) fn attributes_type() -> DataType {
    let schema = muster_sources::record_schema();
    let at = schema.index_of(muster_sources::column::ATTRIBUTES).expect("the record schema has attributes");
    schema.field(at).data_type().clone()
}

/// The type of a list of texts, as in an `attributes` column.
pub(crate) fn texts_type() -> DataType {
    let schema = muster_sources::record_schema();
    let at =
        schema.index_of(muster_sources::column::ENTITLEMENTS).expect("the record schema has entitlements");
    schema.field(at).data_type().clone()
}

/// `array` as plain strings, whatever string type the plan uses.
pub(crate) fn strings(array: &dyn Array) -> Result<StringArray> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// An `attributes` column, opened for reading.
pub(crate) struct AttributesColumn {
    map: MapArray,
    keys: StringArray,
    lists: ListArray,
    items: StringArray,
}

impl AttributesColumn {
    pub(crate) fn open(array: &ArrayRef) -> Result<Self> {
        let Some(map) = array.as_map_opt() else {
            return exec_err!("attributes are {}: expected a map", array.data_type());
        };
        let keys = strings(map.keys())?;
        let Some(lists) = map.values().as_list_opt::<i32>().cloned() else {
            return exec_err!("attribute values are {}: expected lists", map.values().data_type());
        };
        let items = strings(lists.values())?;
        Ok(Self { map: map.clone(), keys, lists, items })
    }

    /// Positions of the entries of a row; none for a null row.
    fn entries(&self, row: usize) -> std::ops::Range<usize> {
        if self.map.is_null(row) {
            return 0..0;
        }
        let offsets = self.map.value_offsets();
        index(offsets[row])..index(offsets[row + 1])
    }

    fn entry(&self, row: usize, name: &str) -> Option<usize> {
        self.entries(row).find(|at| self.is_entry(*at, name))
    }

    /// The values of a name: exactly so written, else regardless of ASCII case, as directories compare names.
    fn values_like(&self, row: usize, name: &str) -> Vec<&str> {
        let likely = || {
            let is_it =
                |at: &usize| self.keys.value(*at).eq_ignore_ascii_case(name) && !self.lists.is_null(*at);
            self.entries(row).find(is_it)
        };
        let found = self.entry(row, name).or_else(likely);
        found.map_or_else(Vec::new, |entry| self.texts(entry).collect())
    }

    fn is_entry(&self, at: usize, name: &str) -> bool {
        self.keys.value(at) == name && !self.lists.is_null(at)
    }

    /// The entry of a name in each of so many rows. Most rows have the same names in the same order, so a row is first
    /// looked at where the row before it had the name. No row has a name twice.
    fn entries_named<'a>(&'a self, name: &'a str, rows: usize) -> impl Iterator<Item = Option<usize>> + 'a {
        let mut place = 0;
        (0..rows).map(move |row| {
            let entries = self.entries(row);
            let likely = entries.start + place;
            if likely < entries.end && self.is_entry(likely, name) {
                return Some(likely);
            }
            let found = self.entry(row, name)?;
            place = found - entries.start;
            Some(found)
        })
    }

    /// The values of these entries as lists, null where there is no entry. The texts are copied in one piece.
    fn lists_of(&self, entries: impl Iterator<Item = Option<usize>>) -> Result<ListArray> {
        let texts = texts_type();
        let DataType::List(item) = &texts else { return exec_err!("values are {texts}: expected a list") };
        let offsets = self.lists.value_offsets();
        let (mut taken, mut lengths, mut present) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let range = entry.map_or(0..0, |at| offsets[at].unsigned_abs()..offsets[at + 1].unsigned_abs());
            lengths.push(range.len());
            present.push(entry.is_some());
            taken.extend(range);
        }
        let items = take(&self.items, &UInt32Array::from(taken), None)?;
        let nulls = NullBuffer::from(present);
        Ok(ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), items, Some(nulls))?)
    }

    /// The first value of these entries, null where there is no entry or no value.
    fn firsts_of(&self, entries: impl Iterator<Item = Option<usize>>) -> Result<ArrayRef> {
        let first = |entry: usize| {
            let offsets = self.lists.value_offsets();
            let mut texts = index(offsets[entry])..index(offsets[entry + 1]);
            texts.find(|at| self.items.is_valid(*at)).and_then(|at| u32::try_from(at).ok())
        };
        let taken: UInt32Array = entries.map(|entry| entry.and_then(first)).collect();
        Ok(take(&self.items, &taken, None)?)
    }

    /// Each attribute of a row with its values in one text, as in multi-valued cells.
    pub(crate) fn cells(&self, row: usize) -> impl Iterator<Item = (&str, String)> {
        self.entries(row).map(|at| (self.keys.value(at), attributes::cell(self.texts(at))))
    }

    /// The texts of an entry, without nulls.
    fn texts(&self, entry: usize) -> impl Iterator<Item = &str> {
        let offsets = self.lists.value_offsets();
        let range =
            if self.lists.is_null(entry) { 0..0 } else { index(offsets[entry])..index(offsets[entry + 1]) };
        range.filter(|at| self.items.is_valid(*at)).map(|at| self.items.value(at))
    }
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).expect("Arrow offsets are never negative")
}
