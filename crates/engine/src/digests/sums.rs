//! What is counted in the files of partitioned tables, so that a refresh which keeps a file need not read it again.
//!
//! A file is counted by reading it, without a plan: a plan that lost rows cannot lose them here too. The numbers of a
//! table are the sums over its files. This needs no other number for ids: they are unique within a file, a file has only
//! ids of its partition, and no two files of a version are of one partition.

use crate::declared::{ACCOUNTS, IDENTITIES};
use crate::error::{EngineError, Result};
use crate::file_name::RowsOfFile;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use muster_reports::snapshot::TableFile;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::Path;

/// Number of rows.
pub(crate) const ROWS: &str = "rows";
/// Number of live accounts.
pub(crate) const LIVE: &str = "live accounts";
/// Number of live accounts that are not system accounts.
pub(crate) const OF_PEOPLE: &str = "live accounts of people";
/// Number of those that are uncorrelated.
pub(crate) const UNCORRELATED: &str = "uncorrelated accounts of people";
/// Number of live accounts that belong to an identity.
pub(crate) const LINKED: &str = "linked accounts";
/// Number of live accounts that several identities match.
pub(crate) const DISPUTED: &str = "disputed accounts";
/// Number of live accounts without a situation. There must be none.
pub(crate) const HOMELESS: &str = "accounts without a situation";
/// Number of identities that are neither correlated nor protected.
pub(crate) const ORPHANS: &str = "orphan identities";
/// Number of accounts of identities, or of accounts in documents.
pub(crate) const ACCOUNTS_OF: &str = "accounts of identities";
/// Number of access items in documents.
pub(crate) const ACCESS_OF: &str = "access items of identities";

/// The columns that are counted in a table, beside `id`; `None` if nothing is counted in it.
fn counted_columns(table: &str) -> Option<&'static [&'static str]> {
    match table {
        ACCOUNTS => Some(&["source_id", "dead_since", "situation", "identity_id", "system", "uncorrelated"]),
        IDENTITIES => Some(&["correlated", "protected", "account_count"]),
        "identity_documents" => Some(&["accountCount", "accessCount"]),
        "entitlement_documents" => Some(&[]),
        _ => None,
    }
}

/// Whether files of a table are counted.
pub(crate) fn is_counted(table: &str) -> bool {
    counted_columns(table).is_some()
}

/// The sum of a number over files.
pub(crate) fn total<'a>(files: impl IntoIterator<Item = &'a TableFile>, number: &str) -> u64 {
    files.into_iter().filter_map(|file| file.sums.get(number)).sum()
}

/// Counts a file of a table.
///
/// # Errors
/// `Data` if the file cannot be read, has an id twice, or has an id that belongs into another file.
pub(super) fn count(dir: &Path, table: &'static str, name: &str) -> Result<BTreeMap<String, u64>> {
    let path = dir.join(name);
    let failed = |e| EngineError::data(format!("counting {}", path.display()), e);
    let Some(columns) = counted_columns(table) else { return Ok(BTreeMap::new()) };
    let file = File::open(&path).map_err(|e| EngineError::io(format!("opening {}", path.display()), e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let wanted = columns.iter().copied().chain(["id"]);
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
    let reader = builder.with_projection(mask).build().map_err(failed)?;
    let rows = RowsOfFile::of(name);
    let mut counted = Counted { table, name, rows, sums: BTreeMap::new(), ids: HashSet::new() };
    counted.add(ROWS, 0);
    for batch in reader {
        let batch = batch.map_err(|e| EngineError::data(format!("counting {}", path.display()), e))?;
        counted.take(&batch)?;
    }
    Ok(counted.sums.into_iter().map(|(number, sum)| (number.to_owned(), sum)).collect())
}

/// The numbers of a file.
struct Counted<'a> {
    table: &'static str,
    name: &'a str,
    rows: RowsOfFile,
    sums: BTreeMap<&'static str, u64>,
    ids: HashSet<String>,
}

impl Counted<'_> {
    fn add(&mut self, number: &'static str, rows: u64) {
        *self.sums.entry(number).or_default() += rows;
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        self.add(ROWS, batch.num_rows() as u64);
        let group = if self.table == ACCOUNTS { Some(texts(batch, "source_id")?) } else { None };
        let ids = texts(batch, "id")?;
        for row in 0..batch.num_rows() {
            let (id, group) = (ids.value(row), group.as_ref().map(|group| group.value(row)));
            if !self.rows.has(group, id) {
                return Err(self.wrong(&format!("row {id:?} belongs into another file")));
            }
            if !self.ids.insert(id.to_owned()) {
                return Err(self.wrong(&format!("id {id:?} is there twice: expected each id once")));
            }
        }
        match self.table {
            ACCOUNTS => self.take_accounts(batch),
            IDENTITIES => self.take_identities(batch),
            "identity_documents" => {
                self.add(ACCOUNTS_OF, sum(batch, "accountCount")?);
                self.add(ACCESS_OF, sum(batch, "accessCount")?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_accounts(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name| column(batch, name);
        let (dead, situation, identity) = (column("dead_since"), column("situation"), column("identity_id"));
        let situations = texts(batch, "situation")?;
        let (system, uncorrelated) = (flags(batch, "system")?, flags(batch, "uncorrelated")?);
        for row in (0..batch.num_rows()).filter(|row| dead.is_null(*row)) {
            let of_people = !is_set(&system, row);
            self.add(LIVE, 1);
            self.add(OF_PEOPLE, of_people.into());
            self.add(UNCORRELATED, (of_people && is_set(&uncorrelated, row)).into());
            self.add(LINKED, identity.is_valid(row).into());
            self.add(HOMELESS, situation.is_null(row).into());
            self.add(DISPUTED, (situation.is_valid(row) && situations.value(row) == "DISPUTED").into());
        }
        Ok(())
    }

    fn take_identities(&mut self, batch: &RecordBatch) -> Result<()> {
        let (correlated, protected) = (flags(batch, "correlated")?, flags(batch, "protected")?);
        let is_orphan = |row: &usize| !is_set(&correlated, *row) && !is_set(&protected, *row);
        let orphans = (0..batch.num_rows()).filter(is_orphan).count();
        self.add(ORPHANS, orphans as u64);
        self.add(ACCOUNTS_OF, sum(batch, "account_count")?);
        Ok(())
    }

    fn wrong(&self, why: &str) -> EngineError {
        EngineError::data(
            format!("checking file {} of table {:?}", self.name, self.table),
            format!(
                "{why}: nothing is published; a full refresh (--full) copies nothing from the last snapshot"
            ),
        )
    }
}

/// A column; nulls if the file does not have it, because an older version of the program wrote it.
fn column(batch: &RecordBatch, name: &str) -> ArrayRef {
    let column = batch.column_by_name(name).cloned();
    column.unwrap_or_else(|| new_null_array(&DataType::Null, batch.num_rows()))
}

fn typed(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    cast(&column(batch, name), data_type)
        .map_err(|e| EngineError::data(format!("counting column {name:?}"), e))
}

fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    Ok(typed(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn flags(batch: &RecordBatch, name: &str) -> Result<BooleanArray> {
    Ok(typed(batch, name, &DataType::Boolean)?.as_boolean().clone())
}

fn is_set(flags: &BooleanArray, row: usize) -> bool {
    flags.is_valid(row) && flags.value(row)
}

fn sum(batch: &RecordBatch, name: &str) -> Result<u64> {
    let numbers = typed(batch, name, &DataType::Int64)?;
    let sum: i64 = numbers.as_primitive::<Int64Type>().iter().flatten().sum();
    u64::try_from(sum).map_err(|e| EngineError::data(format!("counting column {name:?}"), e))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::{Int32Array, TimestampMicrosecondArray};
    use datafusion::parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    fn written(name: &str, batch: &RecordBatch) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        dir
    }

    fn texts_of(texts: [Option<&str>; 5]) -> ArrayRef {
        Arc::new(StringArray::from_iter(texts))
    }

    /// Five accounts: linked, disputed, of the system and dead ones, and one that belongs to nobody.
    #[test]
    fn accounts_are_counted() {
        let flags = |flags: [bool; 5]| Arc::new(BooleanArray::from(flags.to_vec())) as ArrayRef;
        let dead =
            TimestampMicrosecondArray::from(vec![None, None, None, Some(1), None]).with_timezone("UTC");
        let situations =
            [Some("LINKED"), Some("DISPUTED"), Some("UNMATCHED"), Some("LINKED"), Some("UNMATCHED")];
        let batch = RecordBatch::try_from_iter([
            ("id", texts_of(["00", "01", "02", "03", "04"].map(Some))),
            ("source_id", texts_of([Some("s"); 5])),
            ("dead_since", Arc::new(dead) as ArrayRef),
            ("situation", texts_of(situations)),
            ("identity_id", texts_of([Some("i"), None, None, Some("i"), None])),
            ("system", flags([false, false, true, false, false])),
            ("uncorrelated", flags([false, true, true, false, true])),
        ])
        .unwrap();
        let dir = written("any.parquet", &batch);
        let counted = count(dir.path(), ACCOUNTS, "any.parquet").unwrap();
        let expected = [
            (ROWS, 5),
            (LIVE, 4),
            (OF_PEOPLE, 3),
            (UNCORRELATED, 2),
            (LINKED, 1),
            (DISPUTED, 1),
            (HOMELESS, 0),
        ];
        assert_eq!(counted, expected.map(|(number, sum)| (number.to_owned(), sum)).into());
    }

    #[test]
    fn a_file_has_the_ids_of_its_partition_and_each_of_them_once() {
        let batch = |ids: [&str; 2]| {
            let counts = Arc::new(Int32Array::from(vec![2, 3])) as ArrayRef;
            let ids = Arc::new(StringArray::from(ids.to_vec())) as ArrayRef;
            RecordBatch::try_from_iter([("id", ids), ("account_count", counts)]).unwrap()
        };
        // The first half of all ids.
        let name = "all-000-of002-a.parquet";
        let of = |ids| {
            let dir = written(name, &batch(ids));
            count(dir.path(), IDENTITIES, name)
        };
        let counted = of(["00aa", "7fff"]).unwrap();
        assert_eq!((counted[ROWS], counted[ACCOUNTS_OF], counted[ORPHANS]), (2, 5, 2));
        let error = of(["00aa", "8000"]).unwrap_err();
        assert!(muster_reports::error::error_chain(&error).contains("\"8000\" belongs into another file"));
        let error = of(["00aa", "00aa"]).unwrap_err();
        assert!(muster_reports::error::error_chain(&error).contains("\"00aa\" is there twice"));
    }
}
