//! `muster snapshot compare`: what differs between two snapshots, as counts and as a file of rows.

use crate::api::partial;
use crate::data_dir::DataDir;
use crate::failure::{Context, Result};
use crate::output::{Output, count, json, number, print, table, text};
use muster_engine::Engine;
use muster_reports::{FileFormat, SnapshotManifest};
use muster_runs::{CountedDifference, compare_snapshots};
use std::fs::File;
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

/// A file that is not whole is not left behind.
async fn to_file(
    path: &Path,
    engine: &Arc<Engine>,
    old: &SnapshotManifest,
    new: &SnapshotManifest,
) -> Result<Vec<CountedDifference>> {
    let unwritable = || format!("{} cannot be written", path.display());
    let partial = partial(path);
    let file = BufWriter::new(File::create(&partial).context(unwritable)?);
    let is_ndjson = path.extension().is_some_and(|extension| extension == "ndjson");
    let format = if is_ndjson { FileFormat::Ndjson } else { FileFormat::Csv };
    let counted = compare_snapshots(engine, old, new, Some((format, Box::new(file)))).await;
    let renamed = counted.map_err(Into::into).and_then(|counted| {
        std::fs::rename(&partial, path).context(unwritable)?;
        Ok(counted)
    });
    if renamed.is_err() {
        // What cannot be removed is not under the asked name.
        let _ = std::fs::remove_file(&partial);
    }
    renamed
}
