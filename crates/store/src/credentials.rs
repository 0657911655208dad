//! Credentials of the token endpoint.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::session::values;
use crate::store::Store;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::ports::{Credential, Credentials};
use std::sync::Arc;

/// Longest client id, in bytes.
const CLIENT_MAX: usize = 256;
/// Longest caller of a credential, in bytes of its JSON.
const CALLER_MAX: usize = 65_536;
/// Longest description of a credential, in bytes.
const DESCRIPTION_MAX: usize = 4_096;

#[async_trait]
impl Credentials for Store {
    async fn create(&self, credential: &Credential, event: &AuditEvent) -> Result<()> {
        rows::bounded("the client id", credential.caller.client.as_str(), CLIENT_MAX)?;
        rows::bounded("the description of a credential", &credential.description, DESCRIPTION_MAX)?;
        let caller = rows::to_json("the caller of a credential", &credential.caller, CALLER_MAX)?;
        let kept = Arc::new((credential.clone(), caller));
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (credential, caller) = &*kept;
                    let client = credential.caller.client.as_str();
                    let inserted = session
                        .change(
                            "INSERT INTO credentials
                         (client, tenant, caller, secret_hmac, enabled, created, description, token_lifetime_s)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                            values![
                                client,
                                credential.caller.tenant.as_str(),
                                caller,
                                &credential.secret_hmac[..],
                                credential.enabled,
                                rows::micros(credential.created),
                                &credential.description,
                                credential.token_lifetime_s.map(i64::from),
                            ],
                        )
                        .await;
                    match inserted {
                        Ok(_) => Ok(()),
                        Err(error) if is_taken(&error) => {
                            Err(Error::invalid(format!("client id {client:?} is taken")))
                        }
                        Err(error) => Err(failed("keep a credential", error)),
                    }
                })
            },
        )
        .await
    }

    async fn credential(&self, client: &ClientId) -> Result<Option<Credential>> {
        let found =
            self.read_first("SELECT * FROM credentials WHERE client = $1", values![client.as_str()]).await;
        found
            .and_then(|row| row.as_ref().map(rows::credential).transpose())
            .map_err(|error| failed("read a credential", error))
    }

    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<Credential>> {
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

    async fn disable(&self, client: &ClientId, event: &AuditEvent) -> Result<bool> {
        let kept = Arc::new((event.caller.tenant.clone(), client.clone()));
        self.write_recorded(
            event,
            |known| *known,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, client) = &*kept;
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
