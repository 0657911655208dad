//! Whether the files that the service keeps are those that it wrote: of tables and of results.

use crate::result_files::ResultFiles;
use futures_util::future::BoxFuture;
use muster_engine::Engine;
use muster_reports::error::{Error, Result, error_chain};
use muster_reports::ports::SnapshotCatalogue;
use muster_reports::task::PublishedFile;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundFiles {
    /// Files of tables that were hashed.
    pub table_files: u64,
    /// Files of results that were hashed.
    pub result_files: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Snapshots whose files have no digests.
    pub snapshots_unchecked: u64,
    /// What is damaged, in words.
    pub damaged: Vec<String>,
}

impl FoundFiles {
    /// Hashes every file of the snapshots that are kept, and compares it with the manifests.
    ///
    /// # Errors
    /// When that could not be done. Damage is an outcome and not an error.
    pub fn of_tables<'a>(
        engine: &'a Arc<Engine>,
        catalogue: &'a dyn SnapshotCatalogue,
    ) -> BoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            let mut tables = engine.check(&catalogue.kept().await?).await?;
            // A snapshot that expired meanwhile has no files to miss.
            let kept: BTreeSet<_> =
                catalogue.kept().await?.iter().map(|manifest| manifest.id.to_string()).collect();
            tables.damaged.retain(|(snapshot, _)| kept.contains(snapshot));
            let damaged = tables.damaged.into_iter().map(|(snapshot, damage)| {
                format!("snapshot {snapshot}, table {:?}: {}", damage.table, damage.fault)
            });
            Ok(Self {
                table_files: tables.files,
                result_files: 0,
                bytes: tables.bytes,
                snapshots_unchecked: tables.unchecked,
                damaged: damaged.collect(),
            })
        })
    }

    /// Hashes the files of these results too, and compares them with their records.
    ///
    /// # Errors
    /// When that could not be done.
    pub fn and_results(
        mut self,
        files: ResultFiles,
        results: Vec<PublishedFile>,
    ) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let hashed = tokio::task::spawn_blocking(move || {
                for file in &results {
                    self.result_files += 1;
                    self.bytes += file.bytes;
                    if let Err(error) = files.check_published(file) {
                        self.damaged.push(format!(
                            "result file {}: {}",
                            file.stored_name,
                            error_chain(&error)
                        ));
                    }
                }
                self
            });
            hashed.await.map_err(|error| Error::internal("the check of result files failed", error))
        })
    }
}
