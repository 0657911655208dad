//! `muster snapshot compare`: what differs between two snapshots, as counts and as a file of rows.

use crate::api::partial;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table, text};
use crate::report_run::Rows;
use crate::snapshots::find;
use arrow::array::{Array, AsArray};
use arrow::record_batch::RecordBatch;
use muster_render::{ColumnFormat, CsvWriter, FileWriter, NdjsonWriter};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// How often something happened: to objects, or to one attribute of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Counted {
    object: String,
    change: String,
    /// Absent for whole objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    count: u64,
}

/// Counts while rows go by; holds a number for each attribute and the id of the last object.
#[derive(Debug, Default)]
struct Counts {
    objects: BTreeMap<(String, String), u64>,
    attributes: BTreeMap<(String, String), u64>,
    last: Option<(String, String)>,
}

/// Compares the snapshots that `old` and `new` name.
pub async fn run(data: &DataDir, old: &str, new: &str, to: Option<&Path>, output: Output) -> Result {
    let (old, new) = (find(data, old).await?, find(data, new).await?);
    let (old, new) = (old.readable()?, new.readable()?);
    let engine = data.engine(data.catalogue()?)?;
    let mut rows = engine.tables.compare(&old, &new).await?;
    let mut counts = Counts::default();
    match to {
        None => {
            while let Some(batch) = rows.next().await? {
                counts.add(&batch)?;
            }
        }
        Some(path) => to_file(path, rows.as_mut(), &mut counts).await?,
    }
    let counted = counts.all();
    if output == Output::Json {
        return json(&serde_json::json!({
            "old": old.id, "new": new.id, "counts": counted,
            "file": to.map(|path| path.display().to_string()),
        }));
    }
    if counted.is_empty() {
        return print("nothing differs");
    }
    let columns = [text("object"), text("change"), text("attribute"), number("count")];
    let cells = counted.into_iter().map(|counted| {
        vec![counted.object, counted.change, counted.attribute.unwrap_or_default(), count(counted.count)]
    });
    print(&table(&columns, cells))
}

impl Counts {
    fn add(&mut self, batch: &RecordBatch) -> Result {
        let column = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| Failure::new(format!("a comparison has no column {name:?}")))
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

    /// Whole objects first, then attributes; each by kind of object and by name.
    fn all(self) -> Vec<Counted> {
        let objects = self.objects.into_iter().map(|((object, change), count)| Counted {
            object,
            change,
            attribute: None,
            count,
        });
        let attributes = self.attributes.into_iter().map(|((object, attribute), count)| Counted {
            object,
            change: "changed".into(),
            attribute: Some(attribute),
            count,
        });
        objects.chain(attributes).collect()
    }
}

/// A file that is not whole is not left behind.
async fn to_file(path: &Path, rows: &mut dyn Rows, counts: &mut Counts) -> Result {
    let unwritable = || format!("{} cannot be written", path.display());
    let partial = partial(path);
    let file = BufWriter::new(File::create(&partial).context(unwritable)?);
    let writer: Box<dyn FileWriter + Send> =
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            Box::new(NdjsonWriter::new(file, columns()))
        } else {
            Box::new(CsvWriter::new(file, columns()))
        };
    let written = write(writer, rows, counts).await;
    let renamed = written.and_then(|()| std::fs::rename(&partial, path).context(unwritable));
    if renamed.is_err() {
        // What cannot be removed is not under the asked name.
        let _ = std::fs::remove_file(&partial);
    }
    renamed
}

/// The columns of a comparison, as files name them.
fn columns() -> Vec<ColumnFormat> {
    let column = |name: &&str| ColumnFormat { name: (*name).into(), label: (*name).into() };
    crate::engine_wiring::COMPARED.iter().map(column).collect()
}

async fn write(mut writer: Box<dyn FileWriter + Send>, rows: &mut dyn Rows, counts: &mut Counts) -> Result {
    let failed = || "the comparison cannot be written".to_owned();
    while let Some(batch) = rows.next().await? {
        counts.add(&batch)?;
        writer.write(&batch).context(failed)?;
    }
    writer.finish().context(failed).map(drop)
}
