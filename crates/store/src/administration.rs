//! What administrators ask of the store beside the ports: lists, and ending a credential.

use crate::failure::failed;
use crate::rows;
use crate::sqlite::SqliteStore;
use muster_reports::SnapshotManifest;
use muster_reports::error::Result;
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::ports::Credential;

/// Snapshots that a list holds at most.
const SNAPSHOTS_LISTED_MAX: u32 = 1_000;

impl SqliteStore {
    /// Every credential of the tenant, the oldest first.
    ///
    /// # Errors
    /// `Internal` when the store cannot be read.
    pub async fn credentials(&self, tenant: &TenantId) -> Result<Vec<Credential>> {
        const WHAT: &str = "list credentials";
        let rows = sqlx::query("SELECT * FROM credentials WHERE tenant = ? ORDER BY created, client")
            .bind(tenant.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(|error| failed(WHAT, error))?;
        rows.iter().map(rows::credential).collect::<Result<_, _>>().map_err(|error| failed(WHAT, error))
    }

    /// Stops a credential from being used. Returns whether the tenant has it.
    ///
    /// # Errors
    /// `Internal` when the store cannot be written.
    pub async fn disable_credential(&self, tenant: &TenantId, client: &ClientId) -> Result<bool> {
        let (tenant, client) = (tenant.clone(), client.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE credentials SET enabled = 0 WHERE tenant = ? AND client = ?")
                        .bind(tenant.as_str())
                        .bind(client.as_str())
                        .execute(connection)
                        .await
                        .map(|done| done.rows_affected() > 0)
                        .map_err(|error| failed("disable a credential", error))
                })
            })
            .await
    }

    /// The newest snapshots of the tenant, the newest first; at most a thousand.
    ///
    /// # Errors
    /// `Internal` when the store cannot be read.
    pub async fn snapshots(&self, tenant: &TenantId) -> Result<Vec<SnapshotManifest>> {
        const WHAT: &str = "list snapshots";
        let rows = sqlx::query("SELECT manifest FROM snapshots WHERE tenant = ? ORDER BY seq DESC LIMIT ?")
            .bind(tenant.as_str())
            .bind(SNAPSHOTS_LISTED_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| failed(WHAT, error))?;
        rows.iter()
            .map(|row| rows::json(row, "manifest"))
            .collect::<Result<_, _>>()
            .map_err(|error| failed(WHAT, error))
    }
}
