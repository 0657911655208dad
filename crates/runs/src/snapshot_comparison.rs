//! The differences between two snapshots: as counts and, if wanted, as a file of rows.

use arrow::array::{Array, AsArray};
use arrow::record_batch::RecordBatch;
use futures_util::future::BoxFuture;
use muster_engine::compare::COLUMNS;
use muster_engine::{Engine, ReportRows};
use muster_render::{ColumnFormat, CsvWriter, FileWriter, NdjsonWriter};
use muster_reports::SnapshotManifest;
use muster_reports::error::{Error, Result};
pub use muster_reports::inspection::CountedDifference;
use muster_reports::kind::FileFormat;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// What differs from `old` to `new`: whole objects first, then attributes, each by kind of object and by name. The rows go
/// to `file`, as NDJSON if that is its format, else as CSV.
///
/// # Errors
/// When either snapshot cannot be read, or the file cannot be written.
pub fn compare_snapshots<'a>(
    engine: &'a Arc<Engine>,
    old: &'a SnapshotManifest,
    new: &'a SnapshotManifest,
    file: Option<(FileFormat, Box<dyn Write + Send>)>,
) -> BoxFuture<'a, Result<Vec<CountedDifference>>> {
    Box::pin(async move {
        let mut rows = engine.compare(old, new).await?;
        let mut counts = Counts::default();
        match file {
            None => {
                while let Some(batch) = rows.next().await? {
                    counts.add(&batch)?;
                }
            }
            Some((FileFormat::Ndjson, file)) => {
                write(Box::new(NdjsonWriter::new(file, columns())), &mut rows, &mut counts).await?;
            }
            Some((FileFormat::Csv | FileFormat::Pdf | FileFormat::Xlsx | FileFormat::Parquet, file)) => {
                write(Box::new(CsvWriter::new(file, columns())), &mut rows, &mut counts).await?;
            }
        }
        Ok(counts.all())
    })
}

/// Counts while rows go by; holds a number for each attribute and the id of the last object.
#[derive(Debug, Default)]
struct Counts {
    objects: BTreeMap<(String, String), u64>,
    attributes: BTreeMap<(String, String), u64>,
    last: Option<(String, String)>,
}

impl Counts {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| failed(format!("a comparison has no column {name:?}")))
        };
        let (objects, changes, ids) = (column("object")?, column("change")?, column("id")?);
        let attributes = column("attribute")?;
        for row in 0..batch.num_rows() {
            let object = objects.value(row).to_owned();
            // The rows of one object follow one another.
            let this = Some((object.clone(), ids.value(row).to_owned()));
            if self.last != this {
                self.last = this;
                *self.objects.entry((object.clone(), changes.value(row).to_owned())).or_default() += 1;
            }
            if attributes.is_valid(row) {
                *self.attributes.entry((object, attributes.value(row).to_owned())).or_default() += 1;
            }
        }
        Ok(())
    }

    fn all(self) -> Vec<CountedDifference> {
        let objects = self.objects.into_iter().map(|((object, change), count)| CountedDifference {
            object,
            change,
            attribute: None,
            count,
        });
        let attributes = self.attributes.into_iter().map(|((object, attribute), count)| CountedDifference {
            object,
            change: "changed".into(),
            attribute: Some(attribute),
            count,
        });
        objects.chain(attributes).collect()
    }
}

/// The columns of a comparison, as files name them.
fn columns() -> Vec<ColumnFormat> {
    let column = |name: &&str| ColumnFormat { name: (*name).into(), label: (*name).into() };
    COLUMNS.iter().map(column).collect()
}

async fn write(
    mut writer: Box<dyn FileWriter + Send>,
    rows: &mut ReportRows,
    counts: &mut Counts,
) -> Result<()> {
    while let Some(batch) = rows.next().await? {
        counts.add(&batch)?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.finish().map_err(failed).map(drop)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the comparison cannot be written", error)
}
