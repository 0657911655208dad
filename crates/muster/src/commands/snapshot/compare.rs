//! `muster snapshot compare`: the differences between two snapshots, as counts and as a file of rows.

use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, count, json, number, print, table, text};
use crate::part_file::PartFile;
use muster_engine::Engine;
use muster_reports::{FileFormat, SnapshotManifest};
use muster_runs::{CountedDifference, compare_snapshots};
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

/// Compares the snapshots that `old` and `new` name.
pub async fn run(data: &DataDir, old: &str, new: &str, to: Option<&Path>, output: Output) -> Result {
    let (old, new) = (data.snapshot(old).await?, data.snapshot(new).await?);
    let (old, new) = (old.readable()?, new.readable()?);
    let engine = data.engine()?;
    let counted = match to {
        None => compare_snapshots(&engine, &old, &new, None).await?,
        Some(path) => to_file(path, &engine, &old, &new).await?,
    };
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

/// Writes the differences to `path`.
async fn to_file(
    path: &Path,
    engine: &Arc<Engine>,
    old: &SnapshotManifest,
    new: &SnapshotManifest,
) -> Result<Vec<CountedDifference>> {
    let (part, file) = PartFile::create(path)?;
    let is_ndjson = path.extension().is_some_and(|extension| extension == "ndjson");
    let format = if is_ndjson { FileFormat::Ndjson } else { FileFormat::Csv };
    let counted = compare_snapshots(engine, old, new, Some((format, Box::new(BufWriter::new(file))))).await?;
    part.finish(path)?;
    Ok(counted)
}
