//! What administrators ask of the store in addition to the ports: lists, and ending a credential.

use crate::failure::failed;
use crate::rows;
use crate::session::values;
use crate::store::Store;
use muster_reports::error::Result;
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::ports::{AuditEvent, Credential};

impl Store {
    /// Every credential of the tenant, the oldest first.
    ///
    /// # Errors
    /// `Internal` when the store cannot be read.
    pub async fn credentials(&self, tenant: &TenantId) -> Result<Vec<Credential>> {
        let found = self
            .read(
                "SELECT * FROM credentials WHERE tenant = $1 ORDER BY created, client",
                values![tenant.as_str()],
            )
            .await;
        found
            .and_then(|found| found.iter().map(rows::credential).collect())
            .map_err(|error| failed("list credentials", error))
    }

    /// Stops a credential from being used. Returns whether the tenant has it; then the event, if there is one, is
    /// recorded in the same transaction.
    ///
    /// # Errors
    /// `Internal` when the store cannot be written.
    pub async fn disable_credential(
        &self,
        tenant: &TenantId,
        client: &ClientId,
        event: Option<&AuditEvent>,
    ) -> Result<bool> {
        let (tenant, client) = (tenant.clone(), client.clone());
        self.write_recorded(
            event,
            |known| *known,
            move |mut session| {
                let (tenant, client) = (tenant.clone(), client.clone());
                Box::pin(async move {
                    session
                        .change(
                            "UPDATE credentials SET enabled = $1 WHERE tenant = $2 AND client = $3",
                            values![false, tenant.as_str(), client.as_str()],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("disable a credential", error))
                })
            },
        )
        .await
    }
}
