//! `muster check`: whether the files that the service keeps are those that it wrote.

use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::output::{Output, count, json, print};
use muster_runs::FoundFiles;

/// Checks everything, and prints what was found.
///
/// # Errors When something is damaged, or could not be checked.
pub async fn run(settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let found = FoundFiles::of_tables(&data.engine()?, &*data.store).await?;
    let found = found.and_results(data.files()?, data.store.published_files().await?).await?;
    data.store.close().await;
    match output {
        Output::Json => json(&found)?,
        Output::Table => print(&text(&found))?,
    }
    match found.damaged.len() {
        0 => Ok(()),
        damaged => Err(Failure::new(format!("files that are damaged or gone: {damaged}"))),
    }
}

fn text(found: &FoundFiles) -> String {
    let mut lines = found.damaged.clone();
    if found.snapshots_unchecked > 0 {
        lines.push(format!(
            "snapshots without digests, made by an earlier version: {}; `muster refresh` makes one that has them",
            count(found.snapshots_unchecked)
        ));
    }
    lines.push(format!(
        "checked: {} files of tables, {} files of results, {} bytes; damaged or gone: {}",
        count(found.table_files),
        count(found.result_files),
        count(found.bytes),
        count(found.damaged.len() as u64)
    ));
    lines.join("\n")
}
