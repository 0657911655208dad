//! Row groups to account records.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ColumnChunkMetaData;

use super::ParquetSettings;
use super::values::{Column, key_fault, kind};
use crate::account::{AccountSink, Record};
use crate::dates::ReadDate;
use crate::files::Opened;
use crate::named_columns::NamedColumns;
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader, shown};
use crate::source_kind::{InputFiles, Opening, SourceKind};

/// Rows decoded at a time.
pub(crate) const ROWS: usize = 2048;

/// Bytes that one column of one row group may have when it is not compressed. A file of a few kilobytes can say that it
/// has more, and pages are decompressed whole.
const CHUNK_BYTES_MAX: i64 = 1 << 30;

/// A read of files in progress.
struct ParquetReader {
    place: String,
    waiting: VecDeque<PathBuf>,
    current: Option<(Opened, ParquetRecordBatchReader)>,
    columns: Vec<String>,
    /// Which of them names the account.
    key: Option<usize>,
    sink: AccountSink,
    total: u64,
    read: u64,
    incomplete: Option<String>,
}

impl SourceKind for ParquetSettings {
    /// Opens the files for one full read; every footer is looked at first.
    ///
    /// # Errors
    /// The settings are faulty, a file is not Parquet or has other columns than the first, or a column that the
    /// definition needs is missing.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        let Self(settings) = self;
        let waiting = settings.files(opening.base_dir)?;
        let mut sink = AccountSink::new(settings.account.clone(), named);
        sink.date = ReadDate::of(settings.as_of.as_ref(), &waiting)?;
        let mut columns: Option<Vec<(String, String)>> = None;
        let mut total = 0;
        for path in &waiting {
            let (_, builder) = builder(path)?;
            let fields = builder.schema().fields();
            let found: Vec<(String, String)> =
                fields.iter().map(|field| (field.name().clone(), kind(field.data_type()))).collect();
            total += u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
            match &mut columns {
                None => {
                    let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
                    sink.declare(&names).map_err(|reason| header(path, reason))?;
                    columns = Some(found);
                }
                Some(first) => agree(first, found).map_err(|reason| header(path, reason))?,
            }
        }
        sink.reported_total = Some(total);
        let columns: Vec<String> = columns.unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        let place = opening.base_dir.join(&settings.path).display().to_string();
        let key = sink.key_column(&columns);
        let (waiting, current, read, incomplete) = (waiting.into(), None, 0, None);
        Ok(Box::new(ParquetReader { place, waiting, current, columns, key, sink, total, read, incomplete }))
    }

    /// The digest of a read is of the values, which two files of other bytes may share.
    fn files(&self, base_dir: &Path) -> Result<Option<InputFiles<'_>>, ReadError> {
        let paths = self.0.files(base_dir)?;
        Ok(Some(InputFiles { paths, as_of: self.0.as_of.as_ref(), has_digest_of_bytes: false }))
    }
}

/// Holds the columns of a file against those of the files before: one name with two kinds of values would give one account
/// two names. A column of nulls alone agrees with every kind.
fn agree(first: &mut [(String, String)], found: Vec<(String, String)>) -> Result<(), String> {
    const NOTHING: &str = "nothing";
    if !first.iter().map(|(name, _)| name).eq(found.iter().map(|(name, _)| name)) {
        return Err("expected the columns of the first file".to_owned());
    }
    for ((name, earlier), (_, kind)) in first.iter_mut().zip(found) {
        if earlier == NOTHING {
            *earlier = kind;
        } else if kind != NOTHING && kind != *earlier {
            let name = shown(name);
            return Err(format!("column {name} is {kind}: expected {earlier}, as in the files before"));
        }
    }
    Ok(())
}

fn header(path: &Path, reason: String) -> ReadError {
    ReadError::Settings { path: path.display().to_string(), reason }
}

/// Opens a file and reads its footer.
///
/// # Errors
/// It cannot be opened, or is not Parquet.
pub(crate) fn builder(path: &Path) -> Result<(Opened, ParquetRecordBatchReaderBuilder<File>), ReadError> {
    let opened = Opened::open(path)?;
    let file = opened.file.try_clone().map_err(|source| ReadError::Io {
        action: "open",
        path: path.display().to_string(),
        source,
    })?;
    let unreadable = |error| header(path, format!("expected a Parquet file: {error}"));
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(unreadable)?;
    let groups = metadata.metadata().row_groups();
    if let Some(bytes) = groups
        .iter()
        .flat_map(|group| group.columns())
        .map(ColumnChunkMetaData::uncompressed_size)
        .find(too_large)
    {
        let reason = format!("expected at most {CHUNK_BYTES_MAX} bytes of a column in a row group: {bytes}");
        return Err(header(path, reason));
    }
    let options = ArrowReaderOptions::new().with_schema(Arc::new(without_nanoseconds(&metadata)));
    let metadata =
        ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(unreadable)?;
    Ok((opened, ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)))
}

fn too_large(bytes: &i64) -> bool {
    !(0..=CHUNK_BYTES_MAX).contains(bytes)
}

/// The file's schema, with microseconds for times of the form INT96: Arrow would take nanoseconds, in which a time
/// after the year 2262 becomes another one without a word.
fn without_nanoseconds(metadata: &ArrowReaderMetadata) -> Schema {
    let schema = metadata.schema();
    let columns = metadata.parquet_schema().columns();
    let is_old_time = |name: &str| {
        let mut own = columns.iter().filter(|column| column.path().parts() == [name]);
        own.any(|column| column.physical_type() == PhysicalType::INT96)
    };
    let fields = schema.fields().iter().map(|field| {
        let microseconds = DataType::Timestamp(TimeUnit::Microsecond, None);
        if is_old_time(field.name()) {
            Arc::new(field.as_ref().clone().with_data_type(microseconds))
        } else {
            Arc::clone(field)
        }
    });
    Schema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone())
}

impl ParquetReader {
    fn take(&mut self, rows: &arrow::record_batch::RecordBatch) -> Result<(), arrow::error::ArrowError> {
        let columns: Vec<Column> = rows.columns().iter().map(Column::new).collect::<Result<_, _>>()?;
        let floating_key = self.key.filter(|key| columns[*key].is_floating());
        for row in 0..rows.num_rows() {
            let mut record = Record { fields: Vec::with_capacity(columns.len()), ..Record::default() };
            for (at, (name, column)) in self.columns.iter().zip(&columns).enumerate() {
                let texts = column.texts(row)?;
                if floating_key == Some(at) {
                    record.key_fault = key_fault(&texts);
                }
                if !texts.is_empty() {
                    record.fields.push((name.clone(), texts));
                }
            }
            self.read += 1;
            self.sink.push(record);
        }
        Ok(())
    }
}

impl RecordReader for ParquetReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        while !self.sink.is_full() {
            let Some((opened, rows)) = &mut self.current else {
                let Some(path) = self.waiting.pop_front() else { break };
                let (opened, builder) = builder(&path)?;
                let rows = builder.with_batch_size(ROWS).build();
                let rows = rows.map_err(|error| header(&path, format!("cannot be read: {error}")))?;
                self.current = Some((opened, rows));
                continue;
            };
            match rows.next() {
                Some(rows) => {
                    let rows = rows?;
                    self.take(&rows)?;
                }
                None => {
                    if !opened.unchanged()? {
                        let name = opened.path.display();
                        self.incomplete = Some(format!("the file {name} changed while it was read"));
                    }
                    self.current = None;
                }
            }
        }
        self.sink.take()
    }

    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let incomplete = self.incomplete.or_else(|| {
            let whole = self.read == self.total && self.waiting.is_empty() && self.current.is_none();
            (!whole).then(|| format!("read {} rows of the {} that the files hold", self.read, self.total))
        });
        let path = self.place;
        self.sink.summary(incomplete).map_err(|reason| ReadError::Settings { path, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_would_fill_the_memory() {
        assert!(!too_large(&0) && !too_large(&(1 << 30)));
        assert!(too_large(&((1 << 30) + 1)) && too_large(&-1));
    }
}
