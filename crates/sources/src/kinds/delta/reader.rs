//! The rows of a version to account records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::DeltaSettings;
use super::actions::TableColumn;
use super::log::{self, DataFile};
use crate::account::{AccountSink, Record};
use crate::kinds::parquet::{Column, ROWS, builder, key_fault};
use crate::named_columns::NamedColumns;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};
use crate::source_kind::{Opening, SourceKind, SourceSettings};

/// What cannot be read is an error; Arrow's default is null.
const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// A read of a version in progress.
struct DeltaReader {
    place: String,
    waiting: VecDeque<DataFile>,
    current: Option<Current>,
    columns: Vec<TableColumn>,
    /// Which of them names the account.
    key: Option<usize>,
    partition_columns: Vec<String>,
    sink: AccountSink,
    read: u64,
    /// The rows of the files opened so far, as their footers say.
    expected: u64,
}

/// The file that is being read.
struct Current {
    rows: ParquetRecordBatchReader,
    /// Where the values of each column of the table are.
    places: Vec<Place>,
}

enum Place {
    /// In the file's column with this number.
    File(usize),
    /// The same for all rows of the file.
    Partition(Vec<String>),
    /// The file is older than the column.
    Absent,
}

impl SourceKind for DeltaSettings {
    /// Opens a version of a table for one full read.
    ///
    /// # Errors
    /// The settings are faulty, there is no such table or version, it is not understood, or a column that the definition
    /// needs is missing.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        let folder = opening.base_dir.join(&self.path);
        let refuse = |reason: String| ReadError::Settings { path: folder.display().to_string(), reason };
        if let Some((key, reason)) = self.fault() {
            return Err(refuse(format!("{key}: {reason}")));
        }
        let version = log::read(&folder, self.version)?;
        let mut sink = AccountSink::new(self.account.clone(), named);
        let names: Vec<String> = version.columns.iter().map(|column| column.name.clone()).collect();
        sink.declare(&names).map_err(|reason| refuse(format!("version {}: {reason}", version.number)))?;
        sink.reported_total = version.files.iter().map(|file| file.rows).sum();
        Ok(Box::new(DeltaReader {
            place: folder.display().to_string(),
            waiting: version.files,
            current: None,
            key: sink.key_column(&names),
            columns: version.columns,
            partition_columns: version.partition_columns,
            sink,
            read: 0,
            expected: 0,
        }))
    }
}

impl DeltaReader {
    fn open_file(&mut self, file: &DataFile) -> Result<Current, ReadError> {
        let refuse = |reason: String| ReadError::Settings { path: file.path.display().to_string(), reason };
        let (opened, builder) = builder(&file.path)?;
        let size = opened.length();
        if size != file.size {
            return Err(refuse(format!("expected {} bytes, as the table's log says: {size}", file.size)));
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        if let Some(expected) = file.rows.filter(|expected| *expected != rows) {
            return Err(refuse(format!("expected {expected} rows, as the table's log says: {rows}")));
        }
        self.expected += rows;
        let fields = builder.schema().fields().clone();
        let mut places = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let found = || {
                let exact = fields.iter().position(|field| *field.name() == column.name);
                exact.or_else(|| {
                    fields.iter().position(|field| field.name().eq_ignore_ascii_case(&column.name))
                })
            };
            places.push(if self.partition_columns.contains(&column.name) {
                let texts = partition_texts(column, &file.partition_values).map_err(|_| {
                    refuse(format!("the value of the partition column {:?} is not readable", column.name))
                })?;
                Place::Partition(texts)
            } else {
                found().map_or(Place::Absent, Place::File)
            });
        }
        let rows = builder.with_batch_size(ROWS).build();
        Ok(Current { rows: rows.map_err(|error| refuse(format!("cannot be read: {error}")))?, places })
    }

    fn take(&mut self, places: &[Place], rows: &RecordBatch) -> Result<(), ArrowError> {
        enum Values<'a> {
            Column(Column),
            Same(&'a [String]),
        }
        let mut columns = Vec::with_capacity(places.len());
        for (column, place) in self.columns.iter().zip(places) {
            columns.push(match place {
                Place::File(index) => Values::Column(Column::new(&in_zone(column, rows.column(*index))?)?),
                Place::Partition(texts) => Values::Same(texts),
                Place::Absent => Values::Same(&[]),
            });
        }
        let is_floating =
            |key: &usize| matches!(&columns[*key], Values::Column(values) if values.is_floating());
        let floating_key = self.key.filter(is_floating);
        for row in 0..rows.num_rows() {
            let mut record = Record { fields: Vec::with_capacity(columns.len()), ..Record::default() };
            for (at, (column, values)) in self.columns.iter().zip(&columns).enumerate() {
                let texts = match values {
                    Values::Column(column) => column.texts(row)?,
                    Values::Same(texts) => texts.to_vec(),
                };
                if floating_key == Some(at) {
                    record.key_fault = key_fault(&texts);
                }
                if !texts.is_empty() {
                    record.fields.push((column.name.clone(), texts));
                }
            }
            self.read += 1;
            self.sink.push(record);
        }
        Ok(())
    }
}

/// A partition column's value, which the log has as text, in the form that values of the column have in files. An
/// empty text stands for null.
fn partition_texts(
    column: &TableColumn,
    values: &BTreeMap<String, Option<String>>,
) -> Result<Vec<String>, ArrowError> {
    let text = values.get(&column.name).and_then(Option::as_deref).filter(|text| !text.is_empty());
    let (Some(text), Some(data_type)) = (text, &column.data_type) else { return Ok(Vec::new()) };
    let array: ArrayRef = Arc::new(StringArray::from_iter_values([text]));
    Column::new(&cast_with_options(&array, data_type, &STRICT)?)?.texts(0)
}

/// Times are in UTC or in no zone as the table says, whatever a file's own schema says about them.
fn in_zone(column: &TableColumn, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match (&column.data_type, values.data_type()) {
        (Some(wanted @ DataType::Timestamp(..)), found @ DataType::Timestamp(..)) if wanted != found => {
            cast_with_options(values, wanted, &STRICT)
        }
        _ => Ok(Arc::clone(values)),
    }
}

impl RecordReader for DeltaReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        while !self.sink.is_full() {
            let Some(mut current) = self.current.take() else {
                let Some(file) = self.waiting.pop_front() else { break };
                self.current = Some(self.open_file(&file)?);
                continue;
            };
            if let Some(rows) = current.rows.next() {
                self.take(&current.places, &rows?)?;
                self.current = Some(current);
            }
        }
        self.sink.take()
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let ended = self.waiting.is_empty() && self.current.is_none() && self.read == self.expected;
        let incomplete = (!ended).then(|| {
            format!("read {} rows of the {} that the files opened so far hold", self.read, self.expected)
        });
        let path = self.place;
        self.sink.summary(incomplete).map_err(|reason| ReadError::Settings { path, reason })
    }
}
