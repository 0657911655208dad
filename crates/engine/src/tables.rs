//! The identity tables: Delta tables in one folder, opened at a version and replaced as a whole.
//!
//! A version that a published snapshot names is never removed here.

use crate::error::{EngineError, Result};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError, ensure_table_uri};
use muster_sources::DocumentType;
use std::path::Path;
use std::sync::Arc;

/// Every table of a snapshot, the tables of documents last.
pub const TABLES: [&str; 14] = [
    "sources",
    "aggregations",
    "rejected_records",
    "accounts",
    "identity_profiles",
    "identities",
    "identity_errors",
    COUNTS,
    "identity_documents",
    "access_profile_documents",
    "account_activity_documents",
    "entitlement_documents",
    "event_documents",
    "role_documents",
];

/// What each snapshot so far had, counted. Kept in the newest one, so that a report's trend depends on its snapshot
/// alone, whatever has become of those before.
pub(crate) const COUNTS: &str = "snapshot_counts";

/// The table of a type of document.
pub(crate) fn of_documents(document_type: DocumentType) -> &'static str {
    match document_type {
        DocumentType::Identities => "identity_documents",
        DocumentType::AccessProfiles => "access_profile_documents",
        DocumentType::AccountActivities => "account_activity_documents",
        DocumentType::Entitlements => "entitlement_documents",
        DocumentType::Events => "event_documents",
        DocumentType::Roles => "role_documents",
    }
}

/// `table` at `version`, for reading.
pub(crate) async fn open(dir: &Path, table: &str, version: u64) -> Result<Arc<dyn TableProvider>> {
    let failed = |source| EngineError::table(table, "opened", source);
    let url = ensure_table_uri(dir.join(table).to_string_lossy()).map_err(failed)?;
    let opened = DeltaTableBuilder::from_url(url)
        .map_err(failed)?
        .with_version(version)
        .load()
        .await
        .map_err(failed)?;
    opened.table_provider().await.map_err(|e| EngineError::plan(table, e))
}

/// Makes `table` at `version` known to `context` as `alias`.
pub(crate) async fn register(
    context: &SessionContext,
    dir: &Path,
    table: &str,
    version: u64,
    alias: &str,
) -> Result<()> {
    let provider = open(dir, table, version).await?;
    context.register_table(alias, provider).map_err(|e| EngineError::plan(alias, e))?;
    Ok(())
}

/// Replaces the content of `table` by what `rows` gives; returns the new version. The old one stays readable.
pub(crate) async fn replace(
    context: &SessionContext,
    dir: &Path,
    table: &str,
    rows: DataFrame,
) -> Result<u64> {
    let failed = |source| EngineError::table(table, "written", source);
    let path = dir.join(table);
    std::fs::create_dir_all(&path)
        .map_err(|e| EngineError::io(format!("making folder {}", path.display()), e))?;
    let url = ensure_table_uri(path.to_string_lossy()).map_err(failed)?;
    // Loading a table that is not there yet is an error in the log of the Delta crates: it is only built then.
    let current = if path.join("_delta_log").exists() {
        DeltaTable::try_from_url(url).await.map_err(failed)?
    } else {
        DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).map_err(failed)?
    };
    let (state, plan) = rows.into_parts();
    drop(state);
    let written = current
        .write(Vec::new())
        .with_input_plan(plan)
        .with_session_state(Arc::new(context.state()))
        .with_save_mode(SaveMode::Overwrite)
        .with_schema_mode(SchemaMode::Overwrite)
        .with_table_name(table)
        .await
        .map_err(failed)?;
    written
        .version()
        .ok_or_else(|| failed(DeltaTableError::Generic("the table has no version after a write".into())))
}
