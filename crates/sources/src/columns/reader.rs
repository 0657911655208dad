//! A reader around another one, which looks at the values that typed columns are made of, and keeps count of those that
//! cannot be read: the engine makes the columns of the accounts that result, and these are known only later.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, ListArray, StringArray};
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::{AccountColumns, ProfileDates};
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};
use crate::record::column;

/// The reader.
pub(crate) struct TypedReader {
    inner: Box<dyn RecordReader>,
    columns: AccountColumns,
    dates: ProfileDates,
    /// What the number of a record counts.
    counts: &'static str,
    /// Records so far, for sources without lines.
    records: u64,
    refused: BTreeMap<String, Refused>,
}

/// The values of one column that could not be read.
struct Refused {
    number: u64,
    /// Where the first is.
    first: u64,
}

impl TypedReader {
    /// `inner`, if the definition has no typed columns, else a reader around it. `counts` is what the number of a record
    /// counts.
    pub(crate) fn around(
        inner: Box<dyn RecordReader>,
        columns: AccountColumns,
        dates: ProfileDates,
        counts: &'static str,
    ) -> Box<dyn RecordReader> {
        if columns.is_empty() && dates.is_empty() {
            return inner;
        }
        Box::new(Self { inner, columns, dates, counts, records: 0, refused: BTreeMap::new() })
    }

    fn look_at(&mut self, records: &RecordBatch) -> Result<(), ArrowError> {
        let opened = Opened::of(records)?;
        for row in 0..records.num_rows() {
            self.records += 1;
            let values = |name: &str| opened.values(row, name);
            let account = self.columns.read(&values).unreadable;
            let person = self.dates.read(&values).unreadable;
            let keys = account.into_iter().map(|key| format!("account.columns.{key}"));
            let keys = keys.chain(person.into_iter().map(|key| format!("profile.dates.{key}")));
            let line = opened.lines.value(row);
            let first = if line == 0 { self.records } else { line };
            for key in keys {
                self.refused.entry(key).or_insert(Refused { number: 0, first }).number += 1;
            }
        }
        Ok(())
    }

    /// One message for each column.
    fn messages(&self) -> Vec<String> {
        let message = |(key, refused): (&String, &Refused)| {
            let column = key.rsplit('.').next().unwrap_or_default();
            let of_account = self.columns.expected(column);
            let (name, expected) = of_account.or_else(|| self.dates.expected(column))?;
            let records = if refused.number == 1 { "record" } else { "records" };
            Some(format!(
                "{key}: {name:?} of {} {records} cannot be read and is unknown, first in {} {}: expected {expected}",
                refused.number, self.counts, refused.first
            ))
        };
        self.refused.iter().filter_map(message).collect()
    }
}

impl RecordReader for TypedReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        let batch = self.inner.next_batch()?;
        if let Some(batch) = &batch {
            self.look_at(&batch.records)?;
        }
        Ok(batch)
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let refused_values = self.messages();
        Ok(ReadSummary { refused_values, ..self.inner.finish()? })
    }
}

/// The attributes of a batch of records.
struct Opened<'a> {
    lines: &'a arrow::array::PrimitiveArray<UInt64Type>,
    offsets: &'a [i32],
    names: &'a StringArray,
    lists: &'a ListArray,
    texts: &'a StringArray,
}

impl<'a> Opened<'a> {
    fn of(records: &'a RecordBatch) -> Result<Self, ArrowError> {
        let missing = || ArrowError::SchemaError("the records have no attributes".to_owned());
        let map = records
            .column_by_name(column::ATTRIBUTES)
            .and_then(|column| column.as_map_opt())
            .ok_or_else(missing)?;
        let lists = map.values().as_list_opt::<i32>().ok_or_else(missing)?;
        Ok(Self {
            lines: records
                .column_by_name(column::LINE)
                .and_then(|column| column.as_primitive_opt::<UInt64Type>())
                .ok_or_else(missing)?,
            offsets: map.value_offsets(),
            names: map.keys().as_string_opt::<i32>().ok_or_else(missing)?,
            lists,
            texts: lists.values().as_string_opt::<i32>().ok_or_else(missing)?,
        })
    }

    /// The values under a name: exactly so written, else regardless of ASCII case.
    fn values(&self, row: usize, name: &str) -> Vec<&'a str> {
        let place = |offset: i32| usize::try_from(offset).unwrap_or_default();
        let entries = place(self.offsets[row])..place(self.offsets[row + 1]);
        let exact = entries.clone().find(|at| self.names.value(*at) == name);
        let found =
            exact.or_else(|| entries.into_iter().find(|at| self.names.value(*at).eq_ignore_ascii_case(name)));
        let Some(at) = found else { return Vec::new() };
        let offsets = self.lists.value_offsets();
        let texts = place(offsets[at])..place(offsets[at + 1]);
        texts.filter(|at| self.texts.is_valid(*at)).map(|at| self.texts.value(at)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use crate::definition::SourceDefinition;
    use crate::open::open;

    #[test]
    fn values_that_cannot_be_read_are_counted_and_their_records_kept() {
        let dir = tempfile::tempdir().unwrap();
        let text = "id,seen,end,left\n1,2024-01-01,,2024-01-31\n2,soon,,\n3,2024-02-30,never,x\n4,,,\n";
        std::fs::write(dir.path().join("people.csv"), text).unwrap();
        let definition = "name = \"People\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n\
                          [profile]\nname = \"P\"\npriority = 1\nattributes = [{ name = \"uid\", from = \"id\" }]\n\
                          dates = { left_on = { from = \"left\" } }\n\
                          [account.columns]\nlast_used = { from = \"seen\" }\n\
                          expires = { from = \"end\", format = \"day_month_year\" }\n";
        let definition = SourceDefinition::from_toml(definition, &dir.path().join("p.toml")).unwrap();
        let mut reader = open(&definition, dir.path()).unwrap();
        let mut rows = 0;
        while let Some(batch) = reader.next_batch().unwrap() {
            rows += batch.records.num_rows();
        }
        let summary = reader.finish().unwrap();
        assert_eq!((rows, summary.read, summary.rejected), (4, 4, 0));
        assert!(summary.warnings.is_empty());
        assert_eq!(
            summary.refused_values,
            [
                "account.columns.expires: \"end\" of 1 record cannot be read and is unknown, first in line 4: expected a \
                 date such as 31.03.2026, with or without a time such as 12:00:00",
                "account.columns.last_used: \"seen\" of 2 records cannot be read and is unknown, first in line 3: expected \
                 a date such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z",
                "profile.dates.left_on: \"left\" of 1 record cannot be read and is unknown, first in line 4: expected a date \
                 such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z",
            ]
        );
    }
}
