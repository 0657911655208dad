//! Credentials of the token endpoint.

use crate::failure::{failed, is_taken};
use crate::rows;
use crate::sqlite::SqliteStore;
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ids::ClientId;
use muster_reports::ports::{Credential, Credentials};

const CLIENT_MAX: usize = 256;
const CALLER_MAX: usize = 65_536;
const DESCRIPTION_MAX: usize = 4_096;

#[async_trait]
impl Credentials for SqliteStore {
    async fn create(&self, credential: &Credential) -> Result<()> {
        rows::bounded("the client id", credential.caller.client.as_str(), CLIENT_MAX)?;
        rows::bounded("the description of a credential", &credential.description, DESCRIPTION_MAX)?;
        let caller = rows::to_json("the caller of a credential", &credential.caller, CALLER_MAX)?;
        let credential = credential.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let client = credential.caller.client.as_str();
                    let inserted = sqlx::query(
                        "INSERT INTO credentials
                         (client, tenant, caller, secret_hmac, enabled, created, description)
                         VALUES (?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(client)
                    .bind(credential.caller.tenant.as_str())
                    .bind(caller)
                    .bind(&credential.secret_hmac[..])
                    .bind(credential.enabled)
                    .bind(rows::micros(credential.created))
                    .bind(&credential.description)
                    .execute(connection)
                    .await;
                    match inserted {
                        Ok(_) => Ok(()),
                        Err(error) if is_taken(&error) => {
                            Err(Error::invalid(format!("client id {client:?} is taken")))
                        }
                        Err(error) => Err(failed("keep a credential", error)),
                    }
                })
            })
            .await
    }

    async fn credential(&self, client: &ClientId) -> Result<Option<Credential>> {
        let found = sqlx::query("SELECT * FROM credentials WHERE client = ?")
            .bind(client.as_str())
            .fetch_optional(&self.readers)
            .await;
        found
            .and_then(|row| row.as_ref().map(rows::credential).transpose())
            .map_err(|error| failed("read a credential", error))
    }
}
