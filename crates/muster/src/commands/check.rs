//! `muster check`: whether the files that the service keeps are those that it wrote.

use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::engine_wiring::Checked;
use crate::failure::{Failure, Result};
use crate::output::{Output, count, json, print};
use muster_reports::error::error_chain;
use muster_reports::ports::SnapshotCatalogue;
use muster_reports::task::PublishedFile;
use muster_store::ResultFiles;
use serde::Serialize;
use std::collections::BTreeSet;

/// What was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// Files of tables that were hashed.
    table_files: u64,
    /// Files of results that were hashed.
    result_files: u64,
    /// Bytes of both.
    bytes: u64,
    /// Snapshots whose files have no digests.
    snapshots_unchecked: u64,
    /// What is damaged, in words.
    damaged: Vec<String>,
}

/// Checks everything, and prints what was found.
///
/// # Errors
/// When something is damaged, or could not be looked at.
pub async fn run(settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    let engine = data.engine(data.catalogue()?)?;
    let mut tables = engine.tables.check(&data.store.kept().await?).await?;
    // A snapshot that expired meanwhile has no files to miss.
    let kept: BTreeSet<_> = data.store.kept().await?.iter().map(|manifest| manifest.id.to_string()).collect();
    tables.damaged.retain(|(snapshot, _)| kept.contains(snapshot));
    let mut found = Found::of(tables);
    let (files, results) = (data.files()?, data.store.published_files().await?);
    let hashed = tokio::task::spawn_blocking(move || {
        found.results(&files, &results);
        found
    });
    let found = hashed.await.map_err(|error| Failure::with("the check of result files failed", error))?;
    data.store.close().await;
    match output {
        Output::Json => json(&found)?,
        Output::Table => print(&found.text())?,
    }
    match found.damaged.len() {
        0 => Ok(()),
        damaged => Err(Failure::new(format!("files that are damaged or gone: {damaged}"))),
    }
}

impl Found {
    fn of(tables: Checked) -> Self {
        let damaged = tables.damaged.into_iter().map(|(snapshot, damage)| {
            format!("snapshot {snapshot}, table {:?}: {}", damage.table, damage.fault)
        });
        Self {
            table_files: tables.files,
            bytes: tables.bytes,
            snapshots_unchecked: tables.unchecked,
            damaged: damaged.collect(),
            ..Self::default()
        }
    }

    fn results(&mut self, files: &ResultFiles, results: &[PublishedFile]) {
        for file in results {
            self.result_files += 1;
            self.bytes += file.bytes;
            if let Err(error) = files.check_published(file) {
                self.damaged.push(format!("result file {}: {}", file.stored_name, error_chain(&error)));
            }
        }
    }

    fn text(&self) -> String {
        let mut lines = self.damaged.clone();
        if self.snapshots_unchecked > 0 {
            lines.push(format!(
                "snapshots without digests, made by an earlier version: {}; `muster refresh` makes one that has them",
                count(self.snapshots_unchecked)
            ));
        }
        lines.push(format!(
            "checked: {} files of tables, {} files of results, {} bytes; damaged or gone: {}",
            count(self.table_files),
            count(self.result_files),
            count(self.bytes),
            count(self.damaged.len() as u64)
        ));
        lines.join("\n")
    }
}
