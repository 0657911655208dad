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
    let counted = differences(&data.engine()?, &old, &new, to).await?;
    match output {
        Output::Json => json(&serde_json::json!({
            "old": old.id, "new": new.id, "counts": counted,
            "file": to.map(|path| path.display().to_string()),
        })),
        Output::Table => print(&described(&counted)),
    }
}

/// Counts the differences, and writes them to `to`.
pub async fn differences(
    engine: &Arc<Engine>,
    old: &SnapshotManifest,
    new: &SnapshotManifest,
    to: Option<&Path>,
) -> Result<Vec<CountedDifference>> {
    match to {
        None => Ok(compare_snapshots(engine, old, new, None).await?),
        Some(path) => to_file(path, engine, old, new).await,
    }
}

/// Counted differences, for people.
pub fn described(counted: &[CountedDifference]) -> String {
    if counted.is_empty() {
        return "nothing differs".to_owned();
    }
    let columns = [text("object"), text("change"), text("attribute"), number("count")];
    let cells = counted.iter().map(|counted| {
        let attribute = counted.attribute.clone().unwrap_or_default();
        vec![counted.object.clone(), counted.change.clone(), attribute, count(counted.count)]
    });
    table(&columns, cells)
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
