//! Keys that the service makes once for itself and keeps for ever.

use crate::failure::failed;
use crate::sqlite::SqliteStore;
use muster_reports::error::{Error, Result};

/// Bytes of one secret.
const SECRET_MAX: usize = 4_096;

impl SqliteStore {
    /// The secret of this name. The first call ever keeps what `make` gives; every later one, in
    /// whichever process, returns that. Of simultaneous first calls one wins and all return its secret.
    ///
    /// # Errors
    /// `Internal` when `make` gives nothing or more than 4,096 bytes, or the store fails.
    pub async fn secret(&self, name: &str, make: impl FnOnce() -> Vec<u8> + Send) -> Result<Vec<u8>> {
        const WHAT: &str = "read a secret";
        let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM secrets WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| failed(WHAT, error))?;
        if let Some(known) = known {
            return Ok(known);
        }
        let made = make();
        if made.is_empty() || made.len() > SECRET_MAX {
            return Err(Error::internal(
                format!("the secret {name:?} could not be made"),
                format!("it is {} bytes long: expected 1 to {SECRET_MAX}", made.len()),
            ));
        }
        let name = name.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
                        .bind(&name)
                        .bind(made)
                        .execute(&mut *connection)
                        .await
                        .map_err(|error| failed("keep a secret", error))?;
                    sqlx::query_scalar("SELECT value FROM secrets WHERE name = ?")
                        .bind(&name)
                        .fetch_one(connection)
                        .await
                        .map_err(|error| failed(WHAT, error))
                })
            })
            .await
    }
}
